//! Standard input, line by line, on a thread of its own.

use std::io::{BufRead, Read};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::engineio::Data;
use serde_json::Value;
use tokio::sync::mpsc;

/// The longest line.
const MAX_LINE: u64 = 128 * 1024 * 1024;

/// How many lines wait for the client.
const LINES: usize = 16;

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub enum Line {
    Send(Data),
    Close,
    /// It can not be understood; here is why.
    Wrong(String),
}

/// A line that may not be understood.
pub trait Wrong {
    /// It was not, for this reason.
    fn wrong(why: String) -> Self;
}

impl Wrong for Line {
    fn wrong(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// What a line asks for, by what it says and whether it is JSON; nothing where it may be passed over.
type Parse<L> = fn(&[u8], bool) -> Result<Option<L>, String>;

/// The lines of standard input, until its end.
pub fn lines<L: Wrong + Send + 'static>(json: bool, parse: Parse<L>) -> mpsc::Receiver<L> {
    let (sender, receiver) = mpsc::channel(LINES);
    thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut number = 0_u64;
        loop {
            let mut bytes = Vec::new();
            // What can not be read is the end.
            if !matches!((&mut stdin).take(MAX_LINE).read_until(b'\n', &mut bytes), Ok(1..)) {
                return;
            }
            number += 1;
            let whole = (bytes.len() as u64) < MAX_LINE || bytes.ends_with(b"\n");
            let line = if whole {
                parse(&bytes, json)
            } else {
                skip_line(&mut stdin);
                Err("it is too long".to_owned())
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) => continue,
                Err(why) => L::wrong(format!("line {number} of the input can not be understood: {why}")),
            };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn skip_line(stdin: &mut impl BufRead) {
    loop {
        let mut rest = Vec::new();
        let read = stdin.take(64 * 1024).read_until(b'\n', &mut rest);
        if rest.ends_with(b"\n") || !matches!(read, Ok(1..)) {
            return;
        }
    }
}

/// The line without its end.
pub fn text_of(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text))
}

/// What this line asks for; `None` for an empty one among JSON.
pub fn parse(bytes: &[u8], json: bool) -> Result<Option<Line>, String> {
    let text = text_of(bytes)?;
    if !json {
        return Ok(Some(Line::Send(text.into())));
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(fields) = &value else {
        return Err("it is no JSON object".into());
    };
    let [(name, value)] = fields.iter().collect::<Vec<_>>()[..] else {
        return Err("it must have one of \"send\", \"send_binary\" and \"close\"".into());
    };
    match (name.as_str(), value) {
        ("send", Value::String(text)) => Ok(Some(Line::Send(text.as_str().into()))),
        ("send", _) => Err("\"send\" takes a text".into()),
        ("send_binary", Value::String(base64)) => match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Some(Line::Send(bytes.into()))),
            Err(error) => Err(format!("\"send_binary\" takes base64: {error}")),
        },
        ("send_binary", _) => Err("\"send_binary\" takes base64 in a text".into()),
        ("close", Value::Bool(true)) => Ok(Some(Line::Close)),
        ("close", _) => Err("\"close\" takes true".into()),
        (name, _) => Err(format!("{name:?} is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines() {
        let parsed = |text: &str| parse(text.as_bytes(), true);
        assert_eq!(parsed("{\"send\":\"é\"}\n"), Ok(Some(Line::Send("é".into()))));
        assert_eq!(
            parsed("{\"send_binary\":\"AQI=\"}"),
            Ok(Some(Line::Send(vec![1, 2].into())))
        );
        assert_eq!(parsed(" {\"close\": true}\r\n"), Ok(Some(Line::Close)));
        assert_eq!(parsed("\n"), Ok(None));
        for wrong in [
            "hello",
            "[]",
            "{}",
            "{\"send\":1}",
            "{\"send_binary\":\"!\"}",
            "{\"close\":false}",
            "{\"emit\":\"a\"}",
            "{\"send\":\"a\",\"close\":true}",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&[0xff], true).is_err());
    }

    #[test]
    fn plain_lines() {
        assert_eq!(parse(b"hello\r\n", false), Ok(Some(Line::Send("hello".into()))));
        assert_eq!(parse(b"\n", false), Ok(Some(Line::Send("".into()))));
    }
}
