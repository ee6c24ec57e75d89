//! Answers in every form, in whatever pieces they come.

use std::io::Write as _;
use std::vec;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn chunked(headers: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        out.extend(format!("{:X};ext=\"1\"\r\n", chunk.len()).into_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    out
}

/// Makes a response out of a body.
type Form = fn(&[u8]) -> Vec<u8>;

/// The same answer in every way that HTTP knows, whole, byte by byte and in between, for a handshake and for messages.
#[test]
fn every_form_in_any_pieces() {
    let forms: [Form; 9] = [
        |body| response(200, "", body),
        |body| response(299, "Content-Encoding: identity\r\n", body),
        |body| chunked("", body, 7),
        |body| chunked("Content-Encoding: gzip\r\n", &gzip(body), 5),
        |body| response(200, "content-encoding: X-GZIP\r\n", gzip(body)),
        |body| response(200, "Content-Encoding: deflate\r\n", zlib(body)),
        |body| response(200, "Content-Encoding: Deflate\r\n", raw_deflate(body)),
        |body| {
            [
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n",
                &response(200, "", body)[..],
            ]
            .concat()
        },
        |body| {
            [
                b"HTTP/1.1 200\r\nContent-Length:",
                format!("{}\r\n\r\n", body.len()).as_bytes(),
                body,
            ]
            .concat()
        },
    ];
    for (at, form) in forms.iter().enumerate() {
        for piece in [1, 2, 13, usize::MAX] {
            let mut wire = Wire::new(options("http://host"), polling());
            for body in [open_packet(""), "4hé\x1ebAQI=\x1e2".into()] {
                wire.request(POLL);
                for part in form(body.as_bytes()).chunks(piece) {
                    wire.say(POLL, part);
                }
            }
            assert!(
                matches!(wire.event(), Some(Event::Opened(_))),
                "form {at} in pieces of {piece}"
            );
            let expected = [Data::from("hé"), Data::from(vec![1, 2])];
            assert_eq!(wire.messages(), expected, "form {at} in pieces of {piece}");
            assert_eq!(wire.request(PUSH).body, "3");
        }
    }
}

#[test]
fn the_end_of_the_stream_may_end_a_body() {
    for headers in ["", "Content-Encoding: gzip\r\n"] {
        let body = open_packet("");
        let body = if headers.is_empty() {
            body.into_bytes()
        } else {
            gzip(body.as_bytes())
        };
        let mut wire = Wire::new(options("http://host"), polling());
        wire.request(POLL);
        wire.say_bytewise(
            POLL,
            [format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes(), &body].concat(),
        );
        assert_eq!(wire.event(), None, "more may come");
        wire.end(POLL);
        assert!(matches!(wire.event(), Some(Event::Opened(_))));
        wire.connect(POLL);
    }
}

/// Whatever breaks off or is too much ends the session, once, with its cause.
#[test]
fn answers_that_end_a_session() {
    let zeros = vec![0; 10_000];
    let bomb = |coding: &str, body: Vec<u8>| response(200, &format!("Content-Encoding: {coding}\r\n"), body);
    let (connection, protocol) = (ErrorKind::Connection, ErrorKind::Protocol);
    let cases: [(&str, Vec<u8>, ErrorKind, &str); 16] = [
        ("nothing", b"".to_vec(), connection, "before a response came"),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\nA: b".to_vec(),
            connection,
            "in the middle",
        ),
        (
            "half a body",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n4he".to_vec(),
            connection,
            "in the middle",
        ),
        (
            "half a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n4".to_vec(),
            connection,
            "middle",
        ),
        (
            "no last chunk",
            chunked("", b"4a", 9)[..50].to_vec(),
            connection,
            "in the middle",
        ),
        (
            "an announced flood",
            response(200, "", vec![b'4'; 1001]),
            protocol,
            "body too large",
        ),
        (
            "a flood of chunks",
            chunked("", &vec![b'4'; 1001], 100),
            protocol,
            "body too large",
        ),
        (
            "a flood",
            [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'4'; 1001]].concat(),
            protocol,
            "body too large",
        ),
        ("a gzip bomb", bomb("gzip", gzip(&zeros)), protocol, "body too large"),
        (
            "a deflate bomb",
            bomb("deflate", zlib(&zeros)),
            protocol,
            "body too large",
        ),
        (
            "a raw bomb",
            bomb("deflate", raw_deflate(&zeros)),
            protocol,
            "body too large",
        ),
        (
            "a bomb in chunks",
            chunked("Content-Encoding: gzip\r\n", &gzip(&zeros), 3),
            protocol,
            "body too large",
        ),
        (
            "no gzip",
            bomb("gzip", b"4hello".to_vec()),
            protocol,
            "malformed compressed",
        ),
        ("brotli", bomb("br", b"4hello".to_vec()), protocol, "content encoding"),
        (
            "gzip twice",
            bomb("gzip, gzip", gzip(&gzip(b"4hello"))),
            protocol,
            "content encoding",
        ),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), protocol, "malformed"),
    ];
    for (name, bytes, kind, words) in cases {
        let mut config = polling();
        config.max_payload = 1000;
        let mut wire = Wire::new(options("http://host"), config);
        wire.open("");
        wire.say_bytewise(POLL, bytes);
        wire.end(POLL);
        let (reason, error, told) = wire.told();
        assert_eq!(
            (reason, error),
            (CloseReason::TransportError, Some(kind)),
            "{name}: {told}"
        );
        assert!(told.contains(words), "{name}: {told}");
        assert!(
            wire.connection.is_finished() && !wire.connection.wants_stream(POLL),
            "{name}"
        );
        assert_eq!(wire.event(), None, "{name}");
    }
}

#[test]
fn a_body_as_large_as_it_may_be() {
    let mut config = polling();
    config.max_payload = 1000;
    let mut wire = Wire::new(options("http://host"), config);
    wire.open("");
    let body = format!("4{}", "x".repeat(999));
    for answer in [
        response(200, "", &body),
        chunked("", body.as_bytes(), 999),
        response(200, "Content-Encoding: gzip\r\n", gzip(body.as_bytes())),
    ] {
        wire.say(POLL, answer);
        assert_eq!(wire.messages(), [Data::from("x".repeat(999))]);
        wire.request(POLL);
    }
}

/// Any status but success, to any of the requests.
#[test]
fn refusals_are_told() {
    let page = r#"{"code":1,"message":"Session ID unknown"}"#;
    for (status, headers, body, words) in [
        (400, "", page, "refused with status 400: Session ID unknown"),
        (401, "WWW-Authenticate: Basic\r\n", "", "refused with status 401"),
        (404, "", "<html>", "refused with status 404"),
        // There is no proxy whose password it could want.
        (407, "Proxy-Authenticate: Basic\r\n", "", "refused with status 407"),
        (
            429,
            "Retry-After: 9\r\n",
            "\"slow down\"",
            "refused with status 429: slow down",
        ),
        (503, "", "", "refused with status 503"),
        (
            301,
            "Location: http://else/\r\n",
            "",
            "redirects to http://else/ with status 301",
        ),
        (302, "Location: /login?\u{9b}2J\r\n", "", "status 302"),
        (
            308,
            "Location: https://h/?token=x&sid=y\r\n",
            "",
            "redirects to https://h/ with status 308",
        ),
        (304, "", "", "refused with status 304"),
        (307, "", "", "refused with status 307"),
    ] {
        // While connecting, then in answer to a poll, then to a POST while no poll tells anything else.
        let mut wire = Wire::new(options("http://host"), polling());
        wire.request(POLL);
        wire.say(POLL, response(status, headers, body));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::Refused, Some(ErrorKind::Refused)),
            "{told}"
        );
        assert!(told.contains(words) && !told.contains(char::is_control), "{told}");

        let mut wire = Wire::polled();
        wire.say(POLL, response(status, headers, body));
        let (reason, kind, told) = wire.told();
        assert_eq!(
            (reason, kind),
            (CloseReason::TransportError, Some(ErrorKind::Refused)),
            "{told}"
        );
        assert!(told.contains(words), "{told}");

        let mut wire = Wire::polled();
        wire.send("a");
        wire.request(PUSH);
        wire.say(PUSH, response(status, headers, body));
        assert_eq!(wire.event(), None, "the poll may bring the reason");
        wire.say(POLL, response(200, "", "6"));
        let (closed, error) = wire.closed();
        assert_eq!((closed.reason, closed.in_doubt), (CloseReason::TransportError, 1));
        let error = error.expect("it says what");
        assert_eq!(error.refused().expect("a refusal").status(), status);
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(wire.event(), None);
    }
}

#[test]
fn a_redirect_goes_nowhere() {
    let mut wire = Wire::new(options("http://me:secret@host"), Config::default());
    wire.request(POLL);
    wire.say(POLL, response(308, "Location: http://evil/\r\nSet-Cookie: a=b\r\n", ""));
    // The other transport asks the same server.
    assert_eq!(wire.request(WS).get("host"), Some("host"));
    wire.say(WS, response(308, "Location: ws://evil/\r\n", ""));
    let (_, error) = wire.closed();
    let error = error.expect("it says what");
    let refused = error.refused().expect("a refusal");
    assert_eq!((refused.status(), refused.location()), (308, Some("http://evil/")));
    assert!(!error.to_string().contains("secret"));
}
