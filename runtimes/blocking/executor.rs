//! Runs one future on the calling thread, which sleeps in `poll` while the future waits.

use core::cell::RefCell;
use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Wake;
use std::thread::{self, Thread};
use std::thread_local;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smallvec::SmallVec;

use super::bell::Bell;
use crate::runtime::clock::left;
use crate::runtime::driver;
use crate::time::Instant;

/// Where the system has nothing left to make a bell of, a thread looks around so often.
const WITHOUT_BELL: Duration = Duration::from_millis(10);

const RUNNING: u8 = 0;
const NOTIFIED: u8 = 1;
const ASLEEP: u8 = 2;

/// What the future of a thread waits for, as it has said while it was polled.
#[derive(Default)]
struct Interests {
    /// Not held open: what is dropped in the same poll is closed at once.
    sockets: SmallVec<[(Weak<Socket>, PollFlags); 4]>,
    deadline: Option<Instant>,
}

type Socket = dyn AsFd + Send + Sync;

thread_local! {
    static INTERESTS: RefCell<Interests> = RefCell::default();
}

/// The future of this thread waits for a socket.
pub(super) fn wake_for<S: AsFd + Send + Sync + 'static>(socket: &Arc<S>, flags: PollFlags) {
    let socket: Weak<S> = Arc::downgrade(socket);
    let socket: Weak<Socket> = socket;
    INTERESTS.with_borrow_mut(|interests| {
        let known = interests.sockets.iter_mut().find(|known| known.0.ptr_eq(&socket));
        match known {
            Some(known) => known.1 |= flags,
            None => interests.sockets.push((socket, flags)),
        }
    });
}

/// The future of this thread waits for a deadline.
pub(super) fn wake_at(deadline: Instant) {
    INTERESTS.with_borrow_mut(|interests| {
        let earliest = interests.deadline.map_or(deadline, |other| other.min(deadline));
        interests.deadline = Some(earliest);
    });
}

/// Wakes a thread.
struct Signal {
    state: AtomicU8,
    thread: Thread,
    /// What a thread that sleeps in `poll` hears.
    bell: OnceLock<Bell>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(NOTIFIED, Ordering::SeqCst) == ASLEEP {
            if let Some(bell) = self.bell.get() {
                bell.ring();
            }
            self.thread.unpark();
        }
    }
}

impl Signal {
    /// Sleeps until something that the future waits for has come.
    fn sleep(&self, interests: &Interests) {
        if interests.sockets.is_empty() {
            self.sleep_alone(interests.deadline);
            return;
        }
        if self.bell.get().is_none() {
            if let Ok(bell) = Bell::new() {
                // Only this thread makes one.
                let _first = self.bell.set(bell);
            }
        }
        if self.fall_asleep() {
            self.sleep_in_poll(interests);
            self.state.swap(RUNNING, Ordering::SeqCst);
        }
    }

    /// Whether nobody has woken the thread meanwhile.
    fn fall_asleep(&self) -> bool {
        let asleep = self
            .state
            .compare_exchange(RUNNING, ASLEEP, Ordering::SeqCst, Ordering::SeqCst);
        if asleep.is_err() {
            // It may be woken once more before this, so this reads too: what was done before that wake is seen then.
            self.state.swap(RUNNING, Ordering::SeqCst);
        }
        asleep.is_ok()
    }

    fn sleep_alone(&self, deadline: Option<Instant>) {
        if !self.fall_asleep() {
            return;
        }
        while self.state.load(Ordering::SeqCst) == ASLEEP {
            match deadline.map(left) {
                None => thread::park(),
                Some(Duration::ZERO) => break,
                Some(left) => thread::park_timeout(left),
            }
        }
        self.state.swap(RUNNING, Ordering::SeqCst);
    }

    fn sleep_in_poll(&self, interests: &Interests) {
        let bell = self.bell.get();
        let sockets: SmallVec<[(Arc<Socket>, PollFlags); 4]> = interests
            .sockets
            .iter()
            .filter_map(|(socket, flags)| Some((socket.upgrade()?, *flags)))
            .collect();
        let mut fds: SmallVec<[PollFd<'_>; 4]> = sockets
            .iter()
            .map(|(socket, flags)| PollFd::new(socket, *flags))
            .collect();
        fds.extend(bell.map(|bell| PollFd::new(bell, PollFlags::IN)));
        let longest = if bell.is_some() { None } else { Some(WITHOUT_BELL) };
        let until = interests.deadline.map(left);
        let timeout = until.into_iter().chain(longest).min();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        // Interrupted, or whatever else it says: the future looks again.
        let _woken = poll(&mut fds, timeout.as_ref());
        let rang = bell.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        if let Some(bell) = bell.filter(|_| rang) {
            bell.silence();
        }
    }
}

/// The interests of the future in whose middle another one is run. They are put back also where that one panics: the
/// panic may be caught between the two.
struct Others(Interests);

impl Others {
    /// Answers what the inner future waits for.
    fn restore(mut self) -> Interests {
        INTERESTS.replace(core::mem::take(&mut self.0))
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        if thread::panicking() {
            INTERESTS.set(core::mem::take(&mut self.0));
        }
    }
}

/// Runs a future on the calling thread, to its end.
///
/// What of [`Threads`](super::Threads) it waits for wakes it, as long as it looks at all of that whenever it is polled, as
/// `select!` and `join!` do; and so does everything that keeps to the rules of wakers.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let signal = Arc::new(Signal {
        state: AtomicU8::new(RUNNING),
        thread: thread::current(),
        bell: OnceLock::new(),
    });
    let waker = Waker::from(signal.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // Whoever called this in the middle of another future has interests of its own.
        let others = Others(INTERESTS.take());
        let polled = future.as_mut().poll(&mut cx);
        let interests = others.restore();
        if let Poll::Ready(output) = polled {
            return output;
        }
        driver::park_scratch();
        signal.sleep(&interests);
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use core::sync::atomic::AtomicBool;

    use super::*;
    use crate::runtime::clock::now;

    #[test]
    fn a_thread_wakes_for_a_deadline_and_for_others() {
        let begun = now();
        block_on(super::super::Sleep {
            deadline: begun + Duration::from_millis(20),
        });
        assert!(now() >= begun + Duration::from_millis(20));

        let done = Arc::new(AtomicBool::new(false));
        let other = done.clone();
        let mut started = false;
        block_on(poll_fn(|cx| {
            if done.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            if !started {
                started = true;
                let (waker, other) = (cx.waker().clone(), other.clone());
                thread::spawn(move || {
                    other.store(true, Ordering::SeqCst);
                    waker.wake();
                });
            }
            Poll::Pending
        }));
    }
}
