//! A server that goes down and comes back, at an address that nobody else gets in the meantime.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{self, ENOUGH};
use crate::http::Connection;
use crate::program::program;

/// Every one of them has an address of its own, where the system has more than one: a port that is free for a while
/// would else be given to another test's server.
static ADDRESSES: AtomicU8 = AtomicU8::new(2);

pub struct Restarting {
    child: Child,
    pub address: SocketAddr,
}

impl Restarting {
    #[track_caller]
    pub fn start() -> Self {
        let host = match cfg!(target_os = "linux") {
            true => format!("127.0.0.{}", ADDRESSES.fetch_add(1, Ordering::Relaxed)),
            false => "127.0.0.1".to_owned(),
        };
        let mut child = program(&["serve", "--app", "echo", "--stats", "--addr", &format!("{host}:0")])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("not the line that was agreed: {line:?}");
        };
        Self { child, address }
    }

    pub fn url(&self) -> String {
        client::url(self.address)
    }

    /// Gone, sessions and all, and back after so long; this returns while it is down.
    #[track_caller]
    pub fn take_down(&self, down: Duration) {
        let target = format!("/__restart?down={}", down.as_millis());
        let response = Connection::open(self.address).get(&target);
        assert_eq!(response.status, 200, "{response:?}");
        let deadline = Instant::now() + down;
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "it still listens");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many messages it has received, by its own count.
    #[track_caller]
    pub fn received(&self) -> u64 {
        client::received_by(&Connection::open(self.address).get("/__stats"))
    }

    /// It ends properly, after all that was done to it.
    #[track_caller]
    pub fn finish(mut self) {
        client::signal(&self.child, "TERM");
        let deadline = Instant::now() + ENOUGH;
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "still running after {ENOUGH:?}"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Restarting {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
