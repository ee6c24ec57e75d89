//! What is for many sockets of a namespace.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::sync::Arc;
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::emit::Emit;
use super::gather::CallAll;
use super::link::Slot;
use super::namespace::NamespaceCore;
use super::socket::{Socket, SocketCore};
use crate::engineio::Str;
use crate::error::Result;
use crate::socketio::{Args, EmitError, EncodeError, Encoded, FromArgs, IntoArgs, Selection, is_reserved};

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

    /// The same: for what is done with all of them, such as [`join`](Self::join).
    pub fn in_room(self, room: impl AsRef<str>) -> Self {
        self.to(room)
    }

    /// Only those on this server. At present a namespace has no sockets elsewhere, so this changes nothing; it says what is
    /// meant, for when it will.
    pub fn local(self) -> Self {
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

    /// Emits an event to all of them. It is encoded once, and waits for nobody: a client whose queue is full (it holds
    /// [`max_queue`](crate::socketio::server::Config::max_queue) bytes, and the session's below it as many) is thrown out, so
    /// that it knows that it has missed something.
    ///
    /// # Errors
    /// The future's: [`Error::Encode`](crate::Error::Encode) for arguments without a JSON form,
    /// [`Error::Emit`](crate::Error::Emit) for a reserved name.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        Emit::many(self.pack(event, args.to_args()))
    }

    /// Emits an event to all of them and waits for their acknowledgements, of each of which it gives the first argument. It
    /// is ready when each of them has answered, was too late, or is gone: after
    /// [the timeout](CallAll::timeout) at the latest.
    ///
    /// ```ignore
    /// for (socket, answer) in room.call_all::<String>("who are you?", &()).timeout(Duration::from_secs(5)).await? {
    ///     match answer {
    ///         Ok(name) => println!("{} is {name}", socket.id()),
    ///         Err(error) => println!("{}: {error}", socket.id()),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The future's: as [`emit`](Self::emit)'s. Each socket has a result of its own, as of [`Socket::call`];
    /// [`AckError::NotSent`](crate::socketio::AckError::NotSent) where the event was not sent to it, because it did not keep
    /// up, would have to wait for a volatile one, or has too many calls open.
    pub fn call_all<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> CallAll<T, D> {
        CallAll::new(self.pack(event, args.to_args()), |args| args.get(0))
    }

    /// The same, giving all arguments of each acknowledgement: a tuple, or [`Args`].
    ///
    /// # Errors
    /// As those of [`call_all`](Self::call_all).
    pub fn call_all_args<A: FromArgs>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> CallAll<A, D> {
        CallAll::new(self.pack(event, args.to_args()), Args::parse)
    }

    fn pack(&self, event: &str, args: Result<Args, EncodeError>) -> Result<Packed> {
        let args = args?;
        if is_reserved(event) {
            return Err(EmitError::ReservedName(args).into());
        }
        Ok(Packed {
            name: event.into(),
            args,
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

/// An event, and for whom it is.
pub(super) struct Packed {
    namespace: Arc<NamespaceCore>,
    selection: Selection,
    is_volatile: bool,
    name: Str,
    args: Args,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packed")
    }
}

impl Packed {
    pub(super) fn send(&self) {
        let recovery = if self.is_volatile {
            None
        } else {
            self.namespace.recovery()
        };
        let sockets = match recovery {
            // Under its lock: nobody may be sent a later event before this one.
            Some(mut recovery) => {
                let packet = recovery.record(self.namespace.now(), &self.selection, |offset| {
                    self.encode(None, self.args.with_last(offset))
                });
                self.deliver(&packet)
            }
            None => self.deliver(&self.encode(None, self.args.clone())),
        };
        self.namespace.count_broadcast(sockets.len());
        self.show(&sockets);
    }

    fn encode(&self, id: Option<u64>, args: Args) -> Encoded {
        self.namespace.encode(id, &self.name, args)
    }

    fn deliver(&self, packet: &Encoded) -> Vec<Arc<SocketCore>> {
        let sockets = self.namespace.select(&self.selection);
        for socket in &sockets {
            let _sent = socket.link.send_encoded(socket.key, packet, self.is_volatile);
        }
        sockets
    }

    /// Sends it to be acknowledged. Each socket that is meant has a slot, if it was sent to it.
    pub(super) fn call<D: Send + Sync + 'static>(
        &self,
        timeout: Option<Duration>,
    ) -> Vec<(Socket<D>, Option<Arc<Slot>>)> {
        let id = self.namespace.next_call();
        let packet = self.encode(Some(id), self.args.clone());
        let sockets = self.namespace.select(&self.selection);
        let called = sockets.iter().filter_map(|core| {
            let socket = Socket::new(core.clone())?;
            let slot = core.link.call_encoded(core.key, &packet, self.is_volatile, id, timeout);
            Some((socket, slot))
        });
        let called: Vec<_> = called.collect();
        self.namespace.count_broadcast(called.len());
        self.show(&sockets);
        called
    }

    /// Without any lock: it is the application's function that looks.
    fn show(&self, sockets: &[Arc<SocketCore>]) {
        let Some(shows) = self.namespace.outgoing() else {
            return;
        };
        for socket in sockets {
            shows(socket, &self.name, &self.args);
        }
    }
}
