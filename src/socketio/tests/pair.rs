//! A client and a server, over a connection that is cut and made again, driven by operations read from bytes. Beside them an
//! account is kept of who emitted what, and `run` panics where it and the machines disagree.
//!
//! The seeded test and the fuzzer both use this file, each with its own source of bytes.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::engineio::Data;
use crate::socketio::Parser as _;
use crate::socketio::client::{self, Auth, Client, WhenFull};
use crate::socketio::server::{self, Connection};
use crate::socketio::{AckError, AckToken, Args, Body, EmitError, Json, Key, Packet, TEXT, Transmit};
use crate::time::Instant;

const NAMESPACES: [&str; 3] = ["/", "/a", "/b?c=d"];

/// Runs a script: one byte says with which limits, then each operation is one byte and a byte of detail.
pub fn run(script: &[u8]) {
    let Some((&kind, operations)) = script.split_first() else {
        return;
    };
    let mut world = World::new(kind);
    for operation in operations.chunks_exact(2) {
        world.step(operation[0], operation[1]);
    }
    world.finish();
}

/// What became of an event that the client emitted.
#[derive(Debug, Default)]
struct Emitted {
    retried: bool,
    volatile: bool,
    ack: Option<u64>,
    /// Its packet was begun: at least one of its messages was given to the connection.
    handed: bool,
    received: bool,
    given_back: bool,
    /// The server's application has acknowledged it.
    acknowledged: bool,
    answer: Option<Result<(), AckError>>,
}

/// A socket of the client's, as the application knows it.
#[derive(Debug, Default)]
struct Ours {
    namespace: String,
    /// The server's socket that it is connected to.
    connected: Option<u64>,
    gone: bool,
    /// What was emitted, by number.
    emitted: BTreeMap<u64, Emitted>,
    last_received: Option<u64>,
    last_retried: Option<u64>,
}

/// A socket of the server's.
#[derive(Debug, Default)]
struct Theirs {
    accepted: bool,
    gone: bool,
    /// The last number that the client has received from it.
    last_received: Option<u64>,
    waiting: BTreeSet<u64>,
}

struct World {
    now: Instant,
    kind: u8,
    client: Client,
    server: Option<Connection>,
    to_server: VecDeque<Data>,
    to_client: VecDeque<Data>,
    client_closes: bool,
    server_closes: bool,
    ours: BTreeMap<Key, Ours>,
    /// The client's acknowledgement numbers: which event.
    ours_by_ack: BTreeMap<(Key, u64), u64>,
    theirs: BTreeMap<u64, Theirs>,
    /// The sockets of the connection at hand.
    keys: BTreeMap<Key, u64>,
    pending: Vec<Key>,
    client_tokens: Vec<(AckToken, u64)>,
    server_tokens: Vec<(AckToken, Key, u64)>,
    next_socket: u64,
    next_number: u64,
    next_broadcast: u64,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `[socket, number]`, and bytes for every third.
fn args(socket: u64, number: u64) -> Args {
    match number % 3 {
        0 => {
            let text = format!("[{socket},{number},{{\"_placeholder\":true,\"num\":0}}]");
            Args::new(&text, vec![vec![number as u8; 3].into()]).expect("it is an array")
        }
        _ => Args::encode(&(socket, number, "text")).expect("numbers have a JSON form"),
    }
}

fn read(args: &Args) -> (u64, u64) {
    let (socket, number) = args.parse().expect("two numbers were sent");
    if !args.attachments().is_empty() {
        assert_eq!(args.attachments(), [vec![number as u8; 3]]);
    } else {
        assert_eq!(args.get::<String>(2).expect("a text was sent"), "text");
    }
    (socket, number)
}

/// Short times, and limits that some are so small that they are met all the time.
fn set_up_client(config: &mut client::Config, kind: u8) {
    config.connect_timeout = millis(200);
    config.ack_timeout = millis(100);
    config.retries = u32::from(kind & 3);
    config.max_queue = if kind & 4 != 0 { 600 } else { 100_000 };
    config.max_offline = if kind & 8 != 0 { 800 } else { 100_000 };
    if kind & 16 != 0 {
        config.when_full = WhenFull::DropOldest;
    }
}

fn set_up_server(config: &mut server::Config, kind: u8) {
    config.connect_timeout = millis(500);
    config.ack_timeout = millis(100);
    config.max_queue = if kind & 32 != 0 { 600 } else { 100_000 };
}

impl World {
    fn new(kind: u8) -> Self {
        let mut config = client::Config::default();
        set_up_client(&mut config, kind);
        let now = Instant::from_micros(1_000_000);
        Self {
            now,
            kind,
            client: Client::new(config),
            server: None,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            client_closes: false,
            server_closes: false,
            ours: BTreeMap::new(),
            ours_by_ack: BTreeMap::new(),
            theirs: BTreeMap::new(),
            keys: BTreeMap::new(),
            pending: Vec::new(),
            client_tokens: Vec::new(),
            server_tokens: Vec::new(),
            next_socket: 0,
            next_number: 0,
            next_broadcast: 0,
        }
    }

    fn step(&mut self, operation: u8, detail: u8) {
        match operation % 24 {
            0 | 1 => self.open(),
            2 => self.cut(detail),
            3 | 4 => self.client_connects(detail),
            5 => self.client_disconnects(detail),
            6..=8 => self.client_emits(detail),
            9 => self.client_acknowledges(),
            10..=12 => self.server_answers(detail),
            13 | 14 => self.server_emits(detail),
            15 => self.server_acknowledges(detail),
            16 => self.server_disconnects(detail),
            17 => self.pass_time(detail),
            18..=20 => self.carry(usize::from(detail % 8)),
            21 => self.broadcast(detail),
            22 => match self.client.poll_timeout() {
                Some(deadline) if detail % 2 == 0 => self.wait_until(deadline),
                _ => {
                    let deadline = self.server.as_ref().and_then(Connection::poll_timeout);
                    self.wait_until(deadline.unwrap_or(self.now));
                }
            },
            _ => self.settle(),
        }
        self.take_events();
        assert!(self.client.queued() < 200_000 && self.client.waiting() < 200_000);
    }

    // ---- the connection ----

    fn open(&mut self) {
        if self.server.is_some() || !self.client.wants_connection() {
            return;
        }
        let mut config = server::Config::default();
        set_up_server(&mut config, self.kind);
        self.server = Some(Connection::new(config, self.now));
        self.client.handle_opened(self.now);
        self.client.handle_writable(self.kind & 64 == 0);
        if self.kind & 128 != 0 {
            self.client.handle_max_payload(48, true);
        }
    }

    fn cut(&mut self, detail: u8) {
        if detail % 4 != 0 {
            self.carry(usize::from(detail % 5));
        }
        if self.server.is_some() {
            self.end(
                client::DisconnectReason::TransportError,
                server::DisconnectReason::TransportError,
            );
        }
    }

    fn end(&mut self, reason: client::DisconnectReason, theirs: server::DisconnectReason) {
        self.take_events();
        self.to_server.clear();
        self.to_client.clear();
        (self.client_closes, self.server_closes) = (false, false);
        self.client.handle_closed(reason);
        if let Some(server) = &mut self.server {
            server.handle_closed(theirs);
        }
        self.take_events();
        self.server = None;
        for socket in self.keys.values() {
            let theirs = &self.theirs[socket];
            assert!(
                theirs.gone || !theirs.accepted,
                "the server was not told of the end of a socket"
            );
            assert!(theirs.waiting.is_empty(), "an acknowledgement was not answered");
        }
        self.keys.clear();
        self.pending.clear();
        self.server_tokens.clear();
    }

    /// Up to so many messages each way.
    fn carry(&mut self, count: usize) {
        for _ in 0..count {
            self.carry_one();
        }
    }

    fn carry_one(&mut self) -> bool {
        let Some(server) = &mut self.server else {
            return false;
        };
        let mut moved = false;
        match self.client.poll_transmit() {
            Some(Transmit::Data(data)) if self.next_number % 7 == 3 => self.client.put_back(data),
            Some(Transmit::Data(data)) => {
                assert!(!self.client_closes, "nothing may come behind the end");
                note_handed(&mut self.ours, &data);
                self.to_server.push_back(data);
                moved = true;
            }
            Some(Transmit::Close) => self.client_closes = true,
            None => {}
        }
        match server.poll_transmit() {
            Some(Transmit::Data(data)) => {
                assert!(!self.server_closes, "nothing may come behind the end");
                self.to_client.push_back(data);
                moved = true;
            }
            Some(Transmit::Close) => self.server_closes = true,
            None => {}
        }
        if server.wants_input() {
            if let Some(data) = self.to_server.pop_front() {
                server
                    .handle_data(self.now, data)
                    .expect("the client keeps to the rules");
                moved = true;
            }
        }
        if self.client.wants_input() {
            if let Some(data) = self.to_client.pop_front() {
                self.client
                    .handle_data(self.now, data)
                    .expect("the server keeps to the rules");
                moved = true;
            }
        }
        let over =
            (self.client_closes && self.to_server.is_empty()) || (self.server_closes && self.to_client.is_empty());
        if over {
            self.end(
                client::DisconnectReason::TransportClose,
                server::DisconnectReason::TransportClose,
            );
            moved = true;
        }
        self.take_events();
        moved
    }

    fn settle(&mut self) {
        for _ in 0..3000 {
            if !self.carry_one() && self.next_number % 7 != 3 {
                return;
            }
            self.next_number += 1;
        }
        panic!("it does not come to rest");
    }

    fn pass_time(&mut self, detail: u8) {
        self.wait_until(self.now + millis(u64::from(detail)));
    }

    fn wait_until(&mut self, deadline: Instant) {
        self.now = self.now.max(deadline);
        self.client.handle_timeout(self.now);
        assert!(self.client.poll_timeout().is_none_or(|deadline| deadline > self.now));
        if let Some(server) = &mut self.server {
            server.handle_timeout(self.now);
            assert!(server.poll_timeout().is_none_or(|deadline| deadline > self.now));
        }
    }

    // ---- the client's application ----

    fn client_connects(&mut self, detail: u8) {
        let namespace = NAMESPACES[usize::from(detail) % 3];
        let auth = match detail / 3 % 3 {
            0 => Auth::None,
            1 => Auth::Value(Json::new("{\"token\":1}").expect("it is JSON")),
            _ => Auth::Ask,
        };
        let taken = self.ours.values().any(|ours| ours.namespace == namespace && !ours.gone);
        match self.client.connect(self.now, namespace, auth) {
            Ok(key) => {
                assert!(!taken);
                let namespace = namespace.to_string();
                let former = self.ours.insert(
                    key,
                    Ours {
                        namespace,
                        ..Ours::default()
                    },
                );
                assert!(former.is_none(), "a key was given twice");
            }
            Err(error) => assert!(taken, "{error}"),
        }
    }

    fn some_socket(&self, detail: u8) -> Option<Key> {
        let keys: Vec<Key> = self
            .ours
            .iter()
            .filter(|(_, ours)| !ours.gone)
            .map(|(&key, _)| key)
            .collect();
        keys.get(usize::from(detail) % keys.len().max(1)).copied()
    }

    fn client_disconnects(&mut self, detail: u8) {
        let Some(key) = self.some_socket(detail) else {
            return;
        };
        self.take_events();
        let was_connected = self.client.is_connected(key);
        assert!(self.client.disconnect(key));
        if !was_connected {
            // There will be no event that says so.
            self.take_events();
            self.ours.get_mut(&key).expect("it is known").gone = true;
        }
    }

    fn client_emits(&mut self, detail: u8) {
        let Some(key) = self.some_socket(detail) else {
            return;
        };
        let number = self.next_number;
        self.next_number += 1;
        let socket = u64::from(
            format!("{key:?}")
                .bytes()
                .filter(u8::is_ascii_digit)
                .fold(0u32, |n, byte| n * 10 + u32::from(byte - b'0')),
        );
        let args = match detail & 8 {
            0 => args(socket, number),
            // Too large for some servers.
            _ => Args::encode(&(socket, number, "text", "large".repeat(10))).expect("it has a JSON form"),
        };
        let timeout = (detail & 16 != 0).then(|| millis(30));
        let mut emitted = Emitted::default();
        let result = match detail >> 5 {
            0..=2 => self.client.emit(key, "plain", args.clone()),
            3 | 4 => self
                .client
                .emit_with_ack(self.now, key, "acked", args.clone(), timeout)
                .map(|id| emitted.ack = Some(id)),
            5 | 6 => {
                emitted.retried = true;
                self.client
                    .emit_with_retries(self.now, key, "retried", args.clone())
                    .map(|id| emitted.ack = Some(id))
            }
            _ => {
                emitted.volatile = true;
                self.client
                    .emit_volatile(key, "volatile", args.clone())
                    .map(|sent| emitted.given_back = !sent)
            }
        };
        match result {
            Ok(()) => {
                if let Some(id) = emitted.ack {
                    let former = self.ours_by_ack.insert((key, id), number);
                    assert!(former.is_none(), "an acknowledgement number was given twice");
                }
                self.ours
                    .get_mut(&key)
                    .expect("it is known")
                    .emitted
                    .insert(number, emitted);
            }
            Err(EmitError::Full(back) | EmitError::TooLarge(back)) => assert_eq!(back, args),
            Err(error) => panic!("{error}"),
        }
    }

    fn client_acknowledges(&mut self) {
        if let Some((token, number)) = self.client_tokens.pop() {
            match self
                .client
                .ack(token, Args::encode(&number).expect("a number has a JSON form"))
            {
                Ok(()) | Err((_, EmitError::Disconnected(_))) => {}
                Err((token, EmitError::Full(_))) => self.client_tokens.push((token, number)),
                Err((_, error)) => panic!("{error}"),
            }
        }
    }

    // ---- the server's application ----

    fn server_answers(&mut self, detail: u8) {
        let Some(server) = &mut self.server else {
            return;
        };
        let Some(key) = self.pending.pop() else {
            return;
        };
        let socket = self.keys[&key];
        if detail % 8 == 0 {
            let data = Json::new("[7]").expect("it is JSON");
            let there = server.refuse(key, "no", (detail & 8 != 0).then_some(&data));
            assert_eq!(there, !server.is_closed());
        } else if server.accept(key, &format!("sid{socket}"), None) {
            self.theirs.get_mut(&socket).expect("it is known").accepted = true;
        } else {
            assert!(server.is_closed());
        }
    }

    fn their_socket(&self, detail: u8) -> Option<(Key, u64)> {
        let sockets: Vec<(Key, u64)> = self
            .keys
            .iter()
            .filter(|(_, socket)| self.theirs[socket].accepted && !self.theirs[socket].gone)
            .map(|(&key, &socket)| (key, socket))
            .collect();
        sockets.get(usize::from(detail) % sockets.len().max(1)).copied()
    }

    fn server_emits(&mut self, detail: u8) {
        let Some((key, socket)) = self.their_socket(detail) else {
            return;
        };
        let Some(server) = &mut self.server else {
            return;
        };
        let number = self.next_number;
        self.next_number += 1;
        let args = args(socket, number);
        let result = match detail >> 6 {
            0 | 1 => server.emit(key, "plain", args.clone()),
            2 => server.emit_volatile(key, "volatile", args.clone()).map(|_| ()),
            _ => server
                .emit_with_ack(self.now, key, "acked", args.clone(), None)
                .map(|id| assert!(self.theirs.get_mut(&socket).expect("it is known").waiting.insert(id))),
        };
        match result {
            Ok(()) => {}
            Err(EmitError::Full(back)) => assert_eq!(back, args),
            Err(error) => panic!("{error}"),
        }
    }

    fn broadcast(&mut self, detail: u8) {
        let Some((key, socket)) = self.their_socket(detail) else {
            return;
        };
        let Some(server) = &mut self.server else {
            return;
        };
        let number = self.next_number;
        self.next_number += 1;
        let id = crate::socketio::BROADCAST_IDS.start + self.next_broadcast;
        self.next_broadcast += 1;
        let namespace = server.connected().find(|(connected, _)| *connected == key);
        let packet = TEXT.encode(&Packet {
            namespace: namespace.expect("it is connected").1.clone(),
            body: Body::Event {
                id: Some(id),
                name: "broadcast".into(),
                args: args(socket, number),
            },
        });
        if server.send_encoded(key, &packet, detail & 64 != 0) && server.expect_ack(self.now, key, id, None) {
            assert!(self.theirs.get_mut(&socket).expect("it is known").waiting.insert(id));
        }
    }

    fn server_acknowledges(&mut self, detail: u8) {
        let Some(server) = &mut self.server else {
            return;
        };
        if self.server_tokens.is_empty() {
            return;
        }
        let index = usize::from(detail) % self.server_tokens.len();
        let (token, ours, number) = self.server_tokens.swap_remove(index);
        match server.ack(token, Args::encode(&number).expect("a number has a JSON form")) {
            Ok(()) => {
                let ours = self.ours.get_mut(&ours).expect("it is known");
                ours.emitted.get_mut(&number).expect("it was emitted").acknowledged = true;
            }
            Err((_, EmitError::Disconnected(_))) => {}
            Err((token, EmitError::Full(_))) => self.server_tokens.push((token, ours, number)),
            Err((_, error)) => panic!("{error}"),
        }
    }

    fn server_disconnects(&mut self, detail: u8) {
        let socket = self.their_socket(detail);
        let Some(server) = &mut self.server else {
            return;
        };
        match (detail >> 4, socket) {
            (0, _) => server.close(self.now),
            (1, _) => server.shut_down(),
            (_, Some((key, _))) => assert!(server.disconnect(self.now, key)),
            _ => {}
        }
    }

    // ---- what both are told ----

    fn take_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.client_is_told(event);
        }
        while let Some(event) = self.server.as_mut().and_then(Connection::poll_event) {
            self.server_is_told(event);
        }
    }

    fn client_is_told(&mut self, event: client::Event) {
        use client::Event;
        match event {
            Event::AuthWanted { key } => {
                // Whoever is not quick enough is asked again with the next connection.
                self.client.authenticate(key, None);
            }
            Event::Connect { key, sid, recovered } => {
                assert!(!recovered);
                let ours = self.ours.get_mut(&key).expect("it is known");
                assert!(!ours.gone && ours.connected.is_none(), "connected twice");
                ours.connected = Some(sid["sid".len()..].parse().expect("the server's id"));
            }
            Event::ConnectError { key, message, .. } => {
                let ours = self.ours.get_mut(&key).expect("it is known");
                assert!(!ours.gone && ours.connected.is_none());
                assert_eq!(&message[..], "no");
                ours.gone = true;
            }
            Event::ConnectTimeout { key } => assert!(self.ours[&key].connected.is_none()),
            Event::Event { key, args, ack, .. } => {
                let (socket, number) = read(&args);
                assert_eq!(self.ours[&key].connected, Some(socket), "an event of another socket");
                let theirs = self.theirs.get_mut(&socket).expect("it is known");
                assert!(theirs.last_received < Some(number), "twice, or out of order");
                theirs.last_received = Some(number);
                self.client_tokens.extend(ack.map(|ack| (ack, number)));
            }
            Event::Ack { key, id, result } => {
                let number = self.ours_by_ack[&(key, id)];
                let emitted = self.ours.get_mut(&key).expect("it is known").emitted.get_mut(&number);
                let emitted = emitted.expect("it was emitted");
                assert_eq!(emitted.answer, None, "an acknowledgement was answered twice");
                if let Ok(args) = &result {
                    assert!(emitted.acknowledged && emitted.received);
                    assert_eq!(args.parse::<u64>().expect("a number was sent"), number);
                }
                emitted.answer = Some(result.map(|_| ()));
            }
            Event::Unsent { key, args, .. } => {
                let (_, number) = read(&args);
                let emitted = self.ours.get_mut(&key).expect("it is known").emitted.get_mut(&number);
                let emitted = emitted.expect("it was emitted");
                assert!(
                    !emitted.handed && !emitted.received && !emitted.given_back,
                    "given back and sent"
                );
                emitted.given_back = true;
            }
            Event::Disconnect { key, reason } => {
                let ours = self.ours.get_mut(&key).expect("it is known");
                assert!(!ours.gone && ours.connected.is_some(), "disconnected twice");
                ours.connected = None;
                ours.gone = reason.is_final();
            }
        }
    }

    fn server_is_told(&mut self, event: server::Event) {
        use server::Event;
        match event {
            Event::Connect { key, namespace, .. } => {
                assert!(NAMESPACES.contains(&&namespace[..]));
                assert!(
                    self.keys.insert(key, self.next_socket).is_none(),
                    "a key was given twice"
                );
                self.theirs.insert(self.next_socket, Theirs::default());
                self.next_socket += 1;
                self.pending.push(key);
            }
            Event::Event { key, name, args, ack } => {
                let theirs = &self.theirs[&self.keys[&key]];
                assert!(theirs.accepted && !theirs.gone, "an event of nobody");
                let (_, number) = read(&args);
                let (&ours_key, ours) = self
                    .ours
                    .iter_mut()
                    .find(|(_, ours)| ours.emitted.contains_key(&number))
                    .expect("somebody emitted it");
                let emitted = ours.emitted.get_mut(&number).expect("it was just seen");
                assert!(emitted.handed && !emitted.given_back);
                match emitted.retried {
                    true => {
                        assert!(ours.last_retried <= Some(number), "out of order");
                        ours.last_retried = Some(number);
                    }
                    false => {
                        assert!(
                            !emitted.received && ours.last_received < Some(number),
                            "twice, or out of order"
                        );
                        ours.last_received = Some(number);
                    }
                }
                emitted.received = true;
                assert_eq!(ack.is_some(), &name[..] == "acked" || &name[..] == "retried");
                self.server_tokens.extend(ack.map(|ack| (ack, ours_key, number)));
            }
            Event::Ack { key, id, .. } => {
                let theirs = self.theirs.get_mut(&self.keys[&key]).expect("it is known");
                assert!(theirs.waiting.remove(&id), "an acknowledgement was answered twice");
            }
            Event::Disconnect { key, .. } => {
                let theirs = self.theirs.get_mut(&self.keys[&key]).expect("it is known");
                assert!(theirs.accepted && !theirs.gone, "disconnected twice");
                assert!(theirs.waiting.is_empty(), "an acknowledgement was not answered");
                theirs.gone = true;
            }
        }
    }

    // ---- the end ----

    /// Everybody behaves for a while; then the client closes, and all must be accounted for.
    fn finish(&mut self) {
        for _ in 0..4 {
            self.open();
            self.settle();
            while !self.pending.is_empty() {
                self.server_answers(1);
            }
            self.settle();
            while self.server.is_some() && !self.server_tokens.is_empty() {
                self.server_acknowledges(0);
                self.settle();
            }
        }
        self.settle();
        self.client.close();
        self.settle();
        if self.server.is_some() {
            self.cut(0);
        }
        self.take_events();
        assert!(!self.client.wants_connection() && self.client.poll_timeout().is_none());
        assert_eq!((self.client.waiting(), self.client.queued()), (0, 0));
        for (key, ours) in &self.ours {
            for (number, emitted) in &ours.emitted {
                assert_eq!(
                    emitted.ack.is_some(),
                    emitted.answer.is_some(),
                    "{key:?} {number} {emitted:?}"
                );
                let timed_out = emitted.answer == Some(Err(AckError::TimedOut));
                assert!(
                    emitted.handed
                        || emitted.given_back
                        || timed_out
                        || emitted.volatile
                        || (emitted.retried && emitted.answer.is_some()),
                    "lost without a word: {key:?} {number} {emitted:?}"
                );
                assert!(!(emitted.received && emitted.given_back) || emitted.volatile);
            }
        }
        for theirs in self.theirs.values() {
            assert!(theirs.gone || !theirs.accepted);
        }
    }
}

/// Which event's first message this is.
fn note_handed(ours: &mut BTreeMap<Key, Ours>, data: &Data) {
    let Some(text) = data.as_text() else {
        return;
    };
    let Some(array) = text.find('[').filter(|_| text.starts_with(['2', '5'])) else {
        return;
    };
    let Ok(args) = Args::new(&text[array..], Vec::new()) else {
        return;
    };
    let number: u64 = args.get(2).expect("two numbers were sent");
    let mut sockets = ours.values_mut();
    let emitted = sockets
        .find_map(|ours| ours.emitted.get_mut(&number))
        .expect("somebody emitted it");
    assert!(!emitted.handed || emitted.retried, "sent twice");
    emitted.handed = true;
}
