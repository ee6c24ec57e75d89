//! From polling to a WebSocket, on three streams.

use super::*;

/// A session that polls, whose WebSocket is asked for; and the request for that.
fn offered() -> (Wire, Request) {
    let mut wire = Wire::new(options("http://host"), Config::default());
    wire.open("\"websocket\"");
    let request = wire.request(WS);
    (wire, request)
}

fn probed() -> Wire {
    let (mut wire, _) = offered();
    wire.say(WS, granted(""));
    assert_eq!(wire.frames(), [Frame::Text("2probe".into())]);
    wire.say(WS, text("3probe"));
    wire
}

#[test]
fn step_by_step() {
    let (mut wire, request) = offered();
    assert_eq!(
        request.line,
        "GET /engine.io/?EIO=4&transport=websocket&sid=a%26b HTTP/1.1"
    );
    wire.say_bytewise(WS, granted(""));
    assert_eq!(wire.frames(), [Frame::Text("2probe".into())]);
    // Polling goes on meanwhile.
    wire.send("a");
    assert_eq!(wire.request(PUSH).body, "4a");
    wire.say(POLL, response(200, "", "4x"));
    wire.request(POLL);
    wire.say_bytewise(WS, text("3probe"));
    assert!(wire.frames().is_empty(), "a GET and a POST are under way");
    wire.send("b");
    wire.say(PUSH, response(200, "", "ok"));
    assert!(wire.written(PUSH).is_empty(), "nothing is begun any more");
    assert!(wire.frames().is_empty(), "a GET is under way");
    wire.say(POLL, response(200, "", "4y\x1e6"));
    assert!(wire.written(POLL).is_empty());
    assert_eq!(wire.frames(), [Frame::Text("5".into()), Frame::Text("4b".into())]);
    wire.say(WS, text("4z"));
    assert_eq!(wire.event(), Some(Event::Upgraded));
    assert_eq!(wire.messages(), ["x", "y", "z"].map(Data::from));
    for id in [POLL, PUSH] {
        assert!(!wire.wants(id) && wire.written(id).is_empty(), "{id:?}");
    }
}

/// An upgrade that fails says why, once; the session goes on, and its own end is told by its own error.
#[test]
fn failures_are_the_upgrades_alone() {
    let fails: [(&str, Act, &str); 9] = [
        ("refused by nobody", |wire| wire.refuse(WS), "cannot connect"),
        (
            "reset in the handshake",
            |wire| {
                wire.request(WS);
                wire.reset(WS);
            },
            "the WebSocket broke",
        ),
        (
            "refused",
            |wire| {
                wire.request(WS);
                wire.say(WS, response(400, "", r#"{"code":3,"message":"Bad request"}"#));
            },
            "status 400: Bad request",
        ),
        (
            "granted wrongly",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted("").replace(ACCEPT, "x"));
            },
            "does not belong to the key",
        ),
        (
            "hung up on",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted(""));
                wire.frames();
                wire.end(WS);
            },
            "the WebSocket was closed",
        ),
        (
            "closed with a code",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted(""));
                wire.say(WS, frame(0x88, &[0x03, 0xf3]));
            },
            "with code 1011",
        ),
        (
            "no frame",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted(""));
                wire.say(WS, frame(0x83, b""));
            },
            "closed with 1002",
        ),
        (
            "a wrong answer",
            |wire| {
                wire.request(WS);
                wire.say(WS, granted(""));
                wire.frames();
                wire.say(WS, text("4probe"));
            },
            "broke the protocol",
        ),
        (
            "silence",
            |wire| {
                wire.request(WS);
                wire.wait(secs(10));
            },
            "took too long",
        ),
    ];
    for (name, fail, words) in fails {
        let mut wire = Wire::new(options("http://host"), Config::default());
        wire.open("\"websocket\"");
        fail(&mut wire);
        assert_eq!(wire.event(), Some(Event::UpgradeFailed), "{name}");
        let told = wire.connection.take_upgrade_error().to_string();
        assert!(told.contains(words), "{name}: {told}");
        assert!(!wire.wants(WS), "{name}: it is not tried again");
        // A close frame may have to be answered.
        wire.written(WS);
        wire.send("a");
        assert_eq!(wire.request(PUSH).body, "4a", "{name}");
        wire.say(PUSH, response(200, "", "ok"));
        wire.say(POLL, response(200, "", "1"));
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, CloseReason::ServerDisconnect, "{name}");
        let told = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(!told.contains(words), "{name}: {told}");
    }
}

/// A session that ends while it is being upgraded takes its WebSocket with it.
#[test]
fn the_sessions_end_ends_the_upgrade() {
    let (mut wire, _) = offered();
    wire.reset(POLL);
    let (reason, kind, told) = wire.told();
    assert_eq!(
        (reason, kind),
        (CloseReason::TransportError, Some(ErrorKind::Connection)),
        "{told}"
    );
    assert!(told.starts_with("the connection broke: "), "{told}");
    assert!(!wire.wants(WS) && !wire.connection.wants_stream(WS) && wire.connection.is_finished());

    let mut wire = probed();
    wire.say(POLL, response(400, "", "no"));
    let (reason, kind, told) = wire.told();
    assert_eq!(
        (reason, kind),
        (CloseReason::TransportError, Some(ErrorKind::Refused)),
        "{told}"
    );
    wire.written(WS);
    assert!(wire.connection.is_finished());
}

/// Behind the upgrade packet there is no way back, and the end of a session is not the failure of an upgrade.
#[test]
fn behind_the_upgrade_a_broken_websocket_is_the_end() {
    let mut wire = probed();
    wire.send("a");
    wire.say(POLL, response(200, "", "6"));
    assert_eq!(wire.frames().len(), 2);
    wire.reset(WS);
    assert_eq!(wire.event(), Some(Event::Upgraded));
    let (closed, error) = wire.closed();
    assert_eq!((closed.reason, closed.in_doubt), (CloseReason::TransportError, 1));
    assert!(
        error
            .expect("it says what")
            .to_string()
            .starts_with("the WebSocket broke: ")
    );
}

/// The probe's answer and messages in one segment, byte by byte: what comes too early is no message.
#[test]
fn messages_before_the_upgrade_packet_break_the_protocol() {
    let (mut wire, _) = offered();
    wire.say(WS, granted(""));
    wire.frames();
    wire.say(WS, [text("3probe"), text("4early")].concat());
    assert_eq!(wire.event(), Some(Event::UpgradeFailed));
    assert_eq!(wire.connection.take_upgrade_error().kind(), ErrorKind::Protocol);
    assert_eq!(wire.event(), None);
    assert!(wire.connection.look().closed().is_none());
}

#[test]
fn an_early_answer_to_the_probe_proves_nothing() {
    let (mut wire, _) = offered();
    wire.say(WS, [granted("").into_bytes(), text("3probe")].concat());
    assert_eq!(wire.event(), Some(Event::UpgradeFailed));
    assert!(wire.connection.take_upgrade_error().to_string().contains("protocol"));
}
