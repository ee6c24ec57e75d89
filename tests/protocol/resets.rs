//! Connections that are reset at every step (CVE-2022-41940 and its like): nothing breaks, nothing
//! stays behind.
//!
//! A reset is sent when a socket is closed while it holds bytes that nobody read, so each connection
//! first asks for something whose answer it leaves unread.

use crate::http::{Connection, request};
use crate::server::Server;
use crate::session::{POLLING, Session, settle};
use crate::websocket::{CONTINUATION, FIN, PING, TEXT, WEBSOCKET, WebSocket, ask, frame, header, upgrade_request};

/// Sends the bytes right behind a request whose answer stays unread, and resets the connection.
#[track_caller]
fn send_and_reset(server: &Server, bytes: &[u8]) {
    let mut connection = server.connect();
    let mut all = request("GET", "/__stats", connection.host(), &[], None);
    all.extend_from_slice(bytes);
    connection.send(all);
    connection.reset();
}

/// The same with the answer arrived before the bytes go out, so that they surely were awaited.
#[track_caller]
fn answer_unread(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.request("GET", "/__stats", &[], None);
    connection.wait_for_unread();
    connection
}

#[test]
fn reset_of_an_idle_connection() {
    let server = Server::start();
    for _ in 0..10 {
        answer_unread(&server).reset();
    }
    server.finish();
}

#[test]
fn reset_during_a_head() {
    let server = Server::start();
    let host = server.address.to_string();
    let head = request("GET", POLLING, &host, &[], None);
    for length in [1, 3, 20, head.len() - 2, head.len() - 1] {
        send_and_reset(&server, &head[..length]);
        let mut connection = answer_unread(&server);
        connection.send(&head[..length]);
        settle();
        connection.reset();
    }
    server.finish();
}

#[test]
fn reset_right_after_a_handshake_request() {
    // The session may have been opened by then; nobody knows its sid, so it ends by itself.
    let server = Server::impatient();
    let host = server.address.to_string();
    for _ in 0..10 {
        send_and_reset(&server, &request("GET", POLLING, &host, &[], None));
    }
    let mut connection = server.connect();
    connection.request("GET", POLLING, &[], None);
    connection.reset();
    server.finish();
}

#[test]
fn reset_during_a_body_delivers_nothing_and_keeps_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    let whole = session.bytes("POST", &[], Some(b"4half a message"));
    let chunked = session.bytes("POST", &["Transfer-Encoding: chunked"], None);
    let chunked = [chunked.as_slice(), b"f\r\n4half"].concat();
    for bytes in [&whole[..whole.len() - 5], &chunked] {
        send_and_reset(&server, bytes);
        let mut connection = answer_unread(&server);
        connection.send(bytes);
        settle();
        connection.reset();
        session.assert_echoes("nothing came of it");
    }
    session.close();
    server.finish();
}

#[test]
fn reset_while_a_get_waits_closes_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = answer_unread(&server);
    connection.send(session.bytes("GET", &[], None));
    settle();
    connection.reset();
    server.wait_for_sessions(0);
    session.assert_gone();
    server.finish();
}

#[test]
fn reset_while_a_large_response_is_written_leaves_nothing_behind() {
    let server = Server::impatient();
    let session = Session::open(&server);
    for _ in 0..3 {
        session.send("4".repeat(900_000));
    }
    let mut connection = server.connect();
    connection.request("GET", &session.target(), &[], None);
    connection.reset();
    server.finish();
}

#[test]
fn reset_during_a_websocket_handshake() {
    let server = Server::start();
    let host = server.address.to_string();
    let session = Session::open(&server);
    for target in [WEBSOCKET, &session.websocket_target()] {
        let whole = upgrade_request(&host, target, &[]);
        send_and_reset(&server, &whole[..whole.len() / 2]);
        send_and_reset(&server, &whole[..whole.len() - 1]);
    }
    session.assert_echoes("still polling");
    session.close();
    server.finish();
}

/// CVE-2022-41940: an upgrade that is refused, to a client that is gone already.
#[test]
fn reset_while_an_upgrade_is_refused() {
    let server = Server::start();
    let host = server.address.to_string();
    for target in [
        "/engine.io/?EIO=4&transport=foo",
        "/engine.io/?EIO=3&transport=websocket",
        "/engine.io/?EIO=4&transport=websocket&sid=unknown",
        "/nowhere",
    ] {
        for _ in 0..5 {
            let bytes = upgrade_request(&host, target, &[]);
            send_and_reset(&server, &bytes);
            let mut connection = server.connect();
            connection.send(&bytes);
            connection.reset();
        }
    }
    server.finish();
}

#[test]
fn reset_right_after_101() {
    let server = Server::start();
    let host = server.address.to_string();
    for _ in 0..5 {
        let bytes = upgrade_request(&host, WEBSOCKET, &[]);
        send_and_reset(&server, &bytes);
        let mut connection = server.connect();
        connection.send(&bytes);
        connection.reset();
    }
    let session = Session::open(&server);
    for _ in 0..5 {
        let mut connection = server.connect();
        connection.send(upgrade_request(&host, &session.websocket_target(), &[]));
        connection.reset();
        session.assert_echoes("still polling");
    }
    session.close();
    server.finish();
}

#[test]
fn reset_in_the_middle_of_a_frame() {
    let server = Server::start();
    let whole = frame(FIN | TEXT, &[b'4'; 300]);
    for bytes in [
        &whole[..1],
        &whole[..3],
        &whole[..6],
        &whole[..200],
        &frame(TEXT, b"4part"),
        &[frame(TEXT, b"4part"), frame(CONTINUATION, b"")].concat(),
        &header(FIN | TEXT, 900_000),
    ] {
        let mut websocket = WebSocket::open(&server);
        // The pong is what stays unread.
        websocket.frame(FIN | PING, b"x");
        websocket.connection.wait_for_unread();
        websocket.send(bytes);
        websocket.connection.reset();
    }
    server.finish();
}

#[test]
fn reset_with_echoes_unread() {
    let server = Server::start();
    for _ in 0..5 {
        let mut websocket = WebSocket::open(&server);
        websocket.send(frame(FIN | TEXT, &[b'4'; 10_000]).repeat(20));
        websocket.connection.reset();
    }
    server.finish();
}

#[test]
fn reset_during_the_probe_keeps_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    session.send("4before");
    for _ in 0..5 {
        let mut websocket = session.websocket();
        websocket.text("2probe");
        websocket.connection.reset();
        // Until the server has noticed, the polls are still answered by `6`: `receive` passes over
        // those.
        assert_eq!(session.receive(1), ["4before"]);
        session.send("4before");
    }
    session.receive(1);
    session.upgrade().close();
    server.finish();
}

#[test]
fn reset_between_probe_and_upgrade_loses_nothing() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.probe();
    session.send("4during");
    websocket.frame(FIN | PING, b"x");
    websocket.connection.reset();
    assert_eq!(session.receive(1), ["4during"]);
    session.close();
    server.finish();
}

#[test]
fn reset_right_after_the_upgrade_ends_the_session() {
    let server = Server::start();
    for _ in 0..5 {
        let session = Session::open(&server);
        let mut websocket = session.probe();
        websocket.send([frame(FIN | TEXT, b"5"), frame(FIN | TEXT, b"4echo")].concat());
        websocket.connection.reset();
        server.wait_for_sessions(0);
        session.assert_gone();
    }
    server.finish();
}

#[test]
fn reset_of_a_second_websocket_does_not_disturb_the_first() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut first = session.probe();
    let bytes = upgrade_request(&server.address.to_string(), &session.websocket_target(), &[]);
    for _ in 0..5 {
        send_and_reset(&server, &bytes);
    }
    let (second, response) = ask(&server, &session.websocket_target(), &[]);
    response.assert_error(3);
    drop(second);
    first.text("5");
    first.assert_echoes("not disturbed");
    first.close();
    server.finish();
}
