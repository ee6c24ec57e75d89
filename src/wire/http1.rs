//! HTTP/1.1, the server's end: heads and bodies in, responses out. Strict and bounded.
//!
//! Whatever could be read in two ways is refused: that is how requests are smuggled past a proxy.

use std::vec::Vec;

use httparse::{EMPTY_HEADER, Header, Status};

use crate::http::Headers;

/// How many headers a request may have.
pub const MAX_HEADERS: usize = 64;

/// How long one line of a chunked body (a size, a trailer) may be.
const MAX_CHUNK_LINE: usize = 256;

/// How many bytes the trailers of a chunked body may have. They are read and dropped.
const MAX_TRAILERS: usize = 4096;

/// Why bytes are not a request: the client's mistake, and the status to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Not HTTP, or HTTP that could be understood in two ways.
    #[error("malformed request")]
    Malformed,
    /// The head is too long or has too many headers.
    #[error("request head too large")]
    HeadTooLarge,
    /// The body is longer than the limit.
    #[error("request body too large")]
    BodyTooLarge,
    /// A body in a transfer encoding other than exactly `chunked`.
    #[error("unsupported transfer encoding")]
    UnsupportedEncoding,
    /// Another version of HTTP than 1.0 and 1.1.
    #[error("unsupported version of HTTP")]
    UnsupportedVersion,
}

impl HttpError {
    /// The status to answer with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::BodyTooLarge => 413,
            Self::HeadTooLarge => 431,
            Self::UnsupportedEncoding => 501,
            Self::UnsupportedVersion => 505,
        }
    }
}

/// How the body of a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// This many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// The head of a request, borrowed from the bytes it was read from.
#[derive(Debug)]
pub struct Head<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The target's path.
    pub path: &'a str,
    /// What follows the question mark in the target.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a [Header<'a>],
    /// How the body is sent.
    pub framing: Framing,
    /// Whether the connection serves another request after this one.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Whether it is HTTP/1.1, and not 1.0.
    pub version_1_1: bool,
}

impl Headers for Head<'_> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }
}

impl<'a> Head<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.headers;
        headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }
}

/// Reads the head at the beginning of `bytes`, and hands it with its length to `then`; `None` where it is not complete.
///
/// # Errors
/// What is no request, or one that is not served.
pub fn read_head<T>(
    bytes: &[u8],
    max_head: usize,
    then: impl FnOnce(&Head<'_>, usize) -> T,
) -> Result<Option<T>, HttpError> {
    // Empty lines before a request are let through, as RFC 9112 section 2.2 wants, but not without end.
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    // Nothing behind the limit, or behind a bare line feed, is looked at: what is wrong first decides, in whatever pieces
    // the bytes come.
    let bytes = &bytes[..bytes.len().min(max_head)];
    let head = bytes
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map_or(bytes, |at| &bytes[..at + 4]);
    let bare = bare_line_feed(head);
    let length = match request.parse(&bytes[..bare.unwrap_or(bytes.len())]) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bare.is_some() => return Err(HttpError::Malformed),
        Ok(Status::Partial) if bytes.len() == max_head => return Err(HttpError::HeadTooLarge),
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HttpError::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(HttpError::UnsupportedVersion),
        Err(_) => return Err(HttpError::Malformed),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HttpError::Malformed);
    };
    let (path, query) = split_target(target);
    let mut head = Head {
        method,
        path,
        query,
        headers: request.headers,
        framing: Framing::Empty,
        keep_alive: version == 1,
        expects_continue: false,
        version_1_1: version == 1,
    };
    head.framing = framing(&head)?;
    // Not one Host: a request that two readers would route differently.
    let hosts = head.all("host").count();
    if hosts > 1 || (hosts == 0 && head.version_1_1) {
        return Err(HttpError::Malformed);
    }
    let closes = |value: &[u8]| {
        let mut options = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        options.any(|option| option.eq_ignore_ascii_case(b"close"))
    };
    let closing = head.all("connection").any(closes);
    head.keep_alive &= !closing;
    head.expects_continue = head.version_1_1
        && head
            .get("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    Ok(Some(then(&head, length)))
}

/// Where the first line feed is that has no carriage return before it.
fn bare_line_feed(bytes: &[u8]) -> Option<usize> {
    let mut feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    feeds
        .find(|(at, _)| *at == 0 || bytes[at - 1] != b'\r')
        .map(|(at, _)| at)
}

/// Path and query of a target in origin form, or in absolute form as a proxy is sent it.
fn split_target(target: &str) -> (&str, &str) {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let target = match scheme {
        Some(scheme) => {
            let rest = &target[scheme.len()..];
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        None => target,
    };
    target.split_once('?').unwrap_or((target, ""))
}

fn framing(head: &Head<'_>) -> Result<Framing, HttpError> {
    let mut lengths = head.all("content-length");
    let mut encodings = head.all("transfer-encoding");
    match (lengths.next(), encodings.next()) {
        (None, None) => Ok(Framing::Empty),
        (Some(length), None) => {
            if lengths.next().is_some() || length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
                return Err(HttpError::Malformed);
            }
            let digits = core::str::from_utf8(length).map_err(|_| HttpError::Malformed)?;
            // More digits than fit are a length that nobody takes.
            Ok(match digits.parse().unwrap_or(u64::MAX) {
                0 => Framing::Empty,
                length => Framing::Length(length),
            })
        }
        (None, Some(encoding)) => {
            if encodings.next().is_some() || !head.version_1_1 {
                return Err(HttpError::Malformed);
            }
            if !encoding.eq_ignore_ascii_case(b"chunked") {
                return Err(HttpError::UnsupportedEncoding);
            }
            Ok(Framing::Chunked)
        }
        (Some(_), Some(_)) => Err(HttpError::Malformed),
    }
}

/// A body on its way in.
#[derive(Debug)]
pub struct BodyReader {
    state: BodyState,
    body: Vec<u8>,
    /// How many bytes of the body have come.
    length: usize,
    max: usize,
    /// Whether anybody wants to have it.
    kept: bool,
}

#[derive(Debug)]
enum BodyState {
    /// This many bytes of a body of known length are missing.
    Length(usize),
    /// The line with a chunk's size, as far as it has come.
    ChunkSize(Vec<u8>),
    /// This many bytes of a chunk are missing.
    Chunk(usize),
    /// The line break behind a chunk, of which this many bytes were seen.
    ChunkEnd(usize),
    /// Trailers: the line so far, and how many bytes of trailers there were.
    Trailers(Vec<u8>, usize),
    Done,
}

impl BodyReader {
    /// Begins to read a body of at most `max` bytes.
    ///
    /// # Errors
    /// The declared length is above the limit already.
    pub fn new(framing: Framing, max: usize) -> Result<Self, HttpError> {
        let state = match framing {
            Framing::Empty => BodyState::Done,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(0) => BodyState::Done,
                Ok(length) if length <= max => BodyState::Length(length),
                _ => return Err(HttpError::BodyTooLarge),
            },
            Framing::Chunked => BodyState::ChunkSize(Vec::new()),
        };
        Ok(Self {
            state,
            body: Vec::new(),
            length: 0,
            max,
            kept: true,
        })
    }

    /// Reads to the end of the body, and keeps nothing of it.
    #[must_use]
    pub fn discarding(mut self) -> Self {
        self.kept = false;
        self
    }

    fn push(&mut self, part: &[u8]) {
        self.length += part.len();
        if self.kept {
            self.body.extend_from_slice(part);
        }
    }

    /// Takes what belongs to the body from the front of `bytes`; answers whether the body is complete.
    ///
    /// # Errors
    /// The body is too long, or its chunks are malformed. Nothing more can be read from the connection.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Result<bool, HttpError> {
        loop {
            match &mut self.state {
                BodyState::Done => return Ok(true),
                BodyState::Length(missing) => {
                    let part = take(bytes, *missing);
                    *missing -= part.len();
                    let complete = *missing == 0;
                    self.push(part);
                    if !complete {
                        return Ok(false);
                    }
                    self.state = BodyState::Done;
                }
                BodyState::Chunk(missing) => {
                    let part = take(bytes, *missing);
                    *missing -= part.len();
                    let complete = *missing == 0;
                    self.push(part);
                    if !complete {
                        return Ok(false);
                    }
                    self.state = BodyState::ChunkEnd(0);
                }
                BodyState::ChunkEnd(seen) => {
                    for &byte in take(bytes, 2 - *seen) {
                        if byte != b"\r\n"[*seen] {
                            return Err(HttpError::Malformed);
                        }
                        *seen += 1;
                    }
                    if *seen < 2 {
                        return Ok(false);
                    }
                    self.state = BodyState::ChunkSize(Vec::new());
                }
                BodyState::ChunkSize(line) => {
                    if !read_line(bytes, line)? {
                        return Ok(false);
                    }
                    let size = chunk_size(line)?;
                    if size > self.max - self.length {
                        return Err(HttpError::BodyTooLarge);
                    }
                    self.state = match size {
                        0 => BodyState::Trailers(Vec::new(), 0),
                        size => BodyState::Chunk(size),
                    };
                }
                BodyState::Trailers(line, total) => {
                    if !read_line(bytes, line)? {
                        return Ok(false);
                    }
                    *total += line.len();
                    if *total > MAX_TRAILERS {
                        return Err(HttpError::HeadTooLarge);
                    }
                    if line.is_empty() {
                        self.state = BodyState::Done;
                    } else {
                        line.clear();
                    }
                }
            }
        }
    }

    /// The body, once it is complete.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    taken
}

/// Moves bytes up to a line break into `line`, without the break; answers whether it has come.
fn read_line(bytes: &mut &[u8], line: &mut Vec<u8>) -> Result<bool, HttpError> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    line.extend_from_slice(take(
        bytes,
        end.map_or(bytes.len(), |at| at + 1).min(MAX_CHUNK_LINE + 2),
    ));
    if line.len() > MAX_CHUNK_LINE {
        return Err(HttpError::Malformed);
    }
    if line.last() != Some(&b'\n') {
        return Ok(false);
    }
    if !line.ends_with(b"\r\n") {
        return Err(HttpError::Malformed);
    }
    line.truncate(line.len() - 2);
    Ok(true)
}

/// The size in front of a chunk. Extensions behind a semicolon are ignored.
fn chunk_size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(HttpError::Malformed);
    }
    let digits = core::str::from_utf8(digits).map_err(|_| HttpError::Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| HttpError::Malformed)
}

/// The words that go with a status.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        // The words have no meaning, and may be missing (RFC 9112, section 4).
        _ => "",
    }
}

/// Writes responses into the caller's buffer.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ResponseWriter<'a> {
    /// Writes the status line.
    pub fn new(out: &'a mut Vec<u8>, status: u16) -> Self {
        if status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            push_number(out, status.into());
            out.push(b' ');
            out.extend_from_slice(reason(status).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Self { out }
    }

    /// Goes on with a head whose status line stands in `out` already.
    pub fn continue_head(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes one header. The caller has made sure that there is no line break in it.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Writes headers that are complete lines already.
    pub fn lines(&mut self, lines: &str) -> &mut Self {
        self.out.extend_from_slice(lines.as_bytes());
        self
    }

    /// Ends the head, with the body behind it unless the request was a HEAD.
    pub fn body(&mut self, body: &[u8], keep_alive: bool, head_only: bool) {
        if !keep_alive {
            self.lines("Connection: close\r\n");
        }
        self.lines("Content-Length: ");
        push_number(self.out, body.len());
        self.lines("\r\n\r\n");
        if !head_only {
            self.out.extend_from_slice(body);
        }
    }

    /// Ends the head of a response that has no body by its status (1xx, 204).
    pub fn no_body(&mut self) {
        self.lines("\r\n");
    }
}

fn push_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use std::string::String;
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
}
