//! Our client and our server talk over a wire in memory, which delivers requests, answers and frames in any order and at
//! any pace that HTTP and WebSocket allow, loses some, and is interrupted by applications and by time. Beside both is
//! kept an account of what was sent, and of what became of it.

use alloc::collections::VecDeque;

use super::super::Client;
use super::*;
use crate::engineio::{self, Answer, Carrier, Refusal, Session};

/// SplitMix64. Any seed is a good one.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Says which seed it was, so that `run(seed)` can be run alone.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn whatever_happens_between_them_the_account_is_right() {
    let mut seen = Seen::default();
    for seed in 0..6000 {
        let _named = Named(seed);
        run(seed, &mut seen);
    }
    // The runs are worth something only where they come this far.
    assert!(seen.opened > 3000, "{seen:?}");
    assert!(seen.upgraded > 500, "{seen:?}");
    assert!(seen.upgrades_failed > 100, "{seen:?}");
    assert!(seen.given_back > 100, "{seen:?}");
    assert!(seen.settled > 1000, "{seen:?}");
    assert!(seen.messages > 20_000, "{seen:?}");
}

/// How far the conversations came.
#[derive(Debug, Default)]
struct Seen {
    opened: usize,
    upgraded: usize,
    upgrades_failed: usize,
    given_back: usize,
    settled: usize,
    messages: usize,
}

fn run(seed: u64, seen: &mut Seen) {
    let mut world = World::new(seed);
    for _ in 0..world.rng.below(400) {
        world.step();
        world.check();
    }
    world.settle(seen);
    world.finish();
    world.balance(seen);
}

/// An HTTP request on its connection.
struct Exchange {
    /// Its name on either side. The server's session is not known before it has arrived.
    client: ReqId,
    session: Option<usize>,
    server: ReqId,
    stage: Stage,
}

enum Stage {
    /// On its way; the body of a POST.
    Asked(Option<Bytes>),
    Waiting,
    /// The answer is on its way.
    Answered(Answer),
}

/// What travels on a WebSocket.
enum Frame {
    /// The request that asks for it, with the session's id.
    Ask(Option<usize>),
    Opened,
    Refused,
    Text(Str),
    Binary(Bytes),
    Close,
    Broken,
}

#[derive(Default)]
struct WebSocket {
    session: Option<usize>,
    opened: bool,
    to_server: VecDeque<Frame>,
    to_client: VecDeque<Frame>,
    /// This side has written its last.
    client_done: bool,
    server_done: bool,
    /// This side was told of the end.
    client_told: bool,
    server_told: bool,
}

impl WebSocket {
    fn say_to_server(&mut self, frame: Frame) {
        if !self.client_done {
            self.client_done = matches!(frame, Frame::Close | Frame::Broken);
            self.to_server.push_back(frame);
        }
    }

    fn say_to_client(&mut self, frame: Frame) {
        if !self.server_done {
            self.server_done = matches!(frame, Frame::Close | Frame::Broken | Frame::Refused);
            self.to_client.push_back(frame);
        }
    }
}

/// A session on the server, and its application.
struct Server {
    session: Session,
    ws: Option<usize>,
    sent: usize,
    received: Vec<usize>,
    discards: bool,
    closed: Option<Closed>,
}

struct World {
    rng: Rng,
    now: Instant,
    client: Client,
    server_config: engineio::Config,
    servers: Vec<Server>,
    get: Option<Exchange>,
    post: Option<Exchange>,
    /// Requests that the client has given up, or was told to be lost, of which the server does not know yet.
    orphans: Vec<Exchange>,
    websockets: Vec<WebSocket>,
    last_server_req: u64,
    /// Whether anything is lost or ended on purpose before the conversation has come to a rest.
    faults: bool,
    /// Whether messages are small enough for every carrier.
    small: bool,
    opened: Option<usize>,
    upgraded: usize,
    upgrades_failed: usize,
    sent: usize,
    given_back: Vec<usize>,
    received: Vec<usize>,
    discards: bool,
    closed: Option<Closed>,
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len())]
}

fn settings(rng: &mut Rng) -> (Config, engineio::Config) {
    let orders: [&[Transport]; 5] = [
        &[Transport::Polling, Transport::WebSocket],
        &[Transport::Polling, Transport::WebSocket],
        &[Transport::WebSocket, Transport::Polling],
        &[Transport::Polling],
        &[Transport::WebSocket],
    ];
    let client = Config {
        transports: pick(rng, &orders).iter().copied().collect(),
        upgrades: !rng.once_in(6),
        connect_timeout: millis(pick(rng, &[50, 200, 1000])),
        upgrade_timeout: millis(pick(rng, &[10, 60, 500])),
        request_timeout: millis(pick(rng, &[30, 100, 500])),
        close_timeout: millis(pick(rng, &[20, 70])),
        stall_timeout: pick(rng, &[None, Some(millis(40))]),
        max_queue: pick(rng, &[300, 3000]),
        receive_window: pick(rng, &[1, 100, 1000]),
        max_packets_per_request: pick(rng, &[1, 2, 16]),
        ..Config::default()
    };
    let server = engineio::Config {
        ping_interval: millis(pick(rng, &[50, 100])),
        ping_timeout: millis(pick(rng, &[30, 50])),
        upgrade_timeout: millis(pick(rng, &[10, 60])),
        accept_timeout: millis(80),
        close_timeout: millis(70),
        stall_timeout: pick(rng, &[None, Some(millis(40))]),
        max_queue: pick(rng, &[300, 3000]),
        receive_window: pick(rng, &[1, 100, 1000]),
        max_packets_per_response: pick(rng, &[1, 2, 16]),
        max_response: pick(rng, &[40, 1000]),
        max_payload: pick(rng, &[30, 60, 1_000_000]),
        upgrades: !rng.once_in(6),
        ..engineio::Config::default()
    };
    (client, server)
}

/// A number, and as much behind it as makes it this long.
fn data(number: usize, length: usize, binary: bool) -> Data {
    let text = format!("{number}{:.<length$}", "");
    if binary { text.into_bytes().into() } else { text.into() }
}

fn number(data: &Data) -> usize {
    let digits = data.as_bytes().iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let (config, server_config) = settings(&mut rng);
        let now = Instant::from_micros(1_000_000);
        let faults = rng.once_in(2);
        let small = rng.once_in(2);
        Self {
            client: Client::new(config, now),
            server_config,
            rng,
            now,
            servers: Vec::new(),
            get: None,
            post: None,
            orphans: Vec::new(),
            websockets: Vec::new(),
            last_server_req: 0,
            faults,
            small,
            opened: None,
            upgraded: 0,
            upgrades_failed: 0,
            sent: 0,
            given_back: Vec::new(),
            received: Vec::new(),
            discards: false,
            closed: None,
        }
    }

    fn step(&mut self) {
        match self.rng.below(40) {
            0..=3 => self.client_sends(),
            4 | 5 => _ = self.client_takes(),
            6..=8 => self.server_sends(),
            9 | 10 => _ = self.server_takes(),
            11 => self.server_decides(),
            12 if self.faults && self.rng.once_in(8) => self.ends(),
            13 if self.rng.once_in(60) => self.discards(),
            14 if self.faults && self.rng.once_in(8) => self.lose_request(),
            15 if self.faults && self.rng.once_in(8) => self.break_websocket(),
            16 => self.time_passes(),
            17 if self.rng.once_in(2) => self.client.handle_progress(self.now),
            17 if self.rng.once_in(8) => _ = self.next_deadline(),
            18..=21 => _ = self.client_asks(),
            22..=24 => _ = self.client_writes(),
            _ => _ = self.wire_moves(),
        }
    }

    // ---- the applications ----

    fn length(&mut self) -> usize {
        let end = if self.small { 12 } else { 60 };
        self.rng.below(end)
    }

    fn client_sends(&mut self) {
        for _ in 0..=self.rng.below(4) {
            let binary = self.rng.once_in(3);
            let length = self.length();
            let message = data(self.sent, length, binary);
            let over = matches!(self.client.phase(), Phase::Closing | Phase::Closed);
            match self.client.send(message.clone()) {
                Ok(()) => {
                    assert!(!over);
                    self.sent += 1;
                }
                Err(error) => {
                    assert_eq!(matches!(error, SendError::Closed(_)), over);
                    assert_eq!(error.into_data(), message);
                }
            }
        }
    }

    fn client_takes(&mut self) -> bool {
        let wanted = self.client.wants_input();
        let Some(event) = self.client.poll_event() else {
            // A body is forgotten once somebody asks for what is behind its last message.
            return self.client.wants_input() != wanted;
        };
        assert_eq!(self.closed, None, "{event:?} after the end");
        match event {
            Event::Opened(_) => {
                assert_eq!(self.opened, None, "opened twice");
                assert_eq!(self.received.len() + self.given_back.len() + self.upgraded, 0);
                self.opened = self.session_of_client();
                assert!(self.opened.is_some());
            }
            Event::Message(data) => {
                assert!(self.opened.is_some());
                let number = number(&data);
                assert!(
                    self.received.last().is_none_or(|last| *last < number),
                    "doubled or out of order"
                );
                assert!(self.discards || self.received.len() == number, "a gap before {number}");
                self.received.push(number);
            }
            Event::Upgraded => self.upgraded += 1,
            Event::UpgradeFailed => self.upgrades_failed += 1,
            Event::TooLarge(data) => self.given_back.push(number(&data)),
            Event::Writable => {}
            Event::Closed(closed) => self.closed = Some(closed),
        }
        assert!(self.upgraded + self.upgrades_failed < 2, "an upgrade is tried once");
        true
    }

    fn session_of_client(&self) -> Option<usize> {
        self.client
            .sid()
            .map(|sid| sid.as_str().parse().expect("the name is a number"))
    }

    fn some_server(&mut self) -> Option<usize> {
        let count = self.servers.len();
        (count > 0).then(|| self.rng.below(count))
    }

    fn server_sends(&mut self) {
        let Some(at) = self.some_server() else { return };
        for _ in 0..=self.rng.below(4) {
            let binary = self.rng.once_in(3);
            let length = self.length();
            let server = &mut self.servers[at];
            if server.session.send(data(server.sent, length, binary)).is_ok() {
                server.sent += 1;
            }
        }
    }

    fn server_takes(&mut self) -> bool {
        let mut any = false;
        for server in &mut self.servers {
            let wanted = server.session.wants_input();
            let event = server.session.poll_event();
            any |= event.is_some() || server.session.wants_input() != wanted;
            let Some(event) = event else { continue };
            assert_eq!(server.closed, None, "{event:?} after the end");
            match event {
                engineio::Event::Message(data) => {
                    let number = number(&data);
                    assert!(
                        server.received.last().is_none_or(|last| *last < number),
                        "doubled or out of order"
                    );
                    server.received.push(number);
                }
                engineio::Event::Closed(closed) => server.closed = Some(closed),
                _ => {}
            }
        }
        any
    }

    fn server_decides(&mut self) {
        let refuses = self.faults && self.rng.once_in(10);
        for server in &mut self.servers {
            if refuses {
                server.session.refuse(self.now, Refusal::new(401));
            } else {
                server.session.accept(self.now);
            }
        }
    }

    fn ends(&mut self) {
        let at = self.some_server();
        match (self.rng.below(5), at) {
            (0 | 1, _) => self.client.close(self.now),
            (2, _) => self.client.abort(self.now),
            (3, Some(at)) => self.servers[at].session.close(self.now),
            (_, Some(at)) => self.servers[at].session.abort(self.now),
            (_, None) => {}
        }
    }

    fn discards(&mut self) {
        if self.rng.once_in(2) {
            self.client.discard_input();
            self.discards = true;
        } else if let Some(at) = self.some_server() {
            self.servers[at].session.discard_input();
            self.servers[at].discards = true;
        }
    }

    // ---- time ----

    fn timeouts(&mut self) {
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|deadline| deadline > self.now));
        for server in &mut self.servers {
            server.session.handle_timeout(self.now);
        }
    }

    fn time_passes(&mut self) {
        self.now = self.now + millis(self.rng.next() % 12);
        if !self.rng.once_in(4) {
            self.timeouts();
        }
    }

    fn next_deadline(&mut self) -> bool {
        let deadlines = self.servers.iter().map(|server| server.session.poll_timeout());
        let Some(next) = deadlines.chain([self.client.poll_timeout()]).flatten().min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.timeouts();
        true
    }

    // ---- whoever drives the client ----

    fn client_asks(&mut self) -> bool {
        let session = self.session_of_client();
        let Some(request) = self.client.poll_request(self.now) else {
            return false;
        };
        assert_eq!(self.client.closed(), None);
        match request {
            Request::Get(client) => {
                assert!(self.get.is_none(), "two GETs");
                self.get = Some(self.exchange(client, session, None));
            }
            Request::Post(client, body) => {
                assert!(self.post.is_none(), "two POSTs");
                assert!(body.len() <= self.server_config.max_payload, "a body that is too large");
                assert!(session.is_some());
                self.post = Some(self.exchange(client, session, Some(body)));
            }
            Request::WebSocket => {
                assert!(self.websockets.last().is_none_or(|ws| ws.client_told), "two WebSockets");
                let mut ws = WebSocket::default();
                ws.say_to_server(Frame::Ask(session));
                self.websockets.push(ws);
            }
        }
        true
    }

    fn exchange(&mut self, client: ReqId, session: Option<usize>, body: Option<Bytes>) -> Exchange {
        self.last_server_req += 1;
        Exchange {
            client,
            session,
            server: ReqId(self.last_server_req),
            stage: Stage::Asked(body),
        }
    }

    fn client_writes(&mut self) -> bool {
        let Some(transmit) = self.client.poll_transmit(self.now) else {
            return false;
        };
        let Some(ws) = self.websockets.last_mut() else {
            panic!("{transmit:?} without a WebSocket");
        };
        assert!(!ws.client_told, "{transmit:?} on a WebSocket that has ended");
        match transmit {
            Transmit::Packet(packet) => {
                assert!(ws.opened, "{packet:?} on a WebSocket that is not open");
                match packet.as_binary() {
                    Some(bytes) => {
                        assert!(bytes.len() <= self.server_config.max_payload);
                        ws.say_to_server(Frame::Binary(bytes.clone()));
                    }
                    None => {
                        let mut text = Vec::new();
                        packet.encode(&mut text);
                        assert!(text.len() <= self.server_config.max_payload);
                        let text = String::from_utf8(text).unwrap();
                        ws.say_to_server(Frame::Text(text.into()));
                    }
                }
            }
            Transmit::Close => ws.say_to_server(Frame::Close),
        }
        true
    }

    /// What the client waits for no more is given up.
    fn give_up(&mut self) {
        if self.client.closed().is_some() {
            self.orphans.extend(self.get.take());
            self.orphans.extend(self.post.take());
        }
        if self.client.is_finished() {
            if let Some(ws) = self.websockets.last_mut().filter(|ws| !ws.client_told) {
                ws.client_told = true;
                ws.say_to_server(Frame::Broken);
            }
        }
    }

    // ---- the wire ----

    /// One thing moves, if anything can.
    fn wire_moves(&mut self) -> bool {
        self.give_up();
        let start = self.rng.below(6);
        (start..start + 6).any(|turn| match turn % 6 {
            0 => match self.get.take() {
                Some(exchange) => {
                    let (exchange, moved) = self.exchange_moves(exchange);
                    self.get = exchange;
                    moved
                }
                None => false,
            },
            1 => match self.post.take() {
                Some(exchange) => {
                    let (exchange, moved) = self.exchange_moves(exchange);
                    self.post = exchange;
                    moved
                }
                None => false,
            },
            2 => self.orphan_moves(),
            3 => self.frame_to_server(),
            4 => self.frame_to_client(),
            _ => self.server_writes(),
        })
    }

    fn exchange_moves(&mut self, mut exchange: Exchange) -> (Option<Exchange>, bool) {
        let moved = match exchange.stage {
            Stage::Asked(_) => {
                self.arrive(&mut exchange);
                true
            }
            Stage::Waiting => self.answer(&mut exchange),
            Stage::Answered(answer) => {
                let req = exchange.client;
                let input = match answer {
                    Answer::Payload(body) => Input::Response(req, body),
                    Answer::Received => Input::Response(req, Bytes::from_static(b"ok")),
                    _ => Input::Refused(req),
                };
                // A session that ends before its open packet was fetched says goodbye instead.
                let goodbye = matches!(&input, Input::Response(_, body) if body[..] == *b"1");
                let unopened = goodbye && self.client.phase() == Phase::Accepting;
                let result = self.client.handle_input(self.now, input);
                assert!(result.is_ok() || unopened, "{result:?}");
                return (None, true);
            }
        };
        (Some(exchange), moved)
    }

    fn arrive(&mut self, exchange: &mut Exchange) {
        let req = exchange.server;
        let Stage::Asked(body) = core::mem::replace(&mut exchange.stage, Stage::Waiting) else {
            unreachable!("it was asked for");
        };
        let Some(at) = exchange.session else {
            exchange.session = Some(self.new_session(Carrier::Request(req)));
            return;
        };
        let input = match body {
            Some(body) => engineio::Input::Post(req, body),
            None => engineio::Input::Get(req),
        };
        let over = self.servers[at].session.phase() == Phase::Closed;
        let result = self.servers[at].session.handle_input(self.now, input);
        // Our client does nothing wrong. That it moves in order with the upgrade, too.
        assert!(over || result.is_ok(), "{result:?}");
    }

    fn new_session(&mut self, carrier: Carrier) -> usize {
        let at = self.servers.len();
        let sid = Sid::new(&at.to_string()).expect("digits are an id");
        self.servers.push(Server {
            session: Session::new(self.server_config.clone(), self.now, sid, carrier),
            ws: None,
            sent: 0,
            received: Vec::new(),
            discards: false,
            closed: None,
        });
        at
    }

    fn answer(&mut self, exchange: &mut Exchange) -> bool {
        let at = exchange.session.expect("it has arrived");
        let carrier = Carrier::Request(exchange.server);
        match self.servers[at].session.poll_transmit(self.now, carrier) {
            Some(engineio::Transmit::Response { answer, .. }) => {
                exchange.stage = Stage::Answered(answer);
                true
            }
            Some(other) => panic!("{other:?} for a request"),
            None => false,
        }
    }

    fn orphan_moves(&mut self) -> bool {
        if self.orphans.is_empty() {
            return false;
        }
        let at = self.rng.below(self.orphans.len());
        let mut orphan = self.orphans.swap_remove(at);
        let req = orphan.server;
        if self.rng.once_in(2) {
            // What is on its way may arrive nonetheless.
            let moved = match orphan.stage {
                Stage::Asked(_) => {
                    self.arrive(&mut orphan);
                    true
                }
                Stage::Waiting => self.answer(&mut orphan),
                Stage::Answered(_) => false,
            };
            if moved {
                self.orphans.push(orphan);
                return true;
            }
        }
        let news = match orphan.stage {
            Stage::Asked(_) => return true,
            Stage::Waiting => engineio::Input::Gone(req),
            Stage::Answered(Answer::Payload(_) | Answer::Received) => engineio::Input::Failed(req),
            Stage::Answered(_) => return true,
        };
        let at = orphan.session.expect("it has arrived");
        assert_eq!(self.servers[at].session.handle_input(self.now, news), Ok(()));
        true
    }

    fn lose_request(&mut self) {
        let slot = if self.rng.once_in(2) {
            &mut self.get
        } else {
            &mut self.post
        };
        if let Some(exchange) = slot.take() {
            let input = Input::Failed(exchange.client);
            self.orphans.push(exchange);
            assert_eq!(self.client.handle_input(self.now, input), Ok(()));
        }
    }

    fn break_websocket(&mut self) {
        let rng = &mut self.rng;
        if let Some(ws) = self.websockets.last_mut() {
            let (server, client) = (rng.below(ws.to_server.len() + 1), rng.below(ws.to_client.len() + 1));
            ws.to_server.truncate(server);
            ws.to_client.truncate(client);
            ws.to_server.push_back(Frame::Broken);
            ws.to_client.push_back(Frame::Broken);
            (ws.client_done, ws.server_done) = (true, true);
        }
    }

    fn frame_to_server(&mut self) -> bool {
        for at in 0..self.websockets.len() {
            let reads = match self.websockets[at].session {
                Some(session) => self.servers[session].session.wants_input(),
                None => true,
            };
            if self.websockets[at].server_told || !reads {
                continue;
            }
            if let Some(frame) = self.websockets[at].to_server.pop_front() {
                self.server_reads(at, frame);
                return true;
            }
        }
        false
    }

    fn server_reads(&mut self, at: usize, frame: Frame) {
        let ws = &mut self.websockets[at];
        let input = match frame {
            Frame::Ask(None) => {
                let session = self.new_session(Carrier::WebSocket);
                self.servers[session].ws = Some(at);
                self.websockets[at].session = Some(session);
                return;
            }
            Frame::Ask(Some(session)) => {
                let result = self.servers[session]
                    .session
                    .handle_input(self.now, engineio::Input::WsOpen);
                if result.is_ok() {
                    ws.say_to_client(Frame::Opened);
                    ws.session = Some(session);
                    self.servers[session].ws = Some(at);
                } else {
                    ws.say_to_client(Frame::Refused);
                    ws.server_told = true;
                }
                return;
            }
            Frame::Text(text) => engineio::Input::WsText(text),
            Frame::Binary(bytes) => engineio::Input::WsBinary(bytes),
            Frame::Close => engineio::Input::WsClosed,
            Frame::Broken => engineio::Input::WsFailed,
            Frame::Opened | Frame::Refused => unreachable!("the server says it"),
        };
        let Some(session) = ws.session else { return };
        let ends = matches!(input, engineio::Input::WsClosed | engineio::Input::WsFailed);
        if ends {
            ws.server_told = true;
            ws.say_to_client(Frame::Close);
            self.servers[session].ws = None;
        }
        assert_eq!(self.servers[session].session.handle_input(self.now, input), Ok(()));
    }

    fn frame_to_client(&mut self) -> bool {
        let reads = self.client.wants_input();
        let Some(ws) = self.websockets.last_mut().filter(|ws| reads && !ws.client_told) else {
            return false;
        };
        let Some(frame) = ws.to_client.pop_front() else {
            return false;
        };
        let input = match frame {
            Frame::Opened => {
                ws.opened = true;
                Input::WsOpen
            }
            Frame::Refused => Input::WsRefused,
            Frame::Text(text) => Input::WsText(text),
            Frame::Binary(bytes) => Input::WsBinary(bytes),
            Frame::Close => Input::WsClosed,
            Frame::Broken => Input::WsFailed,
            Frame::Ask(_) => unreachable!("the client says it"),
        };
        if matches!(input, Input::WsRefused | Input::WsClosed | Input::WsFailed) {
            ws.client_told = true;
            ws.say_to_server(Frame::Close);
        }
        assert_eq!(self.client.handle_input(self.now, input), Ok(()));
        true
    }

    fn server_writes(&mut self) -> bool {
        for server in &mut self.servers {
            let Some(at) = server.ws else { continue };
            let Some(transmit) = server.session.poll_transmit(self.now, Carrier::WebSocket) else {
                continue;
            };
            let ws = &mut self.websockets[at];
            match transmit {
                engineio::Transmit::Packet(packet) => {
                    if matches!(packet, Packet::Open(_)) {
                        ws.say_to_client(Frame::Opened);
                    }
                    match packet.as_binary() {
                        Some(bytes) => ws.say_to_client(Frame::Binary(bytes.clone())),
                        None => {
                            let mut text = Vec::new();
                            packet.encode(&mut text);
                            ws.say_to_client(Frame::Text(String::from_utf8(text).unwrap().into()));
                        }
                    }
                }
                engineio::Transmit::Refuse(_) => {
                    ws.say_to_client(Frame::Refused);
                    ws.server_told = true;
                    server.ws = None;
                }
                engineio::Transmit::Close => ws.say_to_client(Frame::Close),
                other => panic!("{other:?} is not for a WebSocket"),
            }
            return true;
        }
        false
    }

    // ---- the account ----

    fn check(&self) {
        assert_eq!(self.client.is_finished(), self.client.poll_timeout().is_none());
        assert!(self.closed.is_none() || self.closed == self.client.closed());
    }

    /// Everybody does what they can at this moment.
    fn pump(&mut self) {
        for _ in 0..100_000 {
            self.server_decides();
            let moves = [
                self.client_asks(),
                self.client_writes(),
                self.wire_moves(),
                self.client_takes(),
                self.server_takes(),
            ];
            self.check();
            if moves == [false; 5] {
                return;
            }
        }
        panic!("they never come to a rest");
    }

    fn open_pair(&self) -> Option<usize> {
        let at = self.opened?;
        let open = self.client.phase() == Phase::Open && self.servers[at].session.phase() == Phase::Open;
        open.then_some(at)
    }

    /// The weather is fine: where both ends are open, everything has arrived, and an orderly end is one.
    fn settle(&mut self, seen: &mut Seen) {
        self.faults = false;
        self.pump();
        for _ in 0..self.rng.below(12) {
            self.next_deadline();
            self.pump();
        }
        let Some(at) = self.open_pair() else { return };
        seen.settled += 1;
        assert!(!self.servers[at].session.is_blocked());
        assert!(!self.client.is_blocked());
        let server = &self.servers[at];
        let arrived = server.received.len() + self.given_back.len();
        assert!(
            server.discards || arrived == self.sent,
            "stuck at {arrived} of {}: {:#?} {:#?}",
            self.sent,
            self.client,
            server.session
        );
        assert!(
            self.discards || self.received.len() == server.sent,
            "stuck at {} of {}: {:#?} {:#?}",
            self.received.len(),
            server.sent,
            self.client,
            server.session
        );

        let ours = self.rng.once_in(2);
        self.client_sends();
        self.server_sends();
        let before = self.given_back.len();
        if ours {
            self.client.close(self.now);
        } else {
            self.servers[at].session.close(self.now);
        }
        self.pump();
        let (Some(client), Some(server)) = (self.closed, self.servers[at].closed) else {
            // The server's end may have to wait for the client's next poll, never the other way round.
            assert!(self.closed.is_some() || !ours, "our own end hangs");
            return;
        };
        let reason = if ours { ClientDisconnect } else { ServerDisconnect };
        assert_eq!(server.reason, reason);
        // The refusal of a POST that crossed the server's goodbye may overtake it.
        let overtaken = !ours && client.reason == TransportError && client.in_doubt > 0;
        assert!(client.reason == reason || overtaken, "{client:?}");
        if ours {
            assert_eq!(client.unsent, 0);
            let arrived = self.servers[at].received.len() + self.given_back.len();
            assert!(self.servers[at].discards || arrived == self.sent);
            assert!(client.in_doubt == 0 || self.client.transport() == Transport::WebSocket);
        }
        assert!(before <= self.given_back.len());
    }

    /// The client's application leaves in some way; then there is only time.
    fn finish(&mut self) {
        for turn in 0..300 {
            self.pump();
            let over = self.client.is_finished() && self.servers.iter().all(|server| server.session.is_finished());
            if over {
                break;
            }
            if turn == 3 {
                match self.rng.below(3) {
                    0 => self.client.close(self.now),
                    1 => self.client.abort(self.now),
                    _ => {
                        for server in &mut self.servers {
                            server.session.close(self.now);
                        }
                    }
                }
            }
            if turn == 100 {
                self.client.close(self.now);
            }
            self.next_deadline();
        }
        self.pump();
        assert!(self.client.is_finished(), "the client never ends");
        assert!(
            self.servers.iter().all(|server| server.session.is_finished()),
            "the server never ends"
        );
    }

    fn balance(&mut self, seen: &mut Seen) {
        let closed = self.closed.expect("the client's application was told of the end");
        assert_eq!(self.client.poll_event(), None);
        assert_eq!(Some(closed), self.client.closed());
        let unsent: Vec<usize> = self.client.take_unsent().map(|data| number(&data)).collect();
        assert_eq!(unsent.len(), closed.unsent);
        let kept: Vec<usize> = (0..self.sent)
            .filter(|number| !self.given_back.contains(number))
            .collect();
        let handed = usize::try_from(self.client.sent()).unwrap();
        assert!(self.given_back.is_sorted());
        assert_eq!(handed + unsent.len(), kept.len(), "what was accepted went somewhere");
        assert_eq!(unsent, kept[handed..]);
        assert_eq!(self.client.received(), self.received.len() as u64);

        for (at, server) in self.servers.iter_mut().enumerate() {
            let end = server.closed.expect("the server's application was told of the end");
            let server_unsent: Vec<usize> = server.session.take_unsent().map(|data| number(&data)).collect();
            let server_handed = usize::try_from(server.session.sent()).unwrap();
            assert_eq!(server_unsent.len(), end.unsent);
            assert!(server_unsent.into_iter().eq(server_handed..server.sent));
            if self.opened != Some(at) {
                assert!(
                    server.received.is_empty(),
                    "from a client that never heard of this session"
                );
                continue;
            }
            // Towards the server.
            assert!(server.received.iter().all(|number| kept[..handed].contains(number)));
            if !server.discards {
                assert_eq!(server.received, kept[..server.received.len()]);
                assert!(
                    server.received.len() + closed.in_doubt >= handed,
                    "confirmed, and never arrived"
                );
            }
            // Towards the client.
            assert!(self.received.last().is_none_or(|last| *last < server_handed));
            if !self.discards {
                assert!(
                    self.received.len() + end.in_doubt >= server_handed,
                    "confirmed, and never arrived"
                );
            }
            seen.messages += server.received.len() + self.received.len();
        }
        seen.opened += usize::from(self.opened.is_some());
        seen.upgraded += self.upgraded;
        seen.upgrades_failed += self.upgrades_failed;
        seen.given_back += self.given_back.len();
    }
}
