//! The tasks of one server: counted, told of a shutdown, ended at its deadline.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

/// All tasks of one server.
#[derive(Default)]
pub(crate) struct Tasks {
    aborted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The waker of each task; free places are `None`.
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    running: usize,
    /// Waits for the last task to end.
    waiting: Option<Waker>,
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `future` one of the tasks.
    pub(crate) fn track<F>(self: &Arc<Self>, future: F) -> Tracked<F> {
        let mut state = self.lock();
        state.running += 1;
        let place = state.free.pop().unwrap_or_else(|| {
            state.wakers.push(None);
            state.wakers.len() - 1
        });
        Tracked {
            future: Some(future),
            guard: Guard {
                tasks: self.clone(),
                place,
                waker: None,
            },
        }
    }

    /// Has every task look around.
    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> = self.lock().wakers.iter().flatten().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends every task the next time that it would run, which is at once.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Whether all tasks were told to end: one may be in the middle of a poll.
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst)
    }

    /// Ready when no task is left.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.running == 0 {
            return Poll::Ready(());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct Guard {
    tasks: Arc<Tasks>,
    place: usize,
    /// What stands in the list, to see without a lock whether it is still right.
    waker: Option<Waker>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.tasks.lock();
            state.wakers[self.place] = None;
            state.free.push(self.place);
            state.running -= 1;
            if state.running == 0 { state.waiting.take() } else { None }
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A task that can be told to end.
pub(crate) struct Tracked<F> {
    future: Option<F>,
    // Behind the future, so that it is dropped after it: who waits for the last task waits for what that task held.
    guard: Guard,
}

impl<F: Future<Output = ()> + Unpin> Future for Tracked<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let guard = &mut this.guard;
        if !guard.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            guard.waker = Some(cx.waker().clone());
            guard.tasks.lock().wakers[guard.place] = Some(cx.waker().clone());
        }
        // Only after the waker is in its place: an abort between the two would not be seen.
        if guard.tasks.aborted.load(Ordering::SeqCst) {
            this.future = None;
            return Poll::Ready(());
        }
        match &mut this.future {
            Some(future) => Pin::new(future).poll(cx),
            None => Poll::Ready(()),
        }
    }
}
