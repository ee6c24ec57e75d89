//! The tokio runtime.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::OnceLock;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::{Runtime, Stream};
use crate::time::Instant;

/// Engine.IO on tokio.
pub mod engineio {
    pub use crate::runtime::engineio::{
        Backoff, ClientEvent, ClientSender, ConnectError, ErrorKind, Handle, SendError, Sender, Socket, Stats,
        TrySendError,
    };

    /// A server on tokio: see [`Server`](crate::runtime::engineio::Server).
    pub type Server<D = (), H = ()> = crate::runtime::engineio::Server<super::Tokio, D, H>;
    /// A client on tokio: see [`Client`](crate::runtime::engineio::Client).
    pub type Client = crate::runtime::engineio::Client<super::Tokio>;
    /// The options of a client on tokio: see [`ClientBuilder`](crate::runtime::engineio::ClientBuilder).
    pub type ClientBuilder<H = ()> = crate::runtime::engineio::ClientBuilder<super::Tokio, H>;
    /// The options of a server on tokio: see [`Builder`](crate::runtime::engineio::Builder).
    pub type Builder<D = (), H = ()> = crate::runtime::engineio::Builder<super::Tokio, D, H>;
}

/// Socket.IO on tokio: the types of [`runtime::socketio`](crate::runtime::socketio), where everything is explained. Parsers,
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

    /// A server on tokio: see [`Server`](crate::runtime::socketio::Server).
    pub type Server = crate::runtime::socketio::Server<super::Tokio>;
    /// The options of a server on tokio: see [`Builder`](crate::runtime::socketio::Builder).
    pub type Builder = crate::runtime::socketio::Builder<super::Tokio>;
    /// A server that listens: see [`Bound`](crate::runtime::socketio::Bound).
    pub type Bound = crate::runtime::socketio::Bound<super::Tokio>;

    /// A client on tokio: see [`Client`](crate::runtime::socketio::client::Client).
    pub type Client = crate::runtime::socketio::client::Client<super::Tokio>;
    /// The options of a client on tokio: see [`ClientBuilder`](crate::runtime::socketio::client::ClientBuilder).
    pub type ClientBuilder = crate::runtime::socketio::client::ClientBuilder<super::Tokio>;
    /// A client without handlers on tokio: see [`SimpleClient`](crate::runtime::socketio::client::SimpleClient).
    pub type SimpleClient = crate::runtime::socketio::client::SimpleClient<super::Tokio>;
}

/// The tokio runtime that the calling task runs on.
///
/// Its methods panic outside of a tokio runtime with I/O and time enabled, as tokio's own do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

fn epoch() -> tokio::time::Instant {
    static EPOCH: OnceLock<tokio::time::Instant> = OnceLock::new();
    *EPOCH.get_or_init(tokio::time::Instant::now)
}

impl Runtime for Tokio {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Instant {
        let elapsed = epoch().elapsed();
        Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        tokio::time::sleep_until(epoch() + Duration::from_micros(deadline.as_micros()))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        // It only fails where the peer has gone again, which reading will show.
        let _gone = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl Stream for TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        AsyncRead::poll_read(Pin::new(self), cx, &mut buf).map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(self), cx, buf)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(self), cx)
    }
}

/// Any stream that has tokio's traits, such as a [`UnixStream`](tokio::net::UnixStream), as a [`Stream`]: for
/// [`dial_with`](crate::runtime::engineio::ClientBuilder::dial_with).
#[derive(Debug)]
pub struct TokioStream<T>(pub T);

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for TokioStream<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        Pin::new(&mut self.0)
            .poll_read(cx, &mut buf)
            .map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::engineio::Server;

    fn is_send<T: Send>(value: T) -> T {
        value
    }

    /// Whoever uses the server may spawn all of it.
    #[test]
    fn futures_are_send() {
        drop(is_send(async {
            let server = is_send(Server::builder().bind("127.0.0.1:0")).await?;
            is_send(server.handle().shutdown(core::time::Duration::ZERO)).await;
            let server = Server::builder().on_connect(|_| async { Ok(1_u8) });
            let server = server.on_message(|_, _| async {}).bind("127.0.0.1:0").await?;
            is_send(server.serve()).await
        }));
        drop(is_send(async {
            let server = Server::bind("127.0.0.1:0").await?;
            is_send(server.serve(|mut socket| async move {
                let message = is_send(socket.recv()).await;
                is_send(socket.send(message.unwrap_or("".into()))).await?;
                Ok(())
            }))
            .await
        }));
    }
}
