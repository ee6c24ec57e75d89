//! What the server says.

use super::*;

/// Nobody needs to guess anything here, so all random bytes are 0, and this belongs to the key that is made of them.
const ACCEPT: &str = "ICX+Yqv66kxgM0FcWaLWlFLwTAI=";

impl World {
    pub(super) fn said_by(&mut self, id: StreamId, unit: Unit) {
        if let Some(server) = self.server(id) {
            if server.output.back().is_none_or(|last| !last.ends) {
                server.output.push_back(unit);
            }
        }
    }

    /// Answers a GET or a POST, if one waits.
    pub(super) fn answers(&mut self, detail: u8, script: &mut Script) {
        let id = if detail & 1 == 0 {
            StreamId::Poll
        } else {
            StreamId::Push
        };
        let status = [200, 200, 200, 200, 201, 400, 302, 503][usize::from(detail >> 1 & 7)];
        let mut unit = Unit::default();
        let mut body = Vec::new();
        if id == StreamId::Push {
            body.extend_from_slice(b"ok");
        } else {
            let mut closed = false;
            for at in 0..=script.byte() % 4 {
                if at > 0 {
                    body.push(0x1e);
                }
                let packet = self.packet(script.byte());
                let says = match &packet {
                    Packet::Message(data) => Some(data.clone()),
                    Packet::Close => {
                        closed = true;
                        None
                    }
                    _ => None,
                };
                unit.says.extend(says.filter(|_| !closed));
                packet.encode(&mut body);
            }
        }
        self.answer(id, detail, status, body, unit);
    }

    /// An answer with this body, sent in one of several ways.
    pub(super) fn answer(&mut self, id: StreamId, detail: u8, status: u16, mut body: Vec<u8>, mut unit: Unit) {
        let expected = if id == StreamId::Poll { Asked::Get } else { Asked::Post };
        let max = self.config.max_payload;
        let Some(server) = self.server(id) else { return };
        if server.asked != Some(expected) || server.body.is_some() {
            return;
        }
        server.asked = None;
        let success = (200..300).contains(&status) && body.len() <= max;
        if !success {
            unit.says.clear();
            unit.opens = false;
        }
        unit.confirms = success && expected == Asked::Post;
        let mut head = format!("HTTP/1.1 {status} \r\nSet-Cookie: a{detail}={status}\r\n");
        if status == 302 {
            head.push_str("Location: /else\u{9b}2J\r\n");
        }
        match detail >> 4 & 7 {
            0..=2 => write!(head, "Content-Length: {}\r\n\r\n", body.len()).expect("a String"),
            3 => {
                head.push_str("Transfer-Encoding: chunked\r\n\r\n");
                let (front, back) = body.split_at(body.len() / 2);
                let mut chunks = Vec::new();
                for chunk in [front, back].into_iter().filter(|chunk| !chunk.is_empty()) {
                    chunks.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
                    chunks.extend_from_slice(chunk);
                    chunks.extend_from_slice(b"\r\n");
                }
                chunks.extend_from_slice(b"0\r\nT: t\r\n\r\n");
                body = chunks;
            }
            4 => {
                head.push_str("\r\n");
                unit.ends = true;
            }
            5 => {
                // One block that is not compressed.
                let length = body.len() as u16;
                let block = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &body].concat();
                write!(
                    head,
                    "Content-Encoding: deflate\r\nContent-Length: {}\r\n\r\n",
                    block.len()
                )
                .expect("a String");
                body = block;
            }
            6 => write!(head, "Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()).expect("a String"),
            _ => write!(head, "Keep-Alive: timeout=2\r\nContent-Length: {}\r\n\r\n", body.len()).expect("a String"),
        }
        unit.bytes = [head.into_bytes(), body].concat();
        self.said_by(id, unit);
    }

    /// The session's first word, with more behind it perhaps.
    pub(super) fn opens(&mut self, id: StreamId, detail: u8) {
        let (text, valid) = handshake(detail);
        let mut unit = Unit {
            opens: valid,
            ..Unit::default()
        };
        match id {
            StreamId::WebSocket => {
                unit.bytes = text_frame(&text);
                self.said_on_websocket(unit);
            }
            _ => self.answer(StreamId::Poll, 0, 200, text.into_bytes(), unit),
        }
    }

    /// Answers the request for a WebSocket, or for a tunnel to one.
    pub(super) fn grants(&mut self, detail: u8, script: &mut Script) {
        let Some(server) = self.server(StreamId::WebSocket) else {
            return;
        };
        let Some(asked) = server.asked.take() else { return };
        let mut unit = Unit::default();
        let granted = format!(
            "HTTP/1.1 101 \r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
        );
        let is_tunnel = asked == Asked::Tunnel;
        unit.bytes = match detail % 8 {
            0..=4 if is_tunnel => b"HTTP/1.1 200 Connected\r\nContent-Length: 7\r\n\r\n".to_vec(),
            0..=3 => {
                server.frames = Some(WebSocket::new(1 << 20));
                format!("{granted}Set-Cookie: ws=1\r\n\r\n").into_bytes()
            }
            4 => format!("{granted}Sec-WebSocket-Protocol: chat\r\n\r\n").into_bytes(),
            5 => b"HTTP/1.1 403 \r\nSet-Cookie: ws=0\r\nContent-Length: 14\r\n\r\n{\"message\":\"\"}".to_vec(),
            6 => b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n".to_vec(),
            _ => format!("HTTP/1.1 {}\r\n\r\n", 100 + u16::from(script.byte()) * 2).into_bytes(),
        };
        self.said_by(StreamId::WebSocket, unit);
    }

    pub(super) fn said_on_websocket(&mut self, unit: Unit) {
        let id = StreamId::WebSocket;
        if self.server(id).is_some_and(|server| server.frames.is_some()) {
            self.said_by(id, unit);
        }
    }

    /// Frames of the WebSocket's own.
    pub(super) fn frame(&mut self, bytes: Vec<u8>) {
        self.said_on_websocket(Unit {
            bytes,
            ..Unit::default()
        });
    }

    pub(super) fn frames(&mut self, detail: u8, script: &mut Script) {
        match detail % 16 {
            0 => self.frame(frame(0x88, &[3, 232])),
            1 => self.frame(frame(0x89, b"ping")),
            2 => self.frame(frame(0x8a, b"")),
            3 => self.frame(text_frame("6")),
            4 => self.frame(text_frame("2")),
            5 => self.frame(text_frame("1")),
            kind => {
                for _ in 0..=kind % 4 {
                    let choice = script.byte() % 16;
                    let Packet::Message(data) = self.packet(choice) else {
                        continue;
                    };
                    let packet = Packet::Message(data.clone());
                    let (first, mut payload) = (if data.as_text().is_some() { 1 } else { 2 }, Vec::new());
                    match packet.as_binary() {
                        Some(bytes) => payload.extend_from_slice(bytes),
                        None => packet.encode(&mut payload),
                    }
                    let bytes = if kind & 8 != 0 && payload.len() > 4 {
                        let (front, back) = payload.split_at(3);
                        [frame(first, front), frame(0x89, b""), frame(0x80, back)].concat()
                    } else {
                        frame(0x80 | first, &payload)
                    };
                    self.said_on_websocket(Unit {
                        bytes,
                        joins: true,
                        says: vec![data],
                        ..Unit::default()
                    });
                }
            }
        }
    }

    /// Any bytes. What they mean is not known here.
    pub(super) fn raw(&mut self, id: StreamId, script: &mut Script) {
        let count = script.byte();
        let bytes = script.bytes(usize::from(count));
        self.wild = true;
        let unit = Unit {
            bytes,
            ..Unit::default()
        };
        self.said_by(id, unit);
    }

    /// A server that does as it should: whatever is asked is answered.
    pub(super) fn well(&mut self, detail: u8) {
        let mut none = Script(&[]);
        if self.connection.look().phase() == Phase::Accepting {
            self.opens(StreamId::Poll, detail & 0x3f);
        } else {
            let packet = self.packet(detail % 16);
            let mut body = Vec::new();
            packet.encode(&mut body);
            let says = match packet {
                Packet::Message(data) => vec![data],
                _ => Vec::new(),
            };
            let unit = Unit {
                says,
                ..Unit::default()
            };
            self.answer(StreamId::Poll, detail, 200, body, unit);
        }
        self.answer(StreamId::Push, detail, 200, b"ok".to_vec(), Unit::default());
        self.grants(0, &mut none);
    }

    pub(super) fn packet(&mut self, choice: u8) -> Packet {
        self.made += 1;
        let made = self.made;
        let length = usize::from(choice);
        match choice % 32 {
            0..=9 => Packet::Message(format!("{made}é{:.<length$}", "").into()),
            10..=15 => Packet::Message(format!("{made}{:.<length$}", "").into_bytes().into()),
            16..=20 => Packet::Ping("".into()),
            21 => Packet::Ping("text".into()),
            22..=29 => Packet::Noop,
            30 => Packet::Pong("".into()),
            _ => Packet::Close,
        }
    }
}

/// A server's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

pub(super) fn text_frame(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// An open packet, and whether it is one.
fn handshake(detail: u8) -> (String, bool) {
    let upgrades = ["[\"websocket\"]", "[\"websocket\"]", "[]", "[\"webtransport\",7]"][usize::from(detail & 3)];
    let interval = [10_000, 100, 0, 100_000_000_000u64][usize::from(detail >> 2 & 3)];
    let max = ["", ",\"maxPayload\":100", ",\"maxPayload\":40", ",\"maxPayload\":0"][usize::from(detail >> 4 & 3)];
    let (sid, valid) = [("\"a&b\"", true), ("\"b/+?\"", true), ("\"c\"", true), ("7", false)][usize::from(detail >> 6)];
    let text =
        format!("0{{\"sid\":{sid},\"upgrades\":{upgrades},\"pingInterval\":{interval},\"pingTimeout\":50{max}}}");
    (text, valid)
}
