//! A server from outside: who is there, and when it ends.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use super::{Stats, TrySendError};
use crate::engineio::{Data, Sid};
use crate::runtime::app::App;
use crate::time::Instant;
use crate::wire::Hub;

/// A server from outside: cheap to clone, and to keep anywhere.
#[derive(Clone, Debug)]
pub struct Handle {
    hub: Arc<Hub<App>>,
    control: Arc<Control>,
}

/// What the handles want, for the server to see.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<ControlState>,
}

#[derive(Debug, Default)]
struct ControlState {
    /// The server is to end, at the latest at this time.
    deadline: Option<Instant>,
    /// It has ended.
    ended: bool,
    server: Option<Waker>,
    waiting: Vec<Waker>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, ControlState> {
        // Nothing that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server asks whether it is to end.
    pub(super) fn poll_deadline(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let mut state = self.lock();
        if !state.server.as_ref().is_some_and(|server| server.will_wake(cx.waker())) {
            state.server = Some(cx.waker().clone());
        }
        state.deadline
    }

    /// The server is to end, at this time at the latest.
    pub(super) fn end_by(&self, deadline: Instant) {
        let server = {
            let mut state = self.lock();
            state.deadline = Some(state.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
            state.server.take()
        };
        if let Some(server) = server {
            server.wake();
        }
    }

    /// The server has ended.
    pub(super) fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.ended = true;
            core::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Handle {
    pub(super) fn new(hub: Arc<Hub<App>>, control: Arc<Control>) -> Self {
        Self { hub, control }
    }

    /// Ends the server at once, and waits for nothing.
    #[cfg(feature = "tower")]
    pub(in crate::runtime) fn cut(&self) {
        self.control.end_by(self.hub.now());
    }

    /// What time it is on the server's clock.
    pub(crate) fn now(&self) -> Instant {
        self.hub.now()
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        self.hub.stats()
    }

    /// The ids of all sessions, in the order in which they were opened.
    pub fn sessions(&self) -> Vec<Sid> {
        let cells = self.hub.sessions();
        cells
            .iter()
            .map(|cell| cell.look(|session| session.sid().clone()))
            .collect()
    }

    /// Sends a message to one session, if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`]; a session that does not exist is [`TrySendError::Closed`].
    pub fn try_send(&self, sid: &Sid, message: impl Into<Data>) -> Result<(), TrySendError> {
        let message = message.into();
        match self.hub.session(sid.as_str()) {
            Some(cell) => cell.with(|session| session.send(message)),
            None => Err(TrySendError::Closed(message)),
        }
    }

    /// Ends one session in order. Does nothing where it does not exist.
    pub fn disconnect(&self, sid: &Sid) {
        if let Some(cell) = self.hub.session(sid.as_str()) {
            let now = cell.now();
            cell.with(|session| session.close(now));
        }
    }

    /// Ends the server in order: no new session is opened, those there are get what is queued for them and are closed,
    /// their handlers run to their end. What is not over after `patience` is cut off. Ready when the server has ended.
    ///
    /// Clients of sessions that are being closed can still connect, to fetch the rest.
    pub async fn shutdown(&self, patience: Duration) {
        self.control.end_by(self.hub.now() + patience);
        self.ended().await;
    }

    /// Ready when the server has ended, whoever has ended it.
    pub async fn ended(&self) {
        poll_fn(|cx| {
            let mut state = self.control.lock();
            if state.ended {
                return Poll::Ready(());
            }
            if !state.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Ends the server at once, without a word to anybody: connections are cut, handlers dropped.
    pub async fn abort(&self) {
        self.shutdown(Duration::ZERO).await;
    }
}
