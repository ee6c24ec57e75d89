//! What both machines hand out and take: names of sockets, acknowledgements, refused emits.

use super::Args;
use crate::engineio::Data;

/// Names one socket: one namespace, from a CONNECT to the end of it. The machine that gave it never gives it again, so
/// nothing that is done late reaches the socket that came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u64);

/// The right to acknowledge one event, once.
#[derive(Debug, PartialEq, Eq)]
pub struct AckToken {
    pub(super) key: Key,
    pub(super) id: u64,
    /// On a client: which time the socket was connected. The server that comes after a lost connection waits for nothing.
    pub(super) epoch: u64,
}

impl AckToken {
    /// The socket that the event came from.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The number under which the peer waits for it. Peers count as they like.
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// What a machine wants done with the Engine.IO session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Send this message.
    Data(Data),
    /// Close the session, once what was sent has gone out. The last thing that is wanted of it.
    Close,
}

/// Why an event or an acknowledgement will not be sent. The arguments are given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is not connected, or not any more.
    #[error("the socket is not connected")]
    Disconnected(Args),
    /// The queue is full; there will be room when some of it was transmitted.
    #[error("the queue is full")]
    Full(Args),
    /// An event can not have one of the [`RESERVED_EVENTS`](super::RESERVED_EVENTS) for its name.
    #[error("the event name is reserved")]
    ReservedName(Args),
    /// Larger than what the Engine.IO session takes as one message: trying again does not help.
    #[error("the event is larger than what can be sent")]
    TooLarge(Args),
    /// Too many acknowledgements are being waited for.
    #[error("too many acknowledgements are being waited for")]
    TooManyAcks(Args),
}

impl EmitError {
    /// The same for other arguments: those that the caller knows.
    #[cfg(feature = "wire")]
    pub(crate) fn about(self, args: Args) -> Self {
        match self {
            Self::Disconnected(_) => Self::Disconnected(args),
            Self::Full(_) => Self::Full(args),
            Self::ReservedName(_) => Self::ReservedName(args),
            Self::TooLarge(_) => Self::TooLarge(args),
            Self::TooManyAcks(_) => Self::TooManyAcks(args),
        }
    }

    /// The arguments.
    pub fn into_args(self) -> Args {
        match self {
            Self::Disconnected(args)
            | Self::Full(args)
            | Self::ReservedName(args)
            | Self::TooLarge(args)
            | Self::TooManyAcks(args) => args,
        }
    }
}

/// Why an acknowledgement will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// It did not come in time. Whether the event arrived is not known.
    #[error("no acknowledgement came in time")]
    TimedOut,
    /// The socket was disconnected. Whether the event arrived is not known.
    #[error("the socket was disconnected before an acknowledgement came")]
    Disconnected,
    /// The event was never sent: a client's buffer was full, its socket ended while the event waited there, or it turned out
    /// to be larger than what the server takes.
    #[error("the event was not sent")]
    NotSent,
}
