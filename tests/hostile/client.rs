//! The program, driven by its standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::program;
use crate::server::Server;
use crate::socket::PATIENCE;

/// A line of its standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Open {
        sid: String,
        transport: String,
    },
    Upgrade(String),
    UpgradeError(String),
    Text(String),
    Binary(Vec<u8>),
    Error {
        kind: String,
        message: String,
    },
    Close(String),
    Reconnecting {
        attempt: u64,
        delay_ms: u64,
    },
    /// No more lines.
    End,
}

pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Whether nobody reads its standard output for the time being.
    paused: Arc<AtomicBool>,
    stderr: Option<JoinHandle<String>>,
    started: Instant,
    transcript: Vec<Event>,
}

impl Client {
    pub fn connect(server: &Server, arguments: &[&str]) -> Self {
        Self::connect_to(&server.url(), arguments)
    }

    pub fn connect_to(url: &str, arguments: &[&str]) -> Self {
        let mut command = program(&["connect", "--protocol", "engine.io", "--json"]);
        if !arguments.contains(&"--timeout") {
            command.args(["--timeout", "15s"]);
        }
        command.args(arguments).arg(url).env_remove("RUST_LOG");
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_ascii_lowercase());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (says, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        let paused = Arc::new(AtomicBool::new(false));
        let pause = Arc::clone(&paused);
        thread::spawn(move || {
            for line in stdout.lines() {
                while pause.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(5));
                }
                let line = line.unwrap_or_else(|error| format!("not a line: {error}"));
                if says.send(line).is_err() {
                    return;
                }
            }
        });
        let mut stderr = child.stderr.take().expect("a piped stderr");
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).expect("a pipe");
            String::from_utf8(bytes).expect("stderr is UTF-8")
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            paused,
            stderr: Some(stderr),
            started: Instant::now(),
            transcript: Vec::new(),
        }
    }

    // ---- standard input ----

    pub fn line(&mut self, line: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("not closed yet");
        let mut bytes = line.as_ref().to_vec();
        bytes.push(b'\n');
        // It may have ended already, which the test finds out by what it said.
        let _ended = stdin.write_all(&bytes).and_then(|()| stdin.flush());
    }

    pub fn send(&mut self, text: &str) {
        self.line(serde_json::json!({ "send": text }).to_string());
    }

    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.line(serde_json::json!({ "send_binary": STANDARD.encode(bytes) }).to_string());
    }

    pub fn ask_to_close(&mut self) {
        self.line(r#"{"close":true}"#);
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    // ---- standard output ----

    #[track_caller]
    pub fn next(&mut self) -> Event {
        match self.next_within(PATIENCE) {
            Some(event) => event,
            None => panic!("nothing within {PATIENCE:?} after {:?}", self.transcript),
        }
    }

    /// Stops reading its standard output, or goes on with it.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// `None` where nothing came in time.
    #[track_caller]
    pub fn next_within(&mut self, limit: Duration) -> Option<Event> {
        let deadline = Instant::now() + limit;
        loop {
            let event = match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => match parse(&line) {
                    Ok(Some(event)) => event,
                    // Scripts ignore what they do not know.
                    Ok(None) => continue,
                    Err(why) => panic!("{why}: {line:?} after {:?}", self.transcript),
                },
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => Event::End,
            };
            self.transcript.push(event.clone());
            return Some(event);
        }
    }

    #[track_caller]
    fn unexpected(&self, wanted: &str) -> ! {
        panic!("{wanted} should have come last: {:?}", self.transcript);
    }

    /// It opened, on this transport, with this session id.
    #[track_caller]
    pub fn opened(&mut self, transport: &str) -> String {
        match self.next() {
            Event::Open { sid, transport: came } if came == transport => sid,
            _ => self.unexpected(&format!("`open` on {transport}")),
        }
    }

    #[track_caller]
    pub fn text(&mut self, text: &str) {
        if self.next() != Event::Text(text.to_owned()) {
            self.unexpected(&format!("{text:?}"));
        }
    }

    #[track_caller]
    pub fn binary(&mut self, bytes: &[u8]) {
        if self.next() != Event::Binary(bytes.to_vec()) {
            self.unexpected(&format!("{bytes:?}"));
        }
    }

    #[track_caller]
    pub fn upgraded(&mut self) {
        if self.next() != Event::Upgrade("websocket".to_owned()) {
            self.unexpected("`upgrade`");
        }
    }

    #[track_caller]
    pub fn upgrade_failed(&mut self) -> String {
        match self.next() {
            Event::UpgradeError(message) => {
                assert!(message.len() > 3, "an explanation: {message:?}");
                message
            }
            _ => self.unexpected("`upgrade_error`"),
        }
    }

    /// An error of one of these kinds; its message.
    #[track_caller]
    pub fn error(&mut self, kinds: &[&str]) -> String {
        match self.next() {
            Event::Error { kind, message } if kinds.contains(&kind.as_str()) => {
                assert!(message.len() > 3, "an explanation: {message:?}");
                message
            }
            _ => self.unexpected(&format!("`error` of {kinds:?}")),
        }
    }

    #[track_caller]
    pub fn closed(&mut self, reasons: &[&str]) {
        match self.next() {
            Event::Close(reason) if reasons.contains(&reason.as_str()) => {}
            _ => self.unexpected(&format!("`close` for {reasons:?}")),
        }
    }

    /// `close`, after one `error` or none. The message of the error.
    #[track_caller]
    pub fn failed(&mut self, reasons: &[&str]) -> Option<String> {
        match self.next() {
            Event::Close(reason) if reasons.contains(&reason.as_str()) => None,
            Event::Error { kind, message } if kind != "usage" => {
                self.closed(reasons);
                Some(message)
            }
            _ => self.unexpected(&format!("`close` for {reasons:?}")),
        }
    }

    #[track_caller]
    pub fn reconnecting(&mut self, attempt: u64) {
        match self.next() {
            Event::Reconnecting { attempt: came, .. } if came == attempt => {}
            _ => self.unexpected(&format!("`reconnecting` for the {attempt}. time")),
        }
    }

    // ---- its end ----

    /// It has no more to say and ends with this status. What it said on stderr.
    #[track_caller]
    pub fn ended(&mut self, code: i32) -> String {
        self.ended_with(&[code])
    }

    /// Whatever it still has to say.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Event> {
        let mut rest = Vec::new();
        loop {
            match self.next() {
                Event::End => return rest,
                event => rest.push(event),
            }
        }
    }

    /// The same, but it may report first what did not arrive, or may not have.
    #[track_caller]
    pub fn ended_in_doubt(&mut self, codes: &[i32]) {
        for event in self.rest() {
            let is_report = match &event {
                Event::Error { kind, message } => {
                    kind == "connection" && (message.contains("arrived") || message.contains("delivered"))
                }
                _ => false,
            };
            assert!(is_report, "{event:?} of {:?}", self.transcript);
        }
        self.ended_with(codes);
    }

    /// The same as [`ended`](Self::ended), with one of these statuses.
    #[track_caller]
    pub fn ended_with(&mut self, codes: &[i32]) -> String {
        if self.next() != Event::End {
            self.unexpected("the end");
        }
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "still running after {:?}", self.transcript),
            }
            thread::sleep(Duration::from_millis(2));
        };
        let said = self.stderr.take().expect("it ends once").join();
        let said = said.expect("stderr is read to its end");
        assert!(!said.contains("panicked"), "{said}");
        let code = status.code().unwrap_or(-1);
        assert!(codes.contains(&code), "status {code}: {:?} {said}", self.transcript);
        assert!(said.lines().count() <= 1, "one line at most: {said:?}");
        assert!(code == 0 || said.trim().len() > 10, "it should say why: {said:?}");
        assert!(
            !said.trim_end().chars().any(char::is_control),
            "terminals do as they are told: {said:?}"
        );
        said
    }

    /// It never opened: one error of one of these kinds, and that is all. Its message.
    #[track_caller]
    pub fn refused(mut self, kinds: &[&str]) -> String {
        let message = self.error(kinds);
        self.ended(1);
        message
    }

    /// What is sent either way arrives, and it can be closed properly.
    #[track_caller]
    pub fn goes_on(&mut self, server: &Server) {
        let before = server.shared.state().messages.clone();
        server.push("4are you there?");
        self.text("are you there?");
        self.send("I am");
        let mut all: Vec<&str> = before.iter().map(String::as_str).collect();
        all.push("4I am");
        server.wait_for_messages(&all);
    }

    /// It is closed properly.
    #[track_caller]
    pub fn close(&mut self) {
        self.ask_to_close();
        self.closed(&["client disconnect"]);
        self.ended(0);
    }

    /// How long ago it was started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        if thread::panicking() {
            let said = self.stderr.take().and_then(|stderr| stderr.join().ok());
            eprintln!("events: {:?}\nstderr: {said:?}", self.transcript);
        }
    }
}

/// `None` for an event that has no meaning here.
fn parse(line: &str) -> Result<Option<Event>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let text = |key: &str| {
        let found = value[key].as_str().map(str::to_owned);
        found.ok_or_else(|| format!("no {key:?}"))
    };
    let number = |key: &str| value[key].as_u64().ok_or_else(|| format!("no {key:?}"));
    let event = match text("event")?.as_str() {
        "open" => Event::Open {
            sid: text("sid")?,
            transport: text("transport")?,
        },
        "upgrade" => Event::Upgrade(text("transport")?),
        "upgrade_error" => Event::UpgradeError(text("message")?),
        "message" if value["binary"].is_string() => {
            let bytes = STANDARD.decode(text("binary")?);
            Event::Binary(bytes.map_err(|error| format!("wrong base64: {error}"))?)
        }
        "message" => Event::Text(text("text")?),
        "error" => Event::Error {
            kind: text("kind")?,
            message: text("message")?,
        },
        "close" => Event::Close(text("reason")?),
        "reconnecting" => Event::Reconnecting {
            attempt: number("attempt")?,
            delay_ms: number("delay_ms")?,
        },
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// Runs every case in a thread of its own, so that those who wait do so together.
#[track_caller]
pub fn all<T: Sync + std::fmt::Debug>(cases: &[T], run: impl Fn(&T) + Sync) {
    // Not too many programs at once, or they get slow and the time limits wrong.
    for group in cases.chunks(12) {
        thread::scope(|scope| {
            let threads: Vec<_> = group.iter().map(|case| (case, scope.spawn(|| run(case)))).collect();
            let failed: Vec<_> = threads
                .into_iter()
                .filter_map(|(case, thread)| thread.join().err().map(|_| case))
                .collect();
            assert!(failed.is_empty(), "failed: {failed:?}");
        });
    }
}
