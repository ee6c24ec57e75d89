//! Errors that are none: a client has left while a handler was at work for it, as clients do.

use core::error::Error as StdError;

use crate::error::{Error, SendError, TryRecvError};
use crate::runtime::socketio::client::{CallError, EmitFailed};
use crate::socketio::{AckError, EmitError};

/// Whether a handler's error says no more than that somebody has gone.
pub(crate) fn says_gone(error: &(dyn StdError + 'static)) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Send(error)) => is_closed(error),
        Some(Error::Queue(error)) => is_closed(error),
        Some(Error::Receive(error)) => is_closed(error),
        Some(Error::Emit(error)) => is_closed(error),
        Some(Error::Ack(error)) => is_closed(error),
        // What a handler has returned in a type of its own.
        Some(Error::Application(error)) => says_gone(&**error),
        Some(_) => false,
        None => is_closed(error),
    }
}

fn is_closed(error: &(dyn StdError + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(SendError::Closed(_)))
        || matches!(error.downcast_ref(), Some(crate::engineio::SendError::Closed(_)))
        || matches!(error.downcast_ref(), Some(TryRecvError::Closed))
        || matches!(error.downcast_ref(), Some(EmitError::Disconnected(_)))
        || matches!(error.downcast_ref(), Some(AckError::Disconnected))
        || matches!(error.downcast_ref(), Some(EmitFailed::Refused(error)) if is_closed(error))
        || matches!(error.downcast_ref(), Some(CallError::Emit(error)) if is_closed(error))
        || matches!(error.downcast_ref(), Some(CallError::Ack(error)) if is_closed(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::Data;

    #[test]
    fn only_the_end_of_a_session_is_no_error() {
        let message = || Data::from("hello");
        let gone: [Error; 4] = [
            SendError::Closed(message()).into(),
            Error::application(SendError::Closed(message())),
            Error::application(Error::application(Error::from(TryRecvError::Closed))),
            AckError::Disconnected.into(),
        ];
        for error in gone {
            assert!(says_gone(&error), "{error:?}");
        }
        let others: [Error; 4] = [
            SendError::TooLarge(message()).into(),
            Error::application(AckError::TimedOut),
            Error::application("the session is closed"),
            TryRecvError::Empty.into(),
        ];
        for error in others {
            assert!(!says_gone(&error), "{error:?}");
        }
        assert!(says_gone(&crate::engineio::SendError::Closed(message())));
        assert!(says_gone(&Error::application(CallError::Ack(AckError::Disconnected))));
        assert!(!says_gone(&CallError::Ack(AckError::NotSent)));
    }
}
