//! The async-std runtime.
//!
//! async-std is discontinued; its authors point to smol. This shim is for programs that still stand on it, and shares what
//! it can with smol's.
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::time::Duration;
use std::boxed::Box;
use std::io;
use std::sync::OnceLock;
use std::vec::Vec;

use async_std::net::{TcpListener, TcpStream};

use super::Runtime;
use super::futures_io::FuturesStream;
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

/// The async-std runtime: its global executor, and the threads that it brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

fn epoch() -> std::time::Instant {
    static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
    *EPOCH.get_or_init(std::time::Instant::now)
}

impl Runtime for AsyncStd {
    type Stream = FuturesStream<TcpStream>;
    type Listener = TcpListener;
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(epoch().elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        let until = Duration::from_micros(deadline.as_micros());
        Box::pin(async_std::task::sleep(until.saturating_sub(epoch().elapsed())))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(async_std::task::spawn(task));
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        use async_std::net::ToSocketAddrs;

        Ok((host, port).to_socket_addrs().await?.collect())
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
