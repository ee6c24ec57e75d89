//! The client's side of the handshake.

use std::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::http1::Response;

/// What a client asks for a WebSocket with, and how it knows that it was given one (RFC 6455, section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHandshake {
    key: String,
}

/// Why a response does not open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Another status than 101.
    #[error("no WebSocket: the server answered with status {0}")]
    Status(u16),
    /// There is not exactly one `Upgrade`, which is `websocket`.
    #[error("no WebSocket: the header Upgrade of the response is not \"websocket\"")]
    Upgrade,
    /// `Connection` does not contain `upgrade`.
    #[error("no WebSocket: the header Connection of the response does not contain \"upgrade\"")]
    Connection,
    /// There is no `Sec-WebSocket-Accept`, or more than one.
    #[error("no WebSocket: the response has not exactly one header Sec-WebSocket-Accept")]
    AcceptMissing,
    /// `Sec-WebSocket-Accept` is not made of our key.
    #[error("no WebSocket: the header Sec-WebSocket-Accept of the response does not belong to the key of the request")]
    AcceptWrong,
    /// An extension is in use; none was offered.
    #[error("no WebSocket: the server chose an extension, and none was offered")]
    Extension,
    /// A protocol is in use that was not offered.
    #[error("no WebSocket: the server chose a protocol that was not offered")]
    Protocol,
}

impl ClientHandshake {
    /// A handshake with a key of these bytes, which should be random: new ones for each handshake.
    pub fn new(entropy: [u8; 16]) -> Self {
        Self {
            key: STANDARD.encode(entropy),
        }
    }

    /// The value of `Sec-WebSocket-Key`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Looks at the response. `protocols` are those that were offered in `Sec-WebSocket-Protocol`; a server may choose
    /// none of them.
    ///
    /// # Errors
    /// See [`UpgradeError`].
    pub fn check(&self, response: &Response, protocols: &[&str]) -> Result<(), UpgradeError> {
        if response.status != 101 {
            return Err(UpgradeError::Status(response.status));
        }
        match only(response, "upgrade") {
            Some(value) if value.eq_ignore_ascii_case(b"websocket") => {}
            _ => return Err(UpgradeError::Upgrade),
        }
        let mut options = response
            .all("connection")
            .flat_map(|value| value.split(|&byte| byte == b','));
        if !options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade")) {
            return Err(UpgradeError::Connection);
        }
        let accept = only(response, "sec-websocket-accept").ok_or(UpgradeError::AcceptMissing)?;
        if accept != tungstenite::handshake::derive_accept_key(self.key.as_bytes()).as_bytes() {
            return Err(UpgradeError::AcceptWrong);
        }
        if response.all("sec-websocket-extensions").any(|value| !value.is_empty()) {
            return Err(UpgradeError::Extension);
        }
        let mut chosen = response.all("sec-websocket-protocol");
        let known = match chosen.next() {
            Some(chosen) => protocols.iter().any(|offered| offered.as_bytes() == chosen),
            None => true,
        };
        if !known || chosen.next().is_some() {
            return Err(UpgradeError::Protocol);
        }
        Ok(())
    }
}

/// The value of a header that is there once.
fn only<'a>(response: &'a Response, name: &str) -> Option<&'a [u8]> {
    let mut values = response.all(name);
    let value = values.next()?;
    match values.next() {
        None => Some(value),
        Some(_) => None,
    }
}
