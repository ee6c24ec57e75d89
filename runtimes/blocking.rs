//! Plain threads and `std::net`, without an async runtime.
//!
//! The machines and the drivers are the ones that the other runtimes have; here a thread runs each task, and waits in the
//! operating system's `poll` for its sockets, its deadline, or a word from another thread. So a blocked read wakes for
//! deadlines, and a peer that is slow or dead holds up nobody but its own thread.
//!
//! - An idle connection is one thread with a small stack, and no buffer.
//! - The application's code never runs on these: it has threads of its own, which are started when they are needed and kept
//!   for a moment, so handlers may block. So have name lookups.
//! - A server that ends has joined every thread of its own, but those in which a handler of the application's does not come
//!   to its end.
//!
//! A thread whose connection is idle holds two file descriptors: the socket, and what wakes it. On Unix only: it is built
//! on `poll`.

mod bell;
mod crew;
pub mod engineio;
mod executor;
mod socket;
pub mod socketio;
mod workers;

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::{TcpListener, ToSocketAddrs as _};
use std::string::{String, ToString};
use std::sync::Arc;
use std::thread;
use std::vec::Vec;

use super::log::log;
use super::{Runtime, clock, driver};
use crate::time::Instant;
use crew::Crew;
pub use executor::block_on;
use executor::wake_at;
pub use socket::{ThreadListener, ThreadStream};
use workers::Workers;

/// Enough for a driver, a TLS handshake and JSON as deep as it may be (`serde_json` stops at 128 levels) included. Most of it
/// is never touched. Code that was not optimized takes several times as much.
const STACK: usize = if cfg!(debug_assertions) {
    1024 * 1024
} else {
    256 * 1024
};

/// Threads as a runtime: a thread for each task.
///
/// Its futures are to be run by [`block_on`]. Clones share their threads.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tasks: Arc<Crew>,
    workers: Workers,
}

impl Threads {
    /// Threads of nobody else's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for all threads that were started, but not for the calling one, nor longer than half a second for handlers of
    /// [`blocking::engineio`](engineio) and for name lookups, which nothing can interrupt. Async code that blocks its task
    /// is waited for.
    pub fn join(&self) {
        self.shared.tasks.join(None);
        self.shared.workers.join();
    }

    /// Runs code that may block on a thread of its own.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(crate) async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        self.shared.workers.run(work).await
    }

    /// The same for code that nobody waits for.
    ///
    /// # Errors
    /// The system has no more threads; the code is not run.
    pub(crate) fn begin(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.shared.workers.begin(work)
    }

    /// The same for code that has to be run, whatever it takes: where the system has no more threads, it waits for one.
    pub(crate) async fn offload_patiently<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.shared.workers.run_patiently(work).await
    }
}

/// Until a deadline; to be waited for with [`block_on`].
#[derive(Debug)]
pub struct Sleep {
    deadline: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if clock::now() >= self.deadline {
            return Poll::Ready(());
        }
        wake_at(self.deadline);
        Poll::Pending
    }
}

impl Runtime for Threads {
    type Stream = ThreadStream;
    type Listener = ThreadListener;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        clock::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep { deadline }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let thread = thread::Builder::new().name("sansocket".to_string()).stack_size(STACK);
        if let Err((error, task)) = self.shared.tasks.start(thread, move || {
            driver::begin_small();
            block_on(task);
        }) {
            // Which ends its connection, or refuses its session.
            drop(task);
            log!(error, "runtime", "a thread can not be started: {error}");
        }
    }

    async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        self.shared.workers.run(work).await
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = String::from(host);
        self.offload(move || Ok((&host[..], port).to_socket_addrs()?.collect()))
            .await?
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<ThreadStream> {
        ThreadStream::connect(address).await
    }

    async fn bind(&self, address: SocketAddr) -> io::Result<ThreadListener> {
        ThreadListener::new(TcpListener::bind(address)?)
    }

    fn local_addr(&self, listener: &ThreadListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(&self, listener: &ThreadListener) -> io::Result<(ThreadStream, SocketAddr)> {
        listener.accept().await
    }
}
