//! Code that may block, for runtimes that bring no threads for it.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::io;
use std::string::ToString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

struct Place<T> {
    result: Option<T>,
    over: bool,
    waker: Option<Waker>,
}

fn lock<T>(place: &Mutex<Place<T>>) -> MutexGuard<'_, Place<T>> {
    // Nothing that can panic runs under this lock.
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells whoever waits that the thread has ended, also where the code on it has panicked.
struct Over<T>(Arc<Mutex<Place<T>>>);

impl<T> Drop for Over<T> {
    fn drop(&mut self) {
        let waker = {
            let mut place = lock(&self.0);
            place.over = true;
            place.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Runs this on a thread that is started for it.
pub(super) async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let place = Arc::new(Mutex::new(Place {
        result: None,
        over: false,
        waker: None,
    }));
    let over = Over(place.clone());
    thread::Builder::new()
        .name("sansocket-file".to_string())
        .spawn(move || {
            let result = work();
            lock(&over.0).result = Some(result);
        })?;
    poll_fn(|cx| {
        let mut place = lock(&place);
        match place.result.take() {
            Some(result) => Poll::Ready(Ok(result)),
            None if place.over => Poll::Ready(Err(io::Error::other("the code on another thread has panicked"))),
            None => {
                place.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}
