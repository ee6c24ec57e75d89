//! One client, as a handler on a thread sees it.

use core::ops::Deref;
use core::time::Duration;
use std::vec::Vec;

use serde_core::Serialize;

use super::{SendError, TryRecvError, TrySendError, wait_for};
use crate::engineio::{Closed, Data, Sid, Transport};
use crate::runtime::blocking::block_on;
use crate::runtime::engineio as generic;

/// One client, for whoever receives its messages. Everything else is on [`Sender`], to which it dereferences.
///
/// Dropping it closes the session in order: what is queued goes out first. Messages that come after that are dropped.
#[derive(Debug)]
pub struct Socket<D = ()> {
    socket: generic::Socket<D>,
    sender: Sender<D>,
}

/// One client, for whoever sends to it: a cheap clone of what [`Socket`] holds, for other threads.
#[derive(Debug)]
pub struct Sender<D = ()>(generic::Sender<D>);

impl<D> Clone for Sender<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D> Deref for Socket<D> {
    type Target = Sender<D>;

    fn deref(&self) -> &Sender<D> {
        &self.sender
    }
}

/// The messages, until the session is over.
impl<D> Iterator for Socket<D> {
    type Item = Data;

    fn next(&mut self) -> Option<Data> {
        self.recv()
    }
}

impl<D> Socket<D> {
    pub(super) fn new(socket: generic::Socket<D>) -> Self {
        let sender = Sender(socket.sender());
        Self { socket, sender }
    }

    /// The next message; `None` when the session is over and everything that came was taken. [`Sender::closed`] says why.
    /// Waits as long as it takes.
    ///
    /// While nobody calls this, at most [`Config::receive_window`](crate::engineio::Config::receive_window) bytes pile up
    /// before the client is made to wait.
    pub fn recv(&mut self) -> Option<Data> {
        block_on(self.socket.recv())
    }

    /// The next message, as [`recv`](Self::recv), but waits no longer than this; the outer `None` is that time.
    #[allow(clippy::option_option, reason = "the two say different things")]
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Option<Data>> {
        wait_for(self.socket.recv(), patience)
    }

    /// The next message, if it is there already. Waits for nothing.
    ///
    /// # Errors
    /// See [`TryRecvError`]; it turns into [`Error`](crate::Error) with `?`.
    pub fn try_recv(&mut self) -> Result<Data, TryRecvError> {
        self.socket.try_recv()
    }

    /// A clone for other threads. Sending does not keep the session open: it closes when the `Socket` is dropped.
    pub fn sender(&self) -> Sender<D> {
        self.sender.clone()
    }
}

impl<D> Sender<D> {
    pub(super) fn new(sender: generic::Sender<D>) -> Self {
        Self(sender)
    }

    /// Sends a message, waiting for room in the session's queue. Text from `&str` and `String`, binary from `Vec<u8>`,
    /// `&[u8]` and [`Bytes`](bytes::Bytes).
    ///
    /// What `Ok` means, and what becomes of U+001E over polling, is said at the async
    /// [`Sender::send`](generic::Sender::send).
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`].
    pub fn send(&self, message: impl Into<Data>) -> Result<(), SendError> {
        block_on(self.0.send(message))
    }

    /// Sends a value as a text message that holds its JSON: as the async
    /// [`Sender::send_json`](generic::Sender::send_json).
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode): the value has no JSON form. [`Error::Send`](crate::Error::Send) gives the
    /// message back.
    pub fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> crate::Result<()> {
        block_on(self.0.send_json(value))
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`].
    pub fn try_send(&self, message: impl Into<Data>) -> Result<(), TrySendError> {
        self.0.try_send(message)
    }

    /// Ends the session in order: what is queued goes out, then a close packet. Does not wait for it.
    pub fn close(&self) {
        self.0.close();
    }

    /// Ends the session at once. What is queued is not sent.
    pub fn abort(&self) {
        self.0.abort();
    }

    /// The session's data: what the connect handler returned.
    pub fn data(&self) -> &D {
        self.0.data()
    }

    /// The session's id: a secret between this client and the server. Do not show it to anybody else.
    pub fn sid(&self) -> &Sid {
        self.0.sid()
    }

    /// What carries the session's messages at the moment.
    pub fn transport(&self) -> Transport {
        self.0.transport()
    }

    /// The end, once it has come: why, and what it leaves open. `None` while the session lives or is still closing.
    pub fn closed(&self) -> Option<Closed> {
        self.0.closed()
    }

    /// Once the session is over: the messages that were never handed to a transport, in order. Gives each of them once.
    pub fn take_unsent(&self) -> Vec<Data> {
        self.0.take_unsent()
    }
}
