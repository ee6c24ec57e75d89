//! How long to wait before the next try.

use core::time::Duration;

/// How long to wait before connecting again, and how often: the delay doubles from one failure to the next, up to a
/// maximum, and is shortened or lengthened at random so that the clients of a server that comes back do not all come back
/// in the same moment.
///
/// ```
/// use core::time::Duration;
/// use sansocket::Backoff;
///
/// let backoff = Backoff::default().attempts(3).jitter(0.0);
/// let delays: Vec<_> = (1..=4).map(|attempt| backoff.delay_before(attempt, 0)).collect();
/// assert_eq!(delays, [1, 2, 4].map(|secs| Some(Duration::from_secs(secs))).into_iter().chain([None]).collect::<Vec<_>>());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    attempts: Option<u32>,
    delay: Duration,
    max_delay: Duration,
    jitter: f64,
}

/// For ever, after 1 s at first and 5 s at last, half as much more or less.
impl Default for Backoff {
    fn default() -> Self {
        Self {
            attempts: None,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(5),
            jitter: 0.5,
        }
    }
}

impl Backoff {
    /// Gives up after so many failures in a row; 0 is not to try again at all.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Never gives up.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.attempts = None;
        self
    }

    /// The delay before the first attempt.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The delay that doubling does not go beyond. The jitter may.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// By which part of itself a delay is longer or shorter at most: 0 is exact, 0.5 between half and one and a half, 1
    /// between nothing and twice. Other values are taken for the nearest of these.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        // Not a number is no jitter.
        self.jitter = if part > 0.0 { part.min(1.0) } else { 0.0 };
        self
    }

    /// How long to wait before this attempt, the first of which is 1; `None` where there is none any more. `random` is any
    /// number, each as likely as any other.
    pub fn delay_before(&self, attempt: u32, random: u64) -> Option<Duration> {
        if self.attempts.is_some_and(|attempts| attempt > attempts) {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let delay = self.delay.saturating_mul(1 << doublings).min(self.max_delay);
        // Between -1 and 1.
        let random = (random >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        let factor = 1.0 + self.jitter * random;
        Some(Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let backoff = Backoff::default()
            .delay(Duration::from_millis(100))
            .max_delay(Duration::from_millis(350))
            .jitter(0.0);
        let delays = [1, 2, 3, 4, 400].map(|attempt| backoff.delay_before(attempt, 7).unwrap().as_millis());
        assert_eq!(delays, [100, 200, 350, 350, 350]);
    }

    #[test]
    fn jitter_keeps_its_bounds() {
        let backoff = Backoff::default();
        let of = |random| backoff.delay_before(1, random).unwrap().as_millis();
        assert_eq!(of(0), 500);
        assert!((1499..=1500).contains(&of(u64::MAX)));
        assert_eq!(of(1 << 63), 1000);
        let exact = Backoff::default().jitter(f64::NAN);
        assert_eq!(exact.delay_before(1, 0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn attempts_are_counted() {
        assert_eq!(Backoff::default().attempts(0).delay_before(1, 0), None);
        assert!(Backoff::default().attempts(2).delay_before(2, 0).is_some());
        assert_eq!(Backoff::default().attempts(2).delay_before(3, 0), None);
        let largest = Backoff::default().delay(Duration::MAX).max_delay(Duration::MAX);
        assert!(largest.delay_before(u32::MAX, u64::MAX).is_some());
    }
}
