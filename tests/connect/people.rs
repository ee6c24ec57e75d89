//! Without `--json`: a conversation that a person reads. Only what is agreed is looked at: the words may change.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::{self, CARRIERS, ENOUGH, NOBODY, assert_stderr, received, url};
use crate::front::{self, Answer, Sink};
use crate::server::Server;

struct Person {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

impl Person {
    #[track_caller]
    fn start(url: &str, flags: &[&str]) -> Self {
        let mut child = client::command(url, flags, &[]).spawn().expect("the program starts");
        let stdin = child.stdin.take();
        let mut pipe = child.stdout.take().expect("a piped stdout");
        let stderr = client::drain(child.stderr.take().expect("a piped stderr"));
        let stdout = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&stdout);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..length]);
                written.lock().expect("stdout").push_str(&text);
            }
        });
        Self {
            child,
            stdin,
            stdout,
            reader: Some(reader),
            stderr: Some(stderr),
        }
    }

    #[track_caller]
    fn types(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(text.as_bytes()).expect("the program reads its stdin");
        stdin.flush().expect("the program reads its stdin");
    }

    #[track_caller]
    fn reads(&self, text: &str) {
        let deadline = Instant::now() + ENOUGH;
        loop {
            let so_far = self.stdout.lock().expect("stdout").clone();
            if so_far.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{text:?} is not in {so_far:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it printed, after it ended with this status.
    #[track_caller]
    fn finish(mut self, code: i32) -> String {
        let status = client::wait(&mut self.child);
        self.reader
            .take()
            .expect("still there")
            .join()
            .expect("the reader of stdout");
        let stderr = self.stderr.take().expect("still there").join().expect("its reader");
        let stdout = self.stdout.lock().expect("stdout").clone();
        assert_eq!(status.code(), Some(code), "{stdout}\n{stderr}");
        assert_stderr(code, &stderr);
        assert!(
            !stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'),
            "colour, and no terminal: {stdout:?}"
        );
        stdout
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // It may have ended already; both then fail, and that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines typed are sent, messages appear, the end of input closes: exit 0; no colour where there is no terminal.
#[test]
fn lines_typed_are_sent() {
    for carrier in CARRIERS {
        let server = Server::start();
        let mut person = Person::start(&url(server.address), carrier);
        person.types("hello there\n");
        person.reads("hello there");
        person.types("{\"send\":\"as it is\"}\n");
        person.reads("{\"send\":\"as it is\"}");
        person.stdin = None;
        person.finish(0);
        assert_eq!(received(&server), 2);
        server.wait_for_sessions(0);
        server.finish();
    }
}

/// A message appears as its text, not as an event.
#[test]
fn messages_are_readable() {
    let front = front::polling(|_| Answer::ok("4Grüße aus dem Server\x1e1"));
    let person = Person::start(&front.url(), &[]);
    let stdout = person.finish(1);
    assert!(stdout.contains("Grüße aus dem Server"), "{stdout}");
    assert!(!stdout.contains("\"event\""), "{stdout}");
}

/// A message cannot take over the terminal of whoever reads it: control characters are not printed as they are.
#[test]
fn messages_cannot_move_the_cursor() {
    let front = front::polling(|_| Answer::ok("4harm\u{1b}[2Jless\u{7}\x1e1"));
    let stdout = Person::start(&front.url(), &[]).finish(1);
    assert!(stdout.contains("harm") && stdout.contains("less"), "{stdout}");
    assert!(!stdout.contains('\u{7}'), "{stdout:?}");
}

/// What it prints on a terminal until it ends by itself; none where nothing here makes a terminal.
#[track_caller]
fn on_a_terminal(url: &str) -> Option<String> {
    let program = client::command(url, &[], &[]);
    let words: Vec<_> = [program.get_program()]
        .into_iter()
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_str().expect("UTF-8")))
        .collect();
    let mut terminal = Command::new("script");
    client::clean(&mut terminal);
    let mut child = terminal
        .args(["-qefc", &words.join(" "), "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = client::drain(child.stdout.take().expect("a piped stdout"));
    client::wait(&mut child);
    stdout.join().ok()
}

/// On a terminal there is colour; and what a message holds still cannot take it over.
#[test]
fn colour_is_for_terminals() {
    let front = front::polling(|_| Answer::ok("4harm\u{1b}[2Jless\x1e1"));
    let Some(stdout) = on_a_terminal(&front.url()) else {
        return;
    };
    assert!(stdout.contains("harm") && stdout.contains("less"), "{stdout:?}");
    assert!(stdout.contains("\u{1b}["), "{stdout:?}");
    assert!(!stdout.contains("\u{1b}[2J"), "{stdout:?}");
}

/// Bytes are shown somehow, and do not break the output.
#[test]
fn bytes_are_shown_somehow() {
    let front = front::polling(|_| Answer::ok("b/v8AAQ==\x1e4and text\x1e1"));
    let stdout = Person::start(&front.url(), &[]).finish(1);
    assert!(stdout.contains("and text"), "{stdout}");
    assert!(!stdout.contains(['\0', '\u{fffd}']), "{stdout:?}");
}

/// The end of input delivers what was typed.
#[test]
fn what_was_typed_is_delivered() {
    let sink = Sink::start(1_000_000);
    let mut person = Person::start(&sink.front.url(), &[]);
    let lines: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
    person.types(&format!("{}\n", lines.join("\n")));
    person.stdin = None;
    person.finish(0);
    assert_eq!(sink.wait_for(lines.len()), lines);
}

/// Ctrl-C closes properly: 130.
#[test]
fn ctrl_c_is_a_proper_end() {
    let server = Server::start();
    let mut person = Person::start(&url(server.address), &[]);
    person.types("hello there\n");
    person.reads("hello there");
    client::signal(&person.child, "INT");
    person.finish(130);
    server.wait_for_sessions(0);
    server.finish();
}

/// A failure is one line on stderr, exit 1.
#[test]
fn a_failure_is_one_line() {
    let stdout = Person::start(NOBODY, &[]).finish(1);
    assert!(!stdout.contains("\"event\""), "{stdout}");
}

/// A message above the server's limit is named, and the conversation goes on.
#[test]
fn a_message_that_is_too_large_is_no_end() {
    let server = Server::with(&["--max-payload", "1000"]);
    let mut person = Person::start(&url(server.address), &[]);
    person.types(&format!("{}\n", "x".repeat(3_000)));
    person.types("and on\n");
    person.reads("and on");
    person.stdin = None;
    person.finish(0);
    assert_eq!(received(&server), 1);
    server.finish();
}
