//! Time as the machines see it: a number that the driver brings.

use core::ops::Add;
use core::time::Duration;

/// A moment: microseconds since an epoch of the driver's own choice.
///
/// There is no clock in the machines. Whoever drives one reads *its* clock (a monotonic one, or a simulated
/// one) and says what time it is. There is no conversion from `std::time::Instant` on purpose: only the
/// driver knows what its epoch is.
///
/// ```
/// use core::time::Duration;
/// use sansocket::time::Instant;
///
/// let start = Instant::from_micros(0);
/// let later = start + Duration::from_millis(25);
/// assert_eq!(later.as_micros(), 25_000);
/// assert_eq!(later.saturating_duration_since(start), Duration::from_millis(25));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at the end of time (half a million years after the epoch) rather than overflow.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}
