use std::format;
use std::string::String;
use std::vec;

use super::*;
use crate::wire::http1::{MAX_RESPONSE_HEAD, Response, ResponseLimits, ResponseReader};

/// Bytes that differ from call to call, and are the same in every run.
fn entropy() -> Entropy {
    let mut state = 1_u32;
    Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
    })
}

fn client() -> WebSocket {
    WebSocket::client(100_000, entropy())
}

/// A frame as servers send it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(first, payload.len(), None, &mut out);
    out.extend_from_slice(payload);
    out
}

/// Undoes the mask of the one frame in `bytes`.
fn unmasked(bytes: &[u8]) -> (u8, Vec<u8>) {
    let header = Header::read(bytes).unwrap();
    let mut payload = bytes[header.length..].to_vec();
    assert_eq!(payload.len() as u64, header.payload);
    apply_mask(&mut payload, header.mask.expect("clients mask"));
    (header.first, payload)
}

type Read = (Vec<Result<Frame, FrameError>>, Vec<u8>);

fn read_by(socket: &mut WebSocket, bytes: &[u8], mut step: impl FnMut() -> usize) -> Read {
    let (mut frames, mut out) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut part = take(&mut rest, step());
        while let Some(frame) = socket.read(&mut part, &mut out).transpose() {
            frames.push(frame);
        }
        assert!(part.is_empty());
    }
    (frames, out)
}

#[test]
fn both_ends_understand_each_other() {
    let packets = [
        Packet::Message("hi".into()),
        Packet::Ping("probe".into()),
        Packet::Message("".into()),
        Packet::Message(vec![7; 200].into()),
        Packet::Message("x".repeat(70_000).into()),
        Packet::Message(vec![].into()),
        Packet::Noop,
    ];
    let expected: Vec<Result<Frame, FrameError>> = packets
        .iter()
        .map(|packet| match packet.as_binary() {
            Some(bytes) => Frame::Binary(bytes.clone()),
            None => {
                let mut text = Vec::new();
                packet.encode(&mut text);
                Frame::Text(String::from_utf8(text).unwrap().into())
            }
        })
        .chain([Frame::Closed])
        .map(Ok)
        .collect();
    let mut random = entropy();
    for most in [1, 3, 20, 5_000, 200_000] {
        for from_client in [true, false] {
            let (mut writer, mut reader) = match from_client {
                true => (client(), WebSocket::new(100_000)),
                false => (WebSocket::new(100_000), client()),
            };
            let mut bytes = Vec::new();
            for packet in &packets {
                writer.write(packet, &mut bytes);
            }
            writer.close(1001, &mut bytes);
            let (frames, answer) = read_by(&mut reader, &bytes, || {
                let mut drawn = [0; 4];
                random(&mut drawn);
                1 + u32::from_le_bytes(drawn) as usize % most
            });
            assert_eq!(frames, expected);
            assert_eq!(reader.peer_code(), Some(1001));
            // The answer to the close frame is one, as the other end sees it.
            let (frames, out) = read_by(&mut writer, &answer, || 1);
            assert_eq!((frames, out), (vec![Ok(Frame::Closed)], vec![]));
            assert_eq!(writer.peer_code(), Some(1001));
        }
    }
}

#[test]
fn what_a_client_writes_is_masked() {
    let mut socket = client();
    let mut masks = Vec::new();
    let mut expected = [0; 256];
    entropy()(&mut expected);
    for _ in 0..65 {
        let mut out = b"before".to_vec();
        socket.write(&Packet::Message("hello".into()), &mut out);
        assert_eq!(&out[..8], b"before\x81\x86", "what was there is left alone");
        assert_ne!(&out[12..], b"4hello");
        assert_eq!(unmasked(&out[6..]), (0x81, b"4hello".to_vec()));
        masks.push(<[u8; 4]>::try_from(&out[8..12]).unwrap());
    }
    assert_eq!(masks[..64].concat(), expected, "each byte is used once");
    assert_ne!(masks[0], masks[64], "new bytes are drawn");
    let mut out = Vec::new();
    socket.close(1000, &mut out);
    assert_eq!(unmasked(&out), (0x88, vec![3, 232]));
}

#[test]
fn replies_of_a_client_are_masked() {
    for step in [1, 100] {
        let mut socket = client();
        let (frames, out) = read_by(&mut socket, &frame(0x89, b"ping"), || step);
        assert_eq!((frames, unmasked(&out)), (vec![], (0x8a, b"ping".to_vec())));
        let (frames, out) = read_by(&mut socket, &frame(0x88, &[3, 233]), || step);
        assert_eq!(
            (frames, unmasked(&out)),
            (vec![Ok(Frame::Closed)], (0x88, vec![3, 233]))
        );
        assert_eq!(socket.peer_code(), Some(1001));
        let mut socket = client();
        assert_eq!(read_by(&mut socket, &frame(0x88, b""), || step).0, [Ok(Frame::Closed)]);
        assert_eq!(socket.peer_code(), None);
    }
}

#[test]
fn errors_of_a_server() {
    let mut masked = vec![0x81, 0x81, 1, 2, 3, 4];
    masked.push(b'a' ^ 1);
    let mut empty_masked = vec![0x81, 0x80, 1, 2, 3, 4];
    empty_masked.extend(frame(0x81, b"after"));
    for (bytes, code) in [
        (masked, 1002),
        (empty_masked, 1002),
        (frame(0xc1, b"a"), 1002),
        (frame(0x83, b"a"), 1002),
        (frame(0x80, b"a"), 1002),
        (frame(0x81, &[0xff]), 1007),
        (frame(0x82, &vec![0; 100_001]), 1009),
    ] {
        for step in [1, 7, usize::MAX] {
            let mut socket = client();
            let (frames, out) = read_by(&mut socket, &bytes, || step);
            assert_eq!(frames, [Err(FrameError(code))]);
            assert_eq!(unmasked(&out), (0x88, code.to_be_bytes().to_vec()));
        }
    }
}

#[test]
fn an_idle_client_holds_no_buffer() {
    let mut socket = client();
    let fragments = [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x89, b"")].concat();
    let (frames, _) = read_by(&mut socket, &fragments, || 2);
    assert_eq!(frames, [Ok(Frame::Text("ab".into()))]);
    assert!(socket.context.is_none() && socket.header.is_empty());
}

#[test]
fn a_websocket_is_small_and_goes_between_threads() {
    fn goes_anywhere<T: Send + Sync + core::panic::UnwindSafe>() {}
    goes_anywhere::<WebSocket>();
    // There is one for each connection of a server, which has no masks.
    assert_eq!(size_of::<WebSocket>(), 64);
    assert!(WebSocket::new(1).masks.is_none());
    assert!(!format!("{:?}", client()).contains("drawn"));
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn response(head: &str) -> Response {
    let limits = ResponseLimits {
        max_head: MAX_RESPONSE_HEAD,
        max_body: 100,
    };
    let bytes = format!("HTTP/1.1 {}\r\n\r\n", head.replace('\n', "\r\n"));
    let mut reader = ResponseReader::new(limits, "GET");
    let read = reader.read(&mut bytes.as_bytes()).unwrap();
    read.or_else(|| reader.handle_end().unwrap()).unwrap()
}

#[test]
fn the_handshake_of_the_standard() {
    let handshake = ClientHandshake::new(*b"the sample nonce");
    assert_eq!(handshake.key(), KEY);
    let upgraded =
        format!("101 X\nUpgrade: WebSocket\nConnection: keep-alive, UPGRADE\nSec-WebSocket-Accept: {ACCEPT}");
    for (more, offered, expected) in [
        ("", &[][..], Ok(())),
        ("", &["a"], Ok(())),
        ("\nSec-WebSocket-Extensions:", &[], Ok(())),
        ("\nSec-WebSocket-Protocol: b", &["a", "b"], Ok(())),
        ("\nSec-WebSocket-Protocol: B", &["a", "b"], Err(UpgradeError::Protocol)),
        (
            "\nSec-WebSocket-Protocol: a, b",
            &["a", "b"],
            Err(UpgradeError::Protocol),
        ),
        (
            "\nSec-WebSocket-Protocol: a\nSec-WebSocket-Protocol: b",
            &["a", "b"],
            Err(UpgradeError::Protocol),
        ),
        ("\nSec-WebSocket-Protocol: b", &[], Err(UpgradeError::Protocol)),
        (
            "\nSec-WebSocket-Extensions: permessage-deflate",
            &[],
            Err(UpgradeError::Extension),
        ),
        ("\nUpgrade: websocket", &[], Err(UpgradeError::Upgrade)),
        ("\nSec-WebSocket-Accept: x", &[], Err(UpgradeError::AcceptMissing)),
    ] {
        let response = response(&format!("{upgraded}{more}"));
        assert_eq!(handshake.check(&response, offered), expected, "{more:?}");
    }
    for (head, error) in [
        (String::from("200 OK"), UpgradeError::Status(200)),
        (upgraded.replace("101", "403"), UpgradeError::Status(403)),
        (upgraded.replace("WebSocket\n", "h2c\n"), UpgradeError::Upgrade),
        (upgraded.replace("Upgrade: ", "X: "), UpgradeError::Upgrade),
        (upgraded.replace(", UPGRADE", ""), UpgradeError::Connection),
        (upgraded.replace("-Accept", ""), UpgradeError::AcceptMissing),
        (
            upgraded.replace(ACCEPT, &ACCEPT.to_lowercase()),
            UpgradeError::AcceptWrong,
        ),
        (upgraded.replace(ACCEPT, ""), UpgradeError::AcceptWrong),
    ] {
        assert_eq!(handshake.check(&response(&head), &[]), Err(error), "{head:?}");
    }
}

#[test]
fn a_server_of_ours_takes_our_key() {
    let handshake = ClientHandshake::new([0xff; 16]);
    let headers = [("sec-websocket-version", "13"), ("sec-websocket-key", handshake.key())];
    let request = crate::http::RequestView::new("GET", "/", &headers);
    let answer = Handshake::read(&request).unwrap();
    let head = format!(
        "101 X\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: {}",
        answer.accept()
    );
    assert_eq!(handshake.check(&response(&head), &[]), Ok(()));
}
