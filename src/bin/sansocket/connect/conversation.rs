//! The conversation: what happens is said on stdout, for people or for scripts, and what comes on stdin is sent.

use std::future::{Future, pending};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use sansocket::SendError;
use sansocket::engineio::{CloseReason, Closed, Data, Transport};
use sansocket::runtime::engineio::{Client, ClientEvent, TrySendError};
use tokio::sync::mpsc;

use super::input::{self, Line};
use super::output::{Output, printable, reason};
use crate::signals::{Signal, Signals};

/// How long the second signal leaves for the end of what is being said.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;

/// Why the conversation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
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
        let mut lines = Some(input::lines(self.out.json, input::parse));
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

pub async fn next_line<L>(lines: &mut Option<mpsc::Receiver<L>>) -> Option<L> {
    match lines {
        Some(lines) => lines.recv().await,
        None => pending().await,
    }
}

pub async fn next_signal(signals: &mut Option<Signals>) -> Signal {
    match signals {
        Some(signals) => signals.next().await,
        None => pending().await,
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
