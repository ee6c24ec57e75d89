//! Threads for code that may block: started when they are needed, and kept for a moment.

use core::fmt;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::string::ToString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Sleep;
use super::crew::Crew;
use crate::runtime::clock;
use crate::runtime::log::{Scope, log};

/// How long a worker waits for more.
const KEPT: Duration = Duration::from_secs(2);

/// How long to wait at the end for code of the application's.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long to wait where there is no thread.
const PAUSE: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce() + Send>;

/// Threads for code that may block. There are as many as there is such code at a time: one that waits for another would
/// wait for ever if there were a limit.
#[derive(Default)]
pub(super) struct Workers {
    pool: Arc<Pool>,
    threads: Arc<Crew>,
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
}

#[derive(Default)]
struct State {
    /// No more than there are idle workers.
    jobs: VecDeque<Job>,
    idle: usize,
    /// Nobody waits for more.
    over: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No job runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, first: Job) {
        first();
        let mut state = self.lock();
        while !state.over {
            state.idle += 1;
            let wanted = |state: &mut State| state.jobs.is_empty() && !state.over;
            let (woken, _) = self
                .work
                .wait_timeout_while(state, KEPT, wanted)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            let Some(job) = state.jobs.pop_front() else { break };
            drop(state);
            job();
            state = self.lock();
        }
    }
}

/// The result of a job, and who waits for it.
struct Outcome<T> {
    result: Option<thread::Result<T>>,
    waker: Option<Waker>,
}

fn take(place: &Mutex<Option<Job>>) -> Option<Job> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// What a worker is to run, and where its result will be.
fn job<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> (Job, Arc<Mutex<Outcome<T>>>) {
    let outcome = Arc::new(Mutex::new(Outcome {
        result: None,
        waker: None,
    }));
    let (other, scope) = (outcome.clone(), Scope::current());
    let job = Box::new(move || {
        let result = scope.run(|| catch_unwind(AssertUnwindSafe(work)));
        let waker = {
            let mut outcome = other.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.result = Some(result);
            outcome.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    (job, outcome)
}

/// Waits for a job's result. A panic goes on here.
async fn result_of<T>(outcome: &Mutex<Outcome<T>>) -> T {
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
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

impl Workers {
    /// Runs code on a thread of its own. It is run to its end, also where nobody waits for it any more. A panic goes on in
    /// whoever waits.
    ///
    /// # Errors
    /// The system has no more threads; the code was not run.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let (job, outcome) = job(work);
        self.start(job).map_err(|(error, _not_run)| error)?;
        Ok(result_of(&outcome).await)
    }

    /// Runs code on a thread of its own that nobody waits for.
    ///
    /// # Errors
    /// The system has no more threads; the code is not run.
    pub(super) fn begin(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.start(Box::new(work)).map_err(|(error, _not_run)| error)
    }

    /// The same, but where the system has no more threads, it waits for one.
    pub(super) async fn run_patiently<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (mut job, outcome) = job(work);
        let mut told = false;
        while let Err((error, not_run)) = self.start(job) {
            if !core::mem::replace(&mut told, true) {
                log!(error, "runtime", "a handler has to wait for a thread: {error}");
            }
            job = not_run;
            let deadline = clock::now() + PAUSE;
            Sleep { deadline }.await;
        }
        result_of(&outcome).await
    }

    fn start(&self, job: Job) -> Result<(), (io::Error, Job)> {
        let mut state = self.pool.lock();
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            self.pool.work.notify_one();
            return Ok(());
        }
        drop(state);
        let (place, pool) = (Arc::new(Mutex::new(Some(job))), self.pool.clone());
        let taken = place.clone();
        // The stack is as large as those of other threads: what it is for is not known here.
        let thread = thread::Builder::new().name("sansocket worker".to_string());
        let started = self.threads.start(thread, move || {
            if let Some(job) = take(&taken) {
                pool.work(job);
            }
        });
        started.map_err(|(error, _)| (error, take(&place).expect("no thread has taken it, for there is none")))
    }

    /// Ends the workers that wait, and waits a little for those that work.
    pub(super) fn join(&self) {
        self.pool.lock().over = true;
        self.pool.work.notify_all();
        let _patience_ended = self.threads.join(Some(PATIENCE));
        self.pool.lock().over = false;
    }
}
