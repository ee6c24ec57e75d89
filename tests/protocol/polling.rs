//! The polling transport: bodies, packets and their limits (section 1.3 of the notes).

use std::time::Duration;

use crate::http::Response;
use crate::server::Server;
use crate::session::{Session, settle};

/// What a client may be told whose session is being closed while it waits.
#[track_caller]
fn assert_ends_a_wait(response: &Response) {
    let text = response.text();
    assert!(
        response.status == 400 || (response.status == 200 && matches!(text, "1" | "6")),
        "{response:?}"
    );
}

/// The body is refused as a whole: 400, nothing of it delivered, session closed.
#[track_caller]
fn assert_refuses_body(body: &[u8]) {
    let server = Server::start();
    refuse_body(&server, body);
    server.finish();
}

#[track_caller]
fn refuse_body(server: &Server, body: &[u8]) {
    let session = Session::open(server);
    let mut waiting = session.park();
    let response = session.post(body);
    response.assert_error(3);
    // Had a message before the wrong packet been let through, the echo would be in here.
    assert_ends_a_wait(&waiting.response());
    session.assert_gone();
    server.wait_for_sessions(0);
}

#[test]
fn text_is_echoed() {
    let server = Server::start();
    let session = Session::open(&server);
    for text in [
        "hello",
        "caf\u{e9} \u{1f600}\u{10ffff}",
        "4",
        "b64",
        "\u{feff}",
        "a\u{0}b",
        " ",
    ] {
        session.assert_echoes(text);
    }
    session.close();
    server.finish();
}

#[test]
fn binary_is_echoed() {
    let server = Server::start();
    let session = Session::open(&server);
    for packet in ["bAQIDBA==", "bAQID", "b/+/+", "bAA==", "b"] {
        session.send(packet);
        assert_eq!(session.receive(1), [packet]);
    }
    session.send("4text\x1ebAQID\x1e4text");
    assert_eq!(session.receive(3), ["4text", "bAQID", "4text"]);
    session.close();
    server.finish();
}

#[test]
fn empty_message_is_echoed() {
    let server = Server::start();
    let session = Session::open(&server);
    session.assert_echoes("");
    session.send("4\x1e4a\x1e4");
    assert_eq!(session.receive(3), ["4", "4a", "4"]);
    session.close();
    server.finish();
}

#[test]
fn waiting_get_is_answered_by_a_message() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut waiting = session.park();
    waiting.assert_silent(Duration::from_millis(50));
    session.send("4wake up");
    waiting.response().assert_ok("4wake up");
    session.close();
    server.finish();
}

#[test]
fn many_packets_in_one_post_are_echoed_in_order_at_most_16_a_response() {
    let server = Server::start();
    let session = Session::open(&server);
    for count in [16, 17, 1000] {
        let packets: Vec<String> = (0..count).map(|number| format!("4{number}")).collect();
        session.send(packets.join("\x1e"));
        let mut echoed = Vec::new();
        let mut connection = server.connect();
        while echoed.len() < count {
            let response = connection.get(&session.target());
            assert_eq!(response.status, 200);
            let batch: Vec<&str> = response.text().split('\x1e').collect();
            assert!(batch.len() <= 16, "{} in one response", batch.len());
            echoed.extend(batch.into_iter().map(str::to_owned));
        }
        assert_eq!(echoed, packets);
    }
    session.close();
    server.finish();
}

#[test]
fn unknown_packet_types_are_refused() {
    let server = Server::start();
    for body in ["abc", "7", "9x", "hello", "-1", " 4a", "B64", "\u{e9}1234", "\u{1f600}"] {
        refuse_body(&server, body.as_bytes());
    }
    server.finish();
}

#[test]
fn empty_packets_are_refused() {
    let server = Server::start();
    for body in ["", "\x1e", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b"] {
        refuse_body(&server, body.as_bytes());
    }
    server.finish();
}

#[test]
fn post_without_any_body_is_refused() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    connection.send(session.bytes("POST", &[], None));
    connection.response().assert_error(3);
    session.assert_gone();
    server.finish();
}

#[test]
fn body_is_validated_whole_before_anything_is_delivered() {
    let server = Server::start();
    for body in ["4good\x1e7bad", "4good\x1eb!!!!", "4good\x1e4good\x1e", "4good\x1e2"] {
        refuse_body(&server, body.as_bytes());
    }
    refuse_body(&server, b"4good\x1e4\xff");
    server.finish();
}

#[test]
fn invalid_base64_is_refused() {
    let server = Server::start();
    for body in ["b!!!!", "bA", "bAQ=D", "bAQID====", "b\u{e9}\u{e9}", "b AQID"] {
        refuse_body(&server, body.as_bytes());
    }
    server.finish();
}

#[test]
fn invalid_utf_8_is_refused() {
    let server = Server::start();
    for body in [
        &b"4\xff"[..],
        b"4\xc3",
        b"4\xc3\x1e4a",
        b"4\xed\xa0\x80",
        b"4\xc0\xaf",
        b"\x80",
    ] {
        refuse_body(&server, body);
    }
    server.finish();
}

#[test]
fn ping_from_the_client_is_refused() {
    let server = Server::start();
    refuse_body(&server, b"2");
    refuse_body(&server, b"2probe");
    server.finish();
}

#[test]
fn form_without_jsonp_is_refused() {
    assert_refuses_body(b"d=4abc");
}

#[test]
fn unsolicited_pong_is_ignored() {
    let server = Server::start();
    let session = Session::open(&server);
    session.send("3");
    session.send("3\x1e4between\x1e3");
    assert_eq!(session.receive(1), ["4between"]);
    session.close();
    server.finish();
}

#[test]
fn open_upgrade_and_noop_from_the_client_are_ignored() {
    let server = Server::start();
    let session = Session::open(&server);
    for packet in ["0", r#"0{"sid":"x"}"#, "5", "6"] {
        session.send(packet);
        session.assert_echoes("not disturbed");
    }
    session.send("6\x1e4a\x1e5\x1e4b\x1e0");
    assert_eq!(session.receive(2), ["4a", "4b"]);
    session.close();
    server.finish();
}

#[test]
fn any_content_type_but_octet_stream_is_text() {
    let server = Server::start();
    let session = Session::open(&server);
    for content_type in [
        "text/plain;charset=UTF-8",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "complete nonsense",
        "",
    ] {
        let header = format!("Content-Type: {content_type}");
        let response = server.request("POST", &session.target(), &[&header], Some(b"4typed"));
        response.assert_ok("ok");
        assert_eq!(session.receive(1), ["4typed"], "{content_type}");
    }
    session.close();
    server.finish();
}

/// CVE-2026-59725: such requests used to be left hanging, and the connections piled up.
#[test]
fn octet_stream_is_answered_by_400_and_closes_the_session() {
    let server = Server::start();
    let header = ["Content-Type: application/octet-stream"];
    let mut connections = Vec::new();
    for _ in 0..20 {
        let session = Session::open(&server);
        let mut connection = server.connect();
        connection.send(session.bytes("POST", &header, Some(b"\x04abc")));
        connection.response().assert_error(3);
        session.assert_gone();
        // The sid is gone, and it is still an answer that comes.
        let response = server.request("POST", &session.target(), &header, Some(b"\x04abc"));
        response.assert_error(1);
        connections.push(connection);
    }
    server.finish();
}

#[test]
fn octet_stream_ends_a_waiting_get() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut waiting = session.park();
    let header = ["Content-Type: application/octet-stream"];
    let response = server.request("POST", &session.target(), &header, Some(b"4text"));
    response.assert_error(3);
    assert_ends_a_wait(&waiting.response());
    session.assert_gone();
    server.finish();
}

#[test]
fn body_of_exactly_the_limit_is_accepted() {
    let server = Server::with(&["--max-payload", "1000"]);
    let session = Session::open(&server);
    session.assert_echoes(&"x".repeat(999));
    // The limit counts bytes.
    session.assert_echoes(&format!("{}x", "\u{e9}".repeat(499)));
    session.close();
    server.finish();
}

#[test]
fn oversized_declared_body_is_413_and_the_session_stays() {
    let server = Server::with(&["--max-payload", "1000"]);
    let session = Session::open(&server);
    let response = session.post("4".repeat(1001));
    assert_eq!(response.status, 413, "{response:?}");
    // Two bytes a character: 501 characters are too many.
    let response = session.post(format!("4{}", "\u{e9}".repeat(500)));
    assert_eq!(response.status, 413, "{response:?}");
    session.assert_echoes("the session stays open");
    session.close();
    server.finish();
}

#[test]
fn oversized_length_is_413_before_its_body_is_sent() {
    let server = Server::start();
    let session = Session::open(&server);
    for length in ["1000001", "4294967296", "9223372036854775807"] {
        let mut connection = server.connect();
        let header = format!("Content-Length: {length}");
        connection.send(session.bytes("POST", &[&header], None));
        assert_eq!(connection.response().status, 413, "{length}");
        session.assert_echoes("the session stays open");
    }
    session.close();
    server.finish();
}

#[test]
fn oversized_chunked_body_is_413_and_the_session_stays() {
    let server = Server::with(&["--max-payload", "1000"]);
    let session = Session::open(&server);
    let chunked = ["Transfer-Encoding: chunked"];

    // One chunk that is too large, several that are so together, and one that announces it.
    let mut several = Vec::new();
    for _ in 0..11 {
        several.extend_from_slice(b"64\r\n");
        several.extend_from_slice(&[b'4'; 100]);
        several.extend_from_slice(b"\r\n");
    }
    several.extend_from_slice(b"0\r\n\r\n");
    let one = [b"3e9\r\n".as_slice(), &[b'4'; 1001], b"\r\n0\r\n\r\n"].concat();
    for body in [one, several, b"7fffffff\r\n".to_vec()] {
        let mut connection = server.connect();
        connection.send([session.bytes("POST", &chunked, None), body].concat());
        assert_eq!(connection.response().status, 413);
        session.assert_echoes("the session stays open");
    }
    session.close();
    server.finish();
}

#[test]
fn chunked_body_of_exactly_the_limit_is_accepted() {
    let server = Server::with(&["--max-payload", "1000"]);
    let session = Session::open(&server);
    let packet = format!("4{}", "x".repeat(999));
    let (first, second) = packet.split_at(300);
    let body = format!("12c\r\n{first}\r\n2BC\r\n{second}\r\n0\r\n\r\n");
    let mut connection = server.connect();
    connection.send(session.bytes("POST", &["Transfer-Encoding: chunked"], None));
    connection.send(body);
    connection.response().assert_ok("ok");
    assert_eq!(session.receive(1), [packet]);
    session.close();
    server.finish();
}

/// CVE-2020-36048: a body without end must neither be kept nor keep anybody busy.
#[test]
fn huge_body_is_refused_and_the_session_stays() {
    let server = Server::start();
    let session = Session::open(&server);
    let before = server.peak_memory();
    let mut connection = server.connect();
    connection.send(session.bytes("POST", &["Transfer-Encoding: chunked"], None));
    let chunk = [b"10000\r\n".as_slice(), &[b'4'; 0x10000], b"\r\n"].concat();
    for _ in 0..800 {
        if !connection.send_if_open(&chunk, Duration::from_millis(500)) {
            break;
        }
    }
    // The answer may be lost when the server hangs up on a client that keeps sending.
    if let Ok(response) = connection.response_within(Duration::from_millis(500)) {
        assert_eq!(response.status, 413);
    }
    server.assert_memory_flat(before);
    session.assert_echoes("the session stays open");
    session.close();
    server.finish();
}

#[test]
fn length_below_what_is_sent_leaves_the_rest_for_the_next_request() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    let mut bytes = session.bytes("POST", &["Content-Length: 2"], None);
    bytes.extend_from_slice(b"4abcdef\r\n\r\n");
    connection.send(bytes);
    connection.response().assert_ok("ok");
    assert_eq!(connection.response().status, 400);
    connection.assert_closed();
    assert_eq!(session.receive(1), ["4a"]);
    session.assert_echoes("the session stays open");
    session.close();
    server.finish();
}

#[test]
fn length_above_what_is_sent_delivers_nothing() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut connection = server.connect();
    let mut bytes = session.bytes("POST", &["Content-Length: 20"], None);
    bytes.extend_from_slice(b"4half a message");
    connection.send(bytes);
    connection.half_close();
    match connection.response_within(crate::http::PATIENCE) {
        Ok(response) => assert_eq!(response.status, 400),
        Err(reason) => assert_ne!(reason, crate::http::NoAnswer::Late),
    }
    session.assert_echoes("the session stays open");
    session.close();
    server.finish();
}

#[test]
fn close_packet_answers_the_post_by_ok_and_the_waiting_get_by_a_noop() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut waiting = session.park();
    session.send("1");
    waiting.response().assert_ok("6");
    session.assert_gone();
    session.post("4late").assert_error(1);
    server.finish();
}

#[test]
fn close_packet_without_a_waiting_get_ends_the_session_at_once() {
    let server = Server::start();
    let session = Session::open(&server);
    session.send("1");
    server.wait_for_sessions(0);
    session.assert_gone();
    session.post("1").assert_error(1);
    server.finish();
}

#[test]
fn get_whose_client_goes_away_closes_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    drop(session.park());
    server.wait_for_sessions(0);
    session.assert_gone();
    server.finish();
}

#[test]
fn get_whose_client_half_closes_closes_the_session() {
    let server = Server::start();
    let session = Session::open(&server);
    let mut waiting = session.park();
    waiting.half_close();
    server.wait_for_sessions(0);
    session.assert_gone();
    drop(waiting);
    server.finish();
}

/// Going away between two polls is what every polling client does all the time.
#[test]
fn client_that_goes_away_between_polls_keeps_its_session() {
    let server = Server::start();
    let session = Session::open(&server);
    for _ in 0..5 {
        session.send("4a");
        let mut connection = server.connect();
        connection.get(&session.target()).assert_ok("4a");
        drop(connection);
    }
    settle();
    session.assert_echoes("the session stays open");
    session.close();
    server.finish();
}
