//! Starts and stops the program under test, and looks at what it says about itself.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Connection, PATIENCE, Response};
use crate::program::program;
use crate::session::Session;
use crate::websocket::{Message, WebSocket};

/// Timings for the tests in which a session has to end by itself.
pub const IMPATIENT: [&str; 6] = [
    "--ping-interval",
    "300ms",
    "--ping-timeout",
    "200ms",
    "--upgrade-timeout",
    "400ms",
];

/// How much more memory may be wanted at most by something that could go on for ever: more than one message
/// and its echo need, less than what leaks.
const FLAT: u64 = 24 << 20;

/// What `/__stats` says.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    pub sessions: u64,
    pub opened: u64,
    pub closed: u64,
}

/// A running `sansocket serve --app echo`.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    polling: bool,
    websocket: bool,
}

impl Server {
    #[track_caller]
    pub fn start() -> Self {
        Self::with(&[])
    }

    #[track_caller]
    pub fn impatient() -> Self {
        Self::with(&IMPATIENT)
    }

    #[track_caller]
    pub fn with(flags: &[&str]) -> Self {
        let mut child = program(&["serve", "--app", "echo", "--addr", "127.0.0.1:0", "--stats"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");

        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().expect("a piped stderr");
        let written = Arc::clone(&log);
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..length]);
                written.lock().expect("the log").push_str(&text);
            }
        });

        let stdout = child.stdout.take().expect("a piped stdout");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody waits for a second line; reading on keeps the pipe from filling up.
                let _ = sender.send(line);
            }
        });

        let transports = flags
            .iter()
            .position(|flag| *flag == "--transports")
            .and_then(|at| flags.get(at + 1));
        let enabled = |name: &str| transports.is_none_or(|list| list.contains(name));
        let mut server = Self {
            child,
            address: ([127, 0, 0, 1], 0).into(),
            log,
            polling: enabled("polling"),
            websocket: enabled("websocket"),
        };
        let Ok(line) = lines.recv_timeout(2 * PATIENCE) else {
            panic!("the program did not say that it listens: {}", server.log());
        };
        server.address = line
            .strip_prefix("listening on http://")
            .or_else(|| line.strip_prefix("listening on https://"))
            .and_then(|address| address.trim_end().parse().ok())
            .unwrap_or_else(|| panic!("not the line that was agreed: {line:?}"));
        server
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
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
    pub fn request(&self, method: &str, target: &str, headers: &[&str], body: Option<&[u8]>) -> Response {
        let mut connection = self.connect();
        connection.request(method, target, headers, body);
        if method == "HEAD" {
            return connection.response_without_body();
        }
        connection.response()
    }

    #[track_caller]
    pub fn stats(&self) -> Stats {
        let response = self.get("/__stats");
        assert_eq!(response.status, 200, "{response:?}");
        let text = response.text();
        let number = |name: &str| {
            let at = text.find(name).unwrap_or_else(|| panic!("{name}: {text}")) + name.len();
            let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
            digits
                .parse()
                .unwrap_or_else(|_| panic!("{name}: not a number in {text}"))
        };
        Stats {
            sessions: number("\"sessions\":"),
            opened: number("\"opened\":"),
            closed: number("\"closed\":"),
        }
    }

    #[track_caller]
    pub fn wait_for_sessions(&self, wanted: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = self.stats();
            let balanced = stats.opened == stats.closed + stats.sessions;
            if stats.sessions == wanted && balanced {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{wanted} sessions expected, but {stats:?}\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A fresh session of each transport echoes.
    #[track_caller]
    pub fn assert_serves(&self) {
        if self.polling {
            let session = Session::open(self);
            session.assert_echoes("still here");
            session.close();
        }
        if self.websocket {
            let mut websocket = WebSocket::open(self);
            websocket.text("4still here");
            assert_eq!(websocket.message(), Message::Text("4still here".to_owned()));
            websocket.close();
        }
    }

    /// The end of every test: whatever was done to it, no session stayed behind, the server goes on
    /// serving, nothing in it panicked, and it ends properly.
    #[track_caller]
    pub fn finish(mut self) {
        self.wait_for_sessions(0);
        self.assert_serves();
        self.wait_for_sessions(0);
        self.signal("TERM");
        self.assert_exits();
    }

    /// Sends a signal, by the system's own program since the standard library cannot.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{name} failed");
    }

    /// After a signal: exit status 0 within two seconds.
    #[track_caller]
    pub fn assert_exits(&mut self) {
        let limit = Duration::from_secs(2);
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child that can be waited for") {
                assert_eq!(status.code(), Some(0), "{status}\n{}", self.log());
                break;
            }
            assert!(
                Instant::now() < deadline,
                "still running after {limit:?}\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// The most memory that the program ever had, in bytes, where the system tells.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Since `before` was taken from [`Self::peak_memory`], the program wanted hardly any more.
    #[track_caller]
    pub fn assert_memory_flat(&self, before: Option<u64>) {
        if let (Some(before), Some(after)) = (before, self.peak_memory()) {
            let more = after.saturating_sub(before);
            assert!(more < FLAT, "{more} bytes more");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- stderr of the server ---\n{}", self.log());
        }
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
