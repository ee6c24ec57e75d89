//! Requests on a connection: what each is, whose it is, and what it is answered.

use core::mem;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use bytes::Bytes;

use super::{Cell, Connection, ConnectionEvent, Exchange, State, Then};
use crate::engineio::{Answer, Carrier, ErrorCode, Input, Refusal, Session, Transport};
use crate::http::{Coding, CorsAnswer, Endpoint, Look, Request, RequestView, Route, SessionRequest, jsonp};
use crate::time::Instant;
use crate::wire::http1::{BodyReader, Framing, Head, HttpError, ResponseWriter, compress, read_head};
use crate::wire::ws;

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
        let terms = endpoint.terms();
        let mut view = RequestView {
            method: head.method,
            path: head.path,
            query: head.query,
            headers: head,
            is_secure: self.is_secure(),
            peer: Some(self.peer.ip()),
        };
        view.is_secure = view.is_secure || terms.proxies().says_secure(&view);
        let Look {
            route,
            origin,
            jsonp,
            version,
        } = endpoint.look(&view);
        let polls = matches!(
            route,
            Route::Open(Transport::Polling)
                | Route::Session {
                    request: SessionRequest::Poll,
                    ..
                }
        );
        let accepted = || view.header("accept-encoding").and_then(Coding::preferred);
        let mut exchange = Exchange {
            keep_alive: head.keep_alive && !self.hub.is_closing(),
            head_only: head.method == "HEAD",
            filters_xss: view
                .header("user-agent")
                .is_some_and(|name| name.contains(";MSIE") || name.contains("Trident/")),
            origin: view
                .header("origin")
                .filter(|_| origin == CorsAnswer::Allow)
                .map(Into::into),
            coding: (polls && terms.compression().is_on()).then(accepted).flatten(),
            version: version.unwrap_or_default(),
            ..Exchange::default()
        };
        exchange.set_jsonp(jsonp);
        if route != Route::NotOurs {
            exchange.set_lines(terms.lines_for(&view, matches!(route, Route::Open(_))));
            exchange.text_only = !polls && matches!(view.query_value("b64").as_deref(), Some("1" | "true"));
        }
        if origin == CorsAnswer::Refuse && route == Route::Refuse(ErrorCode::BadRequest) {
            let origin = view.header("origin").or_else(|| view.header("referer"));
            self.event = Some(ConnectionEvent::OriginRefused {
                origin: printable(origin.unwrap_or("another site")).into(),
            });
        }
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
                let then = Then::Fallback(Box::new(self.keep(head, &view)));
                self.read_body(now, head, then, exchange, out);
            }
            Route::NotOurs => self.refuse_path(now, head, exchange, out),
            Route::Preflight => self.answer_preflight(now, head, &view, exchange, out),
            Route::Refuse(code) if view.wants_websocket() => self.refuse_websocket(now, code, &exchange, out),
            Route::Refuse(code) => self.read_body(now, head, Then::Refuse(code), exchange, out),
            Route::Open(Transport::Polling) => self.open_polling(now, head, &view, exchange, out),
            Route::Open(Transport::WebSocket) => match ws::Handshake::read(&view) {
                Ok(handshake) if !self.hub.is_closing() => {
                    let cell = match self
                        .hub
                        .open_for(exchange.version, now, Carrier::WebSocket, E::default(), &view)
                    {
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
                Ok(_) => self.refuse_while_closing(now, &exchange, out),
                Err(error) => self.refuse_handshake(now, error, &exchange, out),
            },
            Route::Session { sid, request } => match (self.hub.session(&sid), request) {
                (Some(cell), _) if cell.look(Session::version) != exchange.version => match view.wants_websocket() {
                    true => self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out),
                    false => self.read_body(now, head, Then::Refuse(ErrorCode::BadRequest), exchange, out),
                },
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
                    let then = Then::Push {
                        cell,
                        is_binary,
                        is_form: exchange.jsonp().is_some(),
                    };
                    self.read_body(now, head, then, exchange, out);
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

    pub(super) fn open_polling(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        view: &RequestView<'_>,
        mut exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        if head.framing != Framing::Empty {
            return self.fail(now, HttpError::Malformed, out);
        }
        if self.hub.is_closing() {
            return self.refuse_while_closing(now, &exchange, out);
        }
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
        let request = request.with_certificate(self.client_certificate());
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
                // A form without a payload in it is an empty body, which is no packet.
                let body = match is_form {
                    true => jsonp::decode(&body).map(Bytes::from).unwrap_or_default(),
                    false => body,
                };
                let req = self.hub.next_request();
                let input = match is_binary {
                    true => Input::PostBinary(req, body),
                    false => Input::Post(req, body),
                };
                let _violation = cell.with(|session| session.handle_input(now, input));
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
        let mut writer = ResponseWriter::new(out, error.status());
        write_terms(&mut writer, &self.hub.endpoint, exchange, false);
        writer.body(b"", false, false);
        self.drain(now);
    }

    pub(super) fn refuse_path(&mut self, now: Instant, head: &Head<'_>, exchange: Exchange, out: &mut Vec<u8>) {
        let keep_alive = exchange.keep_alive && head.framing == Framing::Empty;
        let mut writer = ResponseWriter::new(out, 404);
        writer.header("Content-Type", "text/plain");
        writer.body(b"Not Found", keep_alive, exchange.head_only);
        self.answered(now, keep_alive);
    }

    pub(super) fn answer_preflight(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        view: &RequestView<'_>,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        let keep_alive = exchange.keep_alive && head.framing == Framing::Empty;
        let mut writer = ResponseWriter::new(out, 204);
        write_terms(&mut writer, &self.hub.endpoint, &exchange, false);
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

    pub(super) fn refuse_while_closing(&mut self, now: Instant, exchange: &Exchange, out: &mut Vec<u8>) {
        self.refuse(now, &Refusal::new(503), exchange, out);
    }

    /// An application's answer, and the end of the connection.
    pub(super) fn refuse(&mut self, now: Instant, refusal: &Refusal, exchange: &Exchange, out: &mut Vec<u8>) {
        let mut writer = ResponseWriter::new(out, refusal.status());
        writer.header("Content-Type", "application/json");
        write_terms(&mut writer, &self.hub.endpoint, exchange, false);
        writer.body(refusal.body(), false, false);
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

pub(super) fn write_answer(endpoint: &Endpoint, answer: &Answer, exchange: &Exchange, out: &mut Vec<u8>) {
    let (status, lines, body) = match answer {
        Answer::Payload(body) => return write_payload(endpoint, body, exchange, out),
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
    write_terms(&mut writer, endpoint, exchange, false);
    writer.body(body, exchange.keep_alive, exchange.head_only);
}

fn write_payload(endpoint: &Endpoint, body: &[u8], exchange: &Exchange, out: &mut Vec<u8>) {
    let mut call = Vec::new();
    let (lines, body) = match exchange.jsonp() {
        None => (
            "Content-Type: text/plain; charset=UTF-8\r\nCache-Control: no-store\r\n",
            body,
        ),
        Some(index) => {
            jsonp::encode(index, body, &mut call);
            (
                "Content-Type: text/javascript; charset=UTF-8\r\nCache-Control: no-store\r\n\
                 X-Content-Type-Options: nosniff\r\n",
                &call[..],
            )
        }
    };
    let compression = endpoint.terms().compression();
    let covered = compression.covers(body.len());
    let coding = exchange.coding.filter(|_| covered);
    let compressed = coding.and_then(|coding| Some((coding, compress(coding, compression.work(), body)?)));
    let mut writer = ResponseWriter::new(out, 200);
    writer.lines(lines);
    if exchange.filters_xss {
        writer.lines("X-XSS-Protection: 0\r\n");
    }
    writer.lines(exchange.initial());
    write_terms(&mut writer, endpoint, exchange, covered);
    let body = match &compressed {
        Some((coding, compressed)) => {
            writer.header("Content-Encoding", coding.as_str());
            &compressed[..]
        }
        None => body,
    };
    writer.body(body, exchange.keep_alive, exchange.head_only);
}

/// Writes what the application says about all responses: who may read them, and headers of its own. `by_encoding`: the
/// response depends on what encodings the client accepts.
pub(super) fn write_terms(
    writer: &mut ResponseWriter<'_>,
    endpoint: &Endpoint,
    exchange: &Exchange,
    by_encoding: bool,
) {
    if let Some(origin) = &exchange.origin {
        writer.header("Access-Control-Allow-Origin", origin);
        if endpoint.cors().allows_credentials() {
            writer.lines("Access-Control-Allow-Credentials: true\r\n");
        }
    }
    match (exchange.origin.is_some(), by_encoding) {
        (true, true) => writer.lines("Vary: Origin, Accept-Encoding\r\n"),
        (true, false) => writer.lines("Vary: Origin\r\n"),
        (false, true) => writer.lines("Vary: Accept-Encoding\r\n"),
        (false, false) => writer,
    };
    writer.lines(endpoint.terms().lines());
    writer.lines(exchange.lines());
}

/// As much of a text as can stand in a line of a log.
fn printable(text: &str) -> &str {
    let end = text.bytes().take(200).position(|byte| !matches!(byte, 0x21..=0x7e));
    &text[..end.unwrap_or(text.len().min(200))]
}
