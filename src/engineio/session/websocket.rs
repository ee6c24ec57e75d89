//! The session's WebSocket: the probe, the upgrade, packets in frames, the end.

use core::mem;

use bytes::Bytes;

use super::super::packet::PacketType;
use super::super::state::{Path, PathCause, Phase};
use super::super::{CloseReason, Data, PROBE, Packet, Str, Version, v3};
use super::{Link, Session, Transmit, Violation, payload_of, reason_of};
use crate::time::Instant;

impl Session {
    pub(crate) fn is_probing(&self) -> bool {
        matches!(self.path, Path::Probing | Path::Probed)
    }

    pub(super) fn handle_ws_open(&mut self, now: Instant) -> Result<(), Violation> {
        // A client that was not given the open packet does not know the session's id.
        let known = self.phase == Phase::Open && !self.wants_open;
        let may = known && self.config.upgrades && self.link == Link::None;
        match self.path.next(PathCause::Open) {
            Some(path) if may => {
                self.path = path;
                self.link = Link::Attached;
                self.probe_deadline = now + self.config.upgrade_timeout;
                Ok(())
            }
            _ => Err(Violation::UnexpectedWebSocket),
        }
    }

    pub(super) fn handle_ws_text(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        if self.link != Link::Attached || self.phase == Phase::Accepting {
            return Ok(());
        }
        match self.path {
            Path::Polling => Ok(()),
            Path::Probing if &text[..] == "2probe" => {
                self.advance_path(PathCause::Probe);
                self.wants_probe_pong = true;
                self.release_get();
                Ok(())
            }
            Path::Probed if &text[..] == "5" => {
                self.advance_path(PathCause::Upgrade);
                self.upgraded = true;
                self.heartbeat.resume(now);
                Ok(())
            }
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => self.handle_packet(now, text),
        }
    }

    pub(super) fn handle_ws_binary(&mut self, now: Instant, bytes: Bytes) -> Result<(), Violation> {
        if self.link != Link::Attached || self.phase == Phase::Accepting {
            return Ok(());
        }
        match self.path {
            Path::Polling => Ok(()),
            Path::Probing | Path::Probed => {
                self.fail_probe(now);
                Err(Violation::BadProbe)
            }
            Path::WebSocket => {
                let data = match self.version {
                    Version::V4 => Ok(Data::Binary(bytes)),
                    Version::V3 => v3::decode_frame(bytes),
                };
                match data {
                    Ok(data) => {
                        self.handle_sign_of_life(now, false);
                        self.inbox.push_message(data);
                        Ok(())
                    }
                    Err(error) => {
                        self.end(now, reason_of(error.into()));
                        Err(error.into())
                    }
                }
            }
        }
    }

    pub(super) fn handle_packet(&mut self, now: Instant, text: Str) -> Result<(), Violation> {
        let result = match PacketType::of(&text) {
            Ok(PacketType::Base64) if self.version == Version::V3 => match v3::decode_base64(&text) {
                Ok(bytes) => {
                    self.handle_sign_of_life(now, false);
                    self.inbox.push_message(Data::Binary(bytes));
                    Ok(())
                }
                Err(error) => Err(error.into()),
            },
            Ok(PacketType::Ping) if self.version == Version::V3 => {
                self.handle_sign_of_life(now, false);
                self.wants_pong = true;
                Ok(())
            }
            Ok(PacketType::Message | PacketType::Base64) => match Packet::decode(text) {
                Ok(Packet::Message(data)) => {
                    self.handle_sign_of_life(now, false);
                    self.inbox.push_message(data);
                    Ok(())
                }
                Ok(_) => unreachable!("its type says that it is a message"),
                Err(error) => Err(error.into()),
            },
            Ok(PacketType::Pong) => {
                self.handle_sign_of_life(now, true);
                Ok(())
            }
            Ok(PacketType::Close) => {
                self.end(now, CloseReason::ClientDisconnect);
                Ok(())
            }
            // Meaningless at this point, and not looked into; the reference ignores them too.
            Ok(PacketType::Open | PacketType::Upgrade | PacketType::Noop) => Ok(()),
            Ok(PacketType::Ping) => Err(Violation::UnexpectedPacket),
            Err(error) => Err(error.into()),
        };
        if let Err(violation) = result {
            self.end(now, reason_of(violation));
        }
        result
    }

    pub(super) fn handle_ws_end(&mut self, now: Instant, reason: CloseReason) -> Result<(), Violation> {
        let link = mem::replace(&mut self.link, Link::None);
        self.refusal = None;
        if self.is_probing() {
            self.fail_probe(now);
        } else if self.path == Path::WebSocket && link != Link::None && self.phase != Phase::Closed {
            if self.phase == Phase::Closing {
                // Nothing is confirmed by it: the peer's end may have crossed ours on the way.
                self.end(now, CloseReason::ServerDisconnect);
            } else {
                self.end(now, reason);
            }
        }
        Ok(())
    }

    /// Back to polling, with nothing lost: while a WebSocket is tried, neither carrier is given anything.
    pub(super) fn fail_probe(&mut self, now: Instant) {
        if let Some(path) = self.path.next(PathCause::Fail) {
            self.path = path;
            self.wants_probe_pong = false;
            if self.link == Link::Attached {
                self.link = Link::Ending;
            }
            // A ping may have had to wait. It counts once: a client must not live on probes that fail.
            self.heartbeat.sign_of_life(now);
        }
    }

    /// The WebSocket has taken too long to prove itself.
    pub(super) fn give_up_probe(&mut self, now: Instant) {
        if self.is_probing() && self.probe_deadline <= now {
            self.fail_probe(now);
        }
    }

    /// The client's poll must come to an end before it upgrades.
    pub(super) fn release_get(&mut self) {
        if let Some(req) = self.get.take() {
            self.answers.push((req, payload_of(self.version, Packet::Noop)));
        }
    }

    pub(super) fn poll_websocket(&mut self) -> Option<Transmit> {
        match self.link {
            Link::None | Link::Ended => return None,
            Link::Ending => {
                self.link = Link::Ended;
                return Some(match self.refusal.take() {
                    Some(refusal) => Transmit::Refuse(*refusal),
                    None => Transmit::Close,
                });
            }
            Link::Attached => {}
        }
        if mem::take(&mut self.wants_probe_pong) {
            return Some(Transmit::Packet(Packet::Pong(Str::from_static(PROBE))));
        }
        if self.path != Path::WebSocket || self.phase == Phase::Accepting || self.held {
            return None;
        }
        if mem::take(&mut self.wants_open) {
            return Some(Transmit::Packet(self.open_packet()));
        }
        if self.heartbeat.wants_ping() {
            self.heartbeat.ping_handed(self.outbox.handed());
            return Some(Transmit::Packet(Packet::Ping(Str::new())));
        }
        if mem::take(&mut self.wants_pong) {
            return Some(Transmit::Packet(Packet::Pong(Str::new())));
        }
        if mem::take(&mut self.wants_noop) {
            return Some(Transmit::Packet(Packet::Noop));
        }
        if let Some(data) = self.outbox.hand_over() {
            return Some(Transmit::Packet(Packet::Message(data)));
        }
        if self.phase == Phase::Closing {
            self.link = Link::Ending;
            return Some(Transmit::Packet(Packet::Close));
        }
        None
    }
}
