//! The client, as the application sees it.

mod builder;
mod events;

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::ops::Deref;
use core::task::{Context, Poll, ready};
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use serde_core::Serialize;

use super::{SendError, TryRecvError, TrySendError};
use crate::engineio::{Closed, Data, Sid, Transport};
use crate::error::{Error, Result};
use crate::runtime::Runtime;
pub use crate::runtime::client::ClientEvent;
use crate::runtime::client::{Shared, State, Waiters};
pub use builder::ClientBuilder;
pub(in crate::runtime) use builder::Parts;
pub use events::ClientHandlers;

/// A client, for whoever receives its messages. Everything else is on [`ClientSender`], to which it dereferences.
///
/// A task of the runtime's does the work: it connects, polls, upgrades, answers pings, and, with a
/// [`Backoff`](crate::Backoff), begins a new session where one broke.
///
/// Dropping it closes the session in order, as far as the runtime still runs: what is queued goes out first.
#[must_use = "a client that is dropped closes its session"]
pub struct Client<R> {
    sender: ClientSender,
    runtime: PhantomData<fn() -> R>,
}

/// A client, for whoever sends: a cheap clone of what [`Client`] holds, for other tasks.
#[derive(Clone)]
pub struct ClientSender {
    shared: Arc<Shared>,
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSender").finish_non_exhaustive()
    }
}

impl<R> Deref for Client<R> {
    type Target = ClientSender;

    fn deref(&self) -> &ClientSender {
        &self.sender
    }
}

impl<R: Runtime + Default> Client<R> {
    /// Connects with the default options: polling first, then a WebSocket.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// The options of a client of this server: `http://` or `ws://`, with the feature `tls` also `https://` or `wss://`, a
    /// host, perhaps a port, a user with password, the endpoint's path, a query. What is wrong with the URL is said on
    /// connecting.
    pub fn builder(url: &str) -> ClientBuilder<R> {
        ClientBuilder::new(R::default(), url)
    }
}

impl<R: Runtime> Client<R> {
    /// The options of a client on a runtime that is a value.
    pub fn builder_on(runtime: R, url: &str) -> ClientBuilder<R> {
        ClientBuilder::new(runtime, url)
    }
}

impl<R> Client<R> {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            sender: ClientSender { shared },
            runtime: PhantomData,
        }
    }

    /// The next message; `None` when the last session is over and everything that came was taken.
    /// [`ClientSender::closed`] says why.
    ///
    /// Cancel-safe: a message is taken when the future is ready, and not before. While nobody calls this, at most
    /// [`Config::receive_window`](crate::engineio::client::Config::receive_window) bytes pile up before the server is made
    /// to wait; pings wait behind them, so a session whose messages nobody takes ends.
    pub async fn recv(&mut self) -> Option<Data> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message, for futures written by hand: see [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Data>> {
        loop {
            match ready!(self.poll_event(cx)) {
                Some(ClientEvent::Message(data)) => return Poll::Ready(Some(data)),
                Some(ClientEvent::TooLarge(data)) => self.sender.shared.lock().give_back(data),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    /// The next message, if it is there already. Waits for nothing.
    ///
    /// # Errors
    /// See [`TryRecvError`]; it turns into [`Error`] with `?`. With reconnection it is [`TryRecvError::Empty`] between two
    /// sessions.
    pub fn try_recv(&mut self) -> Result<Data, TryRecvError> {
        loop {
            match self.sender.shared.take_event(None) {
                Poll::Ready(Some(ClientEvent::Message(data))) => return Ok(data),
                Poll::Ready(Some(ClientEvent::TooLarge(data))) => self.sender.shared.lock().give_back(data),
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Err(TryRecvError::Closed),
                Poll::Pending => return Err(TryRecvError::Empty),
            }
        }
    }

    /// The next thing that happens, messages included; `None` after the last one. For those who want to see sessions come
    /// and go. Cancel-safe.
    ///
    /// Of what is no message, the last 256 are kept for whoever asks late.
    pub async fn event(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next thing that happens, for futures written by hand: see [`event`](Self::event).
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.sender.shared.poll_event(cx)
    }

    /// A clone for other tasks. Sending does not keep the session open: it closes when the `Client` is dropped.
    pub fn sender(&self) -> ClientSender {
        self.sender.clone()
    }

    /// Ends the session in order, and waits until it has ended: what is queued goes out, then a close packet. Messages that
    /// were not taken, and those that still come, are dropped; use [`ClientSender::begin_close`] and [`recv`](Self::recv)
    /// to have them.
    ///
    /// # Errors
    /// [`Error::Unsent`] where not everything was handed to a transport:
    /// [`take_unsent`](ClientSender::take_unsent) gives it back. A session that has ended already is no error.
    pub async fn close(&mut self) -> Result<()> {
        let now = self.sender.shared.now();
        self.sender.shared.with(|state| {
            state.leave();
            state.discard_input();
            state.connection().machine().close(now);
        });
        let closed = self.sender.wait().await;
        let too_large = self.sender.shared.lock().count_too_large();
        match closed.unsent + too_large {
            0 => Ok(()),
            unsent => Err(Error::Unsent(Closed { unsent, ..closed })),
        }
    }
}

impl<R> Drop for Client<R> {
    fn drop(&mut self) {
        let now = self.sender.shared.now();
        self.sender.shared.with(|state| {
            state.leave();
            state.discard_input();
            state.connection().machine().close(now);
        });
    }
}

impl ClientSender {
    /// Sends a message, waiting for room in the queue. Text from `&str` and `String`, binary from `Vec<u8>`, `&[u8]` and
    /// [`Bytes`](bytes::Bytes).
    ///
    /// `Ok` means queued: it will be sent in order and at most once. [`closed`](Self::closed) counts what did not arrive,
    /// or may not have. With reconnection, what is queued while no session is open waits for the next one. A future that is
    /// dropped before it is ready has sent nothing.
    ///
    /// Over polling, the protocol separates packets by the character U+001E and knows no escape for it: text with that
    /// character in it arrives in pieces. Send such text as binary.
    ///
    /// # Errors
    /// Gives the message back: see [`SendError`].
    pub async fn send(&self, message: impl Into<Data>) -> Result<(), SendError> {
        let mut message = Some(message.into());
        let mut waiting = Waiting::new(&self.shared, State::senders);
        poll_fn(|cx| {
            let Some(data) = message.take() else {
                return Poll::Ready(Ok(()));
            };
            self.shared.with(|state| match state.send(data) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(TrySendError::Full(data)) => {
                    message = Some(data);
                    waiting.wait(state, cx);
                    Poll::Pending
                }
                Err(TrySendError::TooLarge(data)) => Poll::Ready(Err(SendError::TooLarge(data))),
                Err(error) => Poll::Ready(Err(SendError::Closed(error.into_data()))),
            })
        })
        .await
    }

    /// Sends a value as a text message that holds its JSON, as [`send`](Self::send) does. [`Data::json`] is the other way;
    /// [`Data::from_json`] makes the message alone.
    ///
    /// # Errors
    /// [`Error::Encode`]: the value has no JSON form. [`Error::Send`] gives the message back.
    pub async fn send_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        // Encoded at once: what waits need not be shared between threads.
        let message = Data::from_json(value);
        Ok(self.send(message?).await?)
    }

    /// Sends a message if there is room for it now.
    ///
    /// # Errors
    /// Gives the message back: see [`TrySendError`].
    pub fn try_send(&self, message: impl Into<Data>) -> Result<(), TrySendError> {
        let message = message.into();
        self.shared.with(|state| state.send(message))
    }

    /// Ends the session in order: what is queued goes out, then a close packet. Does not wait for it. There will be no
    /// further session.
    pub fn begin_close(&self) {
        let now = self.shared.now();
        self.shared.with(|state| {
            state.leave();
            state.connection().machine().close(now);
        });
    }

    /// Ends the session at once. What is queued is not sent. There will be no further session.
    pub fn abort(&self) {
        let now = self.shared.now();
        self.shared.with(|state| {
            state.leave();
            state.connection().machine().abort(now);
        });
    }

    /// Waits until the last session is over, and says how it was. With reconnection, that is when there will be no further
    /// one. Where there are handlers, they have been called for everything that came before; so a handler must not wait
    /// for this.
    pub async fn wait(&self) -> Closed {
        let mut waiting = Waiting::new(&self.shared, State::watchers);
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            match state.handled() {
                Some(closed) => Poll::Ready(closed),
                None => {
                    waiting.wait(&mut state, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The end of the last session, once it has come: why, and what it leaves open. `None` while there is a session or may
    /// be a further one.
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().over()
    }

    /// The session's id, while there is one: a secret between this client and the server. Do not show it to anybody else.
    pub fn sid(&self) -> Option<Sid> {
        let mut state = self.shared.lock();
        let machine = state.connection().machine();
        machine.sid().filter(|_| machine.closed().is_none()).cloned()
    }

    /// What carries the session's messages at the moment, or what is tried while connecting.
    pub fn transport(&self) -> Transport {
        self.shared.lock().connection().machine().transport()
    }

    /// Which of the [offered protocols](ClientBuilder::websocket_protocols) the server has chosen for the session's WebSocket;
    /// `None` while the session polls, and where it has chosen none.
    pub fn websocket_protocol(&self) -> Option<String> {
        let mut state = self.shared.lock();
        state.connection().websocket_protocol().map(ToString::to_string)
    }

    /// The largest message or polling body that the server takes, where it has said so.
    pub fn max_payload(&self) -> Option<usize> {
        let mut state = self.shared.lock();
        state
            .connection()
            .machine()
            .handshake()
            .and_then(|handshake| handshake.max_payload)
    }

    /// The cookies that the session has, for one that comes after it.
    pub(in crate::runtime) fn take_cookies(&self) -> crate::wire::client::Cookies {
        self.shared.lock().connection().take_cookies()
    }

    /// Messages that will not be sent: what turned out to be too large for the server while nobody asked for
    /// [events](Client::event), and, once the last session is over, what was never handed to a transport. Gives each of
    /// them once.
    pub fn take_unsent(&self) -> Vec<Data> {
        self.shared.with(State::take_unsent)
    }
}

/// The place of somebody who waits. It is free again when nobody does any more.
struct Waiting<'a> {
    shared: &'a Shared,
    waiters: fn(&mut State) -> &mut Waiters,
    place: Option<u64>,
}

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared, waiters: fn(&mut State) -> &mut Waiters) -> Self {
        Self {
            shared,
            waiters,
            place: None,
        }
    }

    fn wait(&mut self, state: &mut State, cx: &Context<'_>) {
        (self.waiters)(state).wait(&mut self.place, cx.waker());
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            (self.waiters)(&mut self.shared.lock()).leave(place);
        }
    }
}

/// Waits until a session is open, or none will ever be.
async fn opened<R>(client: &mut Client<R>) -> Result<()> {
    let shared = client.sender.shared.clone();
    let mut waiting = Waiting::new(&shared, State::watchers);
    let opened = poll_fn(|cx| {
        let mut state = shared.lock();
        if state.ever_opened() {
            return Poll::Ready(true);
        }
        if state.over().is_some() {
            return Poll::Ready(false);
        }
        waiting.wait(&mut state, cx);
        Poll::Pending
    });
    if opened.await {
        return Ok(());
    }
    // The last attempt's error is the one that counts.
    let mut last = None;
    while let Some(event) = shared.lock().next_event() {
        if let ClientEvent::Failed(error) = event {
            last = Some(error);
        }
    }
    Err(match last {
        Some(error) => error.into(),
        // The runtime has ended, and its tasks with it.
        None => Error::Io(std::io::Error::other("the client's task was ended".to_string())),
    })
}
