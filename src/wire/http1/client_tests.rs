use std::io::Write as _;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::coding::Coding;
use super::*;

const LIMITS: ResponseLimits = ResponseLimits {
    max_head: 1000,
    max_body: 50,
};

/// The response, and how many bytes stand behind it. What is missing when all bytes are read is missing for good.
type Read = Result<(Response, usize), ResponseError>;

fn read_in_steps(method: &str, bytes: &[u8], step: usize) -> Read {
    let mut reader = ResponseReader::new(LIMITS, method);
    let mut used = 0;
    while used < bytes.len() {
        let mut part = &bytes[used..(used + step).min(bytes.len())];
        let length = part.len();
        let read = reader.read(&mut part);
        used += length - part.len();
        if let Some(response) = read.transpose() {
            assert_eq!(response.is_err(), reader.read(&mut &b"HTTP"[..]).is_err());
            return Ok((response?, bytes.len() - used));
        }
        assert!(part.is_empty(), "everything is taken until there is a response");
    }
    let response = reader.handle_end()?;
    Ok((response.expect("an end without a response is an error"), 0))
}

/// Reads in pieces of all kinds, which must make no difference.
fn read_as(method: &str, bytes: &[u8]) -> Read {
    let whole = read_in_steps(method, bytes, usize::MAX / 2);
    for step in [1, 2, 3, 7, 16] {
        assert_eq!(read_in_steps(method, bytes, step), whole, "in steps of {step}");
    }
    whole
}

fn read(bytes: &[u8]) -> Read {
    read_as("GET", bytes)
}

fn told(read: Read) -> Result<String, ResponseError> {
    let (response, left) = read?;
    let body = String::from_utf8_lossy(&response.body);
    let keep = if response.keep_alive { " keep" } else { "" };
    let idle = response
        .idle_timeout
        .map(|idle| format!(" {idle:?}"))
        .unwrap_or_default();
    Ok(format!("{} {body:?}{keep}{idle} +{left}", response.status))
}

#[test]
fn responses_that_are_understood() {
    for (bytes, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 \"ok\" keep +0"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP",
            "200 \"ok\" keep +4",
        ),
        ("HTTP/1.1 200 \r\ncontent-length:0\r\n\r\n", "200 \"\" keep +0"),
        ("HTTP/1.1 404\r\ncontent-length: 1\t\r\n\r\nx", "404 \"x\" keep +0"),
        ("HTTP/1.1 599 \u{e4}\r\ncontent-length: 0\r\n\r\n", "599 \"\" keep +0"),
        // Up to the end of the stream.
        ("HTTP/1.1 200 OK\r\n\r\nall of it", "200 \"all of it\" +0"),
        ("HTTP/1.0 200 OK\r\n\r\n", "200 \"\" +0"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 \"ok\" +0"),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" +0",
        ),
        // In chunks.
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n1;a=b\r\n!\r\n0\r\nA: b\r\n\r\nX",
            "200 \"ok!\" keep +1",
        ),
        // No body, whatever is said of it.
        ("HTTP/1.1 204 No Content\r\n\r\nX", "204 \"\" keep +1"),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "204 \"\" keep +0",
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nX", "204 \"\" +1"),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\nContent-Encoding: br\r\n\r\n",
            "304 \"\" keep +0",
        ),
        // Reuse.
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nKeep-Alive: max=3, Timeout = 5\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" keep 5s +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=99999999999\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" keep +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=-1, timeout=\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" keep +0",
        ),
        // Interim responses.
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "200 \"ok\" keep +0",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u{1}frames",
            "101 \"\" +7",
        ),
        // Codings that are none.
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok",
            "200 \"ok\" keep +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding:\r\nContent-Length: 2\r\n\r\nok",
            "200 \"ok\" keep +0",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            "200 \"\" keep +0",
        ),
    ] {
        assert_eq!(told(read(bytes.as_bytes())), Ok(expected.into()), "{bytes:?}");
    }
}

#[test]
fn responses_that_are_refused() {
    use ResponseError as E;
    for (bytes, error) in [
        ("", E::NothingCame),
        ("H", E::EndedEarly),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", E::EndedEarly),
        ("HTTP/1.1 100 Continue\r\n\r\n", E::EndedEarly),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", E::EndedEarly),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
            E::EndedEarly,
        ),
        // Not HTTP.
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", E::Malformed),
        ("\u{15}\u{3}\u{1}", E::Malformed),
        ("SSH-2.0-x\r\n", E::Malformed),
        ("http/1.1 200 OK\r\n\r\n", E::Malformed),
        ("HTTP/1x1 200 OK\r\n\r\n", E::Malformed),
        ("HTTP/2\n", E::UnsupportedVersion),
        ("HTTP/1.2 200 OK\r\n\r\n", E::UnsupportedVersion),
        ("HTTP/1.10 200 OK\r\n\r\n", E::Malformed),
        // The status line.
        ("HTTP/1.1  200 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 20 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 2000 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 099 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 600 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 +20 OK\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 O\u{0}K\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 O\rK\r\n\r\n", E::Malformed),
        ("HTTP/1.1\r\n\r\n", E::Malformed),
        ("HTTP/1.0 101 Switching Protocols\r\n\r\n", E::Malformed),
        ("HTTP/1.0 100 Continue\r\n\r\n", E::Malformed),
        // Lines.
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", E::Malformed),
        (
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
            E::Malformed,
        ),
        ("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nA\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n", E::Malformed),
        ("HTTP/1.1 200 OK\r\nA: \u{7f}\r\n\r\n", E::Malformed),
        // Lengths.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            E::Malformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            E::Malformed,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx", E::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", E::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx", E::Malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx", E::Malformed),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            E::Malformed,
        ),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", E::Malformed),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            E::UnsupportedTransferEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
            E::UnsupportedTransferEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            E::Malformed,
        ),
        // Bodies.
        ("HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n", E::BodyTooLarge),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            E::BodyTooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n33\r\n",
            E::BodyTooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
            E::UnsupportedContentEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, deflate\r\nContent-Length: 1\r\n\r\nx",
            E::UnsupportedContentEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\nx",
            E::UnsupportedContentEncoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
            E::MalformedContent,
        ),
    ] {
        assert_eq!(told(read(bytes.as_bytes())), Err(error), "{bytes:?}");
    }
}

/// Of a refusal the status matters, whatever has become of its body; but the connection serves nothing more.
#[test]
fn refusals_are_told_whatever_their_body_is() {
    for (rest, body) in [
        ("Content-Length: x\r\n\r\n", ""),
        ("Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", ""),
        ("Content-Length: 51\r\n\r\n", ""),
        ("Content-Length: 9\r\n\r\nno", "no"),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n", ""),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\nx\r\n", "no"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n33\r\n", "no"),
        ("Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx", ""),
        ("Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nx", ""),
    ] {
        let bytes = format!("HTTP/1.1 403 Forbidden\r\n{rest}");
        let (response, _) = read(bytes.as_bytes()).expect("a refusal");
        assert_eq!(
            (response.status, &response.body[..]),
            (403, body.as_bytes()),
            "{bytes:?}"
        );
        assert!(!response.keep_alive, "{bytes:?}");
    }
    let (response, _) = read(b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx").unwrap();
    assert_eq!(response.status, 403);
    assert!(response.body.is_empty() && response.keep_alive, "all of it has come");
}

/// Whoever wants another protocol is not interested in a page, which might never end.
#[test]
fn a_success_is_no_answer_to_an_upgrade() {
    let limits = ResponseLimits {
        max_head: 1000,
        max_body: 50,
    };
    for (answer, body) in [
        ("HTTP/1.1 200 OK\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ""),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", ""),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "no"),
    ] {
        let mut reader = ResponseReader::for_upgrade(limits);
        let response = reader
            .read(&mut answer.as_bytes())
            .unwrap()
            .expect("all of it has come");
        assert_eq!(&response.body[..], body.as_bytes(), "{answer:?}");
    }
}

#[test]
fn heads_and_bodies_are_bounded() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(1000));
    assert_eq!(read(long.as_bytes()), Err(ResponseError::HeadTooLarge));
    assert_eq!(read(&long.as_bytes()[..1000]), Err(ResponseError::HeadTooLarge));
    assert_eq!(read(&long.as_bytes()[..999]), Err(ResponseError::EndedEarly));
    let head = "HTTP/1.1 204 OK\r\nA: \r\n\r\n";
    let padding = "a".repeat(1000 - head.len());
    let just = format!("HTTP/1.1 204 OK\r\nA: {padding}\r\n\r\n");
    assert!(read(just.as_bytes()).is_ok());
    let many = |count| format!("HTTP/1.1 204 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(read(many(64).as_bytes()).is_ok());
    assert_eq!(read(many(65).as_bytes()), Err(ResponseError::HeadTooLarge));
    let interim = |count| "HTTP/1.1 100 Continue\r\n\r\n".repeat(count) + "HTTP/1.1 204 OK\r\n\r\n";
    assert!(read(interim(8).as_bytes()).is_ok());
    assert_eq!(read(interim(9).as_bytes()), Err(ResponseError::TooManyInterim));
    let unending = |count| format!("HTTP/1.1 200 OK\r\n\r\n{}", "a".repeat(count));
    assert_eq!(read(unending(50).as_bytes()).unwrap().0.body.len(), 50);
    assert_eq!(read(unending(51).as_bytes()), Err(ResponseError::BodyTooLarge));
}

#[test]
fn headers_are_kept_in_order() {
    let bytes = b"HTTP/1.1 204 OK\r\nSet-Cookie: a=1\r\nX:\r\nset-cookie:  \xe4 \r\n\r\n";
    let (response, _) = read(bytes).unwrap();
    let headers: Vec<(&str, &[u8])> = response
        .headers
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    assert_eq!(
        headers,
        [("set-cookie", &b"a=1"[..]), ("x", b""), ("set-cookie", b"\xe4")]
    );
    assert_eq!(response.all("Set-Cookie").collect::<Vec<_>>(), [&b"a=1"[..], b"\xe4"]);
    assert_eq!(response.get("SET-COOKIE"), Some(&b"a=1"[..]));
    assert_eq!(response.get("y"), None);
}

#[test]
fn methods_without_bodies() {
    let tunnel = b"HTTP/1.1 200 Connected\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\ntunnel";
    assert_eq!(told(read_as("CONNECT", tunnel)), Ok("200 \"\" +6".into()));
    let refused = b"HTTP/1.1 407 Who?\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(told(read_as("CONNECT", refused)), Ok("407 \"no\" keep +0".into()));
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(told(read_as("HEAD", head)), Ok("200 \"\" keep +0".into()));
}

#[test]
fn the_end_after_a_response_says_nothing() {
    let mut reader = ResponseReader::new(LIMITS, "GET");
    let mut bytes = &b"HTTP/1.1 204 OK\r\n\r\nHTTP"[..];
    assert!(reader.read(&mut bytes).unwrap().is_some());
    assert_eq!(reader.read(&mut bytes), Ok(None));
    assert_eq!(bytes, b"HTTP");
    assert_eq!(reader.handle_end(), Ok(None));
}

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

fn encoded_as(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n");
    bytes += &format!("Content-Length: {}\r\n\r\n", body.len());
    [bytes.as_bytes(), body].concat()
}

#[test]
fn compressed_bodies() {
    // The longest that is allowed; incompressible ones get longer on the way.
    let plain: Vec<u8> = (0..50u8).map(|at| at.wrapping_mul(151)).collect();
    for (coding, body) in [
        ("gzip", gzip(&plain)),
        ("X-GZip", gzip(&plain)),
        ("deflate", zlib(&plain)),
        ("Deflate", raw_deflate(&plain)),
    ] {
        assert!(body.len() > 50);
        let (response, left) = read(&encoded_as(coding, &body)).unwrap();
        assert_eq!((&response.body[..], left), (&plain[..], 0), "{coding}");
        assert_eq!(response.get("content-encoding"), Some(coding.as_bytes()));
        // Cut anywhere, or with something behind it, or broken.
        for end in 1..body.len() {
            let cut = read_in_steps("GET", &encoded_as(coding, &body[..end]), 1000);
            assert_eq!(cut, Err(ResponseError::MalformedContent), "{coding} up to {end}");
        }
        let longer = [&body[..], &body[..]].concat();
        assert_eq!(read(&encoded_as(coding, &longer)), Err(ResponseError::MalformedContent));
    }
    for mut body in [gzip(&plain), zlib(&plain)] {
        let last = body.len() - 1;
        body[last] ^= 1;
        let coding = if body[0] == 0x1f { "gzip" } else { "deflate" };
        assert_eq!(
            read(&encoded_as(coding, &body)),
            Err(ResponseError::MalformedContent),
            "the checksum"
        );
    }
    let chunked = |body: &[u8]| {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = format!("{:x}\r\n", body.len());
        [head.as_bytes(), size.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    assert_eq!(read(&chunked(&gzip(b"ok"))).unwrap().0.body, "ok");
}

#[test]
fn bombs() {
    let zeros = vec![0; 1_000_000];
    for (coding, body) in [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("deflate", raw_deflate(&zeros)),
    ] {
        let limits = ResponseLimits {
            max_head: MAX_RESPONSE_HEAD,
            max_body: 999_999,
        };
        let mut reader = ResponseReader::new(limits, "GET");
        let bytes = encoded_as(coding, &body);
        assert_eq!(reader.read(&mut &bytes[..]), Err(ResponseError::BodyTooLarge));
        assert_eq!(
            reader.read(&mut &bytes[..]),
            Err(ResponseError::BodyTooLarge),
            "once and for all"
        );
        assert_eq!(reader.handle_end(), Err(ResponseError::BodyTooLarge));
    }
    // Never more memory than may be filled, and nearly never more than is.
    for max in [1_000_000, 1_500_000] {
        let decoded = Coding::Gzip.decode(gzip(&zeros), max).unwrap();
        assert_eq!(decoded.len(), zeros.len());
        assert!(decoded.capacity() <= max);
    }
}

#[test]
fn a_request() {
    let mut out = Vec::new();
    RequestWriter::new(&mut out, "POST", "/engine.io/?EIO=4")
        .header("Host", "a:3000")
        .header("Cookie", b"\xe4")
        .lines("A: b\r\n")
        .body(b"4hello");
    RequestWriter::new(&mut out, "CONNECT", "a:3000")
        .header("Host", "a:3000")
        .no_body();
    let expected =
        b"POST /engine.io/?EIO=4 HTTP/1.1\r\nHost: a:3000\r\nCookie: \xe4\r\nA: b\r\nContent-Length: 6\r\n\r\n4hello\
        CONNECT a:3000 HTTP/1.1\r\nHost: a:3000\r\n\r\n";
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn a_request_that_our_server_reads() {
    let mut out = Vec::new();
    RequestWriter::new(&mut out, "POST", "http://a/b?c")
        .header("Host", "a")
        .body(b"hi");
    let read = read_head(&out, 8192, |head, length| {
        assert_eq!((head.method, head.path, head.query), ("POST", "/b", "c"));
        assert_eq!(head.framing, Framing::Length(2));
        length
    });
    assert_eq!(read, Ok(Some(out.len() - 2)));
}

#[test]
fn what_may_stand_in_a_head() {
    for name in ["a", "X-Y_z", "Sec-WebSocket-Key", "~!#$%&'*+-.^_`|"] {
        assert!(is_header_name(name), "{name}");
    }
    for name in ["", "a b", "a:", "a\r\nb", "a\0", "\u{e4}", "(a)", "a\t"] {
        assert!(!is_header_name(name), "{name:?}");
    }
    for value in ["", "a b", "a\tb", "\u{e4}", "\"x\"; q=1"] {
        assert!(is_header_value(value), "{value}");
    }
    for value in ["a\rb", "a\nb", "\r\nb: c", "\0", "\u{7f}", "\u{1b}"] {
        assert!(!is_header_value(value), "{value:?}");
    }
    for target in ["/", "/a?b=c", "http://a:1/b", "a:443", "*"] {
        assert!(is_target(target), "{target}");
    }
    for target in ["", "/a b", "/a\r\nb", "/\u{e4}", "/\0"] {
        assert!(!is_target(target), "{target:?}");
    }
}
