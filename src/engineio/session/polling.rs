//! The session over HTTP requests: a GET that waits for packets, POSTs that bring some.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use smallvec::SmallVec;

use super::super::inbox::Body;
use super::super::packet::PacketType;
use super::super::payload::{Encoder, Packets};
use super::super::state::{Path, Phase};
use super::super::{CloseReason, ErrorCode, Handshake, Packet, PacketError, Str, Transport, Version, v3};
use super::{Answer, ReqId, Session, Violation, payload_of, reason_of};
use crate::time::Instant;

impl Session {
    pub(super) fn handle_get(&mut self, now: Instant, req: ReqId) -> Result<(), Violation> {
        if let Some(refused) = self.refuse_request(req) {
            return refused;
        }
        if let Some(first) = self.get.take() {
            self.answers.push((first, payload_of(self.version, Packet::Close)));
            self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
            self.end(now, CloseReason::TransportError);
            return Err(Violation::Overlap);
        }
        // The client asks for more: what it was given before has arrived.
        self.outbox.confirm_all();
        if self.path == Path::Probed {
            self.answers.push((req, payload_of(self.version, Packet::Noop)));
        } else {
            self.get = Some(req);
        }
        Ok(())
    }

    pub(super) fn handle_post(
        &mut self,
        now: Instant,
        req: ReqId,
        body: Bytes,
        is_binary: bool,
    ) -> Result<(), Violation> {
        if let Some(refused) = self.refuse_request(req) {
            return refused;
        }
        if let Some(first) = self.post.take() {
            // What was in the first has been taken.
            self.answers.push((first, Answer::Received));
            self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
            self.end(now, CloseReason::TransportError);
            return Err(Violation::Overlap);
        }
        match self.take_body(now, body, is_binary) {
            Ok(()) if self.phase == Phase::Closed => {
                self.answers.push((req, Answer::Received));
                Ok(())
            }
            Ok(()) => {
                self.post = Some(req);
                Ok(())
            }
            Err(violation) => {
                self.answers.push((req, Answer::Error(ErrorCode::BadRequest)));
                self.end(now, reason_of(violation));
                Err(violation)
            }
        }
    }

    /// A body is taken whole or refused whole: nothing has happened yet where this finds something wrong in it.
    pub(super) fn take_body(&mut self, now: Instant, body: Bytes, is_binary: bool) -> Result<(), Violation> {
        let (said, body) = match self.version {
            Version::V3 => {
                let packets = v3::Packets::new(body, is_binary)?;
                (Said::of(packets.types(), self.version)?, Body::V3(packets))
            }
            // Version 4 has no binary bodies, and the session must not go on without what was in this one.
            Version::V4 if is_binary => return Err(PacketError::NotUtf8.into()),
            Version::V4 => {
                let packets = Packets::new(body)?;
                let types = packets.pieces().map(|piece| piece.map(|piece| piece.0));
                (Said::of(types, self.version)?, Body::V4(packets))
            }
        };
        self.handle_sign_of_life(now, said.pong);
        self.wants_pong |= said.ping;
        if said.messages {
            self.inbox.push_body(body);
        }
        if said.close {
            self.end(now, CloseReason::ClientDisconnect);
        }
        Ok(())
    }

    /// Answers a request that no session in this state can serve.
    pub(super) fn refuse_request(&mut self, req: ReqId) -> Option<Result<(), Violation>> {
        let code = match (self.phase, self.path) {
            (Phase::Closed, _) => ErrorCode::SessionUnknown,
            (Phase::Accepting, _) | (_, Path::WebSocket) => ErrorCode::BadRequest,
            (Phase::Open | Phase::Closing, _) => return None,
        };
        self.answers.push((req, Answer::Error(code)));
        Some(Err(Violation::UnexpectedRequest))
    }

    pub(super) fn handle_gone(&mut self, now: Instant, req: ReqId) -> Result<(), Violation> {
        self.answers.retain(|answer| answer.0 != req);
        if self.get == Some(req) {
            self.get = None;
            return self.handle_lost(now);
        }
        if self.post == Some(req) {
            self.post = None;
            return self.handle_lost(now);
        }
        Ok(())
    }

    pub(super) fn handle_lost(&mut self, now: Instant) -> Result<(), Violation> {
        self.end(now, CloseReason::TransportError);
        Ok(())
    }

    pub(super) fn has_payload(&self) -> bool {
        self.phase != Phase::Accepting
            && !self.held
            && (self.wants_open
                || self.heartbeat.wants_ping()
                || self.wants_pong
                || !self.outbox.is_empty()
                || self.phase == Phase::Closing)
    }

    pub(super) fn poll_answer(&mut self, now: Instant, req: ReqId) -> Option<Answer> {
        if let Some(at) = self.answers.iter().position(|answer| answer.0 == req) {
            let answer = self.answers.swap_remove(at).1;
            return Some(self.with_ping(answer));
        }
        if self.post == Some(req) && self.wants_input() {
            self.post = None;
            return Some(Answer::Received);
        }
        if self.get == Some(req) && self.has_payload() {
            self.get = None;
            return Some(self.next_payload(now));
        }
        None
    }

    /// A ping ends a poll as well as a noop does, and nothing else can carry one while the WebSocket is tried.
    fn with_ping(&mut self, answer: Answer) -> Answer {
        let is_noop = matches!(&answer, Answer::Payload(body) if body[..] == *b"6");
        if !is_noop || self.path != Path::Probed || !self.heartbeat.wants_ping() {
            return answer;
        }
        self.heartbeat.ping_handed(self.outbox.handed());
        payload_of(self.version, Packet::Ping(Str::new()))
    }

    pub(super) fn next_payload(&mut self, now: Instant) -> Answer {
        let mut body = Vec::new();
        let mut encoder = Encoder::of(self.version, &mut body);
        if mem::take(&mut self.wants_open) {
            encoder.push(&self.open_packet());
        }
        if self.heartbeat.wants_ping() {
            encoder.push(&Packet::Ping(Str::new()));
            self.heartbeat.ping_handed(self.outbox.handed());
        }
        if mem::take(&mut self.wants_pong) {
            encoder.push(&Packet::Pong(Str::new()));
        }
        let max_packets = self.config.max_packets_per_response.max(1);
        let max_bytes = self.config.max_response;
        let sent_before = self.outbox.handed();
        while encoder.count() < max_packets && encoder.len() < max_bytes {
            match self.outbox.hand_over() {
                Some(data) => encoder.push_message(&data),
                None => break,
            }
        }
        // Not behind messages: clients that look into those later than at the close packet would never see the last of
        // them. Whoever polls again has them.
        let flushed = self.outbox.is_empty() && self.outbox.handed() == sent_before && encoder.count() < max_packets;
        if self.phase == Phase::Closing && flushed {
            encoder.push(&Packet::Close);
            self.end(now, CloseReason::ServerDisconnect);
        }
        Answer::Payload(body.into())
    }

    pub(super) fn open_packet(&self) -> Packet {
        let mut upgrades = SmallVec::new();
        if self.config.upgrades && self.path != Path::WebSocket {
            upgrades.push(Transport::WebSocket);
        }
        Packet::Open(Box::new(Handshake {
            sid: self.sid.clone(),
            upgrades,
            ping_interval: self.config.announced_interval(),
            ping_timeout: self.config.ping_timeout,
            max_payload: Some(self.config.max_payload),
        }))
    }
}

/// What a body holds, beside what stands in its messages.
#[derive(Default)]
struct Said {
    messages: bool,
    ping: bool,
    pong: bool,
    close: bool,
}

impl Said {
    fn of(types: impl Iterator<Item = Result<PacketType, PacketError>>, version: Version) -> Result<Self, Violation> {
        let mut said = Self::default();
        for packet_type in types {
            match packet_type? {
                PacketType::Message | PacketType::Base64 => said.messages = true,
                PacketType::Pong => said.pong = true,
                PacketType::Ping if version == Version::V3 => said.ping = true,
                // The server pings, not the client.
                PacketType::Ping => return Err(Violation::UnexpectedPacket),
                PacketType::Close => {
                    said.close = true;
                    // What stands behind it was never said.
                    break;
                }
                // Meaningless from a client that polls; the reference ignores them too.
                PacketType::Open | PacketType::Upgrade | PacketType::Noop => {}
            }
        }
        Ok(said)
    }
}
