//! Messages come back as they went.

use crate::program::{Message, Plan, Program};
use crate::server::{Kind, Server};

pub fn echo(kind: Kind, plan: Plan) {
    let mut server = Server::start(kind, &[]);
    echo_all(Program::connected(&server, plan, &[]), &mut server);
}

/// Polling responses that are compressed, down to the smallest.
pub fn compressed(kind: Kind) {
    let mut server = Server::start(kind, &["--compression", "1"]);
    echo_all(Program::connected(&server, Plan::Polling, &[]), &mut server);
    let encoded = server
        .running
        .seen
        .iter()
        .filter(|line| line.starts_with("encoded "))
        .count();
    assert!(
        encoded > 20,
        "{encoded} responses were compressed\n{}",
        server.running.output()
    );
}

fn echo_all(mut program: Program, server: &mut Server) {
    let messages = every_kind();
    for message in &messages {
        program.send_message(message);
        expect_same(&program.message(), message);
    }
    for message in &messages {
        program.send_message(message);
    }
    for message in &messages {
        expect_same(&program.message(), message);
    }
    program.close_and_exit();
    assert_eq!(server.closed().1, 2 * messages.len());
}

fn every_kind() -> Vec<Message> {
    let long = "0123456789 äöü € 😀 ".repeat(4000);
    let texts = [
        "hello",
        "",
        " ",
        "äöü ß € 日本語",
        "😀 𝄞 \u{10FFFF}",
        "a \"quote\", a \\ and a / and a 'quote'",
        "lines\nand\r\nmore\n\n",
        "\t\u{0}\u{1}\u{7f}\u{85}\u{2028}\u{2029}\u{feff}",
        // What other layers may take for something else.
        "4 of them",
        "bAQID",
        "42[\"event\"]",
        "null",
        "1",
        "d=4",
        "{\"event\":\"close\"}",
        &long,
    ];
    let large: Vec<u8> = (0..70_001_u32).map(|number| (number * 7 % 251) as u8).collect();
    let binaries = [
        vec![],
        vec![0],
        vec![0x1e, 0x1e, 0x1e],
        (0..=255).collect(),
        vec![0xff; 1000],
        large,
    ];
    let mut binaries = binaries.into_iter();
    let mut messages = Vec::new();
    for text in texts {
        messages.push(Message::Text(text.to_owned()));
        messages.extend(binaries.next().map(Message::Binary));
    }
    messages
}

/// A difference must not print megabytes.
pub fn expect_same(got: &Message, sent: &Message) {
    if got == sent {
        return;
    }
    panic!("{} came back as {}", described(sent), described(got));
}

fn described(message: &Message) -> String {
    match message {
        Message::Text(text) => {
            let start: String = text.chars().take(60).collect();
            format!("a text of {} bytes {start:?}…", text.len())
        }
        Message::Binary(bytes) => {
            format!("{} bytes {:?}…", bytes.len(), &bytes[..bytes.len().min(20)])
        }
    }
}
