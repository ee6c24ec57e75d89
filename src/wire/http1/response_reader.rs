//! Reads one response, in whatever pieces it comes.

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use bytes::Bytes;
use httparse::{EMPTY_HEADER, Header, Status};

use super::coding::Coding;
use super::{BodyReader, Framing, HttpError, MAX_HEADERS, closes, framing, values};
use crate::http::Headers;

/// How many bytes the head of a response may have, unless something else is asked for.
pub const MAX_RESPONSE_HEAD: usize = 16 * 1024;

/// How much of the body of an answer that is no success is kept, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

/// How many interim responses (1xx) may stand before a response.
const MAX_INTERIM: usize = 8;

/// Why bytes are not a response: the server's mistake, or something between us and it.
///
/// Nothing more can be read from the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Not HTTP, or HTTP that could be understood in two ways.
    #[error("malformed HTTP response")]
    Malformed,
    /// The head is too long or has too many headers.
    #[error("response head too large")]
    HeadTooLarge,
    /// The body is longer than the limit, as it was sent or once it is decompressed.
    #[error("response body too large")]
    BodyTooLarge,
    /// A body in a transfer encoding other than exactly `chunked`.
    #[error("unsupported transfer encoding of a response")]
    UnsupportedTransferEncoding,
    /// A body in a content encoding other than `gzip` or `deflate`, or in several.
    #[error("unsupported content encoding of a response")]
    UnsupportedContentEncoding,
    /// A body that is not what its content encoding says.
    #[error("malformed compressed body of a response")]
    MalformedContent,
    /// Another version of HTTP than 1.0 and 1.1.
    #[error("unsupported version of HTTP in a response")]
    UnsupportedVersion,
    /// One interim response after the other, and no final one.
    #[error("too many interim responses")]
    TooManyInterim,
    /// The stream ended before anything had come.
    #[error("the connection ended before a response came")]
    NothingCame,
    /// The stream ended in the middle.
    #[error("the connection ended in the middle of a response")]
    EndedEarly,
}

impl From<HttpError> for ResponseError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Malformed => Self::Malformed,
            HttpError::HeadTooLarge => Self::HeadTooLarge,
            HttpError::BodyTooLarge => Self::BodyTooLarge,
            HttpError::UnsupportedEncoding => Self::UnsupportedTransferEncoding,
            HttpError::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}

/// What a [`ResponseReader`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// How long a head may be, in bytes. [`MAX_RESPONSE_HEAD`] is a good choice.
    pub max_head: usize,
    /// How long a body may be, in bytes: once it is decoded. As it is sent it may be a little longer.
    pub max_body: usize,
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// 100 to 599; of those below 200 only 101.
    pub status: u16,
    /// The headers as they came, with names in lower case.
    pub headers: Vec<(String, Bytes)>,
    /// The body, decoded.
    pub body: Bytes,
    /// Whether the connection serves another request after this one. Not after a 101, and not after CONNECT succeeded.
    pub keep_alive: bool,
    /// How long the server keeps the connection while nothing happens on it, where it has said so.
    pub idle_timeout: Option<Duration>,
}

impl Response {
    /// The values of all headers of this name, which is compared without regard to case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers
            .iter()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| &value[..])
    }
}

impl Headers for Response {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }
}

/// Reads one response.
#[derive(Debug)]
pub struct ResponseReader {
    limits: ResponseLimits,
    asked: Asked,
    begun: bool,
    interim: usize,
    state: State,
}

/// What the method of the request says about the body of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Ordinary,
    HeadOnly,
    Tunnel,
    Upgrade,
}

#[derive(Debug)]
enum State {
    /// The head, as far as it has come.
    Head(Vec<u8>),
    Body(Response, Coding, BodyReader),
    Done,
    Failed(ResponseError),
}

/// What a head says.
struct Parsed {
    response: Response,
    framing: Framing,
    coding: Coding,
}

impl ResponseReader {
    /// Reads the response to a request with this method: to `CONNECT` and `HEAD`, responses have no body.
    pub fn new(limits: ResponseLimits, method: &str) -> Self {
        let asked = match method {
            "CONNECT" => Asked::Tunnel,
            "HEAD" => Asked::HeadOnly,
            _ => Asked::Ordinary,
        };
        Self {
            limits,
            asked,
            begun: false,
            interim: 0,
            state: State::Head(Vec::new()),
        }
    }

    /// Reads the response to a request for another protocol. A success that is no 101 is no answer to that, and is given
    /// back without its body, which might never end.
    pub fn for_upgrade(limits: ResponseLimits) -> Self {
        Self {
            asked: Asked::Upgrade,
            ..Self::new(limits, "GET")
        }
    }

    /// Takes what belongs to the response from the front of `bytes`; everything where this answers `None`. What stands
    /// behind the response is left: behind a 101 the other protocol, behind the answer to CONNECT the tunnel. After the
    /// response nothing is taken.
    ///
    /// # Errors
    /// See [`ResponseError`]. Every further call answers the same.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Response>, ResponseError> {
        self.begun |= !bytes.is_empty();
        let read = self.read_on(bytes);
        self.settle(read)
    }

    /// Tells that the stream has ended. A body that only this ends is complete now.
    ///
    /// # Errors
    /// [`ResponseError::NothingCame`] or [`ResponseError::EndedEarly`]; or the body can not be decoded.
    pub fn handle_end(&mut self) -> Result<Option<Response>, ResponseError> {
        let read = match core::mem::replace(&mut self.state, State::Done) {
            State::Head(_) if !self.begun => Err(ResponseError::NothingCame),
            State::Head(_) => Err(ResponseError::EndedEarly),
            State::Body(response, coding, mut reader) => match reader.handle_end() {
                true => self.complete(response, coding, reader).map(Some),
                false => cut(response, coding, reader, ResponseError::EndedEarly).map(Some),
            },
            State::Done => Ok(None),
            State::Failed(error) => Err(error),
        };
        self.settle(read)
    }

    /// Remembers an error.
    fn settle(&mut self, read: Result<Option<Response>, ResponseError>) -> Result<Option<Response>, ResponseError> {
        if let Err(error) = read {
            self.state = State::Failed(error);
        }
        read
    }

    fn read_on(&mut self, bytes: &mut &[u8]) -> Result<Option<Response>, ResponseError> {
        loop {
            match &mut self.state {
                State::Head(head) => {
                    if !read_head(bytes, head, self.limits.max_head)? {
                        return Ok(None);
                    }
                    let head = core::mem::take(head);
                    let Some(parsed) = parse(head.into(), self.asked)? else {
                        self.interim += 1;
                        if self.interim > MAX_INTERIM {
                            return Err(ResponseError::TooManyInterim);
                        }
                        continue;
                    };
                    let max = parsed.coding.max_encoded(self.max_body(parsed.response.status));
                    let reader = match BodyReader::new(parsed.framing, max) {
                        Ok(reader) => reader,
                        // Too long, by what the head says.
                        Err(error) => {
                            let empty = BodyReader::new(Framing::Empty, 0)?;
                            return cut(parsed.response, parsed.coding, empty, error.into()).map(Some);
                        }
                    };
                    self.state = State::Body(parsed.response, parsed.coding, reader);
                }
                State::Body(_, _, reader) => {
                    let read = reader.read(bytes);
                    if read == Ok(false) {
                        return Ok(None);
                    }
                    let State::Body(response, coding, reader) = core::mem::replace(&mut self.state, State::Done) else {
                        return Ok(None);
                    };
                    return match read {
                        Ok(_) => self.complete(response, coding, reader),
                        Err(error) => cut(response, coding, reader, error.into()),
                    }
                    .map(Some);
                }
                State::Done => return Ok(None),
                State::Failed(error) => return Err(*error),
            }
        }
    }

    /// Of a refusal, no more is kept than people read.
    fn max_body(&self, status: u16) -> usize {
        match is_success(status) {
            true => self.limits.max_body,
            false => self.limits.max_body.min(MAX_REFUSAL),
        }
    }

    fn complete(&self, mut response: Response, coding: Coding, reader: BodyReader) -> Result<Response, ResponseError> {
        let max = self.max_body(response.status);
        match coding.decode(reader.into_body(), max) {
            Ok(body) => response.body = body.into(),
            Err(error) if is_success(response.status) => return Err(error),
            Err(_) => {}
        }
        Ok(response)
    }
}

fn is_success(status: u16) -> bool {
    status < 300
}

/// What is left of a response whose body can not be had. Of one that refuses something, the status is what matters.
fn cut(
    mut response: Response,
    coding: Coding,
    reader: BodyReader,
    error: ResponseError,
) -> Result<Response, ResponseError> {
    if is_success(response.status) {
        return Err(error);
    }
    if coding == Coding::Identity {
        response.body = reader.into_body().into();
    }
    response.keep_alive = false;
    Ok(response)
}

/// Moves bytes into `head` up to the empty line that ends it; answers whether it has come. Each byte is looked at once,
/// and what is wrong first decides, in whatever pieces they come.
fn read_head(bytes: &mut &[u8], head: &mut Vec<u8>, max: usize) -> Result<bool, ResponseError> {
    while !bytes.is_empty() {
        let room = &bytes[..bytes.len().min(max - head.len())];
        let length = room
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(room.len(), |at| at + 1);
        let before = head.len();
        head.extend_from_slice(&room[..length]);
        *bytes = &bytes[length..];
        check_version(head, before)?;
        if head.ends_with(b"\n") && !head.ends_with(b"\r\n") {
            return Err(ResponseError::Malformed);
        }
        if head.ends_with(b"\r\n\r\n") {
            return Ok(true);
        }
        if head.len() >= max {
            return Err(ResponseError::HeadTooLarge);
        }
    }
    Ok(false)
}

/// Looks at the first bytes of a head as they come: whatever speaks something else is not waited for.
fn check_version(head: &[u8], seen: usize) -> Result<(), ResponseError> {
    for (at, &byte) in head.iter().enumerate().take(8).skip(seen) {
        let expected = match at {
            7 => matches!(byte, b'0' | b'1'),
            _ => byte == b"HTTP/1."[at],
        };
        if !expected {
            let is_version = matches!(at, 5 | 7) && byte.is_ascii_digit();
            return Err(match is_version {
                true => ResponseError::UnsupportedVersion,
                false => ResponseError::Malformed,
            });
        }
    }
    Ok(())
}

/// Reads a whole head; `None` where it is that of an interim response.
fn parse(head: Bytes, asked: Asked) -> Result<Option<Parsed>, ResponseError> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut read = httparse::Response::new(&mut headers);
    match read.parse(&head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::HeadTooLarge),
        Ok(_) | Err(_) => return Err(ResponseError::Malformed),
    }
    let (Some(version), Some(status @ 100..=599)) = (read.version, read.code) else {
        return Err(ResponseError::Malformed);
    };
    let (headers, version_1_1) = (&*read.headers, version == 1);
    if status < 200 && !version_1_1 {
        // HTTP/1.0 knows no interim responses and no upgrades.
        return Err(ResponseError::Malformed);
    }
    if status < 200 && status != 101 {
        return Ok(None);
    }
    let refused = !is_success(status);
    let becomes_other = match asked {
        Asked::Tunnel | Asked::Upgrade => is_success(status),
        Asked::Ordinary | Asked::HeadOnly => status == 101,
    };
    let bodyless = becomes_other || asked == Asked::HeadOnly || matches!(status, 204 | 304);
    let declared = match becomes_other {
        // RFC 9112, section 6.3: in these a length means nothing.
        true => Ok(Framing::Empty),
        false => framing(headers, version_1_1, Framing::UntilEnd),
    };
    let coding = match declared {
        Ok(Framing::Empty) | Err(_) => Ok(Coding::Identity),
        Ok(_) if bodyless => Ok(Coding::Identity),
        Ok(_) => Coding::of(values(headers, "content-encoding")),
    };
    let (declared, coding, readable) = match (declared, coding) {
        (Ok(declared), Ok(coding)) => (declared, coding, true),
        // A refusal is one, whatever its body is.
        _ if refused => (Framing::Empty, Coding::Identity, false),
        (Err(error), _) => return Err(error.into()),
        (_, Err(error)) => return Err(error),
    };
    let framing = if bodyless { Framing::Empty } else { declared };
    // A server that announces a body for a 204 may send it, too, where the next response is expected.
    let consistent = status != 204 || matches!(declared, Framing::Empty | Framing::UntilEnd);
    let keep_alive = version_1_1
        && !becomes_other
        && consistent
        && readable
        && framing != Framing::UntilEnd
        && !values(headers, "connection").any(closes);
    let response = Response {
        status,
        headers: headers.iter().map(|header| owned(&head, header)).collect(),
        body: Bytes::new(),
        keep_alive,
        idle_timeout: values(headers, "keep-alive").find_map(idle_timeout),
    };
    Ok(Some(Parsed {
        response,
        framing,
        coding,
    }))
}

fn owned(head: &Bytes, header: &Header<'_>) -> (String, Bytes) {
    // An empty slice may point nowhere.
    let value = match header.value {
        [] => Bytes::new(),
        value => head.slice_ref(value),
    };
    (header.name.to_ascii_lowercase(), value)
}

/// The seconds in `Keep-Alive: timeout=5, max=100`.
fn idle_timeout(value: &[u8]) -> Option<Duration> {
    let seconds = value.split(|&byte| byte == b',').find_map(|parameter| {
        let mut parts = parameter.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
        let name = parts.next()?;
        let seconds = parts.next()?;
        let is_number = seconds.iter().all(u8::is_ascii_digit);
        (name.eq_ignore_ascii_case(b"timeout") && is_number).then_some(seconds)
    })?;
    let seconds: u32 = core::str::from_utf8(seconds).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}
