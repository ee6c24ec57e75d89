//! Servers that go away and come back, or do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, Event, all};
use crate::request::Kind;
use crate::server::Server;
use crate::session::Config;
use crate::visit::{Next, Visit};

const RECONNECTING: [&str; 4] = ["--reconnect", "3", "--reconnect-delay", "50ms"];

/// The ways in which a session over polling ends that nobody meant to end.
const LOSSES: [fn(&mut Visit) -> Next; 5] = [
    |visit| visit.answer("400 Bad Request", &[], r#"{"code":1,"message":"Session ID unknown"}"#),
    |visit| visit.answer("502 Bad Gateway", &[], ""),
    |visit| visit.reset(),
    |visit| {
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n4gh");
        Next::Close
    },
    |visit| visit.ok("7"),
];

#[test]
fn it_comes_back_and_brings_what_was_sent_meanwhile() {
    all(&LOSSES, |&lose| {
        let gate = Arc::new(AtomicBool::new(false));
        let opening = Arc::clone(&gate);
        let server = Server::start(Config::default(), move |visit| match visit.kind {
            Kind::Open if visit.nth == 1 => {
                while !opening.load(Ordering::Relaxed) && !visit.shared.is_stopping() {
                    visit.sleep(5);
                }
                Next::Usual
            }
            Kind::Poll if visit.session == Some(0) => {
                visit.shared.wait_until(|state| state.messages.len() == 1);
                // The answer to the POST is on its way.
                visit.sleep(100);
                lose(visit)
            }
            _ => Next::Usual,
        });
        let mut client = Client::connect(&server, &RECONNECTING);
        let first = client.opened("polling");
        client.send("before");
        server.wait_for_messages(&["4before"]);
        client.failed(&["transport error", "parse error"]);
        client.reconnecting(1);
        client.send("between");
        client.send("and again");
        gate.store(true, Ordering::Relaxed);
        let second = client.opened("polling");
        assert_ne!(first, second);
        server.wait_for_messages(&["4before", "4between", "4and again"]);
        client.goes_on(&server);
        client.close();
        server.assert_messages(&["4before", "4between", "4and again", "4I am"]);
        assert_eq!(server.sessions(), 2);
    });
}

#[test]
fn a_websocket_comes_back_too() {
    for is_reset in [false, true] {
        let server = Server::start(Config::default(), move |visit| {
            if visit.nth > 0 {
                return Next::Usual;
            }
            visit.open_directly();
            visit.expect_text("4before");
            if is_reset { visit.reset() } else { Next::Close }
        });
        let arguments = [&RECONNECTING[..], &["--transports", "websocket"]].concat();
        let mut client = Client::connect(&server, &arguments);
        let first = client.opened("websocket");
        client.send("before");
        client.failed(&["transport close", "transport error"]);
        client.reconnecting(1);
        let second = client.opened("websocket");
        assert_ne!(first, second);
        client.goes_on(&server);
        client.close();
        server.assert_messages(&["4I am"]);
    }
}

#[test]
fn after_an_upgrade_it_begins_with_polling_again() {
    let server = Server::start(Config::upgrading(), |visit| match visit.kind {
        Kind::Upgrade if visit.nth == 0 => {
            visit.accept();
            visit.expect_text("2probe");
            visit.text("3probe");
            let session = visit.session.expect("a session");
            visit.shared.release(session, true);
            visit.expect_text("5");
            Next::Close
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &RECONNECTING);
    client.opened("polling");
    client.upgraded();
    client.failed(&["transport close", "transport error"]);
    client.reconnecting(1);
    client.opened("polling");
    client.upgraded();
    client.goes_on(&server);
    client.close();
    assert_eq!(server.sessions(), 2);
}

#[test]
fn for_want_of_a_ping() {
    for transport in ["polling", "websocket"] {
        let server = Server::start(Config::beating(200, 300), |visit| {
            // The first session is held for ever: no ping, and nothing else.
            let is_first = match visit.kind {
                Kind::Direct => visit.nth == 0,
                Kind::Poll => visit.session == Some(0),
                _ => false,
            };
            if !is_first {
                return Next::Usual;
            }
            if visit.kind == Kind::Direct {
                visit.open_directly();
            }
            visit.stay_silent()
        });
        let arguments = [&RECONNECTING[..], &["--transports", transport]].concat();
        let mut client = Client::connect(&server, &arguments);
        client.opened(transport);
        client.failed(&["ping timeout"]);
        client.reconnecting(1);
        client.opened(transport);
        client.goes_on(&server);
        client.close();
        assert_eq!(server.sessions(), 2);
    }
}

#[test]
fn it_gives_up_in_the_end() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Open if visit.nth == 0 => Next::Usual,
        Kind::Poll => visit.answer("502 Bad Gateway", &[], ""),
        _ => visit.answer("503 Service Unavailable", &[], ""),
    });
    let arguments = [
        "--reconnect",
        "3",
        "--reconnect-delay",
        "20ms",
        "--transports",
        "polling",
    ];
    let mut client = Client::connect(&server, &arguments);
    client.opened("polling");
    client.failed(&["transport error"]);
    for attempt in 1..=3 {
        client.reconnecting(attempt);
        let message = client.error(&["refused"]);
        assert!(message.contains("503"), "{message}");
    }
    client.ended(1);
    assert_eq!(server.count(Kind::Open), 4);
}

#[test]
fn the_first_connection_is_tried_again_too() {
    let server = Server::start(Config::default(), |visit| match (visit.kind, visit.nth) {
        (Kind::Open, 0) => visit.answer("503 Service Unavailable", &[], ""),
        (Kind::Open, 1) => visit.ok("4hello"),
        (Kind::Open, 2) => visit.reset(),
        _ => Next::Usual,
    });
    let arguments = [
        "--reconnect",
        "3",
        "--reconnect-delay",
        "20ms",
        "--transports",
        "polling",
    ];
    let mut client = Client::connect(&server, &arguments);
    client.send("early");
    client.error(&["refused"]);
    client.reconnecting(1);
    client.error(&["protocol"]);
    client.reconnecting(2);
    client.error(&["connection"]);
    client.reconnecting(3);
    client.opened("polling");
    server.wait_for_messages(&["4early"]);
    client.close();
    server.assert_messages(&["4early"]);
    assert_eq!(server.sessions(), 1);
}

#[test]
fn delays_are_within_their_bounds() {
    let server = Server::start(Config::default(), |visit| {
        visit.answer("503 Service Unavailable", &[], "")
    });
    let arguments = [
        "--reconnect",
        "5",
        "--reconnect-delay",
        "20ms",
        "--reconnect-delay-max",
        "60ms",
        "--transports",
        "polling",
    ];
    let mut client = Client::connect(&server, &arguments);
    // Doubled each time, never above the maximum, each with half of it more or less.
    for (at, delay) in [20, 40, 60, 60, 60].into_iter().enumerate() {
        client.error(&["refused"]);
        match client.next() {
            Event::Reconnecting { attempt, delay_ms } => {
                assert_eq!(attempt, at as u64 + 1);
                assert!(
                    delay_ms >= delay / 2 && delay_ms <= delay * 3 / 2,
                    "{delay_ms} ms for {delay}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    client.error(&["refused"]);
    client.ended(1);
    assert_eq!(server.count(Kind::Open), 6);
}

#[test]
fn each_loss_has_its_own_attempts() {
    // Lost again and again, but always back: the count begins anew with each connection that opened.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll if visit.nth < 5 => visit.reset(),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &["--reconnect", "2", "--reconnect-delay", "10ms"]);
    for _ in 0..5 {
        client.opened("polling");
        client.failed(&["transport error"]);
        client.reconnecting(1);
    }
    client.opened("polling");
    client.goes_on(&server);
    client.close();
    assert_eq!(server.sessions(), 6);
}

#[test]
fn what_may_have_arrived_is_not_sent_again() {
    // The POST is taken, and its answer gets lost with the session.
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Post if visit.session == Some(0) => {
            visit.take_payload();
            visit.reset()
        }
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &RECONNECTING);
    client.opened("polling");
    client.send("once");
    // That it is not known to have arrived may be reported, behind the loss or before it.
    let event = client.next();
    let event = if matches!(event, Event::Error { .. }) {
        client.next()
    } else {
        event
    };
    assert_eq!(event, Event::Close("transport error".to_owned()));
    client.reconnecting(1);
    client.opened("polling");
    client.goes_on(&server);
    client.close();
    server.assert_messages(&["4once", "4I am"]);
}

#[test]
fn asked_to_close_between_two_attempts() {
    let server = Server::start(Config::default(), |visit| match visit.kind {
        Kind::Poll => visit.reset(),
        Kind::Open if visit.nth > 0 => visit.answer("503 Service Unavailable", &[], ""),
        _ => Next::Usual,
    });
    let mut client = Client::connect(&server, &["--reconnect", "forever", "--reconnect-delay", "20s"]);
    client.opened("polling");
    client.failed(&["transport error"]);
    client.reconnecting(1);
    client.ask_to_close();
    client.ended(0);
    assert!(
        client.elapsed() < std::time::Duration::from_secs(6),
        "{:?}",
        client.elapsed()
    );
    assert_eq!(server.count(Kind::Open), 1);
}
