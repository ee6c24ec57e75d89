use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::*;

fn head(bytes: &str) -> Result<Option<(String, usize)>, HttpError> {
    read_head(bytes.as_bytes(), 8192, |head, length| {
        let text = format!(
            "{} {}|{} {:?}{}{}",
            head.method,
            head.path,
            head.query,
            head.framing,
            if head.keep_alive { " keep" } else { "" },
            if head.expects_continue { " expects" } else { "" },
        );
        (text, length)
    })
}

#[test]
fn heads_that_are_understood() {
    for (bytes, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /| Empty keep"),
        ("GET /a?b=c?d HTTP/1.0\r\n\r\n", "GET /a|b=c?d Empty"),
        (
            "POST /p HTTP/1.1\r\nhost:a\r\ncontent-length: 12\r\n\r\n",
            "POST /p| Length(12) keep",
        ),
        (
            "POST /p HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "POST /p| Chunked keep",
        ),
        ("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b|c Empty keep"),
        ("GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /| Empty keep"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
            "GET /| Empty",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
            "POST /| Length(1) keep expects",
        ),
    ] {
        assert_eq!(head(bytes), Ok(Some((expected.into(), bytes.len()))), "{bytes:?}");
        for end in 0..bytes.len() {
            assert_eq!(head(&bytes[..end]), Ok(None), "{:?}", &bytes[..end]);
        }
    }
}

#[test]
fn heads_that_are_refused() {
    for (bytes, error) in [
        ("GET / HTTP/1.1\r\n\r\n", HttpError::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HttpError::Malformed),
        ("GET / HTTP/1.1\nHost: a\n\n", HttpError::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\r\n", HttpError::Malformed),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", HttpError::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", HttpError::Malformed),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            HttpError::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
            HttpError::UnsupportedEncoding,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            HttpError::UnsupportedEncoding,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HttpError::UnsupportedVersion),
        ("\u{16}\u{3}\u{1}", HttpError::Malformed),
    ] {
        assert_eq!(head(bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn heads_are_bounded() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    assert_eq!(head(&long), Err(HttpError::HeadTooLarge));
    assert_eq!(head(&long[..8192]), Err(HttpError::HeadTooLarge));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
    assert_eq!(head(&many), Err(HttpError::HeadTooLarge));
    assert_eq!(head(&"\r\n".repeat(5000)), Err(HttpError::HeadTooLarge));
}

fn body(framing: Framing, bytes: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
    let mut reader = BodyReader::new(framing, 20)?;
    let mut used = 0;
    loop {
        let end = (used + step).min(bytes.len());
        let mut part = &bytes[used..end];
        let done = reader.read(&mut part)?;
        used = end - part.len();
        if done {
            return Ok(Some((reader.into_body(), used)));
        }
        if used == bytes.len() {
            return Ok(None);
        }
    }
}

#[test]
fn bodies_in_any_pieces() {
    for step in [1, 2, 3, 7, 100] {
        assert_eq!(
            body(Framing::Length(5), b"helloGET", step),
            Ok(Some((b"hello".to_vec(), 5)))
        );
        let chunks = b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: t\r\n\r\n";
        let mut bytes = chunks.to_vec();
        bytes.extend_from_slice(b"GET");
        assert_eq!(
            body(Framing::Chunked, &bytes, step),
            Ok(Some((b"hello".to_vec(), chunks.len())))
        );
        assert_eq!(body(Framing::Length(5), b"hell", step), Ok(None));
    }
    assert_eq!(body(Framing::Empty, b"x", 1), Ok(Some((vec![], 0))));
}

#[test]
fn bodies_that_are_refused() {
    for step in [1, 100] {
        for bytes in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"1\n",
            b"1\r\nab",
            b"1\r\na\rb",
            b"000000001\r\na",
        ] {
            assert_eq!(
                body(Framing::Chunked, bytes, step),
                Err(HttpError::Malformed),
                "{bytes:?}"
            );
        }
        assert_eq!(body(Framing::Chunked, b"15\r\n", step), Err(HttpError::BodyTooLarge));
        assert_eq!(
            body(Framing::Chunked, b"a\r\n0123456789\r\nb\r\n", step),
            Err(HttpError::BodyTooLarge)
        );
    }
    assert_eq!(body(Framing::Length(21), b"", 1), Err(HttpError::BodyTooLarge));
    assert_eq!(body(Framing::Length(u64::MAX), b"", 1), Err(HttpError::BodyTooLarge));
}

#[test]
fn a_response() {
    let mut out = Vec::new();
    ResponseWriter::new(&mut out, 404)
        .header("A", "b")
        .body(b"no", false, false);
    assert_eq!(
        out,
        b"HTTP/1.1 404 Not Found\r\nA: b\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
    );
}
