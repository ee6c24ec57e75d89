//! One TCP connection of a server: HTTP requests one after another, or a WebSocket.

mod requests;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod websocket;

use core::mem;
use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use smallvec::SmallVec;

use super::answers::write_answer;
use super::exchange::Exchange;
use super::http1::{BodyReader, ResponseWriter};
use super::hub::{Admission, Cell, Hub};
use super::seats::{Full, Seat};
use super::timers::AlarmGuard;
use super::ws::{self, WebSocket};
use crate::engineio::state::Phase;
use crate::engineio::{Answer, Carrier, ErrorCode, Input, Packet, ReqId, Session, Transmit, Transport};
use crate::http::{Request, Response};
use crate::time::Instant;
use websocket::write_frames;

/// After how much output a turn ends: what does not fit stays in the session's queue, where it is counted.
const TURN: usize = 16 * 1024;

/// How much output may be stuck before nothing more is read, so that a peer can not make us answer without end.
const MAX_STUCK: usize = 64 * 1024;

/// What a driver has to do for a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionEvent<E> {
    /// A client wants a session: ask the application, then call [`accept`](Session::accept) or
    /// [`refuse`](Session::refuse) on it.
    Opened {
        /// The session.
        cell: Arc<Cell<E>>,
        /// The request, where the hub [keeps requests](Hub::keep_requests).
        request: Option<Request>,
        /// Whether this connection carries the session (a WebSocket from the start).
        carried: bool,
    },
    /// A request for another path: hand the answer to [`Connection::respond`].
    Fallback(Request),
    /// A page was turned away because of its origin. For logs: an application's developer sees nothing else of it.
    OriginRefused {
        /// What the browser says that the page's origin is, or `another site` where it does not; from a client that is no
        /// browser, whatever it likes, of the characters that origins have.
        origin: Box<str>,
    },
    /// A limit per address has turned somebody away who came through a proxy that is not
    /// [trusted](crate::http::TrustedProxies): it counts as one address for all. For logs, once for a hub.
    ProxySuspected {
        /// The proxy's address; or that of a client that says, untruthfully, that it is one.
        address: IpAddr,
    },
    /// The peer did not come through the TLS handshake, or has broken TLS later. For logs: the connection ends by itself.
    #[cfg(feature = "tls")]
    TlsFailed {
        /// Why, about the peer.
        error: super::tls::TlsError,
        /// Whether it was the handshake.
        in_handshake: bool,
    },
}

/// One TCP connection of a server, from its first byte to its last, without the socket.
///
/// Output is appended to a buffer of the caller's. One turn of a driver is:
///
/// 1. [`poll_transmit`](Self::poll_transmit), and write what it gave; [`handle_written`](Self::handle_written) when all
///    of it is out;
/// 2. where [`wants_input`](Self::wants_input), read once, and hand it to [`handle_input`](Self::handle_input),
///    [`handle_end`](Self::handle_end) or [`handle_failure`](Self::handle_failure);
/// 3. [`poll_event`](Self::poll_event);
/// 4. where nothing happened, [`park`](Self::park) and sleep.
///
/// Where the hub has TLS (feature `tls`), it begins with a handshake, and bytes on either side are TLS's.
///
/// Half-closed clients are not served: when the peer ends its sending, a request that waits is given up.
pub struct Connection<E: Send + Sync + 'static> {
    hub: Arc<Hub<E>>,
    peer: SocketAddr,
    state: State<E>,
    /// Its place among the connections that there may be.
    _seat: Option<Seat>,
    /// There was no place for it: what its first request is told.
    full: Option<Full>,
    /// Read and not yet understood: the beginning of a head, or what was sent behind a request that waits.
    input: Vec<u8>,
    deadline: Option<Instant>,
    /// Some output is stuck, and when patience with that ends.
    write_deadline: Option<Instant>,
    alarm: Option<AlarmGuard>,
    event: Option<ConnectionEvent<E>>,
    /// Responses that were given to the caller and not written yet.
    unwritten: SmallVec<[(Arc<Cell<E>>, ReqId); 1]>,
    #[cfg(feature = "tls")]
    tls: Option<Box<tls::Tls>>,
}

enum State<E: Send + Sync + 'static> {
    /// Between requests, or in a head.
    Head {
        begun: bool,
    },
    /// In a body.
    Body {
        reader: BodyReader,
        then: Box<Then<E>>,
        exchange: Exchange,
    },
    /// The session has the request.
    Waiting {
        cell: Arc<Cell<E>>,
        req: ReqId,
        exchange: Exchange,
    },
    /// The application is asked whether it wants this WebSocket.
    Opening {
        cell: Arc<Cell<E>>,
        handshake: Box<ws::Handshake>,
        exchange: Exchange,
    },
    /// The driver has the request.
    Fallback {
        exchange: Exchange,
    },
    /// The driver sends the body of a response; so many bytes are missing.
    Sending {
        exchange: Exchange,
        missing: u64,
    },
    /// A WebSocket, until its end has been told to the session.
    WebSocket {
        cell: Arc<Cell<E>>,
        socket: WebSocket,
    },
    /// Everything is said. Input is dropped until the peer ends too, so that the last response is not lost to a reset.
    Draining,
    Done,
}

/// What happens with a body when it is complete.
enum Then<E: Send + Sync + 'static> {
    Push {
        cell: Arc<Cell<E>>,
        is_binary: bool,
        is_form: bool,
    },
    Refuse(ErrorCode),
    Fallback(Box<Request>),
}

impl<E: Send + Sync + 'static> core::fmt::Debug for Connection<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = match self.state {
            State::Head { .. } => "Head",
            State::Body { .. } => "Body",
            State::Waiting { .. } => "Waiting",
            State::Opening { .. } => "Opening",
            State::Fallback { .. } => "Fallback",
            State::Sending { .. } => "Sending",
            State::WebSocket { .. } => "WebSocket",
            State::Draining => "Draining",
            State::Done => "Done",
        };
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl<E: Default + Send + Sync + 'static> Connection<E> {
    /// A connection that was just accepted, where the [`Limits`](super::Limits) leave a place for it; else one that is only
    /// told so, or `None`: hang up.
    pub fn admit(hub: Arc<Hub<E>>, peer: SocketAddr, now: Instant) -> Option<Self> {
        let (seat, full) = match hub.admit(peer.ip()) {
            Admission::Seat(seat) => (seat, None),
            Admission::Standing(seat, full) => (seat, Some(full)),
            Admission::None => return None,
        };
        let patience = hub.limits.linger_timeout;
        let mut connection = Self::new(hub, peer, now);
        connection._seat = Some(seat);
        if full.is_some() {
            connection.full = full;
            connection.deadline = Some(now + patience);
        }
        Some(connection)
    }

    /// A connection that was just accepted, whatever the limits are.
    pub fn new(hub: Arc<Hub<E>>, peer: SocketAddr, now: Instant) -> Self {
        let deadline = now + hub.limits.head_timeout;
        #[cfg(feature = "tls")]
        let tls = hub.tls.as_ref().map(|acceptor| Box::new(tls::Tls::new(acceptor)));
        Self {
            #[cfg(feature = "tls")]
            tls,
            alarm: Some(hub.alarm()),
            hub,
            peer,
            state: State::Head { begun: false },
            _seat: None,
            full: None,
            input: Vec::new(),
            deadline: Some(deadline),
            write_deadline: None,
            event: None,
            unwritten: SmallVec::new(),
        }
    }

    /// A connection that has become the WebSocket of a session, whoever has read and answered the request for it.
    pub(super) fn carrying(hub: Arc<Hub<E>>, peer: SocketAddr, cell: Arc<Cell<E>>, socket: WebSocket) -> Self {
        Self {
            hub,
            peer,
            state: State::WebSocket { cell, socket },
            _seat: None,
            full: None,
            input: Vec::new(),
            deadline: None,
            write_deadline: None,
            alarm: None,
            event: None,
            unwritten: SmallVec::new(),
            // Theirs, where there is any.
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Writes a packet that was taken from the session of this WebSocket.
    pub(super) fn write_packet(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        if let State::WebSocket { socket, .. } = &mut self.state {
            socket.write(packet, out);
        }
    }

    // ---- what happened ----

    /// Bytes came. All of them are taken.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return self.handle_records(now, bytes, out);
        }
        self.handle_plain(now, bytes, out);
    }

    fn handle_plain(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        if self.input.is_empty() {
            let used = self.advance(now, bytes, out);
            if used < bytes.len() {
                self.input = bytes[used..].to_vec();
            }
        } else {
            self.input.extend_from_slice(bytes);
            self.resume(now, out);
        }
    }

    /// The peer ended its sending.
    pub fn handle_end(&mut self, now: Instant) {
        #[cfg(feature = "tls")]
        if self.is_truncated() {
            return self.end(now, Input::WsFailed);
        }
        self.end(now, Input::WsClosed);
    }

    /// Reading or writing failed: nothing more comes and nothing more goes.
    pub fn handle_failure(&mut self, now: Instant) {
        #[cfg(feature = "tls")]
        self.note_break();
        self.end(now, Input::WsFailed);
    }

    /// Everything that was appended to `out` has been written.
    pub fn handle_written(&mut self) {
        self.unwritten.clear();
        self.write_deadline = None;
    }

    /// Some of the output could not be written. `progress`: some could, since the last time.
    pub fn handle_stuck(&mut self, now: Instant, progress: bool) {
        if progress || self.write_deadline.is_none() {
            self.write_deadline = Some(now + self.hub.limits.write_timeout);
        }
    }

    /// Does what is due at this time.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<u8>) {
        let start = out.len();
        self.do_what_is_due(now, out);
        self.seal(start, out);
    }

    fn do_what_is_due(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.write_deadline.is_some_and(|deadline| deadline <= now) {
            self.write_deadline = None;
            return self.handle_failure(now);
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.deadline = None;
        #[cfg(feature = "tls")]
        if self.is_late_for_tls() {
            return self.finish();
        }
        if self.write_deadline.is_some() {
            // The peer still takes our last words. Patience with that is another's.
            let again = match self.state {
                State::Draining | State::WebSocket { .. } => Some(self.hub.limits.linger_timeout),
                State::Head { begun: false } => Some(self.hub.limits.idle_timeout),
                _ => None,
            };
            if let Some(again) = again {
                self.deadline = Some(now + again);
                return;
            }
        }
        match &mut self.state {
            State::Head { begun: true } | State::Body { .. } => {
                ResponseWriter::new(out, 408).body(b"", false, false);
                self.drain(now);
            }
            State::WebSocket { cell, .. } => {
                // Our close frame was not answered.
                let _closed = cell.with(|session| session.handle_input(now, Input::WsFailed));
                self.finish();
            }
            State::Head { begun: false } | State::Draining => self.finish(),
            State::Waiting { .. }
            | State::Opening { .. }
            | State::Fallback { .. }
            | State::Sending { .. }
            | State::Done => {}
        }
    }

    /// The server is being shut down: a connection without a request ends, the others after theirs.
    pub fn handle_shutdown(&mut self, now: Instant) {
        match &mut self.state {
            State::Head { begun: false } if self.write_deadline.is_none() => self.finish(),
            State::Head { begun: false } => self.drain(now),
            State::Body { exchange, .. }
            | State::Waiting { exchange, .. }
            | State::Opening { exchange, .. }
            | State::Fallback { exchange }
            | State::Sending { exchange, .. } => exchange.keep_alive = false,
            State::Head { begun: true } => {
                // A head that is under way may come to its end, soon.
                let soon = now + self.hub.limits.linger_timeout;
                self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
            }
            State::WebSocket { .. } | State::Draining | State::Done => {}
        }
    }

    /// The answer to [`ConnectionEvent::Fallback`]. Where that has a [file](Response::file_part), and
    /// [`wants_body`](Self::wants_body) says so, what is in it is to be given to [`send_body`](Self::send_body).
    pub fn respond(&mut self, now: Instant, response: &Response, out: &mut Vec<u8>) {
        let State::Fallback { exchange } = &mut self.state else {
            return;
        };
        let start = out.len();
        let exchange = mem::take(exchange);
        let mut writer = ResponseWriter::new(out, response.status());
        for (name, value) in response.headers() {
            writer.header(name, value);
        }
        if matches!(response.status(), 204 | 304) {
            // By their status these have no body (RFC 9110, section 6.4.1).
            if !exchange.keep_alive {
                writer.header("Connection", "close");
            }
            writer.no_body();
        } else if let Some(part) = response.file_part() {
            writer.length(part.len(), exchange.keep_alive);
            if !exchange.head_only && !part.is_empty() {
                self.wait(State::Sending {
                    exchange,
                    missing: part.len(),
                });
                return self.seal(start, out);
            }
        } else {
            writer.body(response.bytes(), exchange.keep_alive, exchange.head_only);
        }
        self.answered(now, exchange.keep_alive);
        self.resume(now, out);
        self.seal(start, out);
    }

    /// Whether the driver has a body to send.
    pub fn wants_body(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// The next bytes of a body. Give no more than some 64 KiB at once, and only when all output is written.
    pub fn send_body(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        let State::Sending { exchange, missing } = &mut self.state else {
            return;
        };
        let start = out.len();
        let length = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(&bytes[..length]);
        *missing -= length as u64;
        if *missing == 0 {
            let keep_alive = exchange.keep_alive;
            self.answered(now, keep_alive);
            self.resume(now, out);
        }
        self.seal(start, out);
    }

    /// The rest of a body can not be had: the client sees that by the connection's end.
    pub fn break_off_body(&mut self) {
        if self.wants_body() {
            self.finish();
        }
    }

    // ---- what the connection wants ----

    /// Appends what is to be written; some 16 KiB at a time, so ask again when it is out.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        let start = out.len();
        self.transmit(now, out);
        self.seal(start, out);
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        while out.len() < TURN {
            let backlog = self.has_backlog();
            match &mut self.state {
                State::Waiting { cell, req, exchange } => {
                    let req = *req;
                    let transmit = cell.with(|session| session.poll_transmit(now, Carrier::Request(req)));
                    let answer = match transmit {
                        Some(Transmit::Response { answer, .. }) => answer,
                        // It is over, and has waited for this connection as long as it does.
                        _ if cell.look(Session::is_finished) => Answer::Error(ErrorCode::SessionUnknown),
                        _ => return,
                    };
                    let exchange = mem::take(exchange);
                    write_answer(&self.hub.endpoint, &answer, &exchange, out);
                    if matches!(answer, Answer::Payload(_) | Answer::Received) {
                        self.unwritten.push((cell.clone(), req));
                    }
                    self.answered(now, exchange.keep_alive);
                    self.resume(now, out);
                }
                State::Head { .. } if backlog => {
                    let before = self.input.len();
                    self.resume(now, out);
                    if self.input.len() == before {
                        return;
                    }
                }
                State::Opening { .. } => {
                    if !self.open_websocket(now, out) {
                        return;
                    }
                }
                State::WebSocket { cell, socket } => {
                    let closing = cell.with(|session| write_frames(session, now, socket, out));
                    if closing {
                        // What was queued may still be on its way where the session was closed in order.
                        let in_order = cell.look(|session| session.phase() == Phase::Closing);
                        let patience = if in_order {
                            self.hub.config.close_timeout
                        } else {
                            self.hub.limits.linger_timeout
                        };
                        self.deadline = Some(now + patience);
                    }
                    return;
                }
                _ => return,
            }
        }
    }

    /// The next event for the driver. May have something new after `handle_input`, and after `poll_transmit` and
    /// `respond`, behind whose answer the next request may stand already.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<ConnectionEvent<E>> {
        #[cfg(feature = "tls")]
        if let Some(failed) = self.take_tls_failure() {
            return Some(failed);
        }
        self.event.take()
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_event(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.has_tls_failure() {
            return true;
        }
        self.event.is_some()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), beside whatever the sessions want.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.deadline, self.write_deadline].into_iter().flatten().min()
    }

    /// Whether requests have been read which were not looked at so far, because a response before them was not written.
    /// [`poll_transmit`](Self::poll_transmit) goes on with them. (The beginning of a head counts too.)
    pub fn has_backlog(&self) -> bool {
        matches!(self.state, State::Head { .. }) && !self.input.is_empty() && self.unwritten.is_empty()
    }

    /// Whether to read, where `stuck` bytes of output could not be written so far.
    pub fn wants_input(&self, stuck: usize) -> bool {
        if stuck >= MAX_STUCK {
            return false;
        }
        match &self.state {
            State::Body { .. } | State::Draining => true,
            State::Head { .. } => self.unwritten.is_empty() || self.input.len() < self.hub.limits.max_head,
            // One head at most is read ahead, which also shows the peer's end.
            State::Waiting { .. } | State::Opening { .. } | State::Fallback { .. } | State::Sending { .. } => {
                self.input.len() < self.hub.limits.max_head
            }
            // A WebSocket that is being tried carries no messages yet, and must not wait until others are taken.
            State::WebSocket { cell, .. } => {
                cell.look(|session| session.wants_input() || session.transport() == Transport::Polling)
            }
            State::Done => false,
        }
    }

    /// Whether our sending is over once everything is written: end it (TCP's FIN).
    pub fn wants_end(&self) -> bool {
        matches!(self.state, State::Draining | State::Done)
    }

    /// Whether the connection may be dropped once everything is written.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The session whose WebSocket this connection is, from its upgrade (or its beginning) on.
    pub fn carries(&self) -> Option<&Arc<Cell<E>>> {
        match &self.state {
            State::WebSocket { cell, .. } => {
                let carried = cell.look(|session| session.transport() == Transport::WebSocket);
                carried.then_some(cell)
            }
            _ => None,
        }
    }

    /// Prepares to sleep: `waker` is woken when there is something to transmit or a deadline has come. Answers `false`
    /// where there is something already. With bytes of output that are `stuck`, only a deadline or the session's wish for
    /// input wakes; the stream wakes for the rest. `deaf`: the last [`wants_input`](Self::wants_input) was `false`, so
    /// the stream was not asked.
    #[must_use]
    pub fn park(&mut self, stuck: usize, deaf: bool, waker: &Waker) -> bool {
        let deadline = self.poll_timeout();
        match (&self.alarm, deadline) {
            // An idle WebSocket has no deadline of its own, and needs no alarm.
            (Some(_), None) if matches!(self.state, State::WebSocket { .. }) => self.alarm = None,
            (Some(alarm), deadline) => alarm.0.set(deadline, waker),
            (None, None) => {}
            (None, Some(_)) => {
                let alarm = self.hub.alarm();
                alarm.0.set(deadline, waker);
                self.alarm = Some(alarm);
            }
        }
        match &self.state {
            State::Waiting { cell, req, .. } => cell.park(Carrier::Request(*req), stuck > 0, false, waker),
            State::Opening { cell, .. } => cell.park(Carrier::WebSocket, stuck > 0, false, waker),
            State::WebSocket { cell, .. } => {
                // Too much that is stuck makes deaf as well; then the stream wakes the task.
                let deaf = deaf && stuck < MAX_STUCK;
                cell.park(Carrier::WebSocket, stuck > 0, deaf, waker)
            }
            _ => true,
        }
    }

    /// The address of the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether it is TLS.
    pub fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// What was appended to `out` from `start` on is to go out as TLS has it.
    #[cfg(not(feature = "tls"))]
    fn seal(&mut self, _start: usize, _out: &mut Vec<u8>) {}

    /// The hub that the connection belongs to.
    pub fn hub(&self) -> &Arc<Hub<E>> {
        &self.hub
    }

    /// The TCP connection has come to its end.
    fn end(&mut self, now: Instant, websocket: Input) {
        match &self.state {
            State::Waiting { cell, req, .. } => {
                let _closed = cell.with(|session| session.handle_input(now, Input::Gone(*req)));
            }
            State::Opening { cell, .. } | State::WebSocket { cell, .. } => {
                let _closed = cell.with(|session| session.handle_input(now, websocket));
            }
            _ => {}
        }
        self.finish();
    }

    /// Whoever is awake needs no waking: call it when the connection's task begins to run.
    pub fn unpark(&self) {
        match &self.state {
            State::Waiting { cell, req, .. } => cell.unpark(Carrier::Request(*req)),
            State::Opening { cell, .. } | State::WebSocket { cell, .. } => cell.unpark(Carrier::WebSocket),
            _ => {}
        }
    }
}

/// A connection that is dropped in the middle was cut.
impl<E: Send + Sync + 'static> Drop for Connection<E> {
    fn drop(&mut self) {
        if let State::Waiting { cell, .. } | State::Opening { cell, .. } | State::WebSocket { cell, .. } = &self.state {
            let now = self.hub.now();
            let (input, carrier) = match &self.state {
                State::Waiting { req, .. } => (Input::Gone(*req), Carrier::Request(*req)),
                _ => (Input::WsFailed, Carrier::WebSocket),
            };
            cell.unpark(carrier);
            let _closed = cell.with(|session| session.handle_input(now, input));
        }
        for (cell, req) in &self.unwritten {
            let now = self.hub.now();
            let _closed = cell.with(|session| session.handle_input(now, Input::Failed(*req)));
        }
    }
}
