//! The acknowledgements of one event from many sockets.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;
use std::vec::Vec;

use super::broadcast::Packed;
use super::link::Slot;
use super::socket::Socket;
use crate::error::{Error, Result};
use crate::socketio::{AckError, Args, DecodeError};

/// An event to many sockets that wants an acknowledgement of each, which this gives when it is awaited: the sockets in the
/// order in which they came, and the answer of each or why there is none. Whoever joins meanwhile is not waited for.
///
/// Dropped before it was polled, it has sent nothing; dropped later, the answers are passed over.
#[must_use = "an event is sent when this is awaited"]
pub struct CallAll<T, D = ()> {
    packed: Option<Result<Packed>>,
    timeout: Option<Duration>,
    sockets: Vec<(Socket<D>, Option<Arc<Slot>>)>,
    /// Those of the first sockets.
    answers: Vec<Result<Args, AckError>>,
    read: fn(&Args) -> Result<T, DecodeError>,
    answer: PhantomData<fn() -> T>,
}

impl<T, D> fmt::Debug for CallAll<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallAll")
            .field("sockets", &self.sockets.len())
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

impl<T, D> CallAll<T, D> {
    pub(super) fn new(packed: Result<Packed>, read: fn(&Args) -> Result<T, DecodeError>) -> Self {
        Self {
            packed: Some(packed),
            timeout: None,
            sockets: Vec::new(),
            answers: Vec::new(),
            read,
            answer: PhantomData,
        }
    }

    /// How long to wait for the acknowledgements, from when the event is sent. 60 s, or what the server was built with.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<T, D: Send + Sync + 'static> Future for CallAll<T, D> {
    type Output = Result<Vec<(Socket<D>, Result<T>)>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.packed.take() {
            Some(Ok(packed)) => this.sockets = packed.call(this.timeout),
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => {}
        }
        // One after the other: those that are further on keep their answers, and wake nobody.
        while let Some((_, slot)) = this.sockets.get(this.answers.len()) {
            let answer = match slot {
                Some(slot) => ready!(slot.poll(cx)),
                None => Err(AckError::NotSent),
            };
            this.answers.push(answer);
        }
        let (sockets, answers) = (core::mem::take(&mut this.sockets), core::mem::take(&mut this.answers));
        let read = |args: Args| Ok((this.read)(&args)?);
        let answered = sockets.into_iter().zip(answers);
        Poll::Ready(Ok(answered
            .map(|((socket, _), answer)| (socket, answer.map_err(Error::from).and_then(read)))
            .collect()))
    }
}
