//! What scripts may count on that drive `sansocket connect`: line by line, as far as it is not in the other files.

use std::net::TcpListener;

use serde_json::json;

use crate::peer::{Peer, Server};
use crate::program::Program;

fn connected(arguments: &[&str]) -> (Server, Program, Peer) {
    let server = Server::start();
    let mut program = Program::start(&server.url(), arguments);
    let mut peer = server.accept();
    peer.join("/", "abc");
    program.expect_connect("abc");
    (server, program, peer)
}

#[test]
fn the_order_of_a_conversation() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    let mut peer = server.accept();
    peer.join("/", "abc");
    let open = json!({"event": "open", "sid": "engine", "transport": "websocket"});
    assert_eq!(program.event(), open);
    let connect = program.event();
    assert_eq!(
        (&connect["event"], &connect["namespace"], &connect["id"]),
        (&json!("connect"), &json!("/"), &json!("abc"))
    );
    peer.send("42[\"a\"]");
    let event = json!({"event": "event", "namespace": "/", "name": "a", "args": []});
    assert_eq!(program.event(), event);
    peer.send("41");
    let disconnect = json!({"event": "disconnect", "namespace": "/", "reason": "io server disconnect"});
    assert_eq!(program.event(), disconnect);
    peer.expect("1");
    program.expect("close");
    let end = program.end();
    assert_eq!((end.status, end.rest.len(), end.stderr.lines().count()), (1, 0, 1));
}

#[test]
fn a_server_that_falls_silent() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    let mut peer = server.accept_pinging(50, 50);
    peer.join("/", "abc");
    program.expect_connect("abc");
    assert_eq!(program.expect("disconnect")["reason"], "ping timeout");
    assert_eq!(program.wait_for("close")["reason"], "ping timeout");
    assert_eq!(program.end().status, 1);
}

#[test]
fn a_server_that_closes_and_says_no_more() {
    // Without reconnection, it is the end; with it, a server that is being restarted is waited for, as in JavaScript.
    for arguments in [&[][..], &["--reconnect", "3", "--reconnect-delay", "1ms"]] {
        let (server, mut program, mut peer) = connected(arguments);
        peer.send("1");
        assert_eq!(program.expect("disconnect")["reason"], "transport close");
        assert_eq!(program.expect("close")["reason"], "server disconnect");
        if arguments.is_empty() {
            assert_eq!(program.end().status, 1);
            continue;
        }
        program.expect("reconnecting");
        let mut peer = server.accept();
        peer.join("/", "def");
        program.expect_connect("def");
        peer.send("41");
        assert_eq!(program.expect("disconnect")["reason"], "io server disconnect");
        peer.expect("1");
        let end = program.end();
        assert_eq!(end.status, 1);
        assert!(
            !end.rest.iter().any(|line| line.contains("reconnecting")),
            "{:?}",
            end.rest
        );
    }
}

#[test]
fn the_end_of_the_input_waits_for_an_acknowledgement_no_longer_than_it_may_take() {
    let (_server, mut program, mut peer) = connected(&[]);
    program.write("{\"emit\":\"a\",\"ack\":7,\"timeout_ms\":100}");
    program.end_input();
    peer.expect("420[\"a\"]");
    let late = program.expect("ack_timeout");
    assert_eq!(late["id"], 7);
    peer.expect_goodbye();
    let end = program.end();
    assert_eq!((end.status, end.stderr.as_str()), (0, ""));
}

#[test]
fn an_input_that_is_empty_from_the_start() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &["--namespace", "/a", "--namespace", "/b"]);
    program.end_input();
    let mut peer = server.accept();
    peer.join("/a", "1");
    peer.join("/b", "2");
    peer.expect("41/a,");
    peer.expect("41/b,");
    peer.expect("1");
    program.expect("open");
    program.expect("connect");
    program.expect("connect");
    assert_eq!(program.end().status, 0);
}

#[test]
fn interrupted() {
    let (_server, program, mut peer) = connected(&[]);
    program.signal("INT");
    peer.expect_goodbye();
    let end = program.end();
    assert_eq!((end.status, end.stderr.lines().count()), (130, 1));
}

#[test]
fn what_is_shown_goes_to_each_namespace() {
    let (_server, mut program, mut peer) = {
        let server = Server::start();
        let mut program = Program::start(&server.url(), &["--auth", "{\"t\":1}"]);
        let mut peer = server.accept();
        peer.expect("40{\"t\":1}");
        peer.send("40{\"sid\":\"abc\"}");
        program.expect_connect("abc");
        (server, program, peer)
    };
    program.write("{\"connect\":\"/later\"}");
    peer.expect("40/later,{\"t\":1}");
    peer.send("44/later,{\"message\":\"no\"}");
    let refused = json!({"event": "connect_error", "namespace": "/later", "message": "no", "data": null});
    assert_eq!(program.event(), refused);
    // It may be tried again, with something else.
    program.write("{\"connect\":\"/later\",\"auth\":{\"t\":2}}");
    peer.expect("40/later,{\"t\":2}");
    peer.send("40/later,{\"sid\":\"def\"}");
    assert_eq!(program.expect("connect")["id"], "def");
    program.write("{\"emit\":\"x\",\"namespace\":\"/later\"}");
    peer.expect("42/later,[\"x\"]");
    // One is left, and then none.
    program.write("{\"disconnect\":\"/later\"}");
    peer.expect("41/later,");
    assert_eq!(program.expect("disconnect")["reason"], "io client disconnect");
    program.write("{\"disconnect\":\"/\"}");
    peer.expect_goodbye();
    assert_eq!(program.end().status, 1);
}

#[test]
fn a_namespace_that_is_never_answered() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &["--timeout", "400ms"]);
    let mut peer = server.accept();
    peer.join("/", "abc");
    program.expect_connect("abc");
    program.write("{\"connect\":\"/slow\"}");
    peer.expect("40/slow,");
    let error = program.expect("connect_error");
    assert_eq!(error["namespace"], "/slow");
    program.write("{\"emit\":\"still there\"}");
    peer.expect("42[\"still there\"]");
    peer.send("42[\"so am I\"]");
    assert_eq!(program.expect("event")["name"], "so am I");
}

#[test]
fn reconnection_covers_the_first_connection() {
    // Nobody listens at first.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = ["--reconnect", "2", "--reconnect-delay", "10ms"];
    let mut program = Program::start(&format!("http://127.0.0.1:{port}"), &arguments);
    for attempt in 1..=2 {
        assert_eq!(program.expect("error")["kind"], "connection");
        let reconnecting = program.expect("reconnecting");
        assert_eq!(reconnecting["attempt"], attempt);
        let delay = reconnecting["delay_ms"].as_u64().expect("a number");
        // Twice as long each time, half of it more or less.
        let expected = 10 << (attempt - 1);
        assert!((expected / 2..=expected * 3 / 2).contains(&delay), "{delay}");
    }
    assert_eq!(program.expect("error")["kind"], "connection");
    let end = program.end();
    assert_eq!((end.status, end.rest.len(), end.stderr.lines().count()), (1, 0, 1));
}

#[test]
fn wrong_usage() {
    for arguments in [
        &["--parser", "xml"][..],
        &["--protocol", "engine.io", "--parser", "text"],
        &["--namespace", "a,b"],
        &["--auth", "[]"],
        &["--reconnect", "often"],
        &["--timeout", "1"],
    ] {
        let end = Program::start("http://127.0.0.1:1", arguments).end();
        assert_eq!(end.status, 2, "{arguments:?}");
        assert!(!end.stderr.is_empty() && end.rest.is_empty(), "{arguments:?}");
    }
}

#[test]
fn people_see_how_it_goes() {
    let server = Server::start();
    let mut program = Program::spawn(&server.url(), &["--transports", "websocket", "--namespace", "/a"]);
    let mut peer = server.accept();
    peer.join("/a", "abc");
    assert_eq!(program.line(), "connected over websocket");
    assert_eq!(program.line(), "in /a as abc");
    peer.send("42/a,7[\"ask\",{\"x\":1}]");
    assert_eq!(program.line(), "< /a ask [{\"x\":1}] (wants an ack)");
    peer.send("41/a,");
    assert_eq!(program.line(), "out of /a: io server disconnect");
    peer.expect("1");
    assert_eq!(program.line(), "closed: client disconnect");
    let end = program.end();
    assert_eq!(
        (end.status, end.stderr.as_str()),
        (1, "sansocket: disconnected from /a: io server disconnect\n")
    );
}
