//! What can go wrong, by who is to blame.

use crate::engineio::{Data, PacketError, Violation};

/// A result of this crate.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What can go wrong, by who is to blame.
///
/// Errors with a narrower meaning have their own types, and turn into this one with `?`: a refused message
/// ([`SendError`]), the peer's mistakes ([`Violation`], [`PacketError`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Peer(#[from] Violation),
    /// A message could not be sent; it is given back. Trying again on the same session does not help.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A message could not be queued on a bare [`Session`](crate::engineio::Session); it is given back.
    #[error(transparent)]
    Queue(#[from] crate::engineio::SendError),
    /// A client could not connect. [`ConnectError::kind`](crate::wire::client::ConnectError::kind) says who is to blame.
    #[cfg(feature = "wire")]
    #[error(transparent)]
    Connect(#[from] crate::wire::client::ConnectError),
    /// A session ended with messages that were never handed to a transport.
    #[error("the session ended ({}) with {} messages unsent", .0.reason, .0.unsent)]
    Unsent(crate::engineio::Closed),
    /// A Socket.IO event will not be sent; its arguments are given back.
    #[error(transparent)]
    Emit(#[from] crate::socketio::EmitError),
    /// The acknowledgement of a Socket.IO event did not come.
    #[error(transparent)]
    Ack(#[from] crate::socketio::AckError),
    /// A value has no JSON form, so it can not be sent as arguments.
    #[error(transparent)]
    Encode(#[from] crate::socketio::EncodeError),
    /// Arguments are not what was asked for.
    #[error(transparent)]
    Decode(#[from] crate::socketio::DecodeError),
    /// The caller gave a value that can not be used.
    #[error("unusable {what}: {why}")]
    Unusable {
        /// The option's or argument's name.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The operating system refused something: an address in use, no permission, no file descriptors.
    #[cfg(feature = "std")]
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// An error of the application's own, out of one of its handlers.
    #[error("{0}")]
    Application(#[source] alloc::boxed::Box<dyn core::error::Error + Send + Sync>),
}

impl Error {
    /// Wraps an error of the application's own, so that a handler can return it.
    pub fn application(error: impl Into<alloc::boxed::Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self::Application(error.into())
    }
}

impl From<PacketError> for Error {
    fn from(error: PacketError) -> Self {
        Self::Peer(error.into())
    }
}

/// A message that will not be sent, given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closing or closed.
    #[error("the session is closed")]
    Closed(Data),
    /// Larger than the session's queue may ever be, or, on a client, than the server takes.
    #[error("the message is larger than the session's queue, or than the server takes")]
    TooLarge(Data),
}

impl SendError {
    /// The message.
    pub fn into_data(self) -> Data {
        match self {
            Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }
}
