//! A client for those who ask what came, in place of handlers that are called.

use core::ops::Deref;
use core::time::Duration;
use std::string::String;

use super::{Client, ClientSocket};
use crate::error::TryRecvError;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::socketio::client as generic;
use crate::socketio::{AckToken, Args};
use generic::{ConnectFailed, ReceiveError};

/// A client without handlers: `emit` and `call` as on every [`ClientSocket`], and [`receive`](Self::receive).
///
/// What is not received is kept up to some 4 MB; then the server is made to wait, and calls with it.
/// [`ClientBuilder::connect_simple`](super::ClientBuilder::connect_simple) makes one.
#[derive(Debug)]
#[must_use = "a client that is dropped closes its connection"]
pub struct SimpleClient {
    client: generic::SimpleClient<Threads>,
    socket: ClientSocket,
    threads: Threads,
}

/// An event that was received.
#[derive(Debug)]
pub struct Received {
    /// Which namespace it came on.
    pub socket: ClientSocket,
    /// Its name.
    pub name: String,
    /// What came with it.
    pub args: Args,
    /// The right to acknowledge it, by [`ClientSocket::ack`], if the server wants that.
    pub ack: Option<AckToken>,
}

impl From<generic::Received> for Received {
    fn from(received: generic::Received) -> Self {
        let generic::Received {
            socket,
            name,
            args,
            ack,
        } = received;
        Self {
            socket: ClientSocket(socket),
            name,
            args,
            ack,
        }
    }
}

impl Deref for SimpleClient {
    type Target = ClientSocket;

    fn deref(&self) -> &ClientSocket {
        &self.socket
    }
}

/// The events, until there will be none any more.
impl Iterator for SimpleClient {
    type Item = Received;

    fn next(&mut self) -> Option<Received> {
        self.receive()
    }
}

impl SimpleClient {
    /// Connects with the default options.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`](super::ClientBuilder::connect).
    pub fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Client::builder(url).connect_simple()
    }

    pub(super) fn new(client: generic::SimpleClient<Threads>, threads: Threads) -> Self {
        Self {
            socket: ClientSocket(client.socket()),
            client,
            threads,
        }
    }

    /// The next event that the server emits; `None` when there will be none any more. Waits as long as it takes.
    pub fn receive(&mut self) -> Option<Received> {
        block_on(self.client.receive()).map(Received::from)
    }

    /// The next event, if it is there already. Waits for nothing.
    ///
    /// # Errors
    /// [`TryRecvError::Closed`] where there will be none any more.
    pub fn try_receive(&mut self) -> Result<Received, TryRecvError> {
        self.client.try_receive().map(Received::from)
    }

    /// The next event that the server emits, waiting no longer than this.
    ///
    /// # Errors
    /// [`ReceiveError::TimedOut`], and [`ReceiveError::Disconnected`] where there will be none any more.
    pub fn receive_timeout(&mut self, patience: Duration) -> Result<Received, ReceiveError> {
        block_on(self.client.receive_timeout(patience)).map(Received::from)
    }

    /// One more namespace on the same connection: see [`Client::join`].
    ///
    /// # Errors
    /// As there.
    pub fn join(&self, namespace: &str) -> Result<ClientSocket, ConnectFailed> {
        self.client.join(namespace).map(ClientSocket)
    }

    /// Leaves all namespaces, ends the connection in order, and waits until it and its threads have ended. What has come
    /// can be received still.
    pub fn close(&self) {
        block_on(self.client.close());
        self.threads.join();
    }
}
