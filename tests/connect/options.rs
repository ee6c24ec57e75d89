//! The flags about the connection, as the server sees them.

use std::time::Duration;

use crate::client::Client;
use crate::front::{Answer, Front, Kind, Request, open_packet, open_packet_with};

/// Opens, sends by POST, tries a WebSocket and has a second poll under way: what was asked for.
fn requests(flags: &[&str]) -> Vec<Request> {
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&["websocket"])),
        Kind::Post => Answer::ok("ok"),
        Kind::Upgrade => Answer::refused(400, "not today"),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), flags);
    client.next("open");
    client.send("hello");
    for kind in [Kind::Poll, Kind::Post, Kind::Upgrade] {
        front.wait_for(|request| request.kind() == kind);
    }
    // Its poll would have to be answered first.
    drop(client);
    front.requests()
}

fn of(requests: &[Request], kind: Kind) -> &Request {
    requests
        .iter()
        .find(|request| request.kind() == kind)
        .expect("a request")
}

#[test]
fn every_get_is_another_one() {
    for (flags, name) in [(&[][..], "t"), (&["--timestamp-param", "fresh"], "fresh")] {
        let requests = requests(flags);
        let first = of(&requests, Kind::Handshake).parameter(name).expect("a number");
        let second = of(&requests, Kind::Poll).parameter(name).expect("a number");
        assert_ne!(first, second);
        for kind in [Kind::Post, Kind::Upgrade] {
            assert_eq!(of(&requests, kind).parameter(name), None, "{kind:?}");
        }
    }
    for request in requests(&["--no-timestamps"]) {
        assert_eq!(request.parameter("t"), None, "{}", request.target);
    }
    let flags = ["--query", "t=mine"];
    assert!(
        requests(&flags)
            .iter()
            .all(|request| request.target.matches("t=mine").count() == 1)
    );
}

#[test]
fn what_is_for_websockets_alone() {
    let flags = [
        "--header",
        "X-For: all",
        "--websocket-header",
        "x-for: websockets",
        "--websocket-header",
        "X-More: 1",
        "--websocket-protocol",
        "chat",
        "--websocket-protocol",
        "other",
    ];
    let requests = requests(&flags);
    for request in &requests {
        let websocket = request.kind() == Kind::Upgrade;
        let (said, more) = if websocket {
            ("websockets", Some("1"))
        } else {
            ("all", None)
        };
        assert_eq!(request.header("x-for"), Some(said), "{:?}", request.kind());
        assert_eq!(request.header("x-more"), more, "{:?}", request.kind());
        let offered = websocket.then_some("chat, other");
        assert_eq!(
            request.header("sec-websocket-protocol"),
            offered,
            "{:?}",
            request.kind()
        );
    }
}

#[test]
fn messages_that_are_too_large() {
    let long = "x".repeat(2_000);
    for (flags, transport) in [
        (["--max-payload", "1kB"], "polling"),
        (["--max-payload", "1kB"], "websocket"),
        (["--max-websocket-message", "1kB"], "websocket"),
    ] {
        let message = format!("4{long}");
        let front = Front::start(move |request| match request.kind() {
            Kind::Handshake => Answer::ok(open_packet(&[])),
            Kind::Poll => Answer::ok(message.clone()),
            Kind::Post => Answer::ok("ok"),
            _ => {
                let message = message.clone();
                Answer::websocket(move |mut websocket| {
                    for packet in [open_packet(&[]), message] {
                        let _ = websocket.send(tungstenite::Message::text(packet));
                    }
                    while websocket.read().is_ok() {}
                })
            }
        });
        let client = Client::start(&front.url(), &[&flags[..], &["--transports", transport]].concat());
        let ended = client.finish(1);
        assert_eq!(ended.texts(), Vec::<&str>::new(), "{flags:?}");
        assert_eq!(ended.named("error")[0]["kind"], "protocol", "{flags:?}");
    }
}

#[test]
fn times() {
    // A POST that nobody answers.
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&[])),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &["--request-timeout", "200ms"]);
    client.next("open");
    client.send("hello");
    let ended = client.finish_with_errors(1);
    assert_eq!(ended.named("error")[0]["kind"], "timeout");
    // A WebSocket that says nothing. The session must not end by itself meanwhile.
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet_with(&["websocket"], 60_000, 60_000)),
        Kind::Post => Answer::ok("ok"),
        Kind::Poll => Answer::Late(Duration::from_millis(50), Box::new(Answer::ok("6"))),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &["--upgrade-timeout", "200ms"]);
    client.next("open");
    client.next("upgrade_error");
    client.ask_to_close();
    client.finish(0);
}

/// Where nothing moves any more, a close is over when this time is. It would have five seconds otherwise: less could only be
/// seen by something that has not taken long.
#[test]
fn the_time_to_close() {
    let front = Front::start(|request| match request.kind() {
        Kind::Handshake => Answer::ok(open_packet(&[])),
        _ => Answer::Silence,
    });
    let mut client = Client::start(&front.url(), &["--close-timeout", "5500ms"]);
    client.next("open");
    client.ask_to_close();
    let ended = client.finish(0);
    assert_eq!(ended.named("close")[0]["reason"], "client disconnect");
    assert!(ended.lasted >= Duration::from_millis(5500), "{:?}", ended.lasted);
}

/// As the flags say, whatever the environment does.
#[test]
fn a_proxy_of_the_flags() {
    let proxy = Front::start(|_| Answer::refused(403, "the proxy"));
    let server = Front::start(|_| Answer::refused(403, "the server"));
    let elsewhere = [("HTTP_PROXY", crate::client::NOBODY)];
    let polling = ["--transports", "polling"];
    for (flags, said) in [
        (&["--proxy", &proxy.url()][..], "the proxy"),
        (&["--no-proxy"], "the server"),
    ] {
        let client = Client::start_in(&server.url(), &[flags, &polling[..]].concat(), &elsewhere);
        let ended = client.finish(1);
        let error = ended.only_error();
        assert!(error.to_string().contains(said), "{error}");
    }
}
