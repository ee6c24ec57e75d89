//! The server's side of ONE client, over both transports.

mod exchange;
mod heartbeat;
mod polling;
#[cfg(test)]
mod tests;
mod websocket;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use smallvec::SmallVec;

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::payload::Encoder;
use super::state::{Path, PathCause, Phase, PhaseCause};
use super::{CloseReason, Closed, Config, Data, Packet, Refusal, Sid, Transport, Version};
use crate::time::Instant;
pub use exchange::{Answer, Carrier, Event, Input, ReqId, SendError, Transmit, Violation};
use heartbeat::Heartbeat;

/// What is known of the session's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    Attached,
    /// It is to end: [`Transmit::Close`] has not been taken.
    Ending,
    /// It is to end, its carrier knows; [`Input::WsClosed`] has not come.
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

/// The server's side of one client: handshake, both transports, the upgrade between them, heartbeat, queues, end.
///
/// A session is born *accepting*: the client has asked for it, the application has not yet said
/// [`accept`](Self::accept) or [`refuse`](Self::refuse).
///
/// The methods are of four kinds:
///
/// - [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout): something happened. Calls
///   without a cause do nothing.
/// - [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout):
///   what the session wants. Ask until the answer is `None`.
/// - [`accept`](Self::accept), [`accept_held`](Self::accept_held), [`release`](Self::release), [`refuse`](Self::refuse),
///   [`send`](Self::send), [`close`](Self::close), [`abort`](Self::abort), [`discard_input`](Self::discard_input): the
///   application's commands.
/// - getters.
///
/// The order of calls between two of these never changes what anything means. Time must not run backwards, but for the
/// small steps between clocks that several threads have read.
///
/// # What is promised
/// Messages arrive in order and at most once. [`Closed`] counts those that did not, or may not have.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    sid: Sid,
    version: Version,
    phase: Phase,
    path: Path,
    link: Link,
    /// The end of patience with the application while accepting, with the client while closing, and with carriers
    /// that do not take their last answer once closed.
    phase_deadline: Instant,
    /// The end of patience with a WebSocket that is being tried.
    probe_deadline: Instant,
    get: Option<ReqId>,
    post: Option<ReqId>,
    answers: SmallVec<[(ReqId, Answer); 1]>,
    heartbeat: Heartbeat,
    outbox: Outbox,
    inbox: Inbox,
    stall: Stall,
    received: u64,
    /// The open packet waits to be sent.
    wants_open: bool,
    /// Nothing is sent yet: the application has not come to what it sends first.
    held: bool,
    /// `3probe` waits to be sent.
    wants_probe_pong: bool,
    /// The client of version 3 has pinged. One pong answers all pings that came before it.
    wants_pong: bool,
    /// The application wants a noop on the WebSocket. One is as good as many.
    wants_noop: bool,
    /// The answer to a WebSocket that the application does not want.
    refusal: Option<Box<Refusal>>,
    upgraded: bool,
    writable: bool,
    closed: Option<Closed>,
    closed_reported: bool,
}

impl Session {
    /// A new session, whose first carrier is the GET or the WebSocket that asked for it (neither is answered yet).
    pub fn new(config: impl Into<Arc<Config>>, now: Instant, sid: Sid, carrier: Carrier) -> Self {
        Self::of(Version::V4, config, now, sid, carrier)
    }

    /// The same with a client of this version. The messages of version 3 in WebSocket frames have their type before them,
    /// as bytes and in base64; whoever writes frames sees to that.
    pub fn of(version: Version, config: impl Into<Arc<Config>>, now: Instant, sid: Sid, carrier: Carrier) -> Self {
        let config = config.into();
        let (path, link, get) = match carrier {
            Carrier::Request(req) => (Path::Polling, Link::None, Some(req)),
            Carrier::WebSocket => (Path::WebSocket, Link::Attached, None),
        };
        Self {
            sid,
            version,
            phase: Phase::Accepting,
            path,
            link,
            phase_deadline: now + config.accept_timeout,
            probe_deadline: now,
            get,
            post: None,
            answers: SmallVec::new(),
            heartbeat: Heartbeat::new(config.ping_every(), config.ping_timeout),
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            stall: Stall::None,
            received: 0,
            wants_open: false,
            held: false,
            wants_probe_pong: false,
            wants_pong: false,
            wants_noop: false,
            refusal: None,
            upgraded: false,
            writable: false,
            closed: None,
            closed_reported: false,
            config,
        }
    }

    // ---- the application's commands ----

    /// Lets the session begin: the open packet goes out, and behind it whatever was sent already.
    ///
    /// Does nothing where the session was accepted, refused or has ended meanwhile.
    pub fn accept(&mut self, now: Instant) {
        if self.phase == Phase::Accepting {
            self.advance(PhaseCause::Accept);
            self.wants_open = true;
            match self.version {
                Version::V3 => self.heartbeat.listen(now),
                Version::V4 => self.heartbeat.start(now),
            }
        }
        self.assert_invariants();
    }

    /// The same, but nothing goes out before [`release`](Self::release), so that what the application sends first rides behind
    /// the open packet too.
    ///
    /// All times run from here, as after [`accept`](Self::accept): a session that nobody releases ends for want of a pong, and
    /// one that is [closed](Self::close) meanwhile after [`Config::close_timeout`]. A client whose session ends before it was
    /// released is told the end only.
    pub fn accept_held(&mut self, now: Instant) {
        self.held |= self.phase == Phase::Accepting;
        self.accept(now);
    }

    /// What was held back goes out. Does nothing where nothing was.
    pub fn release(&mut self) {
        self.held = false;
        self.assert_invariants();
    }

    /// Turns the client away. Does nothing where the session was accepted or has ended meanwhile.
    pub fn refuse(&mut self, now: Instant, refusal: Refusal) {
        if self.phase == Phase::Accepting {
            match self.get.take() {
                Some(req) => self.answers.push((req, Answer::Refused(refusal))),
                None => self.refusal = Some(Box::new(refusal)),
            }
            self.end(now, CloseReason::Refused);
        }
        self.assert_invariants();
    }

    /// Queues a message.
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`].
    pub fn send(&mut self, data: Data) -> Result<(), SendError> {
        match self.phase {
            Phase::Accepting | Phase::Open => {
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

    /// Sends a noop, which means nothing to the client: a poll that waits is answered with it, or it is one more frame on
    /// the WebSocket. For what lies in between, such as a proxy that wants to see something. Does nothing where the
    /// session is not open or was not [released](Self::release), where no poll waits or has an answer already, and while a
    /// WebSocket is being tried.
    pub fn send_noop(&mut self) {
        if self.phase == Phase::Open && !self.held {
            match self.path {
                Path::Polling if !self.has_payload() => self.release_get(),
                Path::WebSocket => self.wants_noop = true,
                Path::Polling | Path::Probing | Path::Probed => {}
            }
        }
        self.assert_invariants();
    }

    /// Ends the session in order: what is queued goes out, then a close packet. The client has
    /// [`Config::close_timeout`] to fetch both.
    ///
    /// A session that was not accepted is refused. Messages that still arrive can be taken.
    pub fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Accepting => self.refuse(now, Refusal::default()),
            Phase::Open => {
                self.advance(PhaseCause::Close);
                self.phase_deadline = now + self.config.close_timeout;
                // A client whose probe was answered polls no more: it is told on the WebSocket, after its upgrade.
                if self.path != Path::Probed {
                    self.fail_probe(now);
                }
            }
            Phase::Closing | Phase::Closed => {}
        }
        self.assert_invariants();
    }

    /// Ends the session at once. What is queued is not sent. A session that was not accepted is refused.
    pub fn abort(&mut self, now: Instant) {
        match self.phase {
            Phase::Accepting => self.refuse(now, Refusal::new(503)),
            Phase::Open | Phase::Closing | Phase::Closed => self.end(now, CloseReason::ServerDisconnect),
        }
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

    // ---- what happened ----

    /// Something happened on the wire.
    ///
    /// # Errors
    /// The client broke the protocol. The session has already drawn the consequences; the caller has only
    /// [`Input::WsOpen`] to act on.
    pub fn handle_input(&mut self, now: Instant, input: Input) -> Result<(), Violation> {
        self.tick(now);
        let result = match input {
            Input::Get(req) => self.handle_get(now, req),
            Input::Post(req, body) => self.handle_post(now, req, body, false),
            Input::PostBinary(req, body) => self.handle_post(now, req, body, true),
            Input::Gone(req) => self.handle_gone(now, req),
            Input::Failed(_) => self.handle_lost(now),
            Input::WsOpen => self.handle_ws_open(now),
            Input::WsText(text) => self.handle_ws_text(now, text),
            Input::WsBinary(bytes) => self.handle_ws_binary(now, bytes),
            Input::WsClosed => self.handle_ws_end(now, CloseReason::TransportClose),
            Input::WsFailed => self.handle_ws_end(now, CloseReason::TransportError),
        };
        self.tick(now);
        self.assert_invariants();
        result
    }

    /// Does what is due at this time. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        match self.phase {
            Phase::Accepting => {
                if self.phase_deadline <= now {
                    self.refuse(now, Refusal::new(503));
                }
            }
            Phase::Open => {
                self.give_up_probe(now);
                if matches!(self.stall, Stall::Until { deadline, .. } if deadline <= now) {
                    self.end(now, CloseReason::Stalled);
                } else if self.heartbeat.handle_timeout(now, self.is_suspended()) {
                    self.end(now, CloseReason::PingTimeout);
                }
            }
            Phase::Closing => {
                self.give_up_probe(now);
                if self.phase_deadline <= now {
                    self.end(now, CloseReason::ServerDisconnect);
                }
            }
            Phase::Closed => {
                if self.phase_deadline <= now {
                    // Whoever should have taken these is gone and did not say so.
                    self.answers.clear();
                    self.refusal = None;
                    self.link = Link::None;
                }
            }
        }
        self.assert_invariants();
        debug_assert!(self.poll_timeout().is_none_or(|deadline| deadline > now));
    }

    // ---- what the session wants ----

    /// The next thing that this carrier should do.
    ///
    /// May answer something new after any other call, and after another carrier's. A response is given once, to the
    /// carrier of its request; what the WebSocket gets is to be written in the order in which it was given.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, carrier: Carrier) -> Option<Transmit> {
        self.tick(now);
        let transmit = match carrier {
            Carrier::Request(req) => self
                .poll_answer(now, req)
                .map(|answer| Transmit::Response { req, answer }),
            Carrier::WebSocket => self.poll_websocket(),
        };
        let over = self.phase == Phase::Closed;
        if transmit.is_some() && !over && self.outbox.has_room_again(self.config.max_queue) {
            self.outbox.room_reported();
            self.writable = true;
        }
        self.assert_invariants();
        transmit
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something for this carrier.
    pub fn has_transmit(&self, carrier: Carrier) -> bool {
        match carrier {
            Carrier::Request(req) => {
                self.answers.iter().any(|answer| answer.0 == req)
                    || (self.post == Some(req) && self.wants_input())
                    || (self.get == Some(req) && self.has_payload())
            }
            Carrier::WebSocket => {
                self.link == Link::Ending
                    || (self.link == Link::Attached
                        && (self.wants_probe_pong
                            || (self.path == Path::WebSocket && (self.wants_noop || self.has_payload()))))
            }
        }
    }

    /// The next thing that the application should know.
    ///
    /// May answer something new after `handle_input`, `handle_timeout` and `poll_transmit`, and after `close`, `abort`
    /// and `refuse`. Taking messages may make [`wants_input`](Self::wants_input) true.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        if mem::take(&mut self.upgraded) {
            return Some(Event::Upgraded);
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
        self.upgraded || !self.inbox.is_empty() || self.writable || (self.closed.is_some() && !self.closed_reported)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once the session
    /// [is finished](Self::is_finished). May be another time after any other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.is_probing().then_some(self.probe_deadline);
        match self.phase {
            Phase::Accepting => Some(self.phase_deadline),
            Phase::Closing => probe.into_iter().chain([self.phase_deadline]).min(),
            Phase::Open => {
                let stall = match self.stall {
                    Stall::Until { deadline, .. } => Some(deadline),
                    Stall::None | Stall::Over => None,
                };
                let heartbeat = self.heartbeat.deadline(self.is_suspended());
                [probe, stall, heartbeat].into_iter().flatten().min()
            }
            Phase::Closed => (!self.is_finished()).then_some(self.phase_deadline),
        }
    }

    // ---- getters ----

    /// Whether more input should be read. While it is false, leave bytes in the kernel; the answer to a POST is held
    /// back by the session itself. Only the application's taking of messages makes it true again.
    pub fn wants_input(&self) -> bool {
        self.inbox.cost() < self.config.receive_window.max(1)
    }

    /// Whether a [`send`](Self::send) was refused for a full queue, and there is no room for another try yet.
    pub fn is_blocked(&self) -> bool {
        self.outbox.is_blocked()
    }

    /// Whether a message would go out at once: nothing is queued, and the client has left something to answer with.
    pub fn is_writable(&self) -> bool {
        let has_carrier = match self.path {
            Path::WebSocket => self.link == Link::Attached,
            _ => self.get.is_some(),
        };
        self.phase == Phase::Open && !self.held && has_carrier && !self.has_payload()
    }

    /// The session's id.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// Which version of the protocol it is of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where the session is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What carries the session's messages at the moment.
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

    /// Whether the session is over and has nothing left to hand to any carrier: it may be forgotten.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Closed
            && self.answers.is_empty()
            && self.refusal.is_none()
            && matches!(self.link, Link::None | Link::Ended)
    }

    /// How many messages the application has taken.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many messages were handed to a transport.
    pub fn sent(&self) -> u64 {
        self.outbox.handed()
    }

    // ---- what everything shares ----

    fn handle_sign_of_life(&mut self, now: Instant, pong: bool) {
        match pong.then(|| self.heartbeat.pong()).flatten() {
            Some(arrived) => self.outbox.confirm(arrived),
            None => self.heartbeat.sign_of_life(now),
        }
    }

    /// While we take no input, or can not send a ping, a pong that does not come proves nothing.
    fn is_suspended(&self) -> bool {
        matches!(self.stall, Stall::Until { .. }) || (self.path == Path::Probed && self.heartbeat.wants_ping())
    }

    /// Somebody says what time it is: begin, begin anew or end the watch over a slow application.
    fn tick(&mut self, now: Instant) {
        if self.stall == Stall::Over {
            self.stall = Stall::None;
            self.heartbeat.resume(now);
        }
        let begins = self.stall == Stall::None && !self.wants_input();
        if begins || matches!(self.stall, Stall::Until { progress: true, .. }) {
            self.stall = Stall::Until {
                deadline: now + self.config.stall_after(),
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

    fn end(&mut self, now: Instant, reason: CloseReason) {
        let Some(phase) = self.phase.next(PhaseCause::End) else {
            return;
        };
        self.phase = phase;
        // Carriers are given a moment at least.
        self.phase_deadline = now + self.config.close_timeout.max(Duration::from_millis(1));
        self.fail_probe(now);
        if self.link == Link::Attached {
            self.link = Link::Ending;
        }
        if let Some(req) = self.get.take() {
            let last = match reason {
                CloseReason::ClientDisconnect => Packet::Noop,
                _ => Packet::Close,
            };
            self.answers.push((req, payload_of(self.version, last)));
        }
        if let Some(req) = self.post.take() {
            self.answers.push((req, Answer::Received));
        }
        self.heartbeat.stop();
        self.stall = Stall::None;
        self.wants_open = false;
        self.held = false;
        self.wants_probe_pong = false;
        self.wants_pong = false;
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
            "a session without a deadline can leak"
        );
        assert_eq!(self.closed.is_some(), self.phase == Phase::Closed);
        assert!(!self.held || matches!(self.phase, Phase::Open | Phase::Closing));
        assert!(!self.held || self.wants_open, "something went out that was held back");
        assert!(self.get.is_none() || self.path != Path::WebSocket);
        assert!(
            self.get.is_none() || self.path != Path::Probed,
            "a poll was not released"
        );
        assert!(self.phase != Phase::Closed || (self.get.is_none() && self.post.is_none()));
        assert!(!self.is_probing() || self.link == Link::Attached);
        self.outbox.assert_invariants(self.config.max_queue);
        self.inbox.assert_invariants();
    }
}

fn payload_of(version: Version, packet: Packet) -> Answer {
    let mut body = Vec::new();
    Encoder::of(version, &mut body).push(&packet);
    Answer::Payload(body.into())
}

fn reason_of(violation: Violation) -> CloseReason {
    match violation {
        Violation::Packet(_) => CloseReason::ParseError,
        _ => CloseReason::TransportError,
    }
}
