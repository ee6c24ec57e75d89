//! What can go wrong for a client of Socket.IO, by who is to blame.

use core::fmt;
use core::time::Duration;
use std::string::String;
use std::sync::Arc;

use crate::error::{Blame, Category, Class, Classify, Error, answers};
use crate::socketio::client::NamespaceError;
use crate::socketio::{AckError, Args, DecodeError, EmitError, EncodeError, Json};
use crate::wire::client::ConnectError;

/// The server does not let a socket into a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which namespace.
    pub namespace: String,
    /// The server's words.
    pub message: String,
    /// What came with them.
    pub data: Option<Json>,
}

impl core::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "refused at {}: {}",
            self.namespace.escape_debug(),
            self.message.escape_debug()
        )
    }
}

/// Why a client is not connected.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailed {
    /// The server does not let it into a namespace. Trying the same again rarely helps, and is not done.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no connection to the server: [`ConnectError::kind`] says who is to blame.
    #[error(transparent)]
    Connection(#[from] Arc<ConnectError>),
    /// The server has let nobody into this namespace in time.
    #[error("no answer to the CONNECT for {namespace} within {time:?}", namespace = .0.escape_debug(), time = .1)]
    TimedOut(String, Duration),
    /// This can not be the name of a namespace, or there is a socket for it already.
    #[error("bad namespace: {0}")]
    BadNamespace(#[from] NamespaceError),
    /// An option can not be used.
    #[error("unusable {what}: {why}")]
    Unusable {
        /// The option's name.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The client is closed, or its runtime has ended.
    #[error("the client is closed")]
    Closed,
}

impl From<Error> for ConnectFailed {
    /// What is wrong with an option of the Engine.IO client.
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(error) => Self::Connection(Arc::new(error)),
            Error::Unusable { what, why } => Self::Unusable { what, why: why.into() },
            error => Self::Unusable {
                what: "option",
                why: std::format!("{error}"),
            },
        }
    }
}

answers!(ConnectFailed, EmitFailed, CallError, ReceiveError);

impl Classify for ConnectFailed {
    fn class(&self) -> Class {
        match self {
            Self::Refused(_) => Class::lasting(Category::ConnectionFailed, Blame::Peer),
            Self::Connection(error) => error.class(),
            Self::TimedOut(..) => Class::passing(Category::TimedOut, Blame::Peer),
            Self::BadNamespace(_) | Self::Unusable { .. } => Class::lasting(Category::InvalidArgument, Blame::Caller),
            Self::Closed => Class::lasting(Category::Closed, Blame::Nobody),
        }
    }
}

impl Classify for EmitFailed {
    fn class(&self) -> Class {
        match self {
            Self::Encode(_) => Class::lasting(Category::InvalidArgument, Blame::Caller),
            Self::Refused(error) => error.class(),
        }
    }
}

impl Classify for CallError {
    fn class(&self) -> Class {
        match self {
            Self::Emit(error) => error.class(),
            Self::Ack(error) => error.class(),
            Self::Decode(_) => Class::lasting(Category::UnexpectedData, Blame::Peer),
        }
    }
}

impl Classify for ReceiveError {
    fn class(&self) -> Class {
        match self {
            Self::TimedOut => Class::passing(Category::TimedOut, Blame::Nobody),
            Self::Disconnected => Class::lasting(Category::Closed, Blame::Nobody),
        }
    }
}

/// Why an event will not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitFailed {
    /// The arguments have no JSON form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The socket is gone, or too much waits. The arguments are given back.
    #[error(transparent)]
    Refused(#[from] EmitError),
}

impl EmitFailed {
    /// The arguments, encoded, where they have a form.
    pub fn into_args(self) -> Option<Args> {
        match self {
            Self::Encode(_) => None,
            Self::Refused(error) => Some(error.into_args()),
        }
    }
}

impl From<EmitFailed> for Error {
    fn from(error: EmitFailed) -> Self {
        match error {
            EmitFailed::Encode(error) => error.into(),
            EmitFailed::Refused(error) => error.into(),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The event was not sent, and its arguments are given back: at once, or when the socket ended or the server turned out
    /// not to take as much.
    #[error(transparent)]
    Emit(#[from] EmitFailed),
    /// No acknowledgement has come, or will come. Whether the event arrived is not known.
    #[error(transparent)]
    Ack(#[from] AckError),
    /// The acknowledgement is not what was asked for.
    #[error("the acknowledgement is of another shape: {0}")]
    Decode(#[from] DecodeError),
}

/// Why there is nothing to [receive](super::SimpleClient::receive_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing came in time.
    #[error("no event came in time")]
    TimedOut,
    /// Nothing will come any more: the client is closed, was thrown out, or has given up.
    #[error("the client is disconnected")]
    Disconnected,
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Emit(error) => error.into(),
            CallError::Ack(error) => error.into(),
            CallError::Decode(error) => error.into(),
        }
    }
}
