//! How much one person may do in a short time: what one says costs everybody in the room.

use std::time::{Duration, Instant};

/// What may be done at once.
const BURST: u32 = 30;
/// After how long one more may be done.
const STEP: Duration = Duration::from_millis(100);

/// A leaky bucket: what is in it must run out before more is let in.
#[derive(Default)]
pub struct Pace {
    /// When it will be empty.
    empty: Option<Instant>,
}

impl Pace {
    /// Whether something of this cost may be done now, which is then counted.
    pub fn allows(&mut self, cost: u32) -> bool {
        self.allows_at(Instant::now(), cost)
    }

    fn allows_at(&mut self, now: Instant, cost: u32) -> bool {
        let empty = self.empty.map_or(now, |empty| empty.max(now)) + STEP * cost;
        let fits = empty.duration_since(now) <= STEP * BURST;
        if fits {
            self.empty = Some(empty);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_a_pace() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!((0..100).filter(|_| pace.allows_at(start, 1)).count(), 30);
        assert!(pace.allows_at(start + STEP, 1));
        assert!(!pace.allows_at(start + STEP, 1));
        assert!(pace.allows_at(start + STEP * 100, 30));
    }
}
