//! A namespace: its handlers, and who is in it.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::vec::Vec;

use serde_core::de::DeserializeOwned;

use super::broadcast::Broadcast;
use super::connecting::ConnectRequest;
use super::emit::Emit;
use super::gather::CallAll;
use super::handlers::{AnyData, BoxError, Handlers, OnOutgoing, Unfit};
use super::intercept::Passage;
use super::memory::{Memory, Remembering};
use super::refused::Refused;
use super::registry::Registry;
use super::reply::Reply;
use super::socket::{Membership, Socket, SocketCore, intercepting};
use crate::engineio::Str;
use crate::runtime::engineio::Outcome;
use crate::socketio::server::DisconnectReason;
use crate::socketio::{
    Args, BROADCAST_IDS, Body, Encoded, FromArgs, IntoArgs, Packet, Parser, RecoveryConfig, Rooms, Selection, Stay,
};
use crate::time::Instant;

/// In how many parts the sockets are kept, so that threads seldom meet.
const SHARDS: usize = 16;

/// Everything about a namespace but the type of its sockets' data.
pub(super) struct NamespaceCore {
    pub(super) name: Str,
    pub(super) handlers: Arc<Handlers>,
    registry: Weak<Registry>,
    parser: &'static dyn Parser,
    /// What is kept for sockets whose connection was lost, where that is wanted.
    pub(super) recovery: Option<Memory>,
    next: AtomicU64,
    next_call: AtomicU64,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    rooms: Rooms<u64>,
    sockets: BTreeMap<u64, Arc<SocketCore>>,
}

impl NamespaceCore {
    /// An event has come that its handler does not take. Answers as [`Pace::meet`](crate::runtime::log::Pace::meet).
    pub(super) fn meet_unfit(&self) -> Option<u64> {
        self.registry.upgrade()?.unfit.meet()
    }

    pub(super) fn new(
        name: Str,
        handlers: Arc<Handlers>,
        registry: Weak<Registry>,
        parser: &'static dyn Parser,
        recovery: Option<(RecoveryConfig, Str)>,
    ) -> Self {
        Self {
            name,
            handlers,
            registry,
            parser,
            recovery: recovery.map(|(config, tag)| Memory::new(config, &tag)),
            next: AtomicU64::new(0),
            next_call: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The packet of an event.
    pub(super) fn encode(&self, id: Option<u64>, name: &str, args: Args) -> Encoded {
        let name = name.into();
        self.parser.encode(&Packet {
            namespace: self.name.clone(),
            body: Body::Event { id, name, args },
        })
    }

    /// Whether the sessions take all messages of a packet. The machines pass over one that they do not take, which whoever
    /// broadcasts it should know.
    pub(super) fn takes(&self, packet: &Encoded) -> bool {
        self.registry.upgrade().is_none_or(|registry| {
            let most = registry.config.max_message;
            packet.messages().all(|message| message.len() <= most)
        })
    }

    /// A number for the acknowledgements of one broadcast.
    pub(super) fn next_call(&self) -> u64 {
        let count = BROADCAST_IDS.end - BROADCAST_IDS.start;
        BROADCAST_IDS.start + self.next_call.fetch_add(1, Ordering::Relaxed) % count
    }

    /// Who is shown every event that is sent.
    pub(super) fn outgoing(&self) -> Option<Arc<OnOutgoing>> {
        self.handlers.look(|table| table.outgoing.clone())
    }

    pub(super) fn recovery(&self) -> Option<Remembering<'_>> {
        Some(self.recovery.as_ref()?.lock())
    }

    /// Whether it keeps something of sockets that are away.
    pub(super) fn remembers(&self, now: Instant) -> bool {
        self.recovery.as_ref().is_some_and(|memory| {
            let mut recovery = memory.lock_quietly();
            recovery.handle_timeout(now);
            !recovery.is_empty()
        })
    }

    /// What time it is, for broadcasts.
    pub(super) fn now(&self) -> Instant {
        let registry = self.registry.upgrade();
        registry.map_or(Instant::from_micros(0), |registry| registry.now())
    }

    /// A broadcast went to so many.
    pub(super) fn count_broadcast(&self, receivers: usize) {
        if let Some(registry) = self.registry.upgrade() {
            registry.broadcasts.fetch_add(1, Ordering::Relaxed);
            registry.deliveries.fetch_add(receivers as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, Shard> {
        Self::lock(&self.shards[(number % SHARDS as u64) as usize])
    }

    fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
        // No code of the application's runs under this lock, and no other lock is taken but that of a membership. It may be
        // taken under those of a connection.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket is accepted: it is in the rooms that it was to join.
    pub(super) fn insert(&self, socket: &Arc<SocketCore>, stay: Stay) {
        let mut shard = self.shard(socket.number);
        let mut membership = socket.membership();
        let Membership::Waiting(rooms) = &mut *membership else {
            return;
        };
        let rooms = core::mem::take(rooms);
        shard.rooms.insert(socket.number, &socket.id);
        for room in rooms {
            shard.rooms.join(socket.number, &room);
        }
        shard.sockets.insert(socket.number, socket.clone());
        *membership = Membership::Member(stay);
    }

    /// A socket is gone, or was never let in. Its rooms can be asked for still. Where it went without wanting to, its state
    /// is kept.
    pub(super) fn remove(&self, socket: &Arc<SocketCore>, reason: Option<DisconnectReason>) {
        let keeps = reason.is_some_and(DisconnectReason::is_recoverable);
        // Held until it is kept: what is emitted to it meanwhile is for when it comes back.
        let mut recovery = if keeps { self.recovery() } else { None };
        let removed = {
            let mut shard = self.shard(socket.number);
            let mut membership = socket.membership();
            if let Membership::Gone(_) = &*membership {
                return;
            }
            let rooms: Vec<Str> = shard.rooms.rooms_of(socket.number).cloned().collect();
            if let (Membership::Member(stay), Some(recovery), Some(pid), Some(data)) =
                (&mut *membership, &mut recovery, socket.pid.get(), socket.data.get())
            {
                let stay = core::mem::take(stay);
                let others = rooms.iter().skip(1).cloned();
                let data = recovery.memory().keep(data.clone());
                recovery.keep(socket.link.cell.now(), pid, &socket.id, others, stay, data);
            }
            *membership = Membership::Gone(rooms);
            shard.rooms.remove(socket.number);
            shard.sockets.remove(&socket.number)
        };
        drop(recovery);
        drop(removed);
        let interceptors = core::mem::take(&mut *socket.interceptors());
        // They are the application's: dropped when nothing is locked.
        drop(interceptors);
        if let Some(registry) = self.registry.upgrade() {
            registry.release(&self.name);
        }
    }

    pub(super) fn join(&self, socket: &Arc<SocketCore>, room: &str) {
        self.change_room(socket, room, true);
    }

    pub(super) fn leave(&self, socket: &Arc<SocketCore>, room: &str) {
        self.change_room(socket, room, false);
    }

    /// Says whether it did anything.
    fn change_room(&self, socket: &Arc<SocketCore>, room: &str, joins: bool) -> bool {
        // Which events it has missed, should it go, depends on when that was.
        let recovery = self.recovery();
        let mut shard = self.shard(socket.number);
        let changed = match joins {
            true => shard.rooms.join(socket.number, room),
            false => shard.rooms.leave(socket.number, room),
        };
        if let (true, Some(recovery), Membership::Member(stay)) = (changed, &recovery, &mut *socket.membership()) {
            recovery.moved(stay, room, joins);
        }
        // Data that is forgotten with the lock of the memory may be the application's.
        drop(shard);
        changed
    }

    pub(super) fn rooms_of(&self, socket: &Arc<SocketCore>) -> Vec<Str> {
        let shard = self.shard(socket.number);
        match &*socket.membership() {
            Membership::Member(_) => shard.rooms.rooms_of(socket.number).cloned().collect(),
            Membership::Waiting(rooms) | Membership::Gone(rooms) => rooms.clone(),
        }
    }

    /// Everybody who is meant, in the order in which they came.
    pub(super) fn select(&self, selection: &Selection) -> Vec<Arc<SocketCore>> {
        let mut selected = Vec::new();
        for shard in &self.shards {
            let shard = Self::lock(shard);
            let numbers = shard.rooms.select(selection);
            selected.extend(numbers.filter_map(|number| shard.sockets.get(&number).cloned()));
        }
        selected.sort_unstable_by_key(|socket| socket.number);
        selected
    }

    pub(super) fn socket(&self, id: &str) -> Option<Arc<SocketCore>> {
        self.shards.iter().find_map(|shard| {
            let shard = Self::lock(shard);
            let number = shard.rooms.socket(id)?;
            shard.sockets.get(&number).cloned()
        })
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| Self::lock(shard).rooms.len()).sum()
    }

    /// Everybody leaves a room.
    pub(super) fn close_room(&self, room: &str) -> usize {
        if self.recovery.is_some() {
            let members = self.select(&Selection::all().to(room));
            return members
                .iter()
                .filter(|member| self.change_room(member, room, false))
                .count();
        }
        self.shards
            .iter()
            .map(|shard| Self::lock(shard).rooms.close(room))
            .sum()
    }

    /// The names of all rooms, each once.
    pub(super) fn rooms(&self) -> Vec<Str> {
        let mut names: Vec<Str> = Vec::new();
        for shard in &self.shards {
            names.extend(Self::lock(shard).rooms.room_names().cloned());
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A namespace: its handlers, and everybody who is in it. A cheap clone.
///
/// `D` is what its connect handler returns for each client, and its handlers find in [`Socket::data`].
///
/// Handlers of one client start in the order of its events and run concurrently, so that one which awaits an answer of its
/// own client does not wait for itself. How many may run at once is [`Builder::concurrency`](super::Builder::concurrency).
/// A panic in one ends that client's connection and nothing else. One that never returns keeps its place, and what it
/// holds, until the server ends: also when its client is gone, which [`Socket::is_connected`] tells. A shutdown waits for
/// handlers as long as it has patience, and drops them then.
pub struct Namespace<D = ()> {
    core: Arc<NamespaceCore>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Namespace<D> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            data: PhantomData,
        }
    }
}

impl<D> fmt::Debug for Namespace<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.core.name)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Asks this handler about each client that wants to join. `Ok` is the socket's data, `Err` what the client is told
    /// instead. The handlers that are set on what this returns are given that data.
    ///
    /// It is async, and may ask a database: the client waits meanwhile, for
    /// [`connect_timeout`](crate::socketio::server::Config::connect_timeout) at most. A panic in it refuses the client.
    pub fn on_connect<D, F, Fut>(&self, connect: F) -> Namespace<D>
    where
        D: Send + Sync + 'static,
        F: Fn(ConnectRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<D, Refused>> + Send + 'static,
    {
        let former = self.core.handlers.change(|table| {
            table.connect.replace(Arc::new(move |request| {
                let asked = connect(request);
                Box::pin(async move {
                    let data = asked.await?;
                    Ok(Arc::new(data) as AnyData)
                })
            }))
        });
        drop(former);
        Namespace::of(self.core.clone())
    }
}

impl<D: Send + Sync + 'static> Namespace<D> {
    /// Asks this function too about each client that wants to join: all of them in the order in which they were added, then
    /// the [connect handler](Namespace::on_connect). The first to refuse is the last that is asked.
    ///
    /// A panic in it refuses the client.
    pub fn middleware<F, Fut>(&self, middleware: F) -> &Self
    where
        F: Fn(ConnectRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        self.core.handlers.change(|table| {
            table
                .connecting
                .push(Arc::new(move |request| Box::pin(middleware(request))));
        });
        self
    }

    /// Asks this function about each event, before its handler is called: it may let it pass, also with other arguments,
    /// drop it, or refuse it with an error, which the log tells and the client is not. See [`Passage`]. There may be several,
    /// which are asked in the order in which they were added, those of [a single socket](Socket::intercept) last.
    ///
    /// An event that one of them keeps waiting may be overtaken by the next. A panic ends the client's connection.
    pub fn intercept<F, Fut>(&self, interceptor: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Passage> + Send + 'static,
    {
        self.core
            .handlers
            .change(|table| table.interceptors.push(intercepting(interceptor)));
        self
    }

    /// Shows this function every event that is sent to a client, once for each that it is sent to. It runs in whoever sends,
    /// and must neither block nor take long; acknowledgements are not shown. It replaces the one before.
    pub fn on_any_outgoing<F>(&self, shows: F) -> &Self
    where
        F: Fn(&Socket<D>, &str, &Args) + Send + Sync + 'static,
    {
        let former = self.core.handlers.change(|table| {
            table.outgoing.replace(Arc::new(move |socket, name, args| {
                if let Some(socket) = Socket::typed(socket) {
                    shows(&socket, name, args);
                }
            }))
        });
        drop(former);
        self
    }

    pub(super) fn of(core: Arc<NamespaceCore>) -> Self {
        Self {
            core,
            data: PhantomData,
        }
    }

    /// The same namespace, for whoever knows its data's type. Handlers that expect another one are not called, which the log
    /// tells.
    pub fn with_data<T: Send + Sync + 'static>(&self) -> Namespace<T> {
        Namespace::of(self.core.clone())
    }

    /// Its name, with the slash. Of namespaces that were given by a function, the handlers have a name which is no one's.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Calls this handler with each event of this name, and answers with what it returns. It replaces the one before.
    ///
    /// The arguments are what the closure says that they are: a tuple for several, one type for one, `()` for none,
    /// [`Args`] for whatever comes; see [`FromArgs`]. Where the client has sent others, the log tells, the handler is not
    /// called, and nothing is acknowledged.
    pub fn on<A, R, F, Fut>(&self, event: &str, handler: F) -> &Self
    where
        F: Fn(Socket<D>, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: Reply,
        A: FromArgs,
    {
        let former = self.core.handlers.change(|table| {
            let handler = move |socket: &Arc<SocketCore>, args: &Args| {
                let socket = Socket::typed(socket).ok_or(Unfit::Data)?;
                let handling = handler(socket, A::from_args(args).map_err(Unfit::Args)?);
                Ok(Box::pin(async move { handling.await.into_reply() }) as _)
            };
            table.events.insert(event.into(), Arc::new(handler))
        });
        drop(former);
        self
    }

    /// Shows this handler every event, before the event's own handler is called. It acknowledges nothing.
    pub fn on_any<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let former = self.core.handlers.change(|table| {
            table.any.replace(Arc::new(move |socket, name, args| {
                let socket = Socket::typed(socket).ok_or(Unfit::Data)?;
                let handling = handler(socket, (**name).into(), args.clone());
                Ok(Box::pin(async move {
                    handling.await.into_result()?;
                    Ok(Args::default())
                }))
            }))
        });
        drop(former);
        self
    }

    /// Calls this handler with each event that has none of its own, and answers with what it returns.
    pub fn on_other<R, F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, String, Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = R> + Send + 'static,
        R: Reply,
    {
        let former = self.core.handlers.change(|table| {
            table.other.replace(Arc::new(move |socket, name, args| {
                let socket = Socket::typed(socket).ok_or(Unfit::Data)?;
                let handling = handler(socket, (**name).into(), args.clone());
                Ok(Box::pin(async move { handling.await.into_reply() }))
            }))
        });
        drop(former);
        self
    }

    /// Calls this handler with each socket that was accepted, before its first event.
    pub fn on_connected<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let former = self.core.handlers.change(|table| {
            table.connected.replace(Arc::new(move |socket| {
                let handling = handler(Socket::typed(socket)?);
                Some(Box::pin(
                    async move { handling.await.into_result().map_err(BoxError::from) },
                ))
            }))
        });
        drop(former);
        self
    }

    /// Calls this handler when a socket that was accepted is gone: once, and after its last event. Its rooms are still
    /// known.
    pub fn on_disconnect<F, Fut>(&self, handler: F) -> &Self
    where
        F: Fn(Socket<D>, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let former = self.core.handlers.change(|table| {
            table.disconnect.replace(Arc::new(move |socket, reason| {
                let handling = handler(Socket::typed(socket)?, reason);
                Some(Box::pin(
                    async move { handling.await.into_result().map_err(BoxError::from) },
                ))
            }))
        });
        drop(former);
        self
    }

    /// Everybody in it.
    pub fn all(&self) -> Broadcast<D> {
        Broadcast::new(self.core.clone())
    }

    /// Whoever is in a room.
    pub fn to(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.all().to(room)
    }

    /// The same: for what is done with all of them, such as [`join`](Broadcast::join).
    pub fn in_room(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.to(room)
    }

    /// Everybody in it, on this server and no other. There are no others yet: see [`Broadcast::local`].
    pub fn local(&self) -> Broadcast<D> {
        self.all().local()
    }

    /// Everybody in it whose transport takes an event at once.
    pub fn volatile(&self) -> Broadcast<D> {
        self.all().volatile()
    }

    /// Everybody leaves a room, but for a socket whose id it is. Says how many did.
    pub fn close_room(&self, room: impl AsRef<str>) -> usize {
        self.core.close_room(room.as_ref())
    }

    /// Everybody who is not in a room.
    pub fn except(&self, room: impl AsRef<str>) -> Broadcast<D> {
        self.all().except(room)
    }

    /// Emits an event to everybody in it: see [`Broadcast::emit`].
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        self.all().emit(event, args)
    }

    /// Emits an event to everybody in it and waits for all acknowledgements: see [`Broadcast::call_all`].
    pub fn call_all<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> CallAll<T, D> {
        self.all().call_all(event, args)
    }

    /// Everybody in it, in the order in which they came.
    pub fn sockets(&self) -> Vec<Socket<D>> {
        self.all().sockets()
    }

    /// The socket of this id.
    pub fn socket(&self, id: &str) -> Option<Socket<D>> {
        self.core.socket(id).and_then(Socket::new)
    }

    /// How many sockets are in it.
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of all rooms that somebody is in, those of the sockets' ids included.
    pub fn rooms(&self) -> Vec<Str> {
        self.core.rooms()
    }
}
