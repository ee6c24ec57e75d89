//! The way to an open session: each transport, the fallback between them, and servers that say nonsense.

use super::*;

fn order(transports: &[Transport]) -> Config {
    Config {
        transports: transports.iter().copied().collect(),
        ..config()
    }
}

const BOTH: [Transport; 2] = [Transport::Polling, Transport::WebSocket];
const BACKWARDS: [Transport; 2] = [Transport::WebSocket, Transport::Polling];

#[test]
fn over_polling() {
    let mut scene = newborn(config());
    scene.send("a");
    assert_eq!(scene.client.phase(), Phase::Accepting);
    assert_eq!((scene.requests(), scene.frames()), (vec!["GET".to_string()], vec![]));
    assert_eq!(scene.client.sid(), None);
    scene.got(&open_packet("", 1000)).unwrap();
    assert_eq!(scene.client.phase(), Phase::Open);
    assert_eq!(scene.client.sid().map(Sid::as_str), Some("lv_VI97HAXpY6yYWAAAB"));
    assert_eq!(scene.events(), [Event::Opened(Transport::Polling)]);
    assert_eq!(scene.requests(), ["GET", "POST 4a"]);
}

#[test]
fn packets_behind_the_open_packet_count() {
    let mut scene = newborn(config());
    scene.requests();
    let body = [&open_packet("", 1000), "4a", "2x", "6", "bAQID"].join("\x1e");
    scene.got(&body).unwrap();
    let events = [
        Event::Opened(Transport::Polling),
        message("a"),
        Event::Message(vec![1, 2, 3].into()),
    ];
    assert_eq!(scene.events(), events);
    assert_eq!(scene.requests(), ["GET", "POST 3x"]);
}

#[test]
fn a_close_packet_behind_the_open_packet() {
    let mut scene = newborn(config());
    scene.send("a");
    scene.requests();
    scene
        .got(&[&open_packet(WEBSOCKET, 1000), "4x", "1", "4never said"].join("\x1e"))
        .unwrap();
    let events = [
        Event::Opened(Transport::Polling),
        message("x"),
        closed(ServerDisconnect, 0, 1),
    ];
    assert_eq!(scene.events(), events);
    scene.assert_finished();
}

#[test]
fn over_a_websocket() {
    let mut scene = newborn(only(Transport::WebSocket));
    scene.send("a");
    assert_eq!(scene.requests(), ["WebSocket"]);
    assert_eq!(scene.frames(), NO_STRINGS);
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), NO_STRINGS, "nothing before the open packet");
    // An upgrade that is offered here means nothing.
    scene.frame(&open_packet(WEBSOCKET, 1000)).unwrap();
    assert_eq!(scene.events(), [Event::Opened(Transport::WebSocket)]);
    assert_eq!(scene.frames(), ["4a"]);
    assert_eq!(scene.requests(), NO_STRINGS);
    assert_eq!(scene.client.transport(), Transport::WebSocket);
}

#[test]
fn no_transports_are_polling_alone() {
    let mut scene = newborn(order(&[]));
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    assert_eq!(
        scene.requests(),
        ["GET"],
        "the configuration names no WebSocket to upgrade to"
    );
    let mut scene = newborn(order(&[]));
    scene.requests();
    scene.lose_get();
    assert_eq!(scene.events(), [closed(TransportError, 0, 0)]);
}

#[test]
fn an_upgrade_needs_both_sides() {
    for (upgrades, transports, offered, wanted) in [
        (true, &BOTH[..], WEBSOCKET, true),
        (true, &BACKWARDS[..], WEBSOCKET, true),
        (false, &BOTH[..], WEBSOCKET, false),
        (true, &BOTH[..1], WEBSOCKET, false),
        (true, &BOTH[..], "", false),
        (true, &BOTH[..], "\"webtransport\"", false),
    ] {
        let mut settings = order(transports);
        settings.upgrades = upgrades;
        let mut scene = newborn(settings);
        if transports[0] == Transport::WebSocket {
            assert_eq!(scene.requests(), ["WebSocket"]);
            scene.input(Input::WsRefused).unwrap();
        }
        assert_eq!(scene.requests(), ["GET"]);
        scene.got(&open_packet(offered, 1000)).unwrap();
        let asks = scene.requests().contains(&"WebSocket".to_string());
        assert_eq!(asks, wanted, "{upgrades} {transports:?} {offered}");
    }
}

// ---- fallback ----

#[test]
fn from_polling_to_a_websocket() {
    for (end, reason) in [
        (Input::Refused as fn(ReqId) -> Input, Refused),
        (Input::Failed, TransportError),
        (|req| Input::Response(req, "ok".into()), ParseError),
    ] {
        let mut scene = newborn(order(&BOTH));
        scene.send("a");
        assert_eq!(scene.requests(), ["GET"]);
        let get = scene.get.take().unwrap();
        _ = scene.input(end(get));
        assert_eq!(scene.client.closed(), None);
        assert_eq!(scene.requests(), ["WebSocket"]);
        assert_eq!(scene.client.transport(), Transport::WebSocket);

        // It works.
        scene.input(Input::WsOpen).unwrap();
        scene.frame(&open_packet("", 1000)).unwrap();
        assert_eq!(scene.events(), [Event::Opened(Transport::WebSocket)]);
        assert_eq!(scene.frames(), ["4a"]);

        // It does not either: the first one's failure is the one to look at.
        let mut scene = newborn(order(&BOTH));
        scene.send("a");
        scene.requests();
        let get = scene.get.take().unwrap();
        _ = scene.input(end(get));
        scene.requests();
        scene.input(Input::WsClosed).unwrap();
        assert_eq!(scene.events(), [closed(reason, 0, 1)]);
        assert_eq!(scene.unsent(), ["a".into()]);
        scene.assert_finished();
    }
}

#[test]
fn from_a_websocket_to_polling() {
    for (end, reason) in [
        (Input::WsRefused, Refused),
        (Input::WsFailed, TransportError),
        (Input::WsClosed, TransportClose),
    ] {
        for opened in [false, true] {
            let begin = || {
                let mut scene = newborn(order(&BACKWARDS));
                scene.send("a");
                assert_eq!(scene.requests(), ["WebSocket"]);
                if opened {
                    scene.input(Input::WsOpen).unwrap();
                }
                scene.input(end.clone()).unwrap();
                assert_eq!(scene.requests(), ["GET"]);
                assert_eq!(scene.client.transport(), Transport::Polling);
                scene
            };
            let mut scene = begin();
            scene.got(&open_packet("", 1000)).unwrap();
            assert_eq!(scene.events(), [Event::Opened(Transport::Polling)]);
            assert_eq!(scene.requests(), ["GET", "POST 4a"]);

            let mut scene = begin();
            scene.lose_get();
            assert_eq!(scene.events(), [closed(reason, 0, 1)]);
            scene.assert_finished();
        }
    }
}

#[test]
fn a_websocket_that_said_nonsense_must_end_before_the_next_one_begins() {
    let mut scene = newborn(order(&BACKWARDS));
    scene.requests();
    scene.input(Input::WsOpen).unwrap();
    assert!(scene.frame("4hello").is_err());
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&open_packet(WEBSOCKET, 1000)).unwrap();
    assert_eq!(scene.requests(), ["GET"], "the old one is not over");
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.frame("3probe"), Ok(()));
    assert_eq!(scene.requests(), NO_STRINGS);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.requests(), ["WebSocket"]);
    scene.input(Input::WsOpen).unwrap();
    assert_eq!(scene.frames(), ["2probe"]);
}

#[test]
fn the_same_transport_twice_is_tried_twice() {
    let websocket = Transport::WebSocket;
    let mut scene = newborn(order(&[websocket, websocket]));
    assert_eq!(scene.requests(), ["WebSocket"]);
    scene.input(Input::WsRefused).unwrap();
    assert_eq!(scene.requests(), ["WebSocket"]);
    scene.input(Input::WsOpen).unwrap();
    assert!(scene.frame("0").is_err());
    assert_eq!(scene.events(), [closed(Refused, 0, 0)]);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.assert_finished();

    let mut scene = newborn(order(&[websocket, websocket]));
    scene.requests();
    scene.input(Input::WsOpen).unwrap();
    assert!(scene.frame("0").is_err());
    assert_eq!(scene.requests(), NO_STRINGS, "the first one is not over");
    assert_eq!(scene.frames(), ["close frame"]);
    scene.input(Input::WsClosed).unwrap();
    assert_eq!(scene.requests(), ["WebSocket"]);

    let polling = Transport::Polling;
    let mut scene = newborn(order(&[polling, polling]));
    scene.requests();
    scene.lose_get();
    assert_eq!(scene.requests(), ["GET"]);
    scene.got(&open_packet("", 1000)).unwrap();
    assert_eq!(scene.events(), [Event::Opened(polling)]);
}

// ---- patience ----

#[test]
fn connecting_ends_in_time_whatever_hangs() {
    // Nobody asks for anything; the GET hangs; the WebSocket hangs; it is open and silent.
    for step in 0..4 {
        let mut scene = newborn(if step < 2 { order(&BOTH) } else { order(&BACKWARDS) });
        scene.send("a");
        if step > 0 {
            scene.requests();
        }
        if step == 3 {
            scene.input(Input::WsOpen).unwrap();
        }
        scene.wait(999);
        assert_eq!(scene.client.closed(), None);
        scene.wait(1);
        assert_eq!(scene.events(), [closed(ConnectTimeout, 0, 1)]);
        let frames = scene.frames();
        assert_eq!(frames.len(), usize::from(step > 1), "{frames:?}");
        scene.assert_finished();
    }
}

#[test]
fn the_time_is_for_all_transports_together_and_the_first_failure_is_told() {
    let mut scene = newborn(order(&BOTH));
    scene.requests();
    scene.wait(900);
    scene.lose_get();
    assert_eq!(scene.requests(), ["WebSocket"]);
    scene.wait(100);
    assert_eq!(scene.events(), [closed(TransportError, 0, 0)]);
    assert_eq!(scene.frames(), ["close frame"]);
    scene.assert_finished();
}

#[test]
fn no_time_at_all_is_a_little_time() {
    let mut settings = config();
    settings.connect_timeout = Duration::ZERO;
    let mut scene = newborn(settings);
    assert!(scene.client.poll_timeout() > Some(scene.now));
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ConnectTimeout, 0, 0)]);
}

#[test]
fn the_time_to_connect_counts_from_the_beginning() {
    let mut scene = newborn(order(&BOTH));
    scene.wait(900);
    scene.client.handle_beginning(scene.now);
    scene.wait(999);
    assert_eq!(scene.client.closed(), None);
    scene.wait(1);
    assert_eq!(scene.events(), [closed(ConnectTimeout, 0, 0)]);
}

#[test]
fn what_has_begun_does_not_begin_again() {
    let refused = || {
        let mut scene = newborn(order(&BACKWARDS));
        scene.requests();
        scene.input(Input::WsRefused).unwrap();
        scene
    };
    let asked = |transports| {
        let mut scene = newborn(order(transports));
        scene.requests();
        scene
    };
    for mut scene in [asked(&BOTH), asked(&BACKWARDS), refused()] {
        let before = scene.client.poll_timeout();
        scene.now = scene.now + millis(100);
        scene.client.handle_beginning(scene.now);
        assert_eq!(scene.client.poll_timeout(), before);
    }
}

// ---- nonsense ----

fn nonsense() -> Vec<Vec<u8>> {
    let open = open_packet(WEBSOCKET, 1000);
    let changed = |from: &str, to: &str| {
        assert!(open.contains(from), "{from}");
        open.replace(from, to).into_bytes()
    };
    let mut all: Vec<Vec<u8>> = [
        "",
        "4hello",
        "2",
        "3",
        "1",
        "5",
        "6",
        "b",
        "7",
        "ok",
        "<html>",
        "0",
        "0{}",
        "0[]",
        "0null",
        "0\"sid\"",
        "0{\"sid\":",
        "96:0{\"sid\":\"a\"}",
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .collect();
    all.extend([
        changed("\"sid\":\"lv_VI97HAXpY6yYWAAAB\",", ""),
        changed("\"lv_VI97HAXpY6yYWAAAB\"", "1"),
        changed("\"lv_VI97HAXpY6yYWAAAB\"", "null"),
        changed("lv_VI97HAXpY6yYWAAAB", ""),
        changed("lv_VI97HAXpY6yYWAAAB", "a b"),
        changed("lv_VI97HAXpY6yYWAAAB", "a\\r\\nSet-Cookie: b"),
        changed("lv_VI97HAXpY6yYWAAAB", "é"),
        changed("lv_VI97HAXpY6yYWAAAB", &"a".repeat(129)),
        changed("[\"websocket\"]", "\"websocket\""),
        changed("[\"websocket\"]", "null"),
        changed("\"pingInterval\":1000,", ""),
        changed("1000,\"pingTimeout\"", "-1,\"pingTimeout\""),
        changed("1000,\"pingTimeout\"", "1.5,\"pingTimeout\""),
        changed("1000,\"pingTimeout\"", "\"1000\",\"pingTimeout\""),
        changed("1000,\"pingTimeout\"", "1e30,\"pingTimeout\""),
        changed("1000,\"pingTimeout\"", "18446744073709551615,\"pingTimeout\""),
        changed("\"pingTimeout\":500", "\"pingTimeout\":[]"),
        changed("1000,\"pingTimeout\":500", "0,\"pingTimeout\":0"),
        changed("\"maxPayload\":1000", "\"maxPayload\":-1"),
        changed("\"maxPayload\":1000", "\"maxPayload\":\"1000\""),
        changed("\"maxPayload\":1000", "\"maxPayload\":\"1000\""),
        [open.as_bytes(), b"x"].concat(),
        [open.as_bytes(), b"\x1e"].concat(),
        [open.as_bytes(), b"\x1e7"].concat(),
        [open.as_bytes(), b"\x1e4a\x1eb!"].concat(),
        [open.as_bytes(), b"\x1e", open.as_bytes()].concat(),
        [open.as_bytes(), b"\x1e4a\x1e0"].concat(),
        [open.as_bytes(), b"\x1e2", "x".repeat(1025).as_bytes()].concat(),
        [b"4a\x1e", open.as_bytes()].concat(),
        [b" ", open.as_bytes()].concat(),
        [b"\xef\xbb\xbf", open.as_bytes()].concat(),
        b"0{\"sid\":\"\xff\"}".to_vec(),
    ]);
    all
}

#[test]
fn a_body_that_is_no_handshake() {
    for body in nonsense() {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let mut scene = newborn(only(Transport::Polling));
        scene.send("a");
        scene.requests();
        let get = scene.get.take().unwrap();
        let result = scene.input(Input::Response(get, body.clone().into()));
        assert!(result.is_err(), "{shown}");
        assert_eq!(scene.events(), [closed(ParseError, 0, 1)], "{shown}");
        scene.assert_finished();

        let mut scene = newborn(order(&BOTH));
        scene.requests();
        let get = scene.get.take().unwrap();
        assert!(scene.input(Input::Response(get, body.into())).is_err(), "{shown}");
        assert_eq!(scene.events(), [], "{shown}");
        assert_eq!(scene.client.handshake(), None, "{shown}");
        assert_eq!(scene.requests(), ["WebSocket"], "{shown}");
    }
}

#[test]
fn a_frame_that_is_no_handshake() {
    for frame in nonsense() {
        let Ok(text) = String::from_utf8(frame) else { continue };
        let mut scene = newborn(only(Transport::WebSocket));
        scene.send("a");
        scene.requests();
        scene.input(Input::WsOpen).unwrap();
        assert!(scene.frame(&text).is_err(), "{text}");
        assert_eq!(scene.events(), [closed(ParseError, 0, 1)], "{text}");
        assert_eq!(scene.frames(), ["close frame"], "{text}");
        scene.assert_finished();
    }
    let mut scene = newborn(only(Transport::WebSocket));
    scene.requests();
    scene.input(Input::WsOpen).unwrap();
    let binary = Bytes::from(open_packet("", 1000).into_bytes());
    assert!(scene.input(Input::WsBinary(binary)).is_err());
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);
}

#[test]
fn large_numbers_are_no_trouble() {
    let open = open_packet("", 1000)
        .replace("\"pingInterval\":1000", "\"pingInterval\":100000000000")
        .replace("\"maxPayload\":1000", "\"maxPayload\":18446744073709551615");
    let mut scene = newborn(only(Transport::Polling));
    scene.requests();
    scene.got(&open).unwrap();
    scene.client.send(text(1000)).unwrap();
    assert_eq!(scene.requests().len(), 2);
    assert!(scene.client.poll_timeout().is_some());
}

#[test]
fn a_second_open_packet_ends_the_session() {
    let mut scene = polling();
    let open = open_packet("", 1000);
    assert_eq!(scene.got(&["4a", &open].join("\x1e")), Err(Violation::UnexpectedPacket));
    assert_eq!(
        scene.events(),
        [closed(ParseError, 0, 0)],
        "a body is taken whole or not at all"
    );
    scene.assert_finished();

    let mut scene = websocket();
    assert_eq!(scene.frame(&open), Err(Violation::UnexpectedPacket));
    assert_eq!(scene.frames(), ["close frame"]);
    assert_eq!(scene.events(), [closed(ParseError, 0, 0)]);
    scene.assert_finished();
}
