//! The program against npm `socket.io` and python-socketio.

use serde_json::json;

use crate::process::Foreign;
use crate::process::Kind::{self, Node, NodeWithRecovery, Python};
use crate::program::Program;

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs npm's socket.io or python-socketio"]
            fn $name() {
                $run;
            }
        )*
    };
}

scenarios! {
    node_conversation: conversation(Node);
    python_conversation: conversation(Python);
    node_refusals: refusals(Node);
    python_refusals: refusals(Python);
    node_ten_thousand: ten_thousand(Node);
    python_ten_thousand: ten_thousand(Python);
    node_throws_out: throws_out(Node);
    python_throws_out: throws_out(Python);
    node_breaks: breaks();
    node_recovers: recovers();
}

fn start(server: &Foreign, arguments: &[&str]) -> Program {
    Program::spawn(&server.url, &[&["--json"], arguments].concat())
}

fn conversation(kind: Kind) {
    let server = Foreign::start(kind);
    for transports in ["polling,websocket", "polling", "websocket"] {
        for namespace in ["/", "/custom"] {
            let arguments = [
                "--transports",
                transports,
                "--namespace",
                namespace,
                "--auth",
                "{\"a\":1}",
            ];
            let mut program = start(&server, &arguments);
            assert_eq!(program.wait_for("connect")["namespace"], namespace);
            let auth = program.wait_for("event");
            assert_eq!((&auth["name"], &auth["args"]), (&json!("auth"), &json!([{"a": 1}])));
            let args = json!([1, {"x": {"$binary": "AQI="}}, "é😀", null, {"$binary": ""}]);
            program.write(&json!({"emit": "message", "args": args}).to_string());
            let back = program.wait_for("event");
            assert_eq!((&back["name"], &back["args"]), (&json!("message-back"), &args));
            program.write(&json!({"emit": "message-with-ack", "args": args, "ack": 7}).to_string());
            assert_eq!(program.wait_for("ack")["args"], args);
            program.write(&json!({"emit": "ask-me", "args": ["?"]}).to_string());
            let question = program.wait_for("event");
            assert_eq!(
                (&question["name"], &question["args"]),
                (&json!("question"), &json!(["?"]))
            );
            program.write(&json!({"ack": question["ack"], "args": [{"$binary": "AA=="}]}).to_string());
            let answer = program.wait_for("event");
            assert_eq!(
                (&answer["name"], &answer["args"]),
                (&json!("answer"), &json!([{"$binary": "AA=="}]))
            );
            assert_eq!(program.end().status, 0);
        }
    }
}

fn refusals(kind: Kind) {
    let server = Foreign::start(kind);
    let mut program = start(&server, &["--namespace", "/reject"]);
    let error = program.wait_for("connect_error");
    assert_eq!(
        (&error["message"], &error["data"]),
        (&json!("nope"), &json!({"code": 7}))
    );
    assert_eq!(program.end().status, 1);
    let mut program = start(&server, &["--namespace", "/auth"]);
    assert_eq!(program.wait_for("connect_error")["message"], "unauthorized");
    assert_eq!(program.end().status, 1);
    let mut program = start(&server, &["--namespace", "/auth", "--auth", "{\"token\":\"secret\"}"]);
    program.wait_for("connect");
    program.write("{\"connect\":\"/nowhere\"}");
    assert_eq!(program.wait_for("connect_error")["namespace"], "/nowhere");
    assert_eq!(program.end().status, 0);
}

fn ten_thousand(kind: Kind) {
    let server = Foreign::start(kind);
    let mut program = start(&server, &[]);
    program.write("{\"emit\":\"burst\",\"args\":[10000]}");
    for n in 0..10_000 {
        program.write(&format!("{{\"emit\":\"message\",\"args\":[{n}]}}"));
    }
    let (mut there, mut back) = (0, 0);
    while there < 10_000 || back < 10_000 {
        let event = program.wait_for("event");
        match event["name"].as_str() {
            Some("n") => {
                assert_eq!(event["args"], json!([there]));
                there += 1;
            }
            Some("message-back") => {
                assert_eq!(event["args"], json!([back]));
                back += 1;
            }
            _ => {}
        }
    }
    assert_eq!(program.end().status, 0);
}

fn throws_out(kind: Kind) {
    let server = Foreign::start(kind);
    let mut program = start(&server, &["--reconnect", "forever"]);
    program.write("{\"emit\":\"disconnect-me\"}");
    assert_eq!(program.wait_for("disconnect")["reason"], "io server disconnect");
    assert_eq!(program.end().status, 1);
}

fn breaks() {
    let server = Foreign::start(Node);
    let arguments = [
        "--reconnect",
        "3",
        "--reconnect-delay",
        "10ms",
        "--transports",
        "websocket",
    ];
    let mut program = start(&server, &arguments);
    program.write("{\"emit\":\"break-me\"}");
    program.wait_for("disconnect");
    program.write("{\"emit\":\"message\",\"args\":[\"kept\"]}");
    program.wait_for("connect");
    program.wait_for("event");
    assert_eq!(program.wait_for("event")["args"], json!(["kept"]));
    assert_eq!(program.end().status, 0);
}

fn recovers() {
    let server = Foreign::start(NodeWithRecovery);
    let arguments = [
        "--reconnect",
        "3",
        "--reconnect-delay",
        "10ms",
        "--transports",
        "websocket",
    ];
    let mut program = start(&server, &arguments);
    let id = program.wait_for("connect")["id"].clone();
    program.write("{\"emit\":\"join\",\"args\":[\"r\"],\"ack\":1}");
    program.wait_for("ack");
    program.write("{\"emit\":\"break-me\"}");
    program.wait_for("disconnect");
    let connect = program.wait_for("connect");
    assert_eq!((&connect["id"], &connect["recovered"]), (&id, &json!(true)));
    // It is still in its room.
    program.write("{\"emit\":\"in-room\",\"args\":[\"r\",1]}");
    loop {
        if program.wait_for("event")["name"] == "room-msg" {
            break;
        }
    }
    assert_eq!(program.end().status, 0);
}
