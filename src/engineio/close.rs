//! Why a session ended, and what became of the messages.

use core::fmt;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client ended the session: a close packet; on the client's side [`close`](super::client::Client::close) or
    /// [`abort`](super::client::Client::abort).
    ClientDisconnect,
    /// On the client's side: the session was not open in time.
    ConnectTimeout,
    /// The peer sent what is not Engine.IO: an unknown packet type, text that is not UTF-8.
    ParseError,
    /// No pong came in time; on the client's side, no ping.
    PingTimeout,
    /// The server's application refused the connection, or never said whether it accepts it. On the client's side also:
    /// somebody in between did, with an HTTP status.
    Refused,
    /// The server ended the session: [`close`](super::Session::close) or [`abort`](super::Session::abort); on the client's
    /// side a close packet.
    ServerDisconnect,
    /// The application took no input for longer than [`Config::stall_timeout`](super::Config::stall_timeout).
    Stalled,
    /// The connection that carried the session was closed: a WebSocket closed in order, or its TCP connection ended.
    TransportClose,
    /// The connection that carried the session broke, or the peer broke the rules of the transport: a poll that was
    /// given up, two polls at once, a response that was cut off.
    TransportError,
}

impl CloseReason {
    /// The words that the other implementations use, where they have any for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client disconnect",
            Self::ConnectTimeout => "connect timeout",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::Refused => "refused",
            Self::ServerDisconnect => "server disconnect",
            Self::Stalled => "stalled",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }

    /// What python-engineio's server calls it: one of its five reasons, the nearest one. Where this end has given the
    /// client up for something that it did, that is a `server disconnect`, as there.
    pub const fn as_python_server(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::ConnectTimeout | Self::ParseError | Self::Refused | Self::ServerDisconnect | Self::Stalled => {
                "server disconnect"
            }
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
        }
    }

    /// What python-engineio's client calls it: one of its three reasons. Whatever neither end has asked for is a
    /// `transport error` there.
    pub const fn as_python_client(self) -> &'static str {
        match self {
            Self::ClientDisconnect => "client disconnect",
            Self::ServerDisconnect => "server disconnect",
            Self::ConnectTimeout
            | Self::ParseError
            | Self::PingTimeout
            | Self::Refused
            | Self::Stalled
            | Self::TransportClose
            | Self::TransportError => "transport error",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The end of a session: why, and what it leaves open.
///
/// Messages that were sent are, in their order: confirmed, then `in_doubt`, then `unsent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why the session ended.
    pub reason: CloseReason,
    /// How many messages were never handed to a transport: the peer has not got them.
    /// [`Session::take_unsent`](super::Session::take_unsent) gives them back.
    pub unsent: usize,
    /// How many messages were handed to a transport, and nothing shows whether the peer got them. For a server, the next
    /// poll shows that the previous response arrived, and a pong that everything before its ping did. For a client, the
    /// answer to a POST shows that it arrived; on a WebSocket nothing shows anything, so all that went there are counted.
    pub in_doubt: usize,
}

#[cfg(test)]
mod tests {
    use super::CloseReason::{self, *};

    /// All of them: one that is missing here does not compile below.
    const ALL: [CloseReason; 9] = [
        ClientDisconnect,
        ConnectTimeout,
        ParseError,
        PingTimeout,
        Refused,
        ServerDisconnect,
        Stalled,
        TransportClose,
        TransportError,
    ];

    #[test]
    fn each_has_a_name_in_python() {
        for reason in ALL {
            let (server, client) = match reason {
                ClientDisconnect => ("client disconnect", "client disconnect"),
                ConnectTimeout | ParseError | Refused | Stalled => ("server disconnect", "transport error"),
                PingTimeout => ("ping timeout", "transport error"),
                ServerDisconnect => ("server disconnect", "server disconnect"),
                TransportClose => ("transport close", "transport error"),
                TransportError => ("transport error", "transport error"),
            };
            assert_eq!(
                (reason.as_python_server(), reason.as_python_client()),
                (server, client),
                "{reason}"
            );
        }
    }
}
