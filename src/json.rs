//! Why a value can not be sent as JSON, or JSON is not the value that was asked for: the same for every layer.

use core::fmt;

/// Why a value can not be sent: it has no JSON form. A map whose keys are no text, or a `Serialize` that fails.
#[derive(Debug, thiserror::Error)]
#[error("no JSON form: {0}")]
pub struct EncodeError(serde_json::Error);

impl From<serde_json::Error> for EncodeError {
    fn from(error: serde_json::Error) -> Self {
        Self(error)
    }
}

/// Why what came is not what was asked for: the sender's mistake, or a handler's that expects something else.
#[derive(Debug)]
pub struct DecodeError {
    /// Which argument, counted from 0.
    pub(crate) index: Option<usize>,
    pub(crate) error: serde_json::Error,
}

impl DecodeError {
    /// Which argument of an event is wrong, counted from 0, where it is a certain one.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.index.get_or_insert(index);
        self
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self { index: None, error }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "argument {index}: {}", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

impl core::error::Error for DecodeError {}
