//! Arguments as people and scripts write them: JSON, with `{"$binary":"<base64>"}` for bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sansocket::socketio::Args;
use serde_json::{Value, json};

/// The arguments that the text of a JSON array stands for.
pub fn args_of(array: &str) -> Result<Args, String> {
    // As it was written, unless there are bytes to be taken out: numbers and the order of keys stay as they are.
    if !array.contains("$binary") {
        return Args::new(array, Vec::new()).map_err(|error| format!("\"args\" takes a list: {error}"));
    }
    let mut value: Value = serde_json::from_str(array).map_err(|error| error.to_string())?;
    let mut attachments = Vec::new();
    take_bytes(&mut value, &mut attachments)?;
    Args::new(&value.to_string(), attachments).map_err(|error| format!("\"args\" takes a list: {error}"))
}

fn take_bytes(value: &mut Value, attachments: &mut Vec<bytes::Bytes>) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter_mut().try_for_each(|value| take_bytes(value, attachments)),
        Value::Object(fields) => {
            let base64 = fields.get("$binary").filter(|_| fields.len() == 1);
            let Some(base64) = base64 else {
                return fields.values_mut().try_for_each(|value| take_bytes(value, attachments));
            };
            let base64 = base64.as_str().ok_or("\"$binary\" takes base64 in a text")?;
            let bytes = STANDARD
                .decode(base64)
                .map_err(|error| format!("\"$binary\" takes base64: {error}"))?;
            let number = attachments.len();
            attachments.push(bytes.into());
            *value = json!({"_placeholder": true, "num": number});
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The text of a JSON array, on one line.
pub fn text_of(args: &Args) -> String {
    let text = args.json();
    if args.attachments().is_empty() && !text.contains(['\n', '\r']) {
        return text;
    }
    let Ok(mut value) = serde_json::from_str(&text) else {
        // Nested more deeply than a value can be: line breaks in it are white space, for strings have them escaped.
        return text.replace(['\n', '\r'], " ");
    };
    put_bytes(&mut value, args.attachments());
    value.to_string()
}

fn put_bytes(value: &mut Value, attachments: &[bytes::Bytes]) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| put_bytes(value, attachments)),
        Value::Object(fields) => {
            let placeholder = fields.get("_placeholder") == Some(&Value::Bool(true));
            let number = fields.get("num").and_then(Value::as_u64).filter(|_| placeholder);
            let bytes = number.and_then(|number| attachments.get(usize::try_from(number).ok()?));
            match bytes {
                Some(bytes) => *value = json!({"$binary": STANDARD.encode(bytes)}),
                None => fields.values_mut().for_each(|value| put_bytes(value, attachments)),
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_out_and_come_in() {
        let args = args_of(r#"["a",{"b":[{"$binary":"AQI="}]},{"$binary":"","x":1}]"#).unwrap();
        assert_eq!(args.attachments(), [vec![1, 2]]);
        assert_eq!(
            text_of(&args),
            r#"["a",{"b":[{"$binary":"AQI="}]},{"$binary":"","x":1}]"#
        );
        for wrong in ["[{\"$binary\":1}]", "[{\"$binary\":\"!\"}]", "{}", "1", "["] {
            assert!(args_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_has_no_bytes_stays_as_it_was() {
        let text = r#"[123456789012345678901234567890,{"b":1,"a":2},"\ud800"]"#;
        assert_eq!(text_of(&args_of(text).unwrap()), text);
        assert_eq!(text_of(&args_of("[1,\n2]").unwrap()), "[1,2]");
    }
}
