//! The async-std runtime.
//!
//! async-std is discontinued, and its authors point to smol. This shim is for programs that still stand on it, and shares
//! what it can with smol's.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use std::boxed::Box;
use std::io;
use std::net::Shutdown;
use std::vec::Vec;

use async_std::net::{TcpListener, TcpStream, ToSocketAddrs as _};

use super::futures_io::{EndSending, FuturesStream, tcp};
use super::{Runtime, clock};
use crate::time::Instant;

/// Engine.IO on async-std.
pub mod engineio {
    pub use crate::runtime::engineio::{
        Backoff, ClientEvent, ClientSender, ConnectError, ErrorKind, Handle, SendError, Sender, Socket, Stats,
        TrySendError,
    };

    /// A server on async-std: see [`Server`](crate::runtime::engineio::Server).
    pub type Server<D = (), H = ()> = crate::runtime::engineio::Server<super::AsyncStd, D, H>;
    /// The options of a server on async-std: see [`Builder`](crate::runtime::engineio::Builder).
    pub type Builder<D = (), H = ()> = crate::runtime::engineio::Builder<super::AsyncStd, D, H>;
    /// A client on async-std: see [`Client`](crate::runtime::engineio::Client).
    pub type Client = crate::runtime::engineio::Client<super::AsyncStd>;
    /// The options of a client on async-std: see [`ClientBuilder`](crate::runtime::engineio::ClientBuilder).
    pub type ClientBuilder<H = ()> = crate::runtime::engineio::ClientBuilder<super::AsyncStd, H>;
}

/// Socket.IO on async-std: the types of [`runtime::socketio`](crate::runtime::socketio), where everything is explained. Parsers,
/// limits and the machines are in [`socketio`](crate::socketio).
pub mod socketio {
    pub use crate::Backoff;
    pub use crate::runtime::socketio::client::{
        AckToken, CallError, ClientEvent, ClientEvents, ClientSocket, ConnectFailed,
        DisconnectReason as ClientDisconnectReason, EmitFailed, NamespaceError, ReceiveError, Received,
        Refused as ConnectRefused, WhenFull,
    };
    pub use crate::runtime::socketio::{
        Ack, AckError, Args, Binary, Broadcast, Call, CallAll, ConnectRequest, DisconnectReason, Emit, EmitError,
        FromArgs, Handle, IntoArgs, Namespace, Passage, RecoveryConfig, Refused, Reply, Socket, Stats,
    };

    /// A server on async-std: see [`Server`](crate::runtime::socketio::Server).
    pub type Server = crate::runtime::socketio::Server<super::AsyncStd>;
    /// The options of a server on async-std: see [`Builder`](crate::runtime::socketio::Builder).
    pub type Builder = crate::runtime::socketio::Builder<super::AsyncStd>;
    /// A server that listens: see [`Bound`](crate::runtime::socketio::Bound).
    pub type Bound = crate::runtime::socketio::Bound<super::AsyncStd>;

    /// A client on async-std: see [`Client`](crate::runtime::socketio::client::Client).
    pub type Client = crate::runtime::socketio::client::Client<super::AsyncStd>;
    /// The options of a client on async-std: see [`ClientBuilder`](crate::runtime::socketio::client::ClientBuilder).
    pub type ClientBuilder = crate::runtime::socketio::client::ClientBuilder<super::AsyncStd>;
    /// A client without handlers on async-std: see [`SimpleClient`](crate::runtime::socketio::client::SimpleClient).
    pub type SimpleClient = crate::runtime::socketio::client::SimpleClient<super::AsyncStd>;
}

/// The async-std runtime: its global executor, and the threads that it brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl EndSending for TcpStream {
    fn end_sending(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl EndSending for async_std::os::unix::net::UnixStream {
    fn end_sending(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Runtime for AsyncStd {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
    tcp!();

    fn now(&self) -> Instant {
        clock::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        Box::pin(async_std::task::sleep(clock::left(deadline)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(async_std::task::spawn(task));
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        Ok(async_std::task::spawn_blocking(work).await)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }
}
