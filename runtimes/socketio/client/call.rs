//! Futures that emit: they hold all they need, and nothing of the caller's.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::string::{String, ToString};
use std::sync::Arc;

use super::shared::{Shared, State};
use super::{CallError, EmitFailed};
use crate::socketio::{Args, DecodeError, EmitError, EncodeError, Key};

/// An event that is being emitted: see [`ClientSocket::emit`](super::ClientSocket::emit). Dropped before it is ready, it
/// has emitted nothing.
#[must_use = "nothing is emitted until this is awaited"]
pub struct Emit {
    shared: Arc<Shared>,
    key: Key,
    name: String,
    args: Option<Result<Args, EncodeError>>,
    /// It is sent until it is acknowledged.
    retried: bool,
}

impl fmt::Debug for Emit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Emit {
    pub(super) fn new(shared: Arc<Shared>, key: Key, name: &str, args: Result<Args, EncodeError>) -> Self {
        Self {
            shared,
            key,
            name: name.to_string(),
            args: Some(args),
            retried: false,
        }
    }

    /// Sends it again until the server acknowledges it, as [`Call::with_retries`] does, without telling of that: it goes in
    /// one order with all that are sent so. What is given up goes to the log, or to
    /// [`ClientEvent::Ack`](super::ClientEvent::Ack).
    pub fn with_retries(mut self) -> Self {
        self.retried = true;
        self
    }

    /// Does it, or waits for room. On a socket that is not connected there may never be any.
    fn poll_with<T>(
        &mut self,
        cx: &Context<'_>,
        emit: impl FnOnce(&mut State, Key, &str, Args) -> Result<T, EmitError>,
    ) -> Poll<Result<T, EmitFailed>> {
        let args = match self.args.take() {
            Some(Ok(args)) => args,
            Some(Err(error)) => return Poll::Ready(Err(error.into())),
            // It was polled after its end.
            None => return Poll::Pending,
        };
        self.shared.with(|state| match emit(state, self.key, &self.name, args) {
            Err(EmitError::Full(args)) if state.machine.is_connected(self.key) => {
                self.args = Some(Ok(args));
                state.wait(cx.waker());
                Poll::Pending
            }
            result => Poll::Ready(result.map_err(EmitFailed::from)),
        })
    }
}

impl Future for Emit {
    type Output = Result<(), EmitFailed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (now, retried) = (self.shared.now(), self.retried);
        self.poll_with(cx, |state, key, name, args| {
            if retried {
                return state.machine.emit_with_retries(now, key, name, args).map(|_id| ());
            }
            state.machine.emit(key, name, args)
        })
    }
}

/// An event whose acknowledgement is awaited: see [`ClientSocket::call`](super::ClientSocket::call). Dropped before it is
/// ready, it waits no more; the event may have been sent.
#[must_use = "nothing is emitted until this is awaited"]
pub struct Call<T> {
    emit: Emit,
    timeout: Option<Duration>,
    /// The number of the event, once it was emitted.
    id: Option<u64>,
    decode: fn(&Args) -> Result<T, DecodeError>,
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("name", &self.emit.name)
            .finish_non_exhaustive()
    }
}

impl<T> Call<T> {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: Key,
        name: &str,
        args: Result<Args, EncodeError>,
        decode: fn(&Args) -> Result<T, DecodeError>,
    ) -> Self {
        Self {
            emit: Emit::new(shared, key, name, args),
            timeout: None,
            id: None,
            decode,
        }
    }

    /// How long to wait, once the event is queued. Otherwise it is [`Config::ack_timeout`](super::Config::ack_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it again until it is acknowledged: after each [`Config::ack_timeout`](super::Config::ack_timeout), in place of
    /// [`timeout`](Self::timeout), and with each new connection, up to [`Config::retries`](super::Config::retries) times.
    /// Such events go one after the other. The server may see one more than once; an id among its arguments lets it tell.
    pub fn with_retries(mut self) -> Self {
        self.emit.retried = true;
        self
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let id = match this.id {
            Some(id) => id,
            None => {
                let (now, timeout, retried) = (this.emit.shared.now(), this.timeout, this.emit.retried);
                let emitted = this.emit.poll_with(cx, |state, key, name, args| {
                    let id = if retried {
                        state.machine.emit_with_retries(now, key, name, args)?
                    } else {
                        state.machine.emit_with_ack(now, key, name, args, timeout)?
                    };
                    state.expect(key, id, cx.waker());
                    Ok(id)
                });
                let id = ready!(emitted)?;
                this.id = Some(id);
                id
            }
        };
        let answer = ready!(this.emit.shared.lock().poll_call(this.emit.key, id, cx));
        this.id = None;
        Poll::Ready(match answer {
            Ok(args) => (this.decode)(&args).map_err(CallError::Decode),
            Err(error) => Err(error),
        })
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let key = self.emit.key;
            // Another may wait for its place.
            self.emit.shared.with(|state| state.forget_call(key, id));
        }
    }
}
