//! What lines of standard input ask a Socket.IO client for.

use std::time::Duration;

use sansocket::socketio::{Args, Json};
use serde_json::Value;

use super::super::input::{Wrong, text_of};
use super::values::args_of;

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub enum Line {
    Emit(Emit),
    /// Answers an event that wants it.
    Ack {
        id: u64,
        args: Args,
        namespace: Option<String>,
    },
    Connect {
        namespace: String,
        auth: Option<Value>,
    },
    Disconnect {
        namespace: String,
    },
    Close,
    /// It can not be understood; here is why.
    Wrong(String),
}

/// An event to emit.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    pub name: String,
    pub args: Args,
    pub namespace: Option<String>,
    /// Under which number its acknowledgement is to be told, if it is wanted.
    pub ack: Option<u64>,
    pub timeout: Option<Duration>,
}

impl Wrong for Line {
    fn wrong(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// What this line asks for; `None` for an empty one.
pub fn parse(bytes: &[u8], json: bool) -> Result<Option<Line>, String> {
    let text = text_of(bytes)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if json {
        parse_json(text).map(Some)
    } else {
        Ok(Some(parse_plain(text)))
    }
}

/// A person's line: an event's name, and its arguments as JSON, or whatever else it is as one text.
fn parse_plain(text: &str) -> Line {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let array = format!("[{}]", rest.strip_suffix(',').unwrap_or(rest));
    let args = args_of(&array).or_else(|_| Args::encode(rest).map_err(|error| error.to_string()));
    match args {
        Ok(args) => Line::Emit(Emit {
            name: name.into(),
            args,
            namespace: None,
            ack: None,
            timeout: None,
        }),
        Err(why) => Line::Wrong(why),
    }
}

fn parse_json(text: &str) -> Result<Line, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(fields) = &value else {
        return Err("it is no JSON object".into());
    };
    let only = |allowed: &[&str]| match fields.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(key) => Err(format!("{key:?} is not known here")),
        None => Ok(()),
    };
    let text_at = |name: &str| match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name:?} takes a text")),
    };
    let number_at = |name: &str| match fields.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name:?} takes a whole number")),
        },
    };
    let args = || match Json::new(text).ok().and_then(|json| json.field("args")) {
        Some(array) => args_of(array.as_str()),
        None => Ok(Args::default()),
    };
    if let Some(name) = text_at("emit")? {
        only(&["emit", "args", "namespace", "ack", "timeout_ms"])?;
        return Ok(Line::Emit(Emit {
            name,
            args: args()?,
            namespace: text_at("namespace")?,
            ack: number_at("ack")?,
            timeout: number_at("timeout_ms")?.map(Duration::from_millis),
        }));
    }
    if let Some(id) = number_at("ack")? {
        only(&["ack", "args", "namespace"])?;
        let namespace = text_at("namespace")?;
        let args = args()?;
        return Ok(Line::Ack { id, args, namespace });
    }
    if let Some(namespace) = text_at("connect")? {
        only(&["connect", "auth"])?;
        let auth = fields.get("auth").filter(|auth| !auth.is_null()).cloned();
        if auth.as_ref().is_some_and(|auth| !auth.is_object()) {
            return Err("\"auth\" takes an object".into());
        }
        return Ok(Line::Connect { namespace, auth });
    }
    if let Some(namespace) = text_at("disconnect")? {
        only(&["disconnect"])?;
        return Ok(Line::Disconnect { namespace });
    }
    match fields.get("close") {
        Some(Value::Bool(true)) => {
            only(&["close"])?;
            Ok(Line::Close)
        }
        Some(_) => Err("\"close\" takes true".into()),
        None => Err("it must have one of \"emit\", \"ack\", \"connect\", \"disconnect\" and \"close\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(name: &str, args: &str) -> Emit {
        Emit {
            name: name.into(),
            args: Args::new(args, Vec::new()).unwrap(),
            namespace: None,
            ack: None,
            timeout: None,
        }
    }

    #[test]
    fn json_lines() {
        let parsed = |text: &str| parse(text.as_bytes(), true);
        assert_eq!(parsed("{\"emit\":\"a\"}\n"), Ok(Some(Line::Emit(emit("a", "[]")))));
        let full = r#"{"emit":"a","args":[1,{"b":2}],"namespace":"/n","ack":7,"timeout_ms":500}"#;
        let wanted = Emit {
            namespace: Some("/n".into()),
            ack: Some(7),
            timeout: Some(Duration::from_millis(500)),
            ..emit("a", "[1,{\"b\":2}]")
        };
        assert_eq!(parsed(full), Ok(Some(Line::Emit(wanted))));
        let answer = Line::Ack {
            id: 3,
            args: Args::new("[true]", Vec::new()).unwrap(),
            namespace: None,
        };
        assert_eq!(parsed(r#"{"ack":3,"args":[true]}"#), Ok(Some(answer)));
        assert_eq!(parsed(" {\"close\": true}\r\n"), Ok(Some(Line::Close)));
        assert_eq!(parsed("\n"), Ok(None));
        for wrong in [
            "hello",
            "[]",
            "{}",
            "{\"emit\":1}",
            "{\"emit\":\"a\",\"args\":1}",
            "{\"emit\":\"a\",\"ack\":-1}",
            "{\"emit\":\"a\",\"close\":true}",
            "{\"emit\":\"a\",\"args\":[{\"$binary\":\"!\"}]}",
            "{\"ack\":\"x\"}",
            "{\"connect\":\"/a\",\"auth\":1}",
            "{\"disconnect\":true}",
            "{\"close\":false}",
            "{\"send\":\"a\"}",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn plain_lines() {
        let parsed = |text: &str| parse(text.as_bytes(), false);
        assert_eq!(parsed("say\n"), Ok(Some(Line::Emit(emit("say", "[]")))));
        assert_eq!(
            parsed("say \"lobby\", 1"),
            Ok(Some(Line::Emit(emit("say", "[\"lobby\", 1]"))))
        );
        assert_eq!(
            parsed("say hello you"),
            Ok(Some(Line::Emit(emit("say", "[\"hello you\"]"))))
        );
    }
}
