//! The client of Socket.IO on threads. Nothing here is async.

mod builder;
mod handlers;
mod simple;
mod socket;

use core::fmt;
use core::ops::Deref;
use std::string::String;

use serde_core::Serialize;

use crate::engineio::Transport;
use crate::runtime::blocking::{Threads, block_on};
use crate::runtime::socketio::client as generic;
pub use builder::ClientBuilder;
use generic::ConnectFailed;
pub use simple::{Received, SimpleClient};
pub use socket::ClientSocket;

/// A client: the socket of its first namespace, to which it dereferences, and the connection that all its sockets share.
///
/// Threads of its own do the work. With a [`Backoff`](crate::Backoff), it connects again where the connection broke, and
/// its sockets join their namespaces again; never after [`close`](Self::close).
///
/// ```no_run
/// use std::time::Duration;
///
/// use sansocket::Backoff;
/// use sansocket::blocking::socketio::{Ack, Client};
///
/// fn main() -> sansocket::Result<()> {
///     let client = Client::builder("http://127.0.0.1:3000")
///         .namespace("/chat")
///         .reconnect(Backoff::default().attempts(10))
///         .on("said", |_socket, (who, text): (String, String)| println!("{who}: {text}"))
///         .on("number", |_socket, ()| Ack(7))
///         .connect()?;
///     client.emit("say", &("lobby", "hello"))?;
///     let sum: i64 = client.call_within(Duration::from_secs(5), "add", &(1, 2))?;
///     println!("{sum}");
///     client.close();
///     Ok(())
/// }
/// ```
///
/// Dropping it closes the connection in order, without anybody waiting for it: what was emitted while connected goes out
/// first.
#[must_use = "a client that is dropped closes its connection"]
pub struct Client {
    client: generic::Client<Threads>,
    socket: ClientSocket,
    threads: Threads,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Deref for Client {
    type Target = ClientSocket;

    fn deref(&self) -> &ClientSocket {
        &self.socket
    }
}

impl Client {
    /// Connects with the default options, and no handlers.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub fn connect(url: &str) -> Result<Self, ConnectFailed> {
        Self::builder(url).connect()
    }

    /// The options of a client of this server. As in JavaScript, the path in the URL is the namespace to join; the
    /// endpoint's is another [option](ClientBuilder::path).
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    fn new(client: generic::Client<Threads>, threads: Threads) -> Self {
        Self {
            socket: ClientSocket(client.socket()),
            client,
            threads,
        }
    }

    /// The socket of the first namespace, for other threads. It does not keep the connection open.
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
        self.client.join(namespace).map(ClientSocket)
    }

    /// One more namespace on the same connection, as [`join`](Self::join), with something to show, each time.
    ///
    /// # Errors
    /// As [`join`](Self::join); also [`ConnectFailed::Unusable`]: what is shown is no JSON object.
    pub fn join_with<T: Serialize + ?Sized>(&self, namespace: &str, auth: &T) -> Result<ClientSocket, ConnectFailed> {
        self.client.join_with(namespace, auth).map(ClientSocket)
    }

    /// The socket of this namespace, if there is one.
    pub fn of(&self, namespace: &str) -> Option<ClientSocket> {
        self.client.of(namespace).map(ClientSocket)
    }

    /// What carries the connection at the moment, while it is open.
    pub fn transport(&self) -> Option<Transport> {
        self.client.transport()
    }

    /// Which of the [offered protocols](ClientBuilder::websocket_protocols) the server has chosen for the connection's
    /// WebSocket; `None` while there is none, and where it has chosen none.
    pub fn websocket_protocol(&self) -> Option<String> {
        self.client.websocket_protocol()
    }

    /// Leaves all namespaces and ends the connection in order; does not wait for that. What was emitted while connected
    /// goes out first; what waits for a connection is given back.
    pub fn begin_close(&self) {
        self.client.begin_close();
    }

    /// Ends the connection at once. What is queued is not sent.
    pub fn abort(&self) {
        self.client.abort();
    }

    /// Leaves all namespaces, ends the connection in order, and waits until it has ended and its threads have: for handlers
    /// that run no longer than half a second.
    pub fn close(&self) {
        block_on(self.client.close());
        self.threads.join();
    }

    /// Waits until there will be no further connection: the client was closed, the server threw the last socket out, or the
    /// last attempt has failed.
    pub fn wait(&self) {
        block_on(self.client.wait());
    }
}
