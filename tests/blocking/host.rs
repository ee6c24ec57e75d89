//! Hosts a server on threads, and counts them.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::blocking::engineio::{self, Builder, Events, Handle, Socket};

use crate::http::{Connection, PATIENCE, Response};

/// Threads and memory are the whole process's: whoever counts them must be alone.
pub fn alone() -> Alone {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = threads();
    Alone { _guard: guard, before }
}

/// The only test that runs.
pub struct Alone {
    _guard: MutexGuard<'static, ()>,
    before: usize,
}

impl Alone {
    /// How many threads of the library's there are, beyond those of tests that have failed before.
    pub fn threads(&self) -> usize {
        threads().saturating_sub(self.before)
    }

    #[track_caller]
    pub fn wait_for_threads(&self, wanted: usize) {
        wait_until(&format!("{wanted} threads"), || self.threads() == wanted);
    }
}

/// The library's threads, by their name.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux tells");
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("sansocket")).count()
}

#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A server that is served by a thread of the test's.
pub struct Server {
    pub address: SocketAddr,
    pub handle: Handle,
    thread: JoinHandle<sansocket::Result<()>>,
}

pub fn options() -> Builder {
    engineio::Server::builder()
}

impl Server {
    pub fn accepting<D, F>(options: Builder<D>, handler: F) -> Self
    where
        D: Send + Sync + 'static,
        F: Fn(Socket<D>) -> sansocket::Result<()> + Send + Sync + 'static,
    {
        let server = options.bind("127.0.0.1:0").expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        let thread = thread::spawn(move || server.serve(handler));
        Self {
            address,
            handle,
            thread,
        }
    }

    pub fn events<D: Send + Sync + 'static>(options: Builder<D, Events<D>>) -> Self {
        let server = options.bind("127.0.0.1:0").expect("a free port");
        let (address, handle) = (server.local_addr(), server.handle());
        let thread = thread::spawn(move || server.serve());
        Self {
            address,
            handle,
            thread,
        }
    }

    pub fn echo() -> Self {
        Self::accepting(options(), |mut socket| {
            while let Some(message) = socket.recv() {
                socket.send(message)?;
            }
            Ok(())
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    #[track_caller]
    pub fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.connect().post(target, body)
    }

    #[track_caller]
    pub fn wait_for_sessions(&self, wanted: u64) {
        wait_until(&format!("{wanted} sessions"), || self.handle.stats().sessions == wanted);
    }

    /// Shuts it down. When it has ended, none of its threads is left.
    #[track_caller]
    pub fn finish(self, alone: &Alone) {
        self.handle.shutdown(PATIENCE);
        let served = self.thread.join().expect("the server has not panicked");
        served.expect("serving never fails");
        assert_eq!(alone.threads(), 0, "threads are left");
    }
}
