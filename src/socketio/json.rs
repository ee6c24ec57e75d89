//! JSON as text: checked as JavaScript's `JSON.parse` would, without building values and without recursion.
//!
//! Whatever a peer sends is looked through here once, before anything else reads it. What passes is known to be JSON, and
//! known not to be nested more deeply than is allowed; its values are made when somebody asks for them.

use alloc::borrow::Cow;
use alloc::string::String;
use core::ops::Range;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;
use smallvec::SmallVec;

use super::{DecodeError, EncodeError};
use crate::engineio::Str;

/// A JSON text that is known to be valid: the payload of a CONNECT, the data of a refusal.
///
/// ```
/// use sansocket::socketio::Json;
///
/// let auth = Json::encode(&("token", 7))?;
/// assert_eq!(auth.as_str(), r#"["token",7]"#);
/// assert_eq!(auth.parse::<(String, u8)>().unwrap(), ("token".to_owned(), 7));
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(Str);

impl Json {
    /// Takes a text that is JSON already, nested up to 100 levels.
    ///
    /// # Errors
    /// It is not JSON, or nested more deeply.
    pub fn new(text: impl Into<Str>) -> Result<Self, JsonError> {
        let text = text.into();
        check(&text, super::Limits::default().max_depth)?;
        Ok(Self(text))
    }

    /// The JSON of a value.
    ///
    /// # Errors
    /// The value has no JSON form: see [`EncodeError`].
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        Ok(Self(serde_json::to_string(value)?.into()))
    }

    /// The value.
    ///
    /// # Errors
    /// It is of another shape, or nested more than 127 levels deep.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        Ok(serde_json::from_str(&well_formed(&self.0))?)
    }

    /// What an object has under this name, if it is an object and has it. Of names that come twice the last counts.
    pub fn field(&self, name: &str) -> Option<Self> {
        let mut reader = Reader::new(&self.0, usize::MAX);
        let mut found = None;
        if reader.next() == Ok(Some(Token::BeginObject)) {
            while let Ok(Some(Token::Key(key))) = reader.next() {
                let value = reader.skip_value().ok()?;
                if unescape(&self.0[key]) == name {
                    found = Some(value);
                }
            }
        }
        Some(Self(self.0.slice_ref(&self.0[found?])))
    }

    /// The text that it is, if it is one.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let text = self.0.trim_matches(super::args::is_whitespace);
        text.starts_with('"').then(|| unescape(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whoever made the text has looked at it.
    pub(super) fn trusted(text: Str) -> Self {
        Self(text)
    }
}

/// Why a text is not JSON that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON.
    #[error("invalid JSON")]
    Syntax,
    /// Its arrays and objects are nested more deeply than is allowed.
    #[error("JSON nested too deeply")]
    TooDeep,
}

/// What a value is, as far as its first byte says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    True,
    False,
    Null,
}

/// A piece of a JSON text. Ranges are bytes of the text; those of strings include the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Key(Range<usize>),
    Value(Kind, Range<usize>),
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    /// Behind `[`: a value or the end.
    FirstElement,
    /// Behind `{`: a key or the end.
    FirstKey,
    Key,
    /// A comma or the end of what is open; outside everything, the end of the text.
    Next,
}

/// Reads a JSON text token by token. Memory: one bit for each open array or object.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    expect: Expect,
    depth: usize,
    max_depth: usize,
    /// One bit for each level: set for an object.
    objects: SmallVec<[u64; 2]>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            expect: Expect::Value,
            depth: 0,
            max_depth,
            objects: SmallVec::new(),
        }
    }

    /// Where the last token ended.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next token; `None` at the end of a text that is one valid JSON value.
    pub(super) fn next(&mut self) -> Result<Option<Token>, JsonError> {
        loop {
            self.skip_whitespace();
            let Some(&byte) = self.text.get(self.at) else {
                let over = self.depth == 0 && self.expect == Expect::Next;
                return if over { Ok(None) } else { Err(JsonError::Syntax) };
            };
            match (self.expect, byte) {
                (Expect::Next, b',') if self.depth > 0 => {
                    self.at += 1;
                    self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
                }
                (Expect::Next, b'}') | (Expect::FirstKey, b'}') if self.depth > 0 && self.in_object() => {
                    self.close();
                    return Ok(Some(Token::EndObject));
                }
                (Expect::Next, b']') | (Expect::FirstElement, b']') if self.depth > 0 && !self.in_object() => {
                    self.close();
                    return Ok(Some(Token::EndArray));
                }
                (Expect::Key | Expect::FirstKey, b'"') => {
                    let range = self.string()?;
                    self.skip_whitespace();
                    if self.text.get(self.at) != Some(&b':') {
                        return Err(JsonError::Syntax);
                    }
                    self.at += 1;
                    self.expect = Expect::Value;
                    return Ok(Some(Token::Key(range)));
                }
                (Expect::Value | Expect::FirstElement, _) => return self.value(byte).map(Some),
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    /// Passes over one whole value, and says where it lies. Only where a value must come.
    pub(super) fn skip_value(&mut self) -> Result<Range<usize>, JsonError> {
        self.skip_whitespace();
        let start = self.at;
        let depth = self.depth;
        loop {
            self.next()?;
            if self.depth <= depth && self.expect == Expect::Next {
                return Ok(start..self.at);
            }
        }
    }

    fn value(&mut self, byte: u8) -> Result<Token, JsonError> {
        let start = self.at;
        let kind = match byte {
            b'{' => {
                self.open(true)?;
                return Ok(Token::BeginObject);
            }
            b'[' => {
                self.open(false)?;
                return Ok(Token::BeginArray);
            }
            b'"' => {
                self.string()?;
                Kind::String
            }
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'n' => self.word(b"null", Kind::Null)?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(JsonError::Syntax),
        };
        self.expect = Expect::Next;
        Ok(Token::Value(kind, start..self.at))
    }

    fn open(&mut self, object: bool) -> Result<(), JsonError> {
        if self.depth >= self.max_depth {
            return Err(JsonError::TooDeep);
        }
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.objects.len() {
            self.objects.push(0);
        }
        self.objects[word] &= !(1 << bit);
        self.objects[word] |= u64::from(object) << bit;
        self.depth += 1;
        self.at += 1;
        self.expect = if object { Expect::FirstKey } else { Expect::FirstElement };
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
        self.expect = Expect::Next;
    }

    /// Whether the innermost open thing is an object. Only with something open.
    fn in_object(&self) -> bool {
        let level = self.depth - 1;
        self.objects[level / 64] >> (level % 64) & 1 == 1
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(JsonError::Syntax);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, JsonError> {
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            Err(JsonError::Syntax)
        } else {
            Ok(())
        }
    }

    /// The string that begins here, quotes included.
    fn string(&mut self) -> Result<Range<usize>, JsonError> {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            self.at += plain.ok_or(JsonError::Syntax)?;
            match self.text[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(start..self.at);
                }
                b'\\' => self.escape()?,
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            // Half of a surrogate pair passes, as in JavaScript.
            Some(b'u') if hex4(&self.text[self.at + 2..]).is_some() => self.at += 6,
            _ => return Err(JsonError::Syntax),
        }
        Ok(())
    }
}

/// Looks a text through.
pub(super) fn check(text: &str, max_depth: usize) -> Result<(), JsonError> {
    let mut reader = Reader::new(text, max_depth);
    while reader.next()?.is_some() {}
    Ok(())
}

enum Surrogate {
    None,
    High,
    Low,
}

fn surrogate(unit: u16) -> Surrogate {
    match unit {
        0xd800..=0xdbff => Surrogate::High,
        0xdc00..=0xdfff => Surrogate::Low,
        _ => Surrogate::None,
    }
}

fn hex4(text: &[u8]) -> Option<u16> {
    let digits = text.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// The escaped second half of a pair, if the text begins with one.
fn low_surrogate(text: &[u8]) -> Option<u16> {
    let unit = hex4(text.strip_prefix(b"\\u")?)?;
    matches!(surrogate(unit), Surrogate::Low).then_some(unit)
}

/// What a string in a checked text stands for; `quoted` has its quotes. A half of a surrogate pair becomes U+FFFD.
pub(super) fn unescape(quoted: &str) -> Cow<'_, str> {
    let inner = &quoted[1..quoted.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let bytes = &rest.as_bytes()[at + 1..];
        let (character, length) = match bytes[0] {
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unescape_unit(&bytes[1..]),
            other => (char::from(other), 2),
        };
        out.push(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character behind `\u`, and how long its escape is in all.
fn unescape_unit(text: &[u8]) -> (char, usize) {
    let unit = hex4(text).unwrap_or(0xfffd);
    match (surrogate(unit), low_surrogate(text.get(4..).unwrap_or_default())) {
        (Surrogate::High, Some(low)) => {
            let code = 0x1_0000 + (u32::from(unit & 0x3ff) << 10) + u32::from(low & 0x3ff);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

/// A checked text in which each half of a surrogate pair that stands alone is replaced by U+FFFD, for readers that take
/// nothing else. Everything keeps its place: both escapes have six bytes.
pub(super) fn well_formed(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        at += found;
        let Some(unit) = bytes[at + 1..].strip_prefix(b"u").and_then(hex4) else {
            at += 2;
            continue;
        };
        match surrogate(unit) {
            Surrogate::None => at += 6,
            Surrogate::High if low_surrogate(&bytes[at + 6..]).is_some() => at += 12,
            Surrogate::High | Surrogate::Low => {
                let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
                out.push_str(&text[copied..at]);
                out.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
        }
    }
    match out {
        Some(mut out) => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

/// Appends a string in quotes.
pub(super) fn push_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte != b'"' && byte != b'\\' && byte >= 0x20 {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                out.push_str("\\u00");
                for digit in [other >> 4, other & 15] {
                    out.push(char::from_digit(digit.into(), 16).expect("four bits are a hexadecimal digit"));
                }
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn agrees_with_the_json_of_others() {
        for text in [
            "0",
            "-0",
            "1",
            "-1.5e+10",
            "1E2",
            "1e400",
            "\"\"",
            "\"a\\n\\u00e9\"",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            " [ 1 , 2 ] ",
            "{\"a\":{\"b\":[{}]}}",
            "{\"__proto__\":1,\"__proto__\":2}",
            "[[],[[]],{}]",
            "\"\\ud83d\\ude00\"",
            "\"\u{7f}\u{2028}😀\"",
            "\t\r\n1",
        ] {
            assert_eq!(check(text, 100), Ok(()), "{text}");
        }
        for text in [
            "",
            " ",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "-",
            "0x1",
            "NaN",
            "Infinity",
            "tru",
            "truex",
            "nul",
            "'a'",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x41\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"a\nb\"",
            "\"\u{1}\"",
            "[",
            "]",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "[}",
            "{]",
            "[1]]",
            "1 2",
            "[] x",
            "\u{feff}1",
            "\u{a0}1",
            "//",
            "[1}",
            "{\"a\":1]",
        ] {
            assert_eq!(check(text, 100), Err(JsonError::Syntax), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_short_texts_are_judged_as_serde_json_does() {
        let alphabet = ["[", "]", "{", "}", "\"", ",", ":", "1", "-", " ", "\\", "e", "."];
        let mut texts: alloc::vec::Vec<String> = alloc::vec![String::new()];
        for _ in 0..5 {
            texts = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |piece| text.to_string() + piece))
                .collect();
            for text in &texts {
                let ours = check(text, 100).is_ok();
                assert_eq!(
                    ours,
                    serde_json::from_str::<serde_core::de::IgnoredAny>(text).is_ok(),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(check(&deep, 100), Err(JsonError::TooDeep));
        assert_eq!(check(&deep, 100_000), Ok(()));
        assert_eq!(check(&"{\"a\":".repeat(100_000), 100), Err(JsonError::TooDeep));
        assert_eq!(check("[[1]]", 2), Ok(()));
        assert_eq!(check("[[1]]", 1), Err(JsonError::TooDeep));
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#""plain""#), "plain");
        assert_eq!(unescape(r#""a\"\\\/\b\f\n\r\t\u0041é""#), "a\"\\/\u{8}\u{c}\n\r\tAé");
        assert_eq!(unescape(r#""\ud83d\ude00!""#), "😀!");
        assert_eq!(unescape(r#""\ud800""#), "\u{fffd}");
        assert_eq!(unescape(r#""\ude00\ud83d x""#), "\u{fffd}\u{fffd} x");
        assert_eq!(unescape(r#""\ud800\ud83d\ude00""#), "\u{fffd}😀");

        assert!(matches!(well_formed(r#""\ud83d\ude00 \\ud800""#), Cow::Borrowed(_)));
        assert_eq!(well_formed(r#"["\ud800",1,"\udc00x"]"#), r#"["\ufffd",1,"\ufffdx"]"#);
        assert_eq!(well_formed(r#""\ud800\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);

        for text in ["", "a\"b\\c", "\u{0}\u{1f}\n\r\t\u{7f}", "é😀"] {
            let mut out = String::new();
            push_string(text, &mut out);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
            assert_eq!(unescape(&out), text);
        }
    }

    #[test]
    fn fields() {
        let json = Json::new(r#" {"a":1,"b" : {"a":[2]} ,"\u0061":"x\n","c":null} "#).unwrap();
        assert_eq!(json.field("a").unwrap().text().unwrap(), "x\n");
        assert_eq!(json.field("b").unwrap().as_str(), r#"{"a":[2]}"#);
        assert_eq!(json.field("c").unwrap().text(), None);
        assert_eq!(json.field("d"), None);
        assert_eq!(Json::new("[1]").unwrap().field("a"), None);
        assert_eq!(Json::new("{}").unwrap().field("a"), None);
        assert_eq!(Json::new(" \"t\" ").unwrap().text().unwrap(), "t");
    }

    #[test]
    fn values_are_skipped_whole() {
        let text = r#" [ 1 ,{"a":[2,"]"]}, "x" ]"#;
        let mut reader = Reader::new(text, 10);
        assert_eq!(reader.next(), Ok(Some(Token::BeginArray)));
        assert_eq!(&text[reader.skip_value().unwrap()], "1");
        assert_eq!(reader.next(), Ok(Some(Token::BeginObject)));
    }
}
