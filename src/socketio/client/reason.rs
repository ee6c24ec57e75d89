use core::fmt;

use crate::engineio::CloseReason;

/// Why a socket was disconnected, as its client sees it. In the JavaScript reference's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The application left the namespace.
    IoClientDisconnect,
    /// The server threw the socket out of the namespace.
    IoServerDisconnect,
    /// What the server sent is no packet.
    ParseError,
    /// The server sent no ping in time.
    PingTimeout,
    /// The connection was closed.
    TransportClose,
    /// The connection broke.
    TransportError,
}

impl DisconnectReason {
    /// The JavaScript reference's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IoClientDisconnect => "io client disconnect",
            Self::IoServerDisconnect => "io server disconnect",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }

    /// What python-socketio's client calls it: one of its three reasons. Whatever neither end has asked for is a
    /// `transport error` there.
    pub const fn as_python(self) -> &'static str {
        match self {
            Self::IoClientDisconnect => "client disconnect",
            Self::IoServerDisconnect => "server disconnect",
            Self::ParseError | Self::PingTimeout | Self::TransportClose | Self::TransportError => "transport error",
        }
    }

    /// Whether somebody wanted it: the socket is gone, and joins nothing when the connection comes back.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::IoClientDisconnect | Self::IoServerDisconnect)
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the end of the Engine.IO session is to the sockets on it: never final, for it says nothing about namespaces.
impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::TransportError | CloseReason::Stalled => Self::TransportError,
            CloseReason::TransportClose
            | CloseReason::ClientDisconnect
            | CloseReason::ServerDisconnect
            | CloseReason::ConnectTimeout
            | CloseReason::Refused => Self::TransportClose,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DisconnectReason::{self, *};

    #[test]
    fn each_has_a_name_in_python() {
        let all: [(DisconnectReason, &str); 6] = [
            (IoClientDisconnect, "client disconnect"),
            (IoServerDisconnect, "server disconnect"),
            (ParseError, "transport error"),
            (PingTimeout, "transport error"),
            (TransportClose, "transport error"),
            (TransportError, "transport error"),
        ];
        for (reason, name) in all {
            assert_eq!(reason.as_python(), name, "{reason}");
        }
    }
}
