//! What an interceptor of events may return.

use std::boxed::Box;

use crate::socketio::Args;

type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// What an interceptor says of an event: `true`, `()` and `Some(args)` let it pass, the last with other arguments; `false`
/// and `None` drop it without a word; an error drops it and goes to the log. What is dropped is not acknowledged.
#[diagnostic::on_unimplemented(
    message = "an interceptor returns `()`, `bool`, `Option<Args>`, or a `Result` of one of them; `{Self}` is none of these"
)]
pub trait Passage: Send {
    /// The arguments that the event goes on with; `None` where it does not.
    ///
    /// # Errors
    /// It does not, and the log shall tell why.
    fn into_passage(self, args: Args) -> Result<Option<Args>, BoxError>;
}

impl Passage for () {
    fn into_passage(self, args: Args) -> Result<Option<Args>, BoxError> {
        Ok(Some(args))
    }
}

impl Passage for bool {
    fn into_passage(self, args: Args) -> Result<Option<Args>, BoxError> {
        Ok(self.then_some(args))
    }
}

impl Passage for Option<Args> {
    fn into_passage(self, _: Args) -> Result<Option<Args>, BoxError> {
        Ok(self)
    }
}

impl<T: Passage, E: Into<BoxError> + Send> Passage for Result<T, E> {
    fn into_passage(self, args: Args) -> Result<Option<Args>, BoxError> {
        self.map_err(Into::into)?.into_passage(args)
    }
}
