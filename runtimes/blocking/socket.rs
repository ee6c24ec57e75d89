//! Sockets of the standard library, which the executor waits for.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::boxed::Box;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::Threads;
use super::executor::wake_for;
use crate::runtime::app::BoxFuture;
use crate::runtime::{DialTarget, Stream};

/// A TCP connection, or another stream of the system's, for [`Threads`].
///
/// It is waited for by the threads of that runtime alone. On another one nobody does: there it would stay unready for ever.
#[derive(Debug)]
pub struct ThreadStream(Arc<TcpStream>);

impl ThreadStream {
    /// A stream that is connected already: of TCP, or a Unix socket. What it had for time limits does not count any more.
    ///
    /// # Errors
    /// The system's, where this is no socket; [`InvalidInput`](io::ErrorKind::InvalidInput) where it is one of datagrams.
    pub fn from_fd(stream: impl Into<OwnedFd>) -> io::Result<Self> {
        let stream = stream.into();
        if sockopt::socket_type(&stream)? != SocketType::STREAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket is no stream"));
        }
        // A socket of another family is read and written by the same calls.
        Self::new(stream.into())
    }

    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // It only fails where the peer has gone again, which reading will show.
        let _gone = stream.set_nodelay(true);
        Ok(Self(Arc::new(stream)))
    }

    /// Connects without blocking, so that it can be given up at any time.
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        // Not every system can say this in one call.
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        let stream = Self::new(socket.into())?;
        match rustix::net::connect(&*stream.0, &address) {
            Ok(()) => return Ok(stream),
            Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        poll_fn(|_| {
            let mut fds = [PollFd::new(&*stream.0, PollFlags::OUT)];
            match poll(&mut fds, Some(&Timespec::default())) {
                // An error of the connection's, or none, is kept for whoever asks.
                Ok(1..) => Poll::Ready(stream.0.take_error().and_then(|error| error.map_or(Ok(()), Err))),
                _ => {
                    wake_for(&stream.0, PollFlags::OUT);
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(stream)
    }

    /// Again once the socket is ready.
    fn wait<T>(&self, result: io::Result<T>, flags: PollFlags, cx: &Context<'_>) -> Poll<io::Result<T>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wake_for(&self.0, flags);
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

/// The async form of a function that connects and may block.
pub(super) fn dialing<F, S>(
    threads: &Threads,
    dial: F,
) -> impl Fn(DialTarget) -> BoxFuture<io::Result<ThreadStream>> + Send + Sync + use<F, S>
where
    F: Fn(DialTarget) -> io::Result<S> + Send + Sync + 'static,
    S: Into<OwnedFd> + 'static,
{
    let (dial, threads) = (Arc::new(dial), threads.clone());
    move |target| {
        let (dial, threads) = (dial.clone(), threads.clone());
        Box::pin(async move {
            let dialed = threads.offload(move || ThreadStream::from_fd(dial(target)?));
            dialed.await?
        })
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
                wake_for(&self.0, PollFlags::IN);
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await?;
        Ok((ThreadStream::new(stream)?, peer))
    }
}
