//! What is printed with `--json`. The shape and the order of every event are checked by `client.rs` too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tungstenite::Message;

use crate::client::{CARRIERS, Client, NOBODY, url};
use crate::front::{self, Answer, Front, Kind, SID};
use crate::server::Server;

/// `open` says the session's id and the transport that it begins on.
#[test]
fn open_names_the_session_and_its_transport() {
    let front = front::polling(|_| Answer::Silence);
    let mut client = Client::start(&front.url(), &[]);
    assert_eq!(
        client.event(),
        json!({"event": "open", "sid": SID, "transport": "polling"})
    );
    client.close();

    let front = front::on_websocket(|mut websocket| while websocket.read().is_ok() {});
    let mut client = Client::start(&front.url(), &["--transports", "websocket"]);
    assert_eq!(
        client.event(),
        json!({"event": "open", "sid": SID, "transport": "websocket"})
    );
    client.close();
}

/// A session that polls is upgraded where the server offers it, and `upgrade` says so, once.
#[test]
fn an_upgrade_is_told() {
    let server = Server::start();
    let mut client = Client::start(&url(server.address), &[]);
    assert_eq!(client.event()["transport"], "polling");
    assert_eq!(client.event(), json!({"event": "upgrade", "transport": "websocket"}));
    client.assert_echoes("by WebSocket");
    assert_eq!(client.close().named("upgrade").len(), 1);
    server.finish();
}

/// `{"send":…}` and the text of `message`: text goes and comes as text, whatever is in it.
#[test]
fn text_comes_as_text() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        for text in [
            "hello",
            "",
            "2",
            "4",
            "b",
            "bAQID",
            "line\nline\r\n",
            "\"quoted\" \\ \u{7} \0 \u{1b}[31m",
            "Grüße, Ωμέγα, 你好, 🦀",
            "{\"json\":[1,2]}",
        ] {
            client.assert_echoes(text);
        }
        client.close();
    }
    server.finish();
}

/// A JSON string of ASCII escapes is the text that it means: surrogate pairs too.
#[test]
fn escapes_of_a_line_are_understood() {
    let server = Server::start();
    let mut client = Client::open(&server, &[]);
    client.write(r#"{"send":"\u00fc \ud83e\udd80 \/ \t"}"#);
    client.assert_text("ü 🦀 / \t");
    client.close();
    server.finish();
}

/// `{"send_binary":…}` and `binary`: bytes go and come as base64 with its padding.
#[test]
fn bytes_come_as_base64() {
    let server = Server::start();
    let all: Vec<u8> = (0..=255).collect();
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        for bytes in [&[1][..], &[1, 2], &[1, 2, 3], &[0x1e, 0xff, 0], &all] {
            client.send_binary(bytes);
            let wanted = json!({"event": "message", "binary": STANDARD.encode(bytes)});
            assert_eq!(client.next("message"), wanted);
        }
        client.close();
    }
    server.finish();
}

/// On a WebSocket a text may hold the separator of polling.
#[test]
fn a_separator_is_text_on_a_websocket() {
    let server = Server::start();
    let mut client = Client::open(&server, &["--transports", "websocket"]);
    client.assert_echoes("one\u{1e}two");
    client.close();
    server.finish();
}

/// A message of almost the server's limit, and its echo, in one piece.
#[test]
fn a_large_message_is_one_event() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::open(&server, carrier);
        let text = "0123456789".repeat(99_000);
        client.assert_echoes(&text);
        client.close();
    }
    server.finish();
}

/// Messages come in the order in which they were sent, across the upgrade too.
#[test]
fn messages_keep_their_order() {
    let server = Server::start();
    for carrier in CARRIERS {
        let mut client = Client::start(&url(server.address), carrier);
        for number in 0..300 {
            client.send(&number.to_string());
        }
        client.next("open");
        for number in 0..300 {
            client.assert_text(&number.to_string());
        }
        client.close();
    }
    server.finish();
}

/// Pings are answered: the connection outlives many of them.
#[test]
fn it_stays_while_the_server_pings() {
    for carrier in &CARRIERS[..2] {
        let mut flags = vec!["--ping-interval", "150ms", "--ping-timeout", "400ms"];
        flags.push("--no-upgrades");
        let server = Server::with(&flags);
        let mut client = Client::open(&server, carrier);
        // No event tells of a ping: only time does.
        std::thread::sleep(std::time::Duration::from_millis(1200));
        assert_eq!(server.stats().sessions, 1);
        client.assert_echoes("still here");
        client.close();
        server.finish();
    }
}

/// The server's close: what came before it first, then `close` with `server disconnect`, exit 1.
#[test]
fn a_close_by_the_server_is_told_after_its_messages() {
    let wanted = [
        json!({"event": "message", "text": "first"}),
        json!({"event": "message", "text": "last"}),
        json!({"event": "close", "reason": "server disconnect"}),
    ];
    let front = front::polling(|_| Answer::ok("4first\x1e4last\x1e1"));
    let ended = Client::start(&front.url(), &[]).finish(1);
    assert_eq!(ended.events[1..], wanted);

    let front = front::on_websocket(|mut websocket| {
        for packet in ["4first", "4last", "1"] {
            let _ = websocket.send(Message::text(packet));
        }
        let _ = websocket.close(None);
        while websocket.read().is_ok() {}
    });
    let ended = Client::start(&front.url(), &["--transports", "websocket"]).finish(1);
    assert_eq!(ended.events[1..], wanted);
}

/// The same from our own server when it is stopped.
#[test]
fn a_server_that_stops_has_said_goodbye() {
    for carrier in CARRIERS {
        let mut server = Server::start();
        let mut client = Client::open(&server, carrier);
        client.assert_echoes("hello");
        server.signal("TERM");
        let ended = client.finish(1);
        let close = ended.events.last().expect("a close");
        assert_eq!(*close, json!({"event": "close", "reason": "server disconnect"}));
        server.assert_exits();
    }
}

/// A connection that is cut without a goodbye: one `close`, maybe an `error` before it, exit 1.
#[test]
fn a_cut_connection_is_a_transports_end() {
    let cut: [(Front, &[&str]); 4] = [
        (front::polling(|_| Answer::HangUp), &[]),
        (
            front::polling(|_| Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n4half".to_vec())),
            &[],
        ),
        (front::polling(|_| Answer::refused(400, "Session ID unknown")), &[]),
        (front::on_websocket(drop), &["--transports", "websocket"]),
    ];
    for (front, flags) in cut {
        let ended = Client::start(&front.url(), flags).finish(1);
        let close = ended.events.last().expect("a close");
        let reason = close["reason"].as_str().expect("a reason");
        assert!(["transport close", "transport error"].contains(&reason), "{close}");
        assert_eq!(ended.named("message").len(), 0, "half a message is none");
    }
}

/// Without the server's pings the connection ends as `ping timeout`, when interval and timeout are over.
#[test]
fn a_silent_server_is_a_ping_timeout() {
    let open = || front::open_packet_with(&[], 300, 200);
    let silent = Front::start(move |request| match request.kind() {
        Kind::Handshake => Answer::ok(open()),
        Kind::WebSocket => Answer::websocket(move |mut websocket| {
            let _ = websocket.send(Message::text(open()));
            while websocket.read().is_ok() {}
        }),
        _ => Answer::Silence,
    });
    for carrier in &CARRIERS[..2] {
        let ended = Client::start(&silent.url(), carrier).finish(1);
        let close = ended.events.last().expect("a close");
        assert_eq!(*close, json!({"event": "close", "reason": "ping timeout"}));
    }
}

/// What is no packet ends it as `parse error`.
#[test]
fn nonsense_from_the_server_is_a_parse_error() {
    let nonsense: [(Front, &[&str]); 3] = [
        (front::polling(|_| Answer::ok("what?")), &[]),
        (front::polling(|_| Answer::ok("b***")), &[]),
        (
            front::on_websocket(|mut websocket| {
                let _ = websocket.send(Message::text("what?"));
                while websocket.read().is_ok() {}
            }),
            &["--transports", "websocket"],
        ),
    ];
    for (front, flags) in nonsense {
        let ended = Client::start(&front.url(), flags).finish(1);
        let close = ended.events.last().expect("a close");
        assert_eq!(*close, json!({"event": "close", "reason": "parse error"}));
        for error in ended.named("error") {
            assert_eq!(error["kind"], "protocol", "{error}");
        }
    }
}

/// A connection that never opened ends in one `error` of its kind, and no `close`; exit 1, a line on stderr.
#[test]
fn a_connection_that_never_opened_ends_in_one_error() {
    let ended = Client::start(NOBODY, &[]).finish(1);
    assert_eq!(ended.only_error()["kind"], "connection");
    let ended = Client::start(NOBODY, &["--transports", "websocket"]).finish(1);
    assert_eq!(ended.only_error()["kind"], "connection");
}

/// A refusal is of kind `refused`, and says the server's words.
#[test]
fn a_refusal_says_the_servers_words() {
    let front = Front::start(|_| Answer::refused(401, "who are you?"));
    for carrier in CARRIERS {
        let ended = Client::start(&front.url(), carrier).finish(1);
        let error = ended.only_error();
        assert_eq!(error["kind"], "refused", "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("who are you?"), "{message}");
        assert!(ended.stderr.contains("who are you?"), "{}", ended.stderr);
    }
}

/// What is no Engine.IO server is of kind `refused` where it says no, and `protocol` where it says something else.
#[test]
fn another_server_is_named_for_what_it_does() {
    let page = Answer::reply(404, &["Content-Type: text/html"], "<!doctype html><p>Not found");
    assert_eq!(kind_of_failure(page), "refused");
    let page = Answer::reply(200, &["Content-Type: text/html"], "<!doctype html><p>Welcome");
    assert_eq!(kind_of_failure(page), "protocol");
    assert_eq!(kind_of_failure(Answer::ok("0{\"sid\":12}")), "protocol");
    assert_eq!(kind_of_failure(Answer::ok("")), "protocol");
    assert_eq!(
        kind_of_failure(Answer::Raw(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())),
        "protocol"
    );
}

/// The kind of the one error where a polling handshake is answered so.
#[track_caller]
fn kind_of_failure(answer: Answer) -> String {
    let answer = std::sync::Mutex::new(Some(answer));
    let front = Front::start(move |_| answer.lock().expect("the answer").take().unwrap_or(Answer::HangUp));
    let ended = Client::start(&front.url(), &["--transports", "polling"]).finish(1);
    let kind = ended.only_error()["kind"].as_str().expect("a kind");
    kind.to_owned()
}
