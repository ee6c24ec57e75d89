//! Standard output, for people or for scripts.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::engineio::{CloseReason, Closed, Data};
use serde_json::{Value, json};

/// The words of the contract for an end.
pub fn reason(reason: CloseReason) -> &'static str {
    match reason {
        // The conversation always takes what comes; it is the transport's end for whoever reads this.
        CloseReason::Stalled | CloseReason::Refused | CloseReason::ConnectTimeout => "transport error",
        reason => reason.as_str(),
    }
}

/// What others have said, as it may go to a terminal: no control characters but tabs and line breaks.
pub fn printable(text: &str) -> String {
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
pub struct Output {
    pub json: bool,
    coloured: bool,
    closed: bool,
    /// What was said is lost, and not because nobody listens.
    pub error: Option<std::io::Error>,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            coloured: !json && wanted && std::io::stdout().is_terminal(),
            closed: false,
            error: None,
        }
    }

    /// Whether whoever read this has gone.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn line(&mut self, line: &str) {
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

    pub fn say(&mut self, json: impl FnOnce() -> Value, colour: &str, text: impl FnOnce() -> String) {
        let line = if self.json {
            json().to_string()
        } else if self.coloured {
            format!("\x1b[{colour}m{}\x1b[0m", text())
        } else {
            text()
        };
        self.line(&line);
    }

    pub fn opened(&mut self, sid: &str, transport: &str) {
        let json = || json!({"event": "open", "sid": sid, "transport": transport});
        self.say(json, "32", || format!("connected over {transport}"));
    }

    pub fn upgraded(&mut self) {
        let json = || json!({"event": "upgrade", "transport": "websocket"});
        self.say(json, "32", || "upgraded to websocket".to_owned());
    }

    pub fn upgrade_error(&mut self, message: &str) {
        let json = || json!({"event": "upgrade_error", "message": message});
        self.say(json, "33", || {
            format!("no upgrade to websocket: {}", printable(message))
        });
    }

    pub fn message(&mut self, data: &Data) {
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

    pub fn error(&mut self, kind: &str, message: &str) {
        let json = || json!({"event": "error", "kind": kind, "message": message});
        self.say(json, "31", || format!("error ({kind}): {}", printable(message)));
    }

    pub fn closed(&mut self, closed: &Closed) {
        let reason = reason(closed.reason);
        let json = || json!({"event": "close", "reason": reason, "unsent": closed.unsent, "in_doubt": closed.in_doubt});
        self.say(json, "33", || format!("closed: {reason}"));
    }

    pub fn reconnecting(&mut self, attempt: u32, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let json = || json!({"event": "reconnecting", "attempt": attempt, "delay_ms": millis});
        self.say(json, "33", || {
            format!("connecting again in {millis} ms (attempt {attempt})")
        });
    }
}
