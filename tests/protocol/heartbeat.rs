//! When pings come, what answers them, and when a session is given up. Here time itself is the
//! matter; how late something may come is generous, since the machine may be busy. The figures are
//! printed: `cargo test --features cli --test protocol heartbeat -- --nocapture`.

use std::time::{Duration, Instant};

use crate::http::PATIENCE;
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{FIN, Message, TEXT, WEBSOCKET, WebSocket, frame};

const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);
const TOLERANCE: Duration = Duration::from_millis(250);

fn server() -> Server {
    Server::with(&["--ping-interval", "300ms", "--ping-timeout", "200ms"])
}

/// A span in which something happened that we can only see from outside.
#[derive(Clone, Copy)]
struct Opened {
    asked: Instant,
    answered: Instant,
}

impl Opened {
    /// The event came not before `wanted` after the opening, and not much later.
    #[track_caller]
    fn assert_after(&self, what: &str, wanted: Duration) {
        let most = self.asked.elapsed();
        let least = self.answered.elapsed();
        println!("{what}: {least:?} to {most:?} after the open, wanted {wanted:?}");
        assert!(most >= wanted, "{what}: {most:?} is too early");
        assert!(least <= wanted + TOLERANCE, "{what}: {least:?} is too late");
    }
}

fn open_polling(server: &Server) -> (Session<'_>, Opened) {
    let asked = Instant::now();
    let session = Session::open(server);
    let answered = Instant::now();
    (session, Opened { asked, answered })
}

fn open_websocket(server: &Server) -> (WebSocket, Opened) {
    let asked = Instant::now();
    let mut websocket = WebSocket::connect(server, WEBSOCKET);
    websocket.message();
    let answered = Instant::now();
    (websocket, Opened { asked, answered })
}

#[test]
fn first_ping_on_polling_comes_one_interval_after_the_open() {
    let server = server();
    let (session, opened) = open_polling(&server);
    session.get().assert_ok("2");
    opened.assert_after("first ping on polling", INTERVAL);
    session.send("3");
    session.close();
    server.finish();
}

#[test]
fn first_ping_on_websocket_comes_one_interval_after_the_open() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    websocket.assert_text("2");
    opened.assert_after("first ping on a WebSocket", INTERVAL);
    websocket.text("3");
    websocket.close();
    server.finish();
}

#[test]
fn pongs_keep_a_websocket_alive_and_pings_keep_their_pace() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    for number in 1..=4 {
        websocket.assert_text("2");
        let pace = opened.asked.elapsed();
        println!("ping {number} at {pace:?}");
        assert!(pace >= INTERVAL * number);
        assert!(pace < INTERVAL * number + TOLERANCE * number);
        websocket.text("3");
    }
    websocket.assert_echoes("alive");
    websocket.close();
    server.finish();
}

#[test]
fn pongs_keep_a_polling_session_alive() {
    let server = server();
    let (session, opened) = open_polling(&server);
    for number in 1..=3 {
        session.get().assert_ok("2");
        assert!(opened.asked.elapsed() >= INTERVAL * number);
        session.send("3");
    }
    session.assert_echoes("alive");
    session.close();
    server.finish();
}

/// The reference's client re-arms its watchdog by `2` alone, so traffic does not replace pings.
#[test]
fn pings_come_to_a_busy_session_too() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    let mut pings = 0;
    let mut awaited = 0_u32;
    while pings < 3 {
        assert!(opened.asked.elapsed() < PATIENCE, "only {pings} pings came");
        if awaited == 0 {
            websocket.text("4busy");
            awaited = 1;
        }
        match websocket.message() {
            Message::Text(text) if text == "2" => {
                pings += 1;
                websocket.text("3");
            }
            Message::Text(text) if text == "4busy" => awaited = 0,
            other => panic!("{other:?}"),
        }
    }
    let elapsed = opened.answered.elapsed();
    assert!(elapsed < INTERVAL * 3 + TOLERANCE * 3, "{elapsed:?}");
    if awaited > 0 {
        websocket.assert_text("4busy");
    }
    websocket.close();
    server.finish();
}

/// CVE-2026-48802: every pong used to bring forth another ping.
#[test]
fn flood_of_pongs_brings_no_early_ping() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    websocket.send(frame(FIN | TEXT, b"3").repeat(2000));
    websocket.assert_text("2");
    opened.assert_after("first ping after a flood of pongs", INTERVAL);
    websocket.text("3");
    // One ping for each interval, not one for each pong.
    assert_eq!(websocket.message_within(INTERVAL / 2), None);
    websocket.close();
    server.finish();
}

#[test]
fn websocket_without_a_pong_times_out_on_time() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    websocket.assert_text("2");
    websocket.assert_closes();
    opened.assert_after("time-out on a WebSocket", INTERVAL + TIMEOUT);
    server.finish();
}

#[test]
fn unsolicited_pong_does_not_count_for_the_next_ping() {
    let server = server();
    let (mut websocket, opened) = open_websocket(&server);
    websocket.text("3");
    websocket.assert_text("2");
    websocket.assert_closes();
    opened.assert_after("time-out after an early pong", INTERVAL + TIMEOUT);
    server.finish();
}

#[test]
fn waiting_get_without_a_pong_times_out_on_time() {
    let server = server();
    let (session, opened) = open_polling(&server);
    session.get().assert_ok("2");
    let response = session.get();
    opened.assert_after("time-out of a waiting GET", INTERVAL + TIMEOUT);
    assert!(
        response.status == 400 || matches!(response.text(), "1" | "6"),
        "{response:?}"
    );
    session.assert_gone();
    server.finish();
}

#[test]
fn polling_without_a_waiting_get_times_out_on_time() {
    let server = server();
    let (session, opened) = open_polling(&server);
    let mut connection = server.connect();
    loop {
        let response = connection.get("/__stats");
        if response.text().contains("\"sessions\":0") {
            break;
        }
        assert!(opened.asked.elapsed() < PATIENCE, "it stays for ever");
    }
    opened.assert_after("time-out of an idle polling session", INTERVAL + TIMEOUT);
    session.assert_gone();
    server.finish();
}

/// Whatever comes while a pong is awaited shows that the client is alive, so it gets some more time:
/// but once, since a client that never answers a ping is broken.
#[test]
fn packet_while_a_pong_is_awaited_extends_the_wait_once() {
    let timeout = Duration::from_millis(400);
    let server = Server::with(&["--ping-interval", "300ms", "--ping-timeout", "400ms"]);
    let (mut websocket, _) = open_websocket(&server);
    websocket.assert_text("2");
    let pinged = Instant::now();
    // The first packet comes half-way through the wait, more follow all the time.
    std::thread::sleep(timeout / 2);
    let extended = Instant::now();
    let ended = loop {
        let message = frame(FIN | TEXT, b"4busy");
        websocket.connection.send_if_open(message, PATIENCE);
        match websocket.message() {
            Message::Text(text) if matches!(text.as_str(), "4busy" | "1") => {}
            Message::Close(_) | Message::End => break extended.elapsed(),
            other => panic!("{other:?}"),
        }
        assert!(pinged.elapsed() < PATIENCE, "it is extended for ever");
        std::thread::sleep(Duration::from_millis(20));
    };
    println!("ended {ended:?} after the packet that extended the wait of {timeout:?}");
    assert!(ended >= timeout, "not extended: {ended:?}");
    assert!(ended <= timeout + TOLERANCE, "more than once: {ended:?}");
    server.finish();
}

#[test]
fn post_while_a_pong_is_awaited_extends_the_wait_once() {
    let timeout = Duration::from_millis(400);
    let server = Server::with(&["--ping-interval", "300ms", "--ping-timeout", "400ms"]);
    let session = Session::open(&server);
    session.get().assert_ok("2");
    let pinged = Instant::now();
    std::thread::sleep(timeout / 2);
    let extended = Instant::now();
    loop {
        let response = session.post("6");
        if response.status != 200 {
            response.assert_error(1);
            break;
        }
        assert!(pinged.elapsed() < PATIENCE, "it is extended for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = extended.elapsed();
    println!("ended {ended:?} after the POST that extended the wait of {timeout:?}");
    assert!(ended >= timeout, "not extended: {ended:?}");
    assert!(ended <= timeout + TOLERANCE, "more than once: {ended:?}");
    server.finish();
}

#[test]
fn heartbeat_goes_on_across_an_upgrade() {
    let server = server();
    let (session, opened) = open_polling(&server);
    let mut websocket = session.upgrade();
    websocket.assert_text("2");
    opened.assert_after("first ping after an upgrade", INTERVAL);
    websocket.text("3");
    websocket.assert_text("2");
    websocket.assert_closes();
    server.get(&format!("{POLLING}&sid={}", session.sid)).assert_error(1);
    server.finish();
}

#[test]
fn abandoned_sessions_end_by_themselves() {
    let server = server();
    for _ in 0..20 {
        Session::open(&server);
    }
    let (_websocket, _) = open_websocket(&server);
    let half_done = Session::open(&server);
    let _websocket = half_done.websocket();
    server.wait_for_sessions(0);
    server.finish();
}
