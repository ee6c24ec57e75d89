use core::fmt;

use crate::engineio::CloseReason;

/// Why a socket was disconnected, as its server sees it. In the JavaScript reference's words, so that handlers can be
/// carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The connection was closed because the client sent what is no packet, or because this end gave it up.
    ForcedClose,
    /// The connection was closed because the client sent a packet where it must not.
    ForcedServerClose,
    /// What the client sent is not Engine.IO.
    ParseError,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The application threw the client out, of the namespace or altogether.
    ServerNamespaceDisconnect,
    /// The server ends.
    ServerShuttingDown,
    /// The connection was closed by the client: a tab, a program, a network that went away in order.
    TransportClose,
    /// The connection broke.
    TransportError,
}

impl DisconnectReason {
    /// The JavaScript reference's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }

    /// What python-socketio's server calls it: one of its five reasons, the nearest one. Where this end has ended it, for
    /// whatever the client did, that is a `server disconnect`, as there.
    pub const fn as_python(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::ForcedClose
            | Self::ForcedServerClose
            | Self::ParseError
            | Self::ServerNamespaceDisconnect
            | Self::ServerShuttingDown => "server disconnect",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }

    /// Whether a client that comes back soon may have its socket's state back: nobody wanted it to go.
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::ForcedClose
            | Self::ForcedServerClose
            | Self::PingTimeout
            | Self::ServerShuttingDown
            | Self::TransportClose
            | Self::TransportError => true,
            Self::ClientNamespaceDisconnect | Self::ParseError | Self::ServerNamespaceDisconnect => false,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the end of the Engine.IO session is to the sockets on it. The client's close packet is the end of its transport:
/// it says nothing about namespaces.
impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::ClientDisconnect | CloseReason::TransportClose => Self::TransportClose,
            CloseReason::TransportError => Self::TransportError,
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::ServerDisconnect
            | CloseReason::Stalled
            | CloseReason::Refused
            | CloseReason::ConnectTimeout => Self::ForcedClose,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DisconnectReason::{self, *};

    #[test]
    fn each_has_a_name_in_python() {
        let all: [(DisconnectReason, &str); 9] = [
            (ClientNamespaceDisconnect, "client disconnect"),
            (ForcedClose, "server disconnect"),
            (ForcedServerClose, "server disconnect"),
            (ParseError, "server disconnect"),
            (PingTimeout, "ping timeout"),
            (ServerNamespaceDisconnect, "server disconnect"),
            (ServerShuttingDown, "server disconnect"),
            (TransportClose, "transport close"),
            (TransportError, "transport error"),
        ];
        for (reason, name) in all {
            assert_eq!(reason.as_python(), name, "{reason}");
        }
    }
}
