//! The smol runtime.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::{Arc, OnceLock};
use std::vec::Vec;

use smol::Executor;
use smol::net::{TcpListener, TcpStream};

use super::Runtime;
use super::futures_io::FuturesStream;
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

fn epoch() -> std::time::Instant {
    static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
    *EPOCH.get_or_init(std::time::Instant::now)
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

impl Runtime for Smol {
    type Stream = FuturesStream<TcpStream>;
    type Listener = TcpListener;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(epoch().elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let at = epoch().checked_add(Duration::from_micros(deadline.as_micros()));
        Sleep(at.map_or_else(smol::Timer::never, smol::Timer::at))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(FuturesStream(stream))
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        // It only fails where the peer has gone again, which reading will show.
        let _gone = stream.set_nodelay(true);
        Ok((FuturesStream(stream), peer))
    }
}
