//! Which transport is tried when, and what becomes of an upgrade.

use std::time::Duration;

use serde_json::json;
use tungstenite::Message;

use crate::client::{Client, NOBODY};
use crate::front::{Answer, Front, Kind, Sink};
use crate::server::Server;

/// Transports are tried in the order given: `websocket,polling` begins with the WebSocket.
#[test]
fn transports_are_tried_in_the_order_given() {
    let server = Server::start();
    let address = server.address;
    for (flags, first) in [
        (&["--transports", "websocket,polling"][..], "websocket"),
        (&["--transports", "polling,websocket"], "polling"),
        (&[], "polling"),
    ] {
        let front = Front::start(move |_| Answer::pass(address));
        let mut client = Client::start(&front.url(), flags);
        assert_eq!(client.next("open")["transport"], first);
        client.assert_echoes("hello");
        client.close();
        let requests = front.requests();
        assert_eq!(requests[0].parameter("transport").as_deref(), Some(first));
        if first == "websocket" {
            assert_eq!(requests.len(), 1, "nothing else is needed: {requests:?}");
        }
    }
    server.finish();
}

/// One transport alone is the only one: no WebSocket for `polling`, no polling for `websocket`.
#[test]
fn a_single_transport_is_the_only_one() {
    let server = Server::start();
    let address = server.address;
    for only in ["polling", "websocket"] {
        let front = Front::start(move |_| Answer::pass(address));
        let mut client = Client::start(&front.url(), &["--transports", only]);
        assert_eq!(client.next("open")["transport"], only);
        for _ in 0..5 {
            client.assert_echoes("hello");
        }
        assert_eq!(client.close().named("upgrade").len(), 0);
        for request in front.requests() {
            assert_eq!(request.parameter("transport").as_deref(), Some(only));
        }
    }
    server.finish();
}

/// `--no-upgrade` stays on polling although the server offers more.
#[test]
fn no_upgrade_stays_on_polling() {
    let server = Server::start();
    let address = server.address;
    let front = Front::start(move |_| Answer::pass(address));
    let mut client = Client::start(&front.url(), &["--no-upgrade"]);
    assert_eq!(client.next("open")["transport"], "polling");
    for _ in 0..5 {
        client.assert_echoes("hello");
    }
    let ended = client.close();
    assert_eq!(ended.named("upgrade").len() + ended.named("upgrade_error").len(), 0);
    assert_eq!(front.requests_of(Kind::Upgrade).len(), 0);
    server.finish();
}

/// Where the server offers no upgrade, none is tried.
#[test]
fn an_upgrade_that_is_not_offered_is_not_tried() {
    let server = Server::with(&["--no-upgrades"]);
    let address = server.address;
    let front = Front::start(move |_| Answer::pass(address));
    let mut client = Client::start(&front.url(), &[]);
    client.next("open");
    for _ in 0..5 {
        client.assert_echoes("hello");
    }
    let ended = client.close();
    assert_eq!(ended.named("upgrade").len() + ended.named("upgrade_error").len(), 0);
    assert_eq!(front.requests_of(Kind::Upgrade).len(), 0);
    server.finish();
}

/// A refused first transport falls back to the next, without a word.
#[test]
fn a_refused_transport_falls_back_to_the_next() {
    let server = Server::with(&["--no-upgrades"]);
    let address = server.address;
    let front = Front::start(move |request| match request.kind() {
        Kind::WebSocket => Answer::refused(403, "no WebSockets here"),
        _ => Answer::pass(address),
    });
    let mut client = Client::start(&front.url(), &["--transports", "websocket,polling"]);
    assert_eq!(client.event()["transport"], "polling");
    client.assert_echoes("hello");
    client.close();

    let front = Front::start(move |request| match request.kind() {
        Kind::WebSocket => Answer::pass(address),
        _ => Answer::refused(403, "no polling here"),
    });
    let mut client = Client::start(&front.url(), &["--transports", "polling,websocket"]);
    assert_eq!(client.event()["transport"], "websocket");
    client.assert_echoes("hello");
    client.close();
    server.finish();
}

/// Our own server refuses a transport that it was not given, and the other one serves.
#[test]
fn a_server_of_one_transport_is_reached() {
    for (only, order) in [("polling", "websocket,polling"), ("websocket", "polling,websocket")] {
        let server = Server::with(&["--transports", only]);
        let mut client = Client::start(&crate::client::url(server.address), &["--transports", order]);
        assert_eq!(client.next("open")["transport"], only);
        client.assert_echoes("hello");
        client.close();
        server.finish();
    }
}

/// Where all fail, there is one error, and it is the first one's.
#[test]
fn the_error_reported_is_the_first_ones() {
    let refuse = || {
        Front::start(|request| match request.kind() {
            Kind::WebSocket => Answer::refused(403, "no WebSockets here"),
            _ => Answer::refused(401, "no polling here"),
        })
    };
    for (order, words) in [
        ("polling,websocket", "no polling here"),
        ("websocket,polling", "no WebSockets here"),
    ] {
        let front = refuse();
        let ended = Client::start(&front.url(), &["--transports", order]).finish(1);
        let error = ended.only_error();
        assert_eq!(error["kind"], "refused", "{error}");
        assert!(
            error["message"].as_str().is_some_and(|text| text.contains(words)),
            "{error}"
        );
        assert_eq!(front.requests().len(), 2, "each was tried once");
    }
}

/// Where nobody listens, there is one error for both.
#[test]
fn nobody_is_one_error_for_all_transports() {
    for order in ["polling,websocket", "websocket,polling"] {
        let ended = Client::start(NOBODY, &["--transports", order]).finish(1);
        assert_eq!(ended.only_error()["kind"], "connection");
    }
}

/// A front whose upgrades fail like this, before a real server; and a conversation before, during and after.
#[track_caller]
fn assert_survives(upgrade: impl Fn() -> Answer + Send + Sync + 'static) {
    let server = Server::start();
    let address = server.address;
    let front = Front::start(move |request| match request.kind() {
        Kind::Upgrade => Answer::Late(Duration::from_millis(200), Box::new(upgrade())),
        _ => Answer::pass(address),
    });
    let mut client = Client::start(&front.url(), &[]);
    for number in 0..50 {
        client.send(&format!("before {number}"));
    }
    let mut echoes = Vec::new();
    let mut failed = false;
    while echoes.len() < 50 || !failed {
        let event = client.event();
        match event["event"].as_str() {
            Some("message") => echoes.push(event["text"].as_str().unwrap_or_default().to_owned()),
            Some("upgrade_error") => failed = true,
            Some("open") => {}
            _ => panic!("{event}"),
        }
    }
    let wanted: Vec<String> = (0..50).map(|number| format!("before {number}")).collect();
    assert_eq!(echoes, wanted);
    for number in 0..5 {
        client.assert_echoes(&format!("after {number}"));
    }
    let ended = client.close();
    assert_eq!(ended.named("upgrade_error").len(), 1, "{:?}", ended.events);
    assert_eq!(ended.named("upgrade").len(), 0, "{:?}", ended.events);
    assert_eq!(front.requests_of(Kind::Upgrade).len(), 1, "it is tried once");
    server.finish();
}

/// An upgrade that fails prints one `upgrade_error` and stays on polling, losing nothing: it is refused.
#[test]
fn a_refused_upgrade_stays_on_polling() {
    assert_survives(|| Answer::refused(400, "Bad request"));
}

/// The same where the connection of the WebSocket is cut.
#[test]
fn a_cut_upgrade_stays_on_polling() {
    assert_survives(|| Answer::HangUp);
}

/// The same where it is answered as any other request.
#[test]
fn an_upgrade_answered_200_stays_on_polling() {
    assert_survives(|| Answer::ok("6"));
}

/// The same where the WebSocket dies before it has proved itself.
#[test]
fn a_websocket_that_dies_before_the_probe_stays_on_polling() {
    assert_survives(|| Answer::websocket(drop));
}

/// The same where the probe is answered wrongly.
#[test]
fn a_wrong_probe_stays_on_polling() {
    assert_survives(|| {
        Answer::websocket(|mut websocket| {
            let _ = websocket.read();
            let _ = websocket.send(Message::text("3nonsense"));
            while websocket.read().is_ok() {}
        })
    });
}

/// The same where the server closes the WebSocket instead of answering the probe.
#[test]
fn a_closed_probe_stays_on_polling() {
    assert_survives(|| {
        Answer::websocket(|mut websocket| {
            let _ = websocket.read();
            let _ = websocket.close(None);
            while websocket.read().is_ok() {}
        })
    });
}

/// `upgrade` comes when the WebSocket has proved itself: the probe first, then the upgrade packet, then messages.
#[test]
fn the_probe_comes_before_the_upgrade() {
    let sink = Sink::start(1_000_000);
    let mut client = Client::start(&sink.front.url(), &[]);
    client.next("open");
    assert_eq!(client.event(), json!({"event": "upgrade", "transport": "websocket"}));
    client.send("hello");
    assert_eq!(sink.wait_for(1), ["hello"]);
    assert_eq!(sink.packets(), ["2probe", "5", "4hello"]);
    client.close();
}
