//! Sessions that live on a WebSocket: their opening, their messages and their end (section 1.4 of
//! the notes).

use std::time::{Duration, Instant};

use crate::server::Server;
use crate::session::POLLING;
use crate::websocket::{
    BINARY, CLOSE, FIN, KEY, Message, PING, PONG, TEXT, WEBSOCKET, WebSocket, ask, frame, header, upgrade_request,
};

/// A close frame comes and then the end, and the session is gone.
#[track_caller]
fn assert_ends(server: &Server, mut websocket: WebSocket, sid: &str) -> Option<u16> {
    let code = websocket.assert_closes();
    server.wait_for_sessions(0);
    server.get(&format!("{POLLING}&sid={sid}")).assert_error(1);
    code
}

/// One frame that ends the session.
#[track_caller]
fn assert_packet_ends(server: &Server, first: u8, payload: &[u8]) {
    let (mut websocket, sid) = WebSocket::open_with_sid(server);
    websocket.frame(first, payload);
    // What follows a wrong packet is not looked at any more.
    websocket
        .connection
        .send_if_open(frame(FIN | TEXT, b"4after"), Duration::from_secs(1));
    assert_ends(server, websocket, &sid);
}

#[test]
fn text_is_echoed_as_text() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    for text in [
        "hello",
        "",
        "caf\u{e9} \u{1f600}",
        "\u{0}",
        "b64",
        "\u{e9}1234",
        "\u{feff}x",
    ] {
        websocket.assert_echoes(text);
    }
    websocket.assert_echoes(&"\u{1f600}".repeat(10_000));
    websocket.close();
    server.finish();
}

#[test]
fn binary_is_echoed_as_binary() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&b""[..], b"\0", b"4text", b"\xff\xfe", &all, &[7; 70_000]] {
        websocket.binary(bytes);
        assert_eq!(websocket.message(), Message::Binary(bytes.to_vec()));
    }
    websocket.close();
    server.finish();
}

#[test]
fn thousand_messages_are_echoed_in_order() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    let mut bytes = Vec::new();
    for number in 0..1000 {
        bytes.extend(frame(FIN | TEXT, format!("4{number}").as_bytes()));
    }
    websocket.send(bytes);
    for number in 0..1000 {
        websocket.assert_text(&format!("4{number}"));
    }
    websocket.close();
    server.finish();
}

#[test]
fn message_right_behind_the_upgrade_request_is_not_lost() {
    let server = Server::start();
    let mut connection = server.connect();
    let mut bytes = upgrade_request(connection.host(), WEBSOCKET, &[]);
    bytes.extend(frame(FIN | TEXT, b"4early"));
    connection.send(bytes);
    let response = connection.response();
    let mut websocket = WebSocket::granted(connection, &response);
    let Message::Text(packet) = websocket.message() else {
        panic!("the open packet is text");
    };
    assert!(packet.starts_with("0{"), "{packet}");
    websocket.assert_text("4early");
    websocket.close();
    server.finish();
}

#[test]
fn byte_at_a_time_delivery_works() {
    let server = Server::start();
    let mut connection = server.connect();
    for byte in upgrade_request(connection.host(), WEBSOCKET, &[]) {
        connection.send([byte]);
    }
    let response = connection.response();
    let mut websocket = WebSocket::granted(connection, &response);
    websocket.message();
    let text = format!("4{}", "slowly \u{e9}".repeat(20));
    for byte in frame(FIN | TEXT, text.as_bytes()) {
        websocket.send([byte]);
    }
    websocket.assert_text(&text);
    websocket.close();
    server.finish();
}

#[test]
fn close_packet_closes_the_session_at_once() {
    let server = Server::start();
    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    let mut bytes = frame(FIN | TEXT, b"1");
    bytes.extend(frame(FIN | TEXT, b"4after"));
    websocket.send(bytes);
    // No echo of what came after it: assert_closes accepts no message.
    assert_ends(&server, websocket, &sid);
    server.finish();
}

#[test]
fn close_frame_is_answered_and_ends_the_session() {
    let server = Server::start();
    for payload in [&b""[..], b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xa0"] {
        let (mut websocket, sid) = WebSocket::open_with_sid(&server);
        websocket.frame(FIN | CLOSE, payload);
        assert_eq!(
            websocket.message(),
            Message::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code)))
        );
        assert_eq!(websocket.message(), Message::End);
        server.wait_for_sessions(0);
        server.get(&format!("{POLLING}&sid={sid}")).assert_error(1);
    }
    server.finish();
}

#[test]
fn end_of_the_connection_ends_the_session() {
    let server = Server::start();
    let (websocket, sid) = WebSocket::open_with_sid(&server);
    drop(websocket);
    server.wait_for_sessions(0);
    server.get(&format!("{POLLING}&sid={sid}")).assert_error(1);

    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    websocket.connection.half_close();
    server.wait_for_sessions(0);
    server.get(&format!("{POLLING}&sid={sid}")).assert_error(1);
    server.finish();
}

#[test]
fn unknown_packet_types_close_the_session() {
    let server = Server::start();
    for packet in ["7", "9x", "hello", "-", " 4", "\u{e9}1234", "\u{1f600}"] {
        assert_packet_ends(&server, FIN | TEXT, packet.as_bytes());
    }
    server.finish();
}

#[test]
fn empty_text_frame_closes_the_session() {
    let server = Server::start();
    assert_packet_ends(&server, FIN | TEXT, b"");
    server.finish();
}

#[test]
fn ping_from_the_client_closes_the_session() {
    let server = Server::start();
    assert_packet_ends(&server, FIN | TEXT, b"2");
    assert_packet_ends(&server, FIN | TEXT, b"2probe");
    server.finish();
}

#[test]
fn open_upgrade_noop_and_unsolicited_pong_are_ignored() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    for packet in ["0", "5", "6", "3"] {
        websocket.text(packet);
        websocket.assert_echoes("not disturbed");
    }
    websocket.close();
    server.finish();
}

#[test]
fn message_of_exactly_the_limit_is_echoed() {
    let server = Server::with(&["--max-payload", "1000"]);
    let mut websocket = WebSocket::open(&server);
    websocket.assert_echoes(&"x".repeat(999));
    websocket.binary(&[1; 1000]);
    assert_eq!(websocket.message(), Message::Binary(vec![1; 1000]));
    websocket.close();
    server.finish();
}

#[test]
fn message_of_the_default_limit_is_echoed() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    websocket.assert_echoes(&"x".repeat(999_999));
    websocket.close();
    server.finish();
}

#[test]
fn message_above_the_limit_closes_with_1009() {
    let server = Server::with(&["--max-payload", "1000"]);
    for (opcode, payload) in [(TEXT, vec![b'4'; 1001]), (BINARY, vec![4; 1001])] {
        let (mut websocket, sid) = WebSocket::open_with_sid(&server);
        websocket.frame(FIN | opcode, &payload);
        assert_eq!(assert_ends(&server, websocket, &sid), Some(1009));
    }
    server.finish();
}

#[test]
fn fragments_above_the_limit_together_close_with_1009() {
    let server = Server::with(&["--max-payload", "1000"]);
    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    websocket.frame(TEXT, &[b'4'; 400]);
    websocket.frame(0, &[b'4'; 400]);
    websocket.frame(0, &[b'4'; 400]);
    assert_eq!(assert_ends(&server, websocket, &sid), Some(1009));
    server.finish();
}

#[test]
fn huge_announced_length_closes_with_1009_before_the_payload() {
    let server = Server::start();
    let before = server.peak_memory();
    for length in [1_000_001, u64::from(u32::MAX), i64::MAX as u64] {
        for opcode in [TEXT, BINARY] {
            let (mut websocket, sid) = WebSocket::open_with_sid(&server);
            websocket.send(header(FIN | opcode, length));
            websocket.send([1, 2, 3, 4, b'4']);
            assert_eq!(assert_ends(&server, websocket, &sid), Some(1009));
        }
    }
    // The highest bit must be zero: that is a protocol error, and too large as well.
    let (mut websocket, sid) = WebSocket::open_with_sid(&server);
    websocket.send(header(FIN | TEXT, u64::MAX));
    websocket.send([1, 2, 3, 4, b'4']);
    let code = assert_ends(&server, websocket, &sid);
    assert!(matches!(code, Some(1002 | 1009)), "{code:?}");
    server.assert_memory_flat(before);
    server.finish();
}

#[test]
fn ping_frame_is_answered_at_once_with_the_same_payload() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    for payload in [&b""[..], b"ping", &[0xff; 125]] {
        let sent = Instant::now();
        websocket.frame(FIN | PING, payload);
        assert_eq!(websocket.message(), Message::Pong(payload.to_vec()));
        assert!(sent.elapsed() < Duration::from_secs(1));
    }
    websocket.assert_echoes("and messages go on");
    websocket.close();
    server.finish();
}

#[test]
fn flood_of_ping_frames_does_no_harm() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    let ping = frame(FIN | PING, b"x");
    for _ in 0..100 {
        websocket.send(ping.repeat(100));
    }
    websocket.text("4after");
    // One pong may answer several pings.
    loop {
        match websocket.message() {
            Message::Pong(payload) => assert_eq!(payload, b"x"),
            other => {
                assert_eq!(other, Message::Text("4after".to_owned()));
                break;
            }
        }
    }
    websocket.close();
    server.finish();
}

#[test]
fn unsolicited_pong_frame_is_ignored() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    websocket.frame(FIN | PONG, b"");
    websocket.frame(FIN | PONG, b"nobody asked");
    websocket.assert_echoes("not disturbed");
    websocket.close();
    server.finish();
}

#[test]
fn upgrade_headers_are_understood_as_lists_and_in_any_case() {
    let server = Server::start();
    let connection_headers = [
        "Connection: keep-alive, Upgrade",
        "connection: UPGRADE",
        "CONNECTION: upgrade,keep-alive",
    ];
    for (header, upgrade) in connection_headers.iter().zip(["websocket", "WebSocket", "WEBSOCKET"]) {
        let mut connection = server.connect();
        let bytes = crate::http::request(
            "GET",
            WEBSOCKET,
            connection.host(),
            &[
                header,
                &format!("Upgrade: {upgrade}"),
                "Sec-WebSocket-Version: 13",
                &format!("Sec-WebSocket-Key: {KEY}"),
            ],
            None,
        );
        connection.send(bytes);
        let response = connection.response();
        let mut websocket = WebSocket::granted(connection, &response);
        websocket.message();
        websocket.close();
    }
    server.finish();
}

#[test]
fn wrong_websocket_handshakes_are_refused_before_101() {
    let server = Server::start();
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let key = key.as_str();
    let (connection, upgrade, version) = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13");
    for headers in [
        vec![connection, upgrade, version],
        vec![connection, upgrade, version, "Sec-WebSocket-Key: short"],
        vec![connection, upgrade, version, "Sec-WebSocket-Key:"],
        vec![connection, upgrade, key],
        vec![connection, upgrade, key, "Sec-WebSocket-Version: 12"],
        vec![connection, upgrade, key, "Sec-WebSocket-Version: x"],
        vec![upgrade, version, key],
        vec![connection, version, key],
        vec![connection, "Upgrade: h2c", version, key],
        vec![connection, "Upgrade: websocketx", version, key],
    ] {
        let response = server.request("GET", WEBSOCKET, &headers, None);
        assert!(matches!(response.status, 400 | 426), "{headers:?}: {response:?}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let headers = [connection, upgrade, version, key];
        let response = server.request(method, WEBSOCKET, &headers, Some(b""));
        assert!((400..500).contains(&response.status), "{method}: {response:?}");
    }
    server.finish();
}

/// The `ws` package once fell over headers like these.
#[test]
fn odd_websocket_headers_do_no_harm() {
    let server = Server::start();
    let protocols = format!("Sec-WebSocket-Protocol: {}", "a ,".repeat(1500));
    let spaces = format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(4000));
    for header in [
        "Sec-WebSocket-Extensions: permessage-deflate; constructor",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"",
        "Sec-WebSocket-Extensions: ,;,;=",
        "Sec-WebSocket-Extensions: __proto__; x=\"\\\"",
        "Sec-WebSocket-Protocol: chat, superchat",
        &protocols,
        &spaces,
    ] {
        let (connection, response) = ask(&server, WEBSOCKET, &[header]);
        if response.status == 101 {
            // Engine.IO has no subprotocol. None or the first one may be chosen, but none that was
            // not offered.
            let chosen = response.header("sec-websocket-protocol");
            assert!(matches!(chosen, None | Some("chat" | "a")), "{chosen:?}");
            assert_eq!(response.header("sec-websocket-extensions"), None);
            let mut websocket = WebSocket::granted(connection, &response);
            websocket.message();
            websocket.assert_echoes("plain");
            websocket.close();
        } else {
            assert!((400..500).contains(&response.status), "{response:?}");
        }
    }
    server.finish();
}
