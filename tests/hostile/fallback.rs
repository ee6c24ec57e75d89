//! One transport fails, the next is tried; the error is that of the first.

use std::time::Duration;

use crate::client::{Client, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::{Next, Visit};

/// The kind of the error, what its message names, and how it comes about.
type Failure = (&'static str, &'static str, fn(&mut Visit) -> Next);

/// Ways to fail on the first transport, whichever it is.
const FAILURES: [Failure; 6] = [
    ("refused", "503", |visit| {
        visit.answer("503 Service Unavailable", &[], "")
    }),
    ("refused", "403", |visit| {
        visit.answer("403 Forbidden", &["Content-Type: text/html"], "<h1>no</h1>")
    }),
    ("refused", "302", |visit| {
        visit.answer("302 Found", &["Location: /elsewhere"], "")
    }),
    ("protocol", "", |visit| {
        visit.write("nonsense\r\n\r\n");
        Next::Close
    }),
    ("connection", "", |visit| visit.reset()),
    ("connection", "", |_| Next::Close),
];

#[test]
fn from_polling_to_the_websocket() {
    all(&FAILURES, |&(_, _, fail)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open => fail(visit),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("websocket");
        client.goes_on(&server);
        client.close();
        assert_eq!(server.shared.state().kinds, [Kind::Open, Kind::Direct]);
    });
}

#[test]
fn from_the_websocket_to_polling() {
    all(&FAILURES, |&(_, _, fail)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Direct => fail(visit),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &["--transports", "websocket,polling"]);
        client.opened("polling");
        client.goes_on(&server);
        client.close();
        assert_eq!(server.count(Kind::Direct), 1);
        assert_eq!(server.sessions(), 1);
    });
}

#[test]
fn a_wrong_handshake_falls_back_too() {
    for wrong in ["4hello", "0{}", ""] {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open => visit.ok(wrong),
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &[]);
        client.opened("websocket");
        client.goes_on(&server);
        client.close();
    }
}

#[test]
fn where_all_fail_the_first_one_is_reported() {
    all(&FAILURES, |&(kind, named, fail)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open => fail(visit),
            _ => visit.answer("418 I'm a teapot", &[], ""),
        });
        let message = Client::connect(&server, &[]).refused(&[kind]);
        assert!(message.contains(named) && !message.contains("418"), "{message}");
        assert_eq!(server.shared.state().kinds, [Kind::Open, Kind::Direct]);
    });
    all(&FAILURES, |&(kind, named, fail)| {
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Direct => fail(visit),
            _ => visit.answer("418 I'm a teapot", &[], ""),
        });
        let client = Client::connect(&server, &["--transports", "websocket,polling"]);
        let message = client.refused(&[kind]);
        assert!(message.contains(named) && !message.contains("418"), "{message}");
        assert_eq!(server.shared.state().kinds, [Kind::Direct, Kind::Open]);
    });
}

#[test]
fn one_timeout_for_all_of_them() {
    let server = Server::start(Config::default(), |visit| visit.stay_silent());
    let mut client = Client::connect(&server, &["--timeout", "500ms"]);
    client.error(&["timeout"]);
    client.ended(1);
    let elapsed = client.elapsed();
    assert!(elapsed >= Duration::from_millis(450), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
    assert_eq!(server.sessions(), 0);
}

#[test]
fn a_message_is_sent_over_the_one_that_opened() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Open => {
            visit.sleep(150);
            visit.answer("500 Internal Server Error", &[], "")
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &[]);
    client.send("early");
    client.opened("websocket");
    server.wait_for_messages(&["4early"]);
    client.close();
    server.assert_messages(&["4early"]);
}
