//! One client in one namespace.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::broadcast::Broadcast;
use super::emit::{Call, Emit};
use super::handlers::{AnyData, OnIntercept, Unfit};
use super::intercept::Passage;
use super::link::{Link, Slot};
use super::namespace::{Namespace, NamespaceCore};
use crate::engineio::{Str, Transport};
use crate::error::Result;
use crate::http::Request;
use crate::runtime::log::Scope;
use crate::socketio::{Args, EmitError, FromArgs, IntoArgs, Key, Selection, Stay};

/// Everything about a socket but its data's type.
pub(super) struct SocketCore {
    pub(super) id: Str,
    /// By which the namespace knows it.
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) link: Arc<Link>,
    pub(super) namespace: Arc<NamespaceCore>,
    pub(super) data: OnceLock<AnyData>,
    pub(super) membership: Mutex<Membership>,
    /// By which its client proves, when it comes back, that it is the same.
    pub(super) pid: OnceLock<Str>,
    /// Its state was kept for it, which is decided before it is in its namespace.
    pub(super) recovered: AtomicBool,
    pub(super) interceptors: Mutex<Vec<Arc<OnIntercept>>>,
    pub(super) scope: Scope,
}

/// Whether the namespace knows a socket, and the rooms for when it does not.
pub(super) enum Membership {
    /// It was not accepted yet: what it is to join.
    Waiting(Vec<Str>),
    /// It is there, and since when it is in which rooms.
    Member(Stay),
    /// It is gone, and was in these.
    Gone(Vec<Str>),
}

impl fmt::Debug for SocketCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketCore")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SocketCore {
    pub(super) fn membership(&self) -> MutexGuard<'_, Membership> {
        // Nothing that can panic runs under this lock.
        self.membership.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its data is of this type. Everybody may do without data.
    fn has<D: 'static>(&self) -> bool {
        let nothing: &dyn Any = &();
        nothing.is::<D>() || self.data.get().is_some_and(|data| data.is::<D>())
    }

    /// A socket that waits to be accepted, and the rooms that it will be in.
    pub(super) fn new(id: Str, namespace: Arc<NamespaceCore>, link: Arc<Link>, key: Key, rooms: Vec<Str>) -> Arc<Self> {
        Arc::new(Self {
            scope: Scope::socket(&namespace.name, &id),
            id,
            number: namespace.next_number(),
            key,
            link,
            namespace,
            data: OnceLock::new(),
            membership: Mutex::new(Membership::Waiting(rooms)),
            pid: OnceLock::new(),
            recovered: AtomicBool::new(false),
            interceptors: Mutex::default(),
        })
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.membership(), Membership::Waiting(_))
    }

    fn is_gone(&self) -> bool {
        matches!(*self.membership(), Membership::Gone(_))
    }

    pub(super) fn interceptors(&self) -> MutexGuard<'_, Vec<Arc<OnIntercept>>> {
        // No code of the application's runs under this lock.
        self.interceptors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits an event, once there is room. Tells under which slot an acknowledgement will be found, where one is wanted.
    pub(super) fn poll_emit(
        self: &Arc<Self>,
        cx: &Context<'_>,
        name: &str,
        args: &mut Option<Args>,
        wanted: Option<Option<Duration>>,
    ) -> Poll<Result<Option<Arc<Slot>>, EmitError>> {
        let shown = self.namespace.outgoing().and_then(|shows| Some((shows, args.clone()?)));
        let sent = if wanted.is_none() && self.is_recorded() {
            let Some(taken) = args.take() else {
                return Poll::Ready(Ok(None));
            };
            match self.emit_recorded(name, taken, Some(cx)) {
                Err(EmitError::Full(back)) => {
                    *args = Some(back);
                    Poll::Pending
                }
                sent => Poll::Ready(sent.map(|()| None)),
            }
        } else {
            self.link.poll_emit(cx, self.key, name, args, wanted)
        };
        if let (Poll::Ready(Ok(_)), Some((shows, args))) = (&sent, shown) {
            shows(self, name, &args);
        }
        sent
    }

    fn try_emit(self: &Arc<Self>, name: &str, args: Args) -> Result<(), EmitError> {
        let shown = self.namespace.outgoing().map(|shows| (shows, args.clone()));
        if self.is_recorded() {
            self.emit_recorded(name, args, None)?;
        } else {
            self.link.with(|state, _, _| state.machine.emit(self.key, name, args))?;
        }
        if let Some((shows, args)) = shown {
            shows(self, name, &args);
        }
        Ok(())
    }

    /// Whether what it is sent is kept, for it to have when it comes back.
    fn is_recorded(&self) -> bool {
        self.namespace.recovery.is_some()
    }

    /// It may be on its way back, which is not decided: what it is sent is among what it has missed, if it is let in.
    fn returns(&self) -> bool {
        self.recovered.load(Ordering::Relaxed) && self.is_waiting()
    }

    /// Emits an event which the client will have when it comes back, should it be away.
    fn emit_recorded(self: &Arc<Self>, name: &str, args: Args, cx: Option<&Context<'_>>) -> Result<(), EmitError> {
        let Some(mut recovery) = self.namespace.recovery() else {
            return Err(EmitError::Disconnected(args));
        };
        // Another one may have come back in its place.
        let successor = self.is_gone().then(|| self.namespace.socket(&self.id)).flatten();
        let current = successor.as_ref().unwrap_or(self);
        let selection = Selection::all().to(&*self.id);
        let now = current.link.cell.now();
        recovery.handle_timeout(now);
        let with_offset = args.with_last(&recovery.next_offset());
        let returns = self.returns();
        let sent = current.link.with(|state, _, _| {
            let sent = match returns {
                true => {
                    let checked = state.machine.check(current.key, name, with_offset);
                    checked.map(|args| self.namespace.encode(None, name, args))
                }
                false => state.machine.emit_encoded(current.key, name, with_offset),
            };
            if let (Err(EmitError::Full(_)), Some(cx)) = (&sent, cx) {
                state.wait(cx);
            }
            sent
        });
        match sent {
            Ok(packet) => {
                recovery.record(now, &selection, |_| packet);
                Ok(())
            }
            Err(EmitError::Disconnected(with_offset)) if self.pid.get().is_some_and(|pid| recovery.is_kept(pid)) => {
                let packet = self.namespace.encode(None, name, with_offset);
                // It would not be sent when its client is back.
                if !current.link.look(|state| state.machine.takes_encoded(&packet)) {
                    return Err(EmitError::TooLarge(args));
                }
                recovery.record(now, &selection, |_| packet);
                Ok(())
            }
            Err(error) => Err(error.about(args)),
        }
    }

    pub(super) fn join(self: &Arc<Self>, room: &str) {
        self.namespace.join(self, room);
    }
}

/// One client in one namespace: a cheap clone, for handlers, other tasks, and to keep anywhere.
///
/// `D` is its data: what the namespace's connect handler returned for it.
pub struct Socket<D = ()> {
    core: Arc<SocketCore>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Socket<D> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            data: PhantomData,
        }
    }
}

impl<D> fmt::Debug for Socket<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.core.id)
            .finish_non_exhaustive()
    }
}

impl<D> PartialEq for Socket<D> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl<D> Eq for Socket<D> {}

impl<D: Send + Sync + 'static> Socket<D> {
    /// `None` where its data is of another type.
    pub(super) fn new(core: Arc<SocketCore>) -> Option<Self> {
        core.has::<D>().then_some(Self {
            core,
            data: PhantomData,
        })
    }

    /// The socket's id, which other clients may know. Not the id of the Engine.IO session, which they must not.
    pub fn id(&self) -> &str {
        &self.core.id
    }

    /// What the connect handler returned for it.
    pub fn data(&self) -> &D {
        let nothing: &dyn Any = &();
        let data = self.core.data.get().and_then(|data| data.downcast_ref::<D>());
        data.or_else(|| nothing.downcast_ref())
            .expect("the type was looked at when the socket was made")
    }

    /// The same socket, for whoever knows its data's type. `None` where that is another one.
    pub fn with_data<T: Send + Sync + 'static>(&self) -> Option<Socket<T>> {
        Socket::new(self.core.clone())
    }

    /// The namespace that it is in.
    pub fn namespace(&self) -> Namespace<D> {
        Namespace::of(self.core.namespace.clone())
    }

    /// The HTTP request that opened the connection: headers, query, address. `None` where
    /// [`Handle::attend`](super::Handle::attend) was given none.
    pub fn request(&self) -> Option<&Request> {
        self.core.link.request.as_deref()
    }

    /// What carries the connection at the moment.
    pub fn transport(&self) -> Transport {
        self.core.link.cell.look(|session| session.transport())
    }

    /// Whether its client was away for a moment, and has its id, its rooms, its data and what it missed: see
    /// [`Builder::recovery`](super::Builder::recovery).
    pub fn recovered(&self) -> bool {
        self.core.recovered.load(Ordering::Relaxed)
    }

    /// Asks this function about each event of this client's, behind those of [its namespace](Namespace::intercept). It is
    /// let go when the socket is gone.
    pub fn intercept<F, Fut>(&self, interceptor: F)
    where
        F: Fn(Self, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Passage> + Send + 'static,
    {
        let interceptor = intercepting(interceptor);
        let mut interceptors = self.core.interceptors();
        // A socket that is gone has let go of those it had.
        if !self.core.is_gone() {
            interceptors.push(interceptor);
        }
    }

    /// Whether it is in its namespace still.
    pub fn is_connected(&self) -> bool {
        self.core.link.look(|state| state.machine.is_connected(self.core.key))
    }

    /// Emits an event to this client. A tuple or an array is several arguments; see [`IntoArgs`].
    ///
    /// It is encoded at once and sent when the future is awaited, which waits for room in the queue. `Ok` means queued: it
    /// arrives in order and at most once.
    ///
    /// # Errors
    /// The future's: [`Error::Encode`](crate::Error::Encode) for arguments without a JSON form, and
    /// [`Error::Emit`](crate::Error::Emit), which gives them back, for a socket that is gone and a reserved name.
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        Emit::one(self.core.clone(), event, args.to_args())
    }

    /// Emits an event if there is room for it now.
    ///
    /// # Errors
    /// As those of [`emit`](Self::emit), and a full queue.
    pub fn try_emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<()> {
        Ok(self.core.try_emit(event, args.to_args()?)?)
    }

    /// Emits an event that may be lost: it goes out if nothing is queued and the transport takes it at once. Says whether it
    /// did.
    ///
    /// # Errors
    /// As those of [`emit`](Self::emit), and a full queue.
    pub fn emit_volatile<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<bool> {
        let args = args.to_args()?;
        let shown = self.core.namespace.outgoing().map(|shows| (shows, args.clone()));
        let emitted = self.core.link.with(|state, session, _| {
            state.machine.handle_writable(session.is_writable());
            state.machine.emit_volatile(self.core.key, event, args)
        })?;
        if let (true, Some((shows, args))) = (emitted, shown) {
            shows(&self.core, event, &args);
        }
        Ok(emitted)
    }

    /// Emits an event and waits for its acknowledgement, whose first argument it gives.
    ///
    /// # Errors
    /// The future's: those of [`emit`](Self::emit), [`Error::Ack`](crate::Error::Ack) where none came, and
    /// [`Error::Decode`](crate::Error::Decode) where it is of another shape.
    pub fn call<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Call<T> {
        Call::first(self.core.clone(), event, args.to_args())
    }

    /// Emits an event and waits for its acknowledgement, all of whose arguments it gives: a tuple, or [`Args`].
    ///
    /// # Errors
    /// As those of [`call`](Self::call).
    pub fn call_args<A: FromArgs>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Call<A> {
        Call::all(self.core.clone(), event, args.to_args())
    }

    /// Enters a room.
    pub fn join(&self, room: impl AsRef<str>) {
        self.core.join(room.as_ref());
    }

    /// Leaves a room; not that of its own id.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.core.namespace.leave(&self.core, room.as_ref());
    }

    /// The rooms that it is in, or was in when it was disconnected: that of its own id first, then in the order of joining.
    pub fn rooms(&self) -> Vec<Str> {
        self.core.namespace.rooms_of(&self.core)
    }

    /// Whether it is in a room, or was when it was disconnected.
    pub fn is_in(&self, room: impl AsRef<str>) -> bool {
        self.rooms().iter().any(|joined| &joined[..] == room.as_ref())
    }

    /// Whoever else is in a room.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.broadcast().to(room)
    }

    /// Everybody else in the namespace who is not in a room.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.broadcast().except(room)
    }

    /// Everybody else in the namespace.
    pub fn broadcast(&self) -> Broadcast<D> {
        Broadcast::new(self.core.namespace.clone()).except(&self.core.id)
    }

    /// Throws the client out of the namespace; with `close`, out of all of them, and closes the connection. What was
    /// emitted before goes out first. The client takes it for meant (`io server disconnect`), and does not come back by
    /// itself.
    pub fn disconnect(&self, close: bool) {
        // Whoever counts sockets when the client hears of it shall not count it. The connection's task tells the handlers.
        self.core.namespace.remove(&self.core, None);
        self.core.link.with(|state, _, now| {
            if close {
                state.machine.close(now);
            } else {
                state.machine.disconnect(now, self.core.key);
            }
        });
    }
}

/// The form in which interceptors are kept.
pub(super) fn intercepting<D, F, Fut>(interceptor: F) -> Arc<OnIntercept>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>, String, Args) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Passage> + Send + 'static,
{
    Arc::new(move |socket, name, args| {
        let socket = Socket::typed(socket).ok_or(Unfit::Data)?;
        let looking = interceptor(socket, (**name).into(), args.clone());
        let args = args.clone();
        Ok(Box::pin(async move { looking.await.into_passage(args) }))
    })
}

impl<D: Send + Sync + 'static> Socket<D> {
    /// The socket as handlers are given it.
    pub(super) fn typed(core: &Arc<SocketCore>) -> Option<Self> {
        Self::new(core.clone())
    }
}

/// A socket stands for the room of its own id: `namespace.to(&socket)`.
impl<D> AsRef<str> for Socket<D> {
    fn as_ref(&self) -> &str {
        &self.core.id
    }
}

const _: () = {
    const fn is_send<T: Send + Sync>() {}
    is_send::<Socket<()>>();
    is_send::<Args>();
};
