//! A client for those who ask what came, in place of handlers that are called.

use core::future::Future as _;
use core::ops::Deref;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::string::String;

use super::{AckToken, Client, ClientEvent, ClientEvents, ClientSocket, ConnectFailed, ReceiveError};
use crate::error::TryRecvError;
use crate::runtime::Runtime;
use crate::socketio::Args;

/// A client without handlers: `emit` and `call` as on every [`ClientSocket`], and [`receive`](Self::receive).
///
/// [`ClientBuilder::connect_simple`](super::ClientBuilder::connect_simple) makes one.
#[derive(Debug)]
#[must_use = "a client that is dropped closes its connection"]
pub struct SimpleClient<R> {
    client: Client<R>,
    events: ClientEvents,
    runtime: R,
}

/// An event that was received.
#[derive(Debug)]
pub struct Received {
    /// Which namespace it came on.
    pub socket: ClientSocket,
    /// Its name.
    pub name: String,
    /// What came with it.
    pub args: Args,
    /// The right to acknowledge it, by [`ClientSocket::ack`], if the server wants that.
    pub ack: Option<AckToken>,
}

impl<R> Deref for SimpleClient<R> {
    type Target = Client<R>;

    fn deref(&self) -> &Client<R> {
        &self.client
    }
}

impl<R: Runtime + Default> SimpleClient<R> {
    /// Connects with the default options.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`](super::ClientBuilder::connect).
    pub async fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Client::<R>::builder(url).connect_simple().await
    }
}

impl<R> SimpleClient<R> {
    pub(super) fn new(client: Client<R>, events: ClientEvents, runtime: R) -> Self {
        Self {
            client,
            events,
            runtime,
        }
    }

    /// The next event that the server emits; `None` when there will be none any more. Cancel-safe.
    pub async fn receive(&mut self) -> Option<Received> {
        core::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// The next event, if it is there already. Waits for nothing.
    ///
    /// # Errors
    /// [`TryRecvError::Closed`] where there will be none any more.
    pub fn try_receive(&mut self) -> Result<Received, TryRecvError> {
        // Whoever asks is the only one who could be woken, and does not wait.
        match self.poll_receive(&mut core::task::Context::from_waker(core::task::Waker::noop())) {
            Poll::Ready(received) => received.ok_or(TryRecvError::Closed),
            Poll::Pending => Err(TryRecvError::Empty),
        }
    }

    /// The next event, for futures written by hand: see [`receive`](Self::receive).
    pub fn poll_receive(&mut self, cx: &mut core::task::Context<'_>) -> Poll<Option<Received>> {
        loop {
            match core::task::ready!(self.events.poll_next(cx)) {
                Some(ClientEvent::Event {
                    socket,
                    name,
                    args,
                    ack,
                }) => {
                    let received = Received {
                        socket,
                        name,
                        args,
                        ack,
                    };
                    return Poll::Ready(Some(received));
                }
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<R: Runtime> SimpleClient<R> {
    /// The next event that the server emits, waiting no longer than this. Cancel-safe.
    ///
    /// # Errors
    /// [`ReceiveError::TimedOut`], and [`ReceiveError::Disconnected`] where there will be none any more.
    pub async fn receive_timeout(&mut self, patience: Duration) -> Result<Received, ReceiveError> {
        let mut sleep = pin!(self.runtime.sleep_until(self.runtime.now() + patience));
        core::future::poll_fn(|cx| {
            if let Poll::Ready(received) = self.poll_receive(cx) {
                return Poll::Ready(received.ok_or(ReceiveError::Disconnected));
            }
            sleep.as_mut().poll(cx).map(|()| Err(ReceiveError::TimedOut))
        })
        .await
    }
}
