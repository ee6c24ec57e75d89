//! A WebSocket alone: the handshake, frames, the ends.

use std::vec;

use super::*;

/// What is in the frames that the client writes: texts, and "binary" and "close" for the others.
fn said(wire: &mut Wire) -> Vec<String> {
    let frames = wire.frames().into_iter();
    let said = frames.map(|frame| match frame {
        Frame::Text(text) => text.to_string(),
        Frame::Binary(_) => "binary".to_string(),
        Frame::Closed => "close".to_string(),
    });
    said.collect()
}

#[test]
fn everything_in_one_piece_or_in_many() {
    let stream = [
        granted("Set-Cookie: a=b\r\n").into_bytes(),
        text(&open_packet("")),
        text("4hé"),
        frame(0x82, &[1, 2]),
        frame(0x01, b"4a"),
        frame(0x89, b"!"),
        frame(0x80, b"bc"),
        text("2"),
    ]
    .concat();
    for piece in [1, 2, 13, usize::MAX] {
        let mut wire = Wire::new(options("http://host"), websocket());
        wire.request(WS);
        for part in stream.chunks(piece) {
            wire.say(WS, part);
        }
        assert!(matches!(wire.event(), Some(Event::Opened(Transport::WebSocket))));
        let expected = [Data::from("hé"), Data::from(vec![1, 2]), Data::from("abc")];
        assert_eq!(wire.messages(), expected, "in pieces of {piece}");
        let written = wire.written(WS);
        assert_eq!(
            written[..2],
            [0x8a, 0x81],
            "a pong of the WebSocket's own comes first, masked"
        );
        wire.frames
            .read(&mut &written[..], &mut Vec::new())
            .expect("frames that are some");
        wire.send("x");
        wire.send(vec![3]);
        assert_eq!(said(&mut wire), ["4x", "binary"]);
    }
}

/// A protocol is chosen from those that were offered, or none is; and another session's choice is not this one's.
#[test]
fn the_server_s_choice_of_a_protocol() {
    for (grant, chosen) in [
        ("Sec-WebSocket-Protocol: b\r\n", Some(Some("b"))),
        ("", Some(None)),
        ("Sec-WebSocket-Protocol: c\r\n", None),
    ] {
        let mut options = options("http://host");
        options.add_websocket_protocol("a").unwrap();
        options.add_websocket_protocol("b").unwrap();
        let mut wire = Wire::new(options, websocket());
        wire.request(WS);
        assert_eq!(wire.connection.websocket_protocol(), None);
        wire.say(WS, granted(grant));
        wire.say(WS, text(&open_packet("")));
        let opened = matches!(wire.event(), Some(Event::Opened(_)));
        assert_eq!(opened, chosen.is_some(), "{grant:?}");
        assert_eq!(wire.connection.websocket_protocol(), chosen.flatten());
    }
}

#[test]
fn the_largest_message_of_a_websocket() {
    let mut options = options("http://host");
    options.set_max_websocket_message(200);
    let mut wire = Wire::new(options, websocket());
    wire.request(WS);
    wire.say(WS, granted(""));
    wire.say(WS, text(&open_packet("")));
    assert!(matches!(wire.event(), Some(Event::Opened(_))));
    let message = |length: usize| text(&format!("4{}", "x".repeat(length - 1)));
    wire.say(WS, message(200));
    assert_eq!(wire.messages().len(), 1);
    wire.say(WS, message(201));
    let (reason, kind, told) = wire.told();
    assert_eq!(kind, Some(ErrorKind::Protocol), "{reason}: {told}");
    // Polling has its own limit.
    let mut options = self::options("http://host");
    options.set_max_websocket_message(10);
    let mut wire = Wire::new(options, polling());
    wire.open("");
    wire.say(POLL, response(200, "", format!("4{}", "x".repeat(500))));
    assert_eq!(wire.messages().len(), 1);
}

/// Whatever is not exactly a grant is none, and what stands behind it is not read.
#[test]
fn wrong_grants() {
    let grant = granted("");
    let without = |line: &str| {
        let lines = grant.split_inclusive("\r\n").filter(|given| !given.starts_with(line));
        lines.collect::<String>()
    };
    let (upgrade, refused) = (ErrorKind::Protocol, ErrorKind::Refused);
    for (answer, kind, words) in [
        (grant.replace("101", "200"), upgrade, "status 200"),
        (grant.replace("101", "204"), upgrade, "status 204"),
        (grant.replace("101", "426"), refused, "status 426"),
        (grant.replace("101", "302"), refused, "status 302"),
        (grant.replace("HTTP/1.1", "HTTP/1.0"), upgrade, "malformed"),
        (grant.replace("HTTP/1.1", "HTTP/2.0"), upgrade, "version"),
        (without("Upgrade"), upgrade, "header Upgrade"),
        (without("Connection"), upgrade, "header Connection"),
        (without("Sec-"), upgrade, "exactly one header Sec-WebSocket-Accept"),
        (
            grant.replace(ACCEPT, "XbfxKv06tADzNFUF+Re1+SQfHKE="),
            upgrade,
            "does not belong",
        ),
        (
            grant.replace(ACCEPT, &ACCEPT.to_lowercase()),
            upgrade,
            "does not belong",
        ),
        (grant.replace("websocket", "h2c"), upgrade, "header Upgrade"),
        (grant.replace("websocket", "websocket, h2c"), upgrade, "header Upgrade"),
        (grant.replace(": Upgrade", ": keep-alive"), upgrade, "header Connection"),
        (
            granted(&format!("Sec-WebSocket-Accept: {ACCEPT}\r\n")),
            upgrade,
            "exactly one",
        ),
        (granted("Sec-WebSocket-Protocol: chat\r\n"), upgrade, "protocol"),
        (
            granted("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            upgrade,
            "extension",
        ),
        ("HTTP/1.1 101 Switching\n\n".into(), upgrade, "malformed"),
        ("RFB 003.008\n".into(), upgrade, "malformed"),
    ] {
        let mut wire = Wire::new(options("http://host"), websocket());
        wire.request(WS);
        let all = [answer.as_bytes(), &text(&open_packet("")), &text("4a")].concat();
        wire.say(WS, all);
        wire.end(WS);
        let (_, error, told) = wire.told();
        assert_eq!(error, Some(kind), "{answer}{told}");
        assert!(told.contains(words), "{answer}{told}");
        assert_eq!(wire.event(), None);
        assert!(wire.connection.is_finished() && wire.written(WS).is_empty());
    }
}

#[test]
fn grants_that_are_written_otherwise() {
    for grant in [
        granted("").replace("Upgrade: websocket", "uPgRaDe:\tWebSocket "),
        granted("").replace(": Upgrade", ": keep-alive , uPGRADE,"),
        granted("Sec-WebSocket-Extensions: \r\n"),
        granted("Content-Length: 99\r\nTransfer-Encoding: chunked\r\n"),
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_string() + &granted(""),
    ] {
        let mut wire = Wire::new(options("http://host"), websocket());
        wire.request(WS);
        wire.say_bytewise(WS, &grant);
        wire.say(WS, text(&open_packet("")));
        assert!(matches!(wire.event(), Some(Event::Opened(_))), "{grant}");
    }
}

/// The other transport is asked next, on a stream of its own, and nothing of the first one is left.
#[test]
fn polling_behind_a_websocket_that_is_none() {
    let both = || over(&[Transport::WebSocket, Transport::Polling]);
    let fails: [Act; 6] = [
        |wire| wire.refuse(WS),
        |wire| {
            wire.connect(WS);
            wire.reset(WS);
        },
        |wire| {
            wire.request(WS);
            wire.say(WS, response(404, "", "no"));
        },
        |wire| {
            wire.request(WS);
            wire.end(WS);
        },
        |wire| {
            wire.request(WS);
            wire.say(WS, [granted("").as_bytes(), &frame(0x88, b"")].concat());
        },
        |wire| {
            wire.request(WS);
            wire.say(WS, granted(""));
            wire.say(WS, text("4no session yet"));
        },
    ];
    for (at, fail) in fails.iter().enumerate() {
        let mut wire = Wire::new(options("http://host"), both());
        fail(&mut wire);
        assert!(!wire.wants(WS), "case {at}");
        wire.connect(POLL);
        wire.request(POLL);
        wire.say(POLL, response(200, "", open_packet("")));
        assert!(
            matches!(wire.event(), Some(Event::Opened(Transport::Polling))),
            "case {at}"
        );
        // What became of the first transport has nothing to do with what becomes of this session.
        wire.request(POLL);
        wire.say(POLL, response(200, "", "1"));
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, CloseReason::ServerDisconnect, "case {at}");
        assert!(error.is_none(), "case {at}: {error:?}");
    }
}

/// Opened and ended by one body, with a message that nobody has got: that was not the first transport's doing.
#[test]
fn what_became_of_the_first_transport_is_no_reason() {
    let mut wire = Wire::new(
        options("http://host"),
        over(&[Transport::WebSocket, Transport::Polling]),
    );
    wire.send("a");
    wire.request(WS);
    wire.say(WS, response(404, "", "no"));
    wire.request(POLL);
    wire.say(POLL, response(200, "", open_packet("") + "\x1e1"));
    assert!(matches!(wire.event(), Some(Event::Opened(Transport::Polling))));
    let (closed, error) = wire.closed();
    assert_eq!((closed.reason, closed.unsent), (CloseReason::ServerDisconnect, 1));
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn where_both_fail_the_first_is_told() {
    let mut wire = Wire::new(
        options("http://host"),
        over(&[Transport::WebSocket, Transport::Polling]),
    );
    wire.request(WS);
    wire.say(WS, response(404, "", "no"));
    wire.refuse(POLL);
    let (reason, kind, told) = wire.told();
    assert_eq!((reason, kind), (CloseReason::Refused, Some(ErrorKind::Refused)));
    assert!(told.contains("404"), "{told}");
}

#[test]
fn frames_that_end_a_session() {
    for (name, bytes, words) in [
        ("masked", vec![0x81, 0x81, 0, 0, 0, 0, b'6'], "closed with 1002"),
        ("reserved", frame(0xc1, b"4a"), "closed with 1002"),
        ("unknown", frame(0x83, b"4a"), "closed with 1002"),
        ("a long ping", frame(0x89, &[0; 126]), "closed with 1002"),
        ("no text", frame(0x81, b"4\xff"), "closed with 1007"),
        ("too large", frame(0x82, &[0; 1001]), "closed with 1009"),
        (
            "announced as too large",
            vec![0x82, 127, 0, 0, 0, 0, 0xff, 0, 0, 0],
            "closed with 1009",
        ),
        (
            "too large together",
            [frame(0x02, &[0; 600]), frame(0x80, &[0; 600])].concat(),
            "closed with 1009",
        ),
    ] {
        let mut config = websocket();
        config.max_payload = 1000;
        let mut wire = Wire::new(options("http://host"), config);
        wire.request(WS);
        wire.say(WS, granted(""));
        wire.say(
            WS,
            [text(&open_packet("")), text("4before"), bytes, text("4behind")].concat(),
        );
        assert!(matches!(wire.event(), Some(Event::Opened(_))), "{name}");
        assert_eq!(wire.event(), Some(Event::Message("before".into())), "{name}");
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::TransportError, Some(ErrorKind::Protocol)),
            "{name}"
        );
        assert!(told.contains(words), "{name}: {told}");
        assert_eq!(wire.event(), None, "{name}");
    }
}

/// An open session that ends with its WebSocket has not failed; one that breaks has.
#[test]
fn the_ends_of_a_websocket() {
    let clean = |wire: &mut Wire, expected: CloseReason| {
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, expected);
        assert!(error.is_none(), "{error:?}");
    };
    let mut wire = Wire::websocket();
    wire.say(WS, frame(0x88, &[0x03, 0xe9]));
    assert_eq!(said(&mut wire), ["close"], "a close frame is answered");
    assert!(!wire.connection.wants_stream(WS));
    clean(&mut wire, CloseReason::TransportClose);

    let mut wire = Wire::websocket();
    wire.end(WS);
    clean(&mut wire, CloseReason::TransportClose);

    let mut wire = Wire::websocket();
    wire.say(WS, text("1"));
    clean(&mut wire, CloseReason::ServerDisconnect);

    let mut wire = Wire::websocket();
    wire.reset(WS);
    let (reason, kind, told) = wire.told();
    assert_eq!(
        (reason, kind),
        (CloseReason::TransportError, Some(ErrorKind::Connection))
    );
    assert!(told.starts_with("the WebSocket broke: "), "{told}");
}

#[test]
fn ends_before_there_is_a_session() {
    let fresh = || {
        let mut wire = Wire::new(options("http://host"), websocket());
        wire.request(WS);
        wire
    };
    // In answer to the handshake, behind it, and with a reason.
    let mut wire = fresh();
    wire.end(WS);
    let (_, kind, told) = wire.told();
    assert_eq!(kind, Some(ErrorKind::Connection), "{told}");

    let mut wire = fresh();
    wire.say(WS, granted(""));
    wire.end(WS);
    let (_, kind, told) = wire.told();
    assert_eq!(
        (kind, &told[..]),
        (Some(ErrorKind::Connection), "the WebSocket was closed")
    );

    let mut wire = fresh();
    wire.say(WS, granted(""));
    wire.say(WS, frame(0x88, &[0x03, 0xf0]));
    let (_, kind, told) = wire.told();
    assert_eq!(
        (kind, &told[..]),
        (Some(ErrorKind::Connection), "the WebSocket was closed with code 1008")
    );

    let mut wire = fresh();
    wire.wait(secs(20));
    let (reason, kind, told) = wire.told();
    assert_eq!(
        (reason, kind),
        (CloseReason::ConnectTimeout, Some(ErrorKind::Timeout)),
        "{told}"
    );
    assert!(!wire.wants(WS) && wire.connection.is_finished() && wire.written(WS).is_empty());
}

/// What is queued, our close packet, our close frame; then the server has its time to answer.
#[test]
fn our_close_waits_for_the_servers() {
    for answered in [true, false] {
        let mut wire = Wire::websocket();
        wire.send("a");
        wire.connection.machine().close(wire.now);
        assert_eq!(said(&mut wire), ["4a", "1", "close"]);
        assert!(wire.connection.wants_stream(WS) && !wire.connection.is_finished());
        wire.say(WS, text("4still"));
        assert_eq!(wire.event(), Some(Event::Message("still".into())));
        if answered {
            wire.say(WS, frame(0x88, &[0x03, 0xe8]));
        } else {
            wire.wait(Duration::from_millis(4999));
            assert!(!wire.connection.is_finished());
            wire.wait(Duration::from_millis(1));
        }
        assert!(wire.connection.is_finished(), "answered: {answered}");
        assert_eq!(wire.connection.poll_timeout(), None);
        let (closed, _) = wire.closed();
        assert_eq!((closed.reason, closed.in_doubt), (CloseReason::ClientDisconnect, 1));
        assert!(said(&mut wire).is_empty());
    }
}

#[test]
fn an_abort_sends_nothing_that_is_queued() {
    let mut wire = Wire::websocket();
    wire.send("a");
    wire.connection.machine().abort(wire.now);
    assert_eq!(said(&mut wire), ["close"]);
    assert!(wire.connection.is_finished());
    let (closed, error) = wire.closed();
    assert_eq!(
        (closed.reason, closed.unsent, closed.in_doubt),
        (CloseReason::ClientDisconnect, 1, 0)
    );
    assert!(error.is_none() || closed.unsent > 0);
    wire.say(WS, text("4late"));
    assert_eq!(wire.event(), None);
}

#[test]
fn an_abort_in_the_middle_of_a_handshake() {
    let steps: [Act; 3] = [
        |_| (),
        |wire| wire.connect(WS),
        |wire| {
            wire.request(WS);
            wire.say(WS, &granted("")[..20]);
        },
    ];
    for (at, step) in steps.iter().enumerate() {
        let mut wire = Wire::new(options("http://host"), websocket());
        step(&mut wire);
        wire.connection.machine().abort(wire.now);
        assert!(!wire.wants(WS), "step {at}");
        assert!(
            !wire.connection.wants_stream(WS) && wire.written(WS).is_empty(),
            "step {at}"
        );
        assert!(wire.connection.is_finished(), "step {at}");
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, CloseReason::ClientDisconnect);
        assert!(error.is_none(), "step {at}: {error:?}");
    }
}
