//! What breaks, and which stream it was.

use super::*;

/// The state that a stream is broken in; each in a session that polls and has a POST to make.
const STATES: [(&str, ActOn); 4] = [
    ("wanted", |_, _| ()),
    ("connecting", |wire, id| assert!(wire.wants(id))),
    ("connected", |wire, id| wire.connect(id)),
    ("asked", |wire, id| _ = wire.request(id)),
];

#[test]
fn whichever_stream_breaks_the_session_ends_by_it() {
    for (name, reach) in &STATES[1..] {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.send("b");
        reach(&mut wire, PUSH);
        wire.reset(PUSH);
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, CloseReason::TransportError, "{name}");
        // What was not written has certainly not arrived.
        let counts = if *name == "asked" { (2, 0) } else { (0, 2) };
        assert_eq!((closed.in_doubt, closed.unsent), counts, "{name}");
        let unsent: Vec<Data> = wire.connection.machine().take_unsent().collect();
        assert_eq!(unsent, ["a", "b"].map(Data::from)[..closed.unsent], "{name}");
        let error = error.expect("it says what");
        assert_eq!(error.kind(), ErrorKind::Connection, "{name}");
        assert_eq!(error.to_string(), "the connection broke: connection reset", "{name}");
        for id in StreamId::ALL {
            assert!(!wire.wants(id) && !wire.connection.wants_stream(id), "{name}: {id:?}");
        }
    }
}

/// Before a stream is connected, what is told of it can only be about the one before.
#[test]
fn the_stream_before_does_no_harm() {
    let tells: [ActOn; 4] = [
        |wire, id| wire.end(id),
        |wire, id| wire.reset(id),
        |wire, id| wire.say(id, response(500, "", "no")),
        |wire, id| wire.say(id, b"\x88\x00"),
    ];
    for (at, tell) in tells.iter().enumerate() {
        let mut wire = Wire::new(options("http://host"), Config::default());
        wire.open("\"websocket\"");
        wire.send("a");
        for id in [PUSH, WS] {
            tell(&mut wire, id);
            assert!(wire.wants(id), "case {at}: {id:?}");
        }
        assert_eq!(wire.event(), None, "case {at}");
        for id in [PUSH, WS] {
            wire.connection.handle_connected(wire.now, id);
            assert!(!wire.written(id).is_empty(), "case {at}: {id:?}");
        }
    }
}

/// Streams that have no use are nobody's business.
#[test]
fn streams_that_nobody_wants() {
    let mut wire = Wire::polled();
    for id in [PUSH, WS] {
        wire.connection.handle_connected(wire.now, id);
        assert!(wire.written(id).is_empty(), "{id:?}");
        wire.say(id, granted(""));
        wire.end(id);
        wire.reset(id);
        wire.connection
            .handle_connect_failed(wire.now, id, io::ErrorKind::ConnectionRefused.into());
        assert!(!wire.connection.wants_stream(id), "{id:?}");
    }
    assert_eq!(wire.event(), None);
    assert_eq!(wire.connection.look().closed(), None);
}

/// While connecting, the first of the transports is told, whichever stream it had.
#[test]
fn the_first_transports_failure_is_told() {
    let orders = [
        ([Transport::Polling, Transport::WebSocket], [POLL, WS]),
        ([Transport::WebSocket, Transport::Polling], [WS, POLL]),
    ];
    for (transports, [first, second]) in orders {
        let mut wire = Wire::new(options("http://host"), over(&transports));
        assert!(!wire.wants(second), "one after the other");
        wire.refuse(first);
        wire.request(second);
        assert_eq!(wire.event(), None);
        wire.reset(second);
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::TransportError, Some(ErrorKind::Connection))
        );
        assert_eq!(told, "cannot connect: connection refused");
    }
}

#[test]
fn waiting_in_vain_is_a_timeout() {
    // For the handshake, in any state of its stream.
    for (name, reach) in &STATES {
        let mut wire = Wire::new(options("http://host"), polling());
        reach(&mut wire, POLL);
        wire.wait(secs(20));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::ConnectTimeout, Some(ErrorKind::Timeout)),
            "{name}: {told}"
        );
        assert!(!wire.wants(POLL) && !wire.connection.wants_stream(POLL), "{name}");
    }
    // For the answer to a POST.
    for (name, reach) in &STATES {
        let mut wire = Wire::polled();
        wire.send("a");
        reach(&mut wire, PUSH);
        for _ in 0..3 {
            wire.wait(secs(14));
            // A ping comes, so nothing else is wrong.
            wire.say(POLL, response(200, "", "2"));
            wire.request(POLL);
        }
        wire.wait(secs(44));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::TransportError, Some(ErrorKind::Timeout)),
            "{name}: {told}"
        );
    }
    // For a ping.
    let mut wire = Wire::polled();
    wire.wait(secs(45));
    let (reason, kind, _) = wire.told();
    assert_eq!((reason, kind), (CloseReason::PingTimeout, None), "nothing has broken");
}

#[test]
fn what_is_no_engine_io_breaks_the_protocol() {
    for body in ["", "hello", "4a", "0{}", "1", "\x1e"] {
        let mut wire = Wire::new(options("http://host"), polling());
        wire.request(POLL);
        wire.say(POLL, response(200, "", body));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::ParseError, Some(ErrorKind::Protocol)),
            "{body:?}: {told}"
        );
        assert!(told.starts_with("the server broke the protocol: "), "{body:?}: {told}");
    }
    for body in ["", "7", "4a\x1ex", "b!", &open_packet("")] {
        let mut wire = Wire::polled();
        wire.say(POLL, response(200, "", body));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::ParseError, Some(ErrorKind::Protocol)),
            "{body:?}: {told}"
        );
    }
}

/// The machine was driven into the ground by somebody else's calls: nothing of them counts behind the end.
#[test]
fn nothing_counts_behind_the_end() {
    for id in StreamId::ALL {
        let mut wire = Wire::polled();
        wire.say(POLL, response(200, "", "4a\x1e1\x1e4b"));
        for _ in 0..2 {
            wire.connection.handle_connected(wire.now, id);
            wire.say(id, response(200, "", "4c"));
            wire.say(id, [0xff; 100]);
            wire.end(id);
            wire.reset(id);
            wire.connection.handle_timeout(wire.now);
        }
        assert_eq!(wire.event(), Some(Event::Message("a".into())));
        let (closed, error) = wire.closed();
        assert_eq!(closed.reason, CloseReason::ServerDisconnect);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(wire.event(), None);
        assert!(wire.written(id).is_empty() && !wire.wants(id) && wire.connection.is_finished());
    }
}
