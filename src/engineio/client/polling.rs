//! The session over HTTP requests: a GET that waits for packets, a POST that takes some to the server.

use alloc::vec::Vec;

use bytes::Bytes;

use super::super::inbox::Body;
use super::super::packet::{PacketType, encoded_message_len};
use super::super::payload::{Encoder, Packets};
use super::super::state::{Path, Phase};
use super::super::{CloseReason, Data, Packet, ReqId, Str, Violation};
use super::config::SHORTEST;
use super::{Client, Link, Request, ping_text, take_open};
use crate::time::Instant;

/// A POST that is under way.
#[derive(Debug)]
pub(super) struct Post {
    req: ReqId,
    pub(super) deadline: Instant,
    /// The messages in it, unless some of it has left.
    messages: Vec<Data>,
    /// Nothing of it has left, for certain.
    waits: bool,
}

/// The session is over but for one answer that is under way, and no request is made any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// The end of patience with it.
    pub(super) deadline: Instant,
    /// The server's close packet came, and a POST was not answered yet: the answer says that its messages have arrived.
    /// Otherwise a POST was refused: the close packet that says why may come with the answer to the GET.
    pub(super) goodbye: bool,
}

/// What is in a body: it is taken whole or refused whole, and nothing has happened yet where something is wrong in it.
#[derive(Default)]
struct Content {
    messages: bool,
    /// The text of the last ping: one answer serves them all.
    ping: Option<Str>,
    close: bool,
}

impl Content {
    fn of(packets: &Packets) -> Result<Self, Violation> {
        let mut content = Self::default();
        for piece in packets.pieces() {
            let (packet_type, packet) = piece?;
            match packet_type {
                PacketType::Message | PacketType::Base64 => content.messages = true,
                PacketType::Ping => content.ping = Some(ping_text(packet)?),
                PacketType::Close => {
                    content.close = true;
                    // What stands behind it was never said.
                    break;
                }
                // A session is opened once.
                PacketType::Open => return Err(Violation::UnexpectedPacket),
                // Meaningless from a server that is polled; the reference ignores them too.
                PacketType::Pong | PacketType::Upgrade | PacketType::Noop => {}
            }
        }
        Ok(content)
    }
}

impl Client {
    pub(super) fn handle_response(&mut self, now: Instant, req: ReqId, body: Bytes) -> Result<(), Violation> {
        if self.post.as_ref().is_some_and(|post| post.req == req) {
            // What the body says does not matter: `ok` here, `OK` there. The server has taken what it was sent.
            self.post = None;
            self.outbox.give_up_room();
            self.outbox.confirm_all();
            self.note_closing(now);
            if self.close_handed {
                self.end(now, CloseReason::ClientDisconnect);
            } else if self.ending.is_some() {
                self.end(now, CloseReason::ServerDisconnect);
            }
            return Ok(());
        }
        if self.get != Some(req) {
            return Ok(());
        }
        self.get = None;
        let connecting = self.phase == Phase::Accepting;
        let result = match Packets::new(body) {
            Ok(packets) if connecting => self.take_handshake(now, packets),
            Ok(packets) => self.take_body(now, packets),
            Err(error) => Err(error.into()),
        };
        if self.ending.is_some_and(|ending| !ending.goodbye) && result.is_ok() {
            // It brought no close packet: nobody knows why.
            self.end(now, CloseReason::TransportError);
        }
        if result.is_err() {
            if self.phase == Phase::Accepting {
                self.fail_attempt(now, CloseReason::ParseError);
            } else if !self.close_handed {
                self.end(now, CloseReason::ParseError);
            }
        }
        result
    }

    fn take_handshake(&mut self, now: Instant, mut packets: Packets) -> Result<(), Violation> {
        let handshake = take_open(&mut packets)?;
        let content = Content::of(&packets)?;
        self.open(now, handshake)?;
        self.take(now, content, packets);
        Ok(())
    }

    fn take_body(&mut self, now: Instant, packets: Packets) -> Result<(), Violation> {
        let content = Content::of(&packets)?;
        self.take(now, content, packets);
        Ok(())
    }

    fn take(&mut self, now: Instant, content: Content, packets: Packets) {
        if let Some(text) = content.ping {
            self.handle_ping(now, text);
        }
        if content.messages {
            self.inbox.push_body(Body::V4(packets));
        }
        if content.close {
            if self.post.is_some() {
                self.await_last_answer(now, true);
            } else {
                self.end(now, CloseReason::ServerDisconnect);
            }
        }
    }

    fn await_last_answer(&mut self, now: Instant, goodbye: bool) {
        let deadline = now + self.config.close_timeout.max(SHORTEST);
        self.ending = Some(Ending { deadline, goodbye });
    }

    pub(super) fn handle_lost(&mut self, now: Instant, req: ReqId, reason: CloseReason) -> Result<(), Violation> {
        let is_post = self.post.as_ref().is_some_and(|post| post.req == req);
        if is_post {
            self.lose_post();
        } else if self.get == Some(req) {
            self.get = None;
        } else {
            return Ok(());
        }
        match self.phase {
            Phase::Accepting => self.fail_attempt(now, reason),
            // The server may let go of us as it likes once it was told; what was told is in doubt.
            _ if self.close_handed && is_post => self.end(now, CloseReason::ClientDisconnect),
            _ if self.close_handed => {}
            // The server knows the session no more. If it has ended it in order, the close packet is on its way.
            _ if is_post && reason == CloseReason::Refused && self.get.is_some() => {
                self.await_last_answer(now, false);
            }
            _ => self.end(now, CloseReason::TransportError),
        }
        Ok(())
    }

    /// The POST is over without an answer. Where nothing of it has left, nothing in it was sent.
    pub(super) fn lose_post(&mut self) {
        if let Some(post) = self.post.take().filter(|post| post.waits) {
            self.outbox.take_back(post.messages.into_iter());
        }
    }

    /// A request waits for a stream: nothing of it has left. Until [`handle_leaving`](Self::handle_leaving) says
    /// otherwise, its messages count as unsent. For a driver that says nothing, a request leaves at once.
    pub fn handle_waiting(&mut self, req: ReqId) {
        if let Some(post) = self.post.as_mut().filter(|post| post.req == req) {
            post.waits = true;
            self.outbox.keep_room(post.messages.iter());
        }
        self.assert_invariants();
    }

    /// A request is given to its stream: from now on, nobody can tell how much of it has arrived.
    pub fn handle_leaving(&mut self, req: ReqId) {
        if let Some(post) = self.post.as_mut().filter(|post| post.req == req) {
            post.waits = false;
            post.messages = Vec::new();
            self.outbox.give_up_room();
        }
        self.note_room();
        self.assert_invariants();
    }

    pub(super) fn next_request(&mut self, now: Instant) -> Option<Request> {
        if self.link == Link::Wanted && self.ending.is_none() {
            return Some(self.begin_websocket(now));
        }
        let polls = match self.phase {
            Phase::Accepting => return self.wants_handshake.then(|| self.begin_handshake()),
            Phase::Open | Phase::Closing => matches!(self.path, Path::Polling | Path::Probing) && self.ending.is_none(),
            Phase::Closed => false,
        };
        if !polls {
            return None;
        }
        // While the application does not keep up, the server keeps what it has. Nobody waits for anything once the close
        // packet is on its way.
        if self.get.is_none() && self.wants_input() && !self.close_handed {
            let req = self.name_request();
            self.get = Some(req);
            return Some(Request::Get(req));
        }
        if self.post.is_none() && !self.close_handed {
            let (body, messages) = self.next_body()?;
            let req = self.name_request();
            let deadline = now + self.config.request_timeout.max(SHORTEST);
            self.post = Some(Post {
                req,
                deadline,
                messages,
                waits: false,
            });
            self.note_closing(now);
            return Some(Request::Post(req, body));
        }
        None
    }

    fn begin_handshake(&mut self) -> Request {
        self.wants_handshake = false;
        let req = self.name_request();
        self.get = Some(req);
        Request::Get(req)
    }

    fn name_request(&mut self) -> ReqId {
        self.last_req += 1;
        ReqId(self.last_req)
    }

    /// What a POST should carry, if there is anything, and the messages in it.
    fn next_body(&mut self) -> Option<(Bytes, Vec<Data>)> {
        self.set_aside_too_large();
        let max = self.max_payload();
        let max_packets = self.config.max_packets_per_request.max(1);
        let (mut body, mut messages) = (Vec::new(), Vec::new());
        let mut encoder = Encoder::new(&mut body);
        if let Some(text) = self.pong.take() {
            encoder.push(&Packet::Pong(text));
        }
        while encoder.count() < max_packets {
            let Some(front) = self.outbox.peek() else { break };
            let separator = usize::from(encoder.count() > 0);
            let fits = encoded_message_len(front)
                .checked_add(encoder.len() + separator)
                .is_some_and(|length| length <= max);
            // What is too large for this body is for the next one; or it waits for a WebSocket that is being tried.
            if !fits {
                break;
            }
            let Some(data) = self.outbox.hand_over() else { break };
            encoder.push_message(&data);
            messages.push(data);
        }
        let room = encoder.count() < max_packets && (encoder.count() == 0 || encoder.len() + 2 <= max);
        // Not behind messages: npm's server looks into those later than at the close packet, and would drop the last of them.
        if self.phase == Phase::Closing && self.outbox.is_empty() && messages.is_empty() && room {
            encoder.push(&Packet::Close);
            self.close_handed = true;
        }
        (encoder.count() > 0).then(|| (body.into(), messages))
    }
}
