//! What is to be done with a request, whoever has read it.

use std::boxed::Box;
use std::sync::Arc;

use bytes::Bytes;

use super::exchange::Exchange;
use super::hub::{Cell, Hub};
use super::ws::{Handshake, HandshakeError};
use crate::engineio::{ErrorCode, Input, ReqId, Session, Transport};
use crate::http::{CorsAnswer, Look, RequestView, Route, SessionRequest, jsonp, origin_of};
use crate::time::Instant;

/// What is to be done with a request.
pub(super) enum Decision<E> {
    /// It is for another path.
    NotOurs,
    /// A browser asks whether it may ask.
    Preflight,
    /// It has a body where no client sends one.
    Malformed,
    /// Turned away, once its body has come, which nobody looks at.
    Refuse(ErrorCode),
    /// No WebSocket, and no further request on this connection.
    RefuseWebSocket(ErrorCode),
    RefuseHandshake(HandshakeError),
    /// The server is being shut down, and opens no session.
    Closing,
    OpenPolling,
    OpenWebSocket(Handshake),
    Upgrade(Arc<Cell<E>>, Handshake),
    Poll(Arc<Cell<E>>),
    Push {
        cell: Arc<Cell<E>>,
        is_binary: bool,
        is_form: bool,
    },
}

/// Decides about a request. `has_body`: its head says so. `may_switch`: its connection can become a WebSocket.
pub(super) fn decide<E: Send + Sync + 'static>(
    hub: &Hub<E>,
    view: &RequestView<'_>,
    look: Look<'_>,
    exchange: &Exchange,
    has_body: bool,
    may_switch: bool,
) -> Decision<E> {
    let wants_websocket = view.wants_websocket();
    let refuse = |code| match wants_websocket {
        true => Decision::RefuseWebSocket(code),
        false => Decision::Refuse(code),
    };
    if look.route == Route::NotOurs {
        return Decision::NotOurs;
    }
    if wants_websocket && (!may_switch || has_body) {
        // HTTP/1.0 knows no upgrade (RFC 9110, section 7.8). And is what follows a body, or frames? Nobody shall have to
        // ask.
        return Decision::RefuseWebSocket(ErrorCode::BadRequest);
    }
    match look.route {
        Route::NotOurs => Decision::NotOurs,
        Route::Preflight => Decision::Preflight,
        Route::Refuse(code) => refuse(code),
        // A GET with a body is nothing that a client sends.
        Route::Open(Transport::Polling) if has_body => Decision::Malformed,
        Route::Open(Transport::Polling) if hub.is_closing() => Decision::Closing,
        Route::Open(Transport::Polling) => Decision::OpenPolling,
        Route::Open(Transport::WebSocket) => match Handshake::read(view) {
            Ok(_) if hub.is_closing() => Decision::Closing,
            Ok(handshake) => Decision::OpenWebSocket(handshake),
            Err(error) => Decision::RefuseHandshake(error),
        },
        Route::Session { sid, request } => {
            let Some(cell) = hub.session(&sid) else {
                return refuse(ErrorCode::SessionUnknown);
            };
            if cell.look(Session::version) != exchange.version {
                return refuse(ErrorCode::BadRequest);
            }
            match request {
                SessionRequest::Upgrade => match Handshake::read(view) {
                    Ok(handshake) => Decision::Upgrade(cell, handshake),
                    Err(error) => Decision::RefuseHandshake(error),
                },
                SessionRequest::Invalid => refuse(ErrorCode::BadRequest),
                SessionRequest::Push => {
                    let content_type = view.header("content-type").unwrap_or_default();
                    Decision::Push {
                        cell,
                        is_binary: content_type.trim().eq_ignore_ascii_case("application/octet-stream"),
                        is_form: exchange.jsonp().is_some(),
                    }
                }
                SessionRequest::Poll if has_body => Decision::Malformed,
                SessionRequest::Poll => Decision::Poll(cell),
            }
        }
    }
}

/// Hands the body of a POST to its session.
pub(super) fn push<E: Send + Sync + 'static>(
    cell: &Cell<E>,
    now: Instant,
    req: ReqId,
    body: Bytes,
    is_binary: bool,
    is_form: bool,
) {
    // A form without a payload in it is an empty body, which is no packet.
    let body = match is_form {
        true => jsonp::decode(&body).map(Bytes::from).unwrap_or_default(),
        false => body,
    };
    let input = match is_binary {
        true => Input::PostBinary(req, body),
        false => Input::Post(req, body),
    };
    // What it means for the session shows in its answer.
    let _violation = cell.with(|session| session.handle_input(now, input));
}

/// The origin of the page that was turned away because of it. For logs: from a client that is no browser, it is whatever
/// that likes (printable ASCII).
pub(super) fn refused_origin(view: &RequestView<'_>, look: &Look<'_>) -> Option<Box<str>> {
    let refused = look.origin == CorsAnswer::Refuse && look.route == Route::Refuse(ErrorCode::BadRequest);
    // Of a page's address, as much as can be let in.
    let page = || view.header("referer").map(|page| origin_of(page).unwrap_or(page));
    let origin = || view.header("origin").or_else(page);
    refused.then(|| printable(origin().unwrap_or("another site")).into())
}

/// As much of a text as can stand in a line of a log.
fn printable(text: &str) -> &str {
    let end = text.bytes().take(200).position(|byte| !matches!(byte, 0x21..=0x7e));
    &text[..end.unwrap_or(text.len().min(200))]
}
