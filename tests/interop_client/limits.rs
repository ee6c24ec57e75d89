//! Messages as large as the server takes them, and larger ones.

use crate::messages::expect_same;
use crate::program::{Message, Plan, Program};
use crate::server::{Kind, Server};

/// A `maxPayload` that base64 can fill: `b` and 25,000 groups of four characters.
const LIMIT: usize = 100_001;
const OPTIONS: [&str; 2] = ["--max-payload", "100001"];

/// A text travels with its type character on both transports. Binary travels bare in a WebSocket frame, and over
/// polling as `b` and base64.
const LARGEST_TEXT: usize = LIMIT - 1;
const LARGEST_POLLED_BINARY: usize = (LIMIT - 1) / 4 * 3;

fn largest_binary(plan: Plan) -> usize {
    if plan.is_websocket() {
        LIMIT
    } else {
        LARGEST_POLLED_BINARY
    }
}

pub fn exactly(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &OPTIONS);
    let mut program = Program::connected(&server, plan, &[]);
    let ascii = Message::Text("x".repeat(LARGEST_TEXT));
    let bytes = Message::Binary((0..largest_binary(plan)).map(|number| (number % 251) as u8).collect());
    let large = [
        ascii.clone(),
        // Bytes are counted, not characters.
        Message::Text("😀".repeat(LARGEST_TEXT / 4)),
        Message::Text("€".repeat(LARGEST_TEXT / 3) + "x"),
        Message::Binary(vec![7; largest_binary(plan) - 1]),
        bytes.clone(),
    ];
    for message in &large {
        program.send_message(message);
        expect_same(&program.message(), message);
    }
    // Two in one payload are one too many, with the separator; so are these, or they fill it.
    let half = |length| Message::Text("h".repeat(length));
    let together = [
        ascii.clone(),
        bytes.clone(),
        ascii,
        half(50_000),
        half(LIMIT - 50_001 - 2),
        half(50_000),
        half(LIMIT - 50_001 - 1),
        bytes,
        half(1),
    ];
    for message in &together {
        program.send_message(message);
    }
    for message in &together {
        expect_same(&program.message(), message);
    }
    program.close_and_exit();
    assert_eq!(server.closed().1, large.len() + together.len());
}

/// Such a message is not sent. The session goes on, and what was sent around it arrives.
pub fn above(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &OPTIONS);
    let mut program = Program::connected(&server, plan, &[]);
    let too_large = [
        Message::Text("x".repeat(LARGEST_TEXT + 1)),
        Message::Text("😀".repeat(LARGEST_TEXT / 4) + "x"),
        Message::Binary(vec![7; largest_binary(plan) + 1]),
        Message::Text("x".repeat(10 * LIMIT)),
    ];
    for message in &too_large {
        program.send("before");
        program.send_message(message);
        program.send("after");
        program.expect_error(&["too_large"]);
        program.expect_text("before");
        program.expect_text("after");
    }
    program.close_and_exit();
    assert_eq!(server.closed().1, 2 * too_large.len());
}

/// `maxPayload` bounds what we send. A response to a poll may hold more.
pub fn more_from_the_server(kind: Kind, plan: Plan) {
    const COUNT: usize = 3000;
    let mut server = Server::start(kind, &["--max-payload", "1000"]);
    let mut program = Program::connected(&server, plan, &[]);
    program.send(&format!("!send {COUNT}"));
    program.expect_numbers(COUNT);
    program.close_and_exit();
    server.closed();
}
