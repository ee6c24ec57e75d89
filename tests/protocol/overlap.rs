//! Two requests of one kind at once, which a session does not allow; and what holding a POST back is
//! good for.

use std::time::Duration;

use crate::http::{Connection, NoAnswer};
use crate::server::Server;
use crate::session::Session;

/// What the packet of a large message is made of.
fn large_packet(mark: char) -> String {
    format!("4{}", mark.to_string().repeat(900_000))
}

/// Posts large messages and never polls, until the server holds a POST back because the session's
/// queues are full. Hands back the POST that waits and how many were answered before it.
#[track_caller]
fn post_until_held(server: &Server, session: &Session) -> (Connection, usize) {
    let packet = large_packet('x');
    for answered in 0..64 {
        let mut connection = server.connect();
        connection.request("POST", &session.target(), &[], Some(packet.as_bytes()));
        match connection.response_within(Duration::from_millis(700)) {
            Ok(response) => response.assert_ok("ok"),
            Err(NoAnswer::Late) => return (connection, answered),
            Err(reason) => panic!("POST {answered}: {reason:?}"),
        }
    }
    panic!("57 MB were taken in for a client that never polls");
}

#[test]
fn second_get_closes_the_session_and_both_are_answered() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut first = session.park();
    let second = session.get();
    assert_eq!(second.status, 400, "{second:?}");
    first.response().assert_ok("1");
    session.assert_gone();
    server.finish();
}

#[test]
fn second_get_on_the_same_connection_waits_its_turn() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    let get = session.bytes("GET", &[], None);
    connection.send([get.clone(), get].concat());
    connection.assert_silent(Duration::from_millis(80));
    session.send("4first");
    connection.response().assert_ok("4first");
    session.send("4second");
    connection.response().assert_ok("4second");
    session.close();
    server.finish();
}

#[test]
fn second_post_while_the_first_is_held_closes_the_session_and_both_are_answered() {
    let server = Server::start();
    let session = Session::open(&server);
    let (mut held, _) = post_until_held(&server, &session);
    let second = session.post("4one too many");
    assert_eq!(second.status, 400, "{second:?}");
    // What was in the first had been taken.
    held.response().assert_ok("ok");
    session.assert_gone();
    server.finish();
}

#[test]
fn held_post_is_answered_once_the_client_polls_and_nothing_is_lost() {
    let server = Server::start();
    let session = Session::open(&server);
    let (mut held, answered) = post_until_held(&server, &session);
    // Nobody else notices.
    server.assert_serves();
    let packet = large_packet('x');
    for message in session.receive(answered + 1) {
        assert!(message == packet, "a message of {} bytes", message.len());
    }
    held.response().assert_ok("ok");
    session.assert_echoes("and on it goes");
    session.close();
    server.finish();
}

#[test]
fn posts_one_after_the_other_on_many_connections_are_no_overlap() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connections: Vec<Connection> = (0..5).map(|_| server.connect()).collect();
    for round in 0..4 {
        for (number, connection) in connections.iter_mut().enumerate() {
            connection
                .post(&session.target(), format!("4{round} {number}"))
                .assert_ok("ok");
        }
        let echoed = session.receive(5);
        let sent: Vec<String> = (0..5).map(|number| format!("4{round} {number}")).collect();
        assert_eq!(echoed, sent);
    }
    session.close();
    server.finish();
}
