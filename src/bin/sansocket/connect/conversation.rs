//! The conversation: what happens is said on stdout, for people or for scripts, and what comes on stdin is sent.

use std::future::{Future, pending};
use std::io::{IsTerminal, Write};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::SendError;
use sansocket::engineio::{CloseReason, Closed, Data, Transport};
use sansocket::runtime::engineio::{Client, ClientEvent, TrySendError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::input::{self, Line};
use crate::signals::{Signal, Signals};

/// How long the second signal leaves for the end of what is being said.
const LAST_WORDS: Duration = Duration::from_secs(1);

type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;

/// Why the conversation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// The input has ended: everything in it is delivered first, for which there must be a session.
    EndOfInput,
    Close,
    /// By a signal, which gives this status.
    Signal(u8),
}

pub struct Conversation<R> {
    client: Client<R>,
    out: Output,
    open: bool,
    asked: Asked,
    /// A message that waits for room in the queue.
    sending: Option<Sending>,
    /// How the last session ended, or why there was none.
    ended: Option<String>,
    closed: Option<Closed>,
    /// Something went wrong in that end, whatever it is called.
    failed: bool,
}

impl<R> Conversation<R> {
    pub fn new(client: Client<R>, json: bool) -> Self {
        Self {
            client,
            out: Output::new(json),
            open: false,
            asked: Asked::Nothing,
            sending: None,
            ended: None,
            closed: None,
            failed: false,
        }
    }

    pub async fn run(mut self) -> ExitCode {
        let mut lines = Some(input::lines(self.out.json));
        // Without them, the system ends the program as it ends others.
        let mut signals = Signals::new(Some(LAST_WORDS)).ok();
        loop {
            // Nothing is read while a message waits, nor once the conversation is to end.
            let listens = self.sending.is_none() && self.asked == Asked::Nothing;
            tokio::select! {
                event = self.client.event() => match event {
                    Some(event) => self.handle_event(event),
                    None => break,
                },
                sent = sent(&mut self.sending), if self.sending.is_some() => self.handle_sent(sent),
                line = next_line(&mut lines), if listens => self.handle_line(line, &mut lines),
                signal = next_signal(&mut signals) => self.interrupt(signal.status()),
            }
            if self.out.is_closed() {
                // Nobody listens any more.
                self.ask(Asked::Close);
            }
        }
        self.finish(lines).await
    }

    fn handle_line(&mut self, line: Option<Line>, lines: &mut Option<mpsc::Receiver<Line>>) {
        match line {
            Some(Line::Send(data)) => self.send(data),
            Some(Line::Close) => self.ask(Asked::Close),
            Some(Line::Wrong(why)) => self.out.error("usage", &why),
            None => {
                *lines = None;
                self.ask(Asked::EndOfInput);
            }
        }
    }

    fn send(&mut self, data: Data) {
        match self.client.try_send(data) {
            Ok(()) => {}
            Err(TrySendError::Full(data)) => {
                let sender = self.client.sender();
                self.sending = Some(Box::pin(async move { sender.send(data).await }));
            }
            Err(TrySendError::TooLarge(data)) => self.too_large(&data),
            Err(error) => self.undelivered(&error.into_data()),
        }
    }

    fn handle_sent(&mut self, sent: Result<(), SendError>) {
        self.sending = None;
        match sent {
            Ok(()) => {}
            Err(SendError::TooLarge(data)) => self.too_large(&data),
            Err(error) => self.undelivered(&error.into_data()),
        }
        self.close_if_asked();
    }

    fn too_large(&mut self, data: &Data) {
        let limit = match self.client.max_payload() {
            Some(limit) => format!("the server takes {limit} bytes at most"),
            None => "it is larger than the queue".to_owned(),
        };
        let name = name_of(data);
        self.out.error(
            "too_large",
            &format!("not sent: {name}: {limit}, base64 counted over polling"),
        );
    }

    fn undelivered(&mut self, data: &Data) {
        self.out
            .error("connection", &format!("not delivered: {}", name_of(data)));
    }

    fn ask(&mut self, asked: Asked) {
        if self.asked == Asked::Nothing || self.asked == Asked::EndOfInput {
            self.asked = asked;
        }
        self.close_if_asked();
    }

    fn interrupt(&mut self, status: u8) {
        if matches!(self.asked, Asked::Signal(_)) {
            // Whoever asks twice does not want to wait.
            self.client.abort();
        }
        self.asked = Asked::Signal(status);
        self.close_if_asked();
    }

    fn close_if_asked(&mut self) {
        match self.asked {
            Asked::Nothing => {}
            // What was read is delivered first; and an input that is empty from the start still connects.
            Asked::EndOfInput if !self.open || self.sending.is_some() => {}
            _ => self.client.begin_close(),
        }
    }

    fn handle_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Opened { transport, sid } => {
                self.open = true;
                self.ended = None;
                self.out.opened(sid.as_str(), transport.as_str());
                self.close_if_asked();
            }
            ClientEvent::Message(data) => self.out.message(&data),
            ClientEvent::Upgraded => self.out.upgraded(),
            ClientEvent::UpgradeFailed(error) => self.out.upgrade_error(&error.to_string()),
            ClientEvent::TooLarge(data) => self.too_large(&data),
            ClientEvent::Closed { closed, error } => {
                if let Some(error) = &error {
                    self.out.error(error.kind().as_str(), &error.to_string());
                }
                // A session that never was open has nothing to close.
                if self.open {
                    self.out.closed(&closed);
                }
                self.open = false;
                self.failed = error.is_some();
                let reason = reason(closed.reason);
                self.ended = Some(match error {
                    Some(error) => format!("the connection ended: {reason}: {error}"),
                    None => format!("the connection ended: {reason}"),
                });
                self.closed = Some(closed);
            }
            ClientEvent::Failed(error) => {
                self.out.error(error.kind().as_str(), &error.to_string());
                self.ended = Some(format!("no connection: {error}"));
                self.closed = None;
            }
            ClientEvent::Reconnecting { attempt, delay } => {
                // That end was not the last word.
                self.closed = None;
                self.out.reconnecting(attempt, delay);
            }
            _ => {}
        }
    }

    async fn finish(mut self, lines: Option<mpsc::Receiver<Line>>) -> ExitCode {
        let mut unsent = self.client.take_unsent();
        if let Some(sending) = self.sending.take() {
            // The session is over, so this waits no more.
            unsent.extend(sending.await.map_err(SendError::into_data).err());
        }
        // What was read already, and came too late.
        let mut lines = lines;
        while let Some(Ok(line)) = lines.as_mut().map(mpsc::Receiver::try_recv) {
            match line {
                Line::Send(data) => unsent.push(data),
                Line::Wrong(why) => self.out.error("usage", &why),
                Line::Close => {}
            }
        }
        for data in &unsent {
            self.undelivered(data);
        }
        // On a WebSocket nothing confirms anything, and nothing is to be made of that.
        let polled = self.client.transport() == Transport::Polling;
        let in_doubt = self.closed.filter(|_| polled).map_or(0, |closed| closed.in_doubt);
        if in_doubt > 0 {
            self.out.error(
                "connection",
                &format!("{in_doubt} messages may not have arrived: the server did not confirm them"),
            );
        }
        let delivered = unsent.is_empty() && in_doubt == 0 && !self.failed;
        let in_order = self
            .closed
            .is_none_or(|closed| closed.reason == CloseReason::ClientDisconnect && delivered);
        if let Some(error) = self.out.error.take() {
            crate::complain(&format!("cannot write to stdout: {error}"));
            return ExitCode::FAILURE;
        }
        if let Asked::Signal(status) = self.asked {
            crate::complain("ended by a signal");
            return ExitCode::from(status);
        }
        let status = match self.asked {
            Asked::Close if in_order => Some(0),
            // Without a session there was no close: nobody has given up the attempt to connect, and it has failed.
            Asked::EndOfInput if in_order && self.closed.is_some() => Some(0),
            _ => None,
        };
        match status {
            Some(status) => ExitCode::from(status),
            None => {
                let why = self.ended.as_deref().unwrap_or("the connection ended");
                let lost = match (unsent.len(), in_doubt) {
                    (0, 0) => String::new(),
                    (0, count) => format!(" ({count} messages not confirmed)"),
                    (count, _) => format!(" ({count} messages not delivered)"),
                };
                crate::complain(&format!("{}{lost}", printable(why)));
                ExitCode::FAILURE
            }
        }
    }
}

async fn sent(sending: &mut Option<Sending>) -> Result<(), SendError> {
    match sending {
        Some(sending) => sending.as_mut().await,
        None => pending().await,
    }
}

async fn next_line(lines: &mut Option<mpsc::Receiver<Line>>) -> Option<Line> {
    match lines {
        Some(lines) => lines.recv().await,
        None => pending().await,
    }
}

async fn next_signal(signals: &mut Option<Signals>) -> Signal {
    match signals {
        Some(signals) => signals.next().await,
        None => pending().await,
    }
}

/// The words of the contract for an end.
fn reason(reason: CloseReason) -> &'static str {
    match reason {
        // The conversation always takes what comes; it is the transport's end for whoever reads this.
        CloseReason::Stalled | CloseReason::Refused | CloseReason::ConnectTimeout => "transport error",
        reason => reason.as_str(),
    }
}

/// Enough of a message to know it by.
fn name_of(data: &Data) -> String {
    match data {
        Data::Text(text) => {
            let start: String = text.chars().take(60).collect();
            let dots = if start.len() < text.len() { "…" } else { "" };
            format!("text of {} bytes {start:?}{dots}", text.len())
        }
        Data::Binary(bytes) => format!("binary of {} bytes", bytes.len()),
    }
}

/// What others have said, as it may go to a terminal: no control characters but tabs and line breaks.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' && c != '\n' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Standard output, in one of two languages.
struct Output {
    json: bool,
    coloured: bool,
    closed: bool,
    /// What was said is lost, and not because nobody listens.
    error: Option<std::io::Error>,
}

impl Output {
    fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            coloured: !json && wanted && std::io::stdout().is_terminal(),
            closed: false,
            error: None,
        }
    }

    /// Whether whoever read this has gone.
    fn is_closed(&self) -> bool {
        self.closed
    }

    fn line(&mut self, line: &str) {
        if self.closed {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
        if let Err(error) = written {
            self.closed = true;
            self.error = Some(error).filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
        }
    }

    fn say(&mut self, json: impl FnOnce() -> Value, colour: &str, text: impl FnOnce() -> String) {
        let line = if self.json {
            json().to_string()
        } else if self.coloured {
            format!("\x1b[{colour}m{}\x1b[0m", text())
        } else {
            text()
        };
        self.line(&line);
    }

    fn opened(&mut self, sid: &str, transport: &str) {
        let json = || json!({"event": "open", "sid": sid, "transport": transport});
        self.say(json, "32", || format!("connected over {transport}"));
    }

    fn upgraded(&mut self) {
        let json = || json!({"event": "upgrade", "transport": "websocket"});
        self.say(json, "32", || "upgraded to websocket".to_owned());
    }

    fn upgrade_error(&mut self, message: &str) {
        let json = || json!({"event": "upgrade_error", "message": message});
        self.say(json, "33", || {
            format!("no upgrade to websocket: {}", printable(message))
        });
    }

    fn message(&mut self, data: &Data) {
        let json = || match data {
            Data::Text(text) => json!({"event": "message", "text": &text[..]}),
            Data::Binary(bytes) => json!({"event": "message", "binary": STANDARD.encode(bytes)}),
        };
        self.say(json, "36", || match data {
            Data::Text(text) => format!("< {}", printable(text)),
            Data::Binary(bytes) => {
                let start: Vec<String> = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
                let dots = if bytes.len() > 16 { " …" } else { "" };
                format!("< {} bytes: {}{dots}", bytes.len(), start.join(" "))
            }
        });
    }

    fn error(&mut self, kind: &str, message: &str) {
        let json = || json!({"event": "error", "kind": kind, "message": message});
        self.say(json, "31", || format!("error ({kind}): {}", printable(message)));
    }

    fn closed(&mut self, closed: &Closed) {
        let reason = reason(closed.reason);
        let json = || json!({"event": "close", "reason": reason, "unsent": closed.unsent, "in_doubt": closed.in_doubt});
        self.say(json, "33", || format!("closed: {reason}"));
    }

    fn reconnecting(&mut self, attempt: u32, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let json = || json!({"event": "reconnecting", "attempt": attempt, "delay_ms": millis});
        self.say(json, "33", || {
            format!("connecting again in {millis} ms (attempt {attempt})")
        });
    }
}
