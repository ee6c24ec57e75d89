//! Threads that are joined: each when it has ended, all of them at the end.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Instant;

/// How many threads there may be, in all crews together. Each takes four memory mappings (its stack, the one for signals,
/// and a guard for either), of which Linux grants a process 65,530. Where those run out it may be the thread itself that does
/// not get what it needs when it has started already, and then the standard library ends the whole program.
const MOST: usize = 15_000;

/// How many there are.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Counted;

impl Counted {
    fn new() -> io::Result<Self> {
        let counted = Self;
        if THREADS.fetch_add(1, Ordering::Relaxed) < MOST {
            Ok(counted)
        } else {
            Err(io::Error::other("there are too many of them"))
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Threads that belong together.
///
/// A thread that has ended keeps its stack until it is joined. So each joins, on leaving, the one that has left before it:
/// never more than one is waiting to be joined.
#[derive(Debug, Default)]
pub(super) struct Crew {
    state: Mutex<State>,
    /// One has left.
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    aboard: HashMap<ThreadId, JoinHandle<()>>,
    /// The last one that has left.
    last: Option<JoinHandle<()>>,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread.
    ///
    /// # Errors
    /// The system has no more of them. Gives the work back.
    pub(super) fn start<W>(self: &Arc<Self>, thread: thread::Builder, work: W) -> Result<(), (io::Error, W)>
    where
        W: FnOnce() + Send + 'static,
    {
        let counted = match Counted::new() {
            Ok(counted) => counted,
            Err(error) => return Err((error, work)),
        };
        let work = Arc::new(Mutex::new(Some(work)));
        let (crew, taken) = (self.clone(), work.clone());
        // It can not leave before it is noted.
        let mut state = self.lock();
        let started = thread.spawn(move || {
            // Dropped last: a thread that is about to end has its mappings still.
            let _counted = counted;
            let _leaving = Leaving(crew);
            let work = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(work) = work {
                work();
            }
        });
        let error = match started {
            Ok(thread) => {
                state.aboard.insert(thread.thread().id(), thread);
                return Ok(());
            }
            Err(error) => error,
        };
        drop(state);
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err((error, work.expect("no thread has taken it, for there is none")))
    }

    /// Waits until all have left but the calling thread, and no longer than this; whether they have.
    pub(super) fn join(&self, patience: Option<Duration>) -> bool {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let own = thread::current().id();
        let mut state = self.lock();
        while state.aboard.keys().any(|id| *id != own) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    self.left
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.left.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let all = state.aboard.keys().all(|id| *id == own);
        let last = state.last.take();
        drop(state);
        if let Some(last) = last {
            // What it may have panicked with was reported there.
            drop(last.join());
        }
        all
    }
}

/// A thread is about to end, however it does.
struct Leaving(Arc<Crew>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let before = {
            let mut state = self.0.lock();
            let own = state.aboard.remove(&thread::current().id());
            core::mem::replace(&mut state.last, own)
        };
        self.0.left.notify_all();
        if let Some(before) = before {
            drop(before.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn all_are_joined() {
        let (crew, done) = (Arc::new(Crew::default()), Arc::new(AtomicUsize::new(0)));
        for number in 0..20 {
            let done = done.clone();
            let work = move || {
                thread::sleep(Duration::from_millis(number % 4));
                done.fetch_add(1, Ordering::SeqCst);
                assert_ne!(number, 7, "a panic on purpose");
            };
            assert!(crew.start(thread::Builder::new(), work).is_ok(), "a thread");
        }
        assert!(crew.join(None));
        assert_eq!(done.load(Ordering::SeqCst), 20);
        assert!(crew.lock().aboard.is_empty() && crew.lock().last.is_none());
    }

    #[test]
    fn work_without_a_thread_comes_back() {
        let (crew, done) = (Arc::new(Crew::default()), Arc::new(AtomicUsize::new(0)));
        let counter = done.clone();
        let work = move || {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        let no_room_for_its_stack = thread::Builder::new().stack_size(1 << 60);
        let (_, work) = crew
            .start(no_room_for_its_stack, work)
            .expect_err("there is not so much");
        work();
        assert_eq!(done.load(Ordering::SeqCst), 1);
        assert!(crew.join(None));
    }

    #[test]
    fn one_that_goes_on_is_waited_for_so_long() {
        let crew = Arc::new(Crew::default());
        let (let_go, held) = mpsc::channel::<()>();
        let work = move || {
            let _let_go = held.recv();
        };
        assert!(crew.start(thread::Builder::new(), work).is_ok(), "a thread");
        assert!(!crew.join(Some(Duration::from_millis(20))));
        drop(let_go);
        assert!(crew.join(None));
    }
}
