//! A session is driven by operations read from bytes, beside an account that is kept without it: what was sent, handed
//! over, confirmed and said, and which requests wait. `run` panics where the two disagree.
//!
//! The seeded test and the fuzzer both use this file, each with its own source of bytes.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::engineio::payload::Packets;
use crate::engineio::state::Phase;
use crate::engineio::{
    Answer, Carrier, Closed, Config, Data, Event, Input, Packet, Refusal, ReqId, SendError, Session, Sid, Transmit,
    Transport, Version, Violation,
};
use crate::time::Instant;

/// Runs a script: one byte says what kind of session, then each operation is one byte and a byte of detail.
pub fn run(script: &[u8]) {
    run_of(Version::V4, script);
}

/// The same with a client of this version.
pub fn run_of(version: Version, script: &[u8]) {
    let Some((&kind, operations)) = script.split_first() else {
        return;
    };
    let mut world = World::new(version, kind);
    for operation in operations.chunks_exact(2) {
        world.step(operation[0], operation[1]);
    }
    world.finish();
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Waiting,
    Answered,
    /// Its connection ended, or nobody took its answer until the session was forgotten.
    Gone,
}

/// What the WebSocket's carrier knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WebSocket {
    None,
    Open,
    /// The close packet was sent on it.
    Goodbye,
    /// It was told to end.
    Ending,
}

struct World {
    session: Session,
    version: Version,
    config: Config,
    now: Instant,
    requests: BTreeMap<u64, Request>,
    ws: WebSocket,
    ws_unused: bool,
    probe_answered: bool,
    /// Nothing was wanted for a while since the last ping that was alone.
    stalled: bool,
    opened: bool,
    /// Accepted, but not released.
    held: bool,
    /// Towards the client: all messages that `send` took, and how many of them were handed over and confirmed.
    sent: Vec<Data>,
    handed: usize,
    confirmed: usize,
    given_back: usize,
    /// How many messages were handed over before the ping that has no pong yet.
    ping: Option<usize>,
    /// The client has pinged (version 3), and was not answered since.
    pinged: bool,
    refused: bool,
    /// From the client: how many messages it ever made, and those that the application has not got yet.
    made: usize,
    said: VecDeque<Data>,
    discarding: bool,
    upgraded: bool,
    closed: Option<(Instant, Closed)>,
    closed_reported: bool,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Short times and small limits. Some of each are so small that they are met all the time.
fn set_up(config: &mut Config, kind: u8) {
    config.ping_interval = millis(100);
    config.ping_timeout = millis(50);
    config.upgrade_timeout = millis(60);
    config.accept_timeout = millis(80);
    config.close_timeout = millis(70);
    config.stall_timeout = (kind & 2 != 0).then_some(millis(40));
    config.max_queue = if kind & 4 != 0 { 300 } else { 3000 };
    config.receive_window = if kind & 8 != 0 { 1 } else { 300 };
    config.max_packets_per_response = if kind & 16 != 0 { 2 } else { 16 };
    config.max_response = if kind & 32 != 0 { 40 } else { 1000 };
    config.upgrades = kind & 64 == 0;
}

impl World {
    fn new(version: Version, kind: u8) -> Self {
        let mut config = Config::default();
        set_up(&mut config, kind);
        let now = Instant::from_micros(1_000_000);
        let (carrier, ws) = match kind & 1 {
            0 => (Carrier::Request(ReqId(0)), WebSocket::None),
            _ => (Carrier::WebSocket, WebSocket::Open),
        };
        let sid = Sid::new("model").expect("a valid id");
        let mut world = Self {
            session: Session::of(version, config.clone(), now, sid, carrier),
            version,
            config,
            now,
            requests: BTreeMap::new(),
            ws,
            ws_unused: true,
            probe_answered: false,
            stalled: false,
            opened: false,
            held: false,
            sent: Vec::new(),
            handed: 0,
            confirmed: 0,
            given_back: 0,
            ping: None,
            pinged: false,
            refused: false,
            made: 0,
            said: VecDeque::new(),
            discarding: false,
            upgraded: false,
            closed: None,
            closed_reported: false,
        };
        if carrier != Carrier::WebSocket {
            world.requests.insert(0, Request::Waiting);
        }
        if kind & 128 == 0 {
            world.session.accept(now);
        }
        world
    }

    fn step(&mut self, operation: u8, detail: u8) {
        let small = usize::from(detail % 4) + 1;
        match operation % 28 {
            0 if detail % 4 == 3 => {
                self.held |= self.session.phase() == Phase::Accepting;
                self.session.accept_held(self.now);
            }
            0 => self.session.accept(self.now),
            1 => self.command(detail),
            2..=4 => (0..small).for_each(|_| self.send(detail)),
            5 | 6 => self.get(),
            7 => {
                self.get();
                self.poll_all(false);
            }
            8..=10 => self.post(detail),
            11 if detail % 4 == 0 => self.gone(detail),
            11 | 12 => self.poll_request(u64::from(detail % 32)),
            13 if detail % 4 == 0 => self.failed(detail),
            13 | 14 => self.ws_open(),
            15 | 16 => self.ws_frame(detail),
            17 if detail % 8 == 0 => self.ws_end(detail & 8 != 0),
            17 | 18 => _ = self.poll_websocket(),
            19 => self.poll_all(detail & 1 != 0),
            20 => (0..small).for_each(|_| _ = self.take_event()),
            21 => self.take_events(),
            // Late, as drivers are.
            22 => self.now = self.now + millis(u64::from(detail % 64)),
            23 => {
                self.now = self.now + millis(u64::from(detail % 64));
                self.timeout();
            }
            24 => {
                if let Some(deadline) = self.session.poll_timeout() {
                    self.now = self.now.max(deadline);
                    self.timeout();
                }
            }
            25 => self.timeout(),
            26 => self.pong(),
            _ => {
                self.ws_open();
                self.ws_text("2probe");
                self.poll_all(detail & 1 != 0);
                self.ws_text("5");
            }
        }
        self.check();
    }

    // ---- the application ----

    fn command(&mut self, detail: u8) {
        match detail % 16 {
            0 => self.session.refuse(self.now, Refusal::default()),
            1 | 2 => self.session.close(self.now),
            3 => self.session.abort(self.now),
            4 => {
                self.session.discard_input();
                self.discarding = true;
                self.said.clear();
            }
            5 => self.session.send_noop(),
            6 => {
                self.held = false;
                self.session.release();
            }
            _ => self.take_unsent(),
        }
    }

    fn send(&mut self, detail: u8) {
        let number = self.sent.len();
        let data = if detail & 4 != 0 {
            Data::from(format!("{number:0>0$}", usize::from(detail)))
        } else {
            Data::from(number.to_le_bytes().to_vec())
        };
        match self.session.send(data.clone()) {
            Ok(()) => {
                assert!(!self.is_over(), "sent into a session that is over");
                self.sent.push(data);
            }
            Err(error) => {
                self.refused |= matches!(error, SendError::Full(_));
                let too_large = data.len() + 64 > self.config.max_queue;
                assert_eq!(matches!(error, SendError::Closed(_)), self.is_over());
                assert_eq!(matches!(error, SendError::TooLarge(_)), too_large && !self.is_over());
                assert_eq!(error.into_data(), data);
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.session.phase(), Phase::Closing | Phase::Closed)
    }

    fn take_unsent(&mut self) {
        for data in self.session.take_unsent() {
            assert_eq!(data, self.sent[self.handed + self.given_back]);
            self.given_back += 1;
        }
        assert!(self.given_back == 0 || self.session.phase() == Phase::Closed);
    }

    fn take_events(&mut self) {
        while self.take_event() {}
    }

    fn take_event(&mut self) -> bool {
        let expected = self.session.has_event();
        let Some(event) = self.session.poll_event() else {
            return false;
        };
        assert!(expected, "an event that was not announced");
        assert!(!self.closed_reported, "{event:?} after the end");
        match event {
            Event::Message(data) => assert_eq!(Some(data), self.said.pop_front()),
            Event::Upgraded => {
                assert!(!self.upgraded, "upgraded twice");
                self.upgraded = true;
            }
            Event::Closed(closed) => {
                assert_eq!(Some(closed), self.session.closed());
                assert!(self.said.is_empty(), "the end came before {:?}", self.said);
                self.closed_reported = true;
            }
            other => {
                assert_eq!(other, Event::Writable);
                assert!(self.refused, "nobody asked for room");
                self.refused = false;
            }
        }
        true
    }

    // ---- the wire ----

    fn input(&mut self, input: Input) -> Result<(), Violation> {
        let result = self.session.handle_input(self.now, input);
        self.note_release();
        result
    }

    fn request(&mut self) -> ReqId {
        let req = self.requests.last_key_value().map_or(0, |(last, _)| last + 1);
        self.requests.insert(req, Request::Waiting);
        ReqId(req)
    }

    fn get(&mut self) {
        let req = self.request();
        if self.input(Input::Get(req)).is_ok() {
            self.confirmed = self.handed;
        }
    }

    fn post(&mut self, detail: u8) {
        let mut messages = Vec::new();
        let mut packets: Vec<Vec<u8>> = Vec::new();
        for _ in 0..detail % 4 {
            self.made += 1;
            let text = format!("{:0>1$}", self.made, usize::from(detail / 2));
            let data = if detail & 4 == 0 {
                Data::from(text)
            } else {
                Data::from(text.into_bytes())
            };
            let mut packet = Vec::new();
            Packet::Message(data.clone()).encode(&mut packet);
            if packet[0] == b'b' && self.version == Version::V3 {
                packet.insert(1, b'4');
            }
            packets.push(packet);
            messages.push(data);
        }
        let mut add = |packet: &[u8]| packets.push(packet.to_vec());
        // Only clients of version 3 ping.
        let pings = detail >> 4 == 14 && detail % 5 == 0 && self.version == Version::V3;
        let valid = detail < 0xe0 || pings;
        let pong = match detail >> 4 {
            1 => {
                add(b"3");
                true
            }
            2 => {
                add(b"6");
                add(b"5");
                add(b"0{}");
                add(b"4last");
                messages.push("last".into());
                false
            }
            3 if detail & 8 != 0 => {
                add(b"1");
                add(b"4never said");
                false
            }
            14 => {
                add([&b"2"[..], b"7", b"b!", b"", b"\xff"][usize::from(detail % 5)]);
                false
            }
            15 => {
                add(b"6");
                add(b"");
                add(b"4");
                false
            }
            _ => {
                if packets.is_empty() {
                    packets.push(b"6".to_vec());
                }
                false
            }
        };
        let body = body_of(self.version, &packets);
        let req = self.request();
        if self.input(Input::Post(req, body.into())).is_ok() {
            assert!(valid, "a bad body was taken");
            self.heard(messages);
            self.pinged |= pings;
            if pong {
                self.ponged();
            }
        }
    }

    fn pong(&mut self) {
        if self.session.transport() == Transport::WebSocket {
            self.ws_text("3");
        } else {
            let req = self.request();
            let body = body_of(self.version, &[b"3".to_vec()]);
            if self.input(Input::Post(req, body.into())).is_ok() {
                self.ponged();
            }
        }
    }

    fn heard(&mut self, messages: Vec<Data>) {
        if !self.discarding {
            self.said.extend(messages);
        }
    }

    fn ponged(&mut self) {
        if let Some(before) = self.ping.take() {
            self.confirmed = self.confirmed.max(before);
        }
    }

    fn gone(&mut self, detail: u8) {
        let req = u64::from(detail / 4) % (self.requests.len() as u64 + 1);
        match self.requests.get_mut(&req) {
            // That would be `Failed`.
            Some(Request::Answered) => return,
            Some(request) => *request = Request::Gone,
            None => {}
        }
        assert_eq!(self.input(Input::Gone(ReqId(req))), Ok(()));
    }

    fn failed(&mut self, detail: u8) {
        let req = u64::from(detail / 4);
        if self.requests.get(&req) == Some(&Request::Answered) {
            assert_eq!(self.input(Input::Failed(ReqId(req))), Ok(()));
        }
    }

    fn ws_open(&mut self) {
        let result = self.input(Input::WsOpen);
        if result.is_ok() {
            assert_eq!(self.ws, WebSocket::None, "two WebSockets");
            assert!(self.config.upgrades && self.session.phase() == Phase::Open && !self.upgraded);
            assert!(self.opened, "a client that was told no id");
            self.ws = WebSocket::Open;
            self.ws_unused = true;
            self.probe_answered = false;
        }
    }

    /// Whether packets on the WebSocket count.
    fn ws_carries(&self) -> bool {
        self.ws == WebSocket::Open
            && self.session.transport() == Transport::WebSocket
            && matches!(self.session.phase(), Phase::Open | Phase::Closing)
    }

    fn ws_frame(&mut self, detail: u8) {
        match detail % 16 {
            0..=5 => {
                self.made += 1;
                let data = Data::from(format!("{:0>1$}", self.made, usize::from(detail)));
                let mut frame = Vec::new();
                Packet::Message(data.clone()).encode(&mut frame);
                let text = core::str::from_utf8(&frame).expect("text");
                let carries = self.ws_carries();
                if self.input(Input::WsText(text.into())).is_ok() && carries {
                    self.heard(vec![data]);
                }
            }
            6 | 7 => {
                self.made += 1;
                let bytes = self.made.to_le_bytes().to_vec();
                let carries = self.ws_carries();
                let frame = match self.version {
                    Version::V3 => [&[4], &bytes[..]].concat(),
                    Version::V4 => bytes.clone(),
                };
                if self.input(Input::WsBinary(frame.into())).is_ok() && carries {
                    self.heard(vec![bytes.into()]);
                }
            }
            8 => self.ws_text("2probe"),
            9 => self.ws_text("5"),
            10 => self.ws_text("3"),
            11 => self.ws_text("6"),
            12 => self.ws_text("0{}"),
            _ if detail < 0xc0 => self.ws_text("3"),
            13 => self.ws_text("1"),
            14 => self.ws_text("2"),
            _ => self.ws_text(""),
        }
    }

    fn ws_text(&mut self, text: &'static str) {
        let carries = self.ws_carries();
        if self.input(Input::WsText(text.into())).is_ok() && carries {
            match text {
                "2" | "2probe" => {
                    assert_eq!(self.version, Version::V3, "a ping of the client's");
                    self.pinged = true;
                }
                "3" => self.ponged(),
                _ => {}
            }
        }
    }

    fn ws_end(&mut self, in_order: bool) {
        if self.ws == WebSocket::None {
            return;
        }
        self.ws = WebSocket::None;
        self.probe_answered = false;
        let end = if in_order { Input::WsClosed } else { Input::WsFailed };
        assert_eq!(self.input(end), Ok(()));
    }

    fn timeout(&mut self) {
        self.note_end();
        let forgotten = self
            .closed
            .is_some_and(|(at, _)| at + self.config.close_timeout <= self.now);
        if forgotten {
            for request in self.requests.values_mut() {
                if *request == Request::Waiting {
                    *request = Request::Gone;
                }
            }
        }
        self.session.handle_timeout(self.now);
        assert!(self.session.poll_timeout().is_none_or(|deadline| deadline > self.now));
    }

    // ---- carriers ----

    fn poll_all(&mut self, backwards: bool) {
        if backwards {
            while self.poll_websocket() {}
        }
        let mut waiting: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| **request == Request::Waiting)
            .map(|(req, _)| *req)
            .collect();
        if backwards {
            waiting.reverse();
        }
        waiting.into_iter().for_each(|req| self.poll_request(req));
        while self.poll_websocket() {}
    }

    fn poll_request(&mut self, number: u64) {
        let req = ReqId(number);
        let expected = self.session.has_transmit(Carrier::Request(req));
        let transport = self.session.transport();
        // A probe that failed leaves a close frame to send.
        let probing = self.probe_answered && !self.session.has_transmit(Carrier::WebSocket);
        let transmit = self.session.poll_transmit(self.now, Carrier::Request(req));
        assert_eq!(transmit.is_some(), expected);
        let Some(transmit) = transmit else { return };
        let Transmit::Response { req: answered, answer } = transmit else {
            panic!("{transmit:?} is no answer");
        };
        assert_eq!(answered, req);
        let before = self.requests.insert(number, Request::Answered);
        assert_eq!(
            before,
            Some(Request::Waiting),
            "an answer to a request that does not wait"
        );
        if let Answer::Payload(body) = answer {
            let packets = packets_of(self.version, body);
            assert!(!packets.is_empty() && packets.len() <= self.config.max_packets_per_response);
            for packet in packets {
                if matches!(packet, Packet::Message(_)) {
                    assert_eq!(transport, Transport::Polling);
                    assert!(!probing, "a message while a WebSocket is tried");
                }
                self.carried(&packet);
            }
        }
    }

    fn poll_websocket(&mut self) -> bool {
        let expected = self.session.has_transmit(Carrier::WebSocket);
        let transmit = self.session.poll_transmit(self.now, Carrier::WebSocket);
        assert_eq!(transmit.is_some(), expected);
        let Some(transmit) = transmit else {
            return false;
        };
        match transmit {
            Transmit::Packet(packet) => {
                assert_eq!(self.ws, WebSocket::Open, "{packet:?} on a WebSocket that is not open");
                match &packet {
                    Packet::Pong(text) if text.is_empty() => {}
                    Packet::Pong(text) => {
                        assert_eq!(&text[..], "probe");
                        assert!(self.ws_unused, "the answer to the probe comes first");
                        self.probe_answered = true;
                    }
                    Packet::Close => self.ws = WebSocket::Goodbye,
                    _ => assert_eq!(self.session.transport(), Transport::WebSocket),
                }
                self.ws_unused = false;
                self.carried(&packet);
            }
            Transmit::Close | Transmit::Refuse(_) => {
                assert!(matches!(self.ws, WebSocket::Open | WebSocket::Goodbye));
                self.ws = WebSocket::Ending;
                self.probe_answered = false;
            }
            other => panic!("{other:?} is not for a WebSocket"),
        }
        true
    }

    /// A packet went to the client.
    fn carried(&mut self, packet: &Packet) {
        assert!(!self.held, "{packet:?} was held back");
        match packet {
            Packet::Open(_) => {
                assert!(!self.opened, "opened twice");
                self.opened = true;
            }
            Packet::Ping(_) => {
                assert!(self.opened);
                assert_eq!(self.version, Version::V4, "the client pings");
                // Pings go on while nothing is read; the first one's pong counts.
                let alone = self.ping.is_none();
                assert!(alone || self.stalled, "two pings without a pong");
                if alone {
                    self.stalled = false;
                }
                self.ping.get_or_insert(self.handed);
            }
            Packet::Message(data) => {
                assert!(self.opened);
                assert_eq!(*data, self.sent[self.handed], "out of order, or twice");
                self.handed += 1;
            }
            // One answers all pings before it.
            Packet::Pong(text) if text.is_empty() => {
                assert!(core::mem::take(&mut self.pinged), "a pong without a ping");
            }
            Packet::Close | Packet::Pong(_) | Packet::Upgrade | Packet::Noop => {}
        }
    }

    // ---- the account ----

    /// The end of what is held back is told at once.
    fn note_release(&mut self) {
        self.held &= self.session.closed().is_none();
    }

    fn note_end(&mut self) {
        if let Some(closed) = self.session.closed() {
            match self.closed {
                Some((_, before)) => assert_eq!(before, closed),
                None => {
                    assert_eq!(closed.in_doubt, self.handed - self.confirmed, "in doubt");
                    assert_eq!(closed.unsent, self.sent.len() - self.handed, "unsent");
                    self.closed = Some((self.now, closed));
                }
            }
        }
    }

    fn check(&mut self) {
        self.note_end();
        self.note_release();
        assert!(!self.held || !self.session.is_writable());
        self.stalled |= !self.session.wants_input();
        assert_eq!(self.session.sent(), self.handed as u64);
        assert_eq!(self.session.is_finished(), self.session.poll_timeout().is_none());
        assert_eq!(self.session.phase() == Phase::Closed, self.closed.is_some());
        if self.session.transport() == Transport::WebSocket {
            self.probe_answered = false;
        }
    }

    /// The client falls silent; everybody on this side does what is asked.
    fn finish(&mut self) {
        for _ in 0..100 {
            self.poll_all(false);
            self.check();
            self.take_events();
            if self.ws == WebSocket::Ending {
                self.ws_end(true);
                self.check();
            }
            let Some(deadline) = self.session.poll_timeout() else {
                break;
            };
            self.now = self.now.max(deadline);
            self.timeout();
            self.check();
        }
        assert!(self.session.is_finished(), "it never ends");
        self.take_events();
        assert!(self.closed_reported, "nobody was told of the end");
        self.take_unsent();
        let (_, closed) = self.closed.expect("it was reported");
        assert_eq!(closed.unsent, self.given_back);
        assert_eq!(self.confirmed + closed.in_doubt + closed.unsent, self.sent.len());
        let forgotten = self
            .requests
            .values()
            .filter(|request| **request == Request::Waiting)
            .count();
        assert_eq!(forgotten, 0, "a request without an answer");
        assert!(!self.take_event());
    }
}

/// A polling body of a client of this version.
fn body_of(version: Version, packets: &[Vec<u8>]) -> Vec<u8> {
    match version {
        Version::V4 => packets.join(&0x1e),
        Version::V3 => {
            let with_length = |packet: &Vec<u8>| {
                let length = String::from_utf8_lossy(packet).encode_utf16().count();
                [format!("{length}:").as_bytes(), packet].concat()
            };
            packets.iter().flat_map(with_length).collect()
        }
    }
}

/// The packets in an answer.
fn packets_of(version: Version, body: Bytes) -> Vec<Packet> {
    if version == Version::V4 {
        let packets: Result<Vec<Packet>, _> = Packets::new(body).expect("text").collect();
        return packets.expect("what a session sends is valid");
    }
    let mut rest: Vec<u16> = core::str::from_utf8(&body).expect("text").encode_utf16().collect();
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let colon = rest.iter().position(|&unit| unit == u16::from(b':')).expect("a length");
        let length: usize = String::from_utf16_lossy(&rest[..colon]).parse().expect("digits");
        let behind = rest.split_off(colon + 1 + length);
        let packet = String::from_utf16(&rest[colon + 1..]).expect("whole characters");
        // Its type stands in base64 too.
        let packet = match packet.strip_prefix("b4") {
            Some(base64) => format!("b{base64}"),
            None => packet,
        };
        packets.push(Packet::decode(packet.into()).expect("what a session sends is valid"));
        rest = behind;
    }
    packets
}
