//! All deadlines of a server: a heap per shard, and one sleeper for all of them.
//!
//! An entry says "look again then", not "this is due": whoever is looked at knows its real deadline, which has mostly
//! moved away by then, and schedules itself anew. So a deadline that moves later, as they do with every packet, costs
//! nothing.

use core::cmp::Reverse;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Waker;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use crate::time::Instant;

const NEVER: u64 = u64::MAX;

/// Whoever has deadlines.
pub(super) trait Expire: Send + Sync {
    /// The time `at` that was scheduled has come. Whoever has scheduled an earlier time since then has been looked at
    /// already, and ignores this one: else each entry that is replaced would go on for ever beside the new one.
    fn expire(&self, at: Instant, now: Instant);
}

/// One entry's owner in [`Timers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerKey {
    slot: u32,
    generation: u32,
}

#[derive(Default)]
struct Shard {
    heap: BinaryHeap<Reverse<(Instant, TimerKey)>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    owner: Option<Arc<dyn Expire>>,
}

/// The deadlines, and the waker of the one task that sleeps until the next.
pub(super) struct Timers {
    shards: Vec<Mutex<Shard>>,
    /// What the sleeper sleeps for. An earlier deadline wakes it.
    armed: AtomicU64,
    sleeper: Mutex<Option<Waker>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timers {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            armed: AtomicU64::new(NEVER),
            sleeper: Mutex::new(None),
        }
    }

    pub(super) fn register(&self, shard: usize, owner: Arc<dyn Expire>) -> TimerKey {
        let mut shard = lock(&self.shards[shard]);
        let slot = shard.free.pop().unwrap_or_else(|| {
            shard.slots.push(Slot::default());
            u32::try_from(shard.slots.len() - 1).expect("four billion sessions do not fit into memory")
        });
        let entry = &mut shard.slots[slot as usize];
        entry.owner = Some(owner);
        TimerKey {
            slot,
            generation: entry.generation,
        }
    }

    pub(super) fn remove(&self, shard: usize, key: TimerKey) {
        let owner = {
            let mut shard = lock(&self.shards[shard]);
            let entry = &mut shard.slots[key.slot as usize];
            if entry.generation != key.generation {
                return;
            }
            entry.generation = entry.generation.wrapping_add(1);
            let owner = entry.owner.take();
            shard.free.push(key.slot);
            // Nobody is left: what the heap still holds is stale.
            if shard.free.len() == shard.slots.len() {
                shard.heap.clear();
            }
            owner
        };
        // Its destructor may want the lock.
        drop(owner);
    }

    pub(super) fn schedule(&self, shard: usize, key: TimerKey, at: Instant) {
        lock(&self.shards[shard]).heap.push(Reverse((at, key)));
        if at.as_micros() < self.armed.load(Ordering::SeqCst) {
            self.wake_sleeper();
        }
    }

    fn wake_sleeper(&self) {
        let sleeper = lock(&self.sleeper).take();
        if let Some(waker) = sleeper {
            waker.wake();
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `waker` is woken where that becomes earlier.
    pub(super) fn poll_timeout(&self, waker: &Waker) -> Option<Instant> {
        *lock(&self.sleeper) = Some(waker.clone());
        // From here on every new deadline wakes; only then look at those that are there.
        self.armed.store(NEVER, Ordering::SeqCst);
        let next = self
            .shards
            .iter()
            .filter_map(|shard| lock(shard).heap.peek().map(|Reverse((at, _))| *at))
            .min();
        self.armed
            .store(next.map_or(NEVER, Instant::as_micros), Ordering::SeqCst);
        next
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).heap.len()).sum()
    }

    /// Looks at everybody whose time has come.
    pub(super) fn handle_timeout(&self, now: Instant) {
        for shard in &self.shards {
            loop {
                // Not under the lock, which scheduling anew takes.
                let due = next_due(&mut lock(shard), now);
                let Some((owner, at)) = due else { break };
                owner.expire(at, now);
            }
        }
    }
}

fn next_due(shard: &mut Shard, now: Instant) -> Option<(Arc<dyn Expire>, Instant)> {
    loop {
        let Reverse((at, key)) = *shard.heap.peek()?;
        let slot = &shard.slots[key.slot as usize];
        let current = slot.generation == key.generation;
        if current && at > now {
            return None;
        }
        let owner = slot.owner.clone().filter(|_| current);
        shard.heap.pop();
        if let Some(owner) = owner {
            return Some((owner, at));
        }
    }
}

/// The deadline of one connection.
pub(super) struct Alarm {
    deadline: AtomicU64,
    /// When the heap has it looked at next.
    scheduled: AtomicU64,
    waker: Mutex<Option<Waker>>,
    timers: Arc<Timers>,
    shard: usize,
    key: Mutex<Option<TimerKey>>,
}

impl core::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Alarm")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Whoever holds the guard has the alarm; dropping it takes the alarm out of the heap.
#[derive(Debug)]
pub(super) struct AlarmGuard(pub(super) Arc<Alarm>);

impl Drop for AlarmGuard {
    fn drop(&mut self) {
        if let Some(key) = lock(&self.0.key).take() {
            self.0.timers.remove(self.0.shard, key);
        }
    }
}

impl Alarm {
    pub(super) fn register(timers: &Arc<Timers>, shard: usize) -> AlarmGuard {
        let alarm = Arc::new(Self {
            deadline: AtomicU64::new(NEVER),
            scheduled: AtomicU64::new(NEVER),
            waker: Mutex::new(None),
            timers: timers.clone(),
            shard,
            key: Mutex::new(None),
        });
        let key = timers.register(shard, alarm.clone());
        *lock(&alarm.key) = Some(key);
        AlarmGuard(alarm)
    }

    /// Wakes `waker` when `deadline` has come; replaces what was set before.
    pub(super) fn set(&self, deadline: Option<Instant>, waker: &Waker) {
        let at = deadline.map_or(NEVER, Instant::as_micros);
        if at != NEVER {
            let mut slot = lock(&self.waker);
            if !slot.as_ref().is_some_and(|set| set.will_wake(waker)) {
                *slot = Some(waker.clone());
            }
        }
        self.deadline.store(at, Ordering::SeqCst);
        if at != NEVER {
            self.schedule(at);
        }
    }

    fn schedule(&self, at: u64) {
        if self.scheduled.fetch_min(at, Ordering::SeqCst) <= at {
            return;
        }
        let key = *lock(&self.key);
        if let Some(key) = key {
            self.timers.schedule(self.shard, key, Instant::from_micros(at));
        }
    }
}

impl Expire for Alarm {
    fn expire(&self, at: Instant, now: Instant) {
        let current = self
            .scheduled
            .compare_exchange(at.as_micros(), NEVER, Ordering::SeqCst, Ordering::SeqCst);
        if current.is_err() {
            return;
        }
        let deadline = self.deadline.load(Ordering::SeqCst);
        if deadline <= now.as_micros() {
            self.deadline.store(NEVER, Ordering::SeqCst);
            let waker = lock(&self.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        } else if deadline != NEVER {
            self.schedule(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        (count.clone(), count.into())
    }

    #[test]
    fn an_alarm_rings_once_and_when_it_was_set_last() {
        let timers = Arc::new(Timers::new(1));
        let (rung, waker) = counter();
        let alarm = Alarm::register(&timers, 0);
        alarm.0.set(Some(at(10)), &waker);
        alarm.0.set(Some(at(30)), &waker);
        timers.handle_timeout(at(20));
        assert_eq!(rung.0.load(Ordering::SeqCst), 0);
        assert_eq!(timers.poll_timeout(Waker::noop()), Some(at(30)));
        timers.handle_timeout(at(30));
        timers.handle_timeout(at(40));
        assert_eq!(rung.0.load(Ordering::SeqCst), 1);
        alarm.0.set(Some(at(50)), &waker);
        timers.handle_timeout(at(50));
        assert_eq!(rung.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn an_earlier_deadline_wakes_the_sleeper() {
        let timers = Arc::new(Timers::new(2));
        let (woken, sleeper) = counter();
        let first = Alarm::register(&timers, 0);
        let second = Alarm::register(&timers, 1);
        first.0.set(Some(at(100)), Waker::noop());
        assert_eq!(timers.poll_timeout(&sleeper), Some(at(100)));
        second.0.set(Some(at(200)), Waker::noop());
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        second.0.set(Some(at(50)), Waker::noop());
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(timers.poll_timeout(&sleeper), Some(at(50)));
    }

    #[test]
    fn entries_that_were_replaced_do_not_multiply() {
        let timers = Arc::new(Timers::new(1));
        let alarm = Alarm::register(&timers, 0);
        for round in 0..1000 {
            alarm.0.set(Some(at(round * 10 + 100)), Waker::noop());
            alarm.0.set(Some(at(round * 10 + 15)), Waker::noop());
            timers.handle_timeout(at(round * 10 + 10));
        }
        assert!(timers.len() < 20, "{} entries", timers.len());
    }

    #[test]
    fn nothing_is_left_of_what_was_dropped() {
        let timers = Arc::new(Timers::new(1));
        let alarm = Alarm::register(&timers, 0);
        alarm.0.set(Some(at(10)), Waker::noop());
        drop(alarm);
        assert_eq!(timers.poll_timeout(Waker::noop()), None);
    }
}
