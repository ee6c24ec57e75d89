//! How it ends: by the server's word, by ours, and where nobody listens any more.

use std::time::Duration;

use crate::client::{Client, Event, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::Next;

const TRANSPORTS: [&str; 2] = ["polling", "websocket"];

#[test]
fn a_close_packet_ends_it_between_messages() {
    for body in ["1", "4a\x1e1", "4a\x1e1\x1e4ghost", "4a\x1e1\x1e1\x1e2"] {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Poll => visit.ok(body),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &["--reconnect", "3", "--reconnect-delay", "10ms"]);
        client.opened("polling");
        if body.starts_with('4') {
            client.text("a");
        }
        // Nobody comes back to a server that said so on purpose.
        client.closed(&["server disconnect"]);
        client.ended(1);
        assert_eq!(server.shared.state().kinds, [Kind::Open, Kind::Poll]);
    }
}

#[test]
fn a_close_packet_on_the_websocket() {
    let server = Server::start(Config::default(), |visit| {
        visit.open_directly();
        for packet in ["4a", "1", "4ghost"] {
            visit.text(packet);
        }
        visit.stay_silent()
    });
    let arguments = [
        "--transports",
        "websocket",
        "--reconnect",
        "3",
        "--reconnect-delay",
        "10ms",
    ];
    let mut client = Client::connect(&server, &arguments);
    client.opened("websocket");
    client.text("a");
    client.closed(&["server disconnect"]);
    client.ended(1);
    assert_eq!(server.shared.state().kinds, [Kind::Direct]);
}

#[test]
fn a_close_packet_with_text_is_one_or_is_none() {
    let server = Server::start(Config::default(), move |visit| match visit.kind {
        Kind::Poll => visit.ok("1bye\x1e4ghost"),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    match client.next() {
        Event::Close(reason) => assert_eq!(reason, "server disconnect"),
        Event::Error { kind, .. } => {
            assert_eq!(kind, "protocol");
            client.closed(&["parse error"]);
        }
        other => panic!("{other:?}"),
    }
    client.ended(1);
}

#[test]
fn the_end_of_input_delivers_what_was_queued() {
    all(&TRANSPORTS, |transport| {
        // Slow to open, slow to answer.
        let server = Server::start(Config::default(), |visit| {
            match visit.kind {
                Kind::Open | Kind::Direct => visit.sleep(200),
                Kind::Post => visit.sleep(50),
                _ => {}
            }
            Next::Usual
        });
        let mut client = Client::connect(&server, &["--transports", transport]);
        let expected: Vec<String> = (0..40).map(|number| format!("4{number}")).collect();
        for packet in &expected {
            client.send(&packet[1..]);
        }
        client.end_input();
        client.opened(transport);
        client.closed(&["client disconnect"]);
        client.ended(0);
        server.wait_for("the close packet", |state| state.sessions[0].closed);
        server.assert_messages(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    });
}

#[test]
fn nothing_to_say_connects_all_the_same() {
    all(&TRANSPORTS, |transport| {
        let server = Server::usual(Config::default());
        let mut client = Client::connect(&server, &["--transports", transport]);
        client.end_input();
        client.opened(transport);
        client.closed(&["client disconnect"]);
        client.ended(0);
        server.wait_for("the end of the session", |state| state.sessions[0].closed);
    });
}

#[test]
fn asked_to_close_while_connecting() {
    all(&TRANSPORTS, |transport| {
        let server = Server::start(Config::default(), |visit| visit.stay_silent());
        let mut client = Client::connect(&server, &["--transports", transport, "--timeout", "20s"]);
        server.wait_for("a request", |state| !state.kinds.is_empty());
        client.ask_to_close();
        client.ended(0);
        assert!(client.elapsed() < Duration::from_secs(5), "{:?}", client.elapsed());
    });
}

#[test]
fn a_close_that_is_never_answered() {
    // The POST of the close packet hangs, and so does the poll.
    let server = Server::start(Config::beating(300, 300), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            visit.stay_silent()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.ask_to_close();
    client.closed(&["client disconnect"]);
    client.ended(0);
    assert!(client.elapsed() < Duration::from_secs(6), "{:?}", client.elapsed());
}

#[test]
fn a_close_that_is_answered_by_nonsense() {
    let answers = [
        "",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    all(&answers, |&answer| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Post => {
                visit.take_payload();
                visit.write(answer);
                Next::Close
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("polling");
        client.ask_to_close();
        // We wanted to go, and are gone; whether the server's last word is told is a matter of taste.
        client.failed(&["client disconnect"]);
        client.ended(0);
        assert_eq!(server.count(Kind::Post), 1);
    });
}

#[test]
fn a_poll_that_is_refused_behind_our_close() {
    // It was under way when the server learnt that the session is over, or it crossed the close packet. Both is in order,
    // and nothing to tell anybody about.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll => {
            visit.shared.wait_until(|state| state.sessions[0].closed);
            visit.answer(
                "400 Bad Request",
                &["Content-Type: application/json"],
                r#"{"code":1,"message":"Session ID unknown"}"#,
            )
        }
        Kind::Post => {
            visit.take_payload();
            visit.sleep(150);
            visit.ok("ok")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("last words");
    client.close();
    server.assert_messages(&["4last words"]);
}

#[test]
fn a_websocket_that_does_not_let_go() {
    let server = Server::start(Config::beating(300, 300).silent(), |visit| {
        visit.open_directly();
        visit.stay_silent()
    });
    let mut client = Client::connect(&server, &["--transports", "websocket"]);
    client.opened("websocket");
    client.send("last words");
    client.ask_to_close();
    client.closed(&["client disconnect"]);
    client.ended(0);
    assert!(client.elapsed() < Duration::from_secs(6), "{:?}", client.elapsed());
}

#[test]
fn messages_that_come_behind_our_close() {
    // A server may have sent them before it knew. Printed or not, `close` is the last word.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Post => {
            visit.take_payload();
            let session = visit.session.expect("a session");
            visit.shared.push(session, "4late");
            visit.sleep(100);
            visit.ok("ok")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.ask_to_close();
    match client.next() {
        Event::Text(text) => {
            assert_eq!(text, "late");
            client.closed(&["client disconnect"]);
        }
        Event::Close(reason) => assert_eq!(reason, "client disconnect"),
        other => panic!("{other:?}"),
    }
    client.ended(0);
}

#[test]
fn messages_after_the_close_are_not_sent() {
    let server = Server::usual(Config::default());
    let mut client = Client::connect(&server, &[]);
    client.opened("polling");
    client.send("before");
    client.line("{\"close\":true}\n{\"send\":\"ghost\"}");
    // It may be reported, before the end of the session or behind it, as not delivered.
    let reported = client.rest();
    let closes = reported.iter().filter(|event| matches!(event, Event::Close(_)));
    assert_eq!(
        closes.collect::<Vec<_>>(),
        [&Event::Close("client disconnect".to_owned())]
    );
    for event in &reported {
        match event {
            Event::Close(_) => {}
            Event::Error { message, .. } => assert!(message.contains("ghost"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    // A message that was asked for too late may count as a failure.
    client.ended_with(&[0, 1]);
    server.assert_messages(&["4before"]);
}
