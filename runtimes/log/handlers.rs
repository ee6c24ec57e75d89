//! What the log says of a client's handlers. A server's name their session or socket.

use core::error::Error;

use super::{Line, log};
use crate::runtime::leaving::says_gone;

/// A handler has returned an error.
pub(crate) fn handler_failed(handler: &str, error: &(dyn Error + 'static)) {
    match says_gone(error) {
        true => log!(debug, "handlers", "{handler} has ended: {}", Line(error)),
        false => log!(warn, "handlers", error = %Line(error), "{handler} returned an error"),
    }
}
