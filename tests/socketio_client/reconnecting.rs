//! Connections one after the other.

use crate::peer::Server;
use crate::program::Program;

const QUICKLY: [&str; 4] = ["--reconnect", "3", "--reconnect-delay", "200ms"];

#[test]
fn what_is_emitted_while_down_is_kept() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &QUICKLY);
    let mut peer = server.accept();
    peer.join("/", "one");
    program.expect_connect("one");
    program.write("{\"emit\":\"a\",\"ack\":1}");
    peer.expect("420[\"a\"]");
    drop(peer);
    // Nobody will answer that any more.
    assert_eq!(program.expect("ack_timeout")["id"], 1);
    program.expect("disconnect");
    program.expect("close");
    assert_eq!(program.expect("reconnecting")["attempt"], 1);
    program.write("{\"emit\":\"b\",\"args\":[1]}");
    program.write("{\"emit\":\"c\",\"ack\":2}");
    let mut peer = server.accept();
    peer.join("/", "two");
    peer.expect("42[\"b\",1]");
    peer.expect("421[\"c\"]");
    peer.send("431[true]");
    program.expect_connect("two");
    assert_eq!(program.expect("ack")["id"], 2);
    program.end_input();
    peer.expect_goodbye();
    assert_eq!(program.end().status, 0);
}

#[test]
fn after_nonsense_too() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &QUICKLY);
    let mut peer = server.accept();
    peer.join("/", "one");
    program.expect_connect("one");
    peer.send("49");
    assert_eq!(program.wait_for("close")["reason"], "parse error");
    program.expect("reconnecting");
    let mut peer = server.accept();
    peer.join("/", "two");
    program.expect_connect("two");
}

#[test]
fn attempts_without_an_answer_are_counted() {
    let server = Server::start();
    let arguments = ["--timeout", "200ms", "--reconnect", "1", "--reconnect-delay", "1ms"];
    let mut program = Program::start(&server.url(), &arguments);
    for attempt in 0..2 {
        let mut peer = server.accept();
        peer.expect("40");
        program.expect("open");
        assert_eq!(program.expect("error")["kind"], "timeout");
        program.expect("close");
        if attempt == 0 {
            assert_eq!(program.expect("reconnecting")["attempt"], 1);
        }
    }
    assert_eq!(program.end().status, 1);
}

#[test]
fn every_namespace_is_joined_again() {
    let server = Server::start();
    let arguments = [&QUICKLY[..], &["--namespace", "/a", "--namespace", "/b"]].concat();
    let mut program = Program::start(&server.url(), &arguments);
    for _ in 0..2 {
        let mut peer = server.accept();
        peer.join("/a", "1");
        peer.join("/b", "2");
        program.wait_for("connect");
        program.expect("connect");
    }
}
