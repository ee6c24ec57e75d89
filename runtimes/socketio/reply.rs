//! What a handler returns: the acknowledgement of its event.

use std::boxed::Box;

use serde_core::Serialize;

use crate::socketio::{Args, IntoArgs};

pub(crate) type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// What the handler of an event may return: it becomes the acknowledgement, where the sender wants one.
///
/// `()` is an empty one, [`Ack`] one with a value, [`AckArgs`] one with several. The `Ok` of a result is one of these; its
/// `Err` goes to the log and acknowledges nothing, so that the sender's own time-out tells.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be the answer to an event",
    label = "a handler returns `()`, `Ack(value)`, or a `Result` of one of them",
    note = "wrap a value as `Ack(value)`; it must implement `serde::Serialize`, and an error turn into `Box<dyn Error + Send + Sync>`"
)]
pub trait Reply: Send {
    /// The arguments of the acknowledgement.
    ///
    /// # Errors
    /// There is none: why, for the log.
    fn into_reply(self) -> Result<Args, BoxError>;
}

impl Reply for () {
    fn into_reply(self) -> Result<Args, BoxError> {
        Ok(Args::default())
    }
}

/// An acknowledgement with one value, whatever that is: a tuple or a list too is one. The other end reads it with `call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<T>(pub T);

impl<T: Serialize + Send> Reply for Ack<T> {
    fn into_reply(self) -> Result<Args, BoxError> {
        Ok(Args::encode(&(self.0,))?)
    }
}

/// An acknowledgement with several values: a tuple, or [`Args`] as they came. The other end reads them with `call_args`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckArgs<A>(pub A);

impl<A: IntoArgs + Send> Reply for AckArgs<A> {
    fn into_reply(self) -> Result<Args, BoxError> {
        Ok(self.0.to_args()?)
    }
}

impl<T: Reply, E: Into<BoxError> + Send> Reply for Result<T, E> {
    fn into_reply(self) -> Result<Args, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}
