//! One namespace of a client.

use core::time::Duration;
use std::string::String;

use serde_core::de::DeserializeOwned;

use crate::runtime::blocking::block_on;
use crate::runtime::socketio::client as generic;
use crate::socketio::{AckToken, Args, EmitError, FromArgs, IntoArgs};
use generic::{CallError, EmitFailed};

/// One namespace of a client: a cheap clone, for handlers and other threads.
#[derive(Clone, Debug)]
pub struct ClientSocket(pub(super) generic::ClientSocket);

impl ClientSocket {
    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        self.0.namespace()
    }

    /// The id that the server knows this socket by, while it is connected; after each connection another one.
    pub fn id(&self) -> Option<String> {
        self.0.id()
    }

    /// Whether it has been let into its namespace, and is there.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Whether the server had kept this socket's rooms and its data over a lost connection when it was let in last: as the
    /// async [`ClientSocket::recovered`](generic::ClientSocket::recovered).
    pub fn recovered(&self) -> bool {
        self.0.recovered()
    }

    /// Emits an event, waiting for room in the queue; several arguments are a tuple. While the socket is not connected, the
    /// event waits for that, as far as there is room for it.
    ///
    /// `Ok` means queued: it will be sent in order and at most once. What is on its way when a connection breaks may be
    /// lost; only an acknowledgement tells.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitFailed`].
    pub fn emit<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<(), EmitFailed> {
        block_on(self.0.emit(event, args))
    }

    /// Emits an event that is sent again until the server acknowledges it: as the async
    /// [`Emit::with_retries`](generic::Emit::with_retries).
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitFailed`].
    pub fn emit_with_retries<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<(), EmitFailed> {
        block_on(self.0.emit(event, args).with_retries())
    }

    /// Emits an event if it can go out at once, and says whether it could: for what is worth nothing later.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitFailed`].
    pub fn emit_volatile<A: IntoArgs + ?Sized>(&self, event: &str, args: &A) -> Result<bool, EmitFailed> {
        self.0.emit_volatile(event, args)
    }

    /// Emits an event if there is room for it now.
    ///
    /// # Errors
    /// Gives the arguments back: see [`EmitError`].
    pub fn try_emit(&self, event: &str, args: Args) -> Result<(), EmitError> {
        self.0.try_emit(event, args)
    }

    /// Emits an event and waits for its acknowledgement, whose first argument it gives; for as long as the client was built
    /// with, [`ack_timeout`](super::ClientBuilder::ack_timeout).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call<T: DeserializeOwned>(&self, event: &str, args: &(impl IntoArgs + ?Sized)) -> Result<T, CallError> {
        block_on(self.0.call(event, args))
    }

    /// The same, for no longer than `timeout` once the event is queued.
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call_within<T: DeserializeOwned>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<T, CallError> {
        block_on(self.0.call(event, args).timeout(timeout))
    }

    /// Emits an event and waits for its acknowledgement, for no longer than `timeout` once it is queued. Gives all of its
    /// arguments: a tuple, or [`Args`].
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call_args<T: FromArgs>(
        &self,
        timeout: Duration,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<T, CallError> {
        block_on(self.0.call_args(event, args).timeout(timeout))
    }

    /// Emits an event that is sent again until it is acknowledged, and waits for that: as the async
    /// [`Call::with_retries`](generic::Call::with_retries).
    ///
    /// # Errors
    /// See [`CallError`].
    pub fn call_with_retries<T: DeserializeOwned>(
        &self,
        event: &str,
        args: &(impl IntoArgs + ?Sized),
    ) -> Result<T, CallError> {
        block_on(self.0.call(event, args).with_retries())
    }

    /// Acknowledges an event of [`SimpleClient::receive`](super::SimpleClient::receive), waiting for room in the queue.
    ///
    /// # Errors
    /// Gives the arguments back: the connection that the event came on is gone.
    pub fn ack(&self, token: AckToken, args: Args) -> Result<(), EmitError> {
        block_on(self.0.ack(token, args))
    }

    /// Leaves the namespace, and does not come back. What was emitted while connected goes out first. The last socket to go
    /// ends the connection. Says whether there was anything to leave.
    pub fn disconnect(&self) -> bool {
        self.0.disconnect()
    }
}
