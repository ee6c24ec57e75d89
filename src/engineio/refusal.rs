//! Answers that say no: the protocol's numbered errors, and an application's own refusal.

use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;
use serde_core::Serialize;

/// The protocol's numbered errors, which an HTTP response carries as `{"code":1,"message":"Session ID unknown"}`.
///
/// Numbers, messages and statuses are those of the JavaScript reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// 0: no such transport, or it is switched off.
    TransportUnknown,
    /// 1: no session of this id, or not any more.
    SessionUnknown,
    /// 2: a session is opened with GET.
    BadHandshakeMethod,
    /// 3: whatever else is wrong with a request.
    BadRequest,
    /// 4: refused by the server's policy or the application.
    Forbidden,
    /// 5: another version of the protocol.
    UnsupportedVersion,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The words on the wire.
    pub const fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            _ => 400,
        }
    }

    /// The whole JSON body.
    pub const fn body(self) -> &'static str {
        match self {
            Self::TransportUnknown => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::SessionUnknown => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::BadHandshakeMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::Forbidden => r#"{"code":4,"message":"Forbidden"}"#,
            Self::UnsupportedVersion => r#"{"code":5,"message":"Unsupported protocol version"}"#,
        }
    }
}

/// An application's answer to a connection that it does not want: an HTTP status and a JSON body.
///
/// ```
/// use sansocket::engineio::Refusal;
///
/// let refusal = Refusal::new(401).message("who are you?");
/// assert_eq!(refusal.status(), 401);
/// assert_eq!(refusal.body(), br#"{"code":4,"message":"who are you?"}"#.as_slice());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    body: Bytes,
}

impl Refusal {
    /// A refusal with this HTTP status and the protocol's error 4, `Forbidden`, as its body.
    ///
    /// A status that is no error (below 400 or above 599) becomes 403: a client must not take it for a success.
    pub fn new(status: u16) -> Self {
        Self {
            status: if (400..=599).contains(&status) { status } else { 403 },
            body: Bytes::from_static(ErrorCode::Forbidden.body().as_bytes()),
        }
    }

    /// The protocol's error 4 with words of the application's own.
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        let mut body = Vec::from(*b"{\"code\":4,\"message\":");
        body.extend_from_slice(serde_json::Value::from(message).to_string().as_bytes());
        body.push(b'}');
        self.body = body.into();
        self
    }

    /// A JSON body of the application's own. What is no JSON (a map whose keys are no text) leaves the body as it was.
    #[must_use]
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        if let Ok(body) = serde_json::to_vec(body) {
            self.body = body.into();
        }
        self
    }

    /// One of the protocol's numbered errors, as an application's answer.
    #[cfg(feature = "wire")]
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self {
            status: code.status(),
            body: Bytes::from_static(code.body().as_bytes()),
        }
    }

    /// The HTTP status, 400 to 599.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The JSON body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// 403 `Forbidden`.
impl Default for Refusal {
    fn default() -> Self {
        Self::new(403)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_code_and_message_say() {
        for code in [
            ErrorCode::TransportUnknown,
            ErrorCode::SessionUnknown,
            ErrorCode::BadHandshakeMethod,
            ErrorCode::BadRequest,
            ErrorCode::Forbidden,
            ErrorCode::UnsupportedVersion,
        ] {
            let body: serde_json::Value = serde_json::from_str(code.body()).unwrap();
            assert_eq!(body["code"], code.code());
            assert_eq!(body["message"], code.message());
        }
    }

    #[test]
    fn a_refusal_is_never_a_success() {
        assert_eq!(Refusal::new(200).status(), 403);
        assert_eq!(Refusal::new(503).status(), 503);
    }
}
