//! What is on its way to one socket: an event, and an acknowledgement of it.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use super::broadcast::Packed;
use super::link::Slot;
use super::socket::SocketCore;
use crate::engineio::Str;
use crate::error::{Error, Result};
use crate::socketio::{Args, EncodeError, FromArgs};

/// An event that goes out when this is awaited: it waits for room in the queue. It was encoded already, and borrows
/// nothing.
///
/// Dropped before it is ready, it has sent nothing.
#[must_use = "an event is sent when this is awaited"]
#[derive(Debug)]
pub struct Emit {
    what: What,
}

#[derive(Debug)]
enum What {
    One(Sending),
    Many(Option<Result<Packed, Error>>),
}

#[derive(Debug)]
struct Sending {
    socket: Arc<SocketCore>,
    name: Str,
    args: Option<Args>,
    failed: Option<EncodeError>,
}

impl Sending {
    fn new(socket: Arc<SocketCore>, name: &str, args: Result<Args, EncodeError>) -> Self {
        let (args, failed) = match args {
            Ok(args) => (Some(args), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            socket,
            name: name.into(),
            args,
            failed,
        }
    }

    fn poll(&mut self, cx: &Context<'_>, wanted: Option<Option<Duration>>) -> Poll<Result<Option<Arc<Slot>>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error.into()));
        }
        let Self { socket, name, args, .. } = self;
        let sent = ready!(socket.poll_emit(cx, name, args, wanted));
        Poll::Ready(sent.map_err(Into::into))
    }
}

impl Emit {
    pub(super) fn one(socket: Arc<SocketCore>, name: &str, args: Result<Args, EncodeError>) -> Self {
        Self {
            what: What::One(Sending::new(socket, name, args)),
        }
    }

    pub(super) fn many(packed: Result<Packed>) -> Self {
        Self {
            what: What::Many(Some(packed)),
        }
    }
}

impl Future for Emit {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.what {
            What::One(sending) => sending.poll(cx, None).map_ok(|_| ()),
            What::Many(packed) => Poll::Ready(match packed.take() {
                Some(Ok(packed)) => {
                    packed.send();
                    Ok(())
                }
                Some(Err(error)) => Err(error),
                None => Ok(()),
            }),
        }
    }
}

/// An event that wants an acknowledgement, which this gives when it is awaited.
///
/// The handlers of one client do not wait for each other, so a handler may await its own client's answer.
#[must_use = "an event is sent when this is awaited"]
pub struct Call<A> {
    sending: Sending,
    timeout: Option<Duration>,
    slot: Option<Arc<Slot>>,
    read: fn(&Args) -> Result<A, crate::socketio::DecodeError>,
    answer: PhantomData<fn() -> A>,
}

impl<A> core::fmt::Debug for Call<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Call")
            .field("event", &self.sending.name)
            .finish_non_exhaustive()
    }
}

impl<A> Call<A> {
    /// Reads the first argument of the acknowledgement.
    pub(super) fn first(socket: Arc<SocketCore>, name: &str, args: Result<Args, EncodeError>) -> Self
    where
        A: serde_core::de::DeserializeOwned,
    {
        Self::new(socket, name, args, |args| args.get(0))
    }

    /// Reads all of them.
    pub(super) fn all(socket: Arc<SocketCore>, name: &str, args: Result<Args, EncodeError>) -> Self
    where
        A: FromArgs,
    {
        Self::new(socket, name, args, Args::parse)
    }

    fn new(
        socket: Arc<SocketCore>,
        name: &str,
        args: Result<Args, EncodeError>,
        read: fn(&Args) -> Result<A, crate::socketio::DecodeError>,
    ) -> Self {
        Self {
            sending: Sending::new(socket, name, args),
            timeout: None,
            slot: None,
            read,
            answer: PhantomData,
        }
    }

    /// How long to wait for the acknowledgement, from when the event is sent. 60 s, or what the server was built with.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<A> Future for Call<A> {
    type Output = Result<A>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A>> {
        let this = &mut *self;
        if this.slot.is_none() {
            this.slot = match ready!(this.sending.poll(cx, Some(this.timeout))) {
                Ok(slot) => slot,
                Err(error) => return Poll::Ready(Err(error)),
            };
        }
        match &this.slot {
            Some(slot) => {
                let args = ready!(slot.poll(cx));
                Poll::Ready(args.map_err(Error::from).and_then(|args| Ok((this.read)(&args)?)))
            }
            // It was ready before.
            None => Poll::Pending,
        }
    }
}
