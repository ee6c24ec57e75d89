//! What every error is asked: what kind it is, whose fault, and whether another try can help.

use core::fmt;

use crate::engineio::{self, PacketError, Violation};
use crate::error::{SendError, TryRecvError};
use crate::socketio::{AckError, EmitError};

/// What has gone wrong, in a few words that all errors share: what a program branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// A message is larger than what may be queued, or than what the other end takes.
    ContentTooLong,
    /// The peer sent a packet of a type that there is not, or that does not belong where it came.
    UnknownPacket,
    /// The peer broke the protocol in another way.
    Protocol,
    /// There is no message to receive at the moment.
    QueueEmpty,
    /// There is no room to send at the moment.
    QueueFull,
    /// The session, the socket or the client is over.
    Closed,
    /// There is no connection to the server, or it was lost. `Error::refused` has what the server
    /// said, where it said anything.
    ConnectionFailed,
    /// Something has not come in time.
    TimedOut,
    /// The caller gave what can not be used.
    InvalidArgument,
    /// What the peer sent is not the value that was asked for.
    UnexpectedData,
    /// The operating system refused something.
    System,
    /// The application's own.
    Application,
}

impl Category {
    /// The words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContentTooLong => "content too long",
            Self::UnknownPacket => "unknown packet",
            Self::Protocol => "protocol",
            Self::QueueEmpty => "queue empty",
            Self::QueueFull => "queue full",
            Self::Closed => "closed",
            Self::ConnectionFailed => "connection failed",
            Self::TimedOut => "timed out",
            Self::InvalidArgument => "invalid argument",
            Self::UnexpectedData => "unexpected data",
            Self::System => "system",
            Self::Application => "application",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The other end: it broke the protocol, does not want us, or has not said what it was asked for.
    Peer,
    /// Whoever called: another value would do.
    Caller,
    /// What lies between the two ends: the network, a proxy, or nobody listens. Also where nothing came in time, and who is
    /// the cause can not be seen from here.
    Transport,
    /// The operating system.
    System,
    /// The application's own handler.
    Application,
    /// Nobody: it is how things go, such as a queue that is empty or a session that has ended.
    Nobody,
}

impl Blame {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Caller => "caller",
            Self::Transport => "transport",
            Self::System => "system",
            Self::Application => "application",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) category: Category,
    pub(crate) blame: Blame,
    pub(crate) may_retry: bool,
}

impl Class {
    /// The same call has the same end, until something else changes.
    pub(crate) const fn lasting(category: Category, blame: Blame) -> Self {
        Self {
            category,
            blame,
            may_retry: false,
        }
    }

    /// It may pass.
    pub(crate) const fn passing(category: Category, blame: Blame) -> Self {
        Self {
            category,
            blame,
            may_retry: true,
        }
    }
}

/// An error that has the three answers.
pub(crate) trait Classify {
    fn class(&self) -> Class;
}

/// Gives errors the three questions as methods of their own, so that nobody needs a trait for them.
macro_rules! answers {
    ($($error:ty),+ $(,)?) => {
        $(
            impl $error {
                /// What has gone wrong, in the words that all errors share.
                pub fn category(&self) -> crate::Category {
                    crate::error::Classify::class(self).category
                }

                /// Who can do something about it.
                pub fn blame(&self) -> crate::Blame {
                    crate::error::Classify::class(self).blame
                }

                /// Whether the same call can have another end later, with nothing changed by the caller. What it means in
                /// full is said at [`Error::may_retry`](crate::Error::may_retry).
                pub fn may_retry(&self) -> bool {
                    crate::error::Classify::class(self).may_retry
                }
            }
        )+
    };
}
#[cfg(feature = "wire")]
pub(crate) use answers;

answers!(
    SendError,
    TryRecvError,
    engineio::SendError,
    Violation,
    PacketError,
    EmitError,
    AckError
);

impl Classify for SendError {
    fn class(&self) -> Class {
        match self {
            Self::Closed(_) => Class::lasting(Category::Closed, Blame::Nobody),
            Self::TooLarge(_) => Class::lasting(Category::ContentTooLong, Blame::Caller),
        }
    }
}

impl Classify for TryRecvError {
    fn class(&self) -> Class {
        match self {
            Self::Empty => Class::passing(Category::QueueEmpty, Blame::Nobody),
            Self::Closed => Class::lasting(Category::Closed, Blame::Nobody),
        }
    }
}

impl Classify for engineio::SendError {
    fn class(&self) -> Class {
        match self {
            Self::Full(_) => Class::passing(Category::QueueFull, Blame::Nobody),
            Self::Closed(_) => Class::lasting(Category::Closed, Blame::Nobody),
            Self::TooLarge(_) => Class::lasting(Category::ContentTooLong, Blame::Caller),
        }
    }
}

impl Classify for Violation {
    fn class(&self) -> Class {
        match self {
            Self::Packet(error) => error.class(),
            Self::UnexpectedPacket => Class::lasting(Category::UnknownPacket, Blame::Peer),
            Self::Overlap | Self::UnexpectedRequest | Self::UnexpectedWebSocket | Self::BadProbe => {
                Class::lasting(Category::Protocol, Blame::Peer)
            }
        }
    }
}

impl Classify for PacketError {
    fn class(&self) -> Class {
        let category = match self {
            Self::UnknownType => Category::UnknownPacket,
            Self::Empty | Self::InvalidBase64 | Self::InvalidHandshake | Self::InvalidLength | Self::NotUtf8 => {
                Category::Protocol
            }
        };
        Class::lasting(category, Blame::Peer)
    }
}

impl Classify for EmitError {
    fn class(&self) -> Class {
        match self {
            Self::Disconnected(_) => Class::lasting(Category::Closed, Blame::Nobody),
            Self::Full(_) => Class::passing(Category::QueueFull, Blame::Nobody),
            Self::ReservedName(_) => Class::lasting(Category::InvalidArgument, Blame::Caller),
            Self::TooLarge(_) => Class::lasting(Category::ContentTooLong, Blame::Caller),
            Self::TooManyAcks(_) => Class::passing(Category::QueueFull, Blame::Caller),
        }
    }
}

impl Classify for AckError {
    fn class(&self) -> Class {
        match self {
            Self::TimedOut => Class::passing(Category::TimedOut, Blame::Peer),
            Self::Disconnected => Class::lasting(Category::Closed, Blame::Nobody),
            // A full buffer empties itself; what was too large stays so, and is not told apart.
            Self::NotSent => Class::passing(Category::Closed, Blame::Nobody),
        }
    }
}
