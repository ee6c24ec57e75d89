//! The cases of the official test suite of the Socket.IO protocol (`test-suite/test-suite.js` in `socketio/socket.io-protocol`,
//! for revision 5), which asks a server for a ping interval of 300 ms and a timeout of 200 ms. Each of its cases has its test
//! here, except for those of other files:
//!
//! | case | test |
//! | --- | --- |
//! | Socket.IO, connect: to the main and a custom namespace, with and without a payload | `connecting`, `handlers`: [`Peer::enter`] |
//! | an unknown namespace; an invalid handshake; no handshake in time | `connecting`; `violations` |
//! | disconnect: from the main namespace; from a custom one while the main one goes on | `ending`, and below |
//! | message: plain text, binary, each with an acknowledgement | `handlers`, `acks`, `binary` |
//! | invalid formats: packet type, payload, acknowledgement's number | `violations` |
//! | Engine.IO on Socket.IO's path | below; on Engine.IO's own path, `tests/protocol` |

use std::time::Duration;

use super::peer::{Peer, Plan, on_every_transport};
use crate::client::{POLLING, WEBSOCKET};
use crate::http::Connection;
use crate::server::Server;
use crate::websocket::{Message, WebSocket, ask};

const TIMES: [&str; 4] = ["--ping-interval", "300ms", "--ping-timeout", "200ms"];
/// Where a pong may be late because the machine is busy.
const PATIENT: [&str; 4] = ["--ping-interval", "300ms", "--ping-timeout", "20s"];

#[test]
fn sessions_are_opened_on_both_transports() {
    let server = Server::app("socketio", &TIMES);
    let polling = server.get(POLLING).text().to_owned();
    let mut websocket = WebSocket::connect(&server, WEBSOCKET);
    let Message::Text(direct) = websocket.message() else {
        panic!("the open packet is text");
    };
    for (open, upgrades) in [(polling, r#"["websocket"]"#), (direct, "[]")] {
        let (_, rest) = open.split_once(r#"","upgrades":"#).expect("upgrades after the id");
        let wanted = format!(r#"{upgrades},"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}}"#);
        assert_eq!(rest, wanted);
    }
    drop(websocket);
    server.expect_nothing_kept();
    server.finish();
}

#[test]
fn wrong_handshakes_are_refused() {
    let server = Server::app("socketio", &TIMES);
    for (query, code) in [
        ("transport=polling", 5),
        ("EIO=abc&transport=polling", 5),
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=__proto__", 0),
        ("EIO=4&transport=polling&sid=__proto__", 1),
        ("EIO=3&transport=polling", 5),
    ] {
        let target = format!("/socket.io/?{query}");
        server.get(&target).assert_error(code);
        let (mut connection, answer) = ask(&server, &target.replace("polling", "websocket"), &[]);
        answer.assert_error(code);
        connection.assert_closed();
    }
    for method in ["POST", "PUT", "DELETE"] {
        let mut connection = server.connect();
        connection.request(method, POLLING, &[], Some(b""));
        connection.response().assert_error(2);
    }
    // Where Socket.IO is served, Engine.IO's own path is not.
    assert_eq!(server.get("/engine.io/?EIO=4&transport=polling").status, 404);
    server.expect_nothing_kept();
    server.finish();
}

#[test]
fn pings_come_and_are_answered() {
    on_every_transport(&PATIENT, |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        for _ in 0..3 {
            match &mut peer.websocket {
                Some(websocket) => {
                    websocket.assert_text("2");
                    websocket.text("3");
                }
                None => {
                    peer.poll().assert_ok("2");
                    peer.post("3").assert_ok("ok");
                }
            }
        }
        peer.expect_nothing();
    });
}

#[test]
fn whoever_answers_no_ping_is_given_up() {
    on_every_transport(&["--ping-interval", "300ms", "--ping-timeout", "1s"], |server, plan| {
        let mut peer = Peer::open(server, plan);
        match &mut peer.websocket {
            Some(websocket) => {
                websocket.assert_text("2");
                websocket.assert_closes();
            }
            None => crate::waiting::wait_until("it is unknown", || peer.poll().status == 400),
        }
        peer.vanish();
    });
}

#[test]
fn a_session_is_closed_by_a_packet() {
    on_every_transport(&PATIENT, |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        match &mut peer.websocket {
            Some(websocket) => {
                websocket.text("1");
                websocket.assert_closes();
            }
            None => {
                let mut waiting = server.connect();
                waiting.request("GET", &format!("{POLLING}&sid={}", peer.sid), &[], None);
                crate::session::settle();
                peer.post("1").assert_ok("ok");
                waiting.response().assert_ok("6");
                peer.poll().assert_error(1);
            }
        }
        peer.vanish();
    });
}

#[test]
fn after_an_upgrade_the_session_is_served_on_its_websocket_alone() {
    let server = Server::app("socketio", &PATIENT);
    let mut peer = Peer::open(&server, Plan::Polling);
    peer.send("0");
    let target = format!("{WEBSOCKET}&sid={}", peer.sid);
    let mut websocket = WebSocket::connect(&server, &target);
    websocket.text("2probe");
    websocket.assert_text("3probe");
    // What waits is there still, or a packet that means nothing.
    assert_eq!(peer.poll().status, 200);
    websocket.text("5");
    websocket.text("42[\"message\",\"on the websocket\"]");
    let answer = loop {
        match websocket.message() {
            Message::Text(text) if text == "2" => websocket.text("3"),
            Message::Text(text) if text.starts_with("40{") || text.starts_with("42[\"auth\"") => {}
            other => break other,
        }
    };
    assert_eq!(answer, Message::Text(r#"42["message-back","on the websocket"]"#.into()));
    peer.poll().assert_error(3);
    peer.post("42[\"message\"]").assert_error(3);
    let (_, refused) = ask(&server, &target, &[]);
    refused.assert_error(3);
    websocket.text("41");
    websocket.close();
    peer.vanish();
    server.expect_nothing_kept();
    server.finish();
}

#[test]
fn a_connection_without_a_namespace_is_still_a_connection() {
    on_every_transport(&PATIENT, |server, plan| {
        let (mut peer, _) = Peer::join(server, plan);
        peer.send("1");
        match &mut peer.websocket {
            Some(websocket) => {
                websocket.assert_text("2");
                websocket.text("3");
            }
            None => {
                peer.poll().assert_ok("2");
                peer.post("3").assert_ok("ok");
            }
        }
        peer.enter("/custom", "");
        peer.send("1/custom");
        peer.enter("/", "");
        peer.send(r#"2["message","message to main namespace"]"#);
        peer.expect(r#"2["message-back","message to main namespace"]"#);
    });
}

#[test]
fn an_invalid_first_packet_and_none_at_all_end_it() {
    let mut flags = PATIENT.to_vec();
    flags.extend(["--connect-timeout", "500ms"]);
    on_every_transport(&flags, |server, plan| {
        let mut invalid = Peer::open(server, plan);
        invalid.send("abc");
        let mut silent = Peer::open(server, plan);
        for peer in [&mut invalid, &mut silent] {
            assert_eq!(peer.expect_end(), []);
        }
    });
}

#[test]
fn a_poll_that_is_given_up_ends_the_session() {
    let server = Server::app("socketio", &[]);
    let (peer, _) = Peer::join(&server, Plan::Polling);
    let mut waiting = Connection::open(server.address);
    waiting.request("GET", &format!("{POLLING}&sid={}", peer.sid), &[], None);
    crate::session::settle();
    drop(waiting);
    server.expect_nothing_kept();
    peer.poll().assert_error(1);
    peer.vanish();
    let (second, _) = Peer::join(&server, Plan::Polling);
    let target = format!("{POLLING}&sid={}", second.sid);
    let mut waiting = Connection::open(server.address);
    waiting.request("GET", &target, &[], None);
    crate::session::settle();
    second.poll().assert_error(3);
    waiting
        .response_within(Duration::from_secs(5))
        .expect("an answer")
        .assert_ok("1");
    second.vanish();
    server.expect_nothing_kept();
    server.finish();
}
