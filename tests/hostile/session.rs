//! What a server knows of its sessions, and what it has to complain about.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::request::Kind;
use crate::socket::PATIENCE;

/// How a well-behaved server writes its bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length,
    /// In two chunks, with an extension and a trailer.
    Chunked,
    /// Each byte in a chunk of its own.
    Bytewise,
    /// Head and body a byte at a time.
    Trickled,
    /// HTTP/1.0, ended by the end of the connection.
    Old,
    /// HTTP/1.1, and the end of the connection each time.
    Closing,
    Gzip,
    GzipChunked,
    /// Interim responses before the real one.
    Interim,
    /// Names of headers in odd cases, values in odd spaces.
    Shouting,
}

/// How a well-behaved server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// In milliseconds, as it goes into the handshake.
    pub ping_interval: u64,
    pub ping_timeout: u64,
    pub max_payload: usize,
    pub upgrades: bool,
    /// Whether it keeps its word about the pings.
    pub pings: bool,
    pub framing: Framing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: 25_000,
            ping_timeout: 20_000,
            max_payload: 1_000_000,
            upgrades: false,
            pings: true,
            framing: Framing::Length,
        }
    }
}

impl Config {
    /// Lets clients upgrade, who give an upgrade that hangs up after one second.
    pub fn upgrading() -> Self {
        Self {
            upgrades: true,
            ..Self::beating(300, 700)
        }
    }

    pub fn beating(ping_interval: u64, ping_timeout: u64) -> Self {
        Self {
            ping_interval,
            ping_timeout,
            ..Self::default()
        }
    }

    pub fn silent(self) -> Self {
        Self { pings: false, ..self }
    }

    pub fn framed(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    pub fn open_packet(&self, sid: &str, upgrades: bool) -> String {
        let upgrades = if upgrades { r#"["websocket"]"# } else { "[]" };
        format!(
            r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
            self.ping_interval, self.ping_timeout, self.max_payload
        )
    }
}

pub struct Session {
    pub sid: String,
    outbox: VecDeque<String>,
    pub closed: bool,
    /// From this time on a poll that waits is answered, because of a probe: again and again until the upgrade is done,
    /// for the client may poll once more before it sees the probe's answer.
    releasing: Option<Instant>,
    pub on_websocket: bool,
    gets: u32,
    posts: u32,
    last_ping: Instant,
    pub pings: u32,
    /// The text of each pong.
    pub pongs: Vec<String>,
}

#[derive(Default)]
pub struct State {
    pub sessions: Vec<Session>,
    pub connections: usize,
    /// Every request, in the order of their arrival.
    pub kinds: Vec<Kind>,
    /// The bodies of all POSTs.
    pub posts: Vec<String>,
    /// The message packets of all sessions, however they came (binary ones as `b…`).
    pub messages: Vec<String>,
    /// The keys of all WebSocket requests.
    pub keys: Vec<String>,
    pub complaints: Vec<String>,
}

pub struct Shared {
    pub config: Config,
    state: Mutex<State>,
    changed: Condvar,
    stopping: AtomicBool,
}

/// Why a poll is not answered by packets.
pub enum NoPackets {
    /// The session is over.
    Gone,
    /// The test is over.
    Stopping,
}

impl Shared {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    pub fn complain(&self, complaint: impl Into<String>) {
        let complaint = complaint.into();
        self.change(|state| state.complaints.push(complaint));
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether the condition came true in time.
    pub fn wait_until(&self, condition: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopping() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left.min(Duration::from_millis(100)));
            (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        true
    }

    pub fn begin(&self, sid: &str) -> usize {
        self.change(|state| {
            state.sessions.push(Session {
                sid: sid.to_owned(),
                outbox: VecDeque::new(),
                closed: false,
                releasing: None,
                on_websocket: false,
                gets: 0,
                posts: 0,
                last_ping: Instant::now(),
                pings: 0,
                pongs: Vec::new(),
            });
            state.sessions.len() - 1
        })
    }

    pub fn push(&self, session: usize, packet: &str) {
        self.change(|state| state.sessions[session].outbox.push_back(packet.to_owned()));
    }

    pub fn end(&self, session: usize) {
        self.change(|state| state.sessions[session].closed = true);
    }

    /// What a poll is answered with, as soon as there is something.
    pub fn next_packets(&self, session: usize) -> Result<Vec<String>, NoPackets> {
        let mut state = self.state();
        loop {
            let packets = self.ready_packets(&mut state.sessions[session]);
            let known = &mut state.sessions[session];
            if !packets.is_empty() {
                return Ok(packets);
            }
            if known.releasing.is_some_and(|time| time <= Instant::now()) {
                known.releasing = (!known.closed).then(|| Instant::now() + Duration::from_millis(50));
                return Ok(vec!["6".to_owned()]);
            }
            if known.closed {
                return Err(NoPackets::Gone);
            }
            if self.is_stopping() {
                return Err(NoPackets::Stopping);
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(10));
            (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// What waits for a WebSocket, and the ping where one is due.
    pub fn packets(&self, session: usize) -> Vec<String> {
        self.ready_packets(&mut self.state().sessions[session])
    }

    fn ready_packets(&self, session: &mut Session) -> Vec<String> {
        let mut packets: Vec<String> = session.outbox.drain(..).collect();
        let interval = Duration::from_millis(self.config.ping_interval);
        if self.config.pings && !session.closed && session.last_ping.elapsed() >= interval {
            session.last_ping = Instant::now();
            session.pings += 1;
            packets.push("2".to_owned());
        }
        packets
    }

    /// The poll that waits is answered, and those after it, or they wait for packets again.
    pub fn release(&self, session: usize, releasing: bool) {
        self.change(|state| state.sessions[session].releasing = releasing.then(Instant::now));
    }

    /// A GET or POST began.
    pub fn enter(&self, session: usize, kind: Kind) {
        self.change(|state| {
            let known = &mut state.sessions[session];
            let under_way = match kind {
                Kind::Poll => &mut known.gets,
                _ => &mut known.posts,
            };
            *under_way += 1;
            let overlaps = *under_way > 1;
            if overlaps {
                state.complaints.push(format!("two at a time: {kind:?}"));
            }
            if state.sessions[session].on_websocket {
                state.complaints.push(format!("after the upgrade: {kind:?}"));
            }
        });
    }

    /// It is about to be answered.
    pub fn leave(&self, session: usize, kind: Kind) {
        self.change(|state| {
            let known = &mut state.sessions[session];
            match kind {
                Kind::Poll => known.gets -= 1,
                _ => known.posts -= 1,
            }
        });
    }

    /// The body of a POST.
    pub fn take_payload(&self, session: usize, body: &[u8]) {
        let Ok(text) = std::str::from_utf8(body) else {
            return self.complain(format!("a POST that is not UTF-8: {body:?}"));
        };
        self.change(|state| state.posts.push(text.to_owned()));
        if body.len() > self.config.max_payload {
            self.complain(format!("a POST of {} bytes", body.len()));
        }
        let packets: Vec<&str> = text.split('\x1e').collect();
        if packets.len() > 16 {
            self.complain(format!("a POST of {} packets", packets.len()));
        }
        for packet in packets {
            self.take_packet(session, packet);
        }
    }

    pub fn take_packet(&self, session: usize, packet: &str) {
        self.change(|state| {
            if state.sessions[session].closed {
                state.complaints.push(format!("after the close: {packet:?}"));
            }
            match packet.as_bytes().first() {
                Some(b'4') => state.messages.push(packet.to_owned()),
                Some(b'b') if STANDARD.decode(&packet[1..]).is_ok() => state.messages.push(packet.to_owned()),
                Some(b'3') => {
                    let known = &mut state.sessions[session];
                    known.pongs.push(packet[1..].to_owned());
                }
                Some(b'1') if packet.len() == 1 => {
                    let known = &mut state.sessions[session];
                    known.closed = true;
                    // A poll that waits is answered; later ones are refused.
                    known.releasing = (known.gets > 0).then(Instant::now);
                }
                _ => state.complaints.push(format!("a wrong packet: {packet:?}")),
            }
        });
    }

    pub fn take_binary(&self, session: usize, bytes: &[u8]) {
        self.take_packet(session, &format!("b{}", STANDARD.encode(bytes)));
    }
}
