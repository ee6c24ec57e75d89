//! One connection: the Socket.IO machine and the Engine.IO session below it.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use smallvec::SmallVec;

use super::socket::SocketCore;
use crate::engineio::{SendError, Session};
use crate::http::Request;
use crate::runtime::app::App;
use crate::runtime::log::{log, of_sid};
use crate::socketio::server::{Config, Connection, Event};
use crate::socketio::{AckError, AckToken, Args, EmitError, Encoded, Key, Transmit};
use crate::time::Instant;
use crate::wire::{Cell, CellAlarm};

/// What a packet costs in a queue beside its bytes, for each of its messages.
const PACKET_OVERHEAD: usize = 64;

/// One connection, for whoever sends to one of its sockets.
///
/// The machine's lock is only taken inside of the session's: what the machine wants to say goes out in its order, whoever
/// makes it say it, and whoever is woken by it is woken when both locks are free again.
pub(super) struct Link {
    pub(super) cell: Arc<Cell<App>>,
    pub(super) request: Option<Arc<Request>>,
    /// How much the machine queues. Bytes.
    max_queue: usize,
    state: Mutex<LinkState>,
}

pub(super) struct LinkState {
    pub(super) machine: Connection,
    /// The sockets that were accepted, and whose end was not told yet.
    pub(super) sockets: SmallVec<[Arc<SocketCore>; 1]>,
    /// Who waits for which acknowledgement.
    slots: BTreeMap<(Key, u64), Arc<Slot>>,
    /// Those who wait for room in the machine's queue.
    waiting: Vec<Waker>,
    /// The session's queue is full: the connection's task goes on when there is room.
    backlogged: bool,
    /// The connection's task, while it sleeps.
    task: Option<Waker>,
    /// When it is woken for a deadline.
    alarmed: Option<Instant>,
}

/// Where an acknowledgement is put for whoever waits for it.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<SlotState>,
}

#[derive(Default)]
struct SlotState {
    result: Option<Result<Args, AckError>>,
    waker: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of the application's runs under these locks; a panic in a machine is a bug of ours, and its connection is lost.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    fn fill(&self, result: Result<Args, AckError>) {
        let waker = {
            let mut state = lock(&self.state);
            state.result = Some(result);
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Args, AckError>> {
        let mut state = lock(&self.state);
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Link {
    pub(super) fn new(cell: Arc<Cell<App>>, config: Arc<Config>, request: Option<Arc<Request>>) -> Self {
        let max_queue = config.max_queue;
        let machine = Connection::new(config, cell.now());
        Self {
            cell,
            request,
            max_queue,
            state: Mutex::new(LinkState {
                machine,
                sockets: SmallVec::new(),
                slots: BTreeMap::new(),
                waiting: Vec::new(),
                backlogged: false,
                task: None,
                alarmed: None,
            }),
        }
    }

    /// Works on the machine, hands what it wants to say to the session, then wakes whoever is to know.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut LinkState, &mut Session, Instant) -> T) -> T {
        let now = self.cell.now();
        let mut wakers: SmallVec<[Waker; 2]> = SmallVec::new();
        let result = self.cell.with(|session| {
            let mut state = lock(&self.state);
            let result = work(&mut state, session, now);
            state.flush(session, now);
            if state.task.is_some() && state.wants_task() {
                wakers.extend(state.task.take());
            }
            if !state.waiting.is_empty() && (state.machine.has_room() || state.machine.is_closed()) {
                wakers.extend(state.waiting.drain(..));
            }
            result
        });
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Whether so much may be queued for a client that comes back, and there is still room for what comes after it: one that
    /// missed more would be thrown out by the next broadcast.
    pub(super) fn takes_at_once(&self, missed: &[Encoded]) -> bool {
        let size = missed
            .iter()
            .map(|packet| packet.size() + packet.count() * PACKET_OVERHEAD);
        size.sum::<usize>() <= self.max_queue / 2
    }

    /// Looks at the machine without changing it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&LinkState) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Lets the connection's task sleep; answers `false` where there is something for it to do.
    pub(super) fn park(&self, waker: &Waker, is_stuck: bool, alarm: &mut Option<CellAlarm>) -> bool {
        let mut state = lock(&self.state);
        if state.machine.has_event() || (state.backlogged && !is_stuck) {
            return false;
        }
        let deadline = state.machine.poll_timeout();
        state.alarmed = deadline;
        if !state.task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            state.task = Some(waker.clone());
        }
        drop(state);
        match deadline {
            Some(_) => alarm.get_or_insert_with(|| self.cell.alarm()).set(deadline, waker),
            // An idle connection has no deadline of its own, and needs no alarm.
            None => *alarm = None,
        }
        true
    }

    /// Takes the message for which the session had no room, to wait with it. Nobody else sends before
    /// [`resume`](Self::resume).
    pub(super) fn take_stuck(&self) -> Option<crate::engineio::Data> {
        let mut state = lock(&self.state);
        if !state.backlogged {
            return None;
        }
        match state.machine.poll_transmit() {
            Some(Transmit::Data(data)) => Some(data),
            // Nothing was put back: it was dropped with the end of the session.
            Some(Transmit::Close) | None => {
                state.backlogged = false;
                None
            }
        }
    }

    /// The session has taken what was stuck: the rest may follow.
    pub(super) fn resume(&self) {
        self.with(|state, _, _| state.backlogged = false);
    }

    /// Emits an event, once there is room. Tells under which slot an acknowledgement will be found, where one is wanted.
    pub(super) fn poll_emit(
        &self,
        cx: &Context<'_>,
        key: Key,
        name: &str,
        args: &mut Option<Args>,
        wanted: Option<Option<Duration>>,
    ) -> Poll<Result<Option<Arc<Slot>>, EmitError>> {
        let Some(taken) = args.take() else {
            return Poll::Ready(Ok(None));
        };
        self.with(|state, _, now| match state.emit(now, key, name, taken, wanted) {
            Err(EmitError::Full(back)) => {
                *args = Some(back);
                state.wait(cx);
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
    }

    /// Acknowledges an event, once there is room. An end of the socket ends the waiting, and is nobody's mistake.
    pub(super) fn poll_ack(&self, cx: &Context<'_>, ack: &mut Option<(AckToken, Args)>) -> Poll<()> {
        let Some((token, args)) = ack.take() else {
            return Poll::Ready(());
        };
        self.with(|state, _, _| match state.machine.ack(token, args) {
            Err((token, EmitError::Full(args))) => {
                *ack = Some((token, args));
                state.wait(cx);
                Poll::Pending
            }
            Ok(()) | Err(_) => Poll::Ready(()),
        })
    }

    /// Sends a packet that is for many. Says whether it was sent.
    pub(super) fn send_encoded(&self, key: Key, packet: &Encoded, is_volatile: bool) -> bool {
        self.with(|state, session, now| {
            state.keeps_up(session, now, is_volatile) && state.machine.send_encoded(key, packet, is_volatile)
        })
    }

    /// The same for one that is to be acknowledged. Tells where the answer will be found; `None` where it was not sent.
    pub(super) fn call_encoded(
        &self,
        key: Key,
        packet: &Encoded,
        is_volatile: bool,
        id: u64,
        timeout: Option<Duration>,
    ) -> Option<Arc<Slot>> {
        self.with(|state, session, now| {
            let called = state.keeps_up(session, now, is_volatile)
                && state.machine.call_encoded(now, key, packet, is_volatile, id, timeout);
            called.then(|| {
                let slot = Arc::new(Slot::default());
                state.slots.insert((key, id), slot.clone());
                slot
            })
        })
    }

    /// The next event, with the socket that it is about. One that is gone is forgotten here.
    pub(super) fn take_event(&self) -> Option<(Event, Option<Arc<SocketCore>>)> {
        let mut state = lock(&self.state);
        let event = state.machine.poll_event()?;
        let socket = match &event {
            Event::Event { key, .. } => state.sockets.iter().find(|socket| socket.key == *key).cloned(),
            Event::Disconnect { key, .. } => {
                let place = state.sockets.iter().position(|socket| socket.key == *key);
                place.map(|place| state.sockets.remove(place))
            }
            Event::Connect { .. } | Event::Ack { .. } => None,
        };
        Some((event, socket))
    }

    /// All sockets that are left, at the end.
    pub(super) fn take_sockets(&self) -> SmallVec<[Arc<SocketCore>; 1]> {
        core::mem::take(&mut lock(&self.state).sockets)
    }

    /// An acknowledgement came, or will not.
    pub(super) fn answer(&self, key: Key, id: u64, result: Result<Args, AckError>) {
        let slot = lock(&self.state).slots.remove(&(key, id));
        if let Some(slot) = slot {
            slot.fill(result);
        }
    }
}

impl LinkState {
    fn emit(
        &mut self,
        now: Instant,
        key: Key,
        name: &str,
        args: Args,
        wanted: Option<Option<Duration>>,
    ) -> Result<Option<Arc<Slot>>, EmitError> {
        let Some(timeout) = wanted else {
            return self.machine.emit(key, name, args).map(|()| None);
        };
        let id = self.machine.emit_with_ack(now, key, name, args, timeout)?;
        let slot = Arc::new(Slot::default());
        self.slots.insert((key, id), slot.clone());
        Ok(Some(slot))
    }

    /// Whether a client is worth a broadcast. One that is too slow for it is thrown out.
    fn keeps_up(&mut self, session: &mut Session, now: Instant, is_volatile: bool) -> bool {
        if is_volatile {
            self.machine.handle_writable(session.is_writable());
        } else if !self.machine.has_room() && !self.machine.is_closed() {
            // Nobody waits for the slowest, and nobody misses something without knowing: it may come back.
            log!(
                warn,
                "socketio::server",
                sid = of_sid(session.sid()),
                "a client that did not keep up with broadcasts is thrown out"
            );
            session.abort(now);
            return false;
        }
        true
    }

    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// Whether the connection's task must know.
    fn wants_task(&self) -> bool {
        self.machine.has_event()
            || self.backlogged
            || match (self.machine.poll_timeout(), self.alarmed) {
                (Some(deadline), Some(alarmed)) => deadline < alarmed,
                (deadline, None) => deadline.is_some(),
                (None, Some(_)) => false,
            }
    }

    fn flush(&mut self, session: &mut Session, now: Instant) {
        if self.backlogged {
            return;
        }
        while let Some(transmit) = self.machine.poll_transmit() {
            let sent = match transmit {
                Transmit::Data(data) => session.send(data),
                Transmit::Close => {
                    session.close(now);
                    Ok(())
                }
            };
            match sent {
                // The session tells of its end in its own time.
                Ok(()) | Err(SendError::Closed(_)) => {}
                Err(SendError::Full(data)) => {
                    self.machine.put_back(data);
                    self.backlogged = true;
                    return;
                }
                Err(SendError::TooLarge(data)) => {
                    // Part of a packet must not go missing.
                    log!(
                        error,
                        "socketio::server",
                        sid = of_sid(session.sid()),
                        "a message of {} bytes is larger than the queue of a session, which is closed",
                        data.len()
                    );
                    session.abort(now);
                    return;
                }
            }
        }
    }
}
