//! What requests are answered, as our HTTP/1.1 has it.

use std::vec::Vec;

use super::exchange::Exchange;
use super::http1::{ResponseWriter, compress};
use super::ws::{Handshake, HandshakeError};
use crate::engineio::{Answer, ErrorCode};
use crate::http::{Endpoint, RequestView, jsonp};

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

/// An answer in JSON after which the connection ends.
pub(super) fn write_last(endpoint: &Endpoint, status: u16, body: &[u8], exchange: &Exchange, out: &mut Vec<u8>) {
    let mut writer = ResponseWriter::new(out, status);
    writer.header("Content-Type", "application/json");
    write_terms(&mut writer, endpoint, exchange, false);
    writer.body(body, false, exchange.head_only);
}

/// A request that can not be served, and its connection no longer either.
pub(super) fn write_failure(endpoint: &Endpoint, status: u16, exchange: &Exchange, out: &mut Vec<u8>) {
    let mut writer = ResponseWriter::new(out, status);
    write_terms(&mut writer, endpoint, exchange, false);
    writer.body(b"", false, false);
}

/// No WebSocket, because of what the client says in its handshake.
pub(super) fn write_bad_handshake(endpoint: &Endpoint, error: HandshakeError, exchange: &Exchange, out: &mut Vec<u8>) {
    match error {
        HandshakeError::BadKey => {
            let code = ErrorCode::BadRequest;
            write_last(endpoint, code.status(), code.body().as_bytes(), exchange, out);
        }
        HandshakeError::UnsupportedVersion => {
            let mut writer = ResponseWriter::new(out, 426);
            writer.header("Sec-WebSocket-Version", "13");
            writer.body(b"", false, false);
        }
    }
}

/// A browser may ask.
pub(super) fn write_preflight(endpoint: &Endpoint, view: &RequestView<'_>, exchange: &Exchange, out: &mut Vec<u8>) {
    let mut writer = ResponseWriter::new(out, 204);
    write_terms(&mut writer, endpoint, exchange, false);
    writer.header("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    if let Some(headers) = view.header("access-control-request-headers") {
        writer.header("Access-Control-Allow-Headers", headers);
    }
    if !exchange.keep_alive {
        writer.header("Connection", "close");
    }
    writer.no_body();
}

/// What follows is a WebSocket.
pub(super) fn write_switching(endpoint: &Endpoint, handshake: &Handshake, exchange: &Exchange, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    let mut writer = ResponseWriter::continue_head(out);
    writer.header("Sec-WebSocket-Accept", handshake.accept());
    if let Some(protocol) = handshake.protocol() {
        writer.header("Sec-WebSocket-Protocol", protocol);
    }
    writer.lines(exchange.initial());
    write_terms(&mut writer, endpoint, exchange, false);
    writer.no_body();
}
