//! Requests that somebody else's HTTP server has read, and will answer.

use core::fmt;
use core::mem;
use core::net::{Ipv4Addr, SocketAddr};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use bytes::Bytes;

use super::answers::{write_answer, write_bad_handshake, write_failure, write_last, write_preflight, write_switching};
use super::connection::{Connection, ConnectionEvent};
use super::exchange::Exchange;
use super::hub::{Cell, Hub};
use super::routing::{Decision, decide, push, refused_origin};
use super::ws::{Handshake, WebSocket};
use crate::engineio::{Answer, Carrier, ErrorCode, Input, Refusal, ReqId, Session, Transmit};
use crate::http::{Request, RequestView, TlsInfo};
use crate::time::Instant;

/// The head of a request that somebody else has read.
#[derive(Clone, Copy)]
pub struct HostedHead<'a> {
    /// What it says.
    pub view: RequestView<'a>,
    /// The other end of its connection, where that is known.
    pub peer: Option<SocketAddr>,
    /// What is known of its TLS, which is somebody else's too.
    pub tls: Option<&'a TlsInfo>,
    /// Whether it says that a body follows.
    pub has_body: bool,
    /// Whether its connection can become a WebSocket.
    pub may_switch: bool,
}

impl fmt::Debug for HostedHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedHead")
            .field("method", &self.view.method)
            .field("path", &self.view.path)
            .finish_non_exhaustive()
    }
}

/// One request of an endpoint whose HTTP is somebody else's, from its head to its answer.
///
/// 1. [`begin`](Self::begin) says whether it is the endpoint's at all;
/// 2. where it [wants a body](Self::wants_body), that is read, and handed to [`handle_body`](Self::handle_body) or, where it
///    is none, its status to [`refuse_body`](Self::refuse_body);
/// 3. [`poll_reply`](Self::poll_reply) has the answer, sooner or later.
///
/// Whoever drops it before has lost the client: the session is told.
pub struct HostedRequest<E: Send + Sync + 'static> {
    hub: Arc<Hub<E>>,
    peer: SocketAddr,
    exchange: Exchange,
    state: State<E>,
}

enum State<E: Send + Sync + 'static> {
    /// The body of a POST is missing.
    Body {
        cell: Arc<Cell<E>>,
        is_binary: bool,
        is_form: bool,
    },
    /// The session has the request.
    Waiting {
        cell: Arc<Cell<E>>,
        req: ReqId,
    },
    /// The application is asked whether it wants this WebSocket.
    Opening {
        cell: Arc<Cell<E>>,
        handshake: Handshake,
    },
    Answered(Box<Reply<E>>),
    Done,
}

/// The answer to a request.
pub struct Reply<E: Send + Sync + 'static> {
    head: Bytes,
    body: Bytes,
    unwritten: Option<Unwritten<E>>,
    websocket: Option<(Connection<E>, Vec<u8>)>,
}

/// An answer that was given away. Dropping it says that it did not reach the client, unless it was
/// [written](Self::handle_written).
pub struct Unwritten<E: Send + Sync + 'static>(Option<(Arc<Cell<E>>, ReqId)>);

impl<E: Send + Sync + 'static> Unwritten<E> {
    /// All of it was written, or taken by whoever writes it.
    pub fn handle_written(&mut self) {
        self.0 = None;
    }
}

impl<E: Send + Sync + 'static> Drop for Unwritten<E> {
    fn drop(&mut self) {
        if let Some((cell, req)) = self.0.take() {
            let now = cell.now();
            let _closed = cell.with(|session| session.handle_input(now, Input::Failed(req)));
        }
    }
}

impl<E: Send + Sync + 'static> Reply<E> {
    /// An answer as our own HTTP/1.1 writes it.
    fn of(written: Vec<u8>) -> Self {
        let end = written.windows(4).position(|end| end == b"\r\n\r\n");
        let mut head = Bytes::from(written);
        let body = head.split_off(end.map_or(head.len(), |end| end + 4));
        Self {
            head,
            body,
            unwritten: None,
            websocket: None,
        }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        let digits = self.head.get(9..12).unwrap_or_default();
        let status = core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        status.unwrap_or(500)
    }

    /// The headers, but for that of the body's length, which is a matter of whoever sends it. `Connection` is among them
    /// where the connection becomes a WebSocket, or should end; HTTP/2 has no such header.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let lines = self.head.split(|&byte| byte == b'\n').skip(1);
        lines
            .filter_map(|line| {
                let line = line.strip_suffix(b"\r")?;
                let colon = line.iter().position(|&byte| byte == b':')?;
                let name = core::str::from_utf8(&line[..colon]).ok()?;
                Some((name, line[colon + 1..].trim_ascii()))
            })
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What wants to know whether the body was sent, where somebody does.
    pub fn take_unwritten(&mut self) -> Option<Unwritten<E>> {
        self.unwritten.take()
    }

    /// The WebSocket that the connection becomes with this answer, and the bytes that are to be written to it first.
    pub fn take_websocket(&mut self) -> Option<(Connection<E>, Vec<u8>)> {
        self.websocket.take()
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for Reply<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for Unwritten<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unwritten")
    }
}

impl<E: Send + Sync + 'static> fmt::Debug for HostedRequest<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedRequest")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<E: Default + Send + Sync + 'static> HostedRequest<E> {
    /// Takes a request, with all its headers; `None` where it is for another path. An event that comes with it is the
    /// driver's to see to, before anything else: an [opened](ConnectionEvent::Opened) session needs its application, and
    /// nobody runs that beside the driver.
    pub fn begin<'h>(
        hub: &Arc<Hub<E>>,
        now: Instant,
        head: &HostedHead<'_>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    ) -> Option<(Self, Option<ConnectionEvent<E>>)> {
        let endpoint = &hub.endpoint;
        let mut view = head.view;
        view.peer = head.peer.map(|peer| peer.ip());
        view.is_secure = view.is_secure || endpoint.terms().proxies().says_secure(&view);
        let look = endpoint.look(&view);
        let mut exchange = Exchange::new(endpoint, &view, &look);
        exchange.keep_alive = !hub.is_closing();
        let mut event = refused_origin(&view, &look).map(|origin| ConnectionEvent::OriginRefused { origin });
        let peer = head.peer.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let announce = |cell: &Arc<Cell<E>>| {
            event = Some(ConnectionEvent::Opened {
                cell: cell.clone(),
                request: hub.keeps_requests.then(|| {
                    let client = endpoint.terms().proxies().client(&view);
                    Request::new(&view, headers, peer)
                        .with_client(client)
                        .with_tls(head.tls.cloned())
                }),
                carried: false,
            });
        };
        let mut out = Vec::new();
        let state = match decide(hub, &view, look, &exchange, head.has_body, head.may_switch) {
            Decision::NotOurs => return None,
            Decision::Preflight => {
                write_preflight(endpoint, &view, &exchange, &mut out);
                State::Done
            }
            Decision::Malformed => {
                write_failure(endpoint, 400, &exchange, &mut out);
                State::Done
            }
            Decision::Refuse(code) => {
                write_answer(endpoint, &Answer::Error(code), &exchange, &mut out);
                State::Done
            }
            Decision::RefuseWebSocket(code) => {
                write_last(endpoint, 400, code.body().as_bytes(), &exchange, &mut out);
                State::Done
            }
            Decision::RefuseHandshake(error) => {
                write_bad_handshake(endpoint, error, &exchange, &mut out);
                State::Done
            }
            Decision::Closing => {
                let refusal = Refusal::new(503);
                write_last(endpoint, refusal.status(), refusal.body(), &exchange, &mut out);
                State::Done
            }
            Decision::OpenPolling => {
                let req = hub.next_request();
                let carrier = Carrier::Request(req);
                match hub.open_for(exchange.version, now, carrier, E::default(), &view) {
                    Ok(cell) => {
                        let sid = cell.look(|session| session.sid().clone());
                        exchange.set_initial(endpoint.terms().initial_lines(&view, Some(&sid)));
                        announce(&cell);
                        State::Waiting { cell, req }
                    }
                    Err(refusal) => {
                        write_answer(endpoint, &Answer::Refused(refusal), &exchange, &mut out);
                        State::Done
                    }
                }
            }
            Decision::OpenWebSocket(handshake) => {
                match hub.open_for(exchange.version, now, Carrier::WebSocket, E::default(), &view) {
                    Ok(cell) => {
                        exchange.set_initial(endpoint.terms().initial_lines(&view, None));
                        announce(&cell);
                        State::Opening { cell, handshake }
                    }
                    Err(refusal) => {
                        write_last(endpoint, refusal.status(), refusal.body(), &exchange, &mut out);
                        State::Done
                    }
                }
            }
            Decision::Upgrade(cell, handshake) => match cell.with(|session| session.handle_input(now, Input::WsOpen)) {
                Ok(()) => {
                    let reply = switch(hub, peer, &cell, &handshake, &exchange);
                    State::Answered(Box::new(reply))
                }
                Err(_) => {
                    let body = ErrorCode::BadRequest.body();
                    write_last(endpoint, 400, body.as_bytes(), &exchange, &mut out);
                    State::Done
                }
            },
            Decision::Poll(cell) => {
                let req = hub.next_request();
                let _violation = cell.with(|session| session.handle_input(now, Input::Get(req)));
                State::Waiting { cell, req }
            }
            Decision::Push {
                cell,
                is_binary,
                is_form,
            } => State::Body {
                cell,
                is_binary,
                is_form,
            },
        };
        let state = match out.is_empty() {
            true => state,
            false => State::Answered(Box::new(Reply::of(out))),
        };
        let hosted = Self {
            hub: hub.clone(),
            peer,
            exchange,
            state,
        };
        Some((hosted, event))
    }

    /// Whether the body is to be read.
    pub fn wants_body(&self) -> bool {
        matches!(self.state, State::Body { .. })
    }

    /// How many bytes of a body are taken: one that is longer is refused with 413.
    pub fn max_body(&self) -> usize {
        self.hub.config.max_payload
    }

    /// How long a body may take: one that is slower is refused with 408.
    pub fn body_timeout(&self) -> Duration {
        self.hub.limits.body_timeout
    }

    /// All of the body.
    pub fn handle_body(&mut self, now: Instant, body: Bytes) {
        match mem::replace(&mut self.state, State::Done) {
            State::Body {
                cell,
                is_binary,
                is_form,
            } => {
                let req = self.hub.next_request();
                push(&cell, now, req, body, is_binary, is_form);
                self.state = State::Waiting { cell, req };
            }
            other => self.state = other,
        }
    }

    /// There is no body that can be taken: the request is answered with this status.
    pub fn refuse_body(&mut self, status: u16) {
        if self.wants_body() {
            let mut out = Vec::new();
            write_failure(&self.hub.endpoint, status, &self.exchange, &mut out);
            self.state = State::Answered(Box::new(Reply::of(out)));
        }
    }

    /// The answer, once; `waker` is woken where it has to be waited for.
    pub fn poll_reply(&mut self, now: Instant, waker: &Waker) -> Poll<Reply<E>> {
        loop {
            let (carrier, cell) = match mem::replace(&mut self.state, State::Done) {
                State::Answered(reply) => return Poll::Ready(*reply),
                State::Waiting { cell, req } => {
                    if let Some(reply) = self.answer(now, &cell, req) {
                        cell.unpark(Carrier::Request(req));
                        return Poll::Ready(reply);
                    }
                    let waiting = cell.clone();
                    self.state = State::Waiting { cell, req };
                    (Carrier::Request(req), waiting)
                }
                State::Opening { cell, handshake } => {
                    if let Some(reply) = self.open(now, &cell, &handshake) {
                        cell.unpark(Carrier::WebSocket);
                        return Poll::Ready(reply);
                    }
                    let waiting = cell.clone();
                    self.state = State::Opening { cell, handshake };
                    (Carrier::WebSocket, waiting)
                }
                // There is nothing to wait for: a body that was not handed over, or an answer that was taken.
                State::Body { .. } | State::Done => {
                    let mut out = Vec::new();
                    write_failure(&self.hub.endpoint, 400, &self.exchange, &mut out);
                    return Poll::Ready(Reply::of(out));
                }
            };
            if cell.park(carrier, false, false, waker) {
                return Poll::Pending;
            }
        }
    }

    fn answer(&self, now: Instant, cell: &Arc<Cell<E>>, req: ReqId) -> Option<Reply<E>> {
        let transmit = cell.with(|session| session.poll_transmit(now, Carrier::Request(req)));
        let answer = match transmit {
            Some(Transmit::Response { answer, .. }) => answer,
            // It is over, and has waited for this request as long as it does.
            _ if cell.look(Session::is_finished) => Answer::Error(ErrorCode::SessionUnknown),
            _ => return None,
        };
        let mut out = Vec::new();
        write_answer(&self.hub.endpoint, &answer, &self.exchange, &mut out);
        let mut reply = Reply::of(out);
        if matches!(answer, Answer::Payload(_) | Answer::Received) {
            reply.unwritten = Some(Unwritten(Some((cell.clone(), req))));
        }
        Some(reply)
    }

    fn open(&self, now: Instant, cell: &Arc<Cell<E>>, handshake: &Handshake) -> Option<Reply<E>> {
        let (status, body) = match cell.with(|session| session.poll_transmit(now, Carrier::WebSocket))? {
            Transmit::Packet(packet) => {
                let mut reply = switch(&self.hub, self.peer, cell, handshake, &self.exchange);
                if let Some((connection, out)) = &mut reply.websocket {
                    connection.write_packet(&packet, out);
                }
                return Some(reply);
            }
            Transmit::Refuse(refusal) => (refusal.status(), refusal.body().to_vec()),
            // It was over before it began.
            _ => (503, ErrorCode::Forbidden.body().as_bytes().to_vec()),
        };
        let mut out = Vec::new();
        write_last(&self.hub.endpoint, status, &body, &self.exchange, &mut out);
        let _closed = cell.with(|session| session.handle_input(now, Input::WsClosed));
        Some(Reply::of(out))
    }
}

/// The answer with which a connection becomes a session's WebSocket.
fn switch<E: Default + Send + Sync + 'static>(
    hub: &Arc<Hub<E>>,
    peer: SocketAddr,
    cell: &Arc<Cell<E>>,
    handshake: &Handshake,
    exchange: &Exchange,
) -> Reply<E> {
    let mut out = Vec::new();
    write_switching(&hub.endpoint, handshake, exchange, &mut out);
    let mut socket = WebSocket::new(hub.config.max_payload);
    socket.set_text_only(exchange.text_only);
    socket.set_version(exchange.version);
    let mut reply = Reply::of(out);
    reply.websocket = Some((
        Connection::carrying(hub.clone(), peer, cell.clone(), socket),
        Vec::new(),
    ));
    reply
}

/// A request that is dropped before its answer was lost.
impl<E: Send + Sync + 'static> Drop for HostedRequest<E> {
    fn drop(&mut self) {
        let (cell, input, carrier) = match &self.state {
            State::Waiting { cell, req } => (cell, Input::Gone(*req), Carrier::Request(*req)),
            State::Opening { cell, .. } => (cell, Input::WsFailed, Carrier::WebSocket),
            _ => return,
        };
        let now = self.hub.now();
        cell.unpark(carrier);
        let _closed = cell.with(|session| session.handle_input(now, input));
    }
}
