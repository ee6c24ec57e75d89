//! Why a connection could not be made, or broke.

use core::fmt;
use std::boxed::Box;
use std::format;
use std::io;
use std::string::{String, ToString};

use bytes::Bytes;
use serde_core::de::DeserializeOwned;

use crate::engineio::Violation;
use crate::error::{Blame, Category, Class, Classify, answers};
use crate::http::Headers;
use crate::json::DecodeError;
use crate::wire::http1::{Response, ResponseError};
use crate::wire::ws::{FrameError, UpgradeError};

/// Why a client's connection could not be made, or broke. [`kind`](Self::kind) says who is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The operating system says so: no such name, nobody listens, a reset.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The server answered with another status than was wanted.
    #[error("{0}")]
    Refused(Refused),
    /// The server's answer is no HTTP, or did not come whole.
    #[error(transparent)]
    Http(#[from] ResponseError),
    /// What should have become a WebSocket did not.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// What came on a WebSocket is no WebSocket, or too much.
    #[error(transparent)]
    WebSocket(#[from] FrameError),
    /// The WebSocket was closed before it was of any use, with this code where there was one.
    #[error("the WebSocket was closed{}", code(.0))]
    WebSocketClosed(Option<u16>),
    /// The server broke Engine.IO's protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The server broke Socket.IO's protocol.
    #[error("the server broke Socket.IO's protocol: {0}")]
    SocketIo(#[from] crate::socketio::client::Violation),
    /// It took too long.
    #[error("{0}")]
    Timeout(&'static str),
    /// TLS with the server failed: its certificate, ours, or the protocol.
    #[cfg(feature = "tls")]
    #[error("TLS with the server failed: {0}")]
    Tls(#[source] crate::wire::tls::TlsError),
    /// The same, but it was the proxy's doing.
    #[error("proxy: {0}")]
    Proxy(#[source] Box<ConnectError>),
}

fn code(code: &Option<u16>) -> String {
    code.map_or(String::new(), |code| format!(" with code {code}"))
}

/// Who is to blame for a [`ConnectError`], in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The network, or nobody is there.
    Connection,
    /// The server, or somebody in between, does not want us: an HTTP status. Trying the same again rarely helps.
    Refused,
    /// It took too long.
    Timeout,
    /// The peer does not speak the protocol.
    Protocol,
    /// There is no trust, or no TLS, between the two ends.
    #[cfg(feature = "tls")]
    Tls,
    /// The proxy.
    Proxy,
}

impl ErrorKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            #[cfg(feature = "tls")]
            Self::Tls => "tls",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ConnectError {
    /// Who is to blame.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::WebSocketClosed(_) => ErrorKind::Connection,
            Self::Http(ResponseError::NothingCame | ResponseError::EndedEarly) => ErrorKind::Connection,
            Self::Refused(_) => ErrorKind::Refused,
            Self::Http(_) | Self::Upgrade(_) | Self::WebSocket(_) | Self::Protocol(_) | Self::SocketIo(_) => {
                ErrorKind::Protocol
            }
            Self::Timeout(_) => ErrorKind::Timeout,
            // Somebody has cut the line, in whatever language.
            #[cfg(feature = "tls")]
            Self::Tls(crate::wire::tls::TlsError::Truncated) => ErrorKind::Connection,
            #[cfg(feature = "tls")]
            Self::Tls(_) => ErrorKind::Tls,
            Self::Proxy(_) => ErrorKind::Proxy,
        }
    }

    /// The refusal, where it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Proxy(error) => error.refused(),
            _ => None,
        }
    }

    /// The HTTP status of the refusal.
    pub fn status(&self) -> Option<u16> {
        self.refused().map(Refused::status)
    }

    pub(crate) fn io(doing: &'static str, error: io::Error) -> Self {
        Self::Io { doing, error }
    }
}

answers!(ConnectError);

impl Classify for ConnectError {
    fn class(&self) -> Class {
        let failed = Category::ConnectionFailed;
        match self {
            // The system has lost patience before we have.
            Self::Io { error, .. } if error.kind() == io::ErrorKind::TimedOut => {
                Class::passing(Category::TimedOut, Blame::Transport)
            }
            Self::Io { .. } | Self::WebSocketClosed(_) => Class::passing(failed, Blame::Transport),
            Self::Http(ResponseError::NothingCame | ResponseError::EndedEarly) => {
                Class::passing(failed, Blame::Transport)
            }
            Self::Refused(refused) if refused.may_pass() => Class::passing(failed, Blame::Peer),
            Self::Refused(_) => Class::lasting(failed, Blame::Peer),
            Self::Http(_) | Self::Upgrade(_) | Self::WebSocket(_) | Self::Protocol(_) | Self::SocketIo(_) => {
                Class::lasting(failed, Blame::Peer)
            }
            Self::Timeout(_) => Class::passing(Category::TimedOut, Blame::Transport),
            #[cfg(feature = "tls")]
            Self::Tls(crate::wire::tls::TlsError::Truncated) => Class::passing(failed, Blame::Transport),
            #[cfg(feature = "tls")]
            Self::Tls(_) => Class::lasting(failed, Blame::Peer),
            Self::Proxy(error) => Class {
                blame: Blame::Transport,
                ..error.class()
            },
        }
    }
}

/// How many bytes of a server's words are shown to people.
const MAX_SHOWN: usize = 1000;

/// A server's answer with a status that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    status: u16,
    location: Option<String>,
    body: Bytes,
}

impl Refused {
    pub(super) fn new(response: &Response) -> Self {
        let location = response
            .get("location")
            .and_then(|value| core::str::from_utf8(value).ok());
        Self {
            status: response.status,
            location: location.map(ToString::to_string),
            body: response.body.clone(),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(status: u16, body: Bytes) -> Self {
        Self {
            status,
            location: None,
            body,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body. The protocol's own errors are JSON: `{"code":1,"message":"Session ID unknown"}`. Where it did not come
    /// whole, or was too long, what is there of it; nothing where it could not be decoded.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Where a redirect points, which is not followed: the next request would carry cookies and passwords to a place that
    /// nobody has named. The error's text has it without its query.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref().filter(|_| (300..400).contains(&self.status))
    }

    /// The body as the JSON value that it should be: what an application
    /// [refuses with](crate::engineio::Refusal::json).
    ///
    /// # Errors
    /// It is no JSON, or not such a value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// Whether the status is one of those that pass: too early, too many, or a server that is not well.
    fn may_pass(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
    }

    /// The words in a JSON body: its `message`, or the whole of it where it is a text.
    pub fn message(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let message = body.get("message").unwrap_or(&body);
        message.as_str().map(ToString::to_string)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = self.location() {
            // It may be the request's own query, with the session's id and what shows who asks: that belongs into no log.
            let location = location.split(['?', '#']).next().unwrap_or_default();
            // What stands in a header goes to a terminal perhaps.
            let location = location.escape_debug();
            return write!(
                f,
                "the server redirects to {location} with status {}, and redirects are not followed",
                self.status
            );
        }
        write!(f, "the server refused with status {}", self.status)?;
        match self.message() {
            Some(message) if message.len() > MAX_SHOWN => {
                let end = (0..=MAX_SHOWN).rev().find(|&at| message.is_char_boundary(at));
                write!(f, ": {}…", message[..end.unwrap_or(0)].escape_debug())
            }
            Some(message) => write!(f, ": {}", message.escape_debug()),
            None => Ok(()),
        }
    }
}
