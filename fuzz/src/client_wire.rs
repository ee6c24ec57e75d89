//! A client with its byte streams is driven by operations read from bytes: a server that answers well, badly or with any
//! bytes at all, in any slices; streams that are never connected, break or end; an application; time. Beside it is kept
//! an account of what was sent and what was said. `run` panics where the two disagree.

mod account;
mod application;
mod driver;
mod reading;
mod saying;

use core::fmt::Write;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sansocket::engineio::client::{Config, Event};
use sansocket::engineio::payload::Packets;
use sansocket::engineio::state::Phase;
use sansocket::engineio::{CloseReason, Closed, Data, Packet, Transport};
use sansocket::time::Instant;
use sansocket::wire::client::{Connection, Cookies, Options, Proxies, Proxy, StreamId};
use sansocket::wire::http1::{BodyReader, read_head};
use sansocket::wire::ws::{Frame, WebSocket};

use account::{number, plain};
use saying::text_frame;

/// Two bytes say what kind of client, and the rest what happens.
pub fn run(script: &[u8]) {
    let mut script = Script(script);
    let mut world = World::new(script.byte(), script.byte());
    while !script.0.is_empty() {
        world.step(&mut script);
        world.check();
    }
    world.finish();
}

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    /// The next byte; 0 behind the last one.
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes.to_vec()
    }
}

/// The largest thing that a script can make the server say.
const LARGEST: usize = 4000;

/// A stream, as whoever drives the client knows it.
enum Lane {
    None,
    /// The client wants it, and nothing has become of it yet.
    Connecting,
    Open(Box<Server>),
}

/// What the server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Get,
    Post,
    Tunnel,
    WebSocket,
}

/// The server's end of a stream.
struct Server {
    /// What it has read and not understood yet.
    input: Vec<u8>,
    /// What it is asked for, and has not answered.
    asked: Option<Asked>,
    /// The body of a POST that is on its way.
    body: Option<BodyReader>,
    /// Once it is a WebSocket.
    frames: Option<WebSocket>,
    /// What is on its way to the client.
    output: VecDeque<Unit>,
}

impl Server {
    fn new() -> Self {
        Self {
            input: Vec::new(),
            asked: None,
            body: None,
            frames: None,
            output: VecDeque::new(),
        }
    }
}

/// Something that means nothing before all of it has come.
#[derive(Default)]
struct Unit {
    bytes: Vec<u8>,
    at: usize,
    /// The stream ends behind it.
    ends: bool,
    /// It is a message and nothing else, so that several of them can be read at once: no state changes between them.
    joins: bool,
    /// It begins with an open packet.
    opens: bool,
    says: Vec<Data>,
    /// It says that a POST was taken.
    confirms: bool,
}

struct World {
    connection: Connection,
    config: Config,
    proxied: bool,
    now: Instant,
    lanes: [Lane; 3],
    /// How many messages were accepted; each begins with its number.
    accepted: u64,
    /// Those that were seen on a stream, and those that came back.
    carried: Vec<u64>,
    returned: BTreeSet<u64>,
    confirmed: usize,
    goodbye: bool,
    /// What the server said and the application has not got yet. Nobody knows it once the server has said anything.
    said: VecDeque<Data>,
    made: u64,
    wild: bool,
    opened: bool,
    closed: Option<Closed>,
    closed_reported: bool,
    received: usize,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Short times and small limits. Some of each are so small that they are met all the time.
fn set_up(kind: u8, more: u8) -> Config {
    let transports: &[Transport] = match kind & 3 {
        0 => &[Transport::Polling, Transport::WebSocket],
        1 => &[Transport::WebSocket],
        2 => &[Transport::WebSocket, Transport::Polling],
        _ => &[Transport::Polling],
    };
    let mut config = Config::default();
    config.transports = transports.iter().copied().collect();
    config.max_queue = if kind & 8 != 0 { 300 } else { 3000 };
    config.receive_window = if kind & 16 != 0 { 1 } else { 300 };
    config.max_packets_per_request = if kind & 32 != 0 { 2 } else { 16 };
    config.stall_timeout = (kind & 64 != 0).then_some(millis(40));
    config.max_payload = if kind & 128 != 0 { 200 } else { 3000 };
    config.connect_timeout = millis(if more & 1 != 0 { 20 } else { 9000 });
    config.upgrade_timeout = millis(if more & 2 != 0 { 20 } else { 7000 });
    config.request_timeout = millis(if more & 4 != 0 { 20 } else { 8000 });
    config.close_timeout = millis(if more & 8 != 0 { 20 } else { 7000 });
    config
}

impl World {
    fn new(kind: u8, more: u8) -> Self {
        let config = set_up(kind, more);
        let proxied = kind & 4 != 0;
        let url = if more & 16 != 0 {
            "ws://user:secret@[::1]:3000/?a=b"
        } else {
            "http://localhost"
        };
        let mut options = Options::new(url, "/engine.io/", Box::new(|bytes| bytes.fill(0))).expect("a good URL");
        if proxied {
            let proxy = Proxy::parse("http://me:hidden@proxy:3128").expect("a good proxy");
            options
                .set_proxies(&Proxies::always(proxy))
                .expect("a proxy for every server");
        }
        let now = Instant::from_micros(1_000_000);
        Self {
            connection: Connection::new(Arc::new(options), Arc::new(config.clone()), now, Cookies::new()),
            config,
            proxied,
            now,
            lanes: [Lane::None, Lane::None, Lane::None],
            accepted: 0,
            carried: Vec::new(),
            returned: BTreeSet::new(),
            confirmed: 0,
            goodbye: false,
            said: VecDeque::new(),
            made: 0,
            wild: false,
            opened: false,
            closed: None,
            closed_reported: false,
            received: 0,
        }
    }

    fn step(&mut self, script: &mut Script) {
        let operation = script.byte();
        let detail = script.byte();
        let id = StreamId::ALL[usize::from(detail % 3)];
        match operation % 32 {
            0 if detail < 128 => self.connect(id),
            0 => self.connected(id),
            1 => self.write(id, usize::from(detail)),
            2..=5 => self.drive_all(),
            6 => (0..=detail % 4).for_each(|_| self.send(detail)),
            7 => self.take_events(),
            8 => _ = self.take_event(),
            9 => self.command(detail),
            10 | 11 => self.answers(detail, script),
            12 => self.opens(StreamId::Poll, detail),
            13 => self.grants(detail, script),
            14 => self.opens(StreamId::WebSocket, detail),
            15 | 16 => self.frames(detail, script),
            17 => self.frame(text_frame("3probe")),
            18 => self.raw(id, script),
            19 => self.read(id, usize::MAX),
            20 => self.read(id, 1 + usize::from(detail / 3)),
            21 => self.read_all(detail),
            22 => self.connect_fails(id),
            23 => self.breaks(id),
            24 => self.ends(id),
            25 => self.now = self.now + millis(u64::from(detail)),
            26 => {
                self.now = self.now + millis(u64::from(detail) * 20);
                self.timeout();
            }
            27 => self.deadline(),
            28 | 29 => {
                // Everybody does what is right, as far as it goes.
                self.drive_all();
                self.well(detail);
                self.read_all(0);
                self.drive_all();
            }
            _ => {
                // As much of an upgrade as the state of things allows.
                self.drive_all();
                self.grants(0, script);
                self.read_all(0);
                self.drive_all();
                self.frame(text_frame("3probe"));
                self.read_all(0);
                self.answer(StreamId::Poll, 0, 200, b"6".to_vec(), Unit::default());
                self.read_all(0);
                self.drive_all();
            }
        }
    }
}
