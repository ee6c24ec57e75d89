//! What a client's handles and its driver share: the machine, and who waits for it.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::{CallError, ClientEvent, ClientSocket, ConnectFailed, EmitFailed};
use crate::engineio::Transport;
use crate::socketio::client::{Client as Machine, Event};
use crate::socketio::{AckError, AckToken, Args, EmitError, Key};
use crate::time::Instant;

/// How many bytes of events wait for whoever takes them before the server has to.
const MAX_STREAM: usize = 4_000_000;

/// What an event costs beside its arguments.
const EVENT_OVERHEAD: usize = 256;

/// How many bytes handlers that run may hold before the server has to wait for them. Those that wait for acknowledgements
/// wait then too, for as long as they have said.
const MAX_HELD: usize = 16_000_000;

/// What a handler that runs costs beside its arguments: its task.
const HANDLER_OVERHEAD: usize = 1_000;

pub(super) struct Shared {
    state: Mutex<State>,
    /// What the handlers that run cost.
    held: AtomicUsize,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

pub(super) struct State {
    pub(super) machine: Machine,
    /// The namespaces of the sockets, also of those that are just going.
    names: BTreeMap<Key, Arc<str>>,
    /// Calls whose acknowledgement is awaited, and those that have it.
    calls: BTreeMap<(Key, u64), Waited>,
    stream: Option<Stream>,
    pub(super) driver: Option<Waker>,
    /// Who waits for room, for a connection, or for the end.
    waiting: Vec<Waker>,
    /// The sockets that were let in, ever.
    pub(super) joined: BTreeSet<Key>,
    /// The first socket that was not, or why there is no connection.
    pub(super) failure: Option<ConnectFailed>,
    /// No further session is wanted.
    pub(super) leaving: bool,
    /// This one is to end at once.
    pub(super) aborting: bool,
    pub(super) over: bool,
    /// While a session is open: what carries it.
    pub(super) transport: Option<Transport>,
    /// What the server has chosen of the protocols that were offered for the WebSocket.
    pub(super) protocol: Option<String>,
    /// The largest message that the server takes.
    pub(super) max_payload: Option<usize>,
}

enum Waited {
    Pending(Option<Waker>),
    Done(Result<Args, CallError>),
}

struct Stream {
    events: VecDeque<ClientEvent>,
    cost: usize,
    waker: Option<Waker>,
}

impl Shared {
    pub(super) fn new(machine: Machine, streams: bool, clock: Box<dyn Fn() -> Instant + Send + Sync>) -> Self {
        let stream = streams.then(|| Stream {
            events: VecDeque::new(),
            cost: 0,
            waker: None,
        });
        let state = State {
            machine,
            names: BTreeMap::new(),
            calls: BTreeMap::new(),
            stream,
            driver: None,
            waiting: Vec::new(),
            joined: BTreeSet::new(),
            failure: None,
            leaving: false,
            aborting: false,
            over: false,
            transport: None,
            protocol: None,
            max_payload: None,
        };
        Self {
            state: Mutex::new(state),
            held: AtomicUsize::new(0),
            clock,
        }
    }

    pub(super) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Whether the application has to catch up before anything more is received. What comes without the server's doing, such
    /// as the end of somebody's patience, is told all the same: the application may be waiting for just that.
    pub(super) fn is_behind(&self) -> bool {
        self.held.load(Ordering::SeqCst) >= MAX_HELD || self.lock().is_stream_full()
    }

    /// One more handler runs, and holds so many bytes, until what this returns is dropped.
    pub(super) fn begin_running(shared: &Arc<Self>, bytes: usize) -> Running {
        // One alone does not stop everything, however large it is: it may wait for an acknowledgement.
        let cost = HANDLER_OVERHEAD + bytes.min(MAX_HELD / 2);
        shared.held.fetch_add(cost, Ordering::SeqCst);
        Running {
            shared: shared.clone(),
            cost,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the application's runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that the driver has to look at.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            let result = act(&mut state);
            (result, state.driver.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Wakes everybody who waits for anything but events and acknowledgements.
    pub(super) fn wake_waiting(&self) {
        let wakers = core::mem::take(&mut self.lock().waiting);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Nothing will happen any more.
    pub(super) fn end(&self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.lock();
            state.leaving = true;
            state.over = true;
            state.transport = None;
            state.protocol = None;
            state.machine.close();
            // What is told of it may be awaited.
            while let Some(event) = state.machine.poll_event() {
                match event {
                    Event::Ack { key, id, result } => {
                        let _nobodys = state.resolve(key, id, result, &mut wakers);
                    }
                    Event::Unsent {
                        key,
                        id: Some(id),
                        args,
                        ..
                    } => {
                        let error = EmitError::Disconnected(args);
                        let _nobodys = state.resolve_unsent(key, id, error, &mut wakers);
                    }
                    _ => {}
                }
            }
            wakers.append(&mut state.waiting);
            if let Some(stream) = &mut state.stream {
                wakers.extend(stream.waker.take());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The handle of a socket that the machine speaks of.
    pub(super) fn socket(self: &Arc<Self>, key: Key) -> ClientSocket {
        let namespace = self.lock().name(key);
        ClientSocket::new(self.clone(), key, namespace)
    }

    /// Tells whoever takes events.
    pub(super) fn push(&self, event: ClientEvent) {
        let waker = {
            let mut state = self.lock();
            let Some(stream) = &mut state.stream else {
                return;
            };
            stream.cost += cost(&event);
            stream.events.push_back(event);
            stream.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn poll_stream(&self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let (event, waker) = {
            let mut state = self.lock();
            let was_full = state.is_stream_full();
            let over = state.over;
            let Some(stream) = &mut state.stream else {
                return Poll::Ready(None);
            };
            let event = match stream.events.pop_front() {
                Some(event) => {
                    stream.cost -= cost(&event);
                    Poll::Ready(Some(event))
                }
                None if over => Poll::Ready(None),
                None => {
                    stream.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
            let waker = if was_full && !state.is_stream_full() {
                state.driver.take()
            } else {
                None
            };
            (event, waker)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        event
    }

    /// Acknowledges an event, once there is room for that.
    pub(super) async fn acknowledge(&self, token: AckToken, args: Args) -> Result<(), EmitError> {
        let mut held = Some((token, args));
        core::future::poll_fn(|cx| {
            let Some((token, args)) = held.take() else {
                return Poll::Ready(Ok(()));
            };
            self.with(|state| match state.acknowledge(token, args) {
                Ok(()) => Poll::Ready(Ok(())),
                Err((token, EmitError::Full(args))) if !state.over => {
                    held = Some((token, args));
                    state.wait(cx.waker());
                    Poll::Pending
                }
                Err((_, error)) => Poll::Ready(Err(error)),
            })
        })
        .await
    }
}

/// A handler that runs.
pub(super) struct Running {
    shared: Arc<Shared>,
    cost: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        let held = self.shared.held.fetch_sub(self.cost, Ordering::SeqCst);
        if held >= MAX_HELD && held - self.cost < MAX_HELD {
            self.shared.with(|_| ());
        }
    }
}

impl State {
    /// Wakes this one when there may be room, a connection, or an end.
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|other| other.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn is_stream_full(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.cost >= MAX_STREAM)
    }

    pub(super) fn end_stream(&mut self) {
        self.stream = None;
    }

    /// Queues an acknowledgement that the server takes. An event can be given back when its turn comes; an acknowledgement
    /// that is too large then would be lost without a word. What a connection takes does not become less.
    fn acknowledge(&mut self, token: AckToken, args: Args) -> Result<(), (AckToken, EmitError)> {
        let polls = self.transport == Some(Transport::Polling);
        self.machine
            .handle_max_payload(self.max_payload.unwrap_or(usize::MAX), polls);
        let queued = self.machine.ack(token, args);
        self.machine.handle_max_payload(usize::MAX, false);
        queued
    }

    /// An acknowledgement of this event is awaited.
    pub(super) fn expect(&mut self, key: Key, id: u64, waker: &Waker) {
        self.calls.insert((key, id), Waited::Pending(Some(waker.clone())));
    }

    /// The acknowledgement that is awaited, if it is there.
    pub(super) fn poll_call(&mut self, key: Key, id: u64, cx: &Context<'_>) -> Poll<Result<Args, CallError>> {
        match self.calls.remove(&(key, id)) {
            Some(Waited::Done(result)) => Poll::Ready(result),
            Some(Waited::Pending(_)) => {
                self.expect(key, id, cx.waker());
                Poll::Pending
            }
            None => Poll::Ready(Err(AckError::Disconnected.into())),
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn forget_call(&mut self, key: Key, id: u64) {
        self.calls.remove(&(key, id));
        self.machine.forget_ack(key, id);
    }

    /// An acknowledgement has come, or will not come. Gives that back where no call waits for it.
    pub(super) fn resolve(
        &mut self,
        key: Key,
        id: u64,
        result: Result<Args, AckError>,
        wakers: &mut Vec<Waker>,
    ) -> Option<Result<Args, AckError>> {
        match self.calls.get(&(key, id)) {
            // The event itself comes back next, and is told instead.
            Some(Waited::Pending(_)) if result == Err(AckError::NotSent) => None,
            Some(Waited::Pending(_)) => {
                self.answer_call(key, id, result.map_err(CallError::Ack), wakers);
                None
            }
            Some(Waited::Done(_)) => None,
            None => Some(result),
        }
    }

    /// An event whose acknowledgement was wanted comes back. Gives it back where no call waits for that.
    pub(super) fn resolve_unsent(
        &mut self,
        key: Key,
        id: u64,
        error: EmitError,
        wakers: &mut Vec<Waker>,
    ) -> Option<EmitError> {
        match self.calls.get(&(key, id)) {
            Some(Waited::Pending(_)) => {
                self.answer_call(key, id, Err(EmitFailed::Refused(error).into()), wakers);
                None
            }
            _ => Some(error),
        }
    }

    fn answer_call(&mut self, key: Key, id: u64, answer: Result<Args, CallError>, wakers: &mut Vec<Waker>) {
        if let Some(Waited::Pending(waker)) = self.calls.insert((key, id), Waited::Done(answer)) {
            wakers.extend(waker);
        }
    }

    /// The handles' name for a namespace: kept as long as anything may happen to its socket.
    pub(super) fn name(&mut self, key: Key) -> Arc<str> {
        let known = self.names.get(&key).cloned();
        known.unwrap_or_else(|| {
            let mut sockets = self.machine.sockets();
            let name = sockets.find(|(other, _)| *other == key);
            let name: Arc<str> = name.map_or_else(|| Arc::from(""), |(_, name)| Arc::from(&name[..]));
            self.names.insert(key, name.clone());
            name
        })
    }

    /// Everything was told: what is gone needs no name any more.
    pub(super) fn forget_names(&mut self) {
        if self.names.len() > self.machine.sockets().count() {
            let keys: BTreeSet<Key> = self.machine.sockets().map(|(key, _)| key).collect();
            self.names.retain(|key, _| keys.contains(key));
            self.joined.retain(|key| keys.contains(key));
        }
    }
}

fn cost(event: &ClientEvent) -> usize {
    let args = match event {
        ClientEvent::Event { args, .. } | ClientEvent::Unsent { args, .. } => Some(args),
        ClientEvent::Ack { result, .. } => result.as_ref().ok(),
        _ => None,
    };
    EVENT_OVERHEAD + args.map_or(0, bytes_of)
}

/// How many bytes these arguments hold.
pub(super) fn bytes_of(args: &Args) -> usize {
    args.elements().len() + args.attachments().iter().map(bytes::Bytes::len).sum::<usize>()
}
