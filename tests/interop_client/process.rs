//! A child process whose output is gathered line by line, and which does not outlive its owner.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process that is asked to end with SIGTERM may take, before it is killed.
const POLITE_END: Duration = Duration::from_secs(4);

pub struct Running {
    name: String,
    child: Child,
    input: Option<Sender<Vec<u8>>>,
    lines: Receiver<String>,
    /// All lines that were read; those of stderr begin with [`STDERR`].
    pub seen: Vec<String>,
    /// It leaves something behind when it is killed at once.
    pub ends_politely: bool,
}

pub const STDERR: &str = "stderr: ";

impl Running {
    pub fn start(name: &str, command: &mut Command) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name}: cannot start {command:?}: {error}; tests/interop/setup.sh installs it")
            });
        let (sender, lines) = mpsc::channel();
        forward_lines(child.stdout.take().expect("it is piped"), "", sender.clone());
        forward_lines(child.stderr.take().expect("it is piped"), STDERR, sender);
        let input = feed(child.stdin.take().expect("it is piped"));
        Running {
            name: name.to_owned(),
            child,
            input: Some(input),
            lines,
            seen: Vec::new(),
            ends_politely: false,
        }
    }

    /// Hands text to stdin, however slowly that is read.
    pub fn write(&self, text: impl Into<Vec<u8>>) {
        let input = self.input.as_ref().expect("stdin was not closed before");
        // A process that has ended shows that by its output.
        let _ = input.send(text.into());
    }

    /// The end of stdin, after all that was written.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line, or `None` at the end of the output.
    pub fn line(&mut self, deadline: Instant, what: &str) -> Option<String> {
        match self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{}: not in time: {what}\n{}", self.name, self.output()),
        }
    }

    /// Waits for a line of output that contains `text`.
    pub fn line_with(&mut self, text: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        while let Some(line) = self.line(deadline, text) {
            if line.contains(text) {
                return line;
            }
        }
        panic!("{}: ended without `{text}`\n{}", self.name, self.output())
    }

    /// Reads what is left of the output, to its end.
    pub fn last_lines(&mut self, patience: Duration) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut lines = Vec::new();
        while let Some(line) = self.line(deadline, "the end of the output") {
            lines.push(line);
        }
        lines
    }

    /// The exit of a process whose output has ended, so that it is over or under way.
    pub fn exit(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{}: closed its output and still runs\n{}",
                self.name,
                self.output()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal by its name, `STOP` for example.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        // The shell's own `kill`: a bare Debian has no other.
        let status = Command::new("sh")
            .args(["-c", "kill -\"$0\" \"$1\"", name, &pid])
            .status()
            .expect("there is a shell");
        assert!(status.success(), "kill -{name} {pid}: {status}");
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn output(&self) -> String {
        // The end tells more than ten thousand messages.
        const SHOWN: usize = 60;
        let skipped = self.seen.len().saturating_sub(SHOWN);
        let shown: Vec<String> = self.seen[skipped..].iter().map(|line| shortened(line)).collect();
        format!("({skipped} lines, then)\n{}", shown.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.child.try_wait().is_ok_and(|status| status.is_none()) {
            return;
        }
        if self.ends_politely {
            self.signal("TERM");
            let deadline = Instant::now() + POLITE_END;
            while Instant::now() < deadline {
                if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
        None => line.to_owned(),
    }
}

fn forward_lines(from: impl Read + Send + 'static, prefix: &'static str, to: Sender<String>) {
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

/// The thread ends, and stdin with it, when the sender is gone.
fn feed(mut input: impl Write + Send + 'static) -> Sender<Vec<u8>> {
    let (sender, texts) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        for text in texts {
            if input.write_all(&text).and_then(|()| input.flush()).is_err() {
                return;
            }
        }
    });
    sender
}
