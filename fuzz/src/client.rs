//! A client is driven by operations read from bytes: what a server and a network may do, an application, time. Beside it
//! is kept an account: what was sent, handed over, confirmed, given back and said. `run` panics where the two disagree.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sansocket::engineio::client::{Client, Config, Event, Input, Request, Transmit};
use sansocket::engineio::payload::Packets;
use sansocket::engineio::state::Phase;
use sansocket::engineio::{CloseReason, Closed, Data, Packet, ReqId, SendError, Transport, Violation};
use sansocket::time::Instant;

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

/// What the driver knows of the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WebSocket {
    None,
    Asked,
    Open,
    /// The close packet was sent on it.
    Goodbye,
    /// It was told to end.
    Ending,
}

/// The largest body or frame that is made up here.
const LARGEST: usize = 3000;

/// What a queue counts for a message beside its bytes.
const OVERHEAD: usize = 64;

struct World {
    client: Client,
    config: Config,
    now: Instant,
    /// The requests that are under way.
    get: Option<ReqId>,
    post: Option<ReqId>,
    last_req: u64,
    ws: WebSocket,
    probes: usize,
    close_handed: bool,
    opened: bool,
    upgraded: bool,
    upgrade_failed: bool,
    /// All messages that `send` took: how many there were, those that nobody has seen since, those that were passed over
    /// and must be given back, and how many were handed over and confirmed.
    accepted: usize,
    waiting: VecDeque<Data>,
    passed_over: VecDeque<Data>,
    handed: usize,
    confirmed: usize,
    refused: bool,
    /// What the server said and the application has not got yet.
    said: VecDeque<Data>,
    made: usize,
    discarding: bool,
    closed: Option<Closed>,
    closed_reported: bool,
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
        _ => &[
            Transport::Polling,
            Transport::Polling,
            Transport::WebSocket,
            Transport::WebSocket,
        ],
    };
    let mut config = Config::default();
    config.transports = transports.iter().copied().collect();
    config.upgrades = kind & 4 == 0;
    config.max_queue = if kind & 8 != 0 { 300 } else { 3000 };
    config.receive_window = if kind & 16 != 0 { 1 } else { 300 };
    config.max_packets_per_request = if kind & 32 != 0 { 2 } else { 16 };
    config.stall_timeout = (kind & 64 != 0).then_some(millis(40));
    config.connect_timeout = millis(if more & 1 != 0 { 0 } else { 200 });
    config.upgrade_timeout = millis(if more & 2 != 0 { 0 } else { 60 });
    config.request_timeout = millis(if more & 4 != 0 { 20 } else { 200 });
    config.close_timeout = millis(if more & 8 != 0 { 0 } else { 70 });
    config
}

impl World {
    fn new(kind: u8, more: u8) -> Self {
        let config = set_up(kind, more);
        let now = Instant::from_micros(1_000_000);
        Self {
            client: Client::new(config.clone(), now),
            config,
            now,
            get: None,
            post: None,
            last_req: 0,
            ws: WebSocket::None,
            probes: 0,
            close_handed: false,
            opened: false,
            upgraded: false,
            upgrade_failed: false,
            accepted: 0,
            waiting: VecDeque::new(),
            passed_over: VecDeque::new(),
            handed: 0,
            confirmed: 0,
            refused: false,
            said: VecDeque::new(),
            made: 0,
            discarding: false,
            closed: None,
            closed_reported: false,
        }
    }

    fn step(&mut self, script: &mut Script) {
        let operation = script.byte();
        let detail = script.byte();
        match operation % 32 {
            0 | 1 => _ = self.ask(),
            2 | 3 => self.ask_all(),
            4 => _ = self.write(),
            5 | 6 => self.write_all(),
            7..=9 => (0..=detail % 4).for_each(|_| self.send(detail)),
            10 => (0..=detail % 4).for_each(|_| _ = self.take_event()),
            11 => self.take_events(),
            12 => self.command(detail),
            13..=15 => {
                let body = made_up_body(script, detail, &mut self.made);
                self.got(body);
            }
            16 => {
                let body = script.bytes(usize::from(detail));
                self.got(body);
            }
            17 => self.got(handshake(detail).into_bytes()),
            18 | 19 => self.posted(detail),
            20 => self.lost(detail),
            21 | 22 => self.opens(),
            23 => self.frame(handshake(detail)),
            24 | 25 => self.made_up_frame(script, detail),
            26 => self.ws_ends(detail),
            // Late, as drivers are.
            27 => self.now = self.now + millis(u64::from(detail % 64)),
            28 => {
                self.now = self.now + millis(u64::from(detail % 64));
                self.timeout();
            }
            29 => {
                if let Some(deadline) = self.client.poll_timeout() {
                    self.now = self.now.max(deadline);
                    self.timeout();
                }
            }
            30 => self.stranger(script, detail),
            _ => {
                // As much of an upgrade as the state of things allows.
                self.ask_all();
                self.opens();
                self.write_all();
                self.frame("3probe".into());
                self.posted(0);
                self.got(b"6".to_vec());
                self.write_all();
            }
        }
    }

    // ---- the application ----

    fn command(&mut self, detail: u8) {
        match detail % 16 {
            0 | 1 => self.client.close(self.now),
            2 => self.client.abort(self.now),
            3 => {
                self.client.discard_input();
                self.discarding = true;
                self.said.clear();
            }
            4 | 5 => self.client.handle_progress(self.now),
            6 => self.client.handle_beginning(self.now),
            _ => self.timeout(),
        }
    }

    fn send(&mut self, detail: u8) {
        let length = usize::from(detail / 4);
        let text = format!("{}{:.<length$}", self.accepted, "");
        let data = if detail & 4 != 0 {
            Data::from(text.into_bytes())
        } else {
            Data::from(text)
        };
        let over = matches!(self.client.phase(), Phase::Closing | Phase::Closed);
        match self.client.send(data.clone()) {
            Ok(()) => {
                assert!(!over, "sent into a session that is over");
                self.accepted += 1;
                self.waiting.push_back(data);
            }
            Err(error) => {
                self.refused |= matches!(error, SendError::Full(_));
                assert_eq!(matches!(error, SendError::Closed(_)), over);
                assert_eq!(error.into_data(), data);
            }
        }
    }

    fn take_events(&mut self) {
        while self.take_event() {}
    }

    fn take_event(&mut self) -> bool {
        let expected = self.client.has_event();
        let Some(event) = self.client.poll_event() else {
            return false;
        };
        assert!(expected, "an event that was not announced");
        assert!(!self.closed_reported, "{event:?} after the end");
        match event {
            Event::Opened(_) => {
                assert!(!self.opened, "opened twice");
                self.opened = true;
            }
            Event::Closed(closed) => {
                assert_eq!(Some(closed), self.client.closed());
                assert!(self.said.is_empty(), "the end came before {:?}", self.said);
                assert!(
                    self.passed_over.is_empty(),
                    "the end came before {:?}",
                    self.passed_over
                );
                self.closed_reported = true;
            }
            other => {
                assert!(self.opened, "{other:?} before the beginning");
                self.open_event(other);
            }
        }
        true
    }

    fn open_event(&mut self, event: Event) {
        match event {
            Event::Message(data) => assert_eq!(Some(data), self.said.pop_front()),
            Event::TooLarge(data) => {
                let from = if self.passed_over.is_empty() {
                    &mut self.waiting
                } else {
                    &mut self.passed_over
                };
                assert_eq!(Some(data), from.pop_front());
            }
            Event::Upgraded => {
                assert!(!self.upgraded && !self.upgrade_failed, "upgraded twice");
                self.upgraded = true;
            }
            Event::UpgradeFailed => {
                assert!(!self.upgraded && !self.upgrade_failed, "one upgrade is tried");
                self.upgrade_failed = true;
            }
            other => {
                assert_eq!(other, Event::Writable);
                assert!(self.refused, "nobody asked for room");
                self.refused = false;
            }
        }
    }

    // ---- whoever drives the client ----

    fn ask_all(&mut self) {
        while self.ask() {}
    }

    fn ask(&mut self) -> bool {
        let Some(request) = self.client.poll_request(self.now) else {
            return false;
        };
        assert_eq!(self.client.closed(), None, "{request:?} after the end");
        match request {
            Request::Get(req) => {
                assert_eq!(self.get, None, "two GETs");
                assert!(!self.close_handed && self.client.transport() == Transport::Polling);
                self.name(req);
                self.get = Some(req);
            }
            Request::Post(req, body) => {
                assert_eq!(self.post, None, "two POSTs");
                assert!(!self.close_handed && self.client.transport() == Transport::Polling);
                self.name(req);
                self.post = Some(req);
                self.carried_by_post(body);
            }
            Request::WebSocket => {
                assert_eq!(self.ws, WebSocket::None, "two WebSockets");
                self.ws = WebSocket::Asked;
            }
            other => panic!("{other:?} is not known here"),
        }
        true
    }

    fn name(&mut self, req: ReqId) {
        assert!(req.0 > self.last_req, "a name used twice");
        self.last_req = req.0;
    }

    fn max_payload(&self) -> usize {
        let announced = self.client.handshake().and_then(|handshake| handshake.max_payload);
        announced.filter(|&max| max > 0).unwrap_or(usize::MAX)
    }

    fn carried_by_post(&mut self, body: Bytes) {
        let length = body.len();
        let packets: Result<Vec<Packet>, _> = Packets::new(body).expect("text").collect();
        let packets = packets.expect("what a client sends is valid");
        assert!(!packets.is_empty() && packets.len() <= self.config.max_packets_per_request);
        // A pong may be as long as its ping was. It goes alone, where it is longer than what the server takes.
        assert!(
            length <= self.max_payload() || matches!(packets[..], [Packet::Pong(_)]),
            "{packets:?}"
        );
        let last = packets.len() - 1;
        for (at, packet) in packets.into_iter().enumerate() {
            match packet {
                Packet::Pong(_) => assert_eq!(at, 0),
                Packet::Message(data) => self.carried(&data),
                Packet::Close => {
                    assert_eq!(at, last);
                    self.goodbye();
                }
                other => panic!("{other:?} in a POST"),
            }
        }
    }

    /// A message was handed to a transport. What stood before it is too large.
    fn carried(&mut self, data: &Data) {
        while let Some(front) = self.waiting.pop_front() {
            if front == *data {
                self.handed += 1;
                return;
            }
            self.passed_over.push_back(front);
        }
        panic!("{data:?} was not sent, or is sent twice, or out of order");
    }

    /// The close packet was handed to a transport. What is left is too large.
    fn goodbye(&mut self) {
        assert!(!self.close_handed, "closed twice");
        self.close_handed = true;
        self.passed_over.extend(self.waiting.drain(..));
    }

    fn write_all(&mut self) {
        while self.write() {}
    }

    fn write(&mut self) -> bool {
        let upgraded = self.client.transport() == Transport::WebSocket;
        let Some(transmit) = self.client.poll_transmit(self.now) else {
            return false;
        };
        match transmit {
            Transmit::Packet(packet) => {
                assert_eq!(self.ws, WebSocket::Open, "{packet:?} on a WebSocket that is not open");
                match packet {
                    Packet::Ping(text) => {
                        assert_eq!(&text[..], "probe");
                        self.probes += 1;
                        assert!(!upgraded && self.probes == 1);
                    }
                    Packet::Upgrade => {
                        assert!(!upgraded && self.probes == 1);
                        assert_eq!((self.get, self.post), (None, None), "a request is under way");
                    }
                    Packet::Pong(_) => assert!(upgraded),
                    Packet::Message(data) => {
                        assert!(upgraded);
                        let length = data.len() + usize::from(data.as_text().is_some());
                        assert!(length <= self.max_payload());
                        self.carried(&data);
                    }
                    Packet::Close => {
                        assert!(upgraded);
                        self.goodbye();
                        self.ws = WebSocket::Goodbye;
                    }
                    other => panic!("{other:?} on a WebSocket"),
                }
            }
            Transmit::Close => {
                assert!(!matches!(self.ws, WebSocket::None | WebSocket::Ending), "{:?}", self.ws);
                self.ws = WebSocket::Ending;
            }
            other => panic!("{other:?} is not known here"),
        }
        true
    }

    // ---- the server ----

    fn input(&mut self, input: Input) -> Result<(), Violation> {
        self.client.handle_input(self.now, input)
    }

    fn got(&mut self, body: Vec<u8>) {
        let Some(get) = self.get.take() else { return };
        let body = Bytes::from(body);
        let over = self.client.phase() == Phase::Closed;
        let result = self.input(Input::Response(get, body.clone()));
        if !over && result.is_ok() {
            let packets = Packets::new(body).expect("it was taken");
            for packet in packets.map_while(Result::ok) {
                match packet {
                    Packet::Message(data) => self.heard(data),
                    Packet::Close => break,
                    _ => {}
                }
            }
        }
    }

    fn heard(&mut self, data: Data) {
        if !self.discarding {
            self.said.push_back(data);
        }
    }

    fn posted(&mut self, detail: u8) {
        let Some(post) = self.post.take() else { return };
        let over = self.client.phase() == Phase::Closed;
        let body = if detail & 1 == 0 { &b"ok"[..] } else { b"\xff" };
        assert_eq!(self.input(Input::Response(post, Bytes::from_static(body))), Ok(()));
        if !over {
            self.confirmed = self.handed;
        }
    }

    fn lost(&mut self, detail: u8) {
        let slot = if detail & 1 == 0 { &mut self.get } else { &mut self.post };
        let Some(req) = slot.take() else { return };
        let input = if detail & 2 == 0 {
            Input::Failed(req)
        } else {
            Input::Refused(req)
        };
        assert_eq!(self.input(input), Ok(()));
    }

    fn opens(&mut self) {
        assert_eq!(self.input(Input::WsOpen), Ok(()));
        if self.ws == WebSocket::Asked {
            self.ws = WebSocket::Open;
        }
    }

    /// Whether packets on the WebSocket count.
    fn ws_carries(&self) -> bool {
        let alive = matches!(self.client.phase(), Phase::Open | Phase::Closing);
        alive && self.client.transport() == Transport::WebSocket
    }

    fn frame(&mut self, text: String) {
        if !self.client.wants_input() {
            return;
        }
        let carries = self.ws_carries();
        let result = self.input(Input::WsText(text.as_str().into()));
        if result.is_ok() && carries {
            if let Ok(Packet::Message(data)) = Packet::decode(text.into()) {
                self.heard(data);
            }
        }
    }

    fn made_up_frame(&mut self, script: &mut Script, detail: u8) {
        if detail % 4 == 0 {
            self.made += 1;
            let carries = self.ws_carries();
            let bytes = Bytes::from(self.made.to_le_bytes().to_vec());
            let wanted = self.client.wants_input();
            if wanted && self.input(Input::WsBinary(bytes.clone())).is_ok() && carries {
                self.heard(bytes.into());
            }
            return;
        }
        let packet = made_up_packet(script, &mut self.made);
        if let Ok(text) = String::from_utf8(packet) {
            self.frame(text);
        }
    }

    fn ws_ends(&mut self, detail: u8) {
        let input = match detail % 3 {
            0 => Input::WsClosed,
            1 => Input::WsFailed,
            _ => Input::WsRefused,
        };
        self.ws = WebSocket::None;
        assert_eq!(self.input(input), Ok(()));
    }

    /// About requests that nobody made, or that were answered.
    fn stranger(&mut self, script: &mut Script, detail: u8) {
        let req = ReqId(u64::from(detail % 16));
        if self.get == Some(req) || self.post == Some(req) {
            return;
        }
        let before = (self.client.phase(), self.client.transport(), self.client.poll_timeout());
        let body = made_up_body(script, detail, &mut self.made);
        for input in [
            Input::Response(req, body.into()),
            Input::Refused(req),
            Input::Failed(req),
        ] {
            assert_eq!(self.input(input), Ok(()));
        }
        let after = (self.client.phase(), self.client.transport(), self.client.poll_timeout());
        // Somebody says what time it is: that may begin or end a stall, and nothing else.
        assert_eq!((before.0, before.1), (after.0, after.1));
    }

    fn timeout(&mut self) {
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|deadline| deadline > self.now));
    }

    // ---- the account ----

    fn check(&mut self) {
        match (self.client.closed(), self.closed) {
            (Some(closed), None) => {
                assert_eq!(closed.in_doubt, self.handed - self.confirmed, "in doubt");
                assert!(closed.unsent <= self.waiting.len());
                assert!(!self.close_handed || closed.reason == CloseReason::ClientDisconnect);
                assert!(!self.close_handed || closed.unsent == 0);
                // What is under way then is given up; its answer may come nonetheless.
                self.closed = Some(closed);
            }
            (now, before) => assert_eq!(now, before),
        }
        assert_eq!(self.client.sent(), self.handed as u64);
        assert_eq!(self.client.is_finished(), self.client.poll_timeout().is_none());
        assert_eq!(self.client.phase() == Phase::Closed, self.closed.is_some());
        self.check_memory();
    }

    fn check_memory(&self) {
        let cost = |queue: &VecDeque<Data>| queue.iter().map(|data| data.len() + OVERHEAD).sum::<usize>();
        // What is given back was in the queue, before the session was open or while a WebSocket was tried.
        assert!(cost(&self.waiting) + cost(&self.passed_over) <= 3 * self.config.max_queue);
        let said: usize = self.said.iter().map(Data::len).sum();
        assert!(said <= self.config.receive_window + LARGEST, "{said} bytes wait");
    }

    /// The server falls silent; everybody on this side does what is asked.
    fn finish(&mut self) {
        for _ in 0..100 {
            self.ask_all();
            self.write_all();
            self.check();
            self.take_events();
            if self.ws == WebSocket::Ending {
                self.ws_ends(0);
                self.check();
            }
            let Some(deadline) = self.client.poll_timeout() else {
                break;
            };
            self.now = self.now.max(deadline);
            self.timeout();
            self.check();
        }
        assert!(self.client.is_finished(), "it never ends");
        self.take_events();
        assert!(self.closed_reported, "nobody was told of the end");
        let closed = self.closed.expect("it was reported");
        let unsent: VecDeque<Data> = self.client.take_unsent().collect();
        assert_eq!(unsent.len(), closed.unsent);
        assert_eq!(unsent, self.waiting, "what was accepted went somewhere");
        assert!(!self.take_event());
    }
}

/// An open packet, of which one in four is nonsense.
fn handshake(detail: u8) -> String {
    let upgrades = ["[\"websocket\"]", "[\"websocket\"]", "[]", "[\"webtransport\",7]"][usize::from(detail & 3)];
    let interval = [50, 100, 0, 100_000_000_000u64][usize::from(detail >> 2 & 3)];
    let max = ["", ",\"maxPayload\":10", ",\"maxPayload\":40", ",\"maxPayload\":0"][usize::from(detail >> 4 & 3)];
    let sid = ["\"a\"", "\"b\"", "\"c\"", "7"][usize::from(detail >> 6)];
    format!("0{{\"sid\":{sid},\"upgrades\":{upgrades},\"pingInterval\":{interval},\"pingTimeout\":50{max}}}")
}

fn made_up_body(script: &mut Script, detail: u8, made: &mut usize) -> Vec<u8> {
    let mut body = Vec::new();
    for at in 0..=detail % 5 {
        if at > 0 {
            body.push(0x1e);
        }
        body.extend(made_up_packet(script, made));
    }
    body
}

/// Mostly valid.
fn made_up_packet(script: &mut Script, made: &mut usize) -> Vec<u8> {
    let choice = script.byte();
    let length = usize::from(choice);
    *made += 1;
    match choice % 32 {
        0..=7 => format!("4{made}{:.<length$}", "").into_bytes(),
        8..=12 => {
            let mut packet = Vec::new();
            let bytes = format!("{made}{:.<length$}", "").into_bytes();
            Packet::Message(bytes.into()).encode(&mut packet);
            packet
        }
        13..=16 => b"2".to_vec(),
        17 => format!("2{made}").into_bytes(),
        18 => b"3".to_vec(),
        19 => b"5".to_vec(),
        20..=22 => b"6".to_vec(),
        23 | 24 => b"3probe".to_vec(),
        25 => b"4".to_vec(),
        26 => b"1".to_vec(),
        27 => handshake(script.byte()).into_bytes(),
        28 => format!("2{:.<1$}", "", 1020 + length / 32).into_bytes(),
        29 => [&b"7"[..], b"", b"b!", b"4\xff", b"0{}"][length % 5].to_vec(),
        _ => {
            let count = usize::from(script.byte() % 16);
            script.bytes(count)
        }
    }
}
