//! One client in one namespace.

use core::time::Duration;
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::{Broadcast, Namespace};
use crate::engineio::{Str, Transport};
use crate::error::Result;
use crate::http::Request;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::socketio as generic;
use crate::socketio::{FromArgs, IntoArgs};

/// One client in one namespace: a cheap clone, for handlers, other threads, and to keep anywhere.
///
/// `D` is its data: what the namespace's connect handler returned for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket<D = ()>(pub(super) generic::Socket<D>);

impl<D: Send + Sync + 'static> Socket<D> {
    /// The socket's id, which other clients may know.
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// What the connect handler returned for it.
    pub fn data(&self) -> &D {
        self.0.data()
    }

    /// The same socket, for whoever knows its data's type. `None` where that is another one.
    pub fn with_data<T: Send + Sync + 'static>(&self) -> Option<Socket<T>> {
        self.0.with_data().map(Socket)
    }

    /// The namespace that it is in. Its handlers are set where it is given them, and not here.
    pub fn namespace(&self) -> Namespace<D> {
        Namespace::new(self.0.namespace(), Threads::new())
    }

    /// The HTTP request that opened the connection.
    pub fn request(&self) -> Option<&Request> {
        self.0.request()
    }

    /// What carries the connection at the moment.
    pub fn transport(&self) -> Transport {
        self.0.transport()
    }

    /// Whether its client was away for a moment, and has its id, its rooms, its data and what it missed: see
    /// [`Builder::recovery`](super::Builder::recovery).
    pub fn recovered(&self) -> bool {
        self.0.recovered()
    }

    /// Whether it is in its namespace still.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Emits an event to this client, waiting for room in the queue. A tuple or an array is several arguments.
    ///
    /// # Errors
    /// As the async [`Socket::emit`](generic::Socket::emit)'s.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        block_on(self.0.emit(event, args))
    }

    /// Emits an event if there is room for it now.
    ///
    /// # Errors
    /// As those of [`emit`](Self::emit), and a full queue.
    pub fn try_emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        self.0.try_emit(event, args)
    }

    /// Emits an event that may be lost: it goes out if the transport takes it at once. Says whether it did.
    ///
    /// # Errors
    /// As those of [`emit`](Self::emit), and a full queue.
    pub fn emit_volatile<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<bool> {
        self.0.emit_volatile(event, args)
    }

    /// Emits an event and waits for its acknowledgement, whose first argument it gives; for as long as the server was built
    /// with.
    ///
    /// # Errors
    /// As the async [`Socket::call`](generic::Socket::call)'s.
    pub fn call<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Result<T> {
        block_on(self.0.call(event, args))
    }

    /// The same, for no longer than `timeout`.
    ///
    /// # Errors
    /// As those of [`call`](Self::call).
    pub fn call_within<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<T> {
        block_on(self.0.call(event, args).timeout(timeout))
    }

    /// Emits an event and waits for its acknowledgement, for no longer than `timeout`. Gives all of its arguments: a tuple,
    /// or [`Args`](super::Args).
    ///
    /// # Errors
    /// As those of [`call`](Self::call).
    pub fn call_args<A: FromArgs>(&self, timeout: Duration, event: &str, args: &(impl IntoArgs + ?Sized)) -> Result<A> {
        block_on(self.0.call_args(event, args).timeout(timeout))
    }

    /// Enters a room.
    pub fn join(&self, room: impl AsRef<str>) {
        self.0.join(room);
    }

    /// Leaves a room; not that of its own id.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.0.leave(room);
    }

    /// The rooms that it is in, or was in when it was disconnected: that of its own id first, then in the order of joining.
    pub fn rooms(&self) -> Vec<Str> {
        self.0.rooms()
    }

    /// Whether it is in a room, or was when it was disconnected.
    pub fn is_in(&self, room: impl AsRef<str>) -> bool {
        self.0.is_in(room)
    }

    /// Whoever else is in a room.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast<D> {
        Broadcast(self.0.to(room))
    }

    /// Everybody else in the namespace who is not in a room.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast<D> {
        Broadcast(self.0.except(room))
    }

    /// Everybody else in the namespace.
    pub fn broadcast(&self) -> Broadcast<D> {
        Broadcast(self.0.broadcast())
    }

    /// Throws the client out of the namespace; with `close`, out of all of them, and closes the connection.
    pub fn disconnect(&self, close: bool) {
        self.0.disconnect(close);
    }
}
