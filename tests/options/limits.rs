//! How many there may be.

use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, NoAnswer, PATIENCE, Response};
use crate::server::Server;
use crate::session::{POLLING, Session};
use crate::websocket::{WEBSOCKET, ask};

#[track_caller]
fn assert_refused(response: &Response, status: u16, what: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.text(), format!(r#"{{"code":4,"message":"Too many {what}"}}"#));
}

#[test]
fn sessions_in_all() {
    let server = Server::with(&["--max-sessions", "2"]);
    let sessions = [Session::open(&server), Session::open(&server)];
    assert_refused(&server.get(POLLING), 503, "sessions");
    let (_connection, response) = ask(&server, WEBSOCKET, &[]);
    assert_refused(&response, 503, "sessions");
    for session in sessions {
        session.assert_echoes("goes on");
        session.close();
    }
    server.finish();
}

#[test]
fn sessions_for_one_address() {
    let server = Server::with(&["--max-sessions-per-address", "1"]);
    let session = Session::open(&server);
    // Whom nobody trusts can say what he likes.
    let forged = server.request("GET", POLLING, &["X-Forwarded-For: 192.0.2.1"], None);
    assert_refused(&forged, 429, "sessions");
    session.close();
    server.finish();
}

#[test]
fn people_behind_one_proxy_are_told_apart() {
    let server = Server::with(&[
        "--max-sessions-per-address",
        "1",
        "--max-connections-per-address",
        "1",
        "--trust-proxy",
        "127.0.0.1",
    ]);
    let mut opened = Vec::new();
    for person in ["192.0.2.1", "192.0.2.2", "198.51.100.7, 192.0.2.3", "2001:db8::1"] {
        let header = format!("X-Forwarded-For: {person}");
        let response = server.request("GET", POLLING, &[&header], None);
        opened.push(Session::from_response(&server, &response));
        assert_refused(&server.request("GET", POLLING, &[&header], None), 429, "sessions");
    }
    // The last proxy's word counts, not what the client has written before it.
    let forged = ["X-Forwarded-For: 203.0.113.9, 192.0.2.1"];
    assert_refused(&server.request("GET", POLLING, &forged, None), 429, "sessions");
    for session in opened {
        session.close();
    }
    server.finish();
}

#[test]
fn forging_neither_evades_nor_shuts_out() {
    let limits = ["--max-sessions-per-address", "1", "--max-connections-per-address", "1"];
    // Networks, and whoever connects: the proxy has the last word.
    for trusted in ["127.0.0.0/8,10.0.0.0/8", "*"] {
        let server = Server::with(&[&limits[..], &["--trust-proxy", trusted]].concat());
        let forged: [&[u8]; 6] = [
            b"192.0.2.7, 192.0.2.1",
            b"203.0.113.1,203.0.113.2, 192.0.2.1",
            b"unknown, 192.0.2.1:4711",
            b"\xff\xfe, 192.0.2.1",
            b",,,::ffff:192.0.2.1",
            b"127.0.0.1, 192.0.2.1",
        ];
        let mut opened = None;
        for forwarded in forged {
            let response = forwarded_for(&server, forwarded);
            match opened {
                None => opened = Some(Session::from_response(&server, &response)),
                Some(_) => assert_refused(&response, 429, "sessions"),
            }
        }
        // Whom the client has named has a place still.
        let victim = Session::from_response(&server, &forwarded_for(&server, b"192.0.2.7"));
        victim.close();
        opened.expect("one of them was first").close();
        // Their places are free again.
        Session::from_response(&server, &forwarded_for(&server, b"192.0.2.1")).close();
        server.finish();
    }
}

/// Opens a session through a proxy that says this, which need not be text.
#[track_caller]
fn forwarded_for(server: &Server, value: &[u8]) -> Response {
    let mut connection = server.connect();
    let head = format!(
        "GET {POLLING} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: ",
        connection.host()
    );
    connection.send([head.as_bytes(), value, b"\r\n\r\n"].concat());
    connection.response()
}

#[test]
fn a_proxy_does_not_shut_out_who_is_behind_it() {
    let server = Server::with(&[
        "--max-sessions-per-address",
        "1",
        "--max-connections-per-address",
        "1",
        "--trust-proxy",
        "127.0.0.1",
    ]);
    // It has as many connections as it likes.
    let kept: Vec<Connection> = (0..8).map(|_| served(&server)).collect();
    // It does not say who they are: nobody has had a session yet, as far as can be told.
    let sessions: Vec<Session> = (0..4).map(|_| Session::open(&server)).collect();
    let unknown = server.request("GET", POLLING, &["X-Forwarded-For: unknown"], None);
    Session::from_response(&server, &unknown).close();
    // Those that it tells of have a place each, on either transport.
    for person in ["192.0.2.1", "192.0.2.2"] {
        let header = format!("X-Forwarded-For: {person}");
        let (socket, response) = ask(&server, WEBSOCKET, &[&header]);
        assert_eq!(response.status, 101, "{response:?}");
        let (_connection, response) = ask(&server, WEBSOCKET, &[&header]);
        assert_refused(&response, 429, "sessions");
        assert_refused(&server.request("GET", POLLING, &[&header], None), 429, "sessions");
        drop(socket);
    }
    for session in sessions {
        session.close();
    }
    drop(kept);
    server.finish();
}

#[test]
fn a_proxy_that_is_not_named_is_logged_with_the_remedy_once() {
    for (limit, what) in [
        ("--max-sessions-per-address", "sessions"),
        ("--max-connections-per-address", "connections"),
    ] {
        let server = Server::with(&[limit, "1"]);
        let mut kept = server.connect();
        let session = Session::from_response(&server, &kept.get(POLLING));
        // Whoever comes from there directly says nothing of others, and is nobody's proxy.
        assert_refused(&server.get(POLLING), 429, what);
        assert!(!server.log().contains("--trust-proxy"), "{}", server.log());
        for person in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            let header = format!("X-Forwarded-For: {person}");
            assert_refused(&server.request("GET", POLLING, &[&header], None), 429, what);
        }
        let deadline = Instant::now() + PATIENCE;
        while !server.log().contains("--trust-proxy 127.0.0.1") {
            assert!(Instant::now() < deadline, "nothing in the log: {}", server.log());
            thread::sleep(Duration::from_millis(5));
        }
        let log = server.log();
        // Beside it stands that the limit is reached.
        assert_eq!(log.matches("--trust-proxy").count(), 1, "{log}");
        kept.post(&session.target(), "1").assert_ok("ok");
        drop(kept);
        wait_until_served(&server);
    }
}

#[test]
fn nobody_is_counted_unless_that_is_asked_for() {
    // Behind a proxy that nobody has told the server of, and with no limit for an address, which is the default.
    let server = Server::start();
    let sessions: Vec<Session> = (0..40).map(|_| Session::open(&server)).collect();
    for session in sessions {
        session.close();
    }
    server.finish();
}

#[test]
fn connections_in_all() {
    let server = Server::with(&["--max-connections", "3"]);
    // They are taken in their order.
    let mut kept: Vec<Connection> = (0..3).map(|_| served(&server)).collect();
    let told = server.get("/__stats");
    assert_refused(&told, 503, "connections");
    // Those that say nothing are few, and not for long.
    let silent: Vec<Connection> = (0..20).map(|_| server.connect()).collect();
    let mut refused = server.connect();
    refused.request("GET", "/__stats", &[], None);
    match refused.response_within(PATIENCE) {
        Ok(response) => assert_refused(&response, 503, "connections"),
        Err(reason) => assert!(matches!(reason, NoAnswer::Closed | NoAnswer::Reset), "{reason:?}"),
    }
    for connection in &mut kept {
        assert_eq!(connection.get("/__stats").status, 200);
    }
    drop((silent, kept));
    wait_until_served(&server);
    server.finish();
}

#[test]
fn connections_from_one_address() {
    let server = Server::with(&["--max-connections-per-address", "1"]);
    let kept = served(&server);
    assert_refused(&server.get("/__stats"), 429, "connections");
    drop(kept);
    wait_until_served(&server);
}

/// A connection that has a place.
#[track_caller]
fn served(server: &Server) -> Connection {
    let mut connection = server.connect();
    assert_eq!(connection.get("/__stats").status, 200);
    connection
}

/// The places of those who have left are free soon.
#[track_caller]
fn wait_until_served(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut connection = server.connect();
        connection.request("GET", "/__stats", &[], None);
        match connection.response_within(PATIENCE) {
            Ok(response) if response.status == 200 => return,
            _ => assert!(Instant::now() < deadline, "there is no place for anybody"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
