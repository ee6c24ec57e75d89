//! Polling for browsers that can do nothing but load scripts: a payload becomes a call of a function, and what is posted
//! comes out of a form.

use alloc::string::String;
use alloc::vec::Vec;

/// Writes a payload as the call `___eio[index]("…");`.
///
/// Nothing in the text can end the string: not in JavaScript of any age, and not in HTML where the script stands in a page.
pub fn encode(index: u64, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(payload.len() + payload.len() / 8 + 32);
    out.extend_from_slice(alloc::format!("___eio[{index}](\"").as_bytes());
    let mut rest = payload;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..=0x1f | 0x7f | b'<' | b'>' | b'&' => {
                out.extend_from_slice(alloc::format!("\\u{byte:04x}").as_bytes());
            }
            // U+2028 and U+2029, which older JavaScript takes for the end of a line.
            0xe2 if rest.starts_with(&[0x80, 0xa8]) || rest.starts_with(&[0x80, 0xa9]) => {
                out.extend_from_slice(if rest[1] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                rest = &rest[2..];
            }
            _ => out.push(byte),
        }
    }
    out.extend_from_slice(b"\");");
}

/// Takes a payload out of the form that it was posted in: the field `d`, in which clients write a line break as `\n`, and
/// what looks like that as `\\n`. `None` where there is no such field, or it is no text.
pub fn decode(form: &[u8]) -> Option<String> {
    let mut fields = form.split(|&byte| byte == b'&');
    let value = fields.find_map(|field| field.strip_prefix(b"d="))?;
    let text = String::from_utf8(form_decoded(value)?).ok()?;
    if !text.contains("\\n") {
        return Some(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = &text[..];
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meant, length) = if rest.starts_with("\\\\n") {
            ("\\n", 3)
        } else if rest.starts_with("\\n") {
            ("\n", 2)
        } else {
            ("\\", 1)
        };
        plain.push_str(meant);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    Some(plain)
}

/// `None` where a percent sign stands for itself: no browser writes that, and readers differ about it.
fn form_decoded(value: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(value.len());
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'%' => {
                let (high, low) = (digit(value.get(at + 1))?, digit(value.get(at + 2))?);
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            b'+' => {
                decoded.push(b' ');
                at += 1;
            }
            byte => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(payload: &str) -> String {
        let mut out = Vec::new();
        encode(7, payload.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_ends_the_string() {
        assert_eq!(encoded(r#"4"a"\"#), r#"___eio[7]("4\"a\"\\");"#);
        assert_eq!(
            encoded("a\nb\rc\u{0}\u{1e}\u{7f}"),
            "___eio[7](\"a\\nb\\rc\\u0000\\u001e\\u007f\");"
        );
        assert_eq!(
            encoded("\u{2028}\u{2029}\u{202a}\u{e4}"),
            "___eio[7](\"\\u2028\\u2029\u{202a}\u{e4}\");"
        );
        assert_eq!(encoded("</script>&"), "___eio[7](\"\\u003c/script\\u003e\\u0026\");");
    }

    #[test]
    fn what_was_encoded_is_json() {
        let payload = "0{\"sid\":\"x\"}\u{1e}4\u{1f600}\u{2028}\\n\t";
        let call = encoded(payload);
        let argument = call.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");"));
        let text: String = serde_json::from_str(argument.unwrap()).unwrap();
        assert_eq!(text, payload);
    }

    #[test]
    fn forms() {
        for (form, payload) in [
            (&b"d=4%22x%22"[..], Some("4\"x\"")),
            (b"d=4a+b%2Bc", Some("4a b+c")),
            (b"x=1&d=4a&d=4b", Some("4a")),
            (b"d=4a%5Cnb", Some("4a\nb")),
            (b"d=4a%5C%5Cnb", Some("4a\\nb")),
            (b"d=4a%5C%5C%5Cnb%5C", Some("4a\\\\nb\\")),
            (b"d=4a%5Cb", Some("4a\\b")),
            (b"d=%C3%A4%1E", Some("\u{e4}\u{1e}")),
            (b"d=", Some("")),
            (b"4a", None),
            (b"", None),
            (b"d=%zz", None),
            (b"d=%4", None),
            (b"d=%ff", None),
        ] {
            assert_eq!(decode(form).as_deref(), payload, "{form:?}");
        }
    }
}
