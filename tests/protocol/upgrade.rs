//! From polling to a WebSocket: the probe, what may go wrong in it, and that nothing gets lost
//! (section 1.4 of the notes).

use std::time::Duration;

use crate::http::PATIENCE;
use crate::server::{IMPATIENT, Server};
use crate::session::{POLLING, Session};
use crate::websocket::{BINARY, CLOSE, FIN, Message, TEXT, WEBSOCKET, WebSocket, ask, frame, upgrade_request};

/// A short time for the upgrade, and none for the heartbeat to interfere.
const SHORT_UPGRADE: [&str; 2] = ["--upgrade-timeout", "400ms"];

#[test]
fn upgrade_carries_messages_over() {
    let server = Server::start();
    let session = Session::open(&server);
    session.assert_echoes("on polling");
    let mut waiting = session.park();
    let mut websocket = session.websocket();
    websocket.text("2probe");
    websocket.assert_text("3probe");
    waiting.response().assert_ok("6");
    websocket.text("5");
    websocket.assert_echoes("on the WebSocket");
    websocket.binary(b"\x00\xff");
    assert_eq!(websocket.message(), Message::Binary(b"\x00\xff".to_vec()));
    websocket.close();
    server.finish();
}

#[test]
fn probe_and_upgrade_right_behind_the_request_work() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    let mut bytes = upgrade_request(connection.host(), &session.websocket_target(), &[]);
    bytes.extend(frame(FIN | TEXT, b"2probe"));
    connection.send(bytes);
    let response = connection.response();
    let mut websocket = WebSocket::granted(connection, &response);
    websocket.assert_text("3probe");
    websocket.send([frame(FIN | TEXT, b"5"), frame(FIN | TEXT, b"4at once")].concat());
    websocket.assert_text("4at once");
    websocket.close();
    server.finish();
}

#[test]
fn websocket_whose_first_frame_is_no_probe_is_closed_and_polling_goes_on() {
    let server = Server::start();
    let session = Session::open(&server);
    for first in [
        "4hello", "2", "2other", "2probe2", "3probe", "3", "1", "0", "6", "9", "",
    ] {
        let mut websocket = session.websocket();
        websocket.text(first);
        websocket.assert_closes();
        session.assert_echoes(&format!("alive after {first:?}"));
    }
    let mut websocket = session.websocket();
    websocket.frame(FIN | BINARY, b"2probe");
    websocket.assert_closes();
    session.assert_echoes("alive after binary");
    session.close();
    server.finish();
}

#[test]
fn upgrade_packet_without_a_probe_is_refused_and_polling_goes_on() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.websocket();
    websocket.text("5");
    websocket.assert_closes();
    session.assert_echoes("still polling");
    // And the next one may still upgrade.
    session.upgrade().close();
    server.finish();
}

#[test]
fn wrong_frame_during_the_probe_closes_only_the_websocket() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.websocket();
    websocket.frame(FIN | 0x40 | TEXT, b"2probe");
    assert_eq!(websocket.assert_closes(), Some(1002));
    let mut websocket = session.websocket();
    websocket.frame(FIN | TEXT, b"2\xff");
    assert_eq!(websocket.assert_closes(), Some(1007));
    session.assert_echoes("still polling");
    session.upgrade().close();
    server.finish();
}

#[test]
fn message_between_probe_and_upgrade_closes_only_the_websocket() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.probe();
    websocket.text("4too early");
    websocket.assert_closes();
    session.assert_echoes("still polling");
    session.close();
    server.finish();
}

#[test]
fn gets_while_probing_are_answered_by_noop() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut waiting = session.park();
    let mut websocket = session.probe();
    waiting.response().assert_ok("6");
    for _ in 0..5 {
        session.get().assert_ok("6");
    }
    websocket.text("5");
    websocket.assert_echoes("upgraded");
    websocket.close();
    server.finish();
}

#[test]
fn message_posted_while_probing_is_echoed_on_the_websocket_after_the_upgrade() {
    let server = Server::start();
    let session = Session::open(&server);
    session.send("4before the probe");
    let mut websocket = session.probe();
    session.send("4during\x1ebAQID\x1e4the probe");
    session.get().assert_ok("6");
    websocket.connection.assert_silent(Duration::from_millis(50));
    websocket.text("5");
    websocket.assert_text("4before the probe");
    websocket.assert_text("4during");
    assert_eq!(websocket.message(), Message::Binary(vec![1, 2, 3]));
    websocket.assert_text("4the probe");
    websocket.assert_echoes("and on");
    websocket.close();
    server.finish();
}

#[test]
fn many_messages_across_an_upgrade_come_once_and_in_order() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut expected = Vec::new();
    let mut echoed = Vec::new();
    for number in 0..300 {
        let packet = format!("4polling {number}");
        session.send(&packet);
        expected.push(packet);
        if number % 50 == 0 {
            let body = session.get();
            echoed.extend(body.text().split('\x1e').map(str::to_owned));
        }
    }
    let mut websocket = session.probe();
    session.send("4while probing");
    expected.push("4while probing".to_owned());
    let mut bytes = frame(FIN | TEXT, b"5");
    for number in 0..300 {
        let packet = format!("4websocket {number}");
        bytes.extend(frame(FIN | TEXT, packet.as_bytes()));
        expected.push(packet);
    }
    websocket.send(bytes);
    while echoed.len() < expected.len() {
        match websocket.message() {
            Message::Text(text) => echoed.push(text),
            other => panic!("{other:?} after {} messages", echoed.len()),
        }
    }
    assert_eq!(echoed, expected);
    websocket.close();
    server.finish();
}

#[test]
fn probe_without_an_upgrade_times_out_and_polling_goes_on_with_nothing_lost() {
    let server = Server::with(&SHORT_UPGRADE);
    let session = Session::open(&server);
    session.send("4before");
    let mut websocket = session.probe();
    session.send("4during");
    session.get().assert_ok("6");
    websocket.assert_closes();
    assert_eq!(session.receive(2), ["4before", "4during"]);
    session.assert_echoes("after");
    session.close();
    server.finish();
}

/// engineioxide #731: an upgrade that never goes on used to stay for ever.
#[test]
fn websocket_without_a_probe_times_out_and_polling_goes_on() {
    let server = Server::with(&SHORT_UPGRADE);
    let session = Session::open(&server);
    let mut waiting = session.park();
    let mut websocket = session.websocket();
    websocket.assert_closes();
    session.send("4hello");
    // Whether a GET that waits is released by the attempt is not said.
    let response = waiting.response();
    if response.text() == "6" {
        assert_eq!(session.receive(1), ["4hello"]);
    } else {
        response.assert_ok("4hello");
    }
    session.upgrade().close();
    server.finish();
}

#[test]
fn websocket_that_dies_after_the_probe_loses_nothing() {
    let server = Server::start();
    let session = Session::open(&server);
    // By a close frame, by the end of the connection, and by a half-closed one.
    for way in 0..3 {
        session.send(format!("4before {way}"));
        let mut websocket = session.probe();
        session.send(format!("4during {way}"));
        match way {
            0 => {
                websocket.frame(FIN | CLOSE, b"\x03\xe8");
                assert_eq!(websocket.message(), Message::Close(Some(1000)));
            }
            1 => drop(websocket),
            _ => websocket.connection.half_close(),
        }
        assert_eq!(session.receive(2), [format!("4before {way}"), format!("4during {way}")]);
        session.assert_echoes("after");
    }
    session.upgrade().close();
    server.finish();
}

#[test]
fn second_websocket_while_upgrading_is_refused_and_the_first_goes_on() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut first = session.websocket();
    let (_connection, response) = ask(&server, &session.websocket_target(), &[]);
    response.assert_error(3);
    first.text("2probe");
    first.assert_text("3probe");
    let (_connection, response) = ask(&server, &session.websocket_target(), &[]);
    response.assert_error(3);
    first.text("5");
    first.assert_echoes("the first one");
    first.close();
    server.finish();
}

#[test]
fn requests_after_the_upgrade_are_refused_and_the_websocket_lives() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.upgrade();
    for _ in 0..3 {
        session.get().assert_error(3);
        session.post("4forged").assert_error(3);
        session.post("1").assert_error(3);
        let (_connection, response) = ask(&server, &session.websocket_target(), &[]);
        response.assert_error(3);
        websocket.assert_echoes("not disturbed");
    }
    websocket.close();
    session.assert_gone();
    server.finish();
}

#[test]
fn requests_for_a_session_born_on_a_websocket_are_refused_and_it_lives() {
    let server = Server::start();
    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    let target = format!("{POLLING}&sid={sid}");
    server.get(&target).assert_error(3);
    server.post(&target, "4forged").assert_error(3);
    let (_connection, response) = ask(&server, &format!("{WEBSOCKET}&sid={sid}"), &[]);
    response.assert_error(3);
    websocket.assert_echoes("not disturbed");
    websocket.close();
    server.finish();
}

#[test]
fn upgrade_with_another_version_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    for version in ["EIO=3&", "EIO=&", "EIO=5&", ""] {
        let target = format!("/engine.io/?{version}transport=websocket&sid={}", session.sid);
        let (_connection, response) = ask(&server, &target, &[]);
        response.assert_error(3);
    }
    session.assert_echoes("still polling");
    session.close();
    server.finish();
}

#[test]
fn upgrade_of_an_unknown_session_is_refused_before_101() {
    let server = Server::start();
    let session = Session::open(&server);
    session.close();
    for sid in [session.sid.as_str(), "unknown", "AAAAAAAAAAAAAAAAAAAAAA"] {
        let (_connection, response) = ask(&server, &format!("{WEBSOCKET}&sid={sid}"), &[]);
        response.assert_error(1);
    }
    server.finish();
}

#[test]
fn forced_upgrade_is_refused_where_upgrades_are_off() {
    let server = Server::with(&["--no-upgrades"]);
    let session = Session::open(&server);
    let (_connection, response) = ask(&server, &session.websocket_target(), &[]);
    response.assert_error(3);
    session.assert_echoes("still polling");
    session.close();
    server.finish();
}

#[test]
fn close_packet_while_probing_ends_the_session_and_its_websocket() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut websocket = session.probe();
    session.send("1");
    loop {
        match websocket.message() {
            Message::Text(text) if text == "1" => {}
            Message::Close(_) | Message::End => break,
            other => panic!("{other:?}"),
        }
    }
    drop(websocket);
    session.assert_gone();
    server.finish();
}

#[test]
fn end_of_the_upgraded_websocket_ends_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    drop(session.upgrade());
    server.wait_for_sessions(0);
    session.assert_gone();
    server.finish();
}

#[test]
fn session_that_goes_silent_while_probing_ends_by_itself() {
    let server = Server::with(&IMPATIENT);
    let session = Session::open(&server);
    let mut websocket = session.probe();
    server.wait_for_sessions(0);
    loop {
        match websocket.message_within(PATIENCE) {
            Some(Message::Close(_) | Message::End) => break,
            Some(Message::Text(text)) if matches!(text.as_str(), "1" | "2") => {}
            other => panic!("{other:?}"),
        }
    }
    session.assert_gone();
    server.finish();
}
