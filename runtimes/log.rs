//! Log lines of the drivers: through `tracing` where that feature is on, nowhere where it is off.
//!
//! The machines log nothing; they report. A session is named by the first characters of its id, which tell it from
//! others and give nothing away.

macro_rules! log {
    ($level:ident, $($args:tt)+) => {{
        #[cfg(feature = "tracing")]
        tracing::$level!($($args)+);
        // The arguments are looked at either way, so that a feature can not make one unused.
        #[cfg(not(feature = "tracing"))]
        if false {
            let _unseen = ::std::format_args!($($args)+);
        }
    }};
}

pub(crate) use log;

use crate::engineio::Sid;

/// The first characters of a session's id.
pub(crate) fn prefix(sid: &Sid) -> &str {
    sid.as_str().get(..6).unwrap_or_default()
}
