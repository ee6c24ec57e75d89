//! A client for those who ask what came, in place of handlers that are called.

use core::ops::Deref;
use core::task::Poll;
use std::string::String;

use super::{AckToken, Client, ClientEvent, ClientEvents, ClientSocket, ConnectFailed};
use crate::runtime::Runtime;
use crate::socketio::Args;

/// A client without handlers: `emit` and `call` as on every [`ClientSocket`], and [`receive`](Self::receive).
///
/// [`ClientBuilder::connect_simple`](super::ClientBuilder::connect_simple) makes one.
#[derive(Debug)]
#[must_use = "a client that is dropped closes its connection"]
pub struct SimpleClient<R> {
    client: Client<R>,
    events: ClientEvents,
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

impl<R> Deref for SimpleClient<R> {
    type Target = Client<R>;

    fn deref(&self) -> &Client<R> {
        &self.client
    }
}

impl<R: Runtime + Default> SimpleClient<R> {
    /// Connects with the default options.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`](super::ClientBuilder::connect).
    pub async fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Client::<R>::builder(url).connect_simple().await
    }
}

impl<R> SimpleClient<R> {
    pub(super) fn new(client: Client<R>, events: ClientEvents) -> Self {
        Self { client, events }
    }

    /// The next event that the server emits; `None` when there will be none any more. Cancel-safe.
    pub async fn receive(&mut self) -> Option<Received> {
        core::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// The next event, for futures written by hand: see [`receive`](Self::receive).
    pub fn poll_receive(&mut self, cx: &mut core::task::Context<'_>) -> Poll<Option<Received>> {
        loop {
            match core::task::ready!(self.events.poll_next(cx)) {
                Some(ClientEvent::Event {
                    socket,
                    name,
                    args,
                    ack,
                }) => {
                    let received = Received {
                        socket,
                        name,
                        args,
                        ack,
                    };
                    return Poll::Ready(Some(received));
                }
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}
