//! Our own server, as a child process: `sansocket serve --app socketio`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::PATIENCE;

/// Every server has an address of its own, where the system has more than one: a port that is free while it restarts would
/// else be given to another test's.
static ADDRESSES: AtomicU8 = AtomicU8::new(2);

pub struct Serve {
    child: Child,
    address: SocketAddr,
    scheme: String,
}

impl Serve {
    /// On the runtime under test.
    pub fn start(flags: &[&str]) -> Self {
        let host = match cfg!(target_os = "linux") {
            true => format!("127.0.1.{}", ADDRESSES.fetch_add(1, Ordering::Relaxed)),
            false => "127.0.0.1".to_owned(),
        };
        Self::start_at(&format!("{host}:0"), flags)
    }

    pub fn start_at(address: &str, flags: &[&str]) -> Self {
        let runtime = std::env::var("SANSOCKET_RUNTIME").unwrap_or_else(|_| "tokio".into());
        let mut child = Command::new(env!("CARGO_BIN_EXE_sansocket"))
            .args(["serve", "--app", "socketio", "--stats", "--runtime", &runtime])
            .args(["--addr", address])
            .args(flags)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line.trim_end().strip_prefix("listening on ");
        let parts = url.and_then(|url| url.split_once("://"));
        let Some((scheme, Ok(address))) = parts.map(|(scheme, address)| (scheme.to_owned(), address.parse())) else {
            // It may have ended already.
            let _ended = child.kill();
            panic!("not the line that was agreed: {line:?}");
        };
        Self { child, address, scheme }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gone, sessions and all, and back after so long; this returns while it is down.
    pub fn take_down(&self, down: Duration) {
        let answer = self.get(&format!("/__restart?down={}", down.as_millis()));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let deadline = Instant::now() + down;
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "it still listens");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until `/__stats` says this.
    pub fn wait_for_stats(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.get("/__stats");
            if stats.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{text} is not in {stats}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        // A restart may cut it off behind its end.
        let _cut = stream.read_to_string(&mut answer);
        answer
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
