//! What can go wrong, by who is to blame.

mod class;
#[cfg(all(test, feature = "wire"))]
mod tests;

use crate::engineio::{Data, PacketError, Violation};
use crate::socketio::Args;
#[cfg(feature = "wire")]
pub(crate) use class::answers;
pub use class::{Blame, Category};
pub(crate) use class::{Class, Classify};

/// A result of this crate.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What can go wrong, by who is to blame.
///
/// Errors with a narrower meaning have their own types, and turn into this one with `?`: a refused message
/// ([`SendError`]), the peer's mistakes ([`Violation`], [`PacketError`]).
///
/// Each of them says [what kind it is](Self::category), [who can do something about it](Self::blame) and
/// [whether another try can help](Self::may_retry), and gives back what was refused.
///
/// ```
/// use sansocket::{Blame, Category, Error, TryRecvError};
///
/// let error = Error::from(TryRecvError::Empty);
/// assert_eq!(error.category(), Category::QueueEmpty);
/// assert_eq!(error.blame(), Blame::Nobody);
/// assert!(error.may_retry());
/// ```
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
    /// There is no message to receive, now or for ever.
    #[error(transparent)]
    Receive(#[from] TryRecvError),
    /// A client could not connect. [`ConnectError::kind`](crate::wire::client::ConnectError::kind) says who is to blame.
    #[cfg(feature = "wire")]
    #[error(transparent)]
    Connect(#[from] crate::wire::client::ConnectError),
    /// A client of Socket.IO could not connect, or was not let into its namespace.
    #[cfg(feature = "wire")]
    #[error(transparent)]
    Namespace(#[from] crate::runtime::socketio::client::ConnectFailed),
    /// A client of Socket.IO has received nothing.
    #[cfg(feature = "wire")]
    #[error(transparent)]
    Wait(#[from] crate::runtime::socketio::client::ReceiveError),
    /// A session ended with messages that were never handed to a transport.
    #[error("the session ended ({}) with {} messages unsent", .0.reason, .0.unsent)]
    Unsent(crate::engineio::Closed),
    /// A Socket.IO event will not be sent; its arguments are given back.
    #[error(transparent)]
    Emit(#[from] crate::socketio::EmitError),
    /// The acknowledgement of a Socket.IO event did not come.
    #[error(transparent)]
    Ack(#[from] crate::socketio::AckError),
    /// A value has no JSON form, so it can not be sent.
    #[error(transparent)]
    Encode(#[from] crate::json::EncodeError),
    /// A message or arguments are not what was asked for.
    #[error(transparent)]
    Decode(#[from] crate::json::DecodeError),
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

    /// What has gone wrong, in the words that all errors share: what a program branches on.
    pub fn category(&self) -> Category {
        self.class().category
    }

    /// Who can do something about it.
    pub fn blame(&self) -> Blame {
        self.class().blame
    }

    /// Whether the same call can have another end later, with nothing changed by the caller: a queue that is full or empty
    /// now, a server that is down or says 503, an address that is in use.
    ///
    /// It says nothing about when, and nothing about what the first try has done: an event whose acknowledgement did not
    /// come in time may have arrived. `false` means that something else has to change first: another argument, another
    /// server, a new session.
    pub fn may_retry(&self) -> bool {
        self.class().may_retry
    }

    /// The message that was refused.
    pub fn data(&self) -> Option<&Data> {
        match self {
            Self::Send(error) => Some(error.data()),
            Self::Queue(error) => Some(error.data()),
            _ => None,
        }
    }

    /// The same, taken out.
    pub fn into_data(self) -> Option<Data> {
        match self {
            Self::Send(error) => Some(error.into_data()),
            Self::Queue(error) => Some(error.into_data()),
            _ => None,
        }
    }

    /// The arguments of the Socket.IO event that was refused.
    pub fn into_args(self) -> Option<Args> {
        match self {
            Self::Emit(error) => Some(error.into_args()),
            _ => None,
        }
    }

    /// What the server has answered instead of a connection: status, body, and the body's JSON.
    #[cfg(feature = "wire")]
    pub fn refused(&self) -> Option<&crate::wire::client::Refused> {
        use crate::runtime::socketio::client::ConnectFailed;
        match self {
            Self::Connect(error) => error.refused(),
            Self::Namespace(ConnectFailed::Connection(error)) => error.refused(),
            _ => None,
        }
    }

    /// The HTTP status of what the server has answered instead of a connection.
    #[cfg(feature = "wire")]
    pub fn status(&self) -> Option<u16> {
        self.refused().map(crate::wire::client::Refused::status)
    }
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Self::Peer(error) => error.class(),
            Self::Send(error) => error.class(),
            Self::Queue(error) => error.class(),
            Self::Receive(error) => error.class(),
            #[cfg(feature = "wire")]
            Self::Connect(error) => error.class(),
            #[cfg(feature = "wire")]
            Self::Namespace(error) => error.class(),
            #[cfg(feature = "wire")]
            Self::Wait(error) => error.class(),
            Self::Unsent(_) => Class::lasting(Category::Closed, Blame::Nobody),
            Self::Emit(error) => error.class(),
            Self::Ack(error) => error.class(),
            Self::Encode(_) | Self::Unusable { .. } => Class::lasting(Category::InvalidArgument, Blame::Caller),
            Self::Decode(_) => Class::lasting(Category::UnexpectedData, Blame::Peer),
            #[cfg(feature = "std")]
            Self::Io(error) => class_of(error),
            Self::Application(_) => Class::lasting(Category::Application, Blame::Application),
        }
    }
}

/// What an operating system says passes as a rule, but for what depends on who asks for what.
#[cfg(feature = "std")]
fn class_of(error: &std::io::Error) -> Class {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::TimedOut => Class::passing(Category::TimedOut, Blame::System),
        ErrorKind::AddrNotAvailable
        | ErrorKind::InvalidInput
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::Unsupported => Class::lasting(Category::System, Blame::System),
        _ => Class::passing(Category::System, Blame::System),
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
    pub fn data(&self) -> &Data {
        match self {
            Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }

    /// The message, taken out.
    pub fn into_data(self) -> Data {
        match self {
            Self::Closed(data) | Self::TooLarge(data) => data,
        }
    }
}

/// Why there is no message to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TryRecvError {
    /// None has come so far.
    #[error("no message has come")]
    Empty,
    /// The session is over, and everything that came was taken.
    #[error("the session is closed")]
    Closed,
}
