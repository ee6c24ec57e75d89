//! The server's side of ONE client, over both transports.

mod heartbeat;
mod inbox;
mod outbox;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use core::{fmt, mem};

use bytes::Bytes;
use smallvec::SmallVec;

use super::packet::PacketType;
use super::payload::{Encoder, Packets};
use super::state::{Path, PathCause, Phase, PhaseCause};
use super::{
    CloseReason, Closed, Config, Data, ErrorCode, Handshake, PROBE, Packet, PacketError, Refusal, Sid, Str, Transport,
};
use crate::time::Instant;
use heartbeat::Heartbeat;
use inbox::Inbox;
use outbox::Outbox;

/// One HTTP request of a session, named by whoever reads requests. Never used twice in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReqId(pub u64);

/// What carries packets between the two ends: one HTTP request, or the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// The HTTP request of this name.
    Request(ReqId),
    /// The session's WebSocket.
    WebSocket,
}

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A GET for this session: the client waits for packets.
    Get(ReqId),
    /// A POST for this session, with its whole body.
    Post(ReqId, Bytes),
    /// The request's connection ended before its response was taken with [`Session::poll_transmit`].
    Gone(ReqId),
    /// The request's connection ended after its response was taken, before all of it was written. Say it of a
    /// [`Payload`](Answer::Payload) and of [`Received`](Answer::Received) only: errors may get lost.
    Failed(ReqId),
    /// A WebSocket wants to be opened for a session that polls. Refuse it (with the numbered error 3) where this
    /// returns an error.
    WsOpen,
    /// A text frame, whole.
    WsText(Str),
    /// A binary frame, whole.
    WsBinary(Bytes),
    /// The WebSocket ended: in order, or its TCP connection did. Must be told once for each WebSocket that opened.
    WsClosed,
    /// The WebSocket broke: a reset, a frame that is none, a message that is too large. Instead of `WsClosed`.
    WsFailed,
}

/// Something is to be done by whoever carries packets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transmit {
    /// Answer the request.
    Response {
        /// Which one.
        req: ReqId,
        /// With what.
        answer: Answer,
    },
    /// Send this packet in one WebSocket frame: a binary one where [`Packet::as_binary`] has the bytes, else a text
    /// frame of its text form.
    Packet(Packet),
    /// Do not open the WebSocket: answer its HTTP request with this.
    Refuse(Refusal),
    /// Send a WebSocket close frame and let the WebSocket end. Nothing follows on it.
    Close,
}

/// The answer to an HTTP request of a session.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// 200, with packets (`text/plain; charset=UTF-8`): the answer to a GET.
    Payload(Bytes),
    /// 200 `ok`: the answer to a POST.
    Received,
    /// The application does not want the connection.
    Refused(Refusal),
    /// One of the protocol's numbered errors.
    Error(ErrorCode),
}

/// Says how much is in a payload, and not what: the first one holds the session's id.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(body) => write!(f, "Payload({} bytes)", body.len()),
            Self::Received => f.write_str("Received"),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::Error(code) => f.debug_tuple("Error").field(code).finish(),
        }
    }
}

/// Something the application should know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The client sent this.
    Message(Data),
    /// The session has moved from polling to its WebSocket.
    Upgraded,
    /// After a [`send`](Session::send) that was refused for a full queue: there is room again.
    Writable,
    /// The session is over. Comes once, after everything else.
    Closed(Closed),
}

/// A message that could not be sent, given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full at the moment; [`Event::Writable`] tells when to try again.
    #[error("the session's queue is full")]
    Full(Data),
    /// The session is closing or closed.
    #[error("the session is closed")]
    Closed(Data),
    /// Larger than the whole queue may ever hold ([`Config::max_queue`]): trying again can not help.
    #[error("the message is larger than the session's queue")]
    TooLarge(Data),
}

impl SendError {
    /// The message.
    pub fn into_data(self) -> Data {
        match self {
            Self::Full(data) | Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }
}

/// What the client did wrong. The session has already drawn the consequences; this is for logs and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// What came is not a packet, or a body holds something that is none.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A packet that a client does not send, or not at this point.
    #[error("a packet that a client does not send at this point")]
    UnexpectedPacket,
    /// A second GET while one waits, or a second POST while one is held.
    #[error("two requests of the same kind at a time")]
    Overlap,
    /// A request for a session that is on its WebSocket, or not open.
    #[error("a request that the session can not serve at this point")]
    UnexpectedRequest,
    /// A WebSocket where none can be had: there is one already, or upgrades are switched off.
    #[error("a WebSocket that the session can not take at this point")]
    UnexpectedWebSocket,
    /// A WebSocket frame that is not the probe, or not the upgrade that must follow it.
    #[error("the WebSocket did not probe and upgrade in order")]
    BadProbe,
}

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
/// - [`accept`](Self::accept), [`refuse`](Self::refuse), [`send`](Self::send), [`close`](Self::close),
///   [`abort`](Self::abort), [`discard_input`](Self::discard_input): the application's commands.
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
    /// `3probe` waits to be sent.
    wants_probe_pong: bool,
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
        let config = config.into();
        let (path, link, get) = match carrier {
            Carrier::Request(req) => (Path::Polling, Link::None, Some(req)),
            Carrier::WebSocket => (Path::WebSocket, Link::Attached, None),
        };
        Self {
            sid,
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
            wants_probe_pong: false,
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
            self.heartbeat.start(now);
        }
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
            Input::Post(req, body) => self.handle_post(now, req, body),
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
                        && (self.wants_probe_pong || (self.path == Path::WebSocket && (self.has_payload()))))
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

    /// The session's id.
    pub fn sid(&self) -> &Sid {
        &self.sid
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

    // ---- requests ----

    fn handle_get(&mut self, now: Instant, req: ReqId) -> Result<(), Violation> {
        if let Some(refused) = self.refuse_request(req) {
            return refused;
        }
        if let Some(first) = self.get.take() {
            self.answers.push((first, payload_of(Packet::Close)));
            self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
            self.end(now, CloseReason::TransportError);
            return Err(Violation::Overlap);
        }
        // The client asks for more: what it was given before has arrived.
        self.outbox.confirm_all();
        if self.path == Path::Probed {
            // A ping ends the poll as well as a noop does.
            let last = if self.heartbeat.wants_ping() {
                self.heartbeat.ping_handed(self.outbox.handed());
                Packet::Ping(Str::new())
            } else {
                Packet::Noop
            };
            self.answers.push((req, payload_of(last)));
        } else {
            self.get = Some(req);
        }
        Ok(())
    }

    fn handle_post(&mut self, now: Instant, req: ReqId, body: Bytes) -> Result<(), Violation> {
        if let Some(refused) = self.refuse_request(req) {
            return refused;
        }
        if let Some(first) = self.post.take() {
            // What was in the first has been taken.
            self.answers.push((first, Answer::Received));
            self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
            self.end(now, CloseReason::TransportError);
            return Err(Violation::Overlap);
        }
        match self.take_body(now, body) {
            Ok(()) if self.phase == Phase::Closed => {
                self.answers.push((req, Answer::Received));
                Ok(())
            }
            Ok(()) => {
                self.post = Some(req);
                Ok(())
            }
            Err(violation) => {
                self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
                self.end(now, reason_of(violation));
                Err(violation)
            }
        }
    }

    /// A body is taken whole or refused whole: nothing has happened yet where this finds something wrong in it.
    fn take_body(&mut self, now: Instant, body: Bytes) -> Result<(), Violation> {
        let packets = Packets::new(body)?;
        let (mut messages, mut pong, mut close) = (false, false, false);
        for piece in packets.pieces() {
            match piece?.0 {
                PacketType::Message | PacketType::Base64 => messages = true,
                PacketType::Pong => pong = true,
                // The server pings, not the client.
                PacketType::Ping => return Err(Violation::UnexpectedPacket),
                PacketType::Close => {
                    close = true;
                    // What stands behind it was never said.
                    break;
                }
                // Meaningless from a client that polls; the reference ignores them too.
                PacketType::Open | PacketType::Upgrade | PacketType::Noop => {}
            }
        }
        self.handle_sign_of_life(now, pong);
        if messages {
            self.inbox.push_body(packets);
        }
        if close {
            self.end(now, CloseReason::ClientDisconnect);
        }
        Ok(())
    }

    /// Answers a request that no session in this state can serve.
    fn refuse_request(&mut self, req: ReqId) -> Option<Result<(), Violation>> {
        let code = match (self.phase, self.path) {
            (Phase::Closed, _) => ErrorCode::SessionUnknown,
            (Phase::Accepting, _) | (_, Path::WebSocket) => ErrorCode::BadRequest,
            (Phase::Open | Phase::Closing, _) => return None,
        };
        self.answers.push((req, Answer::Error(code)));
        Some(Err(Violation::UnexpectedRequest))
    }

    fn handle_gone(&mut self, now: Instant, req: ReqId) -> Result<(), Violation> {
        self.answers.retain(|answer| answer.0 != req);
        if self.get == Some(req) {
            self.get = None;
            return self.handle_lost(now);
        }
        if self.post == Some(req) {
            self.post = None;
            return self.handle_lost(now);
        }
        Ok(())
    }

    fn handle_lost(&mut self, now: Instant) -> Result<(), Violation> {
        self.end(now, CloseReason::TransportError);
        Ok(())
    }

    fn has_payload(&self) -> bool {
        self.phase != Phase::Accepting
            && (self.wants_open
                || self.heartbeat.wants_ping()
                || !self.outbox.is_empty()
                || self.phase == Phase::Closing)
    }

    fn poll_answer(&mut self, now: Instant, req: ReqId) -> Option<Answer> {
        if let Some(at) = self.answers.iter().position(|answer| answer.0 == req) {
            return Some(self.answers.swap_remove(at).1);
        }
        if self.post == Some(req) && self.wants_input() {
            self.post = None;
            return Some(Answer::Received);
        }
        if self.get == Some(req) && self.has_payload() {
            self.get = None;
            return Some(self.next_payload(now));
        }
        None
    }

    fn next_payload(&mut self, now: Instant) -> Answer {
        let mut body = Vec::new();
        let mut encoder = Encoder::new(&mut body);
        if mem::take(&mut self.wants_open) {
            encoder.push(&self.open_packet());
        }
        if self.heartbeat.wants_ping() {
            encoder.push(&Packet::Ping(Str::new()));
            self.heartbeat.ping_handed(self.outbox.handed());
        }
        let max_packets = self.config.max_packets_per_response.max(1);
        let max_bytes = self.config.max_response;
        while encoder.count() < max_packets && encoder.len() < max_bytes {
            match self.outbox.hand_over() {
                Some(data) => encoder.push_message(&data),
                None => break,
            }
        }
        let flushed = self.outbox.is_empty() && encoder.count() < max_packets;
        if self.phase == Phase::Closing && flushed {
            encoder.push(&Packet::Close);
            self.end(now, CloseReason::ServerDisconnect);
        }
        Answer::Payload(body.into())
    }

    fn open_packet(&self) -> Packet {
        let mut upgrades = SmallVec::new();
        if self.config.upgrades && self.path != Path::WebSocket {
            upgrades.push(Transport::WebSocket);
        }
        Packet::Open(Box::new(Handshake {
            sid: self.sid.clone(),
            upgrades,
            ping_interval: self.config.announced_interval(),
            ping_timeout: self.config.ping_timeout,
            max_payload: Some(self.config.max_payload),
        }))
    }

    // ---- the WebSocket ----

    fn is_probing(&self) -> bool {
        matches!(self.path, Path::Probing | Path::Probed)
    }

    fn handle_ws_open(&mut self, now: Instant) -> Result<(), Violation> {
        let may = self.phase == Phase::Open && self.config.upgrades && self.link == Link::None;
        match self.path.next(PathCause::Open) {
            Some(path) if may => {
                self.path = path;
                self.link = Link::Attached;
                self.probe_deadline = now + self.config.upgrade_timeout;
                Ok(())
            }
            _ => Err(Violation::UnexpectedWebSocket),
        }
    }

    fn handle_ws_text(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        if self.link != Link::Attached || self.phase == Phase::Accepting {
            return Ok(());
        }
        match self.path {
            Path::Polling => Ok(()),
            Path::Probing if &text[..] == "2probe" => {
                self.advance_path(PathCause::Probe);
                self.wants_probe_pong = true;
                self.release_get();
                Ok(())
            }
            Path::Probed if &text[..] == "5" => {
                self.advance_path(PathCause::Upgrade);
                self.upgraded = true;
                self.heartbeat.resume(now);
                Ok(())
            }
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => self.handle_packet(now, text),
        }
    }

    fn handle_ws_binary(&mut self, now: Instant, bytes: Bytes) -> Result<(), Violation> {
        if self.link != Link::Attached || self.phase == Phase::Accepting {
            return Ok(());
        }
        match self.path {
            Path::Polling => Ok(()),
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => {
                self.handle_sign_of_life(now, false);
                self.inbox.push_message(Data::Binary(bytes));
                Ok(())
            }
        }
    }

    fn handle_packet(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        let result = match PacketType::of(&text) {
            Ok(PacketType::Message | PacketType::Base64) => match Packet::decode(text) {
                Ok(Packet::Message(data)) => {
                    self.handle_sign_of_life(now, false);
                    self.inbox.push_message(data);
                    Ok(())
                }
                Ok(_) => unreachable!("its type says that it is a message"),
                Err(error) => Err(error.into()),
            },
            Ok(PacketType::Pong) => {
                self.handle_sign_of_life(now, true);
                Ok(())
            }
            Ok(PacketType::Close) => {
                self.end(now, CloseReason::ClientDisconnect);
                Ok(())
            }
            // Meaningless at this point, and not looked into; the reference ignores them too.
            Ok(PacketType::Open | PacketType::Upgrade | PacketType::Noop) => Ok(()),
            Ok(PacketType::Ping) => Err(Violation::UnexpectedPacket),
            Err(error) => Err(error.into()),
        };
        if let Err(violation) = result {
            self.end(now, reason_of(violation));
        }
        result
    }

    fn handle_ws_end(&mut self, now: Instant, reason: CloseReason) -> Result<(), Violation> {
        let link = mem::replace(&mut self.link, Link::None);
        self.refusal = None;
        if self.is_probing() {
            self.fail_probe(now);
        } else if self.path == Path::WebSocket && link != Link::None && self.phase != Phase::Closed {
            if self.phase == Phase::Closing {
                // Nothing is confirmed by it: the peer's end may have crossed ours on the way.
                self.end(now, CloseReason::ServerDisconnect);
            } else {
                self.end(now, reason);
            }
        }
        Ok(())
    }

    /// Back to polling, with nothing lost: while a WebSocket is tried, neither carrier is given anything.
    fn fail_probe(&mut self, now: Instant) {
        if let Some(path) = self.path.next(PathCause::Fail) {
            self.path = path;
            self.wants_probe_pong = false;
            if self.link == Link::Attached {
                self.link = Link::Ending;
            }
            // A ping may have had to wait. It counts once: a client must not live on probes that fail.
            self.heartbeat.sign_of_life(now);
        }
    }

    /// The WebSocket has taken too long to prove itself.
    fn give_up_probe(&mut self, now: Instant) {
        if self.is_probing() && self.probe_deadline <= now {
            self.fail_probe(now);
        }
    }

    /// The client's poll must come to an end before it upgrades.
    fn release_get(&mut self) {
        if let Some(req) = self.get.take() {
            self.answers.push((req, payload_of(Packet::Noop)));
        }
    }

    fn poll_websocket(&mut self) -> Option<Transmit> {
        match self.link {
            Link::None | Link::Ended => return None,
            Link::Ending => {
                self.link = Link::Ended;
                return Some(match self.refusal.take() {
                    Some(refusal) => Transmit::Refuse(*refusal),
                    None => Transmit::Close,
                });
            }
            Link::Attached => {}
        }
        if mem::take(&mut self.wants_probe_pong) {
            return Some(Transmit::Packet(Packet::Pong(Str::from_static(PROBE))));
        }
        if self.path != Path::WebSocket || self.phase == Phase::Accepting {
            return None;
        }
        if mem::take(&mut self.wants_open) {
            return Some(Transmit::Packet(self.open_packet()));
        }
        if self.heartbeat.wants_ping() {
            self.heartbeat.ping_handed(self.outbox.handed());
            return Some(Transmit::Packet(Packet::Ping(Str::new())));
        }
        if let Some(data) = self.outbox.hand_over() {
            return Some(Transmit::Packet(Packet::Message(data)));
        }
        if self.phase == Phase::Closing {
            self.link = Link::Ending;
            return Some(Transmit::Packet(Packet::Close));
        }
        None
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
            self.answers.push((req, payload_of(last)));
        }
        if let Some(req) = self.post.take() {
            self.answers.push((req, Answer::Received));
        }
        self.heartbeat.stop();
        self.stall = Stall::None;
        self.wants_open = false;
        self.wants_probe_pong = false;
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

fn payload_of(packet: Packet) -> Answer {
    let mut body = Vec::new();
    Encoder::new(&mut body).push(&packet);
    Answer::Payload(body.into())
}

fn reason_of(violation: Violation) -> CloseReason {
    match violation {
        Violation::Packet(_) => CloseReason::ParseError,
        _ => CloseReason::TransportError,
    }
}
