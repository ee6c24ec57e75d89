//! A single-threaded executor in virtual time: the seed chooses who runs next, and time passes only when nobody can.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::rng::Rng;
use super::runtime::Kernel;
use super::schedule::Due;

pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whose a task, a timer or a stream is; at the end of a world nothing of the server's may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Server,
    App,
    Peer,
    /// What our own client does for itself.
    Client,
}

/// So many polls without time passing are a busy loop.
const POLLS_PER_INSTANT: u32 = 100_000;
/// So many polls in one world are a busy loop that at least sleeps.
const POLLS_PER_WORLD: u64 = 5_000_000;

/// A panic while somebody held a lock is reported by the panic itself; the lock is not the news.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tasks that were woken. Apart from the kernel's lock, because wakers are called under it.
#[derive(Default)]
pub struct Ready(Mutex<Vec<usize>>);

struct Flag {
    id: usize,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready.0).push(self.id);
        }
    }
}

struct Slot {
    owner: Owner,
    task: Option<Task>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// Why a run came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Halt {
    /// Nothing can happen any more: no task is awake and nothing is due.
    Quiet,
    /// Something is due, but after the horizon.
    Horizon,
    /// The caller's condition became true.
    Stopped,
    /// A livelock.
    Stuck(String),
}

pub struct Executor {
    kernel: Arc<Mutex<Kernel>>,
    ready: Arc<Ready>,
    rng: Rng,
    /// One turn in so many comes late; 0 for never.
    tardiness: u64,
    slots: Vec<Slot>,
    polls: u64,
    polls_now: u32,
    /// The latest polls were of these.
    latest: [Option<Owner>; 8],
}

impl Executor {
    pub fn new(kernel: Arc<Mutex<Kernel>>, rng: Rng, tardiness: u64) -> Self {
        Self {
            kernel,
            ready: Arc::default(),
            rng,
            tardiness,
            slots: Vec::new(),
            polls: 0,
            polls_now: 0,
            latest: [None; 8],
        }
    }

    pub fn spawn(&mut self, owner: Owner, task: Task) {
        let flag = Arc::new(Flag {
            id: self.slots.len(),
            queued: AtomicBool::new(false),
            ready: self.ready.clone(),
        });
        let waker = Waker::from(flag.clone());
        waker.wake_by_ref();
        self.slots.push(Slot {
            owner,
            task: Some(task),
            flag,
            waker,
        });
    }

    pub fn tasks_of(&self, owner: Owner) -> usize {
        let alive = self.slots.iter().filter(|slot| slot.task.is_some());
        alive.filter(|slot| slot.owner == owner).count()
    }

    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Runs until `stop` says so, nothing happens before `horizon`, or nothing can happen at all.
    pub fn run(&mut self, horizon: u64, mut stop: impl FnMut() -> bool) -> Halt {
        loop {
            self.adopt();
            if stop() {
                return Halt::Stopped;
            }
            if let Some(stuck) = self.stuck() {
                return Halt::Stuck(stuck);
            }
            if let Some(id) = self.choose() {
                self.poll(id);
                continue;
            }
            let kernel = self.kernel.clone();
            let mut kernel = lock(&kernel);
            let before = kernel.schedule.now();
            let Some(due) = kernel.schedule.next(horizon) else {
                if kernel.schedule.is_empty() {
                    return Halt::Quiet;
                }
                kernel.schedule.idle_until(horizon);
                return Halt::Horizon;
            };
            if kernel.schedule.now() != before {
                self.polls_now = 0;
                kernel.network.time_passed();
            }
            self.happen(&mut kernel, due);
            // Sometimes two things that are due together are both there before anybody looks.
            while kernel.schedule.more_now() && self.rng.one_in(2) {
                let Some(due) = kernel.schedule.next(horizon) else {
                    break;
                };
                self.happen(&mut kernel, due);
            }
        }
    }

    fn happen(&mut self, kernel: &mut Kernel, due: Due) {
        match due {
            Due::Timer(key) => {
                if let Some(waker) = kernel.schedule.fired(key) {
                    waker.wake();
                }
            }
            Due::Task(id) => lock(&self.ready.0).push(id),
            Due::Network(occurrence) => kernel.occur(occurrence),
        }
    }

    fn stuck(&self) -> Option<String> {
        let fatal = lock(&self.kernel).network.spinning();
        if fatal.is_some() {
            return fatal;
        }
        if self.polls_now > POLLS_PER_INSTANT {
            let latest = self.latest;
            return Some(format!(
                "{POLLS_PER_INSTANT} polls without time passing, the latest of {latest:?}"
            ));
        }
        (self.polls > POLLS_PER_WORLD).then(|| format!("{POLLS_PER_WORLD} polls in one world"))
    }

    /// Takes in what was spawned since the last turn.
    fn adopt(&mut self) {
        let spawned = mem::take(&mut lock(&self.kernel).spawned);
        for (owner, task) in spawned {
            self.spawn(owner, task);
        }
    }

    fn choose(&mut self) -> Option<usize> {
        loop {
            let id = {
                let mut ready = lock(&self.ready.0);
                if ready.is_empty() {
                    return None;
                }
                let chosen = self.rng.index(ready.len());
                ready.swap_remove(chosen)
            };
            if self.slots[id].task.is_none() {
                continue;
            }
            if self.rng.one_in(self.tardiness) {
                let late = self.rng.by_magnitude(3, 12);
                let mut kernel = lock(&self.kernel);
                let at = kernel.schedule.now() + late + 1;
                kernel.schedule.add(at, Due::Task(id));
                continue;
            }
            return Some(id);
        }
    }

    fn poll(&mut self, id: usize) {
        self.polls += 1;
        self.polls_now += 1;
        let slot = &mut self.slots[id];
        let Some(task) = &mut slot.task else {
            return;
        };
        self.latest[(self.polls % 8) as usize] = Some(slot.owner);
        // Before the poll: a wake during it means another turn.
        slot.flag.queued.store(false, Ordering::Relaxed);
        let mut cx = Context::from_waker(&slot.waker);
        if task.as_mut().poll(&mut cx) == Poll::Ready(()) {
            slot.task = None;
        }
    }
}
