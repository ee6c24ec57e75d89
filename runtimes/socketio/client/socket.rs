//! One namespace of a client.

use core::fmt;
use core::time::Duration;
use std::string::{String, ToString};
use std::sync::Arc;

use serde_core::de::DeserializeOwned;

use super::shared::Shared;
use super::{Call, Emit, EmitFailed};
use crate::socketio::{AckToken, Args, EmitError, FromArgs, IntoArgs, Key};

/// One namespace of a client: a cheap clone, for handlers and other tasks.
#[derive(Clone)]
pub struct ClientSocket {
    shared: Arc<Shared>,
    key: Key,
    namespace: Arc<str>,
}

impl fmt::Debug for ClientSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSocket")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl ClientSocket {
    pub(super) fn new(shared: Arc<Shared>, key: Key, namespace: Arc<str>) -> Self {
        Self { shared, key, namespace }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The id that the server knows this socket by, while it is connected; after each connection another one.
    pub fn id(&self) -> Option<String> {
        let state = self.shared.lock();
        state.machine.sid(self.key).map(|sid| sid.to_string())
    }

    /// Whether it has been let into its namespace, and is there.
    pub fn is_connected(&self) -> bool {
        self.shared.lock().machine.is_connected(self.key)
    }

    /// Whether the server had kept this socket's rooms and its data over a lost connection when it was let in last, and
    /// sends what it has missed: connection state recovery, as far as the server does it.
    pub fn recovered(&self) -> bool {
        self.shared.lock().machine.is_recovered(self.key)
    }

    /// Emits an event; several arguments are a tuple. They are encoded before this returns. The future waits for room in
    /// the queue; while the socket is not connected, the event waits for that instead, as far as there is room for it.
    ///
    /// `Ok` means queued: it will be sent in order and at most once. What is on its way when a connection breaks may be
    /// lost; only an acknowledgement tells.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitFailed`].
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Emit {
        Emit::new(self.shared.clone(), self.key, event, Args::encode(args))
    }

    /// Emits an event if it can go out at once, and says whether it could: for what is worth nothing later.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitFailed`].
    pub fn emit_volatile<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<bool, EmitFailed> {
        let args = Args::encode(args)?;
        let sent = self
            .shared
            .with(|state| state.machine.emit_volatile(self.key, event, args))?;
        Ok(sent)
    }

    /// Emits an event and waits for its acknowledgement, which has one argument; that may be a tuple or a list. See
    /// [`Call::timeout`].
    ///
    /// # Errors
    /// See [`CallError`](super::CallError).
    pub fn call<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Call<T> {
        Call::new(self.shared.clone(), self.key, event, Args::encode(args), |args| {
            args.get(0)
        })
    }

    /// Emits an event and waits for its acknowledgement, with all its arguments: a tuple for several.
    ///
    /// # Errors
    /// See [`CallError`](super::CallError).
    pub fn call_args<T: FromArgs>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Call<T> {
        Call::new(self.shared.clone(), self.key, event, Args::encode(args), T::from_args)
    }

    /// Emits an event if there is room for it now, and says under which number
    /// [`ClientEvent::Ack`](super::ClientEvent::Ack) will tell of its acknowledgement: within this time, or
    /// [`Config::ack_timeout`](super::Config::ack_timeout).
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn emit_with_ack(&self, event: &str, args: Args, timeout: Option<Duration>) -> Result<u64, EmitError> {
        let now = self.shared.now();
        self.shared
            .with(|state| state.machine.emit_with_ack(now, self.key, event, args, timeout))
    }

    /// Emits an event if there is room for it now.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn try_emit(&self, event: &str, args: Args) -> Result<(), EmitError> {
        self.shared.with(|state| state.machine.emit(self.key, event, args))
    }

    /// Waits until there is room in the queue for another event, or the socket is not connected.
    pub async fn ready(&self) {
        core::future::poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.over || state.machine.has_room() || !state.machine.is_connected(self.key) {
                return core::task::Poll::Ready(());
            }
            state.wait(cx.waker());
            core::task::Poll::Pending
        })
        .await;
    }

    /// Acknowledges an event of [`ClientEvent::Event`](super::ClientEvent::Event), waiting for room in the queue.
    ///
    /// # Errors
    /// Gives the arguments back: the connection that the event came on is gone.
    pub async fn ack(&self, token: AckToken, args: Args) -> Result<(), EmitError> {
        self.shared.acknowledge(token, args).await
    }

    /// Leaves the namespace, and does not come back. What was emitted while connected goes out first. The last socket to go
    /// ends the connection. Says whether there was anything to leave.
    pub fn disconnect(&self) -> bool {
        self.shared.with(|state| {
            let was = state.machine.disconnect(self.key);
            let alone = state.machine.sockets().next().is_none();
            state.leaving |= alone;
            was
        })
    }
}
