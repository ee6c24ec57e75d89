//! WebSocket framing: what RFC 6455 forbids is refused with the right code, what it allows works.

use std::time::Duration;

use crate::server::Server;
use crate::websocket::{BINARY, CLOSE, CONTINUATION, FIN, Message, PING, PONG, TEXT, WebSocket, frame};

/// These bytes after the open packet are answered by a close frame with this code.
#[track_caller]
fn assert_closes_with(server: &Server, bytes: &[u8], code: u16) {
    let mut websocket = WebSocket::open(server);
    websocket.send(bytes);
    assert_eq!(websocket.assert_closes(), Some(code), "{bytes:02x?}");
    server.wait_for_sessions(0);
}

#[test]
fn unmasked_frames_close_with_1002() {
    let server = Server::start();
    assert_closes_with(&server, b"\x81\x024a", 1002);
    assert_closes_with(&server, b"\x82\x01a", 1002);
    assert_closes_with(&server, b"\x89\x00", 1002);
    server.finish();
}

#[test]
fn reserved_bits_close_with_1002() {
    let server = Server::start();
    for bit in [0x40, 0x20, 0x10] {
        assert_closes_with(&server, &frame(FIN | bit | TEXT, b"4a"), 1002);
        assert_closes_with(&server, &frame(FIN | bit | PING, b""), 1002);
    }
    server.finish();
}

#[test]
fn reserved_opcodes_close_with_1002() {
    let server = Server::start();
    for opcode in [0x3, 0x7, 0xb, 0xf] {
        assert_closes_with(&server, &frame(FIN | opcode, b"4a"), 1002);
    }
    server.finish();
}

#[test]
fn wrong_control_frames_close_with_1002() {
    let server = Server::start();
    for opcode in [PING, PONG, CLOSE] {
        // In fragments, and longer than a control frame may be.
        assert_closes_with(&server, &frame(opcode, b""), 1002);
        assert_closes_with(&server, &frame(FIN | opcode, &[b'x'; 126]), 1002);
    }
    server.finish();
}

#[test]
fn wrong_sequences_of_fragments_close_with_1002() {
    let server = Server::start();
    assert_closes_with(&server, &frame(FIN | CONTINUATION, b"4a"), 1002);
    assert_closes_with(&server, &frame(CONTINUATION, b"4a"), 1002);
    let text_in_text = [frame(TEXT, b"4a"), frame(FIN | TEXT, b"4b")].concat();
    assert_closes_with(&server, &text_in_text, 1002);
    let binary_in_text = [frame(TEXT, b"4a"), frame(BINARY, b"b")].concat();
    assert_closes_with(&server, &binary_in_text, 1002);
    server.finish();
}

#[test]
fn wrong_close_frames_close_with_1002_or_1007() {
    let server = Server::start();
    for payload in [
        &b"\x03"[..],
        b"\x00\x00",
        b"\x03\xe7",
        b"\x03\xed",
        b"\x03\xee",
        b"\x03\xf7",
        b"\x13\x88",
        b"\xff\xff",
        b"\x03\xe8\xff\xfe",
    ] {
        let mut websocket = WebSocket::open(&server);
        websocket.frame(FIN | CLOSE, payload);
        let code = websocket.assert_closes();
        assert!(matches!(code, Some(1002 | 1007)), "{payload:02x?}: {code:?}");
    }
    server.finish();
}

#[test]
fn invalid_utf_8_closes_with_1007() {
    let server = Server::start();
    for text in [
        &b"4\xff"[..],
        b"4\xc3",
        b"4\x80",
        b"4\xc0\xaf",
        b"4\xed\xa0\x80",
        b"4\xf4\x90\x80\x80",
        b"\xff4",
    ] {
        assert_closes_with(&server, &frame(FIN | TEXT, text), 1007);
    }
    // A character that is cut off by the end of a message in fragments.
    let cut = [frame(TEXT, b"4\xc3"), frame(FIN | CONTINUATION, b"a")].concat();
    assert_closes_with(&server, &cut, 1007);
    server.finish();
}

#[test]
fn fragmented_messages_are_assembled() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    for (opcode, parts) in [
        (TEXT, vec!["4", "in", " parts"]),
        (TEXT, vec!["", "", "4empty fragments", ""]),
        (BINARY, vec!["binary", "", " in parts"]),
    ] {
        let (last, others) = parts.split_last().expect("some parts");
        for (number, part) in others.iter().enumerate() {
            let opcode = if number == 0 { opcode } else { CONTINUATION };
            websocket.frame(opcode, part.as_bytes());
        }
        websocket.frame(FIN | CONTINUATION, last.as_bytes());
        let whole = parts.concat();
        let expected = if opcode == TEXT {
            Message::Text(whole)
        } else {
            Message::Binary(whole.into_bytes())
        };
        assert_eq!(websocket.message(), expected);
    }
    websocket.close();
    server.finish();
}

#[test]
fn character_may_be_cut_by_fragments() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    let text = "4\u{1f600}";
    for (number, byte) in text.bytes().enumerate() {
        let opcode = if number == 0 { TEXT } else { CONTINUATION };
        websocket.frame(opcode, &[byte]);
    }
    websocket.frame(FIN | CONTINUATION, b"");
    websocket.assert_text(text);
    websocket.close();
    server.finish();
}

#[test]
fn ping_between_fragments_is_answered_at_once() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    websocket.frame(TEXT, b"4be");
    websocket.frame(FIN | PING, b"first");
    assert_eq!(websocket.message(), Message::Pong(b"first".to_vec()));
    websocket.frame(CONTINUATION, b"twe");
    websocket.frame(FIN | PING, b"second");
    assert_eq!(websocket.message(), Message::Pong(b"second".to_vec()));
    websocket.frame(FIN | CONTINUATION, b"en");
    websocket.assert_text("4between");
    websocket.close();
    server.finish();
}

#[test]
fn close_between_fragments_is_answered() {
    let server = Server::start();
    let mut websocket = WebSocket::open(&server);
    websocket.frame(TEXT, b"4never fin");
    websocket.frame(FIN | CLOSE, b"\x03\xe8");
    assert_eq!(websocket.message(), Message::Close(Some(1000)));
    assert_eq!(websocket.message(), Message::End);
    server.finish();
}

/// CVE-2026-48779: what a fragment costs must not add up. Assembled or refused, both are fine.
#[test]
fn million_tiny_fragments_do_not_cost_memory() {
    let server = Server::start();
    for payload in [&b"x"[..], b""] {
        let before = server.peak_memory();
        let mut websocket = WebSocket::open(&server);
        websocket.frame(TEXT, b"4");
        let batch = frame(CONTINUATION, payload).repeat(1000);
        let mut sent = 0;
        while sent < 999 {
            if !websocket.connection.send_if_open(&batch, Duration::from_secs(2)) {
                break;
            }
            sent += 1;
        }
        websocket
            .connection
            .send_if_open(frame(FIN | CONTINUATION, payload), Duration::from_secs(2));
        match websocket.message() {
            Message::Text(text) => {
                assert_eq!(sent, 999);
                assert_eq!(text.len(), 1 + payload.len() * 999_001);
                websocket.close();
            }
            // Refused; a reset may swallow the close frame of a server that was still being sent to.
            Message::Close(_) | Message::End => {}
            other => panic!("{other:?}"),
        }
        server.assert_memory_flat(before);
    }
    server.finish();
}

#[test]
fn frames_cut_anywhere_end_the_session_when_the_connection_does() {
    let server = Server::start();
    let bytes = frame(FIN | TEXT, &[b'4'; 200]);
    for length in [1, 2, 3, 4, 6, 8, 9, 100] {
        let mut websocket = WebSocket::open(&server);
        websocket.send(&bytes[..length]);
        drop(websocket);
    }
    server.finish();
}
