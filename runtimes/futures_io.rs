//! Streams of runtimes whose sockets speak `futures-io`: smol's and async-std's.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use futures_io::{AsyncRead, AsyncWrite};

use super::Stream;

/// A socket that speaks `futures-io`.
#[derive(Debug)]
pub struct FuturesStream<T>(pub(super) T);

impl<T> FuturesStream<T> {
    /// Another stream than those that the runtime connects itself: for
    /// [`dial_with`](crate::runtime::engineio::ClientBuilder::dial_with).
    pub fn new(stream: T) -> Self {
        Self(stream)
    }
}

/// What `futures-io` does not promise: its `poll_close` ends the sending with smol, and does nothing with async-std.
pub trait EndSending {
    /// Ends our sending, and leaves the peer's alone.
    fn end_sending(&self) -> io::Result<()>;
}

impl<T: AsyncRead + AsyncWrite + EndSending + Send + Unpin + 'static> Stream for FuturesStream<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.end_sending())
    }
}

/// TCP of a runtime whose `TcpStream` and `TcpListener` are in scope.
macro_rules! tcp {
    () => {
        type Stream = FuturesStream<TcpStream>;
        type Listener = TcpListener;

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
    };
}

pub(super) use tcp;
