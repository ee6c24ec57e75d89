//! Requests on a connection: what each is, whose it is, and what it is answered.

use core::mem;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use bytes::Bytes;

use super::{Cell, Connection, ConnectionEvent, Exchange, State, Then};
use crate::engineio::{Answer, Carrier, Input, Refusal};
use crate::http::{Request, RequestView};
use crate::time::Instant;
use crate::wire::answers::{write_answer, write_failure, write_last, write_preflight};
use crate::wire::http1::{BodyReader, Framing, Head, HttpError, ResponseWriter, read_head};
use crate::wire::routing::{Decision, decide, push, refused_origin};

impl<E: Default + Send + Sync + 'static> Connection<E> {
    /// Goes on with what was read earlier.
    pub(super) fn resume(&mut self, now: Instant, out: &mut Vec<u8>) {
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
    pub(super) fn advance(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) -> usize {
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
                State::Waiting { .. } | State::Opening { .. } | State::Fallback { .. } | State::Sending { .. } => break,
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
    pub(super) fn begin(&mut self, now: Instant, head: &Head<'_>, out: &mut Vec<u8>) {
        if let Some(full) = self.full {
            let refusal = Refusal::new(full.status()).message("Too many connections");
            return self.refuse(now, &refusal, &Exchange::default(), out);
        }
        let endpoint = &self.hub.endpoint;
        let mut view = RequestView {
            method: head.method,
            path: head.path,
            query: head.query,
            headers: head,
            is_secure: self.is_secure(),
            peer: Some(self.peer.ip()),
        };
        view.is_secure = view.is_secure || endpoint.terms().proxies().says_secure(&view);
        let look = endpoint.look(&view);
        let mut exchange = Exchange::new(endpoint, &view, &look);
        exchange.keep_alive = head.keep_alive && !self.hub.is_closing();
        if let Some(origin) = refused_origin(&view, &look) {
            self.event = Some(ConnectionEvent::OriginRefused { origin });
        }
        let has_body = head.framing != Framing::Empty;
        match decide(&self.hub, &view, look, &exchange, has_body, head.version_1_1) {
            Decision::NotOurs if self.hub.has_fallback => {
                let then = Then::Fallback(Box::new(self.keep(head, &view)));
                self.read_body(now, head, then, exchange, out);
            }
            Decision::NotOurs => self.refuse_path(now, head, exchange, out),
            Decision::Preflight => {
                exchange.keep_alive &= !has_body;
                write_preflight(endpoint, &view, &exchange, out);
                self.answered(now, exchange.keep_alive);
            }
            Decision::Malformed => self.fail(now, HttpError::Malformed, out),
            Decision::Refuse(code) => self.read_body(now, head, Then::Refuse(code), exchange, out),
            Decision::RefuseWebSocket(code) => self.refuse_websocket(now, code, &exchange, out),
            Decision::RefuseHandshake(error) => self.refuse_handshake(now, error, &exchange, out),
            Decision::Closing => self.refuse(now, &Refusal::new(503), &exchange, out),
            Decision::OpenPolling => self.open_polling(now, head, &view, exchange, out),
            Decision::OpenWebSocket(handshake) => {
                let opened = self
                    .hub
                    .open_for(exchange.version, now, Carrier::WebSocket, E::default(), &view);
                let cell = match opened {
                    Ok(cell) => cell,
                    Err(refusal) => return self.refuse(now, &refusal, &exchange, out),
                };
                exchange.set_initial(self.hub.endpoint.terms().initial_lines(&view, None));
                self.announce(&cell, head, &view, true);
                self.wait(State::Opening {
                    cell,
                    handshake: Box::new(handshake),
                    exchange,
                });
            }
            Decision::Upgrade(cell, handshake) => self.upgrade(now, cell, &handshake, exchange, out),
            Decision::Push {
                cell,
                is_binary,
                is_form,
            } => {
                let then = Then::Push {
                    cell,
                    is_binary,
                    is_form,
                };
                self.read_body(now, head, then, exchange, out);
            }
            Decision::Poll(cell) => {
                let req = self.hub.next_request();
                let _violation = cell.with(|session| session.handle_input(now, Input::Get(req)));
                self.wait(State::Waiting { cell, req, exchange });
            }
        }
    }

    pub(super) fn open_polling(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        view: &RequestView<'_>,
        mut exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        let req = self.hub.next_request();
        let cell = match self
            .hub
            .open_for(exchange.version, now, Carrier::Request(req), E::default(), view)
        {
            Ok(cell) => cell,
            Err(refusal) => {
                write_answer(&self.hub.endpoint, &Answer::Refused(refusal), &exchange, out);
                return self.answered(now, exchange.keep_alive);
            }
        };
        let sid = cell.look(|session| session.sid().clone());
        exchange.set_initial(self.hub.endpoint.terms().initial_lines(view, Some(&sid)));
        self.announce(&cell, head, view, false);
        self.wait(State::Waiting { cell, req, exchange });
    }

    pub(super) fn announce(&mut self, cell: &Arc<Cell<E>>, head: &Head<'_>, view: &RequestView<'_>, carried: bool) {
        self.event = Some(ConnectionEvent::Opened {
            cell: cell.clone(),
            request: self.hub.keeps_requests.then(|| self.keep(head, view)),
            carried,
        });
    }

    pub(super) fn keep(&self, head: &Head<'_>, view: &RequestView<'_>) -> Request {
        let headers = head.headers.iter().map(|header| (header.name, header.value));
        let client = self.hub.endpoint.terms().proxies().client(view);
        let request = Request::new(view, headers, self.peer).with_client(client);
        #[cfg(feature = "tls")]
        let request = request.with_tls(self.tls_info());
        request
    }

    /// Somebody else decides when it goes on; there is no deadline but theirs.
    pub(super) fn wait(&mut self, state: State<E>) {
        self.deadline = None;
        self.state = state;
    }

    pub(super) fn read_body(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        then: Then<E>,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
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
            Err(error) => self.fail_with(now, error, &exchange, out),
        }
    }

    /// A body is complete.
    pub(super) fn complete(&mut self, now: Instant, out: &mut Vec<u8>) {
        let State::Body { reader, then, exchange } = mem::replace(&mut self.state, State::Done) else {
            unreachable!("the caller has seen the body's end");
        };
        let body = Bytes::from(reader.into_body());
        match *then {
            Then::Push {
                cell,
                is_binary,
                is_form,
            } => {
                let req = self.hub.next_request();
                push(&cell, now, req, body, is_binary, is_form);
                self.wait(State::Waiting { cell, req, exchange });
                self.transmit(now, out);
            }
            Then::Refuse(code) => {
                write_answer(&self.hub.endpoint, &Answer::Error(code), &exchange, out);
                self.answered(now, exchange.keep_alive);
            }
            Then::Fallback(request) => {
                self.event = Some(ConnectionEvent::Fallback(request.with_body(body)));
                self.wait(State::Fallback { exchange });
            }
        }
    }

    /// What was sent is no request that we serve. Whatever follows it can not be understood.
    pub(super) fn fail(&mut self, now: Instant, error: HttpError, out: &mut Vec<u8>) {
        let exchange = match mem::replace(&mut self.state, State::Done) {
            State::Body { exchange, .. } => exchange,
            _ => Exchange::default(),
        };
        self.fail_with(now, error, &exchange, out);
    }

    pub(super) fn fail_with(&mut self, now: Instant, error: HttpError, exchange: &Exchange, out: &mut Vec<u8>) {
        write_failure(&self.hub.endpoint, error.status(), exchange, out);
        self.drain(now);
    }

    pub(super) fn refuse_path(&mut self, now: Instant, head: &Head<'_>, exchange: Exchange, out: &mut Vec<u8>) {
        let keep_alive = exchange.keep_alive && head.framing == Framing::Empty;
        let mut writer = ResponseWriter::new(out, 404);
        writer.header("Content-Type", "text/plain");
        writer.body(b"Not Found", keep_alive, exchange.head_only);
        self.answered(now, keep_alive);
    }

    /// An application's answer, and the end of the connection.
    pub(super) fn refuse(&mut self, now: Instant, refusal: &Refusal, exchange: &Exchange, out: &mut Vec<u8>) {
        write_last(&self.hub.endpoint, refusal.status(), refusal.body(), exchange, out);
        self.drain(now);
    }

    /// A request was answered: the next one, or the end.
    pub(super) fn answered(&mut self, now: Instant, keep_alive: bool) {
        if keep_alive {
            self.state = State::Head { begun: false };
            self.deadline = Some(now + self.hub.limits.idle_timeout);
        } else {
            self.drain(now);
        }
    }

    pub(super) fn drain(&mut self, now: Instant) {
        self.unpark();
        self.state = State::Draining;
        self.deadline = Some(now + self.hub.limits.linger_timeout);
    }

    pub(super) fn finish(&mut self) {
        self.unpark();
        self.state = State::Done;
        self.deadline = None;
    }
}
