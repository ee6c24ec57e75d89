//! The server under test: the program, or one of the library's in a thread.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sansocket::runtime::socketio::{self, Handle};

use crate::hosting;
use crate::http::{Connection, PATIENCE, Response};
use crate::runtime::{self, Any};
use crate::waiting::block_on;

pub type Options = socketio::Builder<Any>;

pub struct Server {
    pub address: SocketAddr,
    kind: Kind,
}

enum Kind {
    Program(Child),
    Elsewhere,
    Hosted {
        handle: Handle,
        thread: Option<JoinHandle<()>>,
    },
}

/// The ordinary options.
pub fn options() -> Options {
    socketio::Server::<Any>::builder()
}

impl Server {
    /// `sansocket serve --app …`
    #[track_caller]
    pub fn app(app: &str, flags: &[&str]) -> Self {
        let mut child = crate::program::program(&["serve", "--app", app, "--addr", "127.0.0.1:0", "--stats"])
            .args(flags)
            // What hostile clients do is not to stand among the results.
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        Self {
            address: address.unwrap_or_else(|| panic!("not the line that was agreed: {line:?}")),
            kind: Kind::Program(child),
        }
    }

    /// The same for a test whose clients have gone when it returns. They leave nothing: no session, no socket, no room.
    #[track_caller]
    pub fn with_app(app: &str, flags: &[&str], test: impl FnOnce(&Self)) {
        let server = Self::app(app, flags);
        test(&server);
        server.expect_nothing_kept();
        server.finish();
    }

    /// No session, no socket in any namespace, no room.
    #[track_caller]
    pub fn expect_nothing_kept(&self) {
        crate::waiting::wait_until("nothing is kept", || {
            let stats: serde_json::Value = serde_json::from_str(&self.stats()).expect("JSON");
            let sockets = stats["sockets"].as_object().expect("a count for each namespace");
            stats["sessions"] == 0
                && stats["opened"] == stats["closed"]
                && stats["rooms"] == 0
                && sockets.values().all(|count| *count == 0)
        });
    }

    /// A server of the library's, with these handlers.
    #[track_caller]
    pub fn host(options: Options, handlers: impl FnOnce(&Handle)) -> Self {
        let server = options.build();
        handlers(&server);
        let handle = server.handle();
        let (says_ready, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            runtime::block_on(true, async {
                if let Some(host) = hosting::host() {
                    let layer = server.layer().expect("options of a layer");
                    let (address, _, serving) = hosting::serve(host, layer).await;
                    says_ready.send(address).expect("the test waits");
                    return serving.await.expect("it ends in order");
                }
                let bound = server.bind("127.0.0.1:0").await.expect("a free port");
                says_ready.send(bound.local_addr()).expect("the test waits");
                bound.serve().await.expect("it ends in order");
            });
        });
        let address = ready.recv_timeout(PATIENCE).expect("the server starts");
        Self {
            address,
            kind: Kind::Hosted {
                handle,
                thread: Some(thread),
            },
        }
    }

    /// One that somebody else serves, and ends.
    pub fn elsewhere(address: SocketAddr) -> Self {
        let kind = Kind::Elsewhere;
        Self { address, kind }
    }

    /// Of one of the library's.
    pub fn handle(&self) -> Handle {
        match &self.kind {
            Kind::Hosted { handle, .. } => handle.clone(),
            Kind::Program(_) | Kind::Elsewhere => panic!("it has no handle"),
        }
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

    /// What the program counts.
    #[track_caller]
    pub fn stats(&self) -> String {
        self.get("/__stats").text().to_owned()
    }

    /// How large the program is, in kilobytes, where the system tells.
    pub fn memory(&self) -> Option<usize> {
        let Kind::Program(child) = &self.kind else {
            return None;
        };
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Waits until the program's counts say this.
    #[track_caller]
    pub fn wait_for_stats(&self, text: &str) {
        crate::waiting::wait_until(text, || self.stats().contains(text));
    }

    /// Tells the program to end, and does not wait.
    #[track_caller]
    pub fn terminate(&self) {
        let Kind::Program(child) = &self.kind else {
            panic!("it is no program");
        };
        let status = Command::new("kill").arg(child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Ends it in order.
    #[track_caller]
    pub fn finish(mut self) {
        if matches!(self.kind, Kind::Program(_)) {
            self.terminate();
        }
        match &mut self.kind {
            Kind::Program(child) => {
                let deadline = Instant::now() + PATIENCE;
                let status = loop {
                    match child.try_wait().expect("a child") {
                        Some(status) => break status,
                        None => assert!(Instant::now() < deadline, "it goes on after SIGTERM"),
                    }
                    thread::sleep(Duration::from_millis(5));
                };
                assert_eq!(status.code(), Some(0));
            }
            Kind::Elsewhere => {}
            Kind::Hosted { handle, thread } => {
                // Clients that are there still say no goodbye.
                block_on(handle.shutdown(Duration::from_millis(200)));
                let thread = thread.take().expect("it ends once");
                thread.join().expect("nothing in it panicked");
                assert_eq!(handle.connections(), 0);
                assert_eq!(handle.stats().rooms, 0);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Kind::Program(child) = &mut self.kind {
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}
