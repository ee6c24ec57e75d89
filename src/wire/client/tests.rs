//! A connection from memory to memory: each test plays the server, and the network, by hand.

mod bounds;
mod cookies;
mod failures;
mod polling;
mod proxy;
mod requests;
mod responses;
mod upgrade;
mod websocket;

use core::time::Duration;
use std::boxed::Box;
use std::format;
use std::io;
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::{ConnectError, Connection, Cookies, ErrorKind, Options, Proxies, Proxy, StreamId};
use crate::engineio::client::{Config, Event};
use crate::engineio::{CloseReason, Closed, Data, Transport};
use crate::time::Instant;
use crate::wire::http1::read_head;
use crate::wire::ws::{Frame, WebSocket};

const POLL: StreamId = StreamId::Poll;
const PUSH: StreamId = StreamId::Push;
const WS: StreamId = StreamId::WebSocket;

/// All random bytes are 7 here: a mask hides what it covers, and this belongs to the key.
const ACCEPT: &str = "CdXSYUsvsaMthlEXWDNURGWA/1o=";

fn options(url: &str) -> Options {
    Options::new(url, "/engine.io/", Box::new(|bytes| bytes.fill(7))).expect("a URL that can be used")
}

fn over(transports: &[Transport]) -> Config {
    Config {
        transports: transports.iter().copied().collect(),
        ..Config::default()
    }
}

fn polling() -> Config {
    over(&[Transport::Polling])
}

fn websocket() -> Config {
    over(&[Transport::WebSocket])
}

/// An open packet.
fn open_packet(upgrades: &str) -> String {
    format!(r#"0{{"sid":"a&b","upgrades":[{upgrades}],"pingInterval":25000,"pingTimeout":20000}}"#)
}

/// A response with a body of known length.
fn response(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} \r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What grants a WebSocket.
fn granted(more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\
         {more}\r\n"
    )
}

/// A server's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::from([first]);
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}

fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A request as its server reads it.
#[derive(Debug)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(bytes: &[u8]) -> Self {
        let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let (headers, length) = read_head(bytes, 1 << 20, |head, length| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_string();
            let headers = head.headers.iter();
            let headers = headers.map(|header| (header.name.to_ascii_lowercase(), text(header.value)));
            (headers.collect(), length)
        })
        .expect("a request that is one")
        .expect("all of the head is there");
        Self {
            line: String::from_utf8_lossy(line).to_string(),
            headers,
            body: String::from_utf8_lossy(&bytes[length..]).to_string(),
        }
    }

    /// The value of a header that is there once at most.
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|header| header.0 == name);
        let value = values.next().map(|header| &header.1[..]);
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value
    }

    fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|header| &header.0[..]).collect()
    }
}

/// Something that happens.
type Act = fn(&mut Wire);

/// The same, on one of the streams.
type ActOn = fn(&mut Wire, StreamId);

/// A connection with the server's hands on its streams.
struct Wire {
    connection: Connection,
    now: Instant,
    /// Reads what the client writes into its WebSocket.
    frames: WebSocket,
}

impl Wire {
    fn new(options: Options, config: Config) -> Self {
        Self::with_cookies(options, config, Cookies::new())
    }

    fn with_cookies(options: Options, config: Config, cookies: Cookies) -> Self {
        let now = Instant::from_micros(0);
        Self {
            connection: Connection::new(Arc::new(options), Arc::new(config), now, cookies),
            now,
            frames: WebSocket::new(1 << 24),
        }
    }

    /// A session that is open over polling, with its next GET on the way.
    fn polled() -> Self {
        let mut wire = Self::new(options("http://host"), polling());
        wire.open("");
        wire
    }

    /// A session that is open over a WebSocket.
    fn websocket() -> Self {
        let mut wire = Self::new(options("http://host"), websocket());
        wire.connect(WS);
        wire.request(WS);
        wire.say(WS, granted(""));
        wire.say(WS, text(&open_packet("")));
        assert!(matches!(wire.event(), Some(Event::Opened(Transport::WebSocket))));
        wire
    }

    /// Opens it over polling, and takes the next GET.
    fn open(&mut self, upgrades: &str) {
        self.connect(POLL);
        self.request(POLL);
        self.say(POLL, response(200, "", open_packet(upgrades)));
        assert!(matches!(self.event(), Some(Event::Opened(Transport::Polling))));
        self.request(POLL);
    }

    fn wants(&mut self, id: StreamId) -> bool {
        self.connection.poll_connect(self.now, id)
    }

    /// Connects a stream that is wanted.
    fn connect(&mut self, id: StreamId) {
        assert!(self.wants(id), "{id:?} is not wanted");
        assert!(self.connection.wants_stream(id));
        self.connection.handle_connected(self.now, id);
    }

    /// All that is written to a stream.
    fn written(&mut self, id: StreamId) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut out = Vec::new();
            self.connection.poll_transmit(self.now, id, &mut out);
            if out.is_empty() {
                return all;
            }
            all.extend(out);
            self.connection.handle_written(self.now);
        }
    }

    /// The request that is written to a stream; connects it first, if that is asked for.
    fn request(&mut self, id: StreamId) -> Request {
        if self.wants(id) {
            self.connection.handle_connected(self.now, id);
        }
        Request::read(&self.written(id))
    }

    /// What is written in frames.
    fn frames(&mut self) -> Vec<Frame> {
        let bytes = self.written(WS);
        let (mut bytes, mut out, mut frames) = (&bytes[..], Vec::new(), Vec::new());
        while let Some(frame) = self.frames.read(&mut bytes, &mut out).expect("frames that are some") {
            frames.push(frame);
        }
        frames
    }

    fn say(&mut self, id: StreamId, bytes: impl AsRef<[u8]>) {
        self.connection.handle_input(self.now, id, bytes.as_ref());
    }

    fn say_bytewise(&mut self, id: StreamId, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.say(id, [*byte]);
        }
    }

    fn end(&mut self, id: StreamId) {
        self.connection.handle_end(self.now, id);
    }

    fn reset(&mut self, id: StreamId) {
        let error = io::Error::from(io::ErrorKind::ConnectionReset);
        self.connection.handle_failure(self.now, id, error);
    }

    fn refuse(&mut self, id: StreamId) {
        assert!(self.wants(id), "{id:?} is not wanted");
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        self.connection.handle_connect_failed(self.now, id, error);
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        if self
            .connection
            .poll_timeout()
            .is_some_and(|deadline| deadline <= self.now)
        {
            self.connection.handle_timeout(self.now);
        }
    }

    fn send(&mut self, message: impl Into<Data>) {
        self.connection.machine().send(message.into()).expect("there is room");
    }

    fn event(&mut self) -> Option<Event> {
        self.connection.poll_event()
    }

    fn messages(&mut self) -> Vec<Data> {
        let mut messages = Vec::new();
        while let Some(Event::Message(data)) = self.event() {
            messages.push(data);
        }
        messages
    }

    /// The end, which is all that there is left to tell.
    fn closed(&mut self) -> (Closed, Option<ConnectError>) {
        match self.event() {
            Some(Event::Closed(closed)) => (closed, self.connection.take_error()),
            other => panic!("{other:?} and not the end"),
        }
    }

    /// The end: why, and the error's kind and words.
    fn told(&mut self) -> (CloseReason, Option<ErrorKind>, String) {
        let (closed, error) = self.closed();
        let words = error.as_ref().map(ToString::to_string);
        (
            closed.reason,
            error.map(|error| error.kind()),
            words.unwrap_or_default(),
        )
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
