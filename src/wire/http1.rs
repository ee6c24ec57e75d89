//! HTTP/1.1: a server reads heads and bodies and writes responses, a client writes requests and reads responses. Strict
//! and bounded.
//!
//! Whatever could be read in two ways is refused: that is how requests are smuggled past a proxy.

mod body;
#[cfg(test)]
mod client_tests;
mod coding;
mod compressor;
mod request_writer;
mod response;
mod response_reader;
#[cfg(test)]
mod tests;

use httparse::{EMPTY_HEADER, Header, Status};

use crate::http::Headers;
pub use body::BodyReader;
pub(crate) use compressor::compress;
pub use request_writer::{RequestWriter, is_header_name, is_header_value, is_target};
pub use response::ResponseWriter;
pub use response_reader::{MAX_RESPONSE_HEAD, Response, ResponseError, ResponseLimits, ResponseReader};

/// How many headers a request or a response may have.
pub const MAX_HEADERS: usize = 64;

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

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// This many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the stream: only a response may be.
    UntilEnd,
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

    fn each<'a>(&'a self, name: &str, see: &mut dyn FnMut(&'a [u8])) {
        self.all(name).for_each(see);
    }
}

impl<'a> Head<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        values(self.headers, name)
    }
}

/// The values of all headers of this name.
fn values<'a>(headers: &'a [Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

/// Whether this value of `Connection` says that it is the last exchange.
fn closes(value: &[u8]) -> bool {
    let mut options = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    options.any(|option| option.eq_ignore_ascii_case(b"close"))
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
    head.framing = framing(head.headers, head.version_1_1, Framing::Empty)?;
    // Not one Host: a request that two readers would route differently.
    let hosts = head.all("host").count();
    if hosts > 1 || (hosts == 0 && head.version_1_1) {
        return Err(HttpError::Malformed);
    }
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

/// How a body is sent under these headers; as `unsaid`, where they say nothing.
fn framing(headers: &[Header<'_>], version_1_1: bool, unsaid: Framing) -> Result<Framing, HttpError> {
    let mut lengths = values(headers, "content-length");
    let mut encodings = values(headers, "transfer-encoding");
    match (lengths.next(), encodings.next()) {
        (None, None) => Ok(unsaid),
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
            if encodings.next().is_some() || !version_1_1 {
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
