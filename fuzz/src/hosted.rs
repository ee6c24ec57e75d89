//! Requests that somebody else's HTTP server reads and answers, in any order, each given up at any point; beside an account of
//! what must hold: nobody who waits is forgotten, nothing is lost without being counted, and nothing is left at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use sansocket::engineio::{Config, Data, Event, Refusal, Session};
use sansocket::http::{Endpoint, RequestView};
use sansocket::time::Instant;
use sansocket::wire::{Cell, Connection, ConnectionEvent, HostedHead, HostedRequest, Hub, Limits, Reply, Unwritten};

const OPEN: &str = "/engine.io/?EIO=4&transport=polling";

const UPGRADE: &[(&str, &str)] = &[
    ("host", "a"),
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];

const BODIES: &[&[u8]] = &[b"4a", b"4a\x1e4b\x1e4c", b"3", b"1", b"4a\x1e1", b"", b"\xff", b"6"];

const FRAMES: &[&[u8]] = &[b"2probe", b"5", b"4a", b"3", b"1", b"", b"9"];

/// Whether a request, or a WebSocket, that was told to wait has been woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Bell {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

struct Waiting {
    request: HostedRequest<()>,
    body: &'static [u8],
    client: Option<usize>,
    /// It was told to wait, with this.
    bell: Option<Arc<Bell>>,
}

/// An answer that is on its way to its client.
struct Answered {
    unwritten: Option<Unwritten<()>>,
    body: Bytes,
    client: Option<usize>,
}

struct Upgraded {
    connection: Connection<()>,
    /// What is to be written first.
    out: Vec<u8>,
    client: usize,
}

/// One client, and what the application knows of it.
struct Client {
    cell: Arc<Cell<()>>,
    sid: String,
    sent: u64,
    /// The last message that it has seen.
    seen: u64,
    count: u64,
    pings: u64,
    /// Answers that it has not read.
    unread: usize,
    /// It has said more than it knows: it asked for more before it had read an answer. What it loses is its own doing.
    hasty: bool,
    closed: bool,
}

struct World {
    hub: Arc<Hub<()>>,
    micros: Arc<AtomicU64>,
    clients: Vec<Client>,
    waiting: Vec<Waiting>,
    answered: Vec<Answered>,
    upgraded: Vec<Upgraded>,
}

pub fn run(data: &[u8]) {
    let mut world = World::new();
    for step in data.chunks_exact(2) {
        world.step(step[0], usize::from(step[1]));
        world.nobody_is_forgotten();
    }
    world.end();
}

fn pick<T>(items: &[T], detail: usize) -> Option<usize> {
    (!items.is_empty()).then(|| detail % items.len())
}

impl World {
    fn new() -> Self {
        let micros = Arc::new(AtomicU64::new(0));
        let clock = {
            let micros = micros.clone();
            move || Instant::from_micros(micros.load(Ordering::Relaxed))
        };
        let mut config = Config::default();
        config.receive_window = 150;
        let mut drawn = 0_u64;
        let entropy = Box::new(move |bytes: &mut [u8]| {
            drawn += 1;
            bytes.fill(0);
            bytes[..8].copy_from_slice(&drawn.to_be_bytes());
        });
        let hub = Hub::new(config, Endpoint::default(), Limits::default(), clock, entropy);
        Self {
            hub: Arc::new(hub),
            micros,
            clients: Vec::new(),
            waiting: Vec::new(),
            answered: Vec::new(),
            upgraded: Vec::new(),
        }
    }

    fn step(&mut self, operation: u8, detail: usize) {
        let now = self.hub.now();
        match operation % 16 {
            0 if self.clients.len() < 8 => self.begin("GET", OPEN, None, b""),
            1 if self.clients.len() < 8 => self.begin("GET", &OPEN.replace("polling", "websocket"), None, b""),
            2 => self.ask("GET", "polling", detail, b""),
            3 | 4 => {
                let (client, body) = (detail >> 3, BODIES[detail % BODIES.len()]);
                if body.starts_with(b"3") && !self.takes_ping(client) {
                    return;
                }
                self.ask("POST", "polling", client, body);
            }
            5 => self.ask("GET", "websocket", detail, b""),
            6 | 7 => {
                if let Some(at) = pick(&self.waiting, detail) {
                    self.look(at);
                }
            }
            8 => {
                if let Some(at) = pick(&self.waiting, detail) {
                    let given_up = self.waiting.swap_remove(at);
                    let bell = given_up.bell.as_ref();
                    let was_held = bell.is_some_and(|bell| !bell.0.load(Ordering::Relaxed));
                    let client = given_up.client;
                    drop(given_up);
                    // Its session has waited with it, and is told.
                    assert!(
                        !was_held || self.has_ended(client),
                        "a client is gone, and its session goes on"
                    );
                }
            }
            9 => {
                if let Some(at) = pick(&self.answered, detail) {
                    let mut answered = self.answered.swap_remove(at);
                    if let Some(unwritten) = &mut answered.unwritten {
                        unwritten.handle_written();
                    }
                    self.read(answered.client, &answered.body);
                }
            }
            10 => {
                if let Some(at) = pick(&self.answered, detail) {
                    let lost = self.answered.swap_remove(at);
                    if let Some(client) = lost.client {
                        self.clients[client].unread -= 1;
                        let is_told = lost.unwritten.is_some();
                        drop(lost);
                        assert!(
                            !is_told || self.has_ended(Some(client)),
                            "an answer is lost, and its session goes on"
                        );
                    }
                }
            }
            11 => self.command(detail >> 3, detail % 8, now),
            12 => self.take_events(detail),
            13 => self.wait(match detail % 4 {
                0 => 1_000,
                1 => 1_000_000,
                2 => 11_000_000,
                _ => 26_000_000,
            }),
            14 => {
                if let Some(at) = pick(&self.upgraded, detail >> 4) {
                    self.talk(at, detail % 16, now);
                }
            }
            15 if detail == 255 => self.hub.close(now),
            15 if detail == 254 => self.hub.abort(now),
            _ => {}
        }
    }

    fn has_ended(&self, client: Option<usize>) -> bool {
        let cell = client.map(|client| &self.clients[client].cell);
        cell.is_none_or(|cell| cell.look(Session::closed).is_some())
    }

    // ---- the host ----

    fn begin(&mut self, method: &str, target: &str, client: Option<usize>, body: &'static [u8]) {
        let is_websocket = target.contains("websocket");
        let headers = if is_websocket { UPGRADE } else { &UPGRADE[..1] };
        let head = HostedHead {
            view: RequestView::new(method, target, &headers),
            peer: None,
            has_body: !body.is_empty(),
            may_switch: is_websocket,
            tls: None,
        };
        let begun = HostedRequest::begin(&self.hub, self.hub.now(), &head, []);
        let (request, event) = begun.expect("its path");
        let client = match event {
            Some(ConnectionEvent::Opened { cell, .. }) => {
                let sid = cell.look(|session| session.sid().as_str().to_owned());
                self.clients.push(Client {
                    cell,
                    sid,
                    sent: 0,
                    seen: 0,
                    count: 0,
                    pings: 0,
                    unread: 0,
                    hasty: false,
                    closed: false,
                });
                Some(self.clients.len() - 1)
            }
            _ => client,
        };
        self.waiting.push(Waiting {
            request,
            body,
            client,
            bell: None,
        });
    }

    fn ask(&mut self, method: &str, transport: &str, detail: usize, body: &'static [u8]) {
        let Some(at) = pick(&self.clients, detail).filter(|_| self.waiting.len() < 32) else {
            return;
        };
        let client = &mut self.clients[at];
        client.hasty |= client.unread > 0 && (method, transport) == ("GET", "polling");
        let target = format!("/engine.io/?EIO=4&transport={transport}&sid={}", client.sid);
        self.begin(method, &target, Some(at), body);
    }

    /// Asks for the answer to a request.
    fn look(&mut self, at: usize) {
        let waiting = &mut self.waiting[at];
        if waiting.request.wants_body() {
            // A host that has none to give says so.
            match waiting.body {
                b"" => waiting.request.refuse_body(400),
                body => waiting.request.handle_body(self.hub.now(), Bytes::from_static(body)),
            }
        }
        let bell = Arc::new(Bell::default());
        let reply = waiting.request.poll_reply(self.hub.now(), &Waker::from(bell.clone()));
        let was_told = waiting.bell.replace(bell).is_none_or(|bell| bell.take());
        let Poll::Ready(reply) = reply else { return };
        assert!(was_told, "there is an answer, and nobody was woken");
        let waiting = self.waiting.swap_remove(at);
        self.answer(reply, waiting.client);
    }

    fn answer(&mut self, mut reply: Reply<()>, client: Option<usize>) {
        let status = reply.status();
        assert!(matches!(status, 101 | 200 | 400 | 403 | 418 | 503), "{status}");
        assert!(reply.headers().all(|(name, _)| !name.is_empty()));
        let websocket = reply.take_websocket();
        assert_eq!(websocket.is_some(), status == 101);
        if let Some((connection, out)) = websocket {
            let client = client.expect("a session's");
            return self.upgraded.push(Upgraded {
                connection,
                out,
                client,
            });
        }
        let client = client.filter(|_| status == 200 && reply.body() != &b"ok"[..]);
        if let Some(client) = client {
            self.clients[client].unread += 1;
        }
        self.answered.push(Answered {
            unwritten: reply.take_unwritten(),
            body: reply.body().clone(),
            client,
        });
    }

    /// Whoever was not woken has nothing to be woken for.
    fn nobody_is_forgotten(&mut self) {
        for at in (0..self.waiting.len()).rev() {
            let bell = self.waiting[at].bell.as_ref();
            if bell.is_some_and(|bell| !bell.0.load(Ordering::Relaxed)) {
                self.look(at);
            }
        }
    }

    // ---- clients ----

    fn takes_ping(&mut self, detail: usize) -> bool {
        let Some(at) = pick(&self.clients, detail) else {
            return false;
        };
        let has_ping = self.clients[at].pings > 0;
        self.clients[at].pings -= u64::from(has_ping);
        has_ping
    }

    fn read(&mut self, client: Option<usize>, body: &[u8]) {
        let Some(at) = client else { return };
        self.clients[at].unread -= 1;
        for packet in body.split(|&byte| byte == 0x1e) {
            self.see(at, packet);
        }
    }

    fn see(&mut self, at: usize, packet: &[u8]) {
        let client = &mut self.clients[at];
        match packet.split_first() {
            Some((b'4', number)) => {
                let number = std::str::from_utf8(number).expect("text").parse().expect("a number");
                assert!(number > client.seen, "{number} after {}", client.seen);
                (client.seen, client.count) = (number, client.count + 1);
            }
            Some((b'2', _)) => client.pings += 1,
            _ => {}
        }
    }

    /// Something happens with a WebSocket.
    fn talk(&mut self, at: usize, what: usize, now: Instant) {
        let upgraded = &mut self.upgraded[at];
        let client = upgraded.client;
        let mut out = std::mem::take(&mut upgraded.out);
        match what {
            0..=6 => {
                let text = FRAMES[what];
                match text {
                    // It has lost what it has not read, and says that it has all.
                    b"5" => self.clients[client].hasty |= self.clients[client].unread > 0,
                    b"3" if !self.takes_ping(client) => return,
                    _ => {}
                }
                let header = [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
                let frame = [&header[..], text].concat();
                self.upgraded[at].connection.handle_input(now, &frame, &mut out);
            }
            7 => return drop(self.upgraded.swap_remove(at)),
            8 => upgraded.connection.handle_end(now),
            9 => upgraded.connection.handle_failure(now),
            _ => upgraded.connection.poll_transmit(now, &mut out),
        }
        let connection = &mut self.upgraded[at].connection;
        connection.handle_written();
        let is_done = connection.is_done();
        for packet in texts(&out) {
            self.see(client, &packet);
        }
        if is_done {
            drop(self.upgraded.swap_remove(at));
        }
    }

    // ---- the application ----

    fn command(&mut self, detail: usize, what: usize, now: Instant) {
        let Some(at) = pick(&self.clients, detail) else { return };
        let client = &mut self.clients[at];
        let cell = &client.cell;
        match what {
            0 | 1 => cell.with(|session| session.accept(now)),
            2 => cell.with(|session| session.refuse(now, Refusal::new(418))),
            3 => cell.with(|session| session.close(now)),
            4 if detail % 4 == 0 => cell.with(|session| session.abort(now)),
            _ => {
                let message = Data::from((client.sent + 1).to_string().as_str());
                client.sent += u64::from(cell.with(|session| session.send(message)).is_ok());
            }
        }
    }

    fn take_events(&mut self, detail: usize) {
        let Some(at) = pick(&self.clients, detail) else { return };
        let client = &mut self.clients[at];
        while let Poll::Ready(event) = client.cell.poll_event(&mut Context::from_waker(Waker::noop())) {
            match event {
                None => {
                    assert!(client.closed);
                    break;
                }
                Some(Event::Closed(_)) => assert!(!std::mem::replace(&mut client.closed, true), "it was over before"),
                Some(_) => assert!(!client.closed, "something after the end"),
            }
        }
    }

    fn wait(&mut self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let now = self.hub.now();
        self.hub.handle_timeout(now);
        for upgraded in &mut self.upgraded {
            upgraded.connection.handle_timeout(now, &mut upgraded.out);
        }
    }

    // ---- the end ----

    fn end(&mut self) {
        // Everybody has all the time that there is. Then nobody waits any more.
        for _ in 0..8 {
            (0..self.upgraded.len())
                .rev()
                .for_each(|at| self.talk(at, 15, self.hub.now()));
            (0..self.waiting.len()).rev().for_each(|at| self.look(at));
            self.wait(60_000_000);
        }
        (0..self.waiting.len()).rev().for_each(|at| self.look(at));
        assert!(self.waiting.is_empty(), "a request without an answer");
        self.answered.clear();
        self.upgraded.clear();
        let stats = self.hub.stats();
        assert!(self.hub.is_empty(), "{stats:?}");
        assert_eq!((stats.sessions, stats.opened), (0, stats.closed));
        for at in 0..self.clients.len() {
            self.take_events(at);
            let client = &self.clients[at];
            let closed = client.cell.look(Session::closed);
            assert!(client.closed || closed.is_none());
            let Some(closed) = closed else { continue };
            let missing = client.sent - client.count;
            let told = (closed.unsent + closed.in_doubt) as u64;
            assert!(client.hasty || missing <= told, "{missing} are missing, {closed:?}");
        }
        let holders = Arc::strong_count(&self.hub);
        assert_eq!(
            holders,
            1 + self.clients.len(),
            "somebody holds the hub beside its sessions"
        );
        assert!(
            self.clients.iter().all(|client| Arc::strong_count(&client.cell) == 1),
            "a session is held"
        );
    }
}

/// The text frames in what a server writes: short ones.
fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let mut rest = bytes;
    while let [first, length, after @ ..] = rest {
        let (length, after) = match length {
            126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
            length => (usize::from(*length), after),
        };
        if *first == 0x81 {
            texts.push(after[..length].to_vec());
        }
        rest = &after[length..];
    }
    texts
}
