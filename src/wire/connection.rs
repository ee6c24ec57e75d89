//! One TCP connection of a server: HTTP requests one after another, or a WebSocket.

#[cfg(test)]
mod tests;

use core::mem;
use core::net::SocketAddr;
use core::task::Waker;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use bytes::Bytes;
use smallvec::SmallVec;

use super::http1::{BodyReader, Framing, Head, HttpError, ResponseWriter, read_head};
use super::hub::{Cell, Hub};
use super::timers::AlarmGuard;
use super::ws::{self, Frame, FrameError, HandshakeError, WebSocket};
use crate::engineio::state::Phase;
use crate::engineio::{Answer, Carrier, ErrorCode, Input, ReqId, Session, Transmit, Transport};
use crate::http::{CorsAnswer, Request, RequestView, Response, Route, SessionRequest};
use crate::time::Instant;

/// After how much output a turn ends: what does not fit stays in the session's queue, where it is counted.
const TURN: usize = 16 * 1024;

/// How much output may be stuck before nothing more is read, so that a peer can not make us answer without end.
const MAX_STUCK: usize = 64 * 1024;

/// What a driver has to do for a connection.
#[derive(Debug)]
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
/// Half-closed clients are not served: when the peer ends its sending, a request that waits is given up.
pub struct Connection<E: Send + Sync + 'static> {
    hub: Arc<Hub<E>>,
    peer: SocketAddr,
    state: State<E>,
    /// Read and not yet understood: the beginning of a head, or what was sent behind a request that waits.
    input: Vec<u8>,
    deadline: Option<Instant>,
    /// Some output is stuck, and when patience with that ends.
    write_deadline: Option<Instant>,
    alarm: Option<AlarmGuard>,
    event: Option<ConnectionEvent<E>>,
    /// Responses that were given to the caller and not written yet.
    unwritten: SmallVec<[(Arc<Cell<E>>, ReqId); 1]>,
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
    /// A WebSocket, until its end has been told to the session.
    WebSocket {
        cell: Arc<Cell<E>>,
        socket: WebSocket,
    },
    /// Everything is said. Input is dropped until the peer ends too, so that the last response is not lost to a reset.
    Draining,
    Done,
}

/// What must be remembered of a request until it is answered.
#[derive(Default)]
struct Exchange {
    keep_alive: bool,
    head_only: bool,
    /// The browser is one whose XSS filter must be told to leave text alone.
    filters_xss: bool,
    /// The origin that may read the answer.
    origin: Option<Box<str>>,
}

/// What happens with a body when it is complete.
enum Then<E: Send + Sync + 'static> {
    Push { cell: Arc<Cell<E>>, is_binary: bool },
    Refuse(ErrorCode),
    Fallback(Request),
}

impl<E: Send + Sync + 'static> core::fmt::Debug for Connection<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = match self.state {
            State::Head { .. } => "Head",
            State::Body { .. } => "Body",
            State::Waiting { .. } => "Waiting",
            State::Opening { .. } => "Opening",
            State::Fallback { .. } => "Fallback",
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
    /// A connection that was just accepted.
    pub fn new(hub: Arc<Hub<E>>, peer: SocketAddr, now: Instant) -> Self {
        let deadline = now + hub.limits.head_timeout;
        Self {
            alarm: Some(hub.alarm()),
            hub,
            peer,
            state: State::Head { begun: false },
            input: Vec::new(),
            deadline: Some(deadline),
            write_deadline: None,
            event: None,
            unwritten: SmallVec::new(),
        }
    }

    // ---- what happened ----

    /// Bytes came. All of them are taken.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
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
        self.end(now, Input::WsClosed);
    }

    /// Reading or writing failed: nothing more comes and nothing more goes.
    pub fn handle_failure(&mut self, now: Instant) {
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
        if self.write_deadline.is_some_and(|deadline| deadline <= now) {
            self.write_deadline = None;
            return self.handle_failure(now);
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.deadline = None;
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
            State::Waiting { .. } | State::Opening { .. } | State::Fallback { .. } | State::Done => {}
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
            | State::Fallback { exchange } => exchange.keep_alive = false,
            State::Head { begun: true } => {
                // A head that is under way may come to its end, soon.
                let soon = now + self.hub.limits.linger_timeout;
                self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
            }
            State::WebSocket { .. } | State::Draining | State::Done => {}
        }
    }

    /// The answer to [`ConnectionEvent::Fallback`].
    pub fn respond(&mut self, now: Instant, response: &Response, out: &mut Vec<u8>) {
        let State::Fallback { exchange } = &mut self.state else {
            return;
        };
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
        } else {
            writer.body(response.bytes(), exchange.keep_alive, exchange.head_only);
        }
        self.answered(now, exchange.keep_alive);
        self.resume(now, out);
    }

    // ---- what the connection wants ----

    /// Appends what is to be written; some 16 KiB at a time, so ask again when it is out.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
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
                    write_answer(&answer, &exchange, out);
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
        self.event.take()
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_event(&self) -> bool {
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
            State::Waiting { .. } | State::Opening { .. } | State::Fallback { .. } => {
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

    /// The hub that the connection belongs to.
    pub fn hub(&self) -> &Arc<Hub<E>> {
        &self.hub
    }

    // ---- requests ----

    /// Goes on with what was read earlier.
    fn resume(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.input.is_empty() {
            return;
        }
        let mut input = mem::take(&mut self.input);
        let used = self.advance(now, &input, out);
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
    }

    /// Goes through `bytes` as far as the state lets it; answers how many were used up.
    fn advance(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut rest = bytes;
        loop {
            match &mut self.state {
                State::Head { begun } => {
                    // Not before the response to the last request is out: the next one would confirm it.
                    if rest.is_empty() || !self.unwritten.is_empty() {
                        break;
                    }
                    if !mem::replace(begun, true) {
                        self.deadline = Some(now + self.hub.limits.head_timeout);
                    }
                    let max_head = self.hub.limits.max_head;
                    match read_head(rest, max_head, |head, length| {
                        self.begin(now, head, out);
                        length
                    }) {
                        Ok(Some(length)) => rest = &rest[length..],
                        Ok(None) => break,
                        Err(error) => self.fail(now, error, out),
                    }
                }
                State::Body { reader, .. } => match reader.read(&mut rest) {
                    Ok(true) => self.complete(now, out),
                    Ok(false) => break,
                    Err(error) => self.fail(now, error, out),
                },
                State::Waiting { .. } | State::Opening { .. } | State::Fallback { .. } => break,
                State::WebSocket { .. } => {
                    self.read_frames(now, rest, out);
                    rest = &[];
                    break;
                }
                State::Draining | State::Done => {
                    rest = &[];
                    break;
                }
            }
        }
        bytes.len() - rest.len()
    }

    /// A head is complete.
    fn begin(&mut self, now: Instant, head: &Head<'_>, out: &mut Vec<u8>) {
        let view = RequestView {
            method: head.method,
            path: head.path,
            query: head.query,
            headers: head,
        };
        let allowed = self.hub.endpoint.check_origin(&view) == CorsAnswer::Allow;
        let exchange = Exchange {
            keep_alive: head.keep_alive && !self.hub.is_closing(),
            head_only: head.method == "HEAD",
            filters_xss: view
                .header("user-agent")
                .is_some_and(|name| name.contains(";MSIE") || name.contains("Trident/")),
            origin: view.header("origin").filter(|_| allowed).map(Into::into),
        };
        let route = self.hub.endpoint.route(&view);
        if view.wants_websocket() && !head.version_1_1 && route != Route::NotOurs {
            // HTTP/1.0 knows no upgrade (RFC 9110, section 7.8).
            return self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out);
        }
        if view.wants_websocket() && head.framing != Framing::Empty && route != Route::NotOurs {
            // Is what follows a body, or frames? Nobody shall have to ask.
            return self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out);
        }
        match route {
            Route::NotOurs if self.hub.has_fallback => {
                let then = Then::Fallback(self.keep(head, &view));
                self.read_body(now, head, then, exchange, out);
            }
            Route::NotOurs => self.refuse_path(now, head, exchange, out),
            Route::Preflight => self.answer_preflight(now, head, &view, exchange, out),
            Route::Refuse(code) if view.wants_websocket() => self.refuse_websocket(now, code, &exchange, out),
            Route::Refuse(code) => self.read_body(now, head, Then::Refuse(code), exchange, out),
            Route::Open(Transport::Polling) => self.open_polling(now, head, &view, exchange, out),
            Route::Open(Transport::WebSocket) => match ws::Handshake::read(&view) {
                Ok(handshake) if !self.hub.is_closing() => {
                    let cell = self.hub.open(now, Carrier::WebSocket, E::default());
                    self.announce(&cell, head, &view, true);
                    self.wait(State::Opening {
                        cell,
                        handshake: Box::new(handshake),
                        exchange,
                    });
                }
                Ok(_) => self.refuse_while_closing(now, &exchange, out),
                Err(error) => self.refuse_handshake(now, error, &exchange, out),
            },
            Route::Session { sid, request } => match (self.hub.session(&sid), request) {
                (Some(cell), SessionRequest::Upgrade) => match ws::Handshake::read(&view) {
                    Ok(handshake) => self.upgrade(now, cell, &handshake, exchange, out),
                    Err(error) => self.refuse_handshake(now, error, &exchange, out),
                },
                (None, _) if view.wants_websocket() => {
                    self.refuse_websocket(now, ErrorCode::SessionUnknown, &exchange, out);
                }
                (Some(_), SessionRequest::Invalid) if view.wants_websocket() => {
                    self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out);
                }
                (None, _) => self.read_body(now, head, Then::Refuse(ErrorCode::SessionUnknown), exchange, out),
                (Some(_), SessionRequest::Invalid) => {
                    self.read_body(now, head, Then::Refuse(ErrorCode::BadRequest), exchange, out);
                }
                (Some(cell), SessionRequest::Push) => {
                    let content_type = view.header("content-type").unwrap_or_default();
                    let is_binary = content_type.trim().eq_ignore_ascii_case("application/octet-stream");
                    self.read_body(now, head, Then::Push { cell, is_binary }, exchange, out);
                }
                (Some(cell), SessionRequest::Poll) => {
                    if head.framing != Framing::Empty {
                        // A GET with a body is nothing that a client sends.
                        return self.fail(now, HttpError::Malformed, out);
                    }
                    let req = self.hub.next_request();
                    let _violation = cell.with(|session| session.handle_input(now, Input::Get(req)));
                    self.wait(State::Waiting { cell, req, exchange });
                }
            },
        }
    }

    fn open_polling(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        view: &RequestView<'_>,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        if head.framing != Framing::Empty {
            return self.fail(now, HttpError::Malformed, out);
        }
        if self.hub.is_closing() {
            return self.refuse_while_closing(now, &exchange, out);
        }
        let req = self.hub.next_request();
        let cell = self.hub.open(now, Carrier::Request(req), E::default());
        self.announce(&cell, head, view, false);
        self.wait(State::Waiting { cell, req, exchange });
    }

    fn announce(&mut self, cell: &Arc<Cell<E>>, head: &Head<'_>, view: &RequestView<'_>, carried: bool) {
        self.event = Some(ConnectionEvent::Opened {
            cell: cell.clone(),
            request: self.hub.keeps_requests.then(|| self.keep(head, view)),
            carried,
        });
    }

    fn keep(&self, head: &Head<'_>, view: &RequestView<'_>) -> Request {
        let headers = head.headers.iter().map(|header| (header.name, header.value));
        Request::new(view, headers, self.peer)
    }

    /// Somebody else decides when it goes on; there is no deadline but theirs.
    fn wait(&mut self, state: State<E>) {
        self.deadline = None;
        self.state = state;
    }

    fn read_body(&mut self, now: Instant, head: &Head<'_>, then: Then<E>, exchange: Exchange, out: &mut Vec<u8>) {
        match BodyReader::new(head.framing, self.hub.config.max_payload) {
            Ok(reader) => {
                let unwanted = matches!(then, Then::Refuse(_));
                if head.expects_continue && head.framing != Framing::Empty && !unwanted {
                    ResponseWriter::new(out, 100).no_body();
                }
                self.deadline = Some(now + self.hub.limits.body_timeout);
                self.state = State::Body {
                    reader: if unwanted { reader.discarding() } else { reader },
                    then: Box::new(then),
                    exchange,
                };
            }
            Err(error) => self.fail_with(now, error, exchange.origin.as_deref(), out),
        }
    }

    /// A body is complete.
    fn complete(&mut self, now: Instant, out: &mut Vec<u8>) {
        let State::Body { reader, then, exchange } = mem::replace(&mut self.state, State::Done) else {
            unreachable!("the caller has seen the body's end");
        };
        let body = Bytes::from(reader.into_body());
        match *then {
            Then::Push { cell, is_binary } => {
                // Version 4 has no binary bodies. The session must not go on without what was in this one; to it, it is
                // the empty body, which is no packet either.
                let body = if is_binary { Bytes::new() } else { body };
                let req = self.hub.next_request();
                let _violation = cell.with(|session| session.handle_input(now, Input::Post(req, body)));
                self.wait(State::Waiting { cell, req, exchange });
                self.poll_transmit(now, out);
            }
            Then::Refuse(code) => {
                write_answer(&Answer::Error(code), &exchange, out);
                self.answered(now, exchange.keep_alive);
            }
            Then::Fallback(request) => {
                self.event = Some(ConnectionEvent::Fallback(request.with_body(body)));
                self.wait(State::Fallback { exchange });
            }
        }
    }

    /// What was sent is no request that we serve. Whatever follows it can not be understood.
    fn fail(&mut self, now: Instant, error: HttpError, out: &mut Vec<u8>) {
        let exchange = match mem::replace(&mut self.state, State::Done) {
            State::Body { exchange, .. } => exchange,
            _ => Exchange::default(),
        };
        self.fail_with(now, error, exchange.origin.as_deref(), out);
    }

    fn fail_with(&mut self, now: Instant, error: HttpError, origin: Option<&str>, out: &mut Vec<u8>) {
        let mut writer = ResponseWriter::new(out, error.status());
        write_cors(&mut writer, origin);
        writer.body(b"", false, false);
        self.drain(now);
    }

    fn refuse_path(&mut self, now: Instant, head: &Head<'_>, exchange: Exchange, out: &mut Vec<u8>) {
        let keep_alive = exchange.keep_alive && head.framing == Framing::Empty;
        let mut writer = ResponseWriter::new(out, 404);
        writer.header("Content-Type", "text/plain");
        writer.body(b"Not Found", keep_alive, exchange.head_only);
        self.answered(now, keep_alive);
    }

    fn answer_preflight(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        view: &RequestView<'_>,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        let keep_alive = exchange.keep_alive && head.framing == Framing::Empty;
        let mut writer = ResponseWriter::new(out, 204);
        write_cors(&mut writer, exchange.origin.as_deref());
        writer.header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
        if let Some(headers) = view.header("access-control-request-headers") {
            writer.header("Access-Control-Allow-Headers", headers);
        }
        if !keep_alive {
            writer.header("Connection", "close");
        }
        writer.no_body();
        self.answered(now, keep_alive);
    }

    fn refuse_while_closing(&mut self, now: Instant, exchange: &Exchange, out: &mut Vec<u8>) {
        let mut writer = ResponseWriter::new(out, 503);
        writer.header("Content-Type", "application/json");
        write_cors(&mut writer, exchange.origin.as_deref());
        writer.body(ErrorCode::Forbidden.body().as_bytes(), false, false);
        self.drain(now);
    }

    /// A request was answered: the next one, or the end.
    fn answered(&mut self, now: Instant, keep_alive: bool) {
        if keep_alive {
            self.state = State::Head { begun: false };
            self.deadline = Some(now + self.hub.limits.idle_timeout);
        } else {
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        self.unpark();
        self.state = State::Draining;
        self.deadline = Some(now + self.hub.limits.linger_timeout);
    }

    fn finish(&mut self) {
        self.unpark();
        self.state = State::Done;
        self.deadline = None;
    }

    // ---- the WebSocket ----

    fn refuse_websocket(&mut self, now: Instant, code: ErrorCode, exchange: &Exchange, out: &mut Vec<u8>) {
        // Whoever wanted to go on as a WebSocket has no use for the connection.
        let mut writer = ResponseWriter::new(out, 400);
        writer.header("Content-Type", "application/json");
        write_cors(&mut writer, exchange.origin.as_deref());
        writer.body(code.body().as_bytes(), false, false);
        self.drain(now);
    }

    fn refuse_handshake(&mut self, now: Instant, error: HandshakeError, exchange: &Exchange, out: &mut Vec<u8>) {
        match error {
            HandshakeError::BadKey => self.refuse_websocket(now, ErrorCode::BadRequest, exchange, out),
            HandshakeError::UnsupportedVersion => {
                let mut writer = ResponseWriter::new(out, 426);
                writer.header("Sec-WebSocket-Version", "13");
                writer.body(b"", false, false);
                self.drain(now);
            }
        }
    }

    fn upgrade(
        &mut self,
        now: Instant,
        cell: Arc<Cell<E>>,
        handshake: &ws::Handshake,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        let served = cell.with(|session| session.handle_input(now, Input::WsOpen));
        if served.is_err() {
            return self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out);
        }
        write_switching(handshake, exchange.origin.as_deref(), out);
        self.wait(State::WebSocket {
            cell,
            socket: WebSocket::new(self.hub.config.max_payload),
        });
    }

    /// Answers the request for a WebSocket as soon as the application has decided; whether it has.
    fn open_websocket(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let State::Opening {
            cell,
            handshake,
            exchange,
        } = &mut self.state
        else {
            return false;
        };
        let Some(transmit) = cell.with(|session| session.poll_transmit(now, Carrier::WebSocket)) else {
            return false;
        };
        let packet = match transmit {
            Transmit::Packet(packet) => packet,
            other => {
                let (status, body) = match &other {
                    Transmit::Refuse(refusal) => (refusal.status(), &refusal.body()[..]),
                    // It was over before it began.
                    _ => (503, ErrorCode::Forbidden.body().as_bytes()),
                };
                let mut writer = ResponseWriter::new(out, status);
                writer.header("Content-Type", "application/json");
                write_cors(&mut writer, exchange.origin.as_deref());
                writer.body(body, false, false);
                let _closed = cell.with(|session| session.handle_input(now, Input::WsClosed));
                self.drain(now);
                return true;
            }
        };
        write_switching(handshake, exchange.origin.as_deref(), out);
        let mut socket = WebSocket::new(self.hub.config.max_payload);
        socket.write(&packet, out);
        let cell = cell.clone();
        self.state = State::WebSocket { cell, socket };
        self.resume(now, out);
        true
    }

    fn read_frames(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        let State::WebSocket { cell, socket } = &mut self.state else {
            return;
        };
        let mut bytes = bytes;
        let end = cell.with(|session| {
            loop {
                let input = match socket.read(&mut bytes, out) {
                    Ok(Some(Frame::Text(text))) => Input::WsText(text),
                    Ok(Some(Frame::Binary(bytes))) => Input::WsBinary(bytes),
                    Ok(Some(Frame::Closed)) => {
                        let _closed = session.handle_input(now, Input::WsClosed);
                        return Some(Ok(()));
                    }
                    Ok(None) => return None,
                    Err(error) => {
                        let _closed = session.handle_input(now, Input::WsFailed);
                        return Some(Err(error));
                    }
                };
                // What it means for the session shows in what the session wants next.
                let _violation = session.handle_input(now, input);
            }
        });
        match end {
            None => {}
            // Both close frames are said: the server ends the TCP connection first (RFC 6455, section 7.1.1).
            Some(Ok(()) | Err(FrameError(_))) => self.drain(now),
        }
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

/// Writes what the session has for its WebSocket, a turn's worth; answers whether the last of it was a close frame.
fn write_frames(session: &mut Session, now: Instant, socket: &mut WebSocket, out: &mut Vec<u8>) -> bool {
    while out.len() < TURN {
        match session.poll_transmit(now, Carrier::WebSocket) {
            Some(Transmit::Packet(packet)) => socket.write(&packet, out),
            Some(_) => {
                socket.close(1000, out);
                return true;
            }
            None => break,
        }
    }
    false
}

fn write_answer(answer: &Answer, exchange: &Exchange, out: &mut Vec<u8>) {
    let (status, lines, body) = match answer {
        Answer::Payload(body) => (
            200,
            "Content-Type: text/plain; charset=UTF-8\r\nCache-Control: no-store\r\n",
            &body[..],
        ),
        Answer::Received => (
            200,
            "Content-Type: text/html\r\nCache-Control: no-store\r\n",
            &b"ok"[..],
        ),
        Answer::Refused(refusal) => (
            refusal.status(),
            "Content-Type: application/json\r\n",
            &refusal.body()[..],
        ),
        Answer::Error(code) => (
            code.status(),
            "Content-Type: application/json\r\n",
            code.body().as_bytes(),
        ),
    };
    let mut writer = ResponseWriter::new(out, status);
    writer.lines(lines);
    if exchange.filters_xss {
        writer.lines("X-XSS-Protection: 0\r\n");
    }
    write_cors(&mut writer, exchange.origin.as_deref());
    writer.body(body, exchange.keep_alive, exchange.head_only);
}

fn write_cors(writer: &mut ResponseWriter<'_>, origin: Option<&str>) {
    if let Some(origin) = origin {
        writer.header("Access-Control-Allow-Origin", origin);
        writer.lines("Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n");
    }
}

fn write_switching(handshake: &ws::Handshake, origin: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    let mut writer = ResponseWriter::continue_head(out);
    writer.header("Sec-WebSocket-Accept", handshake.accept());
    if let Some(protocol) = handshake.protocol() {
        writer.header("Sec-WebSocket-Protocol", protocol);
    }
    write_cors(&mut writer, origin);
    writer.no_body();
}
