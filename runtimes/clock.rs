//! The standard library's clock, for runtimes that have none of their own.

use core::time::Duration;
use std::sync::OnceLock;

use crate::time::Instant;

fn epoch() -> std::time::Instant {
    static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
    *EPOCH.get_or_init(std::time::Instant::now)
}

/// The time since the first call.
pub(super) fn now() -> Instant {
    Instant::from_micros(u64::try_from(epoch().elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// The same moment on the standard library's clock; `None` where that does not reach so far.
#[cfg(feature = "smol")]
pub(super) fn at(moment: Instant) -> Option<std::time::Instant> {
    epoch().checked_add(Duration::from_micros(moment.as_micros()))
}

/// How long until this moment.
#[cfg(any(feature = "async-std", all(feature = "blocking", unix)))]
pub(super) fn left(moment: Instant) -> Duration {
    Duration::from_micros(moment.as_micros()).saturating_sub(epoch().elapsed())
}
