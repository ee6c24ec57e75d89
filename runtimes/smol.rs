//! The smol runtime.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::vec::Vec;

use smol::Executor;
use smol::net::{TcpListener, TcpStream};

use super::futures_io::{EndSending, FuturesStream, tcp};
use super::{Runtime, clock};
use crate::time::Instant;

/// Engine.IO on smol.
pub mod engineio {
    pub use crate::runtime::engineio::{
        Backoff, ClientEvent, ClientSender, ConnectError, ErrorKind, Handle, SendError, Sender, Socket, Stats,
        TrySendError,
    };

    /// A server on smol: see [`Server`](crate::runtime::engineio::Server).
    pub type Server<D = (), H = ()> = crate::runtime::engineio::Server<super::Smol, D, H>;
    /// The options of a server on smol: see [`Builder`](crate::runtime::engineio::Builder).
    pub type Builder<D = (), H = ()> = crate::runtime::engineio::Builder<super::Smol, D, H>;
    /// A client on smol: see [`Client`](crate::runtime::engineio::Client).
    pub type Client = crate::runtime::engineio::Client<super::Smol>;
    /// The options of a client on smol: see [`ClientBuilder`](crate::runtime::engineio::ClientBuilder).
    pub type ClientBuilder<H = ()> = crate::runtime::engineio::ClientBuilder<super::Smol, H>;
}

/// Socket.IO on smol: the types of [`runtime::socketio`](crate::runtime::socketio), where everything is explained. Parsers,
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

    /// A server on smol: see [`Server`](crate::runtime::socketio::Server).
    pub type Server = crate::runtime::socketio::Server<super::Smol>;
    /// The options of a server on smol: see [`Builder`](crate::runtime::socketio::Builder).
    pub type Builder = crate::runtime::socketio::Builder<super::Smol>;
    /// A server that listens: see [`Bound`](crate::runtime::socketio::Bound).
    pub type Bound = crate::runtime::socketio::Bound<super::Smol>;

    /// A client on smol: see [`Client`](crate::runtime::socketio::client::Client).
    pub type Client = crate::runtime::socketio::client::Client<super::Smol>;
    /// The options of a client on smol: see [`ClientBuilder`](crate::runtime::socketio::client::ClientBuilder).
    pub type ClientBuilder = crate::runtime::socketio::client::ClientBuilder<super::Smol>;
    /// A client without handlers on smol: see [`SimpleClient`](crate::runtime::socketio::client::SimpleClient).
    pub type SimpleClient = crate::runtime::socketio::client::SimpleClient<super::Smol>;
}

/// The smol runtime: its global executor, which brings its own threads, or another one.
#[derive(Clone, Debug, Default)]
pub struct Smol {
    executor: Option<Arc<Executor<'static>>>,
}

impl Smol {
    /// Tasks run on this executor, which somebody has to [run](Executor::run).
    pub fn on(executor: Arc<Executor<'static>>) -> Self {
        Self {
            executor: Some(executor),
        }
    }
}

/// A timer of smol's.
#[derive(Debug)]
pub struct Sleep(smol::Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _when = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(())
    }
}

impl EndSending for TcpStream {
    fn end_sending(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

#[cfg(unix)]
impl EndSending for smol::net::unix::UnixStream {
    fn end_sending(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Runtime for Smol {
    type Sleep = Sleep;
    tcp!();

    fn now(&self) -> Instant {
        clock::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep(clock::at(deadline).map_or_else(smol::Timer::never, smol::Timer::at))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        Ok(smol::unblock(work).await)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }
}
