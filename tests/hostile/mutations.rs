//! Right answers, cut, split and bent at every byte. One program goes through all of them, by its reconnecting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Event};
use crate::frames::{BINARY, CONTINUATION, FIN, TEXT, frame};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::{Next, Visit};

/// Without end, and without waiting.
const RESTLESS: [&str; 6] = [
    "--reconnect",
    "forever",
    "--reconnect-delay",
    "1ms",
    "--reconnect-delay-max",
    "1ms",
];

const POLLED: &str = "4first\x1ebAQID\x1e4é";

fn response(body: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn chunked(body: &str) -> Vec<u8> {
    let (left, right) = body.split_at(7);
    format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{left}\r\n{:X};a=b\r\n{right}\r\n0\r\nX: y\r\n\r\n",
        left.len(),
        right.len()
    )
    .into_bytes()
}

fn frames() -> Vec<u8> {
    [
        frame(FIN | TEXT, b"4first"),
        frame(BINARY, b"\x01\x02"),
        frame(FIN | CONTINUATION, b"\x03"),
        frame(FIN | TEXT, "4é".as_bytes()),
    ]
    .concat()
}

/// What all of them hold.
#[track_caller]
fn takes_the_messages(client: &mut Client) {
    client.text("first");
    client.binary(b"\x01\x02\x03");
    client.text("é");
}

#[test]
fn polls_split_at_every_byte() {
    for whole in [response(POLLED), chunked(POLLED)] {
        let length = whole.len();
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll if visit.nth < length => {
                let (left, right) = whole.split_at(visit.nth);
                visit.write(left);
                visit.sleep(2);
                visit.write(right);
                Next::KeepAlive
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        for _ in 0..length {
            takes_the_messages(&mut client);
        }
        client.goes_on(&server);
        client.close();
    }
}

#[test]
fn frames_split_at_every_byte() {
    let server = Server::start(Config::default(), |visit| {
        visit.open_directly();
        let whole = frames();
        for at in 0..whole.len() {
            let (left, right) = whole.split_at(at);
            visit.write(left);
            visit.sleep(2);
            visit.write(right);
        }
        visit.serve_websocket()
    });
    let mut client = Client::connect(&server, &["--transports", "websocket"]);
    client.opened("websocket");
    for _ in 0..frames().len() {
        takes_the_messages(&mut client);
    }
    client.goes_on(&server);
    client.close();
}

#[test]
fn polls_cut_at_every_byte() {
    for whole in [response(POLLED), chunked(POLLED)] {
        let length = whole.len();
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll if visit.nth < length => {
                visit.write(&whole[..visit.nth]);
                if visit.nth % 2 == 0 { visit.reset() } else { Next::Close }
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &RESTLESS);
        for _ in 0..length {
            client.opened("polling");
            client.failed(&["transport error"]);
            client.reconnecting(1);
        }
        client.opened("polling");
        client.goes_on(&server);
        client.close();
        assert_eq!(server.sessions(), length + 1);
    }
}

#[test]
fn handshakes_cut_at_every_byte() {
    for transport in ["polling", "websocket"] {
        let cut = Arc::new(AtomicUsize::new(0));
        let cuts = Arc::clone(&cut);
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open | Kind::Direct => {
                let packet = visit.shared.config.open_packet("abc", false);
                let whole = match visit.kind {
                    Kind::Open => response(&packet),
                    _ => [visit.grant(&[]).into_bytes(), frame(FIN | TEXT, packet.as_bytes())].concat(),
                };
                // (At every third, to be quick about it.)
                let at = cuts.fetch_add(3, Ordering::Relaxed);
                if at >= whole.len() {
                    return Next::Usual;
                }
                visit.write(&whole[..at]);
                Next::Close
            }
            _ => Next::Usual,
        });
        let arguments = [&RESTLESS[..], &["--transports", transport]].concat();
        let mut client = Client::connect(&server, &arguments);
        for attempt in 1.. {
            match client.next() {
                Event::Error { kind, .. } => {
                    assert!(["connection", "protocol"].contains(&kind.as_str()), "{kind}");
                    client.reconnecting(attempt);
                }
                Event::Open { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(cut.load(Ordering::Relaxed) > 150, "all cuts were tried");
        client.goes_on(&server);
        client.close();
        assert_eq!(server.sessions(), 1);
    }
}

/// Random enough, and the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// Changes one byte, drops one, doubles one, or puts one in.
    fn bend(&mut self, bytes: &mut Vec<u8>) {
        // No `1`: where a packet begins, it would end everything in order.
        const BYTES: &[u8] = b"\0\x1e\r\n \t:;,{}[]\"0329abzAZ-+\x7f\x80\xc3\xff";
        let at = self.roll(bytes.len());
        let byte = BYTES[self.roll(BYTES.len())];
        match self.roll(4) {
            0 => bytes[at] = byte,
            1 => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, bytes[at]),
            _ => bytes.insert(at, byte),
        }
    }
}

/// How many bent answers each of the following tests goes through.
const BENT: usize = 100;

/// Every session and every attempt to get one ends as it should, whatever the answers; and the last one is fine.
#[track_caller]
fn survives(server: &Server, transport: &str) {
    let arguments = [&RESTLESS[..], &["--timeout", "150ms", "--transports", transport]].concat();
    let mut client = Client::connect(server, &arguments);
    let started = Instant::now();
    let mut is_open = false;
    let mut has_error = false;
    loop {
        match client.next() {
            Event::Open { .. } if !is_open => {
                is_open = true;
                has_error = false;
                let state = server.shared.state();
                if state
                    .kinds
                    .iter()
                    .filter(|kind| matches!(kind, Kind::Open | Kind::Direct))
                    .count()
                    > BENT
                {
                    break;
                }
            }
            Event::Text(_) | Event::Binary(_) if is_open && !has_error => {}
            Event::Error { .. } if !has_error => has_error = true,
            Event::Close(reason) if is_open => {
                assert_ne!(reason, "client disconnect");
                is_open = false;
                has_error = true;
            }
            // Behind the end of a session, or an error in place of one.
            Event::Reconnecting { .. } if !is_open && has_error => has_error = false,
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(40), "it takes too long");
    }
    // The last one is a good one.
    client.goes_on(server);
    client.close();
}

/// The bytes that the machine and the fixture agree on, bent.
fn bent(seed: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ ((seed as u64 + 1) << 20));
    for _ in 0..3 {
        dice.roll(2);
    }
    for _ in 0..=dice.roll(3) {
        dice.bend(&mut bytes);
    }
    bytes
}

#[test]
fn bent_handshakes_over_polling() {
    let server = Server::start(Config::beating(50, 50), |visit| match visit.kind {
        Kind::Open if visit.nth < BENT => {
            let packet = visit.open_session();
            let bytes = bent(visit.nth, response(&packet));
            visit.write(bytes);
            visit.stay_silent()
        }
        Kind::Open => a_calm_session(visit),
        _ if is_last(visit) => Next::Usual,
        // The id may be bent, too.
        _ => visit.answer("400 Bad Request", &[], ""),
    });
    survives(&server, "polling");
    forgive_unknown_sessions(&server);
}

#[test]
fn bent_polls() {
    let server = Server::start(Config::beating(50, 50).silent(), |visit| match visit.kind {
        Kind::Open if visit.nth >= BENT => a_calm_session(visit),
        Kind::Poll if !is_last(visit) => {
            let whole = if visit.nth % 2 == 0 {
                response(POLLED)
            } else {
                chunked(POLLED)
            };
            let bytes = bent(visit.nth, whole);
            visit.write(bytes);
            visit.stay_silent()
        }
        _ => Next::Usual,
    });
    survives(&server, "polling");
}

#[test]
fn bent_handshakes_over_the_websocket() {
    let server = Server::start(Config::beating(50, 50), |visit| {
        if visit.nth >= BENT {
            return a_calm_websocket(visit);
        }
        let packet = visit.shared.config.open_packet("abc", false);
        let whole = [visit.grant(&[]).into_bytes(), frame(FIN | TEXT, packet.as_bytes())].concat();
        let bytes = bent(visit.nth, whole);
        visit.write(bytes);
        visit.stay_silent()
    });
    survives(&server, "websocket");
}

#[test]
fn bent_frames() {
    let server = Server::start(Config::beating(50, 50), |visit| {
        if visit.nth >= BENT {
            return a_calm_websocket(visit);
        }
        visit.open_directly();
        let bytes = bent(visit.nth, frames());
        visit.write(bytes);
        visit.stay_silent()
    });
    survives(&server, "websocket");
}

/// The session that all of it comes to: its heart beats often, but it has time.
fn a_calm_session(visit: &mut Visit) -> Next {
    visit.begin("calm");
    let packet = Config::default().open_packet("calm", false);
    visit.ok(packet)
}

fn a_calm_websocket(visit: &mut Visit) -> Next {
    visit.accept();
    visit.begin("calm");
    visit.text(&Config::default().open_packet("calm", false));
    visit.serve_websocket()
}

fn is_last(visit: &Visit) -> bool {
    visit.request.query("sid").as_deref() == Some("calm")
}

/// A bent session id is one that the server does not know, which is not the client's doing.
fn forgive_unknown_sessions(server: &Server) {
    server.shared.change(|state| {
        state
            .complaints
            .retain(|complaint| !complaint.starts_with("an unknown session"));
    });
}
