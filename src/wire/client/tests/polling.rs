//! Two keep-alive streams: when one is used again, and when it is not.

use super::*;

/// Answers what is under way on both streams, and takes the next requests.
fn round(wire: &mut Wire, headers: &str) {
    wire.say(PUSH, response(200, headers, "ok"));
    wire.say(POLL, response(200, headers, "6"));
}

#[test]
fn each_kind_of_request_has_a_stream_of_its_own() {
    let mut wire = Wire::new(options("http://host"), polling());
    wire.connect(POLL);
    assert!(!wire.wants(POLL), "it asks once");
    assert!(
        !wire.wants(PUSH) && !wire.connection.wants_stream(PUSH),
        "nothing is to be pushed"
    );
    wire.request(POLL);
    wire.say(POLL, response(200, "", open_packet("")));
    wire.send("0");
    wire.connect(PUSH);
    for number in 1..10 {
        assert!(Request::read(&wire.written(POLL)).line.starts_with("GET "));
        let post = Request::read(&wire.written(PUSH));
        assert!(post.line.starts_with("POST "));
        assert_eq!(post.body, format!("4{}", number - 1));
        wire.send(format!("{number}"));
        assert_eq!(wire.written(PUSH), b"", "one at a time");
        round(&mut wire, "");
        for id in [POLL, PUSH] {
            assert!(!wire.wants(id) && wire.connection.wants_stream(id), "{id:?} is kept");
        }
    }
}

#[test]
fn what_was_sent_meanwhile_is_in_the_next_post() {
    let mut wire = Wire::polled();
    wire.send("a");
    assert_eq!(wire.request(PUSH).body, "4a");
    for message in ["b", "c", "d"] {
        wire.send(message);
    }
    wire.say(PUSH, response(200, "", "ok"));
    assert_eq!(wire.request(PUSH).body, "4b\x1e4c\x1e4d");
}

#[test]
fn an_idle_stream_is_used_for_a_while() {
    let none = "";
    for (headers, waited, used) in [
        (none, 3900, true),
        (none, 4000, false),
        ("Keep-Alive: timeout=30\r\n", 28_900, true),
        ("Keep-Alive: timeout=30\r\n", 29_000, false),
        ("Keep-Alive: max=9, timeout=2\r\n", 900, true),
        ("Keep-Alive: max=9, timeout=2\r\n", 1000, false),
        ("Keep-Alive: timeout=1\r\n", 0, false),
        ("Keep-Alive: timeout=0\r\n", 0, false),
        ("Keep-Alive: timeout=soon\r\n", 3900, true),
        ("Connection: close\r\n", 0, false),
    ] {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.request(PUSH);
        wire.say(PUSH, response(200, headers, "ok"));
        wire.wait(Duration::from_millis(waited));
        wire.send("b");
        assert_eq!(wire.wants(PUSH), !used, "{headers:?} after {waited} ms");
        if used {
            assert_eq!(Request::read(&wire.written(PUSH)).body, "4b");
        } else {
            assert_eq!(wire.written(PUSH), b"", "the old stream gets nothing");
            wire.connection.handle_connected(wire.now, PUSH);
            assert_eq!(Request::read(&wire.written(PUSH)).body, "4b");
        }
    }
}

/// The first GET's stream is not the next one's where the answer says so.
#[test]
fn responses_that_leave_no_stream_behind() {
    for opening in [
        format!(
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: {}\r\n\r\n",
            open_packet("").len()
        ),
        format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", open_packet("").len()),
    ] {
        let mut wire = Wire::new(options("http://host"), polling());
        wire.request(POLL);
        wire.say(POLL, opening + &open_packet(""));
        assert!(matches!(wire.event(), Some(Event::Opened(_))));
        assert!(wire.connection.wants_stream(POLL));
        wire.connect(POLL);
        assert!(wire.request(POLL).line.contains("sid="));
    }
}

/// What stands behind a response was not asked for; it is nobody's answer.
#[test]
fn more_than_a_response_is_the_end_of_its_stream() {
    for late in [false, true] {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.request(PUSH);
        let (answer, more) = (response(200, "", "ok"), response(200, "", "ok"));
        if late {
            wire.say(PUSH, answer);
            wire.say(PUSH, more);
        } else {
            wire.say(PUSH, [answer, more].concat());
        }
        assert!(!wire.connection.wants_stream(PUSH));
        wire.send("b");
        assert!(wire.wants(PUSH));
        assert!(wire.written(PUSH).is_empty());
        wire.say(PUSH, response(200, "", "ok"));
        wire.connection.machine().abort(wire.now);
        let (closed, _) = wire.closed();
        assert_eq!((closed.in_doubt, closed.unsent), (0, 1), "\"b\" was not answered");
    }
}

/// The server lets go of an idle stream. Nothing is lost by it where no request was written, and no request is made twice
/// where one was.
#[test]
fn the_end_of_an_idle_stream() {
    fn ready() -> Wire {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.request(PUSH);
        wire.say(PUSH, response(200, "", "ok"));
        wire
    }
    for end in [Wire::end, Wire::reset] {
        // Before there is a request.
        let mut wire = ready();
        end(&mut wire, PUSH);
        assert!(!wire.connection.wants_stream(PUSH));
        wire.send("b");
        assert_eq!(wire.request(PUSH).body, "4b");

        // There is one, and nothing of it is written.
        let mut wire = ready();
        wire.send("b");
        assert!(!wire.wants(PUSH));
        end(&mut wire, PUSH);
        // The old stream has nothing more to say.
        end(&mut wire, PUSH);
        wire.say(PUSH, response(400, "", "no"));
        assert!(wire.wants(PUSH), "it is made on another stream");
        wire.connection.handle_connected(wire.now, PUSH);
        assert_eq!(Request::read(&wire.written(PUSH)).body, "4b");
        wire.say(PUSH, response(200, "", "ok"));
        assert_eq!(wire.event(), None);

        // It is written.
        let mut wire = ready();
        wire.send("b");
        wire.written(PUSH);
        end(&mut wire, PUSH);
        let (closed, error) = wire.closed();
        assert_eq!((closed.reason, closed.in_doubt), (CloseReason::TransportError, 1));
        assert_eq!(error.expect("it says what").kind(), ErrorKind::Connection);
    }
}

/// Only what was idle before is given another try: a server that hangs up on everybody must not be asked for ever.
#[test]
fn a_new_stream_that_ends_is_an_error() {
    for end in [Wire::end, Wire::reset] {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.connect(PUSH);
        end(&mut wire, PUSH);
        assert!(!wire.wants(PUSH));
        let (closed, error) = wire.closed();
        assert_eq!((closed.reason, closed.unsent), (CloseReason::TransportError, 1));
        assert_eq!(error.expect("it says what").kind(), ErrorKind::Connection);
    }
}

/// What comes before a request was written answers none: what a server, or somebody in between, says to a stream that was
/// idle for too long, or to every new one.
#[test]
fn an_answer_to_nothing() {
    // A stream that was idle is given up, and the request is made on another one.
    for (status, headers) in [(408, "Connection: close\r\n"), (503, ""), (200, "")] {
        let mut wire = Wire::polled();
        wire.send("a");
        wire.request(PUSH);
        wire.say(PUSH, response(200, "", "ok"));
        wire.send("b");
        assert!(!wire.wants(PUSH), "the old stream will do");
        wire.say_bytewise(PUSH, response(status, headers, "x"));
        wire.end(PUSH);
        wire.connect(PUSH);
        assert_eq!(Request::read(&wire.written(PUSH)).body, "4b", "{status}");
        wire.say(PUSH, response(200, "", "ok"));
        wire.connection.machine().abort(wire.now);
        assert_eq!(wire.closed().0.in_doubt, 0, "{status}");
    }
    // A new one that says so has its reasons, and they are told.
    let mut wire = Wire::new(options("http://host"), polling());
    wire.connect(POLL);
    wire.say(POLL, response(503, "", "too many"));
    let (reason, kind, told) = wire.told();
    assert_eq!(
        (reason, kind),
        (CloseReason::Refused, Some(ErrorKind::Refused)),
        "{told}"
    );
    // But a success is none.
    let mut wire = Wire::polled();
    wire.send("a");
    wire.connect(PUSH);
    wire.say(PUSH, response(200, "", "ok"));
    assert!(!wire.connection.wants_stream(PUSH) && wire.written(PUSH).is_empty());
    let (closed, error) = wire.closed();
    assert_eq!((closed.reason, closed.unsent), (CloseReason::TransportError, 1));
    assert_eq!(error.expect("it says what").kind(), ErrorKind::Protocol);
}

#[test]
fn an_abort_leaves_nothing_to_write() {
    let mut wire = Wire::polled();
    wire.send("a");
    wire.connect(PUSH);
    wire.connection.machine().abort(wire.now);
    for id in StreamId::ALL {
        assert!(!wire.wants(id), "{id:?}");
        assert_eq!(wire.written(id), b"");
        assert!(!wire.connection.wants_stream(id), "{id:?}");
    }
    assert!(wire.connection.is_finished());
    assert_eq!(wire.connection.poll_timeout(), None);
    let (closed, error) = wire.closed();
    assert_eq!(closed.reason, CloseReason::ClientDisconnect);
    assert_eq!((closed.in_doubt, closed.unsent), (0, 1), "it was not written");
    // Whatever still comes is for nobody.
    wire.say(POLL, response(200, "", "4late"));
    wire.reset(PUSH);
    assert_eq!(wire.event(), None);
    assert!(error.is_none() || error.is_some_and(|error| error.kind() == ErrorKind::Timeout));
}

#[test]
fn our_close_goes_out_behind_what_is_queued() {
    let mut wire = Wire::polled();
    wire.send("a");
    wire.connection.machine().close(wire.now);
    assert_eq!(wire.request(PUSH).body, "4a");
    wire.say(PUSH, response(200, "", "ok"));
    assert_eq!(wire.request(PUSH).body, "1");
    wire.say(PUSH, response(200, "", "ok"));
    let (closed, error) = wire.closed();
    assert_eq!((closed.reason, closed.in_doubt), (CloseReason::ClientDisconnect, 0));
    assert!(error.is_none(), "{error:?}");
    assert!(wire.connection.is_finished());
}
