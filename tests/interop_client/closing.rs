//! Who ends a session, and what each side calls it.

use std::time::{Duration, Instant};

use crate::program::{Plan, Program};
use crate::server::{Kind, Server};

/// Sent right before the end.
const LAST_WORDS: usize = 100;

#[derive(Clone, Copy)]
pub enum End {
    Close,
    EndOfInput,
}

/// All that was sent before arrives, and the server is told.
pub fn by_us(kind: Kind, plan: Plan, end: End) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connected(&server, plan, &[]);
    program.send_numbers(LAST_WORDS);
    match end {
        End::Close => program.close(),
        End::EndOfInput => program.end_input(),
    }
    program.expect_close(&["client disconnect"]);
    program.expect_exit(0, &["message"]);
    let (reason, messages) = server.closed();
    assert_eq!(messages, LAST_WORDS);
    let expected: &[&str] = match (kind.is_python(), plan.is_websocket()) {
        (true, _) => &["client disconnect"],
        (false, false) => &["transport close"],
        // engine.io fails to send an echo when the WebSocket is closing.
        (false, true) => &["transport close", "transport error"],
    };
    assert!(expected.contains(&reason.as_str()), "the server's reason: {reason}");
}

/// `printf … | sansocket connect`: the input has ended before there is a connection.
pub fn piped(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connect(&server, plan, &[]);
    program.send_numbers(LAST_WORDS);
    program.end_input();
    program.event("open");
    program.expect_close(&["client disconnect"]);
    program.expect_exit(0, &["message", "upgrade"]);
    let (reason, messages) = server.closed();
    assert_eq!(messages, LAST_WORDS, "the server's reason: {reason}");
}

/// No input at all: it connects, and closes.
pub fn empty_input(kind: Kind) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connect(&server, Plan::Upgrade, &[]);
    program.end_input();
    program.event("open");
    program.expect_close(&["client disconnect"]);
    program.expect_exit(0, &["upgrade"]);
    server.closed();
}

/// The server ends this session.
pub fn by_the_server(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connected(&server, plan, &[]);
    program.expect_echo("hello");
    program.send("!close");
    // Over a WebSocket, engine.io sends no close packet: it closes the WebSocket.
    let expected = if !kind.is_python() && plan.is_websocket() {
        "transport close"
    } else {
        "server disconnect"
    };
    program.expect_close(&[expected]);
    program.expect_exit(1, &[]);
    let (reason, messages) = server.closed();
    assert_eq!(messages, 1);
    let expected = if kind.is_python() {
        "server disconnect"
    } else {
        "forced close"
    };
    assert_eq!(reason, expected, "the server's reason");
}

/// What the server sends right before it ends the session is there first.
pub fn by_the_server_after_many(kind: Kind, plan: Plan) {
    const COUNT: usize = 1000;
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connected(&server, plan, &[]);
    program.expect_echo("hello");
    program.send(&format!("!send {COUNT}"));
    program.send("!close");
    program.expect_numbers(COUNT);
    program.event_despite("close", &["error"]);
    program.expect_exit(1, &[]);
    server.closed();
}

/// The process is gone, its sockets with it.
pub fn killed(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    let mut program = Program::connected(&server, plan, &[]);
    program.expect_echo("hello");
    server.running.kill();
    program.expect_close(&["transport close", "transport error"]);
    // Over polling, the echo may have come before the answer to the request that it answers.
    program.expect_exit(1, if plan.is_websocket() { &[] } else { &["error"] });
}

/// The process still holds its sockets, and does nothing any more.
pub fn stopped(kind: Kind, plan: Plan) {
    // python-engineio announces whole seconds.
    let (options, patience) = if kind.is_python() {
        (["--ping-interval", "1000", "--ping-timeout", "500"], 1500)
    } else {
        (["--ping-interval", "300", "--ping-timeout", "500"], 800)
    };
    let mut server = Server::start(kind, &options);
    let mut program = Program::connected(&server, plan, &[]);
    program.expect_echo("hello");
    server.line_with("heartbeat");
    server.running.signal("STOP");
    let since = Instant::now();
    program.expect_close(&["ping timeout"]);
    let passed = since.elapsed();
    server.running.signal("CONT");
    assert!(
        passed < Duration::from_millis(patience) + Duration::from_secs(3),
        "noticed after {passed:?}"
    );
    program.expect_exit(1, &[]);
}
