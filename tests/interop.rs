//! Other people's clients against `sansocket serve --app echo`: npm `engine.io-client` and PyPI
//! `python-engineio` (sync and asyncio); against `--app socketio`: npm `socket.io-client`, with both
//! parsers, and PyPI `python-socketio`; and against the chat: its own page, in a headless Chromium.
//!
//! The scenarios are the scripts in `tests/interop`; this file starts the server for each, runs the
//! script, and then looks at what the server has kept. They need programs that `cargo test` alone
//! does not, so they are ignored by default; `tests/interop/setup.sh` installs what they need, and
//! `cargo test --features cli --test interop -- --ignored` runs them.
//!
//! - `SANSOCKET_RUNTIME`: what the program runs on (default tokio).
//! - `SANSOCKET_PYTHON`: the Python with the clients (default `target/interop/venv/bin/python`).
//! - `CHROMIUM`: the browser (default `/usr/bin/chromium`).
#![cfg(feature = "cli")]

// What the waiting below waits by.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "protocol/http.rs"]
mod http;
#[path = "protocol/program.rs"]
mod program;
// How to host a server on the runtime under test, and how to wait.
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/runtime.rs"]
mod runtime;
#[allow(dead_code, reason = "the other suites want more of it")]
#[path = "server/waiting.rs"]
mod waiting;

#[path = "interop/socketio.rs"]
mod socketio;

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use sansocket::engineio::CloseReason;
use sansocket::tokio::engineio::{Handle, Server as LibraryServer};

/// A scenario's own waits end after 20 s, with a sentence; this one ends a script that cannot.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(60);
/// Its steps have deadlines of 20 s too, and there are many.
const BROWSER_DEADLINE: Duration = Duration::from_secs(120);
const START_DEADLINE: Duration = Duration::from_secs(10);
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Longer than the last ping of a client that has gone without a word takes.
const STATS_DEADLINE: Duration = Duration::from_secs(30);

/// A child process whose output is gathered line by line, and which does not outlive its owner.
struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start(name: &str, command: &mut Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name}: cannot start {command:?}: {error}; tests/interop/setup.sh installs it")
            });
        let (sender, lines) = mpsc::channel();
        forward_lines(child.stdout.take().unwrap(), "", sender.clone());
        forward_lines(child.stderr.take().unwrap(), "stderr: ", sender);
        Running {
            name: name.to_owned(),
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line of output that contains `text`.
    fn line_with(&mut self, text: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: no `{text}` within {patience:?}\n{}", self.name, self.output())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{}: ended without `{text}`\n{}", self.name, self.output())
                }
            }
        }
    }

    /// Waits for the end. Both pipes close when the process ends, so this needs no polling.
    fn end(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: still running after {patience:?}\n{}", self.name, self.output())
                }
            }
        }
        // Closed pipes mean an exit that is over or under way.
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!(
            "{}: closed its output and is still running after {patience:?}",
            self.name
        )
    }

    fn end_well(&mut self, patience: Duration) {
        let status = self.end(patience);
        assert!(status.success(), "{}: {status}\n{}", self.name, self.output());
    }

    fn output(&self) -> String {
        self.seen.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn forward_lines(from: impl Read + Send + 'static, prefix: &'static str, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            if to.send(format!("{prefix}{}", text.trim_end())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// `sansocket serve` on a port of its own.
struct Server {
    running: Running,
    address: String,
}

impl Server {
    fn echo(flags: &[&str]) -> Server {
        Server::start(&[&["--app", "echo"], flags].concat())
    }

    fn start(flags: &[&str]) -> Server {
        let mut command = program::program(&["serve", "--addr", "127.0.0.1:0", "--stats"]);
        command.args(flags);
        let mut running = Running::start("sansocket serve", &mut command);
        let line = running.line_with("listening on http://", START_DEADLINE);
        let address = line.rsplit("http://").next().unwrap().to_owned();
        Server { running, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn stats(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server accepts connections");
        stream.set_read_timeout(Some(STATS_DEADLINE)).unwrap();
        stream.set_write_timeout(Some(STATS_DEADLINE)).unwrap();
        let request = format!(
            "GET /__stats HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("/__stats answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// The last session may still be on its way out when its client's process is gone.
    fn expect_no_session_left(&self) {
        let deadline = Instant::now() + STATS_DEADLINE;
        loop {
            let stats = self.stats();
            if number(&stats, "sessions") == 0 {
                assert!(number(&stats, "opened") >= 1, "no session was ever there: {stats}");
                assert_eq!(number(&stats, "opened"), number(&stats, "closed"), "{stats}");
                return;
            }
            assert!(Instant::now() < deadline, "a session stayed behind: {stats}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&self) {
        let pid = self.running.child.id().to_string();
        // The shell's own `kill`: a bare Debian has no other.
        let status = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &pid])
            .status()
            .unwrap();
        assert!(status.success(), "kill -TERM {pid}: {status}");
    }

    /// The end of every scenario: nothing kept, and a proper exit.
    fn expect_clean_end(mut self) {
        self.expect_no_session_left();
        self.terminate();
        self.running.end_well(STOP_DEADLINE);
    }
}

/// The number at `"key":` in a flat JSON object.
fn number(json: &str, key: &str) -> u64 {
    let after = json
        .split_once(&format!("\"{key}\":"))
        .map(|(_, after)| after.trim_start());
    let digits = after.and_then(|text| text.split(|c: char| !c.is_ascii_digit()).next());
    digits
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no number {key} in {json}"))
}

/// Which of the three clients, and how it is run.
#[derive(Clone, Copy, PartialEq)]
enum Client {
    Js,
    PythonSync,
    PythonAsyncio,
}

use Client::{Js, PythonAsyncio, PythonSync};

impl Client {
    fn run(self, scenario: &str, server: &Server, plan: &str, more: &[&str]) -> Running {
        self.run_at(scenario, &server.url(), plan, more)
    }

    fn run_at(self, scenario: &str, url: &str, plan: &str, more: &[&str]) -> Running {
        let folder = manifest_folder().join("tests/interop");
        let mut command = match self {
            Js => {
                let mut command = Command::new("node");
                command.arg(folder.join("js").join(format!("{scenario}.mjs")));
                command
            }
            PythonSync | PythonAsyncio => {
                let mut command = Command::new(python());
                // No __pycache__ in the source tree.
                command.arg("-B").arg(folder.join("py").join(format!("{scenario}.py")));
                command.arg(if self == PythonSync { "sync" } else { "asyncio" });
                command
            }
        };
        command.arg(url).arg(plan).args(more);
        Running::start(scenario, &mut command)
    }
}

fn manifest_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn python() -> PathBuf {
    env::var_os("SANSOCKET_PYTHON").map_or_else(
        || manifest_folder().join("target/interop/venv/bin/python"),
        PathBuf::from,
    )
}

/// Runs a scenario to its end and shows the line of figures that it prints.
fn scenario(client: Client, name: &str, plan: &str, flags: &[&str], more: &[&str]) {
    let server = Server::echo(flags);
    let mut script = client.run(name, &server, plan, more);
    script.end_well(SCRIPT_DEADLINE);
    println!("{}", script.output());
    server.expect_clean_end();
}

fn echo(client: Client, plan: &str) {
    scenario(client, "echo", plan, &[], &[]);
}

fn limit(client: Client, plan: &str) {
    scenario(client, "limit", plan, &["--max-payload", "1000000"], &[]);
}

fn ten_thousand(client: Client, plan: &str, more: &[&str]) {
    scenario(client, "ten_thousand", plan, &[], more);
}

fn busy(client: Client, plan: &str) {
    scenario(
        client,
        "busy",
        plan,
        &["--ping-interval", "200ms", "--ping-timeout", "2s"],
        &[],
    );
}

fn first_ping(plan: &str) {
    scenario(Js, "first_ping", plan, &["--ping-interval", "300ms"], &["300"]);
}

fn silent_peer(transport: &str) {
    let flags = ["--ping-interval", "300ms", "--ping-timeout", "200ms"];
    scenario(Js, "silent_peer", transport, &flags, &["300", "200"]);
}

fn expect_reason(script: &mut Running, reason: &str) {
    let line = script.line_with("\"close\"", SCRIPT_DEADLINE);
    assert!(
        line.contains(&format!("\"{reason}\"")),
        "the reason should be `{reason}`: {line}"
    );
    script.end_well(SCRIPT_DEADLINE);
}

fn close_by_client(client: Client, plan: &str) {
    let server = Server::echo(&[]);
    let mut script = client.run("close_by_client", &server, plan, &[]);
    script.line_with("\"ready\"", SCRIPT_DEADLINE);
    expect_reason(
        &mut script,
        if client == Js {
            "forced close"
        } else {
            "client disconnect"
        },
    );
    server.expect_clean_end();
}

/// The server is told to stop while the client is connected.
fn server_stops(client: Client, plan: &str) {
    let mut server = Server::echo(&[]);
    let mut script = client.run("closed_by_server", &server, plan, &[]);
    script.line_with("\"ready\"", SCRIPT_DEADLINE);
    server.terminate();
    server.running.end_well(STOP_DEADLINE);
    // engine.io-client has one reason for this. python-engineio's word for a close packet is the
    // second; without one, over a WebSocket, it would say `transport error`.
    expect_reason(
        &mut script,
        if client == Js {
            "transport close"
        } else {
            "server disconnect"
        },
    );
}

/// The library's server, in this process, which knows the word `close-me` and notes why sessions end.
struct Hosted {
    url: String,
    handle: Handle,
    reasons: Receiver<CloseReason>,
    thread: thread::JoinHandle<()>,
}

impl Hosted {
    fn start() -> Hosted {
        let (note, reasons) = mpsc::channel();
        let (give, given) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = LibraryServer::builder()
                    .on_message(|sender, message| async move {
                        if message.as_text() == Some("close-me") {
                            sender.close();
                            return Ok(());
                        }
                        sender.send(message).await
                    })
                    .on_disconnect(move |_, reason| {
                        let note = note.clone();
                        async move { note.send(reason) }
                    })
                    .bind("127.0.0.1:0")
                    .await
                    .unwrap();
                give.send((server.local_addr(), server.handle())).unwrap();
                server.serve().await.unwrap();
            });
        });
        let (address, handle) = given.recv_timeout(START_DEADLINE).expect("the server starts");
        Hosted {
            url: format!("http://{address}"),
            handle,
            reasons,
            thread,
        }
    }

    /// The end of every scenario here: the one session has ended, for one of these reasons, and nothing is kept.
    fn expect_end_for(self, expected: &[CloseReason]) {
        let reason = self.reasons.recv_timeout(STATS_DEADLINE).expect("a session ends");
        assert!(
            expected.contains(&reason),
            "the server's reason: {reason}, not {expected:?}"
        );
        let deadline = Instant::now() + STATS_DEADLINE;
        while self.handle.stats().sessions > 0 {
            assert!(Instant::now() < deadline, "a session stayed behind");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.handle.stats().opened, 1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(self.handle.shutdown(STOP_DEADLINE));
        self.thread.join().expect("the server ends");
        assert_eq!(self.reasons.try_iter().count(), 0, "a session ends once");
    }
}

/// Both sides know who has ended the session.
fn client_closes_hosted(client: Client, plan: &str) {
    let server = Hosted::start();
    let mut script = client.run_at("close_by_client", &server.url, plan, &[]);
    script.line_with("\"ready\"", SCRIPT_DEADLINE);
    expect_reason(
        &mut script,
        if client == Js {
            "forced close"
        } else {
            "client disconnect"
        },
    );
    server.expect_end_for(match (client, plan) {
        (_, "polling") => &[CloseReason::ClientDisconnect],
        // Over a WebSocket engine.io-client sends no close packet: it closes the WebSocket.
        (Js, _) => &[CloseReason::TransportClose],
        // python-engineio closes the WebSocket while its close packet is still on the way to the writer.
        _ => &[CloseReason::ClientDisconnect, CloseReason::TransportClose],
    });
}

fn hosted_closes(client: Client, plan: &str) {
    let server = Hosted::start();
    let mut script = client.run_at("closed_by_server", &server.url, plan, &[]);
    expect_reason(
        &mut script,
        if client == Js {
            "transport close"
        } else {
            "server disconnect"
        },
    );
    server.expect_end_for(&[CloseReason::ServerDisconnect]);
}

/// One test for each line: its name, and the call that it is.
macro_rules! scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs Node.js or Python: run by tests/run interop"]
            fn $name() {
                $run;
            }
        )*
    };
}

scenarios! {
    js_polling_echoes_every_kind_of_message: echo(Js, "polling");
    js_websocket_echoes_every_kind_of_message: echo(Js, "websocket");
    js_upgrade_echoes_every_kind_of_message: echo(Js, "upgrade");
    python_sync_polling_echoes_every_kind_of_message: echo(PythonSync, "polling");
    python_sync_websocket_echoes_every_kind_of_message: echo(PythonSync, "websocket");
    python_sync_upgrade_echoes_every_kind_of_message: echo(PythonSync, "upgrade");
    python_asyncio_polling_echoes_every_kind_of_message: echo(PythonAsyncio, "polling");
    python_asyncio_websocket_echoes_every_kind_of_message: echo(PythonAsyncio, "websocket");
    python_asyncio_upgrade_echoes_every_kind_of_message: echo(PythonAsyncio, "upgrade");

    js_polling_carries_messages_up_to_the_limit: limit(Js, "polling");
    js_websocket_carries_messages_up_to_the_limit: limit(Js, "websocket");
    js_upgrade_carries_messages_up_to_the_limit: limit(Js, "upgrade");
    python_sync_polling_carries_messages_up_to_the_limit: limit(PythonSync, "polling");
    python_sync_websocket_carries_messages_up_to_the_limit: limit(PythonSync, "websocket");
    python_sync_upgrade_carries_messages_up_to_the_limit: limit(PythonSync, "upgrade");
    python_asyncio_polling_carries_messages_up_to_the_limit: limit(PythonAsyncio, "polling");
    python_asyncio_websocket_carries_messages_up_to_the_limit: limit(PythonAsyncio, "websocket");
    python_asyncio_upgrade_carries_messages_up_to_the_limit: limit(PythonAsyncio, "upgrade");

    js_polling_ten_thousand_each_way_at_once: ten_thousand(Js, "polling", &["burst"]);
    js_polling_ten_thousand_each_way_in_a_stream: ten_thousand(Js, "polling", &["stream"]);
    js_websocket_ten_thousand_each_way_at_once: ten_thousand(Js, "websocket", &["burst"]);
    js_websocket_ten_thousand_each_way_in_a_stream: ten_thousand(Js, "websocket", &["stream"]);
    js_upgrade_ten_thousand_each_way_at_once: ten_thousand(Js, "upgrade", &["burst"]);
    js_upgrade_ten_thousand_each_way_in_a_stream: ten_thousand(Js, "upgrade", &["stream"]);
    python_sync_polling_ten_thousand_each_way: ten_thousand(PythonSync, "polling", &[]);
    python_sync_websocket_ten_thousand_each_way: ten_thousand(PythonSync, "websocket", &[]);
    python_sync_upgrade_ten_thousand_each_way: ten_thousand(PythonSync, "upgrade", &[]);
    python_asyncio_polling_ten_thousand_each_way: ten_thousand(PythonAsyncio, "polling", &[]);
    python_asyncio_websocket_ten_thousand_each_way: ten_thousand(PythonAsyncio, "websocket", &[]);
    python_asyncio_upgrade_ten_thousand_each_way: ten_thousand(PythonAsyncio, "upgrade", &[]);

    js_polling_client_closes: close_by_client(Js, "polling");
    js_websocket_client_closes: close_by_client(Js, "websocket");
    js_upgrade_client_closes: close_by_client(Js, "upgrade");
    python_sync_polling_client_closes: close_by_client(PythonSync, "polling");
    python_sync_websocket_client_closes: close_by_client(PythonSync, "websocket");
    python_sync_upgrade_client_closes: close_by_client(PythonSync, "upgrade");
    python_asyncio_polling_client_closes: close_by_client(PythonAsyncio, "polling");
    python_asyncio_websocket_client_closes: close_by_client(PythonAsyncio, "websocket");
    python_asyncio_upgrade_client_closes: close_by_client(PythonAsyncio, "upgrade");

    js_polling_server_stops: server_stops(Js, "polling");
    js_websocket_server_stops: server_stops(Js, "websocket");
    js_upgrade_server_stops: server_stops(Js, "upgrade");
    python_sync_polling_server_stops: server_stops(PythonSync, "polling");
    python_sync_websocket_server_stops: server_stops(PythonSync, "websocket");
    python_sync_upgrade_server_stops: server_stops(PythonSync, "upgrade");
    python_asyncio_polling_server_stops: server_stops(PythonAsyncio, "polling");
    python_asyncio_websocket_server_stops: server_stops(PythonAsyncio, "websocket");
    python_asyncio_upgrade_server_stops: server_stops(PythonAsyncio, "upgrade");

    js_polling_client_closes_and_the_handler_is_told: client_closes_hosted(Js, "polling");
    js_websocket_client_closes_and_the_handler_is_told: client_closes_hosted(Js, "websocket");
    js_upgrade_client_closes_and_the_handler_is_told: client_closes_hosted(Js, "upgrade");
    python_sync_polling_client_closes_and_the_handler_is_told: client_closes_hosted(PythonSync, "polling");
    python_sync_websocket_client_closes_and_the_handler_is_told: client_closes_hosted(PythonSync, "websocket");
    python_sync_upgrade_client_closes_and_the_handler_is_told: client_closes_hosted(PythonSync, "upgrade");
    python_asyncio_polling_client_closes_and_the_handler_is_told: client_closes_hosted(PythonAsyncio, "polling");
    python_asyncio_websocket_client_closes_and_the_handler_is_told: client_closes_hosted(PythonAsyncio, "websocket");
    python_asyncio_upgrade_client_closes_and_the_handler_is_told: client_closes_hosted(PythonAsyncio, "upgrade");

    js_polling_server_closes_one_session: hosted_closes(Js, "polling");
    js_websocket_server_closes_one_session: hosted_closes(Js, "websocket");
    js_upgrade_server_closes_one_session: hosted_closes(Js, "upgrade");
    python_sync_polling_server_closes_one_session: hosted_closes(PythonSync, "polling");
    python_sync_websocket_server_closes_one_session: hosted_closes(PythonSync, "websocket");
    python_sync_upgrade_server_closes_one_session: hosted_closes(PythonSync, "upgrade");
    python_asyncio_polling_server_closes_one_session: hosted_closes(PythonAsyncio, "polling");
    python_asyncio_websocket_server_closes_one_session: hosted_closes(PythonAsyncio, "websocket");
    python_asyncio_upgrade_server_closes_one_session: hosted_closes(PythonAsyncio, "upgrade");

    js_polling_busy_for_five_intervals_stays_connected: busy(Js, "polling");
    js_websocket_busy_for_five_intervals_stays_connected: busy(Js, "websocket");
    js_upgrade_busy_for_five_intervals_stays_connected: busy(Js, "upgrade");
    python_sync_polling_busy_for_ten_intervals_stays_connected: busy(PythonSync, "polling");
    python_sync_websocket_busy_for_ten_intervals_stays_connected: busy(PythonSync, "websocket");
    python_sync_upgrade_busy_for_ten_intervals_stays_connected: busy(PythonSync, "upgrade");
    python_asyncio_polling_busy_for_ten_intervals_stays_connected: busy(PythonAsyncio, "polling");
    python_asyncio_websocket_busy_for_ten_intervals_stays_connected: busy(PythonAsyncio, "websocket");
    python_asyncio_upgrade_busy_for_ten_intervals_stays_connected: busy(PythonAsyncio, "upgrade");

    js_polling_first_ping_after_one_interval: first_ping("polling");
    js_websocket_first_ping_after_one_interval: first_ping("websocket");
    js_upgrade_first_ping_after_one_interval: first_ping("upgrade");
    raw_polling_silent_peer_is_given_up_on_time: silent_peer("polling");
    raw_websocket_silent_peer_is_given_up_on_time: silent_peer("websocket");
}

/// Nobody who comes from Python looks for a name in vain: `docs/from-python.md` has all of them.
#[test]
#[ignore = "needs python-socketio: run by tests/run interop"]
fn python_names_are_in_the_documentation() {
    let mut command = Command::new(python());
    command.arg(manifest_folder().join("docs/from-python-check"));
    Running::start("from-python-check", &mut command).end_well(SCRIPT_DEADLINE);
}

/// Two visitors of the page that the plain command serves: no `--app`. With `npm`, one has npm's socket.io-client.
fn chat(plan: &str, more: &[&str]) {
    // A tab that is closed while it polls may be gone without a word: a ping finds that out before a step's deadline.
    let server = Server::start(&["--ping-interval", "2s", "--ping-timeout", "10s"]);
    let mut script = Js.run("chat", &server, plan, more);
    script.end_well(BROWSER_DEADLINE);
    println!("{}", script.output());
    server.expect_clean_end();
}

/// One test for each line, of those that need a browser.
macro_rules! browser_scenarios {
    ($($name:ident: $run:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs Node.js and Chromium: run by tests/run interop"]
            fn $name() {
                $run;
            }
        )*
    };
}

browser_scenarios! {
    chat_in_two_browsers_by_polling: chat("polling", &[]);
    chat_in_two_browsers_by_websocket: chat("websocket", &[]);
    chat_in_two_browsers_with_an_upgrade: chat("upgrade", &[]);
    chat_in_two_browsers_with_npms_client_by_polling: chat("polling", &["npm"]);
    chat_in_two_browsers_with_npms_client_and_an_upgrade: chat("upgrade", &["npm"]);
}
