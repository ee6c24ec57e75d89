//! The application's code for one session, and whose task runs it.
//!
//! The session owns the future of its handler. While it polls, a task of the session's own runs it; once it has a
//! WebSocket, that connection's task does, so that an echo wakes nobody else.

use core::any::Any;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::log::{SessionLog, log, words_of};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the drivers keep beside each session.
#[derive(Default)]
pub struct App {
    slot: Mutex<Slot>,
    /// The session's data, for whoever asks by its id. It is the socket's: this must not keep it.
    data: OnceLock<Weak<Data>>,
    pub(crate) log: SessionLog,
}

impl core::fmt::Debug for App {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("App")
    }
}

#[derive(Default)]
struct Slot {
    state: State,
    /// The WebSocket's task runs it, and no other.
    adopted: bool,
    /// The session's own task, as long as that runs it.
    runner: Option<Waker>,
    /// The WebSocket's task, which came while the session's own was in the middle of a poll.
    waiting: Option<Waker>,
}

#[derive(Default)]
enum State {
    /// There is nothing to run yet.
    #[default]
    Empty,
    Idle(BoxFuture<()>),
    /// Somebody is polling it.
    Busy,
    Done,
}

/// Who wants to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// The session's own task.
    Session,
    /// The task of the connection that carries the session.
    Carrier,
}

/// What a connect handler returned.
type Data = dyn Any + Send + Sync;

impl App {
    /// Lets the session's data be found, for as long as there is anybody who has it.
    pub(crate) fn set_data<D: Send + Sync + 'static>(&self, data: &Arc<D>) {
        let data: Weak<D> = Arc::downgrade(data);
        // A session is given to the application once.
        let _first = self.data.set(data);
    }

    /// The session's data, if it is of this type.
    pub(crate) fn data<D: Send + Sync + 'static>(&self) -> Option<Arc<D>> {
        self.data.get()?.upgrade()?.downcast().ok()
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // No code of the application's runs under this lock.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the future in its place.
    pub(crate) fn set(&self, future: BoxFuture<()>) {
        self.lock().state = State::Idle(future);
    }

    /// Runs it for a while. Ready when it is over, or (for the session's own task) is somebody else's. `panicked` is called
    /// for a panic of the application's, which goes no further.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, who: Runner, panicked: impl Fn()) -> Poll<()> {
        let mut slot = self.lock();
        match who {
            Runner::Carrier => {
                if !slot.adopted {
                    slot.adopted = true;
                    if let Some(runner) = slot.runner.take() {
                        // It sees that it is not needed, and ends. Not under the lock.
                        drop(slot);
                        runner.wake();
                        slot = self.lock();
                    }
                }
            }
            Runner::Session if slot.adopted => return Poll::Ready(()),
            Runner::Session => {
                if !slot.runner.as_ref().is_some_and(|runner| runner.will_wake(cx.waker())) {
                    slot.runner = Some(cx.waker().clone());
                }
            }
        }
        match core::mem::replace(&mut slot.state, State::Busy) {
            State::Idle(mut future) => {
                drop(slot);
                let future = self.log.run(|| {
                    let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
                    match polled {
                        Ok(Poll::Pending) => return Some(future),
                        Ok(Poll::Ready(())) => {}
                        Err(panic) => {
                            let panic = words_of(&*panic);
                            log!(error, "handlers", panic = %panic, "a handler has panicked; its session is closed");
                            panicked();
                        }
                    }
                    drop_contained(future, &panicked);
                    None
                });
                let over = future.is_none();
                let mut slot = self.lock();
                // Somebody may have dropped it meanwhile, for good.
                let cleared = matches!(slot.state, State::Done);
                let rest = match future {
                    Some(future) if !cleared => {
                        slot.state = State::Idle(future);
                        None
                    }
                    rest => {
                        slot.state = State::Done;
                        rest
                    }
                };
                let waiting = slot.waiting.take();
                drop(slot);
                if let Some(waiting) = waiting {
                    waiting.wake();
                }
                if let Some(rest) = rest {
                    self.log.run(|| drop_contained(rest, &panicked));
                }
                if over || cleared {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }
            State::Busy => {
                slot.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Done => {
                slot.state = State::Done;
                Poll::Ready(())
            }
            State::Empty => {
                slot.state = State::Empty;
                Poll::Ready(())
            }
        }
    }

    /// Whether there is nothing left to run.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.lock().state, State::Done | State::Empty)
    }

    /// Whether the WebSocket's task runs it.
    pub(crate) fn is_adopted(&self) -> bool {
        self.lock().adopted
    }

    /// Drops the future, wherever it stands. It holds the session, and the session holds it: whoever stops running it
    /// before its end must call this.
    pub(crate) fn clear(&self, panicked: impl Fn()) {
        let state = core::mem::replace(&mut self.lock().state, State::Done);
        if let State::Idle(future) = state {
            self.log.run(|| drop_contained(future, panicked));
        }
    }
}

/// The destructors in a handler are the application's code too.
pub(crate) fn drop_contained<T>(future: BoxFuture<T>, panicked: impl Fn()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
        log!(error, "handlers", panic = %words_of(&*panic), "a handler has panicked while it was dropped");
        panicked();
    }
}

/// Runs code of the application's; a panic in it ends it, and nothing else.
pub(crate) async fn contained<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// The same for code that does not wait.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| {
        log!(error, "handlers", panic = %words_of(&*panic), "a handler has panicked");
        Panicked
    })
}

/// The application's code has panicked.
pub(crate) struct Panicked;
