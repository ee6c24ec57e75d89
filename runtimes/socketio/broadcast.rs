//! What is for many sockets of a namespace.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::vec::Vec;

use super::emit::Emit;
use super::namespace::NamespaceCore;
use super::socket::Socket;
use crate::error::Result;
use crate::socketio::{Args, Body, EmitError, Encoded, IntoArgs, Packet, Selection, is_reserved};

/// Some sockets of a namespace: whom an event is for, or what is done with all of them.
///
/// Without [`to`](Self::to) it means everybody; with several, whoever is in one of the rooms.
#[must_use = "it only says who is meant"]
pub struct Broadcast<D = ()> {
    namespace: Arc<NamespaceCore>,
    selection: Selection,
    is_volatile: bool,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Broadcast<D> {
    fn clone(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            selection: self.selection.clone(),
            is_volatile: self.is_volatile,
            data: PhantomData,
        }
    }
}

impl<D> fmt::Debug for Broadcast<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("namespace", &self.namespace.name)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

impl<D: Send + Sync + 'static> Broadcast<D> {
    pub(super) fn new(namespace: Arc<NamespaceCore>) -> Self {
        Self {
            namespace,
            selection: Selection::all(),
            is_volatile: false,
            data: PhantomData,
        }
    }

    /// And whoever is in this room; a socket's id is a room too.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        self.selection = self.selection.to(room.as_ref());
        self
    }

    /// But nobody who is in this room.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.selection = self.selection.except(room.as_ref());
        self
    }

    /// Only those whose transport takes it at once.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Emits an event to all of them. It is encoded once, and waits for nobody: a client whose queue is full is thrown out,
    /// so that it knows that it has missed something.
    ///
    /// # Errors
    /// The future's: [`Error::Encode`](crate::Error::Encode) for arguments without a JSON form,
    /// [`Error::Emit`](crate::Error::Emit) for a reserved name.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        Emit::many(self.pack(event, args.to_args()))
    }

    fn pack(&self, event: &str, args: Result<Args, crate::socketio::EncodeError>) -> Result<Packed> {
        let args = args?;
        if is_reserved(event) {
            return Err(EmitError::ReservedName(args).into());
        }
        let packet = Packet {
            namespace: self.namespace.name.clone(),
            body: Body::Event {
                id: None,
                name: event.into(),
                args,
            },
        };
        Ok(Packed {
            packet: self.namespace.parser().encode(&packet),
            namespace: self.namespace.clone(),
            selection: self.selection.clone(),
            is_volatile: self.is_volatile,
        })
    }

    /// All of them, in the order in which they came.
    pub fn sockets(&self) -> Vec<Socket<D>> {
        let cores = self.namespace.select(&self.selection);
        cores.into_iter().filter_map(Socket::new).collect()
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.namespace.select(&self.selection).len()
    }

    /// All of them enter a room.
    pub fn join(&self, room: impl AsRef<str>) {
        for core in self.namespace.select(&self.selection) {
            core.join(room.as_ref());
        }
    }

    /// All of them leave a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        for core in self.namespace.select(&self.selection) {
            self.namespace.leave(&core, room.as_ref());
        }
    }

    /// Throws all of them out of the namespace; with `close`, out of all of them, and closes their connections.
    pub fn disconnect(&self, close: bool) {
        for socket in self.sockets() {
            socket.disconnect(close);
        }
    }
}

/// An event that is encoded, and for whom it is.
pub(super) struct Packed {
    namespace: Arc<NamespaceCore>,
    selection: Selection,
    is_volatile: bool,
    packet: Encoded,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packed")
    }
}

impl Packed {
    pub(super) fn send(&self) {
        for socket in self.namespace.select(&self.selection) {
            let _sent = socket.link.send_encoded(socket.key, &self.packet, self.is_volatile);
        }
    }
}
