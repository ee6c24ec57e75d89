//! `sansocket connect --protocol engine.io --json`, driven through its stdin and read through its stdout.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::conversation;
use crate::process::{Running, STDERR};
use crate::server::Server;

const WAIT: Duration = Duration::from_secs(20);
/// From the last event to the exit. Closing properly is part of it.
const EXIT: Duration = Duration::from_secs(10);

/// What the user's own environment says about proxies and logs is not what is tested.
const FOREIGN_VARIABLES: [&str; 9] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "RUST_LOG",
];

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Plan {
    Polling,
    WebSocket,
    /// Polling, then a WebSocket: what the program does where nothing else is asked for.
    Upgrade,
}

impl Plan {
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Plan::Polling => &["--transports", "polling"],
            Plan::WebSocket => &["--transports", "websocket"],
            Plan::Upgrade => &[],
        }
    }

    pub fn first_transport(self) -> &'static str {
        match self {
            Plan::WebSocket => "websocket",
            Plan::Polling | Plan::Upgrade => "polling",
        }
    }

    /// Whether a session that is under way uses a WebSocket.
    pub fn is_websocket(self) -> bool {
        self != Plan::Polling
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

pub struct Program {
    pub running: Running,
    /// Events that came while another one was waited for.
    pending: VecDeque<Value>,
    history: Vec<Value>,
}

impl Program {
    pub fn connect(server: &Server, plan: Plan, flags: &[&str]) -> Program {
        Program::start(&server.url(), &[plan.flags(), flags].concat(), &[])
    }

    /// Connects, and waits for the transport that the plan ends on.
    pub fn connected(server: &Server, plan: Plan, flags: &[&str]) -> Program {
        let mut program = Program::connect(server, plan, flags);
        program.expect_open(plan);
        program
    }

    pub fn start(url: &str, flags: &[&str], variables: &[(&str, &str)]) -> Program {
        let mut command = crate::under_test::program(&["connect", "--protocol", "engine.io", "--json"]);
        command.args(flags).arg(url);
        for name in FOREIGN_VARIABLES {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        Program {
            running: Running::start("sansocket connect", &mut command),
            pending: VecDeque::new(),
            history: Vec::new(),
        }
    }

    // ---- stdin ----

    pub fn send(&self, text: &str) {
        self.command(&json!({ "send": text }));
    }

    pub fn send_binary(&self, bytes: &[u8]) {
        self.command(&json!({ "send_binary": STANDARD.encode(bytes) }));
    }

    pub fn send_message(&self, message: &Message) {
        match message {
            Message::Text(text) => self.send(text),
            Message::Binary(bytes) => self.send_binary(bytes),
        }
    }

    /// `0`, `1`, … in one piece, so that nothing else comes between them.
    pub fn send_numbers(&self, count: usize) {
        self.send_range(0..count);
    }

    pub fn send_range(&self, numbers: Range<usize>) {
        let mut lines = String::new();
        for number in numbers {
            writeln!(lines, "{{\"send\":\"{number}\"}}").expect("a string takes everything");
        }
        self.running.write(lines);
    }

    pub fn close(&self) {
        self.command(&json!({ "close": true }));
    }

    pub fn end_input(&mut self) {
        self.running.end_input();
    }

    fn command(&self, command: &Value) {
        self.running.write(format!("{command}\n"));
    }

    // ---- stdout ----

    /// Waits for the next event of this name. Others are kept for later, but a failure is one at once.
    pub fn event(&mut self, name: &str) -> Value {
        self.event_despite(name, &[])
    }

    /// The same, where `tolerated` events may come first, and are dropped.
    pub fn event_despite(&mut self, name: &str, tolerated: &[&str]) -> Value {
        let deadline = Instant::now() + WAIT;
        let mut kept = 0;
        loop {
            let (event, is_new) = match self.pending.remove(kept) {
                Some(event) => (event, false),
                None => (self.read_event(deadline, name), true),
            };
            let found = event["event"].as_str().expect("read_event has looked");
            if found == name {
                return event;
            }
            if tolerated.contains(&found) {
                continue;
            }
            assert!(
                !matches!(found, "error" | "close" | "upgrade_error"),
                "waiting for `{name}`, {event} came\n{}",
                self.running.output()
            );
            if is_new {
                self.pending.push_back(event);
            } else {
                self.pending.insert(kept, event);
            }
            kept += 1;
        }
    }

    fn read_event(&mut self, deadline: Instant, wanted: &str) -> Value {
        loop {
            let Some(line) = self.running.line(deadline, wanted) else {
                panic!("ended without `{wanted}`\n{}", self.running.output());
            };
            if !line.starts_with(STDERR) {
                let event = parse(&line);
                self.history.push(event.clone());
                return event;
            }
        }
    }

    pub fn expect_open(&mut self, plan: Plan) -> String {
        let open = self.event("open");
        assert_eq!(open["transport"], plan.first_transport(), "{open}");
        if plan == Plan::Upgrade {
            self.expect_upgrade();
        }
        open["sid"].as_str().expect("a session has an id").to_owned()
    }

    pub fn expect_upgrade(&mut self) {
        let upgrade = self.event("upgrade");
        assert_eq!(upgrade["transport"], "websocket", "{upgrade}");
    }

    pub fn message(&mut self) -> Message {
        let event = self.event("message");
        match (event["text"].as_str(), event["binary"].as_str()) {
            (Some(text), None) => Message::Text(text.to_owned()),
            (None, Some(base64)) => Message::Binary(STANDARD.decode(base64).expect("binary is base64")),
            _ => panic!("neither text nor binary: {event}"),
        }
    }

    #[track_caller]
    pub fn expect_text(&mut self, text: &str) {
        assert_eq!(self.message(), Message::Text(text.to_owned()));
    }

    /// A message sent now comes back, and nothing before it.
    #[track_caller]
    pub fn expect_echo(&mut self, text: &str) {
        self.send(text);
        self.expect_text(text);
    }

    /// `0`, `1`, …: each once, and in order.
    #[track_caller]
    pub fn expect_numbers(&mut self, count: usize) {
        self.expect_range(0..count);
    }

    #[track_caller]
    pub fn expect_range(&mut self, numbers: Range<usize>) {
        for number in numbers {
            self.expect_text(&number.to_string());
        }
    }

    #[track_caller]
    pub fn expect_error(&mut self, kinds: &[&str]) {
        let error = self.event("error");
        let kind = error["kind"].as_str().expect("an error has a kind");
        assert!(kinds.contains(&kind), "one of {kinds:?} was expected: {error}");
        assert!(
            error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{error}"
        );
    }

    #[track_caller]
    pub fn expect_close(&mut self, reasons: &[&str]) {
        // One error may tell more.
        let close = self.event_despite("close", &["error"]);
        let reason = close["reason"].as_str().expect("a close has a reason");
        assert!(reasons.contains(&reason), "one of {reasons:?} was expected: {close}");
    }

    /// How many messages came before the upgrade.
    pub fn messages_before_upgrade(&self) -> usize {
        let before = self.history.iter().take_while(|event| event["event"] != "upgrade");
        before.filter(|event| event["event"] == "message").count()
    }

    pub fn count(&self, name: &str) -> usize {
        self.history.iter().filter(|event| event["event"] == name).count()
    }

    /// Waits for the exit. No event may be left that nobody has waited for, apart from these.
    #[track_caller]
    pub fn expect_exit(&mut self, code: i32, left_over: &[&str]) {
        for line in self.running.last_lines(EXIT) {
            if !line.starts_with(STDERR) {
                let event = parse(&line);
                self.history.push(event.clone());
                self.pending.push_back(event);
            }
        }
        let status = self.running.exit(EXIT);
        assert_eq!(status.code(), Some(code), "{status}\n{}", self.running.output());
        let stray = self.pending.iter().find(|event| {
            let name = event["event"].as_str().expect("parse has looked");
            conversation::KNOWN.contains(&name) && !left_over.contains(&name)
        });
        assert!(stray.is_none(), "{stray:?} is left\n{}", self.running.output());
        conversation::check(&self.history);
        let told = self.running.seen.iter().filter(|line| line.starts_with(STDERR)).count();
        assert!(
            told == 1 || told == 0 && code == 0,
            "{told} lines on stderr\n{}",
            self.running.output()
        );
    }

    /// The end that we ask for.
    #[track_caller]
    pub fn close_and_exit(mut self) {
        self.close();
        self.expect_close(&["client disconnect"]);
        self.expect_exit(0, &[]);
    }
}

fn parse(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    assert!(event["event"].is_string(), "no event: {line}");
    event
}
