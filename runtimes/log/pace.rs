//! How often the log tells of what peers can bring about as often as they like.

#[cfg(feature = "tracing")]
use core::time::Duration;
#[cfg(feature = "tracing")]
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "tracing")]
use std::time::Instant;

/// How long it tells nothing more.
#[cfg(feature = "tracing")]
const PAUSE: Duration = Duration::from_secs(10);

/// Tells of something once, and later how often it was met since. Without the feature `tracing` it is nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    #[cfg(feature = "tracing")]
    told: Mutex<(Option<Instant>, u64)>,
}

impl Pace {
    /// How many more there were since the last time; `None` where it is not yet time to tell.
    #[cfg(feature = "tracing")]
    pub(crate) fn meet(&self) -> Option<u64> {
        let (told, more) = &mut *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| told.elapsed() < PAUSE) {
            *more += 1;
            return None;
        }
        *told = Some(Instant::now());
        Some(core::mem::take(more))
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn meet(&self) -> Option<u64> {
        None
    }
}
