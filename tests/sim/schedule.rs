//! Virtual time: what is going to happen, and when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::task::Waker;

use super::executor::Owner;
use super::network::Occurrence;
use super::rng::Rng;

/// Something that becomes due.
#[derive(Debug)]
pub enum Due {
    Timer(TimerKey),
    /// A task whose turn comes late, as on a busy machine.
    Task(usize),
    Network(Occurrence),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey {
    slot: usize,
    generation: u32,
}

struct Entry {
    at: u64,
    /// Things that are due in the same microsecond happen in an order that the seed chooses.
    tie: u32,
    sequence: u64,
    due: Due,
}

impl Entry {
    fn key(&self) -> (u64, u32, u64) {
        (self.at, self.tie, self.sequence)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The standard heap gives the greatest first; the earliest is wanted.
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

struct Timer {
    generation: u32,
    owner: Option<Owner>,
    waker: Option<Waker>,
}

pub struct Schedule {
    now: u64,
    sequence: u64,
    rng: Rng,
    /// Timers fire up to this much late, like everybody's.
    lateness: u64,
    heap: BinaryHeap<Entry>,
    timers: Vec<Timer>,
    free: Vec<usize>,
}

impl Schedule {
    pub fn new(rng: Rng, lateness: u64) -> Self {
        Self {
            // Not zero: an epoch is "of the runtime's choice", and code that takes 0 for "never" shows up.
            now: 1_000_000,
            sequence: 0,
            rng,
            lateness,
            heap: BinaryHeap::new(),
            timers: Vec::new(),
            free: Vec::new(),
        }
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    pub fn add(&mut self, at: u64, due: Due) {
        self.sequence += 1;
        let tie = self.rng.next() as u32;
        self.heap.push(Entry {
            at: at.max(self.now),
            tie,
            sequence: self.sequence,
            due,
        });
    }

    pub fn set_timer(&mut self, owner: Owner, deadline: u64, waker: Waker) -> TimerKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.timers.push(Timer {
                generation: 0,
                owner: None,
                waker: None,
            });
            self.timers.len() - 1
        });
        let timer = &mut self.timers[slot];
        timer.owner = Some(owner);
        timer.waker = Some(waker);
        let key = TimerKey {
            slot,
            generation: timer.generation,
        };
        let late = self.rng.between(0, self.lateness);
        self.add(deadline.saturating_add(late), Due::Timer(key));
        key
    }

    pub fn rewake(&mut self, key: TimerKey, waker: &Waker) {
        let timer = &mut self.timers[key.slot];
        debug_assert_eq!(timer.generation, key.generation, "a timer outlived its sleep");
        match &mut timer.waker {
            Some(known) if known.will_wake(waker) => {}
            place => *place = Some(waker.clone()),
        }
    }

    pub fn clear_timer(&mut self, key: TimerKey) {
        let timer = &mut self.timers[key.slot];
        debug_assert_eq!(timer.generation, key.generation, "a timer was cleared twice");
        timer.generation += 1;
        timer.owner = None;
        timer.waker = None;
        self.free.push(key.slot);
    }

    pub fn timers_of(&self, owner: Owner) -> usize {
        let ours = self.timers.iter().filter(|timer| timer.owner == Some(owner));
        ours.count()
    }

    /// The waker of a timer that fired, if anybody still waits for it.
    pub fn fired(&mut self, key: TimerKey) -> Option<Waker> {
        let timer = &mut self.timers[key.slot];
        (timer.generation == key.generation).then(|| timer.waker.take())?
    }

    fn is_stale(&self, due: &Due) -> bool {
        matches!(due, Due::Timer(key) if self.timers[key.slot].generation != key.generation)
    }

    /// The next thing to happen, no later than `horizon`; time moves to it.
    pub fn next(&mut self, horizon: u64) -> Option<Due> {
        self.forget_stale();
        if self.heap.peek()?.at > horizon {
            return None;
        }
        let entry = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.due)
    }

    /// A sleep that was dropped must not move the clock: nothing happens then.
    fn forget_stale(&mut self) {
        while self.heap.peek().is_some_and(|entry| self.is_stale(&entry.due)) {
            self.heap.pop();
        }
    }

    /// True if something is due in the present microsecond.
    pub fn more_now(&mut self) -> bool {
        self.forget_stale();
        self.heap.peek().is_some_and(|entry| entry.at == self.now)
    }

    pub fn is_empty(&self) -> bool {
        self.heap.iter().all(|entry| self.is_stale(&entry.due))
    }

    /// Lets time pass up to `moment` when nothing happens until then.
    pub fn idle_until(&mut self, moment: u64) {
        self.now = self.now.max(moment);
    }
}
