//! Runs the program as a script would, with `--json`, and reads what it says strictly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::Response;
use crate::program::program;
use crate::server::Server;

/// How long anything may take that should come at once: generous, since the machine may be busy.
pub const ENOUGH: Duration = Duration::from_secs(10);

/// The transport that a connection may be held to; without a flag it begins polling and is upgraded.
pub const CARRIERS: [&[&str]; 3] = [&["--transports", "polling"], &["--transports", "websocket"], &[]];

const KINDS: [&str; 8] = [
    "connection",
    "refused",
    "timeout",
    "protocol",
    "tls",
    "proxy",
    "too_large",
    "usage",
];

const REASONS: [&str; 6] = [
    "client disconnect",
    "server disconnect",
    "ping timeout",
    "transport close",
    "transport error",
    "parse error",
];

/// What decides which proxy is used, and which the caller of the tests may have set.
const PROXY_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

pub fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The URL of an address where nobody listens. (A port that was free a moment ago may be another test's by now.)
pub const NOBODY: &str = "http://127.0.0.1:1";

pub fn command(url: &str, flags: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut arguments = vec!["connect", "--protocol", "engine.io", url];
    arguments.extend(flags);
    let mut command = program(&arguments);
    clean(&mut command);
    command.envs(environment.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Takes away what the caller of the tests may have set for other programs.
pub fn clean(command: &mut Command) {
    command.env_remove("RUST_LOG").env_remove("NO_COLOR");
    for name in PROXY_VARIABLES {
        command.env_remove(name);
    }
}

/// Waits for the end, which must come by itself.
#[track_caller]
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + ENOUGH;
    loop {
        if let Some(status) = child.try_wait().expect("a child that can be waited for") {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("still running after {ENOUGH:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal, by the system's own program since the standard library cannot.
#[track_caller]
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success(), "kill -{name} failed");
}

/// Everything that a pipe brings until its end.
pub fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // An error is an end too.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// What stderr may be: a line says why it ended, and nothing else is there where it ended well.
#[track_caller]
pub fn assert_stderr(code: i32, stderr: &str) {
    assert!(!stderr.contains("panicked"), "{stderr}");
    let lines = stderr.lines().count();
    match code {
        1 | 2 | 130 | 143 => {
            assert_eq!(lines, 1, "one line says why: {stderr:?}");
            assert!(stderr.trim().len() > 10, "{stderr:?}");
        }
        _ => assert!(lines <= 1, "at most one line: {stderr:?}"),
    }
}

/// A running `sansocket connect --protocol engine.io --json`.
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    seen: Vec<Value>,
    begun: Instant,
}

/// What was left of it.
pub struct Ended {
    /// All events that it printed, those too that were looked at before.
    pub events: Vec<Value>,
    pub stderr: String,
    /// From the start to the end.
    pub lasted: Duration,
}

impl Ended {
    pub fn named(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// The texts of all messages.
    pub fn texts(&self) -> Vec<&str> {
        let messages = self.named("message").into_iter();
        messages.filter_map(|event| event["text"].as_str()).collect()
    }

    /// It never opened: the only event that matters is one `error`, which is handed back.
    #[track_caller]
    pub fn only_error(&self) -> &Value {
        let [error] = self.events.as_slice() else {
            panic!("one error, and nothing else: {:?}", self.events);
        };
        assert_eq!(error["event"], "error", "{error}");
        error
    }
}

impl Client {
    #[track_caller]
    pub fn start(url: &str, flags: &[&str]) -> Self {
        Self::start_in(url, flags, &[])
    }

    /// With these variables in its environment.
    #[track_caller]
    pub fn start_in(url: &str, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let begun = Instant::now();
        let mut child = command(url, flags, environment)
            .arg("--json")
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("a piped stdout");
        let stderr = child.stderr.take().expect("a piped stderr");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
            stderr: Some(drain(stderr)),
            seen: Vec::new(),
            begun,
        }
    }

    /// Connected to this server, `open` already seen.
    #[track_caller]
    pub fn open(server: &Server, flags: &[&str]) -> Self {
        let mut client = Self::start(&url(server.address), flags);
        client.next("open");
        client
    }

    // ---- what goes in ----

    #[track_caller]
    pub fn write(&mut self, line: &str) {
        self.write_bytes(format!("{line}\n").as_bytes());
    }

    #[track_caller]
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(bytes).expect("the program reads its stdin");
        stdin.flush().expect("the program reads its stdin");
    }

    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.write(&json!({ "send": text }).to_string());
    }

    #[track_caller]
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.write(&json!({ "send_binary": STANDARD.encode(bytes) }).to_string());
    }

    #[track_caller]
    pub fn ask_to_close(&mut self) {
        self.write(r#"{"close":true}"#);
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// For a writer of its own, where the program may not read for a while.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is open")
    }

    #[track_caller]
    pub fn interrupt(&self) {
        signal(&self.child, "INT");
    }

    // ---- what comes out ----

    /// The next event of those that are agreed; others may come, and are passed over.
    #[track_caller]
    pub fn event(&mut self) -> Value {
        let deadline = Instant::now() + ENOUGH;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(event) = understood(&line) {
                        self.seen.push(event.clone());
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("nothing within {ENOUGH:?} after {:?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => {
                    let stderr = self.stderr.take().map(|stderr| stderr.join().unwrap_or_default());
                    panic!("its stdout ended after {:?}; stderr: {stderr:?}", self.seen);
                }
            }
        }
    }

    /// The next event, which must be this one. An upgrade comes when it will, and is passed over.
    #[track_caller]
    pub fn next(&mut self, name: &str) -> Value {
        loop {
            let event = self.event();
            if event["event"] == name {
                return event;
            }
            assert_eq!(event["event"], "upgrade", "{name} was to come, but {event} came");
        }
    }

    /// The next event of this name, whatever comes before.
    #[track_caller]
    pub fn until(&mut self, name: &str) -> Value {
        loop {
            let event = self.event();
            if event["event"] == name {
                return event;
            }
        }
    }

    #[track_caller]
    pub fn assert_text(&mut self, text: &str) {
        assert_eq!(self.next("message"), json!({"event": "message", "text": text}));
    }

    #[track_caller]
    pub fn assert_echoes(&mut self, text: &str) {
        self.send(text);
        self.assert_text(text);
    }

    // ---- how it ends ----

    /// It ends by itself with this status, and everything about it was in order.
    #[track_caller]
    pub fn finish(self, code: i32) -> Ended {
        let ended = self.finish_with_errors(code);
        assert_order(&ended.events);
        ended
    }

    /// The same where errors of sends stand among those of the connection.
    #[track_caller]
    pub fn finish_with_errors(mut self, code: i32) -> Ended {
        // Its stdin stays open unless the test has ended it: whatever else ends it must not wait for input.
        let status = wait(&mut self.child);
        let lasted = self.begun.elapsed();
        let deadline = Instant::now() + ENOUGH;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.seen.extend(understood(&line));
        }
        let stderr = self.stderr.take().expect("only taken before a panic");
        let stderr = stderr.join().expect("the reader of stderr");
        let events = std::mem::take(&mut self.seen);
        assert_eq!(status.code(), Some(code), "{status}; {events:?}; stderr: {stderr}");
        assert_stderr(code, &stderr);
        Ended { events, stderr, lasted }
    }

    /// Has it close, and checks that it does so properly.
    #[track_caller]
    pub fn close(mut self) -> Ended {
        self.ask_to_close();
        let ended = self.finish(0);
        let last = ended.events.last().expect("at least a close");
        assert_eq!(*last, json!({"event": "close", "reason": "client disconnect"}));
        ended
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An event of those that are agreed, as agreed: all its fields, and what is in them. More of both are welcome, so
/// fields that are not agreed are taken away, and `None` is an event that a script is to ignore.
#[track_caller]
fn understood(line: &str) -> Option<Value> {
    let mut event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let fields = event.as_object_mut().unwrap_or_else(|| panic!("not an object: {line}"));
    let name = fields["event"]
        .as_str()
        .unwrap_or_else(|| panic!("an event without a name: {line}"));
    let name = name.to_owned();
    let wanted: &[&str] = match name.as_str() {
        "open" => &["event", "sid", "transport"],
        "upgrade" => &["event", "transport"],
        "upgrade_error" => &["event", "message"],
        "message" if fields.contains_key("text") => &["event", "text"],
        "message" => &["binary", "event"],
        "error" => &["event", "kind", "message"],
        "close" => &["event", "reason"],
        "reconnecting" => &["attempt", "delay_ms", "event"],
        _ => return None,
    };
    assert!(
        !(fields.contains_key("text") && fields.contains_key("binary")),
        "it is one or the other: {line}"
    );
    fields.retain(|key, _| wanted.contains(&key.as_str()));
    assert_eq!(fields.len(), wanted.len(), "{wanted:?} are agreed: {line}");
    for (key, value) in &*fields {
        let fine = match (key.as_str(), value) {
            ("event", _) => true,
            ("transport", value) => value == "websocket" || (name == "open" && value == "polling"),
            ("kind", Value::String(kind)) => KINDS.contains(&kind.as_str()),
            ("reason", Value::String(reason)) => REASONS.contains(&reason.as_str()),
            ("binary", Value::String(text)) => STANDARD.decode(text).is_ok(),
            ("text", Value::String(_)) => true,
            ("sid" | "message", Value::String(text)) => !text.is_empty(),
            ("attempt", value) => value.as_u64() > Some(0),
            ("delay_ms", value) => value.is_u64(),
            _ => false,
        };
        assert!(fine, "{key}: {line}");
    }
    Some(event)
}

/// `open`, messages, at most one `error`, `close`; then nothing, or `reconnecting` and so on. A connection that never
/// opened ends in one `error`. Errors of what came from stdin stand where they stand.
#[track_caller]
fn assert_order(events: &[Value]) {
    let mut is_open = false;
    let mut is_over = false;
    let mut errors = 0;
    for event in events {
        let fine = match event["event"].as_str().unwrap_or_default() {
            "open" => {
                let fine = !is_open && !is_over;
                (is_open, errors) = (true, 0);
                fine
            }
            "message" | "upgrade" | "upgrade_error" => is_open,
            "error" if event["kind"] == "usage" || event["kind"] == "too_large" => true,
            "error" => {
                let fine = errors == 0 && !is_over;
                errors += 1;
                is_over = !is_open;
                fine
            }
            "close" => {
                let fine = is_open;
                (is_open, is_over) = (false, true);
                fine
            }
            "reconnecting" => {
                let fine = is_over;
                (is_over, errors) = (false, 0);
                fine
            }
            other => panic!("{other}"),
        };
        assert!(fine, "{event} is out of order in {events:?}");
    }
}

/// How many messages the server has received, by its own count.
#[track_caller]
pub fn received(server: &Server) -> u64 {
    received_by(&server.get("/__stats"))
}

/// The same, from its answer.
#[track_caller]
pub fn received_by(response: &Response) -> u64 {
    let stats: Value = serde_json::from_str(response.text()).expect("JSON");
    stats["received"].as_u64().expect("a count")
}
