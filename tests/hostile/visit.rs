//! One request, and the ways to answer it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tungstenite::handshake::derive_accept_key;

use crate::deflate::gzip;
use crate::frames::{self, BINARY, CLOSE, FIN, Incoming, PONG, TEXT};
use crate::request::{Kind, Request};
use crate::session::{Framing, NoPackets, Shared};
use crate::socket::{PATIENCE, Socket};

/// How a connection goes on after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The well-behaved server answers this one.
    Usual,
    /// It was answered, and the next may come.
    KeepAlive,
    /// It was answered, or not, and that was it.
    Close,
}

pub struct Visit<'a> {
    pub kind: Kind,
    /// How many of its kind came before it.
    pub nth: usize,
    pub request: Request,
    pub socket: &'a mut Socket,
    pub shared: Arc<Shared>,
    /// The session that it names, once it is known.
    pub session: Option<usize>,
    /// Counted as under way.
    pub is_counted: bool,
}

const UNKNOWN_SESSION: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

impl Visit<'_> {
    pub fn complain(&self, complaint: impl Into<String>) {
        self.shared.complain(complaint);
    }

    /// Raw bytes, as an answer or a part of one.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.leave();
        self.socket.write(bytes)
    }

    /// The client may send the next request as soon as it has the answer, which is before the server knows.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            let session = self.session.expect("only requests of sessions are counted");
            self.shared.leave(session, self.kind);
        }
    }

    /// A response with a Content-Length, from which the rest is bent.
    pub fn answer(&mut self, status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Next {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(body);
        self.write(bytes);
        Next::KeepAlive
    }

    /// A payload, as a well-behaved server of this configuration writes it.
    pub fn ok(&mut self, body: impl AsRef<[u8]>) -> Next {
        const PLAIN: &str = "Content-Type: text/plain; charset=UTF-8";
        let body = body.as_ref();
        match self.shared.config.framing {
            Framing::Length => self.answer("200 OK", &[PLAIN], body),
            Framing::Closing => {
                self.answer("200 OK", &[PLAIN, "Connection: close"], body);
                Next::Close
            }
            Framing::Gzip => self.answer("200 OK", &[PLAIN, "Content-Encoding: gzip"], gzip(body)),
            Framing::GzipChunked => {
                let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
                let (left, right) = (gzip(body), Vec::new());
                self.write(chunked(
                    head,
                    [left, right].into_iter().filter(|chunk| !chunk.is_empty()),
                ));
                Next::KeepAlive
            }
            Framing::Interim => {
                self.write("HTTP/1.1 100 Continue\r\n\r\n");
                self.write("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
                self.answer("200 OK", &[PLAIN], body)
            }
            Framing::Shouting => {
                let mut bytes = format!(
                    "HTTP/1.1 200\r\nCONTENT-LENGTH:   {}  \r\ncOnNeCtIoN:Keep-Alive\r\nX-Empty:\r\n\r\n",
                    body.len()
                )
                .into_bytes();
                bytes.extend(body);
                self.write(bytes);
                Next::KeepAlive
            }
            Framing::Old => {
                let mut bytes = format!("HTTP/1.0 200 OK\r\n{PLAIN}\r\n\r\n").into_bytes();
                bytes.extend(body);
                self.write(bytes);
                Next::Close
            }
            Framing::Trickled => {
                let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
                bytes.extend(body);
                self.leave();
                self.socket.trickle(bytes, Duration::from_millis(1));
                Next::KeepAlive
            }
            Framing::Chunked => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let (left, right) = body.split_at(body.len() / 2);
                let chunks = [left, right].into_iter().filter(|chunk| !chunk.is_empty());
                self.write(chunked(head, chunks.map(<[u8]>::to_vec)));
                Next::KeepAlive
            }
            Framing::Bytewise => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                self.write(chunked(head, body.iter().map(|byte| vec![*byte])));
                Next::KeepAlive
            }
        }
    }

    /// Says nothing until the client hangs up, which it has to do.
    pub fn stay_silent(&mut self) -> Next {
        if !self.socket.wait_for_hangup() && !self.shared.is_stopping() {
            self.complain(format!("the client still waits: {:?}", self.kind));
        }
        Next::Close
    }

    pub fn reset(&mut self) -> Next {
        self.leave();
        self.socket.reset();
        Next::Close
    }

    /// Starts a session and gives its open packet.
    pub fn open_session(&mut self) -> String {
        let sid = format!("session-{}_A", self.shared.state().sessions.len());
        self.begin(&sid);
        let upgrades = self.kind == Kind::Open && self.shared.config.upgrades;
        self.shared.config.open_packet(&sid, upgrades)
    }

    pub fn begin(&mut self, sid: &str) {
        self.session = Some(self.shared.begin(sid));
    }

    // ---- WebSocket ----

    /// The right answer to the client's key.
    pub fn accept_key(&self) -> String {
        derive_accept_key(self.request.header("sec-websocket-key").unwrap_or_default().as_bytes())
    }

    /// The head that grants a WebSocket.
    pub fn grant(&self, headers: &[&str]) -> String {
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
            self.accept_key()
        );
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head + "\r\n"
    }

    pub fn accept(&mut self) {
        let head = self.grant(&[]);
        self.write(head);
    }

    pub fn frame(&mut self, first: u8, payload: impl AsRef<[u8]>) -> bool {
        self.write(frames::frame(first, payload.as_ref()))
    }

    pub fn text(&mut self, text: &str) -> bool {
        self.frame(FIN | TEXT, text)
    }

    pub fn incoming(&mut self, limit: Duration) -> Incoming {
        let incoming = frames::read(self.socket, limit);
        if let Incoming::Wrong(complaint) = &incoming {
            self.complain(complaint);
        }
        incoming
    }

    /// What the client says next must be this text.
    pub fn expect_text(&mut self, text: &str) -> bool {
        match self.incoming(PATIENCE) {
            Incoming::Text(came) if came == text => true,
            other => {
                self.complain(format!("instead of {text:?} came {other:?}"));
                false
            }
        }
    }

    /// A WebSocket that was opened well, as the session's only transport.
    pub fn open_directly(&mut self) {
        self.accept();
        let packet = self.open_session();
        self.text(&packet);
    }

    // ---- the well-behaved server ----

    pub fn usual(&mut self) -> Next {
        match self.kind {
            Kind::Open => {
                let packet = self.open_session();
                self.ok(packet)
            }
            Kind::Poll | Kind::Post | Kind::Upgrade if self.session.is_none() => {
                self.answer("400 Bad Request", &["Content-Type: application/json"], UNKNOWN_SESSION)
            }
            Kind::Poll => self.usual_poll(),
            Kind::Post => {
                self.take_payload();
                self.ok("ok")
            }
            Kind::Upgrade => self.usual_upgrade(),
            Kind::Direct => {
                self.open_directly();
                self.serve_websocket()
            }
            Kind::Other => self.answer("404 Not Found", &[], ""),
        }
    }

    /// Registers what a POST brought, as the usual answer would.
    pub fn take_payload(&mut self) {
        let session = self.session.expect("a POST of a session");
        self.shared.take_payload(session, &self.request.body);
    }

    fn usual_poll(&mut self) -> Next {
        let session = self.session.expect("a poll of a session");
        match self.shared.next_packets(session) {
            Ok(packets) => self.ok(packets.join("\x1e")),
            Err(NoPackets::Gone) => {
                self.answer("400 Bad Request", &["Content-Type: application/json"], UNKNOWN_SESSION)
            }
            Err(NoPackets::Stopping) => Next::Close,
        }
    }

    fn usual_upgrade(&mut self) -> Next {
        self.accept();
        self.usual_probe()
    }

    /// From behind the 101 on.
    pub fn usual_probe(&mut self) -> Next {
        if !self.expect_text("2probe") {
            return Next::Close;
        }
        self.text("3probe");
        self.finish_upgrade()
    }

    /// From behind the `3probe` on.
    pub fn finish_upgrade(&mut self) -> Next {
        let session = self.session.expect("an upgrade of a session");
        self.shared.release(session, true);
        match self.incoming(PATIENCE) {
            Incoming::Text(text) if text == "5" => {}
            Incoming::Text(text) => {
                self.complain(format!("instead of \"5\" came {text:?}"));
                return Next::Close;
            }
            // It thought better of it.
            _ => {
                self.shared.release(session, false);
                return Next::Close;
            }
        }
        self.shared.change(|state| {
            let known = &mut state.sessions[session];
            known.on_websocket = true;
        });
        self.shared.release(session, false);
        self.serve_websocket()
    }

    /// Both directions, until the end.
    pub fn serve_websocket(&mut self) -> Next {
        let session = self.session.expect("a WebSocket of a session");
        while !self.shared.is_stopping() {
            for packet in self.shared.packets(session) {
                self.send_packet(&packet);
            }
            match self.incoming(Duration::from_millis(5)) {
                Incoming::Late | Incoming::Pong(_) => {}
                Incoming::Text(packet) => self.shared.take_packet(session, &packet),
                Incoming::Binary(bytes) => self.shared.take_binary(session, &bytes),
                Incoming::Ping(payload) => {
                    self.frame(FIN | PONG, payload);
                }
                Incoming::Close(_) => {
                    self.frame(FIN | CLOSE, 1000_u16.to_be_bytes());
                    break;
                }
                Incoming::End | Incoming::Wrong(_) => break,
            }
            if self.shared.state().sessions[session].closed {
                self.frame(FIN | CLOSE, 1000_u16.to_be_bytes());
                // Its answer, or its end.
                self.incoming(PATIENCE);
                break;
            }
        }
        self.shared.end(session);
        Next::Close
    }

    fn send_packet(&mut self, packet: &str) {
        match packet.strip_prefix('b') {
            Some(base64) => {
                let bytes = STANDARD.decode(base64).expect("a test's own base64");
                self.frame(FIN | BINARY, bytes);
            }
            None => {
                self.text(packet);
            }
        }
    }

    /// Waits with it, which is what slow servers do.
    pub fn sleep(&self, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
    }
}

/// A chunked message, with an extension at the first chunk and a trailer.
fn chunked(head: &str, chunks: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    for (at, chunk) in chunks.enumerate() {
        let extension = if at == 0 { ";name=\"value\"" } else { "" };
        bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\nX-Trailer: yes\r\n\r\n");
    bytes
}
