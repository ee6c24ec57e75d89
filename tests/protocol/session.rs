//! The client's side of one Engine.IO session on the polling transport.

use std::thread;
use std::time::Duration;

use crate::http::{Connection, Response};
use crate::server::Server;
use crate::websocket::{Message, WebSocket};

/// The target of a polling handshake.
pub const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

pub struct Session<'a> {
    server: &'a Server,
    pub sid: String,
    /// The open packet, with its leading `0`.
    pub open_packet: String,
}

impl<'a> Session<'a> {
    #[track_caller]
    pub fn open(server: &'a Server) -> Self {
        let response = server.get(POLLING);
        Self::from_response(server, &response)
    }

    #[track_caller]
    pub fn from_response(server: &'a Server, response: &Response) -> Self {
        assert_eq!(response.status, 200, "{response:?}");
        let open_packet = response.text().to_owned();
        let sid = sid_of(&open_packet);
        Self {
            server,
            sid,
            open_packet,
        }
    }

    pub fn target(&self) -> String {
        format!("{POLLING}&sid={}", self.sid)
    }

    pub fn websocket_target(&self) -> String {
        format!("/engine.io/?EIO=4&transport=websocket&sid={}", self.sid)
    }

    #[track_caller]
    pub fn get(&self) -> Response {
        self.server.get(&self.target())
    }

    #[track_caller]
    pub fn post(&self, body: impl AsRef<[u8]>) -> Response {
        self.server.post(&self.target(), body)
    }

    /// The head and body of a GET or POST of this session, for a client that sends them its own way.
    pub fn bytes(&self, method: &str, headers: &[&str], body: Option<&[u8]>) -> Vec<u8> {
        let host = self.server.address.to_string();
        crate::http::request(method, &self.target(), &host, headers, body)
    }

    /// Sends a GET and leaves it waiting.
    #[track_caller]
    pub fn park(&self) -> Connection {
        let mut connection = self.server.connect();
        connection.request("GET", &self.target(), &[], None);
        settle();
        connection
    }

    #[track_caller]
    pub fn send(&self, body: impl AsRef<[u8]>) {
        self.post(body).assert_ok("ok");
    }

    /// Polls until so many messages came. Pings are answered, and what else may come in between is
    /// passed over.
    #[track_caller]
    pub fn receive(&self, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        let mut connection = self.server.connect();
        while messages.len() < count {
            let response = connection.get(&self.target());
            assert_eq!(response.status, 200, "{response:?}");
            for packet in response.text().split('\x1e') {
                match packet {
                    "2" => self.send("3"),
                    "6" => {}
                    packet if packet.starts_with(['4', 'b']) => messages.push(packet.to_owned()),
                    other => panic!("unexpected packet {other:?} after {messages:?}"),
                }
            }
        }
        assert_eq!(messages.len(), count, "more came than was asked for");
        messages
    }

    #[track_caller]
    pub fn assert_echoes(&self, text: &str) {
        let packet = format!("4{text}");
        self.send(&packet);
        assert_eq!(self.receive(1), [packet]);
    }

    /// The server forgot it.
    #[track_caller]
    pub fn assert_gone(&self) {
        self.get().assert_error(1);
    }

    /// Ends it as a client should.
    #[track_caller]
    pub fn close(&self) {
        self.send("1");
        self.assert_gone();
    }

    /// Opens the WebSocket of an upgrade, and leaves it at that.
    #[track_caller]
    pub fn websocket(&self) -> WebSocket {
        WebSocket::connect(self.server, &self.websocket_target())
    }

    /// Opens the WebSocket and has the probe answered.
    #[track_caller]
    pub fn probe(&self) -> WebSocket {
        let mut websocket = self.websocket();
        websocket.text("2probe");
        assert_eq!(websocket.message(), Message::Text("3probe".to_owned()));
        websocket
    }

    /// Goes over to the WebSocket. Nothing confirms a `5`, so an echo shows that it was taken.
    #[track_caller]
    pub fn upgrade(&self) -> WebSocket {
        let mut websocket = self.probe();
        websocket.text("5");
        websocket.assert_echoes("upgraded");
        websocket
    }
}

/// The session id in an open packet.
#[track_caller]
pub fn sid_of(open_packet: &str) -> String {
    let rest = open_packet
        .strip_prefix(r#"0{"sid":""#)
        .unwrap_or_else(|| panic!("not an open packet: {open_packet:?}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Gives the server the time to see a request that it will not answer yet. Nothing tells a client
/// that its GET waits, so time it is; where a test can do without the order, it does.
pub fn settle() {
    thread::sleep(Duration::from_millis(80));
}
