//! The client's WebSocket: the probe, the upgrade, packets in frames, the end.

use core::mem;

use bytes::Bytes;

use super::super::packet::PacketType;
use super::super::state::{Path, PathCause, Phase};
use super::super::{CloseReason, Data, PROBE, Packet, Str, Violation};
use super::config::SHORTEST;
use super::{Client, Link, Request, Transmit, ping_text};
use crate::time::Instant;

impl Client {
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.path, Path::Probing | Path::Probed)
    }

    /// The WebSocket is asked for.
    pub(super) fn begin_websocket(&mut self, now: Instant) -> Request {
        self.link = Link::Opening;
        if self.path == Path::Polling {
            self.advance_path(PathCause::Open);
            let patience = self
                .handshake
                .as_ref()
                .map_or(SHORTEST, |handshake| self.patience(handshake));
            self.probe_deadline = now + self.config.upgrade_timeout.min(patience).max(SHORTEST);
        }
        Request::WebSocket
    }

    pub(super) fn handle_ws_open(&mut self) -> Result<(), Violation> {
        if self.link == Link::Opening {
            self.link = Link::Attached;
        }
        Ok(())
    }

    /// Whether what comes on the WebSocket still matters: also between our close packet and the server's end.
    fn hears_websocket(&self) -> bool {
        self.link == Link::Attached || (self.close_handed && self.phase == Phase::Closing)
    }

    pub(super) fn handle_ws_text(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        if !self.hears_websocket() {
            return Ok(());
        }
        if self.phase == Phase::Accepting {
            let result = self.take_ws_handshake(now, text);
            if result.is_err() {
                self.fail_attempt(now, CloseReason::ParseError);
            }
            return result;
        }
        match self.path {
            Path::Polling => Ok(()),
            // Not before the probe was sent: an answer to nothing proves nothing.
            Path::Probing if &text[..] == "3probe" && !self.wants_probe => {
                self.advance_path(PathCause::Probe);
                Ok(())
            }
            Path::Probed if matches!(PacketType::of(&text), Ok(PacketType::Pong | PacketType::Noop)) => Ok(()),
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => {
                let result = self.handle_packet(now, text);
                if result.is_err() && !self.close_handed {
                    self.end(now, CloseReason::ParseError);
                }
                result
            }
        }
    }

    pub(super) fn handle_ws_binary(&mut self, now: Instant, bytes: Bytes) -> Result<(), Violation> {
        if !self.hears_websocket() {
            return Ok(());
        }
        if self.phase == Phase::Accepting {
            self.fail_attempt(now, CloseReason::ParseError);
            return Err(Violation::UnexpectedPacket);
        }
        match self.path {
            Path::Polling => Ok(()),
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => {
                self.inbox.push_message(Data::Binary(bytes));
                Ok(())
            }
        }
    }

    fn take_ws_handshake(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        // One frame is one packet: a separator in it is part of it.
        match Packet::decode(text)? {
            Packet::Open(handshake) => self.open(now, *handshake),
            _ => Err(Violation::UnexpectedPacket),
        }
    }

    fn handle_packet(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        match PacketType::of(&text)? {
            PacketType::Message | PacketType::Base64 => match Packet::decode(text)? {
                Packet::Message(data) => {
                    self.inbox.push_message(data);
                    Ok(())
                }
                _ => unreachable!("its type says that it is a message"),
            },
            PacketType::Ping => {
                self.handle_ping(now, ping_text(&text)?);
                Ok(())
            }
            PacketType::Close => {
                self.end(now, CloseReason::ServerDisconnect);
                Ok(())
            }
            PacketType::Open => Err(Violation::UnexpectedPacket),
            // Meaningless at this point, and not looked into; the reference ignores them too.
            PacketType::Pong | PacketType::Upgrade | PacketType::Noop => Ok(()),
        }
    }

    pub(super) fn handle_ws_end(&mut self, now: Instant, reason: CloseReason) -> Result<(), Violation> {
        let link = mem::replace(&mut self.link, Link::None);
        if link == Link::None || link == Link::Wanted {
            // Nobody has asked for it.
            self.link = link;
        } else if self.is_probing() {
            self.fail_probe(now);
        } else if self.path == Path::WebSocket {
            match self.phase {
                // Another transport is tried already where this one was given up.
                Phase::Accepting if matches!(link, Link::Opening | Link::Attached) => self.fail_attempt(now, reason),
                Phase::Open => self.end(now, reason),
                Phase::Closing if self.close_handed => self.end(now, CloseReason::ClientDisconnect),
                Phase::Closing => self.end(now, reason),
                Phase::Accepting | Phase::Closed => {}
            }
        }
        if self.link == Link::None && self.phase == Phase::Accepting && self.path == Path::WebSocket {
            // It was this one's end that the next WebSocket had to wait for.
            self.link = Link::Wanted;
        } else if self.link == Link::None && self.phase == Phase::Open && self.wants_probe && self.path == Path::Polling
        {
            self.link = Link::Wanted;
        }
        Ok(())
    }

    /// Back to polling, with nothing lost: no message is on the WebSocket before the upgrade packet is.
    fn fail_probe(&mut self, now: Instant) {
        if let Some(path) = self.path.next(PathCause::Fail) {
            if self.path == Path::Probed {
                // Nothing may have been there that could bring a ping. It is not tried twice.
                self.rearm(now);
            }
            self.path = path;
            self.note_closing(now);
            self.upgrade_failed = self.phase == Phase::Open;
            self.give_up_websocket();
        }
    }

    /// The WebSocket has taken too long to prove itself, or the server to let go of the last poll.
    pub(super) fn give_up_probe(&mut self, now: Instant) {
        if self.is_probing() && self.probe_deadline <= now {
            self.fail_probe(now);
        }
    }

    /// The WebSocket is not wanted any more.
    pub(super) fn give_up_websocket(&mut self) {
        self.wants_probe = false;
        match self.link {
            Link::Wanted => self.link = Link::None,
            Link::Opening | Link::Attached => self.link = Link::Ending,
            Link::None | Link::Ending | Link::Ended => {}
        }
        if self.path == Path::Probing {
            self.advance_path(PathCause::Fail);
        }
    }

    pub(super) fn poll_websocket(&mut self, now: Instant) -> Option<Transmit> {
        match self.link {
            Link::None | Link::Wanted | Link::Opening | Link::Ended => return None,
            Link::Ending => {
                self.link = Link::Ended;
                return Some(Transmit::Close);
            }
            Link::Attached => {}
        }
        match self.path {
            Path::Probing if mem::take(&mut self.wants_probe) => {
                return Some(Transmit::Packet(Packet::Ping(Str::from_static(PROBE))));
            }
            // Whatever the last poll brings comes before what the WebSocket brings.
            Path::Probed if self.get.is_none() && self.post.is_none() && self.ending.is_none() => {
                self.advance_path(PathCause::Upgrade);
                self.rearm(now);
                self.upgraded = self.phase == Phase::Open;
                return Some(Transmit::Packet(Packet::Upgrade));
            }
            Path::Polling | Path::Probing | Path::Probed => return None,
            Path::WebSocket => {}
        }
        if self.phase == Phase::Accepting {
            return None;
        }
        if let Some(text) = self.pong.take() {
            return Some(Transmit::Packet(Packet::Pong(text)));
        }
        self.set_aside_too_large();
        if let Some(data) = self.outbox.hand_over() {
            self.note_closing(now);
            return Some(Transmit::Packet(Packet::Message(data)));
        }
        if self.phase == Phase::Closing && !self.close_handed {
            self.close_handed = true;
            self.link = Link::Ending;
            self.note_closing(now);
            return Some(Transmit::Packet(Packet::Close));
        }
        None
    }
}
