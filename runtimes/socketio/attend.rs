//! The task of one connection: takes what the client sends, and runs the handlers.

use core::future::{Future, poll_fn};
use core::task::{Context, Poll};
use std::boxed::Box;
use std::collections::VecDeque;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec::Vec;

use super::connecting::ConnectRequest;
use super::handlers::{AnyData, BoxError, OnAny, OnConnected, OnEvent, OnIntercept, Unfit};
use super::link::Link;
use super::namespace::NamespaceCore;
use super::refused::Refused;
use super::registry::Registry;
use super::socket::{Membership, SocketCore};
use crate::engineio::{CloseReason, Data, Str};
use crate::http::Request;
use crate::runtime::app::{BoxFuture, Panicked, contained};
use crate::runtime::engineio::Socket as EngineSocket;
use crate::runtime::leaving::says_gone;
use crate::runtime::log::{Line, cut, log, prefix};
use crate::socketio::server::{DisconnectReason, Event, INVALID_NAMESPACE};
use crate::socketio::{AckError, AckToken, Args, Json, Key, Stay, recovery_request};
use crate::wire::CellAlarm;

/// After how many messages others run.
const MESSAGES: usize = 64;

/// How much may wait for a handler before no more is received. Bytes.
const WINDOW: usize = 65_536;

/// What an event costs beside its arguments while it waits.
const EVENT_OVERHEAD: usize = 128;

/// What is to be done, in its turn.
enum Item {
    Connect {
        key: Key,
        namespace: Str,
        auth: Option<Json>,
    },
    Event {
        socket: Arc<SocketCore>,
        name: Str,
        args: Args,
        ack: Option<AckToken>,
    },
    Disconnect {
        socket: Arc<SocketCore>,
        reason: DisconnectReason,
    },
}

impl Item {
    fn cost(&self) -> usize {
        EVENT_OVERHEAD
            + match self {
                Self::Connect { namespace, auth, .. } => {
                    namespace.len() + auth.as_ref().map_or(0, |json| json.as_str().len())
                }
                Self::Event { name, args, .. } => {
                    let attached = args.attachments().iter().map(|bytes| bytes.len()).sum::<usize>();
                    name.len() + args.elements().len() + attached
                }
                Self::Disconnect { .. } => 0,
            }
    }
}

/// One connection, seen by its task.
struct Attendant<D> {
    registry: Arc<Registry>,
    socket: EngineSocket<D>,
    link: Arc<Link>,
    pending: VecDeque<Item>,
    pending_cost: usize,
    running: Vec<BoxFuture<()>>,
    /// A message for which the session has no room, and where it waits for it.
    stuck: Option<Data>,
    place: Option<u64>,
    alarm: Option<CellAlarm>,
    /// The session is over.
    ended: bool,
}

/// Runs Socket.IO on one Engine.IO session, to its end and that of all handlers.
pub(super) async fn attend<D>(registry: Arc<Registry>, socket: EngineSocket<D>, request: Option<Arc<Request>>) {
    let link = Link::new(socket.cell().clone(), registry.config.clone(), request);
    registry.connections.fetch_add(1, Ordering::Relaxed);
    let mut attendant = Attendant {
        registry,
        socket,
        link: Arc::new(link),
        pending: VecDeque::new(),
        pending_cost: 0,
        running: Vec::new(),
        stuck: None,
        place: None,
        alarm: None,
        ended: false,
    };
    poll_fn(move |cx| attendant.poll(cx)).await;
}

impl<D> Attendant<D> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.look_at_clock();
            self.unstick(cx);
            let received = self.receive(cx);
            self.take_events();
            self.run(cx);
            if self.ended && self.pending.is_empty() && self.running.is_empty() {
                return Poll::Ready(());
            }
            match received {
                // Others want to run too.
                Received::Much => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // Handlers may have made room since, or the session has ended.
                Received::NotAsked if self.wants_input() => continue,
                Received::NotAsked if !self.ended && self.link.cell.poll_closed(cx).is_ready() => continue,
                Received::NotAsked | Received::All => {}
            }
            let may_start = !self.pending.is_empty() && self.running.len() < self.registry.concurrency;
            if !may_start && self.link.park(cx.waker(), self.stuck.is_some(), &mut self.alarm) {
                return Poll::Pending;
            }
        }
    }

    fn look_at_clock(&mut self) {
        let now = self.link.cell.now();
        let deadline = self.link.look(|state| state.machine.poll_timeout());
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.link.with(|state, _, now| state.machine.handle_timeout(now));
        }
    }

    /// Goes on with what the session had no room for.
    fn unstick(&mut self, cx: &mut Context<'_>) {
        loop {
            if self.stuck.is_none() {
                self.stuck = self.link.take_stuck();
            }
            if self.stuck.is_none() {
                return;
            }
            // Where the session is over, nothing can be sent, and the session tells of it.
            match self.link.cell.poll_send(cx, &mut self.stuck, &mut self.place) {
                Poll::Pending => return,
                Poll::Ready(_) => {
                    self.stuck = None;
                    self.link.resume();
                }
            }
        }
    }

    /// Once the session is over, what it still has is taken whatever waits here: it is no more than its window, and those
    /// who wait for an answer of this client should learn of the end behind it.
    fn wants_input(&self) -> bool {
        let room = || self.pending_cost < WINDOW && self.link.look(|state| state.machine.wants_input());
        !self.ended && (room() || self.socket.closed().is_some())
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Received {
        for _ in 0..MESSAGES {
            if !self.wants_input() {
                return Received::NotAsked;
            }
            match self.socket.poll_recv(cx) {
                Poll::Pending => return Received::All,
                Poll::Ready(Some(data)) => {
                    let handled = self.link.with(|state, _, now| state.machine.handle_data(now, data));
                    if let Err(violation) = handled {
                        log!(debug, "socketio::server", violation = %Line(violation), "the client broke the protocol");
                    }
                    self.take_events();
                    self.start(cx);
                }
                Poll::Ready(None) => {
                    self.ended = true;
                    let reason = self.reason();
                    self.link.with(|state, _, _| state.machine.handle_closed(reason));
                }
            }
        }
        Received::Much
    }

    fn reason(&self) -> DisconnectReason {
        match self.socket.closed().map(|closed| closed.reason) {
            Some(CloseReason::ServerDisconnect) | None if self.registry.is_closing() => {
                DisconnectReason::ServerShuttingDown
            }
            Some(reason) => reason.into(),
            None => DisconnectReason::ForcedClose,
        }
    }

    fn take_events(&mut self) {
        while let Some((event, socket)) = self.link.take_event() {
            let item = match (event, socket) {
                (Event::Connect { key, namespace, auth }, _) => Item::Connect { key, namespace, auth },
                (Event::Event { name, args, ack, .. }, Some(socket)) => Item::Event {
                    socket,
                    name,
                    args,
                    ack,
                },
                (Event::Disconnect { reason, .. }, Some(socket)) => {
                    socket.namespace.remove(&socket, Some(reason));
                    let words = reason.as_str();
                    socket
                        .scope
                        .run(|| log!(info, "socketio::server", reason = words, "socket disconnected"));
                    Item::Disconnect { socket, reason }
                }
                // At once: the handlers that wait for these are those which keep others from being started.
                (Event::Ack { key, id, result }, _) => {
                    self.link.answer(key, id, result);
                    continue;
                }
                (Event::Event { .. } | Event::Disconnect { .. }, None) => continue,
            };
            self.pending_cost += item.cost();
            self.pending.push_back(item);
        }
    }

    /// Starts handlers in their order, as many as may run at once. Most are over when they are polled for the first time.
    fn start(&mut self, cx: &mut Context<'_>) {
        while self.running.len() < self.registry.concurrency {
            let Some(item) = self.pending.pop_front() else {
                if self.pending.capacity() > MESSAGES {
                    self.pending = VecDeque::new();
                }
                return;
            };
            self.pending_cost -= item.cost();
            let Some(mut future) = self.handle(item) else {
                continue;
            };
            if future.as_mut().poll(cx).is_pending() {
                self.running.push(future);
            }
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) {
        self.running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        self.start(cx);
    }

    fn handle(&self, item: Item) -> Option<BoxFuture<()>> {
        match item {
            Item::Connect { key, namespace, auth } => {
                let (registry, link) = (self.registry.clone(), self.link.clone());
                Some(Box::pin(connect(registry, link, key, namespace, auth)))
            }
            Item::Event {
                socket,
                name,
                args,
                ack,
            } => {
                let (any, mut interceptors, handler) = socket.namespace.handlers.look(|table| {
                    let handler = match table.events.get(&name[..]) {
                        Some(handler) => Some(Handler::Event(handler.clone())),
                        None => table.other.clone().map(Handler::Other),
                    };
                    (table.any.clone(), table.interceptors.clone(), handler)
                });
                interceptors.extend_from_slice(&socket.interceptors());
                if any.is_none() && interceptors.is_empty() && handler.is_none() {
                    return None;
                }
                let scope = socket.scope.clone();
                Some(Box::pin(scope.around(event(
                    socket,
                    name,
                    args,
                    ack,
                    any,
                    interceptors,
                    handler,
                ))))
            }
            Item::Disconnect { socket, reason } => {
                let handler = socket.namespace.handlers.look(|table| table.disconnect.clone())?;
                let scope = socket.scope.clone();
                Some(Box::pin(scope.around(async move {
                    let told = guarded(&socket.link, async {
                        match handler(&socket, reason) {
                            Some(handling) => handling.await,
                            None => Ok(()),
                        }
                    });
                    if let Ok(Err(error)) = told.await {
                        report(&socket, "disconnect", &error);
                    }
                })))
            }
        }
    }
}

enum Received {
    /// Everything that there is.
    All,
    /// There may be more.
    Much,
    /// No more is wanted at the moment.
    NotAsked,
}

enum Handler {
    Event(Arc<OnEvent>),
    Other(Arc<OnAny>),
}

impl<D> Drop for Attendant<D> {
    fn drop(&mut self) {
        self.registry.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(place) = self.place {
            self.link.cell.give_up_sending(place);
        }
        // Where it came to its end this finds nothing. Where it was cut off, nobody is told, but nothing is left behind.
        let reason = DisconnectReason::ServerShuttingDown;
        self.link.with(|state, _, _| state.machine.handle_closed(reason));
        while let Some((event, socket)) = self.link.take_event() {
            if let Event::Ack { key, id, .. } = event {
                self.link.answer(key, id, Err(AckError::Disconnected));
            }
            if let Some(socket) = socket {
                socket.namespace.remove(&socket, None);
            }
        }
        for socket in self.link.take_sockets() {
            socket.namespace.remove(&socket, None);
        }
    }
}

/// A socket that is not let in leaves nothing behind, whatever became of its connect handler.
struct Candidate(Option<Arc<SocketCore>>);

impl Drop for Candidate {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.namespace.remove(&socket, None);
        }
    }
}

/// Lets a client that comes back in at once, with its state, and says whether it is still there. `None` where nothing is kept
/// of it.
fn recover(
    link: &Arc<Link>,
    key: Key,
    namespace: &Arc<NamespaceCore>,
    pid: &str,
    offset: &str,
) -> Option<(Arc<SocketCore>, bool)> {
    let mut recovery = namespace.recovery()?;
    let back = recovery.restore(link.cell.now(), pid, offset)?;
    if !link.takes_at_once(&back.missed) {
        return None;
    }
    let socket = SocketCore::new(back.sid, namespace.clone(), link.clone(), key, back.rooms);
    // Nobody else has set these.
    let _first = back.data.take().map(|data| socket.data.set(data));
    let _first = socket.pid.set(pid.into());
    socket.recovered.store(true, Ordering::Relaxed);
    let accepted = link.with(|state, _, _| {
        // Whoever finds it there, and throws it out, comes behind its being accepted.
        namespace.insert(&socket, back.stay);
        let accepted = state.machine.accept_back(key, &socket.id, Some(pid), back.missed);
        if accepted {
            state.sockets.push(socket.clone());
        }
        accepted
    });
    drop(recovery);
    if !accepted {
        // It is gone again already, and may come back once more.
        namespace.remove(&socket, Some(DisconnectReason::TransportClose));
    }
    Some((socket, accepted))
}

/// What was kept of a client that comes back, while it is asked about.
struct Returning {
    pid: Str,
    offset: String,
    rooms: Vec<Str>,
    stay: Stay,
}

/// What became of a client that was asked about.
enum Entry {
    In,
    /// It is gone.
    Gone,
    /// What it has missed is not kept any more, or too much to be sent: it is somebody new.
    Unrecoverable,
}

/// Lets a client in that was asked about.
fn let_in(registry: &Registry, socket: &Arc<SocketCore>, returning: Option<Returning>) -> Entry {
    let namespace = &socket.namespace;
    let recovery = namespace.recovery();
    let begin_stay = || recovery.as_ref().map(|recovery| recovery.begin_stay());
    let (pid, mut stay, missed) = match (returning, &recovery) {
        (Some(returning), Some(recovery)) => {
            let Returning {
                pid,
                offset,
                rooms,
                mut stay,
            } = returning;
            let missed = recovery.missed(&socket.id, &rooms, &stay, &offset);
            let Some(missed) = missed.filter(|missed| socket.link.takes_at_once(missed)) else {
                return Entry::Unrecoverable;
            };
            if let Membership::Waiting(joined) = &mut *socket.membership() {
                joined.retain(|room| !rooms.contains(room));
                for room in joined.iter() {
                    recovery.moved(&mut stay, room, true);
                }
                joined.splice(0..0, rooms);
            }
            (Some(pid), Some(stay), missed)
        }
        _ => (recovery.as_ref().map(|_| registry.new_id()), begin_stay(), Vec::new()),
    };
    if let Some(pid) = &pid {
        // Nobody else has set it.
        let _first = socket.pid.set(pid.clone());
    }
    let accepted = socket.link.with(|state, _, _| {
        // It is in its rooms when the client hears of it: what is sent to them from now on is for it too. Whoever finds it
        // there, and throws it out, comes behind its being accepted.
        namespace.insert(socket, stay.take().unwrap_or_default());
        let accepted = state
            .machine
            .accept_back(socket.key, &socket.id, pid.as_deref(), missed);
        if accepted {
            state.sockets.push(socket.clone());
        }
        accepted
    });
    match accepted {
        true => Entry::In,
        false => Entry::Gone,
    }
}

/// Asks the connect handler about a client, and tells the client its answer.
async fn connect(registry: Arc<Registry>, link: Arc<Link>, key: Key, name: Str, auth: Option<Json>) {
    // A function that says which namespaces there are is the application's.
    let entered = guarded(&link, async { registry.enter(&name) }).await;
    let Some(namespace) = entered.ok().flatten() else {
        log!(debug, "socketio::server", namespace = ?Line(&name), "a client asked for a namespace that does not exist");
        link.with(|state, _, _| state.machine.refuse(key, INVALID_NAMESPACE, None));
        return;
    };
    let (asks, ask, connected) = namespace
        .handlers
        .look(|table| (table.connecting.clone(), table.connect.clone(), table.connected.clone()));
    registry.note_time(link.cell.now());
    let shown = match &auth {
        Some(auth) if namespace.recovery.is_some() => recovery_request(auth),
        _ => None,
    };
    let mut kept = None;
    if let Some((pid, offset)) = shown {
        if registry.skips_middleware {
            if let Some((socket, accepted)) = recover(&link, key, &namespace, &pid, &offset) {
                // Of one that is gone again nobody would be told the end.
                if accepted {
                    tell_connected(&socket, connected).await;
                }
                return;
            }
        } else {
            let now = link.cell.now();
            let restored = namespace
                .recovery()
                .and_then(|mut recovery| recovery.restore(now, &pid, &offset));
            kept = restored.map(|restored| {
                let returning = Returning {
                    pid: pid.as_str().into(),
                    offset,
                    rooms: restored.rooms,
                    stay: restored.stay,
                };
                (restored.sid, returning)
            });
        }
    }
    let (id, returning) = match kept {
        Some((id, returning)) => (id, Some(returning)),
        None => (registry.new_id(), None),
    };
    let socket = SocketCore::new(id, namespace, link.clone(), key, Vec::new());
    socket.recovered.store(returning.is_some(), Ordering::Relaxed);
    let mut candidate = Candidate(Some(socket.clone()));
    let request = ConnectRequest {
        socket: socket.clone(),
        auth: auth.clone(),
    };
    let decided = guarded(&link, async move {
        for ask in asks {
            ask(request.clone()).await?;
        }
        match ask {
            Some(ask) => ask(request).await,
            None => Ok(Arc::new(()) as AnyData),
        }
    });
    let decided = socket
        .scope
        .around(decided)
        .await
        .unwrap_or_else(|_| Err(Refused::new("internal error")));
    let data = match decided {
        Ok(data) => data,
        Err(Refused { message, data }) => {
            log!(info, "socketio::server", namespace = ?cut(&name), reason = %Line(&message), "socket refused by the application");
            link.with(|state, _, _| state.machine.refuse(key, &message, data.as_ref()));
            return;
        }
    };
    // Nobody else has set it.
    let _first = socket.data.set(data);
    match let_in(&registry, &socket, returning) {
        Entry::In => {
            candidate.0 = None;
            tell_connected(&socket, connected).await;
        }
        Entry::Gone => {}
        Entry::Unrecoverable => {
            drop(candidate);
            // Nothing is kept of it any more.
            Box::pin(connect(registry, link, key, name, auth)).await;
        }
    }
}

async fn tell_connected(socket: &Arc<SocketCore>, connected: Option<Arc<OnConnected>>) {
    let recovered = socket.recovered.load(Ordering::Relaxed);
    socket
        .scope
        .run(|| log!(info, "socketio::server", recovered = recovered, "socket connected"));
    let Some(connected) = connected else { return };
    let told = guarded(&socket.link, async {
        match connected(socket) {
            Some(handling) => handling.await,
            None => Ok(()),
        }
    });
    match socket.scope.around(told).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => socket.scope.run(|| report(socket, "connected", &error)),
        Err(_panicked) => socket.link.with(|state, _, now| state.machine.close(now)),
    }
}

/// Runs the handlers of one event, and acknowledges it.
async fn event(
    socket: Arc<SocketCore>,
    name: Str,
    mut args: Args,
    ack: Option<AckToken>,
    any: Option<Arc<OnAny>>,
    interceptors: Vec<Arc<OnIntercept>>,
    handler: Option<Handler>,
) {
    if let Some(any) = any {
        let seen = run(&socket, &name, async { call(any(&socket, &name, &args)).await });
        if seen.await.is_none() && !socket.link.look(|state| state.machine.is_connected(socket.key)) {
            return;
        }
    }
    for interceptor in interceptors {
        let passing = run(&socket, &name, async { call(interceptor(&socket, &name, &args)).await });
        match passing.await {
            Some(Some(passed)) => args = passed,
            Some(None) | None => return,
        }
        // It may have thrown the client out.
        if !socket.link.look(|state| state.machine.is_connected(socket.key)) {
            return;
        }
    }
    let Some(handler) = handler else { return };
    let handling = run(&socket, &name, async {
        call(match handler {
            Handler::Event(handler) => handler(&socket, &args),
            Handler::Other(handler) => handler(&socket, &name, &args),
        })
        .await
    });
    let Some(reply) = handling.await else { return };
    if let Some(ack) = ack {
        let mut ack = Some((ack, reply));
        poll_fn(|cx| socket.link.poll_ack(cx, &mut ack)).await;
    }
}

async fn call<T>(handling: Result<BoxFuture<Result<T, BoxError>>, Unfit>) -> Result<Result<T, BoxError>, Unfit> {
    Ok(handling?.await)
}

/// Runs code of the application's; a panic in it is counted, and ends nothing else.
async fn guarded<T>(link: &Link, handling: impl Future<Output = T>) -> Result<T, Panicked> {
    let handled = contained(handling).await;
    if handled.is_err() {
        link.cell.count_panic();
    }
    handled
}

/// Tells the log of a handler's error, and counts it.
fn report(socket: &SocketCore, handler: &str, error: &BoxError) {
    let id = prefix(&socket.id);
    if says_gone(&**error) {
        log!(
            debug,
            "handlers",
            id = id,
            "the {handler} handler has ended: {}",
            Line(error)
        );
        return;
    }
    socket.link.cell.count_error();
    // Lines that somebody must see to name their socket themselves: its span is for those who want to see more.
    log!(
        warn,
        "handlers",
        namespace = ?cut(&socket.namespace.name),
        id = id,
        error = %Line(error),
        "the {handler} handler returned an error"
    );
}

/// What a handler answers; `None` where that is nothing, which the log knows the reason of.
async fn run<T>(
    socket: &Arc<SocketCore>,
    name: &str,
    handling: impl Future<Output = Result<Result<T, BoxError>, Unfit>>,
) -> Option<T> {
    let id = prefix(&socket.id);
    match guarded(&socket.link, handling).await {
        Ok(Ok(Ok(reply))) => return Some(reply),
        Ok(Ok(Err(error))) => report(socket, &std::format!("{:?}", Line(name)), &error),
        Ok(Err(Unfit::Args(error))) => match socket.namespace.meet_unfit() {
            Some(more_since) => log!(
                warn,
                "handlers",
                namespace = ?cut(&socket.namespace.name),
                id = id,
                error = %Line(error),
                more_since = more_since,
                "{:?} came with arguments that its handler does not take",
                Line(name)
            ),
            None => log!(
                debug,
                "handlers",
                id = id,
                error = %Line(error),
                "{:?} came with arguments that its handler does not take",
                Line(name)
            ),
        },
        Ok(Err(Unfit::Data)) => log!(
            error,
            "handlers",
            namespace = ?cut(&socket.namespace.name),
            id = id,
            "the handler of {:?} is for sockets with other data",
            Line(name)
        ),
        Err(_panicked) => socket.link.with(|state, _, now| state.machine.close(now)),
    }
    None
}
