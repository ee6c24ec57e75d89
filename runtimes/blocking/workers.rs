//! Threads for code that may block: started when they are needed, and kept for a moment.

use core::fmt;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::string::ToString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::runtime::log::log;

/// How long a worker waits for more.
const KEPT: Duration = Duration::from_secs(2);

/// How long to wait at the end for code of the application's.
const PATIENCE: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce() + Send>;

/// Threads for code that may block. There are as many as there is such code at a time: one that waits for another would
/// wait for ever if there were a limit.
#[derive(Default)]
pub(super) struct Workers {
    pool: Arc<Pool>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    /// There is a job, or the end has come.
    work: Condvar,
    /// A worker has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    running: usize,
    /// Nobody waits for more.
    over: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.lock();
            }
            if state.over {
                break;
            }
            state.idle += 1;
            let (woken, timeout) = self
                .work
                .wait_timeout_while(state, KEPT, |state| state.jobs.is_empty() && !state.over)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.running -= 1;
        drop(state);
        self.ended.notify_all();
    }
}

/// The result of a job, and who waits for it.
struct Outcome<T> {
    result: Option<thread::Result<T>>,
    waker: Option<Waker>,
}

impl Workers {
    /// Runs code on a thread of its own. It is run to its end, also where nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let outcome = Arc::new(Mutex::new(Outcome {
            result: None,
            waker: None,
        }));
        let other = outcome.clone();
        self.start(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let waker = {
                let mut outcome = other.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.result = Some(result);
                outcome.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }));
        let result = poll_fn(|cx| {
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    outcome.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        // A panic goes on where the code was called.
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn start(&self, job: Job) {
        let mut state = self.pool.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.pool.work.notify_one();
            return;
        }
        state.running += 1;
        drop(state);
        let pool = self.pool.clone();
        let thread = thread::Builder::new().name("sansocket worker".to_string());
        if let Err(error) = thread.spawn(move || pool.work()) {
            // The next one that ends its job takes this one.
            log!(error, "a thread can not be started: {error}");
            self.pool.lock().running -= 1;
        }
    }

    /// Ends the workers that wait, and waits a little for those that work.
    pub(super) fn join(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.pool.lock();
        state.over = true;
        self.pool.work.notify_all();
        while state.running > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self
                .pool
                .ended
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.over = false;
    }
}
