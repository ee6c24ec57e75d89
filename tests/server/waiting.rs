//! Waiting with a deadline, between the test's thread and the server's tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::http::PATIENCE;

/// Waits until `condition` holds, for what no event tells of.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until a number has stopped growing, and answers it.
#[track_caller]
pub fn wait_until_still(what: &str, number: impl Fn() -> usize) -> usize {
    let still = Duration::from_millis(300);
    let deadline = Instant::now() + 3 * PATIENCE;
    let (mut last, mut since) = (number(), Instant::now());
    while since.elapsed() < still {
        assert!(Instant::now() < deadline, "does not stop: {what}, {last} by now");
        thread::sleep(Duration::from_millis(10));
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// Runs a future that needs no runtime, in this thread.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the future is not ready");
        thread::park_timeout(left);
    }
}

/// Holds tasks back until the test lets them pass.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Gatekeeper>>);

#[derive(Default)]
struct Gatekeeper {
    is_open: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub fn open(&self) {
        let waiting = {
            let mut keeper = self.0.lock().expect("the gate");
            keeper.is_open = true;
            std::mem::take(&mut keeper.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub async fn pass(&self) {
        poll_fn(|cx| {
            let mut keeper = self.0.lock().expect("the gate");
            if keeper.is_open {
                return Poll::Ready(());
            }
            keeper.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
