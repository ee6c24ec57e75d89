//! The ways in which servers of this kind were brought down or filled up before (section 2 of the
//! notes), as far as they concern Engine.IO, HTTP and WebSocket.

use std::time::Duration;

use crate::http::{Connection, PATIENCE, Response};
use crate::server::Server;
use crate::session::{POLLING, Session, settle};
use crate::websocket::{FIN, Message, TEXT, WEBSOCKET, WebSocket, ask, frame, header, upgrade_request};

/// CVE-2022-21676: wrong frames in the same segment as the request for the WebSocket.
#[test]
fn garbage_frames_right_behind_an_upgrade_request() {
    let server = Server::start();
    let session = Session::open(&server);
    for target in [WEBSOCKET, &session.websocket_target()] {
        for garbage in [
            &b"\xf1\x80garbage"[..],
            // A whole header: the codec judges no half ones. It may name the length first, or the reserved bits.
            &[0xff; 14],
            b"\x00\x00\x00\x00",
            b"GET / HTTP/1.1\r\n\r\n",
            &frame(0x70 | FIN | TEXT, b"2probe"),
        ] {
            let mut connection = server.connect();
            let mut bytes = upgrade_request(connection.host(), target, &[]);
            bytes.extend_from_slice(garbage);
            connection.send(bytes);
            let response = connection.response();
            let mut websocket = WebSocket::granted(connection, &response);
            loop {
                match websocket.message() {
                    Message::Text(packet) => assert!(packet.starts_with("0{"), "{packet}"),
                    Message::Close(code) => {
                        assert!(matches!(code, Some(1002 | 1009)), "{code:?}");
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    session.assert_echoes("still polling");
    session.close();
    server.finish();
}

/// CVE-2023-31125: names that every JavaScript object knows, on a request for a WebSocket.
#[test]
fn prototype_names_on_an_upgrade_request() {
    let server = Server::start();
    for name in ["__proto__", "constructor", "prototype", "valueOf", "hasOwnProperty"] {
        let (_connection, response) = ask(&server, &format!("/engine.io/?EIO=4&transport={name}"), &[]);
        response.assert_error(0);
        let (_connection, response) = ask(&server, &format!("{WEBSOCKET}&sid={name}"), &[]);
        response.assert_error(1);
        let (_connection, response) = ask(&server, &format!("/engine.io/?EIO={name}&transport=websocket"), &[]);
        response.assert_error(5);
    }
    server.finish();
}

/// engineioxide #794: a packet that is cut in the middle of its first character.
#[test]
fn packets_that_begin_with_a_wide_character() {
    let server = Server::start();
    for text in [
        "\u{e9}1234",
        "\u{e9}",
        "\u{20ac}",
        "\u{1f600}abc",
        "b\u{e9}12",
        "\u{2028}",
    ] {
        let session = Session::open(&server);
        session.post(text).assert_error(3);
        session.assert_gone();
        let mut websocket = WebSocket::open(&server);
        websocket.text(text);
        websocket.assert_closes();
        let session = Session::open(&server);
        let mut websocket = session.websocket();
        websocket.text(text);
        websocket.assert_closes();
        session.assert_echoes("still polling");
        session.close();
    }
    server.finish();
}

/// CVE-2026-48802: each pong used to start something that stayed.
#[test]
fn flood_of_pongs_on_both_transports() {
    let server = Server::start();
    let before = server.peak_memory();
    let session = Session::open(&server);
    let flood = vec!["3"; 10_000].join("\x1e");
    for _ in 0..5 {
        session.send(&flood);
    }
    session.assert_echoes("after the flood");
    session.close();
    let mut websocket = WebSocket::open(&server);
    for _ in 0..50 {
        websocket.send(frame(FIN | TEXT, b"3").repeat(1000));
    }
    websocket.assert_echoes("after the flood");
    websocket.close();
    server.assert_memory_flat(before);
    server.finish();
}

/// The smallest packets there are, as many as one body holds.
#[test]
fn megabyte_of_tiny_packets_in_one_post() {
    let server = Server::start();
    let session = Session::open(&server);
    let before = server.peak_memory();
    session.send(vec!["6"; 500_000].join("\x1e"));
    session.assert_echoes("after the noops");
    // What a packet costs in memory may be many times its two bytes, but not by much.
    server.assert_memory_flat(before);

    // As messages, their echoes fill the queue and the rest has to wait. That polls bring them is
    // enough here; then a body of the wrong type ends the session, whether or not the first POST is
    // still held.
    let mut post = server.connect();
    let body = vec!["4"; 500_000].join("\x1e");
    post.request("POST", &session.target(), &[], Some(body.as_bytes()));
    let mut poll = server.connect();
    for _ in 0..20 {
        let response = poll.get(&session.target());
        assert_eq!(response.status, 200);
        assert!(response.text().split('\x1e').all(|packet| packet == "4"));
    }
    server.assert_memory_flat(before);
    let header = ["Content-Type: application/octet-stream"];
    let response = server.request("POST", &session.target(), &header, Some(b"4"));
    assert_eq!(response.status, 400);
    session.assert_gone();
    server.finish();
}

/// engineioxide #731: upgrades that are opened and left at that.
#[test]
fn half_open_upgrades_end_by_themselves() {
    let server = Server::with(&["--upgrade-timeout", "400ms"]);
    let sessions: Vec<Session<'_>> = (0..30).map(|_| Session::open(&server)).collect();
    let mut websockets: Vec<WebSocket> = sessions
        .iter()
        .enumerate()
        .map(|(number, session)| {
            if number % 2 == 0 {
                session.websocket()
            } else {
                session.probe()
            }
        })
        .collect();
    for websocket in &mut websockets {
        websocket.assert_closes();
    }
    for session in &sessions {
        session.assert_echoes("still polling");
        session.close();
    }
    server.finish();
}

/// A WebSocket announces a message, sends a part of it and stops; with the session's time-out it is
/// over.
#[test]
fn half_sent_messages_end_with_their_session() {
    let server = Server::impatient();
    let before = server.peak_memory();
    let mut websockets = Vec::new();
    for _ in 0..30 {
        let mut websocket = WebSocket::open(&server);
        websocket.send(header(FIN | TEXT, 999_999));
        websocket.send([0; 1000]);
        websockets.push(websocket);
    }
    server.wait_for_sessions(0);
    server.assert_memory_flat(before);
    server.finish();
}

#[test]
fn idle_connections_block_nobody() {
    let server = Server::start();
    let idle: Vec<Connection> = (0..200).map(|_| server.connect()).collect();
    let session = Session::open(&server);
    let mut waiting = session.park();
    server.assert_serves();
    session.send("4hello");
    waiting.response().assert_ok("4hello");
    session.close();
    drop(idle);
    server.finish();
}

/// A client that sends and never reads: what it sends is no longer taken, and nobody else notices.
#[test]
fn websocket_that_never_reads_blocks_nobody() {
    let server = Server::start();
    let before = server.peak_memory();
    let mut websocket = WebSocket::open(&server);
    let message = frame(FIN | TEXT, &[b'4'; 900_000]);
    let mut taken = 0;
    while taken < 200 && websocket.connection.send_if_open(&message, Duration::from_millis(700)) {
        taken += 1;
    }
    assert!(taken < 200, "180 MB were taken from a client that never reads");
    // The kernel's own buffers are not the program's memory.
    server.assert_memory_flat(before);
    server.assert_serves();
    drop(websocket);
    server.finish();
}

#[test]
fn websocket_that_reads_late_gets_everything_in_order() {
    let server = Server::start();
    let (mut websocket, _) = WebSocket::open_with_sid(&server);
    let mut sent = 0;
    // Few enough that the echoes fit into the kernel's buffers and the session's queue, or else the
    // client has to read before it can send on.
    while sent < 12 {
        let text = format!("4{sent} {}", "x".repeat(50_000));
        websocket.text(&text);
        sent += 1;
    }
    settle();
    for number in 0..sent {
        let Message::Text(text) = websocket.message() else {
            panic!("message {number} is text");
        };
        assert!(text.starts_with(&format!("4{number} ")), "message {number}");
        assert!(text.len() > 50_000);
    }
    websocket.close();
    server.finish();
}

#[test]
fn handshakes_without_a_session_to_come_are_cheap() {
    let server = Server::start();
    let before = server.peak_memory();
    let mut connection = server.connect();
    for number in 0..2000 {
        let response: Response = connection.get(&format!("{POLLING}&sid=guess{number}"));
        response.assert_error(1);
    }
    server.assert_memory_flat(before);
    assert_eq!(server.stats().opened, 0);
    server.finish();
}

#[test]
fn many_sessions_at_once() {
    let server = Server::start();
    let polling: Vec<Session<'_>> = (0..50).map(|_| Session::open(&server)).collect();
    let mut websockets: Vec<WebSocket> = (0..50).map(|_| WebSocket::open(&server)).collect();
    server.wait_for_sessions(100);
    for (number, session) in polling.iter().enumerate() {
        session.assert_echoes(&format!("mine {number}"));
    }
    for (number, websocket) in websockets.iter_mut().enumerate() {
        websocket.text(&format!("4mine {number}"));
    }
    for (number, websocket) in websockets.iter_mut().enumerate() {
        websocket.assert_text(&format!("4mine {number}"));
    }
    for session in polling {
        session.close();
    }
    for websocket in websockets {
        websocket.close();
    }
    server.finish();
}

#[test]
fn stats_say_what_happened() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = WebSocket::open(&server);
    server.wait_for_sessions(2);
    let stats = server.stats();
    assert_eq!((stats.opened, stats.closed), (2, 0));
    session.assert_echoes("one");
    websocket.assert_echoes("two");
    session.close();
    websocket.close();
    server.wait_for_sessions(0);
    let stats = server.stats();
    assert_eq!((stats.opened, stats.closed), (2, 2));
    let text = server.get("/__stats").text().to_owned();
    for counter in ["\"received\":2", "\"sent\":2"] {
        assert!(text.contains(counter), "{text}");
    }
    server.finish();
}

#[test]
fn refused_connections_do_not_pile_up() {
    let server = Server::start();
    let before = server.peak_memory();
    for _ in 0..300 {
        let mut connection = server.connect();
        connection.send("nonsense\r\n\r\n");
        let response = connection.response_within(PATIENCE).expect("a refusal");
        assert_eq!(response.status, 400);
    }
    server.assert_memory_flat(before);
    server.finish();
}
