//! A client that writes and reads packets by hand, over polling, over a WebSocket, or after an upgrade from one to the other.

use std::collections::VecDeque;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::client::{POLLING, WEBSOCKET};
use crate::http::{PATIENCE, Response};
use crate::server::Server;
use crate::session::sid_of;
use crate::websocket::{BINARY, CLOSE, FIN, Message, TEXT, WebSocket, frame};

/// How a peer gets to its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Polling,
    WebSocket,
    Upgrade,
}

pub const PLANS: [Plan; 3] = [Plan::Polling, Plan::WebSocket, Plan::Upgrade];

/// What comes of Socket.IO: text, or an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Text(String),
    Bytes(Vec<u8>),
}

pub struct Peer<'a> {
    server: &'a Server,
    /// The Engine.IO session's id.
    pub sid: String,
    /// `None` while it polls.
    pub websocket: Option<WebSocket>,
    unread: VecDeque<Packet>,
    is_over: bool,
}

impl<'a> Peer<'a> {
    /// A connection that has joined nothing.
    #[track_caller]
    pub fn open(server: &'a Server, plan: Plan) -> Self {
        let mut peer = Self {
            server,
            sid: String::new(),
            websocket: None,
            unread: VecDeque::new(),
            is_over: false,
        };
        if plan == Plan::WebSocket {
            let mut websocket = WebSocket::connect(server, WEBSOCKET);
            let Message::Text(open) = websocket.message() else {
                panic!("the open packet is text");
            };
            peer.sid = sid_of(&open);
            peer.websocket = Some(websocket);
            return peer;
        }
        peer.sid = sid_of(server.get(POLLING).text());
        if plan == Plan::Upgrade {
            peer.upgrade();
        }
        peer
    }

    /// One that has joined the main namespace and has read its `auth`; and its id there.
    #[track_caller]
    pub fn join(server: &'a Server, plan: Plan) -> (Self, String) {
        let mut peer = Self::open(server, plan);
        let id = peer.enter("/", "");
        (peer, id)
    }

    /// Joins a namespace, reads its `auth`, and answers the socket's id.
    #[track_caller]
    pub fn enter(&mut self, namespace: &str, auth: &str) -> String {
        let prefix = match namespace {
            "/" => String::new(),
            name => format!("{name},"),
        };
        self.send(&format!("0{prefix}{auth}"));
        let answer = self.text();
        let id = answer
            .strip_prefix(&format!(r#"0{prefix}{{"sid":""#))
            .and_then(|rest| rest.strip_suffix("\"}"));
        let id = id.unwrap_or_else(|| panic!("not let in: {answer}")).to_owned();
        let auth = if auth.is_empty() { "{}" } else { auth };
        self.expect(&format!(r#"2{prefix}["auth",{auth}]"#));
        id
    }

    /// Goes over to a WebSocket.
    #[track_caller]
    pub fn upgrade(&mut self) {
        let target = format!("{WEBSOCKET}&sid={}", self.sid);
        let mut websocket = WebSocket::connect(self.server, &target);
        websocket.text("2probe");
        websocket.assert_text("3probe");
        websocket.text("5");
        self.websocket = Some(websocket);
    }

    fn target(&self) -> String {
        format!("{POLLING}&sid={}", self.sid)
    }

    /// Posts Engine.IO packets as they are.
    #[track_caller]
    pub fn post(&self, body: &str) -> Response {
        self.server.post(&self.target(), body)
    }

    /// Polls once.
    #[track_caller]
    pub fn poll(&self) -> Response {
        self.server.get(&self.target())
    }

    /// Sends a Socket.IO packet, which need not be a right one.
    #[track_caller]
    pub fn send(&mut self, packet: &str) {
        let packet = format!("4{packet}");
        match &mut self.websocket {
            Some(websocket) => websocket.text(&packet),
            None => {
                // A session that one of the last packets has ended knows of no more.
                let answer = self.post(&packet);
                assert!(matches!(answer.status, 200 | 400), "{answer:?}");
            }
        }
    }

    /// The same where the server may have closed the connection by now.
    pub fn send_if_open(&mut self, packet: &str) {
        let packet = format!("4{packet}");
        self.send_frame_if_open(FIN | TEXT, packet.as_bytes());
    }

    pub fn send_bytes_if_open(&mut self, bytes: &[u8]) {
        match &self.websocket {
            Some(_) => self.send_frame_if_open(FIN | BINARY, bytes),
            None => self.send_bytes(bytes),
        }
    }

    fn send_frame_if_open(&mut self, first: u8, payload: &[u8]) {
        if let Some(websocket) = &mut self.websocket {
            websocket.connection.send_if_open(frame(first, payload), PATIENCE);
        }
    }

    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        match &mut self.websocket {
            Some(websocket) => websocket.binary(bytes),
            None => {
                let answer = self.post(&format!("b{}", BASE64.encode(bytes)));
                assert!(matches!(answer.status, 200 | 400), "{answer:?}");
            }
        }
    }

    /// The next packet; pings are answered.
    #[track_caller]
    pub fn next(&mut self) -> Packet {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(packet) = self.unread.pop_front() {
                return packet;
            }
            assert!(!self.is_over, "the connection has ended");
            assert!(Instant::now() < deadline, "nothing came");
            self.read();
        }
    }

    /// Reads whatever comes next from the transport.
    #[track_caller]
    fn read(&mut self) {
        match &mut self.websocket {
            Some(websocket) => match websocket.message() {
                Message::Text(text) => self.take(&text),
                Message::Binary(bytes) => self.unread.push_back(Packet::Bytes(bytes)),
                Message::Close(_) => {
                    // It waits for our close frame, and no longer than that.
                    websocket.connection.send_if_open(frame(FIN | CLOSE, &[]), PATIENCE);
                    self.is_over = true;
                }
                Message::End => self.is_over = true,
                other => panic!("a surprise: {other:?}"),
            },
            None => {
                let response = self.poll();
                if response.status == 400 {
                    response.assert_error(1);
                    self.is_over = true;
                    return;
                }
                assert_eq!(response.status, 200, "{response:?}");
                for packet in response.text().split('\x1e') {
                    self.take(packet);
                }
            }
        }
    }

    /// Takes one Engine.IO packet of text.
    #[track_caller]
    fn take(&mut self, packet: &str) {
        match packet.split_at_checked(1) {
            Some(("4", packet)) => self.unread.push_back(Packet::Text(packet.to_owned())),
            Some(("b", bytes)) => {
                let bytes = BASE64.decode(bytes).expect("base64");
                self.unread.push_back(Packet::Bytes(bytes));
            }
            Some(("2", "")) => match &mut self.websocket {
                Some(websocket) => websocket.text("3"),
                None => self.post("3").assert_ok("ok"),
            },
            // What is left to read is told on the same transport; after it there is nothing.
            Some(("1", "")) | Some(("6", "")) => {}
            _ => panic!("not a packet: {packet:?}"),
        }
    }

    #[track_caller]
    pub fn text(&mut self) -> String {
        match self.next() {
            Packet::Text(text) => text,
            Packet::Bytes(bytes) => panic!("not text: {bytes:?}"),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.text(), packet);
    }

    #[track_caller]
    pub fn expect_bytes(&mut self, bytes: &[u8]) {
        assert_eq!(self.next(), Packet::Bytes(bytes.to_vec()));
    }

    /// Sends an event that wants an acknowledgement, and answers its arguments: it is what comes next.
    #[track_caller]
    pub fn call(&mut self, event: &str) -> String {
        self.send(&format!("271{event}"));
        let answer = self.text();
        let args = answer.strip_prefix("371");
        args.unwrap_or_else(|| panic!("not the acknowledgement: {answer}"))
            .to_owned()
    }

    /// Everything that was sent before has been handled, and nothing has come of it: the connection goes on.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        // Had something come, it would have come before.
        self.call(r#"["count"]"#);
    }

    /// The server ends the connection; answers what came before that.
    #[track_caller]
    pub fn expect_end(&mut self) -> Vec<Packet> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_over {
            assert!(
                Instant::now() < deadline,
                "the connection goes on after {:?}",
                self.unread
            );
            self.read();
        }
        self.unread.drain(..).collect()
    }

    /// Goes away without a word, where the transport has such a thing.
    pub fn vanish(mut self) {
        self.is_over = true;
    }
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        // A polling session would be there until its next ping is not answered.
        if self.websocket.is_none() && !self.is_over && !std::thread::panicking() {
            self.post("1");
        }
    }
}

/// Runs a row over each transport against one server, and looks each time that nothing was kept: no session, no socket, no
/// room.
#[track_caller]
pub fn on_every_transport(flags: &[&str], row: impl Fn(&Server, Plan)) {
    let server = Server::app("socketio", flags);
    for plan in PLANS {
        println!("{plan:?}");
        row(&server, plan);
        server.expect_nothing_kept();
    }
    server.finish();
}
