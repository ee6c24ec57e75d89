//! The sessions of a server: found by their ids, watched by their deadlines, woken when there is something for them.

use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::vec::Vec;

use smallvec::SmallVec;

use super::seats::{Full, Seat, Seats};
use super::timers::{Alarm, AlarmGuard, Expire, TimerKey, Timers};
use super::witness::Sight;
#[cfg(feature = "tracing")]
use super::witness::{Glimpse, Witness, is_awake};
use crate::engineio::state::Phase;
use crate::engineio::{Carrier, Config, Data, ErrorCode, Event, Refusal, ReqId, SendError, Session, Sid, Version};
use crate::http::{Endpoint, RequestView};
use crate::time::Instant;

/// In how many parts the sessions are kept, so that threads seldom meet.
const SHARDS: usize = 16;

/// How often an application is asked for another id, where there is a session of that one already.
const TRIES: usize = 8;

/// What a connection may take, before and beside any session, and how many there may be. Sizes are bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The head of a request. 8,192.
    pub max_head: usize,
    /// How long a head may take from its first byte, and a new connection for its first head. 10 s.
    pub head_timeout: Duration,
    /// How long a body may take. 60 s.
    pub body_timeout: Duration,
    /// How long a connection may be without a request. 75 s: longer than the ping interval, so that a client's
    /// connection for POSTs survives from pong to pong.
    pub idle_timeout: Duration,
    /// How long to wait for the peer to end a connection which is over for us. 2 s.
    pub linger_timeout: Duration,
    /// How long a peer may take none of what is written to it. 45 s.
    pub write_timeout: Duration,
    /// How many sessions there may be at a time. Who comes then gets 503. 1,000,000.
    pub max_sessions: Option<usize>,
    /// How many of them for one address (of IPv6: one network of 64 bits). Who comes then gets 429. No limit.
    ///
    /// The address is the TCP connection's, and behind a proxy so is everybody's: set
    /// [trusted proxies](crate::http::TrustedProxies) first, or all of them together have only so many. Where a trusted proxy
    /// does not say whom it was asked by, nobody is counted.
    pub max_sessions_per_address: Option<usize>,
    /// How many connections there may be at a time. Who comes then gets 503, or is hung up on where too many others wait to
    /// be told that. 1,000,000; what the operating system allows a process is often less.
    pub max_connections: Option<usize>,
    /// How many of them from one address. Who comes then gets 429. No limit. Trusted proxies are not counted: there is one
    /// address for many people.
    pub max_connections_per_address: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head: 8192,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            linger_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(45),
            max_sessions: Some(1_000_000),
            max_sessions_per_address: None,
            max_connections: Some(1_000_000),
            max_connections_per_address: None,
        }
    }
}

/// Where unpredictable bytes come from.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// Counts of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions there are now, those included that the application has not accepted yet.
    pub sessions: u64,
    /// Sessions there ever were.
    pub opened: u64,
    /// Sessions that are over.
    pub closed: u64,
    /// Messages that the application has taken.
    pub received: u64,
    /// Messages that were handed to a transport.
    pub sent: u64,
    /// Connections that did not come through the TLS handshake.
    pub failed_handshakes: u64,
    /// Panics of the application's code, which were contained: its handlers, for sessions and for other paths.
    pub handler_panics: u64,
    /// Errors that handlers have returned. One that says no more than that the client has gone is none.
    pub handler_errors: u64,
}

/// The sessions of one server, and what all its connections share.
///
/// `E` is what a driver wants to keep beside each session.
pub struct Hub<E> {
    pub(super) config: Arc<Config>,
    pub(super) endpoint: Endpoint,
    pub(super) limits: Limits,
    /// Whether connect handlers want to see requests.
    pub(super) keeps_requests: bool,
    /// Whether requests for other paths are handed to the driver, instead of being answered with 404.
    pub(super) has_fallback: bool,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<super::tls::Acceptor>,
    shards: Vec<Shard<E>>,
    session_seats: Arc<Seats>,
    connection_seats: Arc<Seats>,
    /// For those who are only told that there is no place for them.
    standing: Arc<Seats>,
    timers: Arc<Timers>,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    entropy: Mutex<Entropy>,
    next_request: AtomicU64,
    next_session: AtomicU64,
    next_connection: AtomicU64,
    closing: AtomicBool,
    /// Waits for the last session to end.
    waiting: Mutex<Option<Waker>>,
    opened: AtomicU64,
    closed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    handler_panics: AtomicU64,
    handler_errors: AtomicU64,
    #[cfg(feature = "tracing")]
    witness: Option<Witness<E>>,
    /// Who seems to be a proxy that nobody has named, once that has shut somebody out; and whether the driver knows.
    suspect: OnceLock<IpAddr>,
    suspect_told: AtomicBool,
}

struct Shard<E> {
    sessions: Mutex<HashMap<Sid, Arc<Cell<E>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a machine is a bug of ours, and its session is lost; the others go on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E> fmt::Debug for Hub<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl<E: Send + Sync + 'static> Hub<E> {
    /// A server without sessions. `clock` is the driver's, and the only one that its sessions know.
    pub fn new(
        config: Config,
        endpoint: Endpoint,
        limits: Limits,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
        entropy: Entropy,
    ) -> Self {
        Self {
            config: Arc::new(config),
            endpoint,
            keeps_requests: false,
            has_fallback: false,
            #[cfg(feature = "tls")]
            tls: None,
            shards: (0..SHARDS)
                .map(|_| Shard {
                    sessions: Mutex::default(),
                })
                .collect(),
            session_seats: Seats::new(limits.max_sessions, limits.max_sessions_per_address),
            connection_seats: Seats::new(limits.max_connections, limits.max_connections_per_address),
            standing: Seats::new(
                Some(limits.max_connections.map_or(64, |max| (max / 16).clamp(4, 64))),
                None,
            ),
            limits,
            timers: Arc::new(Timers::new(SHARDS)),
            clock: Box::new(clock),
            entropy: Mutex::new(entropy),
            next_request: AtomicU64::new(0),
            next_session: AtomicU64::new(0),
            next_connection: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            waiting: Mutex::new(None),
            opened: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            handler_panics: AtomicU64::new(0),
            handler_errors: AtomicU64::new(0),
            #[cfg(feature = "tracing")]
            witness: None,
            suspect: OnceLock::new(),
            suspect_told: AtomicBool::new(false),
        }
    }

    /// Shows what there is to see to whoever writes a log.
    #[cfg(feature = "tracing")]
    pub(crate) fn with_witness(mut self, witness: Witness<E>) -> Self {
        self.witness = Some(witness);
        self
    }

    /// The application's code has panicked.
    pub(crate) fn count_panic(&self) {
        self.handler_panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Where the server lives, and who may come.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Hands requests that open a session to the driver, in [`ConnectionEvent::Opened`](super::ConnectionEvent).
    #[must_use]
    pub fn keep_requests(mut self, keep: bool) -> Self {
        self.keeps_requests = keep;
        self
    }

    /// Hands requests for other paths to the driver, in [`ConnectionEvent::Fallback`](super::ConnectionEvent).
    #[must_use]
    pub fn with_fallback(mut self, has_fallback: bool) -> Self {
        self.has_fallback = has_fallback;
        self
    }

    /// Lets every connection begin with a TLS handshake.
    #[must_use]
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: Option<super::tls::Acceptor>) -> Self {
        self.tls = tls;
        self
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    pub(super) fn next_request(&self) -> ReqId {
        ReqId(self.next_request.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a session with a new id, which waits to be accepted.
    #[cfg(test)]
    pub(super) fn open(self: &Arc<Self>, now: Instant, carrier: Carrier, extra: E) -> Arc<Cell<E>> {
        let sid = self.draw_sid();
        self.insert(Version::V4, now, carrier, extra, sid, (None, None))
            .unwrap_or_else(|_| unreachable!("ids are not drawn twice"))
    }

    /// Makes a session for a request, where the application and the limits allow it.
    ///
    /// # Errors
    /// What the client is told instead.
    pub(super) fn open_for(
        self: &Arc<Self>,
        version: Version,
        now: Instant,
        carrier: Carrier,
        mut extra: E,
        request: &RequestView<'_>,
    ) -> Result<Arc<Cell<E>>, Refusal> {
        let terms = self.endpoint.terms();
        let declined = |refusal: Refusal| {
            self.show(|| Sight::Declined {
                peer: request.peer,
                status: refusal.status(),
            });
            refusal
        };
        terms.allow(request).map_err(declined)?;
        let client = terms.proxies().client(request);
        let seat = self
            .session_seats
            .take(terms.proxies().counted(request))
            .map_err(|full| {
                self.note_full(full, request);
                self.show(|| Sight::Full {
                    peer: client,
                    status: full.status(),
                    sessions: true,
                });
                Refusal::new(full.status()).message("Too many sessions")
            });
        let mut seat = Some(seat?);
        for _ in 0..TRIES {
            let sid = match terms.session_id(request) {
                Some(made) => made.map_err(|code| declined(Refusal::of(code)))?,
                None => self.draw_sid(),
            };
            match self.insert(version, now, carrier, extra, sid, (client, seat.take())) {
                Ok(cell) => return Ok(cell),
                Err((given_back, seat_back)) => (extra, seat) = (given_back, seat_back),
            }
        }
        Err(Refusal::of(ErrorCode::BadRequest))
    }

    fn draw_sid(&self) -> Sid {
        let mut entropy = [0; 15];
        lock(&self.entropy)(&mut entropy);
        Sid::from_entropy(entropy)
    }

    /// Puts a session in its place; gives back what it should hold where there is one of this id already.
    fn insert(
        self: &Arc<Self>,
        version: Version,
        now: Instant,
        carrier: Carrier,
        extra: E,
        sid: Sid,
        (client, seat): (Option<IpAddr>, Option<Seat>),
    ) -> Result<Arc<Cell<E>>, (E, Option<Seat>)> {
        let shard = shard_of(sid.as_str());
        let mut sessions = lock(&self.shards[shard].sessions);
        if sessions.contains_key(&sid) {
            return Err((extra, seat));
        }
        let cell = Arc::new(Cell {
            extra,
            shard,
            number: self.next_session.fetch_add(1, Ordering::Relaxed),
            hub: self.clone(),
            client,
            opened: now,
            state: Mutex::new(CellState {
                session: Session::of(version, self.config.clone(), now, sid.clone(), carrier),
                seat,
                parked: SmallVec::new(),
                reader: None,
                mourner: None,
                senders: BTreeMap::new(),
                next_sender: 0,
                key: None,
                scheduled: None,
                forgotten: false,
                counted: 0,
            }),
        });
        sessions.insert(sid, cell.clone());
        drop(sessions);
        // It can not have ended meanwhile: its carrier, which is the caller, would have to be told first.
        let key = self.timers.register(shard, cell.clone());
        lock(&cell.state).key = Some(key);
        self.opened.fetch_add(1, Ordering::Relaxed);
        // Its first deadline. And where the server was closed since the caller has asked, nobody else refuses it.
        cell.with(|session| {
            if self.is_closing() {
                session.refuse(now, Refusal::new(503));
            }
        });
        Ok(cell)
    }

    /// Somebody has got no place. Where a limit per address is why, and who asks passes on requests of others, all of those
    /// have one address: whoever runs the server has to see that.
    pub(super) fn note_full(&self, full: Full, request: &RequestView<'_>) {
        let passes_on = || request.header("x-forwarded-for").is_some();
        if let Some(peer) = request.peer.filter(|_| full == Full::Address && passes_on()) {
            if !self.endpoint.terms().proxies().trusts(peer) {
                // The first one will do.
                let _known = self.suspect.set(peer);
            }
        }
    }

    /// The address of a proxy that nobody has named and that has shut somebody out, once.
    pub(super) fn take_suspect(&self) -> Option<IpAddr> {
        let suspect = *self.suspect.get()?;
        (!self.suspect_told.swap(true, Ordering::Relaxed)).then_some(suspect)
    }

    /// A place for a connection from this address.
    pub(super) fn admit(&self, peer: IpAddr) -> Admission {
        let counted = (!self.endpoint.terms().proxies().trusts(peer)).then_some(peer);
        match self.connection_seats.take(counted) {
            Ok(seat) => Admission::Seat(seat),
            Err(full) => {
                self.show(|| Sight::Full {
                    peer: Some(peer),
                    status: full.status(),
                    sessions: false,
                });
                match self.standing.take(None) {
                    Ok(seat) => Admission::Standing(seat, full),
                    Err(_) => Admission::None,
                }
            }
        }
    }

    /// The session of this id, if there is one.
    pub fn session(&self, sid: &str) -> Option<Arc<Cell<E>>> {
        let sid = Sid::new(sid)?;
        lock(&self.shards[shard_of(sid.as_str())].sessions).get(&sid).cloned()
    }

    /// All sessions, in the order in which they were opened.
    pub fn sessions(&self) -> Vec<Arc<Cell<E>>> {
        let mut cells = Vec::new();
        for shard in &self.shards {
            cells.extend(lock(&shard.sessions).values().cloned());
        }
        cells.sort_unstable_by_key(|cell| cell.number);
        cells
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        let opened = self.opened.load(Ordering::Relaxed);
        let mut stats = Stats {
            sessions: 0,
            opened,
            closed: self.closed.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            failed_handshakes: self.failed_handshakes.load(Ordering::Relaxed),
            handler_panics: self.handler_panics.load(Ordering::Relaxed),
            handler_errors: self.handler_errors.load(Ordering::Relaxed),
        };
        for cell in self.sessions_unordered() {
            let state = lock(&cell.state);
            stats.sessions += 1;
            stats.received += state.session.received();
            stats.sent += state.session.sent();
        }
        stats
    }

    fn sessions_unordered(&self) -> Vec<Arc<Cell<E>>> {
        let mut cells = Vec::new();
        for shard in &self.shards {
            cells.extend(lock(&shard.sessions).values().cloned());
        }
        cells
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| lock(&shard.sessions).is_empty())
    }

    /// Ready when there is no session.
    pub fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        *lock(&self.waiting) = Some(cx.waker().clone());
        if self.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ends all sessions in order; from now on none is opened.
    pub fn close(&self, now: Instant) {
        self.closing.store(true, Ordering::SeqCst);
        for cell in self.sessions() {
            cell.with(|session| session.close(now));
        }
    }

    /// Ends all sessions at once; from now on none is opened.
    pub fn abort(&self, now: Instant) {
        self.closing.store(true, Ordering::SeqCst);
        for cell in self.sessions() {
            cell.with(|session| session.abort(now));
        }
    }

    /// Whether [`close`](Self::close) or [`abort`](Self::abort) was called.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `waker` is woken where that becomes earlier.
    pub fn poll_timeout(&self, waker: &Waker) -> Option<Instant> {
        self.timers.poll_timeout(waker)
    }

    /// Does what is due, in all sessions and connections.
    pub fn handle_timeout(&self, now: Instant) {
        self.timers.handle_timeout(now);
    }

    pub(super) fn alarm(&self) -> AlarmGuard {
        let number = self.next_connection.fetch_add(1, Ordering::Relaxed);
        Alarm::register(&self.timers, (number % SHARDS as u64) as usize)
    }

    fn forget(&self, cell: &Cell<E>, sid: &Sid, key: Option<TimerKey>, received: u64, sent: u64) {
        let gone = lock(&self.shards[cell.shard].sessions).remove(sid);
        if let Some(key) = key {
            self.timers.remove(cell.shard, key);
        }
        self.received.fetch_add(received, Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.closed.fetch_add(1, Ordering::Relaxed);
        drop(gone);
        if self.is_closing() && self.is_empty() {
            let waiting = lock(&self.waiting).take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl<E> Hub<E> {
    /// Shows something to whoever writes a log, if anybody does.
    #[cfg(feature = "tracing")]
    pub(super) fn show<'a>(&self, sight: impl FnOnce() -> Sight<'a, E>)
    where
        E: 'a,
    {
        if let Some(witness) = &self.witness {
            witness(sight());
        }
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn show<'a>(&self, _sight: impl FnOnce() -> Sight<'a, E>)
    where
        E: 'a,
    {
    }
}

/// Whether a connection is served.
pub(super) enum Admission {
    /// It is.
    Seat(Seat),
    /// It is only told why not.
    Standing(Seat, Full),
    /// It is not even told.
    None,
}

/// Not a secret hash: ids are unpredictable already. The same everywhere, so that a simulation can be replayed.
fn shard_of(sid: &str) -> usize {
    let hash = sid.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash % SHARDS as u64) as usize
}

/// One session in a hub: its machine under a lock, and who waits for what.
///
/// The lock is never held while a waker is called, and never together with another session's.
pub struct Cell<E> {
    /// What the driver keeps beside the session.
    pub extra: E,
    shard: usize,
    number: u64,
    hub: Arc<Hub<E>>,
    client: Option<IpAddr>,
    opened: Instant,
    state: Mutex<CellState>,
}

struct CellState {
    session: Session,
    /// Its place among the sessions that there may be.
    seat: Option<Seat>,
    parked: SmallVec<[Parked; 1]>,
    reader: Option<Waker>,
    /// Who takes nothing at the moment, and wants to know of the end.
    mourner: Option<Waker>,
    /// Those who wait for room, in the order in which they came.
    senders: BTreeMap<u64, Waker>,
    next_sender: u64,
    key: Option<TimerKey>,
    /// When the heap has the session looked at next.
    scheduled: Option<Instant>,
    /// It is finished, and the hub knows nothing of it any more.
    forgotten: bool,
    /// How many of the messages taken after that the hub has been told of, and those before.
    counted: u64,
}

/// A carrier that has nothing to do until the session has something for it.
struct Parked {
    carrier: Carrier,
    /// It could not write what it has: nothing to transmit is of use to it.
    stuck: bool,
    /// It does not read either, until the session wants input again.
    deaf: bool,
    waker: Waker,
}

impl<E> fmt::Debug for Cell<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl<E: Send + Sync + 'static> Cell<E> {
    /// Works on the session; then wakes whoever has something to do because of it.
    pub fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> T {
        self.run(|state| work(&mut state.session))
    }

    /// Looks at the session, without changing it.
    pub fn look<T>(&self, look: impl FnOnce(&Session) -> T) -> T {
        look(&lock(&self.state).session)
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.hub.now()
    }

    /// The address of whoever has opened the session, where it is known:
    /// [`Request::client`](crate::http::Request::client).
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// How long ago the session was asked for.
    pub fn age(&self) -> Duration {
        self.now().saturating_duration_since(self.opened)
    }

    /// The application's code for this session has panicked.
    pub(crate) fn count_panic(&self) {
        self.hub.count_panic();
    }

    /// A handler of this session has returned an error.
    pub(crate) fn count_error(&self) {
        self.hub.handler_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// The client has broken the rules. Not to be called while the session is worked on.
    pub(super) fn show_violation(&self, violation: &dyn fmt::Display) {
        self.hub.show(|| Sight::Violation(&self.extra, violation));
    }

    /// A deadline for what is above the session, kept with all the others of the server.
    pub(crate) fn alarm(&self) -> CellAlarm {
        CellAlarm(Alarm::register(&self.hub.timers, self.shard))
    }

    fn run<T>(&self, work: impl FnOnce(&mut CellState) -> T) -> T {
        let mut wakers: SmallVec<[Waker; 4]> = SmallVec::new();
        let mut state = lock(&self.state);
        #[cfg(feature = "tracing")]
        let before = self
            .hub
            .witness
            .as_ref()
            .filter(|_| is_awake())
            .map(|witness| (witness, Glimpse::of(&state.session)));
        let result = work(&mut state);
        #[cfg(feature = "tracing")]
        let change = before.map(|(witness, before)| (witness, before.compare(&state.session)));

        let CellState {
            session,
            parked,
            reader,
            mourner,
            senders,
            ..
        } = &mut *state;
        if !parked.is_empty() {
            parked.retain(|carrier| {
                let wakes = (!carrier.stuck && session.has_transmit(carrier.carrier))
                    || (carrier.deaf && session.wants_input());
                if wakes {
                    wakers.push(carrier.waker.clone());
                }
                !wakes
            });
        }
        if reader.is_some() && session.has_event() {
            wakers.extend(reader.take());
        }
        if mourner.is_some() && session.closed().is_some() {
            wakers.extend(mourner.take());
        }
        if !senders.is_empty() && may_send(session) {
            wakers.extend(core::mem::take(senders).into_values());
        }
        let deadline = session.poll_timeout();
        let schedule = match (deadline, state.scheduled, state.key) {
            (Some(at), scheduled, Some(key)) if scheduled.is_none_or(|scheduled| at < scheduled) => {
                state.scheduled = Some(at);
                Some((key, at))
            }
            _ => None,
        };
        if state.forgotten {
            // What came before the end can be taken after it.
            let taken = state.session.received() - state.counted;
            state.counted += taken;
            self.hub.received.fetch_add(taken, Ordering::Relaxed);
        }
        let finished = state.session.is_finished() && !state.forgotten;
        let farewell = finished.then(|| {
            state.forgotten = true;
            state.counted = state.session.received();
            let (key, seat) = (state.key.take(), state.seat.take());
            let session = &state.session;
            (session.sid().clone(), key, session.received(), session.sent(), seat)
        });
        drop(state);

        #[cfg(feature = "tracing")]
        if let Some((witness, change)) = change {
            change.show(witness, &self.extra);
        }
        if let Some((key, at)) = schedule {
            self.hub.timers.schedule(self.shard, key, at);
        }
        if let Some((sid, key, received, sent, seat)) = farewell {
            drop(seat);
            self.hub.forget(self, &sid, key, received, sent);
        }
        for waker in wakers {
            waker.wake();
        }
        result
    }

    /// Lets a carrier sleep until the session has something for it; answers `false` where it has already. A carrier whose
    /// output is `stuck` waits for its stream, and not for more. One that is `deaf` was told not to read, and sleeps until
    /// the session wants input again.
    pub fn park(&self, carrier: Carrier, stuck: bool, deaf: bool, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        // Messages may have been taken since the carrier was told not to read.
        if (!stuck && state.session.has_transmit(carrier)) || (deaf && state.session.wants_input()) {
            return false;
        }
        match state.parked.iter_mut().find(|parked| parked.carrier == carrier) {
            Some(parked) => {
                parked.stuck = stuck;
                parked.deaf = deaf;
                if !parked.waker.will_wake(waker) {
                    parked.waker = waker.clone();
                }
            }
            None => state.parked.push(Parked {
                carrier,
                stuck,
                deaf,
                waker: waker.clone(),
            }),
        }
        true
    }

    /// The carrier has gone: nobody needs to wake it.
    pub(super) fn unpark(&self, carrier: Carrier) {
        lock(&self.state).parked.retain(|parked| parked.carrier != carrier);
    }

    /// The next event for the application. After [`Event::Closed`] has been handed out: `None`, for ever.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.run(|state| match state.session.poll_event() {
            Some(event) => {
                state.reader = None;
                Poll::Ready(Some(event))
            }
            None if state.session.closed().is_some() => Poll::Ready(None),
            None => {
                if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                    state.reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        })
    }

    /// Ready when the session is over, whatever there is to take still.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.session.closed().is_some() {
            return Poll::Ready(());
        }
        if !state
            .mourner
            .as_ref()
            .is_some_and(|mourner| mourner.will_wake(cx.waker()))
        {
            state.mourner = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Queues a message, once there is room. `place` is where the sender waits: `None` at first; whoever gives up hands it
    /// to [`give_up_sending`](Self::give_up_sending).
    ///
    /// # Errors
    /// Gives the message back where no waiting helps.
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        data: &mut Option<Data>,
        place: &mut Option<u64>,
    ) -> Poll<Result<(), SendError>> {
        let Some(message) = data.take() else {
            return Poll::Ready(Ok(()));
        };
        self.run(|state| match state.session.send(message) {
            Err(SendError::Full(message)) => {
                *data = Some(message);
                let place = *place.get_or_insert_with(|| {
                    state.next_sender += 1;
                    state.next_sender
                });
                state.senders.insert(place, cx.waker().clone());
                Poll::Pending
            }
            result => {
                if let Some(place) = place.take() {
                    state.senders.remove(&place);
                }
                Poll::Ready(result)
            }
        })
    }

    /// Nobody waits at this place any more.
    pub fn give_up_sending(&self, place: u64) {
        let gone = lock(&self.state).senders.remove(&place);
        drop(gone);
    }
}

/// A deadline of whoever runs on a session. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct CellAlarm(AlarmGuard);

impl CellAlarm {
    /// Wakes `waker` when `deadline` has come; replaces what was set before.
    pub(crate) fn set(&self, deadline: Option<Instant>, waker: &Waker) {
        self.0.0.set(deadline, waker);
    }
}

fn may_send(session: &Session) -> bool {
    !session.is_blocked() || matches!(session.phase(), Phase::Closing | Phase::Closed)
}

impl<E: Send + Sync + 'static> Expire for Cell<E> {
    fn expire(&self, at: Instant, now: Instant) {
        self.run(|state| {
            if state.scheduled == Some(at) {
                state.scheduled = None;
                state.session.handle_timeout(now);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::engineio::{Input, Packet, Transmit};

    fn hub(config: Config) -> (Arc<Hub<()>>, Arc<AtomicU64>) {
        let micros = Arc::new(AtomicU64::new(0));
        let clock = {
            let micros = micros.clone();
            move || Instant::from_micros(micros.load(Ordering::Relaxed))
        };
        let mut next = 0_u8;
        let entropy = Box::new(move |bytes: &mut [u8]| {
            next += 1;
            bytes.fill(next);
        });
        let hub = Hub::new(config, Endpoint::default(), Limits::default(), clock, entropy);
        (Arc::new(hub), micros)
    }

    #[test]
    fn a_session_that_lives_long_costs_no_more_timers() {
        let config = Config {
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(20),
            ..Config::default()
        };
        let (hub, micros) = hub(config);
        let cell = hub.open(hub.now(), Carrier::WebSocket, ());
        cell.with(|session| session.accept(Instant::from_micros(0)));
        let mut pings = 0;
        for second in 0..100_000 {
            micros.store(second * 1_000_000, Ordering::Relaxed);
            let now = hub.now();
            hub.handle_timeout(now);
            while let Some(transmit) = cell.with(|session| session.poll_transmit(now, Carrier::WebSocket)) {
                if matches!(transmit, Transmit::Packet(Packet::Ping(_))) {
                    pings += 1;
                    let pong = Input::WsText("3".into());
                    cell.with(|session| session.handle_input(now, pong))
                        .expect("a pong is welcome");
                }
            }
        }
        assert_eq!(pings, 9_999);
        assert!(hub.timers.len() <= 4, "{} entries", hub.timers.len());
        cell.with(|session| session.abort(hub.now()));
        assert!(!hub.is_empty(), "the WebSocket has not been told");
        let last = cell.with(|session| session.poll_transmit(hub.now(), Carrier::WebSocket));
        assert_eq!(last, Some(Transmit::Close));
        assert!(hub.is_empty());
        assert_eq!(hub.timers.len(), 0);
    }

    #[test]
    fn whoever_gives_up_sending_leaves_nothing() {
        let config = Config {
            max_queue: 1000,
            ..Config::default()
        };
        let (hub, _) = hub(config);
        let cell = hub.open(hub.now(), Carrier::WebSocket, ());
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let (mut data, mut place) = (Some(Data::from(String::from_utf8_lossy(&[b'a'; 900]).as_ref())), None);
            if cell.poll_send(&mut cx, &mut data, &mut place).is_pending() {
                assert!(data.is_some(), "it has the message still");
                cell.give_up_sending(place.expect("it waits"));
            }
        }
        assert!(lock(&cell.state).senders.is_empty());
    }

    #[test]
    fn no_session_is_opened_while_closing() {
        let (hub, _) = hub(Config::default());
        hub.close(hub.now());
        let cell = hub.open(hub.now(), Carrier::WebSocket, ());
        let transmit = cell.with(|session| session.poll_transmit(hub.now(), Carrier::WebSocket));
        assert!(matches!(transmit, Some(Transmit::Refuse(_))), "{transmit:?}");
        assert!(hub.is_empty());
    }
}
