//! The driver of a client: connects its streams, pumps bytes, begins a new session where the last one broke.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::app::BoxFuture;
use super::dial::{DialTarget, Dialed, Dialer, dial};
use super::driver::{Scratch, give_scratch_back, take_scratch};
use super::log::log;
use super::{Runtime, Stream};
use crate::Backoff;
use crate::engineio::client::{Config, Event};
use crate::engineio::{CloseReason, Closed, Data, SendError, Sid, Transport};
use crate::time::Instant;
use crate::wire::Entropy;
use crate::wire::client::{ConnectError, Connection, Cookies, Options, StreamId};

/// After how many turns a client lets others run.
const TURNS: usize = 32;

/// After how many writes to a stream the others have their turn.
const WRITES: usize = 8;

/// How many things that are no messages are kept for an application that does not ask. The oldest are dropped.
const MAX_NOTICES: usize = 256;

/// How many sessions that are over may have messages left before the next one has to wait for the application.
const MAX_LEFT: usize = 2;

/// Something that a client's application may want to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A session is open. With reconnection, there may be one after the other.
    Opened {
        /// On what it was opened.
        transport: Transport,
        /// Its id: a secret between this client and the server.
        sid: Sid,
    },
    /// The server sent this.
    Message(Data),
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// The session could not be moved to a WebSocket. It goes on with polling, and nothing was lost.
    UpgradeFailed(ConnectError),
    /// This message is larger than the server takes, which was not known when it was sent; it is given back.
    TooLarge(Data),
    /// The session that was open is over.
    Closed {
        /// Why, and what it leaves open. With reconnection, what was unsent is kept for the next session.
        closed: Closed,
        /// What went wrong, where something did.
        error: Option<ConnectError>,
    },
    /// No session could be opened.
    Failed(ConnectError),
    /// The client is about to try again.
    Reconnecting {
        /// The how many-th time in a row, from 1.
        attempt: u32,
        /// How long it waits before.
        delay: Duration,
    },
}

/// What a client's handles and its driver share.
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

pub(crate) struct State {
    options: Arc<Options>,
    config: Arc<Config>,
    backoff: Option<Backoff>,
    entropy: Entropy,
    connection: Connection,
    /// The session begins then, and not before.
    begins: Option<Instant>,
    /// How many attempts have failed in a row.
    failures: u32,
    /// Whether this session was open.
    opened: bool,
    /// Whether any session ever was.
    ever_opened: bool,
    /// The application does not want any further session.
    leaving: bool,
    /// What came before the present session, and was not taken.
    past: VecDeque<Past>,
    /// There will be no further session. The error is of one that never was open.
    over: Option<Closed>,
    /// Handlers have not been told everything yet.
    handling: bool,
    /// Messages that turned out to be too large, and of which no event tells (any more).
    returned: Vec<Data>,
    driver: Option<Waker>,
    receiver: Option<Waker>,
    /// Who waits for room in the queue.
    senders: Waiters,
    /// Who waits for a session to be open, or for the end.
    watchers: Waiters,
    /// Watchers were told that a session was open. Once is enough: nobody waits for the next one.
    told: bool,
}

/// Those who wait for the same thing, each in a place of its own.
#[derive(Default)]
pub(crate) struct Waiters {
    next: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Wakes this one next time. Its place is `None` at first.
    pub(crate) fn wait(&mut self, place: &mut Option<u64>, waker: &Waker) {
        let own = *place.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.wakers.iter_mut().find(|waiting| waiting.0 == own) {
            Some(waiting) => waiting.1.clone_from(waker),
            None => self.wakers.push((own, waker.clone())),
        }
    }

    /// This one does not wait any more.
    pub(crate) fn leave(&mut self, place: u64) {
        self.wakers.retain(|waiting| waiting.0 != place);
    }

    /// Moves all of them out, to be woken.
    fn take(&mut self, out: &mut Vec<Waker>) {
        out.extend(self.wakers.drain(..).map(|waiting| waiting.1));
    }
}

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    Going,
    /// A new session is going to begin.
    Again,
    Over,
}

enum Past {
    Notice(ClientEvent),
    /// A session that has ended, with messages that nobody has taken.
    Session(Box<Connection>, bool),
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        config: Config,
        backoff: Option<Backoff>,
        clock: Box<dyn Fn() -> Instant + Send + Sync>,
        cookies: Cookies,
    ) -> Self {
        let entropy = options.entropy();
        let (options, config) = (Arc::new(options), Arc::new(config));
        let connection = Connection::new(options.clone(), config.clone(), clock(), cookies);
        let state = State {
            options,
            config,
            backoff,
            entropy,
            connection,
            begins: None,
            failures: 0,
            opened: false,
            ever_opened: false,
            leaving: false,
            past: VecDeque::new(),
            over: None,
            handling: false,
            returned: Vec::new(),
            driver: None,
            receiver: None,
            senders: Waiters::default(),
            watchers: Waiters::default(),
            told: false,
        };
        Self {
            state: Mutex::new(state),
            clock,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until what this returns is dropped, the end is nobody's who waits for it.
    pub(crate) fn begin_handling(self: &Arc<Self>) -> Handling {
        self.lock().handling = true;
        Handling(self.clone())
    }

    /// Does something that the driver has to look at.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
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

    /// The next event; `None` when there will be none any more.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.take_event(Some(cx))
    }

    /// The same without waiting, where nobody is to be woken.
    pub(crate) fn take_event(&self, waits: Option<&mut Context<'_>>) -> Poll<Option<ClientEvent>> {
        let (event, waker) = {
            let mut state = self.lock();
            let before = state.holds_up();
            let event = match state.next_event() {
                Some(event) => Poll::Ready(Some(event)),
                None if state.over.is_some() => Poll::Ready(None),
                None => {
                    if let Some(cx) = waits {
                        state.receiver = Some(cx.waker().clone());
                    }
                    Poll::Pending
                }
            };
            // The driver has nothing to do with what is taken, unless it had to wait for that.
            let waker = if before && !state.holds_up() {
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
}

/// Handlers run.
pub(crate) struct Handling(Arc<Shared>);

impl Drop for Handling {
    /// Also where the runtime ends, and takes the handlers with it.
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        {
            let mut state = self.0.lock();
            state.handling = false;
            state.watchers.take(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The end, once there will be no further session.
    pub(crate) fn over(&self) -> Option<Closed> {
        self.over
    }

    /// The end, once handlers have been told of it too.
    pub(crate) fn handled(&self) -> Option<Closed> {
        self.over.filter(|_| !self.handling)
    }

    pub(crate) fn senders(&mut self) -> &mut Waiters {
        &mut self.senders
    }

    pub(crate) fn watchers(&mut self) -> &mut Waiters {
        &mut self.watchers
    }

    /// Whether any session was ever open.
    pub(crate) fn ever_opened(&self) -> bool {
        self.ever_opened || self.connection.look().handshake().is_some()
    }

    /// No further session, whatever becomes of this one.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Nobody will take any more messages, of this session or of those before.
    pub(crate) fn discard_input(&mut self) {
        for past in &mut self.past {
            if let Past::Session(connection, _) = past {
                connection.machine().discard_input();
            }
        }
        self.connection.machine().discard_input();
    }

    /// Keeps a message that was too large for whoever asks later.
    pub(crate) fn give_back(&mut self, data: Data) {
        self.returned.push(data);
    }

    /// Messages that will not be sent any more. Gives each of them once.
    pub(crate) fn take_unsent(&mut self) -> Vec<Data> {
        self.collect_too_large();
        let mut unsent = mem::take(&mut self.returned);
        unsent.extend(self.connection.machine().take_unsent());
        unsent
    }

    /// Once it is over: how many messages [`take_unsent`](Self::take_unsent) has that were too large.
    pub(crate) fn count_too_large(&mut self) -> usize {
        self.collect_too_large();
        self.returned.len()
    }

    /// What no event has told of yet, and nobody may ask for. While there are sessions, somebody may.
    fn collect_too_large(&mut self) {
        if self.over.is_none() {
            return;
        }
        let mut kept = VecDeque::with_capacity(self.past.len());
        for past in self.past.drain(..) {
            match past {
                Past::Notice(ClientEvent::TooLarge(data)) => self.returned.push(data),
                Past::Session(mut connection, opened) => {
                    self.returned.extend(connection.machine().take_too_large());
                    kept.push_back(Past::Session(connection, opened));
                }
                other => kept.push_back(other),
            }
        }
        self.past = kept;
        self.returned.extend(self.connection.machine().take_too_large());
    }

    /// Queues a message. In the moment between two sessions there is no room.
    pub(crate) fn send(&mut self, data: Data) -> Result<(), SendError> {
        match self.connection.machine().send(data) {
            Err(SendError::Closed(data)) if self.goes_on() => Err(SendError::Full(data)),
            result => result,
        }
    }

    /// Whether the session is over, and there is going to be another one.
    fn goes_on(&self) -> bool {
        let closed = self.connection.look().closed();
        self.over.is_none() && closed.is_some_and(|closed| self.next_delay(closed.reason, 0).is_some())
    }

    /// How long to wait before the next session; `None` where there will be none.
    fn next_delay(&self, reason: CloseReason, random: u64) -> Option<Duration> {
        if self.leaving || matches!(reason, CloseReason::ClientDisconnect | CloseReason::ServerDisconnect) {
            return None;
        }
        self.backoff.as_ref()?.delay_before(self.next_attempt(), random)
    }

    /// The how many-th try in a row the next one is.
    fn next_attempt(&self) -> u32 {
        let opened = self.connection.look().handshake().is_some();
        if opened { 1 } else { self.failures.saturating_add(1) }
    }

    /// Whether the driver waits for the application to take something.
    fn holds_up(&self) -> bool {
        !self.connection.look().wants_input() || self.lags()
    }

    pub(crate) fn next_event(&mut self) -> Option<ClientEvent> {
        while let Some(past) = self.past.front_mut() {
            let event = match past {
                Past::Notice(_) => match self.past.pop_front() {
                    Some(Past::Notice(notice)) => Some(notice),
                    _ => None,
                },
                Past::Session(connection, opened) => take_event(connection, opened),
            };
            if event.is_some() {
                return event;
            }
            self.past.pop_front();
        }
        take_event(&mut self.connection, &mut self.opened)
    }

    /// Once the session is over: whether there is to be another one.
    fn settle(&mut self, now: Instant) -> Settled {
        if self.over.is_some() {
            return Settled::Over;
        }
        let Some(closed) = self.connection.look().closed() else {
            return Settled::Going;
        };
        self.ever_opened |= self.connection.look().handshake().is_some();
        let mut random = [0; 8];
        (self.entropy)(&mut random);
        let Some(delay) = self.next_delay(closed.reason, u64::from_le_bytes(random)) else {
            // A last word may have to be written.
            if !self.connection.is_finished() {
                return Settled::Going;
            }
            log!(debug, "client over: {}", closed.reason);
            self.over = Some(closed);
            return Settled::Over;
        };
        let attempt = self.next_attempt();
        self.failures = attempt;
        log!(
            debug,
            "client reconnects in {delay:?}, attempt {attempt}: {}",
            closed.reason
        );
        let begins = now + delay;
        let cookies = self.connection.take_cookies();
        let next = Connection::new(self.options.clone(), self.config.clone(), begins, cookies);
        let mut last = mem::replace(&mut self.connection, next);
        // What was not sent is kept: the next queue is as large as the last one.
        self.connection.machine().requeue(last.machine().take_unsent());
        let mut was_opened = mem::take(&mut self.opened);
        if last.look().has_messages() {
            self.past.push_back(Past::Session(Box::new(last), was_opened));
        } else {
            while let Some(event) = take_event(&mut last, &mut was_opened) {
                self.note(event);
            }
        }
        self.note(ClientEvent::Reconnecting { attempt, delay });
        self.begins = Some(begins);
        Settled::Again
    }

    /// Keeps something for the application, but not for ever.
    fn note(&mut self, event: ClientEvent) {
        let is_notice = |past: &Past| matches!(past, Past::Notice(event) if !matches!(event, ClientEvent::TooLarge(_)));
        if self.past.iter().filter(|past| is_notice(past)).count() >= MAX_NOTICES {
            if let Some(at) = self.past.iter().position(is_notice) {
                self.past.remove(at);
            }
        }
        self.past.push_back(Past::Notice(event));
    }

    /// Whether the application has so much to take that the next session has to wait: messages that were received, or as
    /// many bytes that were given back as the queue may hold.
    fn lags(&self) -> bool {
        let (mut sessions, mut bytes) = (0, 0);
        for past in &self.past {
            match past {
                Past::Session(..) => sessions += 1,
                Past::Notice(ClientEvent::TooLarge(data)) => bytes += data.len() + 64,
                Past::Notice(_) => {}
            }
        }
        sessions >= MAX_LEFT || bytes > self.config.max_queue
    }

    fn has_event(&self) -> bool {
        !self.past.is_empty() || self.connection.look().has_event() || self.over.is_some()
    }
}

/// The next event of a session.
fn take_event(connection: &mut Connection, opened: &mut bool) -> Option<ClientEvent> {
    loop {
        return Some(match connection.poll_event()? {
            Event::Opened(transport) => {
                *opened = true;
                let sid = connection.look().sid().cloned();
                let sid = sid.expect("a session that was opened has an id");
                ClientEvent::Opened { transport, sid }
            }
            Event::Message(data) => ClientEvent::Message(data),
            Event::Upgraded => ClientEvent::Upgraded,
            Event::UpgradeFailed => ClientEvent::UpgradeFailed(connection.take_upgrade_error()),
            Event::TooLarge(data) => ClientEvent::TooLarge(data),
            // Senders are woken by the driver.
            Event::Writable => continue,
            Event::Closed(closed) => match connection.take_error() {
                error if *opened => ClientEvent::Closed { closed, error },
                Some(error) => ClientEvent::Failed(error),
                // The application has given up connecting.
                None => continue,
            },
        });
    }
}

/// A stream of a client.
enum Lane<R: Runtime> {
    None,
    Dialing(BoxFuture<io::Result<Dialed<R::Stream>>>),
    Open {
        stream: Dialed<R::Stream>,
        output: Vec<u8>,
        /// How much of the output the stream has taken.
        written: usize,
    },
}

/// The task of one client.
pub(crate) struct ClientTask<R: Runtime> {
    runtime: R,
    shared: Arc<Shared>,
    dialer: Option<Dialer>,
    lanes: [Lane<R>; 3],
    sleep: Option<(Instant, Pin<Box<R::Sleep>>)>,
}

// Nothing in it is pinned but what is in boxes.
impl<R: Runtime> Unpin for ClientTask<R> {}

impl<R: Runtime> ClientTask<R> {
    pub(crate) fn new(runtime: R, shared: Arc<Shared>, dialer: Option<Dialer>) -> Self {
        Self {
            runtime,
            shared,
            dialer,
            lanes: [Lane::None, Lane::None, Lane::None],
            sleep: None,
        }
    }

    /// Whether the session may do anything yet.
    fn has_begun(&self, now: Instant) -> bool {
        let mut state = self.shared.lock();
        // A session that is closed before it begins is over at once.
        let closed = state.connection.look().closed().is_some();
        match state.begins {
            Some(begins) if !closed && (now < begins || state.lags()) => false,
            Some(_) => {
                // It may have had to wait for the application.
                state.connection.machine().handle_beginning(now);
                state.begins = None;
                true
            }
            None => true,
        }
    }

    /// Everything once; whether anything has happened.
    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> bool {
        let now = self.runtime.now();
        if !self.has_begun(now) {
            return false;
        }
        let mut busy = false;
        {
            let mut state = self.shared.lock();
            if state.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
                state.connection.handle_timeout(now);
                busy = true;
            }
        }
        for id in StreamId::ALL {
            busy |= self.connect(now, id, cx);
            busy |= self.read(id, cx, scratch);
            busy |= self.write(id, cx);
            self.drop_useless(id, cx);
        }
        busy
    }

    fn lane(&mut self, id: StreamId) -> &mut Lane<R> {
        &mut self.lanes[id as usize]
    }

    fn connect(&mut self, now: Instant, id: StreamId, cx: &mut Context<'_>) -> bool {
        let wanted = {
            let mut state = self.shared.lock();
            let wanted = state.connection.poll_connect(now, id);
            wanted.then(|| {
                let (host, port) = state.options.peer();
                DialTarget::new(host, port)
            })
        };
        let began = wanted.is_some();
        if let Some(target) = wanted {
            *self.lane(id) = Lane::Dialing(dial(self.runtime.clone(), self.dialer.as_ref(), target));
        }
        let Lane::Dialing(dialing) = self.lane(id) else {
            return began;
        };
        match dialing.as_mut().poll(cx) {
            Poll::Pending => return began,
            Poll::Ready(Ok(stream)) => {
                *self.lane(id) = Lane::Open {
                    stream,
                    output: Vec::new(),
                    written: 0,
                };
                let now = self.runtime.now();
                self.shared.lock().connection.handle_connected(now, id);
            }
            Poll::Ready(Err(error)) => {
                *self.lane(id) = Lane::None;
                let now = self.runtime.now();
                self.shared.lock().connection.handle_connect_failed(now, id, error);
            }
        }
        true
    }

    /// Reads once.
    fn read(&mut self, id: StreamId, cx: &mut Context<'_>, scratch: &mut Scratch) -> bool {
        let Lane::Open { stream, .. } = &mut self.lanes[id as usize] else {
            return false;
        };
        if !self.shared.lock().connection.wants_input(id) {
            return false;
        }
        let read = match stream.poll_read(cx, &mut scratch.input) {
            Poll::Pending => return false,
            Poll::Ready(read) => read,
        };
        let now = self.runtime.now();
        match read {
            Ok(0) => {
                self.lanes[id as usize] = Lane::None;
                self.shared.lock().connection.handle_end(now, id);
            }
            Ok(length) => {
                let input = &scratch.input[..length];
                self.shared.lock().connection.handle_input(now, id, input);
                scratch.handle_read(length);
            }
            Err(error) => self.fail(id, error),
        }
        true
    }

    /// Writes what there is to say, as far as the stream takes it, but leaves time for reading.
    fn write(&mut self, id: StreamId, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        for _ in 0..WRITES {
            let Lane::Open {
                stream,
                output,
                written,
            } = &mut self.lanes[id as usize]
            else {
                return busy;
            };
            if output.is_empty() {
                let now = self.runtime.now();
                self.shared.lock().connection.poll_transmit(now, id, output);
                if output.is_empty() {
                    return busy;
                }
            }
            let failed = loop {
                if *written == output.len() {
                    break None;
                }
                match stream.poll_write(cx, &output[*written..]) {
                    Poll::Ready(Ok(0)) => break Some(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(length)) => {
                        *written += length;
                        let now = self.runtime.now();
                        self.shared.lock().connection.handle_written(now);
                    }
                    Poll::Ready(Err(error)) => break Some(error),
                    // The stream will wake us.
                    Poll::Pending => {
                        self.shared.lock().connection.handle_stuck(id);
                        return busy;
                    }
                }
            };
            if let Some(error) = failed {
                self.fail(id, error);
                return true;
            }
            // An idle stream holds no buffer.
            *output = Vec::new();
            *written = 0;
            busy = true;
        }
        busy
    }

    fn fail(&mut self, id: StreamId, error: io::Error) {
        self.lanes[id as usize] = Lane::None;
        let now = self.runtime.now();
        self.shared.lock().connection.handle_failure(now, id, error);
    }

    /// Drops a stream that has no use any more.
    fn drop_useless(&mut self, id: StreamId, cx: &mut Context<'_>) {
        let wanted = {
            let state = self.shared.lock();
            state.connection.wants_stream(id) && !state.connection.is_finished()
        };
        if wanted {
            return;
        }
        if let Lane::Open { stream, .. } = self.lane(id) {
            // Whether or not it can be done now, the stream is dropped, which closes it too.
            let _closed = stream.poll_close(cx);
        }
        *self.lane(id) = Lane::None;
    }

    /// What follows from the end of a session; wakes whoever waits for what has happened.
    fn settle(&mut self) -> Settled {
        let now = self.runtime.now();
        let (settled, wakers) = {
            let mut state = self.shared.lock();
            let settled = state.settle(now);
            let mut wakers = Vec::new();
            if state.has_event() {
                wakers.extend(state.receiver.take());
            }
            let over = state.over.is_some();
            if over || !(state.connection.look().is_blocked() || state.goes_on()) {
                state.senders.take(&mut wakers);
            }
            let opened = state.ever_opened() && !state.told;
            if over || opened {
                state.told |= opened;
                state.watchers.take(&mut wakers);
            }
            (settled, wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        if settled == Settled::Again {
            self.lanes = [Lane::None, Lane::None, Lane::None];
        }
        settled
    }

    fn is_over(&self) -> bool {
        self.shared.lock().connection.look().closed().is_some()
    }

    /// Says on streams that lie idle that nothing more will come, as far as they take it at once.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        for id in StreamId::ALL {
            let _any = self.write(id, cx);
            self.drop_useless(id, cx);
        }
    }

    fn run(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        // Whoever does something from here on wakes the task.
        self.shared.lock().driver = Some(cx.waker().clone());
        for _ in 0..TURNS {
            let mut busy = self.turn(cx, scratch);
            // Before anybody hears of the end: the program may be over then.
            if self.is_over() {
                self.say_goodbye(cx);
            }
            match self.settle() {
                Settled::Going => {}
                Settled::Again => busy = true,
                Settled::Over => return Poll::Ready(()),
            }
            if !busy && self.sleep(cx).is_pending() {
                return Poll::Pending;
            }
        }
        // Others want to run too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sees to it that the task is called again in time.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let next = {
            let mut state = self.shared.lock();
            state.driver = Some(cx.waker().clone());
            match state.begins {
                Some(_) if state.lags() => None,
                Some(begins) => Some(begins),
                None => state.connection.poll_timeout(),
            }
        };
        let Some(next) = next else {
            self.sleep = None;
            return Poll::Pending;
        };
        if self.sleep.as_ref().is_none_or(|(until, _)| *until != next) {
            self.sleep = Some((next, Box::pin(self.runtime.sleep_until(next))));
        }
        let polled = match &mut self.sleep {
            Some((_, sleep)) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        };
        if polled.is_ready() {
            self.sleep = None;
        }
        polled
    }
}

impl<R: Runtime> Future for ClientTask<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = take_scratch();
        let polled = self.run(cx, &mut scratch);
        give_scratch_back(scratch);
        polled
    }
}

impl<R: Runtime> Drop for ClientTask<R> {
    /// A runtime that ends takes its tasks with it. Nobody should wait for this one then.
    fn drop(&mut self) {
        let now = self.shared.now();
        let wakers = {
            let mut state = self.shared.lock();
            if state.over.is_none() {
                state.leaving = true;
                state.connection.machine().abort(now);
                state.over = state.connection.look().closed();
            }
            let mut wakers = Vec::from_iter(state.receiver.take());
            state.senders.take(&mut wakers);
            state.watchers.take(&mut wakers);
            wakers
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
