//! The WebSocket of a connection: granted or refused, and its frames.

use std::sync::Arc;
use std::vec::Vec;

use super::{Cell, Connection, Exchange, State, TURN};
use crate::engineio::{Carrier, ErrorCode, Input, Session, Transmit};
use crate::time::Instant;
use crate::wire::answers::{write_bad_handshake, write_last, write_switching};
use crate::wire::ws::{self, Frame, FrameError, HandshakeError, WebSocket};

impl<E: Default + Send + Sync + 'static> Connection<E> {
    pub(super) fn refuse_websocket(&mut self, now: Instant, code: ErrorCode, exchange: &Exchange, out: &mut Vec<u8>) {
        // Whoever wanted to go on as a WebSocket has no use for the connection.
        write_last(&self.hub.endpoint, 400, code.body().as_bytes(), exchange, out);
        self.drain(now);
    }

    pub(super) fn refuse_handshake(
        &mut self,
        now: Instant,
        error: HandshakeError,
        exchange: &Exchange,
        out: &mut Vec<u8>,
    ) {
        write_bad_handshake(&self.hub.endpoint, error, exchange, out);
        self.drain(now);
    }

    pub(super) fn upgrade(
        &mut self,
        now: Instant,
        cell: Arc<Cell<E>>,
        handshake: &ws::Handshake,
        exchange: Exchange,
        out: &mut Vec<u8>,
    ) {
        let served = cell.with(|session| session.handle_input(now, Input::WsOpen));
        if let Err(violation) = served {
            cell.show_violation(&violation);
            return self.refuse_websocket(now, ErrorCode::BadRequest, &exchange, out);
        }
        write_switching(&self.hub.endpoint, handshake, &exchange, out);
        let mut socket = WebSocket::new(self.hub.config.max_payload);
        socket.set_text_only(exchange.text_only);
        socket.set_version(exchange.version);
        self.wait(State::WebSocket { cell, socket });
    }

    /// Answers the request for a WebSocket as soon as the application has decided; whether it has.
    pub(super) fn open_websocket(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let State::Opening {
            cell,
            handshake,
            exchange,
        } = &mut self.state
        else {
            return false;
        };
        let transmit = cell.with(|session| session.poll_transmit(now, Carrier::WebSocket));
        let packet = match transmit {
            Some(Transmit::Packet(packet)) => packet,
            None if !cell.look(Session::is_finished) => return false,
            other => {
                let (status, body) = match &other {
                    Some(Transmit::Refuse(refusal)) => (refusal.status(), &refusal.body()[..]),
                    // It was over before it began, or has waited for this connection as long as it does.
                    _ => (503, ErrorCode::Forbidden.body().as_bytes()),
                };
                write_last(&self.hub.endpoint, status, body, exchange, out);
                let _closed = cell.with(|session| session.handle_input(now, Input::WsClosed));
                self.drain(now);
                return true;
            }
        };
        write_switching(&self.hub.endpoint, handshake, exchange, out);
        let mut socket = WebSocket::new(self.hub.config.max_payload);
        socket.set_text_only(exchange.text_only);
        socket.set_version(exchange.version);
        socket.write(&packet, out);
        let cell = cell.clone();
        self.state = State::WebSocket { cell, socket };
        self.resume(now, out);
        true
    }

    pub(super) fn read_frames(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<u8>) {
        let State::WebSocket { cell, socket } = &mut self.state else {
            return;
        };
        let mut bytes = bytes;
        let mut violated = None;
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
                if let Err(violation) = session.handle_input(now, input) {
                    violated = Some(violation);
                }
            }
        });
        match (violated, &end) {
            (Some(violation), _) => cell.show_violation(&violation),
            (None, Some(Err(error))) => cell.show_violation(error),
            (None, _) => {}
        }
        match end {
            None => {}
            // Both close frames are said: the server ends the TCP connection first (RFC 6455, section 7.1.1).
            Some(Ok(()) | Err(FrameError(_))) => self.drain(now),
        }
    }
}

/// Writes what the session has for its WebSocket, a turn's worth; answers whether the last of it was a close frame.
pub(super) fn write_frames(session: &mut Session, now: Instant, socket: &mut WebSocket, out: &mut Vec<u8>) -> bool {
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
