//! What a handler of events may return, and what becomes of it.

use std::boxed::Box;

use crate::socketio::{Args, IntoArgs};

type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// The answer to an event, where one is wanted: the argument of the acknowledgement, or a tuple for several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack<T>(pub T);

/// What a handler of events may return: `()` acknowledges with no arguments, [`Ack`] with some; an error goes to the log,
/// and is no acknowledgement. Where none was asked for, none is sent.
#[diagnostic::on_unimplemented(
    message = "a handler of events returns `()`, `Ack(value)`, or a `Result` of one of them; `{Self}` is none of these",
    note = "a value that is to be the acknowledgement is wrapped: `Ack(value)`",
    note = "on plain threads, and nowhere else, handlers are not `async`"
)]
pub trait Reply: Send {
    /// The arguments of the acknowledgement.
    ///
    /// # Errors
    /// There is to be none: the handler has failed, or its value has no JSON form.
    fn into_reply(self) -> Result<Args, BoxError>;
}

impl Reply for () {
    fn into_reply(self) -> Result<Args, BoxError> {
        Ok(Args::default())
    }
}

impl<T: IntoArgs + Send> Reply for Ack<T> {
    fn into_reply(self) -> Result<Args, BoxError> {
        Ok(Args::encode(&self.0)?)
    }
}

impl<T: Reply, E: Into<BoxError> + Send> Reply for Result<T, E> {
    fn into_reply(self) -> Result<Args, BoxError> {
        self.map_err(Into::into)?.into_reply()
    }
}
