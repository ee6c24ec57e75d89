//! The client's side of a session, over both transports.
//!
//! [`Client`] is the machine; [`Config`] its limits and times. It asks for HTTP requests and WebSockets, and never makes
//! them: whoever drives it does.

mod config;
mod exchange;
mod polling;
#[cfg(test)]
mod tests;
mod websocket;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::payload::Packets;
use super::state::{Path, PathCause, Phase, PhaseCause};
use super::{
    CloseReason, Closed, Data, Handshake, Packet, PacketError, ReqId, SendError, Sid, Str, Transport, Violation,
};
use crate::time::Instant;
pub use config::Config;
use config::SHORTEST;
pub use exchange::{Event, Input, Request, Transmit};
use polling::{Ending, Post};

/// What is known of the client's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    /// It is to be opened: [`Request::WebSocket`] has not been taken.
    Wanted,
    Opening,
    Attached,
    /// It is to end: [`Transmit::Close`] has not been taken.
    Ending,
    /// It is to end, whoever drives it knows; [`Input::WsClosed`] has not come.
    Ended,
}

/// Whether the application keeps up with what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stall {
    None,
    /// It does not; the session ends at this time, unless a message was taken since the time was set.
    Until {
        deadline: Instant,
        progress: bool,
    },
    /// It does again, and nobody has said since what time it is.
    Over,
}

/// The client's side of one session: handshake, both transports, the upgrade between them, heartbeat, queues, end.
///
/// A client is born *connecting*: it tries the transports of its [`Config`] until the server's open packet comes. Messages
/// can be sent at once; they wait.
///
/// The methods are of four kinds:
///
/// - [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout): something happened. Calls
///   without a cause do nothing.
/// - [`poll_request`](Self::poll_request), [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
///   [`poll_timeout`](Self::poll_timeout): what the client wants. Ask until the answer is `None`.
/// - [`send`](Self::send), [`close`](Self::close), [`abort`](Self::abort), [`discard_input`](Self::discard_input): the
///   application's commands.
/// - getters.
///
/// The order of calls between two of these never changes what anything means. Time must not run backwards.
///
/// ```
/// use sansocket::engineio::client::{Client, Config, Event, Input, Request};
/// use sansocket::time::Instant;
///
/// let now = Instant::from_micros(0);
/// let mut client = Client::new(Config::default(), now);
/// client.send("hello".into())?;
///
/// // 1. It asks for a GET; whoever makes it brings the answer back.
/// let Some(Request::Get(first)) = client.poll_request(now) else { panic!("it begins with polling") };
/// let open = r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// client.handle_input(now, Input::Response(first, open.into()))?;
///
/// // 2. What it means.
/// assert!(matches!(client.poll_event(), Some(Event::Opened(_))));
///
/// // 3. What it wants next: another GET that waits, and a POST with what was sent.
/// assert!(matches!(client.poll_request(now), Some(Request::Get(_))));
/// let Some(Request::Post(post, body)) = client.poll_request(now) else { panic!("a message waits") };
/// assert_eq!(&body[..], b"4hello");
/// client.handle_input(now, Input::Response(post, "ok".into()))?;
///
/// // 4. One deadline: without a ping, the session ends after 45 s.
/// assert_eq!(client.poll_timeout(), Some(Instant::from_micros(45_000_000)));
/// # Ok::<(), sansocket::Error>(())
/// ```
///
/// # What is promised
/// Messages arrive in order and at most once: no request is ever repeated. [`Closed`] counts those that did not arrive,
/// or may not have.
#[derive(Debug)]
pub struct Client {
    config: Arc<Config>,
    phase: Phase,
    path: Path,
    link: Link,
    /// Which of the transports is tried, or has opened the session.
    attempt: usize,
    /// What became of the first transport, once another is tried.
    first_failure: Option<CloseReason>,
    handshake: Option<Handshake>,
    /// The end of patience while connecting and while closing, and with a WebSocket that does not take its last frame.
    phase_deadline: Instant,
    /// While closing: the end of patience with one message of which some bytes still move.
    closing_limit: Instant,
    /// The end of patience with a WebSocket that is being tried.
    probe_deadline: Instant,
    /// The next ping is late after this.
    watchdog: Instant,
    last_req: u64,
    get: Option<ReqId>,
    post: Option<Post>,
    /// The session is over but for one answer that is under way.
    ending: Option<Ending>,
    /// The first GET, and what it asked for, has not been asked for.
    wants_handshake: bool,
    /// `2probe` waits to be sent.
    wants_probe: bool,
    /// The close packet was handed to a transport.
    close_handed: bool,
    /// The pong to the latest ping waits to be sent.
    pong: Option<Str>,
    outbox: Outbox,
    inbox: Inbox,
    too_large: VecDeque<Data>,
    stall: Stall,
    received: u64,
    opened: Option<Transport>,
    upgraded: bool,
    upgrade_failed: bool,
    writable: bool,
    closed: Option<Closed>,
    closed_reported: bool,
}

impl Client {
    /// A client that wants to connect.
    pub fn new(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        let config = config.into();
        let mut client = Self {
            phase: Phase::Accepting,
            path: Path::Polling,
            link: Link::None,
            attempt: 0,
            first_failure: None,
            handshake: None,
            phase_deadline: now + config.connect_timeout.max(SHORTEST),
            closing_limit: now,
            probe_deadline: now,
            watchdog: now,
            last_req: 0,
            get: None,
            post: None,
            ending: None,
            wants_handshake: false,
            wants_probe: false,
            close_handed: false,
            pong: None,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            too_large: VecDeque::new(),
            stall: Stall::None,
            received: 0,
            opened: None,
            upgraded: false,
            upgrade_failed: false,
            writable: false,
            closed: None,
            closed_reported: false,
            config,
        };
        client.try_transport();
        client
    }

    // ---- the application's commands ----

    /// Queues a message.
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`]. What is too large for the server is found out here if the server's
    /// limit is known already, and told by [`Event::TooLarge`] if it is not.
    pub fn send(&mut self, data: Data) -> Result<(), SendError> {
        match self.phase {
            Phase::Accepting | Phase::Open => {
                if !self.may_fit(&data) {
                    return Err(SendError::TooLarge(data));
                }
                let result = self.outbox.push(data, self.config.max_queue);
                if matches!(result, Err(SendError::Full(_))) {
                    // The room that was to be reported is used up.
                    self.writable = false;
                }
                result
            }
            Phase::Closing | Phase::Closed => Err(SendError::Closed(data)),
        }
    }

    /// Ends the session in order: what is queued goes out, then a close packet. Messages that still arrive can be taken.
    ///
    /// A client that is still connecting gives up at once.
    pub fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Accepting => self.end(now, CloseReason::ClientDisconnect),
            Phase::Open => {
                self.advance(PhaseCause::Close);
                self.note_closing(now);
                if self.path == Path::Probed {
                    // Before anything can move, the last poll must come to its end.
                    self.phase_deadline = self.phase_deadline.max(self.probe_deadline + self.config.close_timeout);
                }
                // Once the probe was answered, the server polls with us no more: it is told on the WebSocket.
                if matches!(self.path, Path::Polling | Path::Probing) {
                    self.give_up_websocket();
                }
            }
            Phase::Closing | Phase::Closed => {}
        }
        self.assert_invariants();
    }

    /// Ends the session at once. What is queued is not sent.
    pub fn abort(&mut self, now: Instant) {
        self.end(now, CloseReason::ClientDisconnect);
        self.assert_invariants();
    }

    /// The application will not take any more messages: drops those that wait and those that come, instead of waiting
    /// for somebody to take them. The session goes on.
    pub fn discard_input(&mut self) {
        self.inbox.discard();
        self.note_progress();
        self.assert_invariants();
    }

    /// Once the session is closed: the messages that were never handed to a transport, in order.
    pub fn take_unsent(&mut self) -> impl Iterator<Item = Data> + '_ {
        let closed = self.phase == Phase::Closed;
        core::iter::from_fn(move || if closed { self.outbox.take() } else { None })
    }

    /// Queues what an earlier session has left unsent. A queue of the same size has held it, so there is room for it: give
    /// it back before anything else is sent, and to a client with the same configuration.
    pub fn requeue(&mut self, unsent: impl IntoIterator<Item = Data>) {
        if self.phase != Phase::Closed {
            unsent.into_iter().for_each(|data| self.outbox.take_over(data));
        }
    }

    /// What turned out to be too large for the server, in place of [`Event::TooLarge`].
    pub fn take_too_large(&mut self) -> impl Iterator<Item = Data> + '_ {
        self.too_large.drain(..)
    }

    // ---- what happened ----

    /// Something happened on the wire.
    ///
    /// # Errors
    /// The server broke the protocol. The client has already drawn the consequences; this is for whoever wants to know
    /// why.
    pub fn handle_input(&mut self, now: Instant, input: Input) -> Result<(), Violation> {
        self.tick(now);
        let result = match input {
            Input::Response(req, body) => self.handle_response(now, req, body),
            Input::Refused(req) => self.handle_lost(now, req, CloseReason::Refused),
            Input::Failed(req) => self.handle_lost(now, req, CloseReason::TransportError),
            Input::WsOpen => self.handle_ws_open(),
            Input::WsText(text) => self.handle_ws_text(now, text),
            Input::WsBinary(bytes) => self.handle_ws_binary(now, bytes),
            Input::WsRefused => self.handle_ws_end(now, CloseReason::Refused),
            Input::WsClosed => self.handle_ws_end(now, CloseReason::TransportClose),
            Input::WsFailed => self.handle_ws_end(now, CloseReason::TransportError),
        };
        self.tick(now);
        self.assert_invariants();
        result
    }

    /// Some bytes of what was handed over have left. A session that is closing waits longer for the rest: as long as
    /// something moves, and [`Config::request_timeout`] at most for each message.
    pub fn handle_progress(&mut self, now: Instant) {
        if self.phase == Phase::Closing {
            let deadline = now + self.config.close_timeout.max(SHORTEST);
            self.phase_deadline = self.phase_deadline.max(deadline.min(self.closing_limit));
        }
    }

    /// A client that has not asked for anything yet begins now: its time to connect counts from here.
    pub fn handle_beginning(&mut self, now: Instant) {
        let asked = self.attempt > 0 || self.last_req > 0 || !matches!(self.link, Link::None | Link::Wanted);
        if self.phase == Phase::Accepting && !asked {
            self.phase_deadline = now + self.config.connect_timeout.max(SHORTEST);
        }
    }

    /// Does what is due at this time. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        match self.phase {
            Phase::Accepting => {
                if self.phase_deadline <= now {
                    let reason = self.first_failure.unwrap_or(CloseReason::ConnectTimeout);
                    self.end(now, reason);
                }
            }
            Phase::Open => {
                self.give_up_probe(now);
                if matches!(self.stall, Stall::Until { deadline, .. } if deadline <= now) {
                    self.end(now, CloseReason::Stalled);
                } else if self.watchdog <= now && !self.is_suspended() {
                    self.end(now, CloseReason::PingTimeout);
                } else {
                    let post = self.post.as_ref().map(|post| post.deadline);
                    let ending = self.ending.map(|ending| ending.deadline);
                    if post.into_iter().chain(ending).any(|deadline| deadline <= now) {
                        self.end(now, CloseReason::TransportError);
                    }
                }
            }
            Phase::Closing => {
                self.give_up_probe(now);
                let ending = self.ending.map(|ending| ending.deadline);
                if ending
                    .into_iter()
                    .chain([self.phase_deadline])
                    .any(|deadline| deadline <= now)
                {
                    self.end(now, CloseReason::ClientDisconnect);
                }
            }
            Phase::Closed => {
                if self.phase_deadline <= now {
                    // Whoever should have taken this is gone and did not say so.
                    self.link = Link::None;
                }
            }
        }
        self.assert_invariants();
        debug_assert!(self.poll_timeout().is_none_or(|deadline| deadline > now));
    }

    // ---- what the client wants ----

    /// The next request that should be made.
    ///
    /// May answer something new after any other call. Requests that are under way when the client
    /// [is over](Self::closed) should be given up.
    #[must_use]
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        self.tick(now);
        let request = self.next_request(now);
        self.note_room();
        self.assert_invariants();
        request
    }

    /// The next thing to do on the WebSocket, in this order.
    ///
    /// May answer something new after any other call.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.tick(now);
        let transmit = self.poll_websocket(now);
        self.note_room();
        self.assert_invariants();
        transmit
    }

    /// The next thing that the application should know.
    ///
    /// May answer something new after any call but a getter. Taking messages may make
    /// [`wants_input`](Self::wants_input) true.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(transport) = self.opened.take() {
            return Some(Event::Opened(transport));
        }
        if mem::take(&mut self.upgraded) {
            return Some(Event::Upgraded);
        }
        if mem::take(&mut self.upgrade_failed) {
            return Some(Event::UpgradeFailed);
        }
        if let Some(data) = self.too_large.pop_front() {
            return Some(Event::TooLarge(data));
        }
        let message = self.inbox.pop();
        self.note_progress();
        if let Some(data) = message {
            self.received += 1;
            return Some(Event::Message(data));
        }
        if mem::take(&mut self.writable) {
            return Some(Event::Writable);
        }
        match self.closed {
            Some(closed) if !self.closed_reported => {
                self.closed_reported = true;
                Some(Event::Closed(closed))
            }
            _ => None,
        }
    }

    /// Whether [`poll_event`](Self::poll_event) may have something. (A polling body that holds no message makes it
    /// say so once in vain.)
    pub fn has_event(&self) -> bool {
        self.opened.is_some()
            || self.upgraded
            || self.upgrade_failed
            || !self.too_large.is_empty()
            || !self.inbox.is_empty()
            || self.writable
            || (self.closed.is_some() && !self.closed_reported)
    }

    /// Whether messages wait to be taken with [`poll_event`](Self::poll_event); see there for what "may" means.
    pub fn has_messages(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once the client
    /// [is finished](Self::is_finished). May be another time after any other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.is_probing().then_some(self.probe_deadline);
        let ending = self.ending.map(|ending| ending.deadline);
        match self.phase {
            Phase::Accepting => Some(self.phase_deadline),
            Phase::Open => {
                let stall = match self.stall {
                    Stall::Until { deadline, .. } => Some(deadline),
                    Stall::None | Stall::Over => None,
                };
                let watchdog = (!self.is_suspended()).then_some(self.watchdog);
                let post = self.post.as_ref().map(|post| post.deadline);
                [probe, stall, watchdog, post, ending].into_iter().flatten().min()
            }
            Phase::Closing => [probe, ending, Some(self.phase_deadline)].into_iter().flatten().min(),
            Phase::Closed => (!self.is_finished()).then_some(self.phase_deadline),
        }
    }

    // ---- getters ----

    /// Whether more should be read from the WebSocket. While it is false, leave the bytes in the kernel. Only the
    /// application's taking of messages makes it true again.
    pub fn wants_input(&self) -> bool {
        self.inbox.cost() < self.config.receive_window.max(1)
    }

    /// Whether a [`send`](Self::send) was refused for a full queue, and there is no room for another try yet.
    pub fn is_blocked(&self) -> bool {
        self.outbox.is_blocked()
    }

    /// The session's id, once there is one: it goes into the query of every request, and into nobody's hands.
    pub fn sid(&self) -> Option<&Sid> {
        self.handshake.as_ref().map(|handshake| &handshake.sid)
    }

    /// What the server has announced, once it has.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// Where the session is in its life; [`Phase::Accepting`] means connecting.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What carries the session's messages at the moment; what is tried, while connecting.
    pub fn transport(&self) -> Transport {
        match self.path {
            Path::WebSocket => Transport::WebSocket,
            Path::Polling | Path::Probing | Path::Probed => Transport::Polling,
        }
    }

    /// The end, as soon as it is decided, whether or not [`Event::Closed`] was taken.
    pub fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// Whether the session is over and there is nothing left to do on its WebSocket: the client may be forgotten.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Closed && matches!(self.link, Link::None | Link::Ended)
    }

    /// How many messages the application has taken.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many messages were handed to a transport.
    pub fn sent(&self) -> u64 {
        self.outbox.handed()
    }

    // ---- connecting ----

    /// Begins with the transport whose turn it is.
    fn try_transport(&mut self) {
        match self.config.transport(self.attempt) {
            Some(Transport::WebSocket) => {
                self.path = Path::WebSocket;
                if self.link == Link::None {
                    self.link = Link::Wanted;
                }
            }
            _ => {
                self.path = Path::Polling;
                self.wants_handshake = true;
            }
        }
    }

    /// This transport can not open the session; perhaps the next one can.
    fn fail_attempt(&mut self, now: Instant, reason: CloseReason) {
        let first = *self.first_failure.get_or_insert(reason);
        self.attempt += 1;
        if self.config.transport(self.attempt).is_none() {
            return self.end(now, first);
        }
        self.wants_handshake = false;
        self.give_up_websocket();
        self.try_transport();
    }

    /// The open packet.
    fn open(&mut self, now: Instant, handshake: Handshake) -> Result<(), Violation> {
        if self.patience(&handshake).is_zero() {
            return Err(PacketError::InvalidHandshake.into());
        }
        self.advance(PhaseCause::Accept);
        let transport = self.transport();
        self.opened = Some(transport);
        self.watchdog = now + self.patience(&handshake);
        if transport == Transport::Polling && self.config.wants_upgrade(&handshake) {
            self.wants_probe = true;
            if self.link == Link::None {
                self.link = Link::Wanted;
            }
        }
        self.handshake = Some(handshake);
        Ok(())
    }

    /// How long after a ping the next one may come.
    fn patience(&self, handshake: &Handshake) -> Duration {
        handshake.ping_interval.saturating_add(handshake.ping_timeout)
    }

    fn handle_ping(&mut self, now: Instant, text: Str) {
        self.pong = Some(text);
        self.rearm(now);
    }

    /// A ping came, or could not have come until now.
    fn rearm(&mut self, now: Instant) {
        if let Some(handshake) = &self.handshake {
            self.watchdog = now + self.patience(handshake);
        }
    }

    // ---- what everything shares ----

    /// The largest polling body and WebSocket message that the server takes. JavaScript's client takes 0 for no limit
    /// too.
    fn max_payload(&self) -> usize {
        let announced = self.handshake.as_ref().and_then(|handshake| handshake.max_payload);
        announced.filter(|&max| max > 0).unwrap_or(usize::MAX)
    }

    /// Whether a message may go over the transport of the session, or the one that it may yet have.
    fn may_fit(&self, data: &Data) -> bool {
        let max = self.max_payload();
        match self.path {
            // It is not known on which transport the session will be, nor what the server takes.
            _ if self.phase == Phase::Accepting => true,
            Path::Polling if !self.wants_probe => super::packet::encoded_message_len(data) <= max,
            _ => websocket_len(data) <= max,
        }
    }

    /// Gives back what can not be sent, from the front of the queue.
    fn set_aside_too_large(&mut self) {
        while let Some(front) = self.outbox.peek() {
            if self.may_fit(front) {
                return;
            }
            self.too_large.extend(self.outbox.take());
        }
    }

    /// While we take no input, or nothing is there that could bring a ping, one that does not come proves nothing. Both have
    /// deadlines of their own.
    fn is_suspended(&self) -> bool {
        matches!(self.stall, Stall::Until { .. })
            || (self.path == Path::Probed && self.get.is_none())
            || self.ending.is_some()
    }

    /// Somebody says what time it is: begin, begin anew or end the watch over a slow application.
    fn tick(&mut self, now: Instant) {
        if self.stall == Stall::Over {
            self.stall = Stall::None;
            self.rearm(now);
        }
        let begins = self.stall == Stall::None && self.phase == Phase::Open && !self.wants_input();
        if begins || matches!(self.stall, Stall::Until { progress: true, .. }) {
            let patience = self
                .handshake
                .as_ref()
                .map_or(SHORTEST, |handshake| self.patience(handshake));
            self.stall = Stall::Until {
                deadline: now + self.config.stall_timeout.unwrap_or(patience).max(SHORTEST),
                progress: false,
            };
        }
    }

    /// The application took messages; nobody says what time it is.
    fn note_progress(&mut self) {
        let keeps_up = self.wants_input();
        if let Stall::Until { progress, .. } = &mut self.stall {
            *progress = true;
            if keeps_up {
                self.stall = Stall::Over;
            }
        }
    }

    /// Messages were handed over, or set aside.
    fn note_room(&mut self) {
        let over = self.phase == Phase::Closed;
        if !over && self.outbox.has_room_again(self.config.max_queue) {
            self.outbox.room_reported();
            self.writable = true;
        }
    }

    /// A message moves while the session is closing.
    fn note_closing(&mut self, now: Instant) {
        if self.phase == Phase::Closing {
            self.phase_deadline = now + self.config.close_timeout.max(SHORTEST);
            self.closing_limit = now + self.config.request_timeout.max(self.config.close_timeout).max(SHORTEST);
        }
    }

    fn end(&mut self, now: Instant, reason: CloseReason) {
        let Some(phase) = self.phase.next(PhaseCause::End) else {
            return;
        };
        // Both ends may say goodbye at the same time; the application knows that it did.
        let reason = match self.ending {
            _ if self.close_handed => CloseReason::ClientDisconnect,
            // Whatever has become of the last answer: the server has said goodbye.
            Some(ending) if ending.goodbye && reason != CloseReason::ClientDisconnect => CloseReason::ServerDisconnect,
            _ => reason,
        };
        self.phase = phase;
        self.phase_deadline = now + self.config.close_timeout.max(SHORTEST);
        self.give_up_websocket();
        if let Some(path) = self.path.next(PathCause::Fail) {
            self.path = path;
        }
        self.get = None;
        self.lose_post();
        self.ending = None;
        self.pong = None;
        self.wants_handshake = false;
        self.wants_probe = false;
        self.stall = Stall::None;
        self.closed = Some(Closed {
            reason,
            unsent: self.outbox.len(),
            in_doubt: self.outbox.in_doubt(),
        });
    }

    fn advance(&mut self, cause: PhaseCause) {
        self.phase = self.phase.next(cause).expect("the caller has looked at the phase");
    }

    fn advance_path(&mut self, cause: PathCause) {
        self.path = self.path.next(cause).expect("the caller has looked at the path");
    }

    /// What holds between any two calls. Looked at after each of them in debug builds: tests, fuzzing and simulation.
    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(
            self.is_finished() || self.poll_timeout().is_some(),
            "a client without a deadline can leak"
        );
        assert_eq!(self.closed.is_some(), self.phase == Phase::Closed);
        assert!(self.handshake.is_some() || matches!(self.phase, Phase::Accepting | Phase::Closed));
        assert!(self.path != Path::WebSocket || (self.get.is_none() && self.post.is_none()));
        assert!(self.phase != Phase::Closed || (self.get.is_none() && self.post.is_none()));
        assert!(!self.is_probing() || matches!(self.link, Link::Opening | Link::Attached));
        self.outbox.assert_invariants(self.config.max_queue);
        self.inbox.assert_invariants();
    }
}

/// The longest text of a ping that is answered.
const MAX_PING: usize = 1024;

/// What comes with a ping, and goes back with the pong. Nobody needs a ping that is a load.
fn ping_text(packet: &str) -> Result<Str, Violation> {
    let text = &packet[1..];
    if text.len() > MAX_PING {
        return Err(Violation::UnexpectedPacket);
    }
    Ok(Str::from(text))
}

/// How many bytes a message is in its WebSocket frame, as the server counts it.
fn websocket_len(data: &Data) -> usize {
    match data {
        Data::Text(text) => 1 + text.len(),
        Data::Binary(bytes) => bytes.len(),
    }
}

/// Reads the open packet at the front of what the server said first.
fn take_open(packets: &mut Packets) -> Result<Handshake, Violation> {
    match packets.next() {
        Some(Ok(Packet::Open(handshake))) => Ok(*handshake),
        Some(Err(error)) => Err(error.into()),
        _ => Err(Violation::UnexpectedPacket),
    }
}
