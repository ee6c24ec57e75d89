//! What is for many sockets of a namespace.

use core::time::Duration;
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::Socket;
use crate::error::Result;
use crate::runtime::blocking::block_on;
use crate::runtime::socketio as generic;
use crate::socketio::{FromArgs, IntoArgs};

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

    /// The same: for what is done with all of them, such as [`join`](Self::join).
    pub fn in_room(self, room: impl AsRef<str>) -> Self {
        self.to(room)
    }

    /// Only those on this server, where there are all of them at present.
    pub fn local(self) -> Self {
        Self(self.0.local())
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

    /// Emits an event to all of them and waits for their acknowledgements, for no longer than `timeout`: see the async
    /// [`Broadcast::call_all`](generic::Broadcast::call_all).
    ///
    /// # Errors
    /// As those of [`emit`](Self::emit). Each socket has a result of its own.
    pub fn call_all<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<Vec<(Socket<D>, Result<T>)>> {
        block_on(self.0.call_all(event, args).timeout(timeout)).map(wrapped)
    }

    /// The same, giving all arguments of each acknowledgement: a tuple, or [`Args`](super::Args).
    ///
    /// # Errors
    /// As those of [`call_all`](Self::call_all).
    pub fn call_all_args<A: FromArgs>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<Vec<(Socket<D>, Result<A>)>> {
        block_on(self.0.call_all_args(event, args).timeout(timeout)).map(wrapped)
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

fn wrapped<D, T>(answers: Vec<(generic::Socket<D>, Result<T>)>) -> Vec<(Socket<D>, Result<T>)> {
    let answers = answers.into_iter();
    answers.map(|(socket, answer)| (Socket(socket), answer)).collect()
}
