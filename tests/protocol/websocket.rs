//! A WebSocket client that builds every frame by hand, so that it can build wrong ones.

use std::time::{Duration, Instant};

use crate::http::{Connection, NoAnswer, PATIENCE, Response};
use crate::server::Server;

/// The target of a session that begins on the WebSocket.
pub const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// The key of RFC 6455's example, and the answer it asks for.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x3a, 0xc5, 0x5c, 0xa3];

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// Added to an opcode: the last frame of a message.
pub const FIN: u8 = 0x80;

/// What the server sent, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame, with its code where it had one.
    Close(Option<u16>),
    /// The TCP connection is over.
    End,
}

pub struct WebSocket {
    pub connection: Connection,
}

/// An upgrade request as browsers write it.
pub fn upgrade_request(host: &str, target: &str, headers: &[&str]) -> Vec<u8> {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let mut all = vec![
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        &key,
    ];
    all.extend(headers);
    crate::http::request("GET", target, host, &all, None)
}

/// One frame: `first` is the first byte (FIN, reserved bits and opcode), the payload gets masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The first bytes of a masked frame that announces so much, without mask and payload.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

/// Asks for a WebSocket and hands back whatever the answer is.
#[track_caller]
pub fn ask(server: &Server, target: &str, headers: &[&str]) -> (Connection, Response) {
    let mut connection = server.connect();
    let bytes = upgrade_request(connection.host(), target, headers);
    connection.send(bytes);
    let response = connection.response();
    (connection, response)
}

impl WebSocket {
    /// A WebSocket on this target, which must be granted.
    #[track_caller]
    pub fn connect(server: &Server, target: &str) -> Self {
        let (connection, response) = ask(server, target, &[]);
        Self::granted(connection, &response)
    }

    #[track_caller]
    pub fn granted(connection: Connection, response: &Response) -> Self {
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(response.list("upgrade"), ["websocket"]);
        assert!(
            response.list("connection").contains(&"upgrade".to_owned()),
            "{response:?}"
        );
        Self { connection }
    }

    /// A session of its own: the open packet is already read.
    #[track_caller]
    pub fn open(server: &Server) -> Self {
        Self::open_with_sid(server).0
    }

    #[track_caller]
    pub fn open_with_sid(server: &Server) -> (Self, String) {
        let mut websocket = Self::connect(server, WEBSOCKET);
        let Message::Text(open_packet) = websocket.message() else {
            panic!("the open packet is text");
        };
        let sid = crate::session::sid_of(&open_packet);
        (websocket, sid)
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.connection.send(bytes);
    }

    #[track_caller]
    pub fn frame(&mut self, first: u8, payload: &[u8]) {
        self.send(frame(first, payload));
    }

    #[track_caller]
    pub fn text(&mut self, text: &str) {
        self.frame(FIN | TEXT, text.as_bytes());
    }

    #[track_caller]
    pub fn binary(&mut self, bytes: &[u8]) {
        self.frame(FIN | BINARY, bytes);
    }

    /// The next message, control frames included.
    #[track_caller]
    pub fn message(&mut self) -> Message {
        self.message_within(PATIENCE)
            .unwrap_or_else(|| panic!("nothing came within {PATIENCE:?}"))
    }

    /// `None` where nothing came in time.
    #[track_caller]
    pub fn message_within(&mut self, limit: Duration) -> Option<Message> {
        let deadline = Instant::now() + limit;
        let mut kind = None;
        let mut whole = Vec::new();
        loop {
            let (first, payload) = match self.read_frame(deadline) {
                Ok(frame) => frame,
                Err(NoAnswer::Closed | NoAnswer::Reset) => return Some(Message::End),
                Err(NoAnswer::Late) => {
                    assert!(kind.is_none(), "a message stopped half-way");
                    return None;
                }
            };
            assert_eq!(first & 0x70, 0, "no reserved bit was negotiated");
            let is_last = first & FIN != 0;
            match first & 0x0f {
                control @ 0x8.. => {
                    assert!(is_last && payload.len() <= 125, "a wrong control frame");
                    return Some(match control {
                        CLOSE => Message::Close(close_code(&payload)),
                        PING => Message::Ping(payload),
                        PONG => Message::Pong(payload),
                        other => panic!("opcode {other:#x}"),
                    });
                }
                CONTINUATION => assert!(kind.is_some(), "a continuation of nothing"),
                opcode => {
                    assert!(kind.is_none(), "a message inside a message");
                    kind = Some(opcode);
                }
            }
            whole.extend(payload);
            if is_last {
                return Some(match kind {
                    Some(TEXT) => Message::Text(String::from_utf8(whole).expect("UTF-8")),
                    Some(BINARY) => Message::Binary(whole),
                    other => panic!("opcode {other:?}"),
                });
            }
        }
    }

    fn read_frame(&mut self, deadline: Instant) -> Result<(u8, Vec<u8>), NoAnswer> {
        let start = self.connection.take(2, deadline)?;
        assert_eq!(start[1] & 0x80, 0, "a server does not mask");
        let length = match start[1] {
            126 => {
                let bytes = self.connection.take(2, deadline)?;
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                let bytes = self.connection.take(8, deadline)?;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            length => usize::from(length),
        };
        Ok((start[0], self.connection.take(length, deadline)?))
    }

    #[track_caller]
    pub fn assert_text(&mut self, text: &str) {
        assert_eq!(self.message(), Message::Text(text.to_owned()));
    }

    #[track_caller]
    pub fn assert_echoes(&mut self, text: &str) {
        let packet = format!("4{text}");
        self.text(&packet);
        self.assert_text(&packet);
    }

    /// The server ends the WebSocket by a close frame, answers for it until the client has closed
    /// too, and hangs up. Before it, only a close packet may come.
    #[track_caller]
    pub fn assert_closes(&mut self) -> Option<u16> {
        let code = loop {
            match self.message() {
                Message::Text(text) if text == "1" => {}
                Message::Close(code) => break code,
                other => panic!("instead of a close frame came {other:?}"),
            }
        };
        let reply = code.map(|code| code.to_be_bytes().to_vec());
        self.connection
            .send_if_open(frame(FIN | CLOSE, &reply.unwrap_or_default()), PATIENCE);
        assert_eq!(self.message(), Message::End);
        code
    }

    /// Ends the session as a client should: by a close packet, which the server answers by a close
    /// frame.
    #[track_caller]
    pub fn close(mut self) {
        self.text("1");
        self.assert_closes();
    }
}

/// The code in the payload of a close frame, which must be one that may be sent.
#[track_caller]
fn close_code(payload: &[u8]) -> Option<u16> {
    if payload.is_empty() {
        return None;
    }
    assert!(payload.len() >= 2, "a close frame with half a code");
    let code = u16::from_be_bytes([payload[0], payload[1]]);
    assert!(
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
        "{code} may not be sent"
    );
    assert!(std::str::from_utf8(&payload[2..]).is_ok(), "the reason");
    Some(code)
}
