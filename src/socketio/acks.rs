//! Acknowledgements that are waited for.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Key;
use crate::time::Instant;

/// Numbers below this are given by a machine, those from here on by whoever [broadcasts](BROADCAST_IDS).
const OWN_IDS: u64 = 1 << 30;

/// Numbers for the acknowledgements of broadcasts: one number for all receivers, so that the packet is encoded once. No
/// machine gives one of these by itself. They fit into 31 bits, because some clients have no more.
pub const BROADCAST_IDS: core::ops::Range<u64> = OWN_IDS..1 << 31;

#[derive(Debug, Default)]
pub(super) struct Acks {
    /// And until when. What is not sent yet has no deadline.
    pending: BTreeMap<(Key, u64), Option<Instant>>,
    deadlines: BTreeSet<(Instant, Key, u64)>,
    next_id: u64,
}

impl Acks {
    /// Waits for an acknowledgement under a number of our own.
    pub(super) fn expect_next(&mut self, key: Key, deadline: Option<Instant>) -> u64 {
        let id = loop {
            let id = self.next_id;
            self.next_id = (id + 1) % OWN_IDS;
            // They come round after a billion; who is still waiting then keeps its number.
            if !self.pending.contains_key(&(key, id)) {
                break id;
            }
        };
        self.expect(key, id, deadline);
        id
    }

    /// Waits for an acknowledgement under this number; anew, if it is waited for already.
    pub(super) fn expect(&mut self, key: Key, id: u64, deadline: Option<Instant>) {
        if let Some(Some(former)) = self.pending.insert((key, id), deadline) {
            self.deadlines.remove(&(former, key, id));
        }
        self.deadlines.extend(deadline.map(|deadline| (deadline, key, id)));
    }

    /// One came, or is not waited for any more. Whether it was waited for.
    pub(super) fn resolve(&mut self, key: Key, id: u64) -> bool {
        let Some(deadline) = self.pending.remove(&(key, id)) else {
            return false;
        };
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, key, id));
        }
        true
    }

    /// The next one that is late.
    pub(super) fn expired(&mut self, now: Instant) -> Option<(Key, u64)> {
        let &(deadline, key, id) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.resolve(key, id);
        Some((key, id))
    }

    /// All that were waited for from one socket, in the order of their numbers.
    pub(super) fn forget(&mut self, key: Key) -> Vec<u64> {
        let ids = self.of(key);
        for &id in &ids {
            self.resolve(key, id);
        }
        ids
    }

    /// All that are waited for from one socket, in the order of their numbers.
    pub(super) fn of(&self, key: Key) -> Vec<u64> {
        let all = (key, 0)..=(key, u64::MAX);
        self.pending.range(all).map(|(&(_, id), _)| id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|first| first.0)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn each_is_resolved_once() {
        let mut acks = Acks::default();
        let (a, b) = (Key(1), Key(2));
        assert_eq!(acks.expect_next(a, Some(at(30))), 0);
        assert_eq!(acks.expect_next(b, Some(at(10))), 1);
        acks.expect(a, 7, None);
        acks.expect(a, 7, Some(at(25)));
        assert_eq!((acks.len(), acks.deadline()), (3, Some(at(10))));
        assert!(acks.resolve(b, 1));
        assert!(!acks.resolve(b, 1) && !acks.resolve(b, 0));
        assert_eq!(acks.expired(at(24)), None);
        assert_eq!(acks.expired(at(25)), Some((a, 7)));
        assert_eq!(acks.expired(at(25)), None);
        assert_eq!(acks.forget(a), [0]);
        assert_eq!((acks.len(), acks.deadline()), (0, None));
    }

    #[test]
    fn numbers_come_round_and_pass_over_those_in_use() {
        let mut acks = Acks {
            next_id: OWN_IDS - 1,
            ..Acks::default()
        };
        acks.expect(Key(1), 0, None);
        assert_eq!(acks.expect_next(Key(1), None), OWN_IDS - 1);
        assert_eq!(acks.expect_next(Key(1), None), 1);
        assert_eq!(acks.expect_next(Key(2), None), 2);
    }
}
