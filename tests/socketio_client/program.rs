//! `sansocket connect --json` as a child process.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::peer::PATIENCE;

pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// How the program ended.
pub struct End {
    pub status: i32,
    /// What it printed that nobody had asked for.
    pub rest: Vec<String>,
    pub stderr: String,
}

impl Program {
    /// Over WebSocket alone, for which the hand-written server is.
    pub fn start(url: &str, arguments: &[&str]) -> Self {
        let all = [&["--json", "--transports", "websocket"], arguments].concat();
        Self::spawn(url, &all)
    }

    pub fn spawn(url: &str, arguments: &[&str]) -> Self {
        let runtime = std::env::var("SANSOCKET_RUNTIME").unwrap_or_else(|_| "tokio".into());
        let mut child = Command::new(env!("CARGO_BIN_EXE_sansocket"))
            .args(["connect", url, "--runtime", &runtime])
            .args(arguments)
            .env_remove("RUST_LOG")
            .env("NO_PROXY", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
        }
    }

    pub fn write(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program says more")
    }

    /// The next thing that it says.
    pub fn event(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("an object a line")
    }

    /// The next thing that it says is of this kind.
    pub fn expect(&mut self, kind: &str) -> Value {
        let event = self.event();
        assert_eq!(event["event"], kind, "{event}");
        event
    }

    /// The next thing of this kind, whatever comes before it.
    pub fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event();
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// `open`, and `connect` for `/`.
    pub fn expect_connect(&mut self, sid: &str) {
        self.expect("open");
        let connect = self.expect("connect");
        assert_eq!(
            (connect["namespace"].as_str(), connect["id"].as_str()),
            (Some("/"), Some(sid))
        );
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    pub fn end(mut self) -> End {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code().unwrap_or(-1),
                None => assert!(Instant::now() < deadline, "the program ends"),
            }
            thread::sleep(std::time::Duration::from_millis(5));
        };
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let mut rest = Vec::new();
        // Until the reading thread has seen the end.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        End { status, rest, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already can not be ended again.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
