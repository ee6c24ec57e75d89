//! What the server reads: requests and frames that are some, and messages in order.

use super::*;

/// More than any head of a request: cookies are what is longest in it.
const MAX_REQUEST_HEAD: usize = 64 * 1024;

/// What a client may say in the head of a request.
const HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
];

impl World {
    pub(super) fn reads(&mut self, id: StreamId, bytes: &[u8]) {
        let wild = self.wild;
        let Some(server) = self.server(id) else { return };
        if wild && id == StreamId::WebSocket && bytes.first().is_some_and(|first| !first.is_ascii()) {
            // Any bytes were what grants a WebSocket.
            server.frames.get_or_insert_with(|| WebSocket::new(1 << 20));
        }
        if server.frames.is_some() {
            return self.reads_frames(id, bytes);
        }
        server.input.extend_from_slice(bytes);
        let input = core::mem::take(&mut server.input);
        let mut rest = &input[..];
        self.reads_request(id, &mut rest);
        if let Some(server) = self.server(id) {
            server.input = rest.to_vec();
        }
    }

    pub(super) fn reads_request(&mut self, id: StreamId, rest: &mut &[u8]) {
        let (proxied, wild) = (self.proxied, self.wild);
        let Lane::Open(server) = &mut self.lanes[id as usize] else {
            return;
        };
        if server.body.is_none() {
            let head = read_head(rest, MAX_REQUEST_HEAD, |head, length| {
                for header in head.headers {
                    let name = header.name.to_ascii_lowercase();
                    assert!(HEADERS.contains(&&*name), "a header of somebody else's: {name}");
                }
                let kept = head.keep_alive || (proxied && id != StreamId::WebSocket);
                assert!(kept && head.version_1_1, "{head:?}");
                (head.method.to_owned(), head.path.to_owned(), head.framing, length)
            });
            let Some((method, path, framing, length)) = head.expect("a request that is one") else {
                return;
            };
            assert!(
                wild || server.asked.is_none(),
                "a request before the answer to the last one"
            );
            *rest = &rest[length..];
            let asked = match (id, &method[..]) {
                (StreamId::Poll, "GET") => Asked::Get,
                (StreamId::Push, "POST") => Asked::Post,
                (StreamId::WebSocket, "CONNECT") => Asked::Tunnel,
                (StreamId::WebSocket, "GET") => Asked::WebSocket,
                _ => panic!("{method} on {id:?}"),
            };
            match asked {
                Asked::Tunnel => assert!(proxied),
                _ => assert_eq!(path, "/engine.io/"),
            }
            server.asked = Some(asked);
            if asked == Asked::Post {
                server.body = Some(BodyReader::new(framing, usize::MAX).expect("no limit"));
            }
        }
        let Some(body) = &mut server.body else { return };
        if body.read(rest).expect("a body that is one") {
            let body = server.body.take().expect("it was there").into_body();
            let packets: Result<Vec<Packet>, _> = Packets::new(Bytes::from(body)).expect("text").collect();
            for packet in packets.expect("what a client sends is valid") {
                self.carries(packet);
            }
        }
    }

    pub(super) fn reads_frames(&mut self, id: StreamId, mut bytes: &[u8]) {
        let mut packets = Vec::new();
        if let Some(frames) = self.server(id).and_then(|server| server.frames.as_mut()) {
            let mut replies = Vec::new();
            while let Some(frame) = frames.read(&mut bytes, &mut replies).expect("frames that are some") {
                match frame {
                    Frame::Text(text) => packets.push(Packet::decode(text).expect("a packet that is one")),
                    Frame::Binary(bytes) => packets.push(Packet::Message(bytes.into())),
                    Frame::Closed => {}
                }
            }
        }
        packets.into_iter().for_each(|packet| self.carries(packet));
    }

    pub(super) fn carries(&mut self, packet: Packet) {
        match packet {
            Packet::Message(data) => {
                assert!(!self.goodbye, "{data:?} behind the close packet");
                let number = number(&data);
                assert!(number < self.accepted);
                assert!(
                    self.carried.last().is_none_or(|last| *last < number),
                    "{data:?} again, or late"
                );
                self.carried.push(number);
            }
            Packet::Close => {
                assert!(!self.goodbye, "closed twice");
                self.goodbye = true;
            }
            Packet::Ping(_) | Packet::Pong(_) | Packet::Upgrade => {}
            other => panic!("{other:?} from a client"),
        }
    }
}
