//! What is for many sockets of a namespace.

use std::vec::Vec;

use super::Socket;
use crate::error::Result;
use crate::runtime::blocking::block_on;
use crate::runtime::socketio as generic;
use crate::socketio::IntoArgs;

/// Some sockets of a namespace: whom an event is for, or what is done with all of them.
///
/// Without [`to`](Self::to) it means everybody; with several, whoever is in one of the rooms.
#[must_use = "it only says who is meant"]
#[derive(Clone, Debug)]
pub struct Broadcast<D = ()>(pub(super) generic::Broadcast<D>);

impl<D: Send + Sync + 'static> Broadcast<D> {
    /// And whoever is in this room; a socket's id is a room too.
    pub fn to(self, room: impl AsRef<str>) -> Self {
        Self(self.0.to(room))
    }

    /// But nobody who is in this room.
    pub fn except(self, room: impl AsRef<str>) -> Self {
        Self(self.0.except(room))
    }

    /// Only those whose transport takes it at once.
    pub fn volatile(self) -> Self {
        Self(self.0.volatile())
    }

    /// Emits an event to all of them: see the async [`Broadcast::emit`](generic::Broadcast::emit). It waits for nobody.
    ///
    /// # Errors
    /// The arguments have no JSON form, or the name is reserved.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        block_on(self.0.emit(event, args))
    }

    /// All of them, in the order in which they came.
    pub fn sockets(&self) -> Vec<Socket<D>> {
        self.0.sockets().into_iter().map(Socket).collect()
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// All of them enter a room.
    pub fn join(&self, room: impl AsRef<str>) {
        self.0.join(room);
    }

    /// All of them leave a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.0.leave(room);
    }

    /// Throws all of them out of the namespace; with `close`, out of all of them, and closes their connections.
    pub fn disconnect(&self, close: bool) {
        self.0.disconnect(close);
    }
}
