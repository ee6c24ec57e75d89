//! SIGTERM and SIGINT: every session is told, and the program ends with 0 within two seconds.

use crate::server::Server;
use crate::session::Session;
use crate::websocket::{FIN, Message, TEXT, WebSocket, frame, header};

use std::time::Duration;

#[test]
fn waiting_get_gets_a_close_packet() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let session = Session::open(&server);
        let mut waiting = session.park();
        server.signal(signal);
        waiting.response().assert_ok("1");
        waiting.assert_closed();
        server.assert_exits();
    }
}

#[test]
fn websocket_gets_a_close_packet_and_a_close_frame() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let mut direct = WebSocket::open(&server);
        let session = Session::open(&server);
        let mut upgraded = session.upgrade();
        server.signal(signal);
        for websocket in [&mut direct, &mut upgraded] {
            websocket.assert_text("1");
            websocket.assert_closes();
        }
        server.assert_exits();
    }
}

#[test]
fn messages_sent_before_the_signal_are_still_echoed() {
    let mut server = Server::start();
    let mut websocket = WebSocket::open(&server);
    websocket.text("4before");
    websocket.connection.wait_for_unread();
    server.signal("TERM");
    websocket.assert_text("4before");
    websocket.assert_text("1");
    websocket.assert_closes();
    server.assert_exits();
}

#[test]
fn clients_that_do_not_cooperate_do_not_delay_the_end() {
    let mut server = Server::start();
    // Never says anything.
    let silent = server.connect();
    // Half a head, half a body.
    let mut head = server.connect();
    head.send("GET /engine.io/?EIO");
    let session = Session::open(&server);
    let mut body = server.connect();
    body.send(session.bytes("POST", &["Content-Length: 100"], None));
    body.send("4half");
    // A kept-alive connection, a session that nobody polls.
    let mut kept = server.connect();
    kept.get("/nowhere");
    // A WebSocket that does not answer the close frame, one that is in the middle of a message, one
    // that never reads, two in the middle of an upgrade.
    let unanswering = WebSocket::open(&server);
    let mut half_sent = WebSocket::open(&server);
    half_sent.send(header(FIN | TEXT, 900_000));
    let mut never_reading = WebSocket::open(&server);
    let message = frame(FIN | TEXT, &[b'4'; 900_000]);
    for _ in 0..30 {
        if !never_reading
            .connection
            .send_if_open(&message, Duration::from_millis(300))
        {
            break;
        }
    }
    let opened = Session::open(&server);
    let without_probe = opened.websocket();
    let probed = Session::open(&server);
    let without_upgrade = probed.probe();

    server.signal("TERM");
    server.assert_exits();
    drop((silent, head, body, kept, unanswering, half_sent));
    drop((never_reading, without_probe, without_upgrade));
}

#[test]
fn websocket_in_the_middle_of_an_upgrade_is_closed_and_the_waiting_get_answered() {
    let mut server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.websocket();
    server.signal("TERM");
    loop {
        match websocket.message() {
            Message::Text(text) if text == "1" => {}
            Message::Close(_) | Message::End => break,
            other => panic!("{other:?}"),
        }
    }
    drop(websocket);
    server.assert_exits();
}

#[test]
fn second_signal_does_no_harm() {
    let mut server = Server::start();
    let _websocket = WebSocket::open(&server);
    server.signal("TERM");
    server.signal("TERM");
    server.assert_exits();
}
