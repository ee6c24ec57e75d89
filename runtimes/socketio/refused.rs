//! No to a client that wants to join a namespace.

use core::fmt;
use std::string::String;

use serde_core::Serialize;

use crate::socketio::{DecodeError, Json};

/// No to a client that wants to join a namespace, and what it is told: a message, and maybe data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, for people.
    pub message: String,
    /// Why, for programs.
    pub data: Option<Json>,
}

impl Refused {
    /// A refusal with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// With data. What has no JSON form is left out.
    #[must_use]
    pub fn data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        self.data = Json::encode(data).ok();
        self
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.message)
    }
}

impl core::error::Error for Refused {}

/// What the client has sent to be judged by is not what the handler expects. The client is not told more than that.
impl From<DecodeError> for Refused {
    fn from(_: DecodeError) -> Self {
        Self::new("invalid auth")
    }
}
