//! Events and acknowledgements, both ways.

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
fn events_come_with_their_arguments() {
    let (_server, mut program, mut peer) = connected(&[]);
    peer.send("42[\"a\",1,{\"b\":[null]}]");
    let event = json!({"event": "event", "namespace": "/", "name": "a", "args": [1, {"b": [null]}]});
    assert_eq!(program.event(), event);
    peer.send("452-3[\"b\",{\"_placeholder\":true,\"num\":1},[{\"_placeholder\":true,\"num\":0}]]");
    peer.send_binary(&[1, 2]);
    peer.send_binary(&[255]);
    let args = json!([{"$binary": "/w=="}, [{"$binary": "AQI="}]]);
    let event = json!({"event": "event", "namespace": "/", "name": "b", "args": args, "ack": 3});
    assert_eq!(program.event(), event);
    program.write("{\"ack\":3,\"args\":[\"x\",{\"$binary\":\"AA==\"}]}");
    peer.expect("461-3[\"x\",{\"_placeholder\":true,\"num\":0}]");
    peer.expect("[0]");
    // It is answered.
    program.write("{\"ack\":3}");
    assert_eq!(program.expect("error")["kind"], "usage");
}

#[test]
fn events_go_with_their_arguments() {
    let (_server, mut program, mut peer) = connected(&[]);
    program.write("{\"emit\":\"a\"}");
    program.write("{\"emit\":\"b\",\"args\":[{\"z\":1,\"a\":123456789012345678901},\"é\"]}");
    program.write("{\"emit\":\"c\",\"args\":[{\"$binary\":\"AQI=\"}],\"namespace\":\"/\"}");
    peer.expect("42[\"a\"]");
    peer.expect("42[\"b\",{\"z\":1,\"a\":123456789012345678901},\"é\"]");
    peer.expect("451-[\"c\",{\"_placeholder\":true,\"num\":0}]");
    peer.expect("[1, 2]");
}

#[test]
fn acknowledgements_come_or_do_not() {
    let (_server, mut program, mut peer) = connected(&[]);
    program.write("{\"emit\":\"a\",\"ack\":7}");
    program.write("{\"emit\":\"b\",\"ack\":8,\"timeout_ms\":100}");
    peer.expect("420[\"a\"]");
    peer.expect("421[\"b\"]");
    let late = program.expect("ack_timeout");
    assert_eq!(late["id"], 8);
    peer.send("430[1,\"x\"]");
    let ack = program.expect("ack");
    assert_eq!((&ack["id"], &ack["args"]), (&json!(7), &json!([1, "x"])));
    // Too late for anybody.
    peer.send("431[]");
    peer.send("42[\"on\"]");
    assert_eq!(program.expect("event")["name"], "on");
}

#[test]
fn only_the_events_that_are_asked_for() {
    let (_server, mut program, mut peer) = connected(&["--event", "b", "--event", "c"]);
    for name in ["a", "b", "a", "c"] {
        peer.send(&format!("42[\"{name}\"]"));
    }
    assert_eq!(program.expect("event")["name"], "b");
    assert_eq!(program.expect("event")["name"], "c");
}

#[test]
fn what_can_not_be_done_is_said() {
    let (_server, mut program, mut peer) = connected(&[]);
    for line in [
        "hello",
        "{}",
        "{\"send\":\"x\"}",
        "{\"emit\":\"a\",\"args\":1}",
        "{\"emit\":\"a\",\"args\":[{\"$binary\":\"!\"}]}",
        "{\"emit\":\"connect\"}",
        "{\"disconnect\":\"/nowhere\"}",
        "{\"connect\":\"/\"}",
        "{\"connect\":\"/a,b\"}",
    ] {
        program.write(line);
        assert_eq!(program.expect("error")["kind"], "usage", "{line}");
    }
    program.write("{\"emit\":\"a\",\"namespace\":\"/nowhere\"}");
    assert_eq!(program.expect("error")["kind"], "connection");
    program.write("{\"emit\":\"fine\"}");
    peer.expect("42[\"fine\"]");
}

#[test]
fn a_packet_that_is_too_large_is_not_sent_in_part() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    let mut peer = server.accept_with(100);
    peer.join("/", "abc");
    program.expect_connect("abc");
    let base64 = "AAAA".repeat(50);
    program.write(&format!("{{\"emit\":\"a\",\"args\":[{{\"$binary\":\"{base64}\"}}]}}"));
    let error = program.expect("error");
    assert_eq!(error["kind"], "too_large");
    assert!(error["message"].as_str().unwrap().contains("event \"a\""));
    program.write("{\"emit\":\"b\"}");
    peer.expect("42[\"b\"]");
}

#[test]
fn people_read_and_write_lines() {
    let server = Server::start();
    let mut program = Program::spawn(&server.url(), &["--transports", "websocket"]);
    let mut peer = server.accept();
    peer.join("/", "abc");
    assert_eq!(program.line(), "connected over websocket");
    assert_eq!(program.line(), "in / as abc");
    peer.send("42[\"said\",\"\\u001b[31m\",1]");
    assert_eq!(program.line(), "< said [\"\\u001b[31m\",1]");
    program.write("say hello you");
    program.write("say \"lobby\", {\"x\": 1}");
    peer.expect("42[\"say\",\"hello you\"]");
    peer.expect("42[\"say\",\"lobby\", {\"x\": 1}]");
}
