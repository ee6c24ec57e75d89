//! Joining namespaces: what is sent, what is said, what is refused.

use serde_json::json;

use crate::peer::Server;
use crate::program::Program;

#[test]
fn joins_the_main_namespace() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &[]);
    let mut peer = server.accept();
    peer.join("/", "abc");
    program.expect_connect("abc");
    program.end_input();
    peer.expect_goodbye();
    assert_eq!(program.expect("disconnect")["reason"], "io client disconnect");
    assert_eq!(program.expect("close")["reason"], "client disconnect");
    let end = program.end();
    assert_eq!((end.status, end.rest.len(), end.stderr.as_str()), (0, 0, ""));
}

#[test]
fn joins_several_namespaces_with_what_it_shows() {
    let server = Server::start();
    let arguments = ["--namespace", "/a", "--namespace", "b", "--auth", "{\"token\": 1}"];
    let mut program = Program::start(&server.url(), &arguments);
    let mut peer = server.accept();
    peer.expect("40/a,{\"token\":1}");
    peer.expect("40/b,{\"token\":1}");
    peer.send("40/b,{\"sid\":\"2\"}");
    peer.send("44/a,{\"message\":\"no\",\"data\":{\"code\":7}}");
    program.expect("open");
    assert_eq!(program.expect("connect")["namespace"], "/b");
    let refused = json!({"event": "connect_error", "namespace": "/a", "message": "no", "data": {"code": 7}});
    assert_eq!(program.event(), refused);
    program.write("{\"connect\":\"/c\",\"auth\":{\"x\":[]}}");
    peer.expect("40/c,{\"x\":[]}");
    peer.send("40/c,{\"sid\":\"3\"}");
    assert_eq!(program.expect("connect")["namespace"], "/c");
    program.write("{\"disconnect\":\"/c\"}");
    peer.expect("41/c,");
    assert_eq!(program.expect("disconnect")["namespace"], "/c");
    program.write("{\"close\":true}");
    peer.expect("41/b,");
    peer.expect("1");
    assert_eq!(program.end().status, 0);
}

#[test]
fn the_only_namespace_is_refused() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &["--reconnect", "forever"]);
    let mut peer = server.accept();
    peer.expect("40");
    peer.send("44{\"message\":\"nope\"}");
    program.expect("open");
    assert_eq!(program.expect("connect_error")["message"], "nope");
    peer.expect("1");
    program.expect("close");
    let end = program.end();
    assert_eq!(
        (end.status, end.stderr.as_str()),
        (1, "sansocket: not let into /: nope\n")
    );
}

#[test]
fn a_server_that_does_not_answer_the_connect() {
    let server = Server::start();
    let mut program = Program::start(&server.url(), &["--timeout", "300ms"]);
    let mut peer = server.accept();
    peer.expect("40");
    program.expect("open");
    assert_eq!(program.expect("error")["kind"], "timeout");
    program.expect("close");
    assert_eq!(program.end().status, 1);
}

#[test]
fn the_path_of_the_url_is_the_endpoint() {
    let server = Server::start();
    let url = format!("{}/api?x=1", server.url());
    let mut program = Program::start(&url, &[]);
    let mut peer = server.accept();
    peer.join("/", "abc");
    program.expect_connect("abc");
}

#[test]
fn what_is_for_socket_io_alone() {
    for arguments in [["--auth", "{}"], ["--namespace", "/a"], ["--event", "x"]] {
        let all = [&["--protocol", "engine.io"], &arguments[..]].concat();
        assert_eq!(Program::start("http://127.0.0.1:1", &all).end().status, 2);
    }
    for auth in ["1", "{"] {
        assert_eq!(Program::start("http://127.0.0.1:1", &["--auth", auth]).end().status, 2);
    }
    let twice = ["--namespace", "/a", "--namespace", "a"];
    assert_eq!(Program::start("http://127.0.0.1:1", &twice).end().status, 2);
}
