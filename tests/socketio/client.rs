//! A Socket.IO client that writes and reads packets by hand, over one WebSocket.

use std::time::{Duration, Instant};

use crate::http::PATIENCE;
use crate::server::Server;
use crate::websocket::{CLOSE, FIN, Message, WebSocket};

pub const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
pub const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

pub struct Client {
    pub websocket: WebSocket,
}

impl Client {
    /// A connection that has joined nothing.
    #[track_caller]
    pub fn open(server: &Server) -> Self {
        let mut websocket = WebSocket::connect(server, WEBSOCKET);
        let Message::Text(open) = websocket.message() else {
            panic!("the open packet is text");
        };
        crate::session::sid_of(&open);
        Self { websocket }
    }

    /// One that has joined the main namespace, and its id there.
    #[track_caller]
    pub fn join(server: &Server) -> (Self, String) {
        let mut client = Self::open(server);
        let id = client.enter("/", "");
        (client, id)
    }

    /// One on `--app socketio`, which says something at first.
    #[track_caller]
    pub fn join_app(server: &Server) -> (Self, String) {
        let (mut client, id) = Self::join(server);
        client.expect(r#"2["auth",{}]"#);
        (client, id)
    }

    /// Joins a namespace and answers the socket's id.
    #[track_caller]
    pub fn enter(&mut self, namespace: &str, auth: &str) -> String {
        let prefix = match namespace {
            "/" => String::new(),
            name => format!("{name},"),
        };
        self.send(&format!("0{prefix}{auth}"));
        let answer = self.next();
        let id = answer
            .strip_prefix(&format!(r#"0{prefix}{{"sid":""#))
            .and_then(|rest| rest.strip_suffix("\"}"));
        let id = id.unwrap_or_else(|| panic!("not let in: {answer}")).to_owned();
        assert_eq!(id.len(), 20);
        id
    }

    /// Sends a Socket.IO packet.
    #[track_caller]
    pub fn send(&mut self, packet: &str) {
        self.websocket.text(&format!("4{packet}"));
    }

    #[track_caller]
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.websocket.binary(bytes);
    }

    /// The next Socket.IO packet; pings are answered.
    #[track_caller]
    pub fn next(&mut self) -> String {
        loop {
            match self.websocket.message() {
                Message::Text(text) if text == "2" => self.websocket.text("3"),
                Message::Text(text) => match text.strip_prefix('4') {
                    Some(packet) => return packet.to_owned(),
                    None => panic!("not a message: {text}"),
                },
                other => panic!("instead of a packet came {other:?}"),
            }
        }
    }

    #[track_caller]
    pub fn expect(&mut self, packet: &str) {
        assert_eq!(self.next(), packet);
    }

    #[track_caller]
    pub fn expect_binary(&mut self, bytes: &[u8]) {
        assert_eq!(self.websocket.message(), Message::Binary(bytes.to_vec()));
    }

    /// Sends an event that wants an acknowledgement, and answers what comes back, which is the next packet.
    #[track_caller]
    pub fn call(&mut self, event: &str) -> String {
        self.send(&format!("21{event}"));
        let answer = self.next();
        let args = answer.strip_prefix("31");
        args.unwrap_or_else(|| panic!("not the acknowledgement: {answer}"))
            .to_owned()
    }

    /// Everything that was sent before has been handled, and nothing has come of it.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.send(r#"2999["count"]"#);
        let answer = self.next();
        assert!(answer.starts_with("3999["), "something came: {answer}");
    }

    /// The server closes the connection; packets may come before.
    #[track_caller]
    pub fn expect_end(&mut self) -> Vec<String> {
        let mut packets = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.websocket.message_within(left.max(Duration::from_millis(1))) {
                Some(Message::Text(text)) => packets.push(text),
                // It waits for our close frame, and no longer than that.
                Some(Message::Close(_)) => self.websocket.frame(FIN | CLOSE, &[]),
                Some(Message::End) => return packets,
                Some(_) => {}
                None => panic!("the connection goes on after {packets:?}"),
            }
        }
    }
}
