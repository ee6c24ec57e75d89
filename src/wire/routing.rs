//! What is to be done with a request, whoever has read it.

use core::fmt::Display;
use std::boxed::Box;
use std::sync::Arc;

use bytes::Bytes;

use super::exchange::Exchange;
use super::hub::{Cell, Hub};
use super::witness::Sight;
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
    // That is told by an event.
    let by_origin = look.origin == CorsAnswer::Refuse;
    let decision = find_out(hub, view, look, exchange, has_body, may_switch);
    let (status, reason): (u16, &dyn Display) = match &decision {
        Decision::Refuse(code) | Decision::RefuseWebSocket(code) if !by_origin => (code.status(), &code.message()),
        Decision::Malformed => (400, &"a GET with a body"),
        Decision::RefuseHandshake(_) => (400, &"the handshake of a WebSocket is incomplete"),
        Decision::Closing => (503, &"the server is being shut down"),
        _ => return decision,
    };
    hub.show(|| Sight::Refused {
        peer: view.peer,
        status,
        reason,
    });
    decision
}

fn find_out<E: Send + Sync + 'static>(
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
    if let Err(violation) = cell.with(|session| session.handle_input(now, input)) {
        cell.show_violation(&violation);
    }
}

/// What stands for the origin of a page that does not tell it.
pub(crate) const UNNAMED_SITE: &str = "another site";

/// The origin of the page that was turned away because of it, or [`UNNAMED_SITE`]. For logs: from a client that is no browser,
/// it is whatever that likes, of the characters that origins have.
pub(super) fn refused_origin(view: &RequestView<'_>, look: &Look<'_>) -> Option<Box<str>> {
    let refused = look.origin == CorsAnswer::Refuse && look.route == Route::Refuse(ErrorCode::BadRequest);
    // No more of the page's address: the rest of it belongs into no log.
    let page = || view.header("referer").and_then(origin_of);
    let origin = || view.header("origin").or_else(page);
    let named = || origin().map(plain).filter(|origin| !origin.is_empty());
    refused.then(|| named().unwrap_or(UNNAMED_SITE).into())
}

/// As much of an origin as is one. A log shows it in a command that lets it in: what stands there must mean nothing to a shell.
fn plain(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._:/[]%".contains(&byte);
    let end = text.bytes().take(200).position(|byte| !is_plain(byte));
    &text[..end.unwrap_or(text.len().min(200))]
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_of_an_origin_means_anything_to_a_shell() {
        for (origin, shown) in [
            ("https://a.example:8443", "https://a.example:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("chrome-extension://abc_1", "chrome-extension://abc_1"),
            ("null", "null"),
            ("https://a.example$(rm${IFS}-r)", "https://a.example"),
            ("https://a.example;x", "https://a.example"),
            ("https://a.example\"])", "https://a.example"),
            ("https://a.example\u{1b}[31m", "https://a.example"),
            ("`x`", ""),
        ] {
            assert_eq!(plain(origin), shown);
        }
        assert_eq!(plain(&"a".repeat(1000)).len(), 200);
    }
}
