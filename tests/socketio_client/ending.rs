//! How conversations end, and with which status.

use crate::peer::{PATIENCE, Peer, Server};
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
fn the_end_of_the_input_waits_for_acknowledgements() {
    let (_server, mut program, mut peer) = connected(&[]);
    program.write("{\"emit\":\"a\",\"ack\":7}");
    program.end_input();
    peer.expect("420[\"a\"]");
    peer.send("430[]");
    assert_eq!(program.expect("ack")["id"], 7);
    peer.expect_goodbye();
    assert_eq!(program.end().status, 0);
}

#[test]
fn a_close_waits_for_them_within_their_time() {
    let (_server, mut program, mut peer) = connected(&[]);
    program.write("{\"emit\":\"a\",\"ack\":7,\"timeout_ms\":200}");
    program.write("{\"close\":true}");
    peer.expect("420[\"a\"]");
    assert_eq!(program.expect("ack_timeout")["id"], 7);
    peer.expect_goodbye();
    assert_eq!(program.end().status, 0);
}

#[test]
fn what_was_read_before_the_connection_is_delivered() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    program.write("{\"emit\":\"a\",\"args\":[1]}");
    program.write("{\"emit\":\"b\",\"ack\":1}");
    program.end_input();
    let mut peer = server.accept();
    peer.join("/", "abc");
    peer.expect("42[\"a\",1]");
    peer.expect("420[\"b\"]");
    peer.send("430[]");
    peer.expect_goodbye();
    assert_eq!(program.end().status, 0);
}

#[test]
fn thrown_out_by_the_server() {
    let (server, mut program, mut peer) = connected(&["--reconnect", "forever", "--reconnect-delay", "1ms"]);
    peer.send("41");
    assert_eq!(program.expect("disconnect")["reason"], "io server disconnect");
    peer.expect("1");
    program.expect("close");
    let end = program.end();
    assert_eq!(end.status, 1);
    assert!(end.stderr.contains("io server disconnect"), "{}", end.stderr);
    assert!(server.accept_within(std::time::Duration::from_millis(50)).is_none());
}

#[test]
fn the_last_one_disconnected() {
    let (_server, mut program, mut peer) = connected(&["--reconnect", "forever"]);
    program.write("{\"disconnect\":\"/\"}");
    peer.expect_goodbye();
    assert_eq!(program.expect("disconnect")["reason"], "io client disconnect");
    program.expect("close");
    assert_eq!(program.end().status, 1);
}

#[test]
fn a_connection_that_breaks() {
    let (_server, mut program, peer) = connected(&[]);
    drop(peer);
    let reason = program.expect("disconnect")["reason"].clone();
    assert!(reason == "transport close" || reason == "transport error", "{reason}");
    assert_eq!(program.expect("close")["reason"], reason);
    assert_eq!(program.end().status, 1);
}

#[test]
fn nonsense_from_the_server() {
    let (_server, mut program, mut peer) = connected(&[]);
    peer.send("42{}");
    assert_eq!(program.expect("disconnect")["reason"], "parse error");
    assert_eq!(program.expect("error")["kind"], "protocol");
    assert_eq!(program.expect("close")["reason"], "parse error");
    let end = program.end();
    assert_eq!((end.status, end.stderr.lines().count()), (1, 1));
}

#[test]
fn nobody_there() {
    let mut program = Program::start("http://127.0.0.1:1", &[]);
    assert_eq!(program.expect("error")["kind"], "connection");
    let end = program.end();
    assert_eq!((end.status, end.rest.len()), (1, 0));
}

#[test]
fn a_close_while_connecting_gives_up() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    program.write("{\"emit\":\"never\"}");
    program.write("{\"close\":true}");
    let started = std::time::Instant::now();
    // Nobody accepts the WebSocket.
    let end = program.end();
    assert!(started.elapsed() < PATIENCE / 2);
    assert_eq!(end.status, 1, "an event was not delivered");
    assert!(
        end.rest.iter().any(|line| line.contains("not delivered")),
        "{:?}",
        end.rest
    );
    let mut program = Program::start(&server.url(), &[]);
    program.write("{\"close\":true}");
    assert_eq!(program.end().status, 0);
}
