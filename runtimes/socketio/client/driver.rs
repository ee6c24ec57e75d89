//! The driver of a client: Engine.IO sessions one after the other, and the machine above them.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, VecDeque};
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::handlers::{Handlers, OnAuth, start};
use super::shared::Shared;
use super::{ClientEvent, ClientSocket, ConnectFailed, DisconnectReason, Refused};
use crate::Backoff;
use crate::engineio::{CloseReason, Closed, Data, Transport};
use crate::error::SendError;
use crate::runtime::Runtime;
use crate::runtime::app::BoxFuture;
use crate::runtime::engineio as engine;
use crate::runtime::engineio::{Parts, TrySendError};
use crate::runtime::log::{Line, Scope, log, prefix};
use crate::socketio::client::{Event, Returned, Violation};
use crate::socketio::{AckError, Assembler, Body, EmitError, Key, Limits, Parser, Transmit};
use crate::time::Instant;
use crate::wire::Entropy;
use crate::wire::client::{ConnectError, Cookies};

/// After how many turns a client lets others run.
const TURNS: usize = 32;

/// How many messages are taken in a turn.
const MESSAGES: usize = 64;

/// What a client is made of.
pub(super) struct Plan<R> {
    pub(super) runtime: R,
    pub(super) parts: Parts<R>,
    pub(super) backoff: Option<Backoff>,
    pub(super) timeout: Duration,
    pub(super) parser: &'static dyn Parser,
    pub(super) handlers: Handlers,
    pub(super) auth: Option<OnAuth>,
    /// Somebody takes events; handlers are not called.
    pub(super) streams: bool,
}

/// The task of one client.
pub(super) struct Driver<R: Runtime> {
    plan: Plan<R>,
    shared: Arc<Shared>,
    entropy: Entropy,
    phase: Phase<R>,
    cookies: Cookies,
    /// Until when the present attempt must have come to something.
    attempt_ends: Option<Instant>,
    /// Whether the present session is, or was, open.
    opened: bool,
    /// Whether any socket was let in on it.
    joined: bool,
    /// Why we end a session that the application does not want to end.
    ending: Option<Ending>,
    /// How the session ended.
    ended: Option<Ended>,
    /// How many attempts have failed in a row.
    failures: u32,
    /// The sockets that were let in on it, also those that have left since, by their namespaces.
    known: BTreeMap<String, Key>,
    /// The rest of a packet whose beginning the session has.
    outgoing: VecDeque<Data>,
    /// A message that waits for room in the session.
    sending: Option<BoxFuture<Result<(), SendError>>>,
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
    scope: Scope,
}

enum Phase<R> {
    /// The next session begins then.
    Waiting(Instant),
    Session(engine::Client<R>),
    Over,
}

enum Ending {
    Violation(Violation),
    NoAnswer,
}

enum Ended {
    Closed(CloseReason),
    Failed,
}

// Nothing in it is pinned but what is in boxes.
impl<R: Runtime> Unpin for Driver<R> {}

impl<R: Runtime> Driver<R> {
    pub(super) fn new(plan: Plan<R>, shared: Arc<Shared>) -> Self {
        Self {
            scope: shared.scope.clone(),
            entropy: plan.parts.entropy(),
            phase: Phase::Waiting(plan.runtime.now()),
            plan,
            shared,
            cookies: Cookies::default(),
            attempt_ends: None,
            opened: false,
            joined: false,
            ending: None,
            ended: None,
            failures: 0,
            known: BTreeMap::new(),
            outgoing: VecDeque::new(),
            sending: None,
            sleep: None,
        }
    }

    /// Everything once; whether anything has happened.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.plan.runtime.now();
        let mut busy = self.begin_or_leave(now);
        busy |= self.handle_timeouts(now);
        busy |= self.take_engine_events(cx);
        busy |= self.dispatch();
        busy |= self.transmit(cx);
        busy
    }

    // ---- sessions ----

    fn begin_or_leave(&mut self, now: Instant) -> bool {
        let (leaving, aborting) = {
            let mut state = self.shared.lock();
            (state.leaving, mem::take(&mut state.aborting))
        };
        match &self.phase {
            Phase::Waiting(_) if leaving => {
                self.finish();
                true
            }
            // One that is behind could not take the answers in either.
            Phase::Waiting(begins) if *begins <= now && !self.shared.is_behind() => {
                self.attempt_ends = Some(now + self.plan.timeout);
                (self.opened, self.joined) = (false, false);
                self.known.clear();
                (self.ending, self.ended) = (None, None);
                self.phase = Phase::Session(self.plan.parts.start(mem::take(&mut self.cookies)));
                true
            }
            Phase::Session(client) if aborting => {
                client.abort();
                true
            }
            Phase::Session(client) if leaving && !self.opened && self.attempt_ends.is_some() => {
                // There is nobody yet to say goodbye to.
                client.begin_close();
                self.attempt_ends = None;
                true
            }
            _ => false,
        }
    }

    fn handle_timeouts(&mut self, now: Instant) -> bool {
        let due = {
            let mut state = self.shared.lock();
            let due = state.machine.poll_timeout().is_some_and(|deadline| deadline <= now);
            if due {
                state.machine.handle_timeout(now);
            }
            due
        };
        if due {
            self.dispatch();
        }
        if self.attempt_ends.is_none_or(|ends| now < ends) {
            return due;
        }
        // A session that is not open yet has the same deadline of its own.
        if !self.opened {
            return due;
        }
        self.attempt_ends = None;
        if self.joined {
            for key in self.missing() {
                self.give_up(key);
            }
        } else if let Phase::Session(client) = &self.phase {
            self.ending = Some(Ending::NoAnswer);
            client.abort();
        }
        true
    }

    /// The sockets that were not let in.
    fn missing(&self) -> Vec<Key> {
        let state = self.shared.lock();
        let keys = state.machine.sockets().map(|(key, _)| key);
        keys.filter(|&key| !state.machine.is_connected(key)).collect()
    }

    /// The server has not answered this one.
    fn give_up(&mut self, key: Key) {
        let socket = self.shared.socket(key);
        let failure = ConnectFailed::TimedOut(socket.namespace().to_string(), self.plan.timeout);
        self.tell(ClientEvent::ConnectTimeout { socket });
        self.fail(failure);
        let mut state = self.shared.lock();
        state.machine.disconnect(key);
        let alone = state.machine.sockets().next().is_none();
        state.leaving |= alone;
    }

    fn take_engine_events(&mut self, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        for _ in 0..MESSAGES {
            let Phase::Session(client) = &mut self.phase else {
                return busy;
            };
            // Where the session is over, no room is made by sending: what it still has, and its end, are taken all the same.
            if client.closed().is_none() && (self.shared.is_behind() || !self.shared.lock().machine.wants_input()) {
                return busy;
            }
            let Poll::Ready(event) = client.poll_event(cx) else {
                return busy;
            };
            busy = true;
            match event {
                Some(event) => self.handle_engine_event(event),
                None => self.settle(),
            }
        }
        busy
    }

    fn handle_engine_event(&mut self, event: engine::ClientEvent) {
        let now = self.plan.runtime.now();
        match event {
            engine::ClientEvent::Opened { transport, sid } => {
                self.opened = true;
                self.tell(ClientEvent::Opened { transport, sid });
                let max_payload = self.session().and_then(|client| client.max_payload());
                let protocol = self.session().and_then(|client| client.websocket_protocol());
                let leaving = {
                    let mut state = self.shared.lock();
                    state.transport = Some(transport);
                    state.protocol = protocol;
                    state.max_payload = max_payload;
                    state.machine.handle_opened(now);
                    state.leaving
                };
                // It opened in the same moment.
                if let Some(client) = self.session().filter(|_| leaving) {
                    client.begin_close();
                }
            }
            engine::ClientEvent::Message(data) => {
                let handled = self.shared.lock().machine.handle_data(now, data);
                if let Err(violation) = handled {
                    log!(debug, "socketio::client", violation = %Line(&violation), "the server broke the protocol");
                    self.ending = Some(Ending::Violation(violation));
                }
            }
            engine::ClientEvent::Upgraded => {
                let protocol = self.session().and_then(|client| client.websocket_protocol());
                {
                    let mut state = self.shared.lock();
                    state.transport = Some(Transport::WebSocket);
                    state.protocol = protocol;
                }
                self.dispatch();
                self.tell(ClientEvent::Upgraded);
            }
            engine::ClientEvent::UpgradeFailed(error) => {
                self.dispatch();
                self.tell(ClientEvent::UpgradeFailed(error));
            }
            engine::ClientEvent::TooLarge(data) => self.give_back(&mut [data].into(), true),
            engine::ClientEvent::Closed { closed, error } => self.handle_closed(closed, error),
            engine::ClientEvent::Failed(error) => {
                let error = Arc::new(error);
                self.ended = Some(Ended::Failed);
                self.shared
                    .lock()
                    .machine
                    .handle_closed(DisconnectReason::TransportError);
                self.tell(ClientEvent::Failed(error.clone()));
                self.fail(ConnectFailed::Connection(error));
            }
            // With reconnection, which is ours and not the session's.
            engine::ClientEvent::Reconnecting { .. } => {}
        }
    }

    fn session(&self) -> Option<&engine::Client<R>> {
        match &self.phase {
            Phase::Session(client) => Some(client),
            Phase::Waiting(_) | Phase::Over => None,
        }
    }

    fn handle_closed(&mut self, closed: Closed, error: Option<ConnectError>) {
        // What came before it is told before it.
        self.dispatch();
        let (reason, error) = match &self.ending {
            Some(Ending::Violation(violation)) => (CloseReason::ParseError, Some((*violation).into())),
            Some(Ending::NoAnswer) => {
                let words = "the server has not answered the CONNECT in time";
                (closed.reason, Some(ConnectError::Timeout(words)))
            }
            None => (closed.reason, error),
        };
        let error = match error {
            // It ended in order, and too early.
            None if !self.joined && reason != CloseReason::ClientDisconnect => Some(ConnectError::Io {
                doing: "the session ended before the server answered the CONNECT",
                error: std::io::Error::other(reason.as_str()),
            }),
            error => error,
        };
        let error = error.map(Arc::new);
        let transport = self.session().map_or(Transport::Polling, |client| client.transport());
        let mut unsent: VecDeque<Data> = self
            .session()
            .map(|client| client.take_unsent())
            .unwrap_or_default()
            .into();
        unsent.append(&mut self.outgoing);
        self.sending = None;
        self.give_back(&mut unsent, false);
        {
            let mut state = self.shared.lock();
            state.transport = None;
            state.protocol = None;
            state.max_payload = None;
            state.machine.handle_closed(reason.into());
        }
        self.dispatch();
        if let Some(failure) = error.clone().map(ConnectFailed::Connection) {
            if self.joined {
                self.shared.lock().failure = Some(failure);
            } else {
                self.fail(failure);
            }
        }
        self.ended = Some(Ended::Closed(closed.reason));
        self.tell(ClientEvent::Closed {
            reason,
            transport,
            in_doubt: closed.in_doubt,
            error,
        });
    }

    /// The session is over: another one, or none.
    fn settle(&mut self) {
        if let Some(client) = self.session() {
            self.cookies = client.take_cookies();
        }
        self.attempt_ends = None;
        self.outgoing.clear();
        self.sending = None;
        let wanted = {
            let state = self.shared.lock();
            !state.leaving && state.machine.sockets().next().is_some()
        };
        let broke = match self.ended {
            Some(Ended::Failed) => true,
            Some(Ended::Closed(CloseReason::ClientDisconnect)) => self.ending.is_some(),
            None => false,
            // A close packet without a DISCONNECT before it too: a server that is being restarted says no more.
            Some(Ended::Closed(_)) => true,
        };
        let attempt = if self.joined {
            1
        } else {
            self.failures.saturating_add(1)
        };
        let mut random = [0; 8];
        (self.entropy)(&mut random);
        let random = u64::from_le_bytes(random);
        let backoff = self.plan.backoff.as_ref().filter(|_| wanted && broke);
        let Some(delay) = backoff.and_then(|backoff| backoff.delay_before(attempt, random)) else {
            self.finish();
            return;
        };
        self.failures = attempt;
        log!(info, "socketio::client", attempt = attempt, delay = ?delay, "client reconnects");
        self.phase = Phase::Waiting(self.plan.runtime.now() + delay);
        self.tell(ClientEvent::Reconnecting { attempt, delay });
    }

    /// There will be no further session.
    fn finish(&mut self) {
        {
            let mut state = self.shared.lock();
            state.leaving = true;
            state.machine.close();
        }
        self.dispatch();
        self.phase = Phase::Over;
        self.shared.end();
    }

    // ---- what the machine tells ----

    fn dispatch(&mut self) -> bool {
        let mut busy = false;
        loop {
            let event = {
                let mut state = self.shared.lock();
                let event = state.machine.poll_event();
                if event.is_none() {
                    state.forget_names();
                }
                event
            };
            let Some(event) = event else {
                return busy;
            };
            busy = true;
            self.handle_event(event);
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::AuthWanted { key } => self.authenticate(key),
            Event::Connect { key, sid, recovered } => {
                self.joined = true;
                {
                    let mut state = self.shared.lock();
                    state.joined.insert(key);
                }
                if self.missing().is_empty() {
                    self.attempt_ends = None;
                }
                let socket = self.shared.socket(key);
                let (namespace, id) = (socket.namespace(), prefix(&sid));
                log!(info, "socketio::client", namespace = ?namespace, id = ?id, recovered = recovered, "socket connected");
                self.known.insert(socket.namespace().to_string(), key);
                self.shared.wake_waiting();
                self.tell(ClientEvent::Connect {
                    socket,
                    sid: sid.to_string(),
                    recovered,
                });
            }
            Event::ConnectError { key, message, data } => {
                let socket = self.shared.socket(key);
                let refused = Refused {
                    namespace: socket.namespace().to_string(),
                    message: message.to_string(),
                    data,
                };
                log!(
                    info,
                    "socketio::client",
                    namespace = ?refused.namespace,
                    reason = %Line(&refused.message),
                    "socket refused by the server"
                );
                let failure = ConnectFailed::Refused(refused.clone());
                self.tell(ClientEvent::ConnectError { socket, refused });
                self.fail(failure);
            }
            Event::ConnectTimeout { key } => {
                // While nobody was let in, it is the attempt's time that counts.
                if self.joined || self.attempt_ends.is_none() {
                    self.give_up(key);
                }
            }
            Event::Event { key, name, args, ack } => {
                let socket = self.shared.socket(key);
                let name = name.to_string();
                self.tell(ClientEvent::Event {
                    socket,
                    name,
                    args,
                    ack,
                });
            }
            Event::Ack { key, id, result } => {
                let mut wakers = Vec::new();
                let nobodys = self.shared.lock().resolve(key, id, result, &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
                // There is room for one more that is sent until it is acknowledged.
                self.shared.wake_waiting();
                if let Some(result) = nobodys {
                    let socket = self.shared.socket(key);
                    self.tell(ClientEvent::Ack { socket, id, result });
                }
            }
            Event::Unsent { key, id, name, args } => {
                let socket = self.shared.socket(key);
                self.unsent(socket, id, &name, EmitError::Disconnected(args));
            }
            Event::Disconnect { key, reason } => {
                let socket = self.shared.socket(key);
                let (namespace, words) = (socket.namespace(), reason.as_str());
                log!(info, "socketio::client", namespace = ?namespace, reason = words, "socket disconnected");
                // There may be room now where events wait for a connection, or there will never be any.
                self.shared.wake_waiting();
                self.tell(ClientEvent::Disconnect { socket, reason });
            }
        }
    }

    fn authenticate(&self, key: Key) {
        let Some(auth) = self.plan.auth.clone() else {
            self.shared.lock().machine.authenticate(key, None);
            return;
        };
        let shared = self.shared.clone();
        start(&self.plan.runtime, &self.shared.clone(), 0, async move {
            let json = auth().await;
            shared.with(|state| state.machine.authenticate(key, json.as_ref()));
        });
    }

    /// Whoever waits for the connection is told why there is none, or not all of it.
    fn fail(&self, failure: ConnectFailed) {
        self.shared.lock().failure = Some(failure.clone());
        self.shared.wake_waiting();
        if !self.plan.streams {
            self.plan
                .handlers
                .tell_failure(&self.plan.runtime, &self.shared, failure);
        }
    }

    fn tell(&self, event: ClientEvent) {
        if self.plan.streams {
            self.shared.push(event);
        } else {
            self.plan.handlers.tell(&self.plan.runtime, &self.shared, event);
        }
    }

    // ---- what the machine wants ----

    fn transmit(&mut self, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        loop {
            if let Some(sending) = &mut self.sending {
                let Poll::Ready(sent) = sending.as_mut().poll(cx) else {
                    break;
                };
                self.sending = None;
                busy = true;
                match sent {
                    Ok(()) => {}
                    Err(SendError::TooLarge(data)) => self.give_back(&mut [data].into(), true),
                    // The session has just ended, which is told next.
                    Err(error) => self.outgoing.push_front(error.into_data()),
                }
                if self.sending.is_none() && !self.has_session() {
                    break;
                }
            }
            let Some(data) = self.outgoing.pop_front() else {
                if !self.next_packet() {
                    break;
                }
                busy = true;
                continue;
            };
            let Phase::Session(client) = &self.phase else {
                break;
            };
            match client.try_send(data) {
                Ok(()) => busy = true,
                Err(TrySendError::Full(data)) => {
                    let sender = client.sender();
                    self.sending = Some(Box::pin(async move { sender.send(data).await }));
                }
                Err(TrySendError::TooLarge(data)) => self.give_back(&mut [data].into(), true),
                Err(error) => {
                    // The session has just ended, which is told next.
                    self.outgoing.push_front(error.into_data());
                    break;
                }
            }
        }
        let waits = {
            let mut state = self.shared.lock();
            state.machine.handle_writable(self.sending.is_none());
            busy && state.has_waiting() && state.machine.has_room()
        };
        if waits {
            self.shared.wake_waiting();
        }
        busy
    }

    fn has_session(&self) -> bool {
        self.session().is_some_and(|client| client.closed().is_none())
    }

    /// Takes the next packet, all its messages, from the machine. Whether there was one.
    fn next_packet(&mut self) -> bool {
        if !self.has_session() {
            return false;
        }
        let mut packet: VecDeque<Data> = VecDeque::new();
        let mut wanted = 1;
        let max = {
            let mut state = self.shared.lock();
            while packet.len() < wanted {
                match state.machine.poll_transmit() {
                    Some(Transmit::Data(data)) => {
                        if packet.is_empty() {
                            wanted = 1 + attachments(&data);
                        }
                        packet.push_back(data);
                    }
                    Some(Transmit::Close) => {
                        drop(state);
                        if let Some(client) = self.session() {
                            client.begin_close();
                        }
                        return true;
                    }
                    None => break,
                }
            }
            state.max_payload
        };
        if packet.is_empty() {
            return false;
        }
        // A packet of which the server has the head and not the rest would cost the connection.
        let polls = self
            .session()
            .is_some_and(|client| client.transport() == Transport::Polling);
        if max.is_some_and(|max| packet.iter().any(|data| size(data, polls) > max)) {
            self.give_back(&mut packet, true);
        } else {
            self.outgoing = packet;
        }
        true
    }

    /// Says of these messages, which were not sent, what they were.
    fn give_back(&mut self, messages: &mut VecDeque<Data>, too_large: bool) {
        let parser = self.plan.parser;
        let mut assembler = Assembler::new(parser);
        let limits = ours();
        for data in messages.drain(..) {
            let packet = match assembler.handle_data(data, &limits) {
                Ok(Some(packet)) => packet,
                Ok(None) => continue,
                // The rest of a packet whose head was sent.
                Err(_) => {
                    assembler = Assembler::new(parser);
                    continue;
                }
            };
            let Body::Event { id, name, args } = packet.body else {
                continue;
            };
            let Some(&key) = self.known.get(&packet.namespace[..]) else {
                continue;
            };
            // It may have left already.
            let socket = ClientSocket::new(self.shared.clone(), key, Arc::from(&packet.namespace[..]));
            if let Some(id) = id {
                let mut wakers = Vec::new();
                let nobodys = {
                    let mut state = self.shared.lock();
                    // It is sent again, or the application was told that it is in doubt.
                    if state.machine.handle_returned(key, id, too_large) != Returned::Waited {
                        continue;
                    }
                    state.resolve(key, id, Err(AckError::NotSent), &mut wakers)
                };
                wakers.into_iter().for_each(Waker::wake);
                if let Some(result) = nobodys {
                    let socket = socket.clone();
                    self.tell(ClientEvent::Ack { socket, id, result });
                }
            }
            let error = if too_large {
                EmitError::TooLarge(args)
            } else {
                EmitError::Disconnected(args)
            };
            self.unsent(socket, id, &name, error);
        }
    }

    /// An event is given back: to the call that waits for its acknowledgement, or to whoever wants to know.
    fn unsent(&self, socket: ClientSocket, id: Option<u64>, name: &str, error: EmitError) {
        let mut wakers = Vec::new();
        let nobodys = match id {
            Some(id) => self.shared.lock().resolve_unsent(socket.key(), id, error, &mut wakers),
            None => Some(error),
        };
        wakers.into_iter().for_each(Waker::wake);
        if let Some(error) = nobodys {
            self.tell(ClientEvent::Unsent {
                socket,
                name: name.to_string(),
                too_large: matches!(error, EmitError::TooLarge(_)),
                args: error.into_args(),
            });
        }
    }

    // ---- time ----

    /// Sees to it that the task is called again in time.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let next = match &self.phase {
            Phase::Waiting(begins) => Some(*begins).filter(|_| !self.shared.is_behind()),
            Phase::Session(_) => self.attempt_ends.filter(|_| self.opened),
            Phase::Over => None,
        };
        let machine = self.shared.lock().machine.poll_timeout();
        let Some(next) = next.into_iter().chain(machine).min() else {
            self.sleep = None;
            return Poll::Pending;
        };
        if self.sleep.as_ref().is_none_or(|(until, _)| *until != next) {
            self.sleep = Some((next, Box::pin(self.plan.runtime.sleep_until(next))));
        }
        if let Some((_, sleep)) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = None;
        Poll::Ready(())
    }
}

impl<R: Runtime> Driver<R> {
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Whoever does something from here on wakes the task.
        self.shared.lock().driver = Some(cx.waker().clone());
        for _ in 0..TURNS {
            let busy = self.turn(cx);
            if matches!(self.phase, Phase::Over) {
                return Poll::Ready(());
            }
            if busy {
                self.shared.lock().driver = Some(cx.waker().clone());
            } else if self.sleep(cx).is_pending() {
                return Poll::Pending;
            }
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let scope = mem::replace(&mut self.scope, Scope::none());
        let polled = scope.run(|| self.run(cx));
        self.scope = scope;
        polled
    }
}

impl<R: Runtime> Drop for Driver<R> {
    /// A runtime that ends takes its tasks with it. Nobody should wait for this one then.
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// How many messages follow that belong to the same packet.
fn attachments(data: &Data) -> usize {
    let Some(text) = data.as_text().filter(|text| text.starts_with(['5', '6'])) else {
        return 0;
    };
    let count = text[1..].split_once('-').and_then(|(count, _)| count.parse().ok());
    count.unwrap_or(0)
}

/// How large a message is for the server, its type counted.
fn size(data: &Data, polls: bool) -> usize {
    match data {
        Data::Text(text) => text.len() + 1,
        Data::Binary(bytes) if polls => bytes.len().div_ceil(3) * 4 + 1,
        Data::Binary(bytes) => bytes.len(),
    }
}

/// What we have encoded ourselves is within any limits.
fn ours() -> Limits {
    Limits {
        max_attachments: usize::MAX,
        max_packet: usize::MAX,
        max_namespace: usize::MAX,
        max_event_name: usize::MAX,
        max_depth: usize::MAX,
        ..Limits::default()
    }
}
