//! Sockets of the standard library, which the executor waits for.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use rustix::event::PollFlags;

use super::executor::wake_for;
use crate::runtime::Stream;

/// A TCP connection.
#[derive(Debug)]
pub struct ThreadStream(Arc<TcpStream>);

impl ThreadStream {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // It only fails where the peer has gone again, which reading will show.
        let _gone = stream.set_nodelay(true);
        Ok(Self(Arc::new(stream)))
    }

    /// Again once the socket is ready.
    fn wait<T>(&self, result: io::Result<T>, flags: PollFlags, cx: &Context<'_>) -> Poll<io::Result<T>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wake_for(self.0.clone(), flags);
                Poll::Pending
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

impl Stream for ThreadStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let result = (&*self.0).read(buf);
        self.wait(result, PollFlags::IN, cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = (&*self.0).write(buf);
        self.wait(result, PollFlags::OUT, cx)
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct ThreadListener(Arc<TcpListener>);

impl ThreadListener {
    pub(super) fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(Arc::new(listener)))
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(super) async fn accept(&self) -> io::Result<(ThreadStream, SocketAddr)> {
        let (stream, peer) = poll_fn(|_| match self.0.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wake_for(self.0.clone(), PollFlags::IN);
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await?;
        Ok((ThreadStream::new(stream)?, peer))
    }
}
