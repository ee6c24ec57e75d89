//! The client of Socket.IO, as the application sees it.

mod builder;
mod call;
mod driver;
mod error;
mod events;
mod handlers;
mod shared;
mod simple;
mod socket;

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::ops::Deref;
use core::task::Poll;
use std::string::String;
use std::sync::Arc;

use serde_core::Serialize;

use super::super::Runtime;
use crate::socketio::client::Auth;
pub use crate::socketio::client::{Config, DisconnectReason, NamespaceError, WhenFull};
pub use crate::socketio::{AckError, AckToken, EmitError};
pub use builder::ClientBuilder;
pub use call::{Call, Emit};
pub use error::{CallError, ConnectFailed, EmitFailed, ReceiveError, Refused};
pub use events::{ClientEvent, ClientEvents};
use shared::Shared;
pub use simple::{Received, SimpleClient};
pub use socket::ClientSocket;

/// A client: the socket of its first namespace, to which it dereferences, and the connection that all its sockets share.
///
/// A task of the runtime's does the work. With a [`Backoff`](crate::Backoff), it connects again where the connection
/// broke, and its sockets join their namespaces again; never after an end that either side wanted.
///
#[cfg_attr(feature = "tokio", doc = "```no_run")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// use sansocket::Backoff;
/// use sansocket::tokio::socketio::{Ack, Client};
///
/// #[tokio::main]
/// async fn main() -> sansocket::Result<()> {
///     let client = Client::builder("http://127.0.0.1:3000")
///         .namespace("/chat")
///         .auth(&[("token", "secret")].into_iter().collect::<std::collections::BTreeMap<_, _>>())
///         .reconnect(Backoff::default().attempts(10))
///         .on("said", |_socket, (who, text): (String, String)| async move { println!("{who}: {text}") })
///         .on("number", |_socket, ()| async { Ack(7) })
///         .connect()
///         .await?;
///     client.emit("say", &("lobby", "hello")).await?;
///     let sum: i64 = client.call("add", &(1, 2)).await?;
///     println!("{sum}");
///     Ok(())
/// }
/// ```
///
/// Dropping it closes the connection in order, as far as the runtime still runs: what was emitted while connected goes out
/// first.
#[must_use = "a client that is dropped closes its connection"]
pub struct Client<R> {
    socket: ClientSocket,
    runtime: PhantomData<fn() -> R>,
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<R> Deref for Client<R> {
    type Target = ClientSocket;

    fn deref(&self) -> &ClientSocket {
        &self.socket
    }
}

impl<R: Runtime + Default> Client<R> {
    /// Connects with the default options, and no handlers.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Self::builder(url).connect().await
    }

    /// The options of a client of this server. As in JavaScript, the path in the URL is the namespace to join; the
    /// endpoint's is another [option](ClientBuilder::path).
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
    fn new(socket: ClientSocket) -> Self {
        Self {
            socket,
            runtime: PhantomData,
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.socket.shared()
    }

    /// The socket of the first namespace, for other tasks. It does not keep the connection open.
    pub fn socket(&self) -> ClientSocket {
        self.socket.clone()
    }

    /// One more namespace on the same connection. It is joined as soon as there is a connection; events can be emitted at
    /// once, and wait for that. It shows nothing to be let in.
    ///
    /// # Errors
    /// [`ConnectFailed::BadNamespace`]: there is a socket for this namespace already, or it can not be the name of one.
    /// [`ConnectFailed::Closed`]: the client is.
    pub fn join(&self, namespace: &str) -> Result<ClientSocket, ConnectFailed> {
        self.add(namespace, Auth::None)
    }

    /// One more namespace on the same connection, as [`join`](Self::join), with something to show, each time.
    ///
    /// # Errors
    /// As [`join`](Self::join); also [`ConnectFailed::Unusable`]: what is shown is no JSON object.
    pub fn join_with<T: Serialize + ?Sized>(&self, namespace: &str, auth: &T) -> Result<ClientSocket, ConnectFailed> {
        self.add(namespace, Auth::Value(builder::shown(auth)?))
    }

    fn add(&self, namespace: &str, auth: Auth) -> Result<ClientSocket, ConnectFailed> {
        let shared = self.shared();
        let now = shared.now();
        let key = shared.with(|state| {
            // With its last socket, the connection goes too.
            if state.over || state.leaving || state.machine.sockets().next().is_none() {
                return Err(ConnectFailed::Closed);
            }
            let key = state.machine.connect(now, namespace, auth)?;
            // At once: the server may have turned it away before we come here again, and then nobody knows its name.
            state.name(key);
            Ok(key)
        })?;
        Ok(shared.socket(key))
    }

    /// The socket of this namespace, if there is one.
    pub fn of(&self, namespace: &str) -> Option<ClientSocket> {
        let name = crate::socketio::namespace_name(namespace).ok()?;
        let shared = self.shared();
        let mut state = shared.lock();
        let key = {
            let mut sockets = state.machine.sockets();
            sockets.find(|(_, other)| **other == name).map(|(key, _)| key)
        };
        let name = state.name(key?);
        Some(ClientSocket::new(shared.clone(), key?, name))
    }

    /// Leaves all namespaces and ends the connection in order; does not wait for that. What was emitted while connected
    /// goes out first; what waits for a connection is given back.
    pub fn begin_close(&self) {
        self.shared().with(|state| {
            state.leaving = true;
            state.machine.close();
        });
    }

    /// Ends the connection at once. What is queued is not sent.
    pub fn abort(&self) {
        self.shared().with(|state| {
            state.leaving = true;
            state.aborting = true;
            state.machine.close();
        });
    }

    /// Leaves all namespaces, ends the connection in order, and waits until it has ended.
    pub async fn close(&self) {
        self.begin_close();
        self.wait().await;
    }

    /// Waits until there will be no further connection: the client was closed, the server threw the last socket out, or the
    /// last attempt has failed.
    pub async fn wait(&self) {
        let shared = self.shared();
        poll_fn(|cx| {
            let mut state = shared.lock();
            if state.over {
                return Poll::Ready(());
            }
            state.wait(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// What carries the connection at the moment, while it is open.
    pub fn transport(&self) -> Option<crate::engineio::Transport> {
        self.shared().lock().transport
    }

    /// Which of the [offered protocols](ClientBuilder::websocket_protocols) the server has chosen for the connection's
    /// WebSocket; `None` while there is none, and where it has chosen none.
    pub fn websocket_protocol(&self) -> Option<String> {
        self.shared().lock().protocol.clone()
    }

    /// Waits until all sockets that there are were let in, or one of them can not be.
    pub(in crate::runtime) async fn joined(&self) -> Result<(), ConnectFailed> {
        let shared = self.shared();
        poll_fn(|cx| {
            let mut state = shared.lock();
            if let Some(failure @ (ConnectFailed::Refused(_) | ConnectFailed::TimedOut(..))) = &state.failure {
                return Poll::Ready(Err(failure.clone()));
            }
            if state.over {
                return Poll::Ready(Err(state.failure.clone().unwrap_or(ConnectFailed::Closed)));
            }
            let all = state.machine.sockets().all(|(key, _)| state.joined.contains(&key));
            if all && !state.joined.is_empty() {
                return Poll::Ready(Ok(()));
            }
            state.wait(cx.waker());
            Poll::Pending
        })
        .await
    }
}

impl<R> Drop for Client<R> {
    fn drop(&mut self) {
        self.begin_close();
    }
}
