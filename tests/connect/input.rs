//! What is read from stdin with `--json`, and what is said about what cannot be read or sent.

use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{CARRIERS, Client};
use crate::front::{self, Answer, Front, Kind, Sink};
use crate::server::Server;

/// A line that cannot be understood: an `error` of kind `usage` that names it, and the program goes on.
#[test]
fn a_line_that_is_not_understood_is_named() {
    let server = Server::start();
    let mut client = Client::open(&server, &["--transports", "websocket"]);
    for (number, line) in [
        "nonsense",
        r#"{"send":"never ended"#,
        "[]",
        "17",
        r#""send""#,
        "null",
        "{}",
        r#"{"send":17}"#,
        r#"{"send":null}"#,
        r#"{"send_binary":"***"}"#,
        r#"{"send_binary":[1,2]}"#,
        r#"{"shout":"hello"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        client.write(line);
        let error = client.next("error");
        assert_eq!(error["kind"], "usage", "{line}: {error}");
        let message = error["message"].as_str().expect("a message");
        // Lines before this one: two for each round.
        let by_number = format!("line {}", 2 * number + 1);
        let by_text: String = line.chars().take(8).collect();
        assert!(
            message.contains(&by_number) || message.contains(&by_text),
            "{line} is not named: {message}"
        );
        client.assert_echoes("and on");
    }
    client.close();
    server.finish();
}

/// The same where the line is not even text.
#[test]
fn a_line_that_is_not_utf_8_is_named() {
    let server = Server::start();
    let mut client = Client::open(&server, &["--transports", "websocket"]);
    client.write_bytes(b"{\"send\":\"\xff\xfe\"}\n");
    assert_eq!(client.next("error")["kind"], "usage");
    client.assert_echoes("and on");
    client.close();
    server.finish();
}

/// The last line needs no end.
#[test]
fn a_last_line_without_its_end_is_a_line() {
    let sink = Sink::start(1_000_000);
    let mut client = Client::start(&sink.front.url(), &[]);
    client.write_bytes(br#"{"send":"last words"}"#);
    client.end_input();
    client.finish(0);
    assert_eq!(sink.wait_for(1), ["last words"]);
}

/// What was written before the connection was there is sent when it is.
#[test]
fn lines_may_come_before_the_connection() {
    let server = Server::start();
    let address = server.address;
    let slow = Front::start(move |request| match request.kind() {
        Kind::Handshake => Answer::Late(Duration::from_millis(400), Box::new(Answer::pass(address))),
        _ => Answer::pass(address),
    });
    let mut client = Client::start(&slow.url(), &["--transports", "polling"]);
    client.send("early");
    client.send_binary(&[1, 2, 3]);
    client.next("open");
    client.assert_text("early");
    assert_eq!(client.next("message"), json!({"event": "message", "binary": "AQID"}));
    client.close();
    server.finish();
}

/// A message above the server's `maxPayload`: an `error` of kind `too_large`, the program goes on, and nothing else is
/// lost.
#[test]
fn a_message_above_the_servers_limit_is_named() {
    let server = Server::with(&["--max-payload", "1000"]);
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        client.assert_echoes("before");
        client.assert_echoes(&"x".repeat(999));
        for length in [1_000, 1_001, 5_000, 1_000_000] {
            client.send(&"x".repeat(length));
            let error = client.next("error");
            assert_eq!(error["kind"], "too_large", "{length}: {error}");
            client.assert_echoes("after");
        }
        client.send_binary(&[7; 5_000]);
        assert_eq!(client.next("error")["kind"], "too_large");
        client.assert_echoes("after");
        client.close();
    }
    server.finish();
}

/// Over polling, bytes are base64 after a letter, and that is what the limit is about.
#[test]
fn base64_counts_against_the_limit_over_polling() {
    let server = Server::with(&["--max-payload", "1000"]);
    let mut client = Client::open(&server, &["--transports", "polling"]);
    // 996 characters and the letter.
    client.send_binary(&[7; 747]);
    let echo = client.next("message");
    assert_eq!(echo["binary"].as_str().map(str::len), Some(996));
    // 1,000 characters and the letter.
    client.send_binary(&[7; 750]);
    assert_eq!(client.next("error")["kind"], "too_large");
    client.assert_echoes("after");
    client.close();
    server.finish();
}

/// What fits a WebSocket and no POST, sent before the upgrade: delivered or named, and what follows it is delivered.
#[test]
fn what_only_a_websocket_takes_is_never_lost_silently() {
    for round in 0..6 {
        let sink = Sink::start(1_000);
        let mut client = Client::start(&sink.front.url(), &[]);
        if round % 2 == 0 {
            client.next("open");
        }
        client.send_binary(&[7; 900]);
        client.send("behind it");
        if round % 3 == 0 {
            client.until("upgrade");
        }
        client.end_input();
        let ended = client.finish(0);
        let named = ended.named("error");
        assert!(named.iter().all(|error| error["kind"] == "too_large"), "{named:?}");
        let mut delivered = sink.wait_for(2 - named.len());
        assert_eq!(delivered.pop().as_deref(), Some("behind it"));
        assert!(round % 3 != 0 || named.is_empty(), "it fits: {named:?}");
    }
}

/// Many messages that together are far above the limit of one POST are split, and all come back.
#[test]
fn many_messages_are_split_below_the_limit() {
    let server = Server::with(&["--max-payload", "1000"]);
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        for number in 0..60 {
            client.send(&format!("{number} {}", "x".repeat(400)));
        }
        for number in 0..60 {
            client.assert_text(&format!("{number} {}", "x".repeat(400)));
        }
        client.close();
    }
    server.finish();
}

/// A send that could not be delivered, reconnection being off: an `error`, never silence; exit 1.
#[test]
fn a_send_that_was_not_delivered_is_named() {
    // The first POST is never answered; the poll ends when it has come.
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(front::open_packet(&[])),
        Kind::Poll => Answer::Late(Duration::from_millis(1500), Box::new(Answer::HangUp)),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.next("open");
    client.send("under way");
    front.wait_for(|request| request.kind() == Kind::Post);
    client.send("queued");
    client.send("queued too");
    // Its error shows that the lines before were read.
    client.write("nonsense");
    assert_eq!(client.next("error")["kind"], "usage");
    let ended = client.finish_with_errors(1);
    let errors = ended.named("error");
    assert!(errors.len() > 1, "nothing is said about what was queued: {errors:?}");
    assert_eq!(ended.named("close").len(), 1, "{:?}", ended.events);
    assert_eq!(ended.named("open").len(), 1, "{:?}", ended.events);
}

/// A POST that may have been delivered is not made again: that could deliver it twice.
#[test]
fn a_post_is_never_repeated() {
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(front::open_packet(&[])),
        Kind::Poll => Answer::Silence,
        _ => Answer::HangUp,
    });
    let mut client = Client::start(&front.url(), &["--transports", "polling"]);
    client.next("open");
    client.send("once");
    let ended = client.finish_with_errors(1);
    assert_eq!(ended.named("close").len(), 1, "{:?}", ended.events);
    let posts = front.requests_of(Kind::Post);
    let carrying = posts.iter().filter(|post| post.text().contains("4once"));
    assert_eq!(carrying.count(), 1, "{posts:?}");
}

/// A fast writer is slowed down rather than refused: everything that it wrote comes back.
#[test]
fn a_fast_writer_loses_nothing() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        let mut stdin = client.take_stdin();
        let text = "x".repeat(100_000);
        let line = format!("{}\n", json!({ "send": text }));
        // Twice what is queued at most.
        let writer = thread::spawn(move || {
            for _ in 0..80 {
                stdin.write_all(line.as_bytes()).expect("the program reads its stdin");
            }
            stdin
        });
        for _ in 0..80 {
            let message = client.next("message");
            assert_eq!(message["text"].as_str().map(str::len), Some(text.len()));
        }
        let mut stdin = writer.join().expect("the writer");
        writeln!(stdin, "{}", json!({"close": true})).expect("the program reads its stdin");
        let ended = client.finish(0);
        let last = ended.events.last().and_then(|event| event["reason"].as_str());
        assert_eq!(last, Some("client disconnect"));
    }
    server.finish();
}

/// A bad line is named before the connection is there too, and stops nothing.
#[test]
fn a_bad_line_while_connecting_does_not_stop_it() {
    let server = Server::start();
    let mut client = Client::start(&crate::client::url(server.address), &[]);
    client.write("nonsense");
    client.send("hello");
    let mut names: Vec<Value> = Vec::new();
    loop {
        let event = client.event();
        names.push(event["event"].clone());
        if event["event"] == "message" {
            assert_eq!(event["text"], "hello");
            break;
        }
    }
    assert!(
        names.contains(&json!("error")) && names.contains(&json!("open")),
        "{names:?}"
    );
    client.close();
    server.finish();
}
