//! What a runtime has to bring, and what is built on it.
//!
//! Two small traits: [`Runtime`] (a clock, tasks, sockets) and [`Stream`] (one byte stream). The async
//! driver and everything that applications hold are generic over them, so each runtime shipped here is a thin
//! shim, and one more is user code.

use core::future::Future;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;
use std::vec::Vec;

use crate::time::Instant;

mod app;
#[cfg(feature = "async-std")]
pub mod async_std;
#[cfg(all(feature = "blocking", unix))]
pub mod blocking;
mod client;
#[cfg(any(feature = "smol", feature = "async-std", all(feature = "blocking", unix)))]
mod clock;
mod dial;
mod driver;
pub mod engineio;
#[cfg(any(feature = "smol", feature = "async-std"))]
pub mod futures_io;
mod leaving;
mod log;
mod offload;
#[cfg(feature = "smol")]
pub mod smol;
pub mod socketio;
mod tasks;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tower")]
pub mod tower;

pub use dial::DialTarget;

/// An async runtime: a clock, timers, tasks and TCP.
///
/// Nothing else is a runtime's business. Implement it for a type that is cheap to clone.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// One established byte stream.
    type Stream: Stream;
    /// A listening socket.
    type Listener: Send + Sync + 'static;
    /// What [`sleep_until`](Self::sleep_until) returns.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// The time by a monotonic clock: microseconds since an epoch of the runtime's choice.
    fn now(&self) -> Instant;

    /// Completes when [`now`](Self::now) has reached `deadline`; at once where it already has.
    fn sleep_until(&self, deadline: Instant) -> Self::Sleep;

    /// Runs `task` to its end, independently of the caller.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs code that may block, such as reading a file, where it holds up no other task. Unless the runtime has a better
    /// way, a thread is started for it.
    ///
    /// # Errors
    /// The code could not be run, or has panicked.
    fn offload<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send {
        offload::on_a_thread(work)
    }

    /// The addresses of a name. Bounded in time by the caller.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one address. Bounded in time by the caller.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens on an address; port 0 means any free one.
    fn bind(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// The address that a listener really has.
    fn local_addr(&self, listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// The next connection and its peer's address.
    fn accept(&self, listener: &Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// One byte stream of a [`Runtime`]: TCP, or whatever stands in for it.
///
/// Dropping a stream closes it.
pub trait Stream: Send + Unpin + 'static {
    /// Reads what is there, at most `buf.len()` bytes; `Ok(0)` is the end of the peer's sending.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some of `buf`; answers how many bytes.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends what was written and is held back still; asked again when there is room for it. TCP holds nothing back.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends our sending (TCP's FIN); reading goes on.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// One of several kinds.
impl<S: Stream + ?Sized> Stream for std::boxed::Box<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_close(cx)
    }
}
