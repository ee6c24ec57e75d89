//! `{"_placeholder":true,"num":0}`: where an attachment belongs.

use core::fmt;
use core::ops::Range;

use serde_core::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_core::ser::{Serialize, SerializeStruct as _, Serializer};
use smallvec::SmallVec;

use super::super::json::{JsonError, Kind, Reader, Token, unescape};

const MARK: &str = "_placeholder";
const NUMBER: &str = "num";

/// Holds the place of an attachment in JSON: `{"_placeholder":true,"num":0}`.
///
/// With `std`, `Binary` puts placeholders and attachments where they belong by itself. Without, this type does the half
/// of it that needs no thread-local: give [`Args::new`](super::Args::new) the text and the attachments, and look a
/// received placeholder's number up in [`Args::attachments`](super::Args::attachments).
///
/// ```
/// use sansocket::socketio::{Args, Placeholder};
///
/// let text = Args::encode(&("upload", Placeholder(0)))?.json();
/// let args = Args::new(&text, vec![bytes::Bytes::from_static(b"data")]).unwrap();
/// let (_, file): (String, Placeholder) = args.parse().unwrap();
/// assert_eq!(args.attachments()[file.0], b"data"[..]);
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placeholder(
    /// Which attachment, counted from 0.
    pub usize,
);

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Placeholder", 2)?;
        object.serialize_field(MARK, &true)?;
        object.serialize_field(NUMBER, &self.0)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Placeholder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Placeholder", &[MARK, NUMBER], Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Placeholder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the placeholder of an attachment")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Placeholder, A::Error> {
        read_placeholder(map)
    }
}

/// Of keys that come twice, the last counts: as in JavaScript.
pub(super) fn read_placeholder<'de, A: MapAccess<'de>>(mut map: A) -> Result<Placeholder, A::Error> {
    let mut mark = false;
    let mut number = None;
    while let Some(key) = map.next_key::<Key>()? {
        match key {
            Key::Mark => mark = map.next_value::<True>()?.0,
            Key::Number => number = map.next_value::<Number>()?.0,
            Key::Other => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    match number {
        Some(number) if mark => Ok(Placeholder(number)),
        _ => Err(de::Error::custom("not the placeholder of an attachment")),
    }
}

enum Key {
    Mark,
    Number,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    MARK => Key::Mark,
                    NUMBER => Key::Number,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

/// Whether a value is `true`. Anything may stand there.
struct True(bool);

/// A number that counts something. Anything may stand there.
struct Number(Option<usize>);

macro_rules! anything {
    ($type:ident, $none:expr, $($method:ident($argument:ident: $from:ty) => $value:expr;)*) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Any;

                impl<'de> Visitor<'de> for Any {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("anything")
                    }

                    $(fn $method<E: de::Error>(self, $argument: $from) -> Result<$type, E> {
                        Ok($type($value))
                    })*

                    fn visit_str<E: de::Error>(self, _: &str) -> Result<$type, E> {
                        Ok($type($none))
                    }

                    fn visit_unit<E: de::Error>(self) -> Result<$type, E> {
                        Ok($type($none))
                    }

                    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<$type, A::Error> {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        Ok($type($none))
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        Ok($type($none))
                    }
                }

                deserializer.deserialize_any(Any)
            }
        }
    };
}

anything! { True, false,
    visit_bool(value: bool) => value;
    visit_i64(_value: i64) => false;
    visit_u64(_value: u64) => false;
    visit_f64(_value: f64) => false;
}

anything! { Number, None,
    visit_bool(_value: bool) => None;
    visit_i64(value: i64) => usize::try_from(value).ok();
    visit_u64(value: u64) => usize::try_from(value).ok();
    visit_f64(value: f64) => whole(value);
}

/// The number that a float is, if it counts something.
fn whole(value: f64) -> Option<usize> {
    let number = value as usize;
    (value >= 0.0 && number as f64 == value).then_some(number)
}

/// Looks through the array of a binary packet, up to `max_depth` levels: every placeholder must number one of the
/// attachments. What is inside a placeholder does not count. An attachment may be used twice, or not at all, as JavaScript
/// has it; unlike there, its number must be a whole one.
pub(in super::super) fn check_placeholders(
    array: &str,
    attachments: usize,
    max_depth: usize,
) -> Result<bool, JsonError> {
    let mut reader = Reader::new(array, max_depth);
    // What is known of each open object, or array; `bad` is about what is inside.
    let mut open: SmallVec<[Level; 8]> = SmallVec::new();
    while let Some(token) = reader.next()? {
        match token {
            Token::BeginObject | Token::BeginArray => open.push(Level::default()),
            Token::Key(range) => {
                if let Some(level) = open.last_mut() {
                    level.enter(&array[range]);
                }
            }
            Token::Value(kind, range) => {
                if let Some(level) = open.last_mut() {
                    level.note(kind, range, array);
                }
            }
            Token::EndObject | Token::EndArray => {
                let Some(level) = open.pop() else { break };
                let bad = match level.mark {
                    true => level.number.is_none_or(|number| number >= attachments),
                    false => level.bad,
                };
                match open.last_mut() {
                    Some(outer) => outer.bad |= bad,
                    None => return Ok(!bad),
                }
            }
        }
    }
    Ok(true)
}

/// The number of the placeholder that a checked text begins with, if it begins with one.
#[cfg(feature = "msgpack")]
pub(in super::super) fn placeholder_of(object: &str) -> Option<usize> {
    let mut reader = Reader::new(object, usize::MAX);
    let mut level = Level::default();
    let mut depth = 0usize;
    while let Ok(Some(token)) = reader.next() {
        match token {
            Token::BeginObject | Token::BeginArray => depth += 1,
            Token::EndObject | Token::EndArray if depth == 1 => break,
            Token::EndObject | Token::EndArray => depth -= 1,
            Token::Key(range) if depth == 1 => level.enter(&object[range]),
            Token::Value(kind, range) if depth == 1 => level.note(kind, range, object),
            Token::Key(_) | Token::Value(..) => {}
        }
    }
    level.number.filter(|_| level.mark)
}

#[derive(Default)]
struct Level {
    key: Option<Key>,
    mark: bool,
    number: Option<usize>,
    bad: bool,
}

impl Level {
    /// A key that comes again makes its first value undone, whatever the second is.
    fn enter(&mut self, key: &str) {
        self.key = match &*unescape(key) {
            MARK => Some(Key::Mark),
            NUMBER => Some(Key::Number),
            _ => None,
        };
        match self.key {
            Some(Key::Mark) => self.mark = false,
            Some(Key::Number) => self.number = None,
            _ => {}
        }
    }

    fn note(&mut self, kind: Kind, range: Range<usize>, text: &str) {
        match self.key {
            Some(Key::Mark) => self.mark = kind == Kind::True,
            Some(Key::Number) if kind == Kind::Number => {
                let number = &text[range];
                self.number = number.parse().ok().or_else(|| whole(number.parse().ok()?));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_judged_as_javascript_does() {
        let ok = |text: &str, attachments| check_placeholders(text, attachments, 100).unwrap();
        assert!(ok(r#"["a",{"_placeholder":true,"num":0}]"#, 1));
        assert!(ok(
            r#"[{"x":[{"num":1,"_placeholder":true}]},{"_placeholder":true,"num":0}]"#,
            2
        ));
        assert!(ok(
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            1
        ));
        assert!(ok(r#"["none of them"]"#, 3));
        assert!(ok(
            r#"[{"_placeholder":true,"num":1.0},{"_placeholder":true,"num":1e0},{"_placeholder":true,"num":-0}]"#,
            2
        ));
        assert!(ok(r#"[{"\u005fplaceholder":true,"num":0}]"#, 1));
        for bad in [
            "-1",
            "1",
            "2",
            "1e9",
            "0.5",
            "\"0\"",
            "\"splice\"",
            "null",
            "true",
            "[0]",
            "{}",
            "1e400",
            "-1e400",
            "99999999999999999999999999",
        ] {
            let text = alloc::format!(r#"["m",{{"a":[{{"_placeholder":true,"num":{bad}}}]}}]"#);
            assert!(!ok(&text, 1), "{text}");
        }
        assert!(!ok(r#"[{"_placeholder":true}]"#, 1));
        assert!(!ok(r#"[{"_placeholder":true,"num":0,"num":7}]"#, 1));
        assert!(!ok(r#"[{"_placeholder":true,"num":0,"num":[0]}]"#, 1));
        // Not placeholders at all.
        assert!(ok(
            r#"[{"_placeholder":false,"num":9},{"_placeholder":1,"num":9},{"num":9},{"_placeholder":"true"}]"#,
            1
        ));
        assert!(ok(r#"[{"_placeholder":true,"num":9,"_placeholder":false}]"#, 1));
        assert!(ok(r#"[{"__proto__":{"_placeholder":true,"num":0},"num":9}]"#, 1));
        // JavaScript puts the attachment in and never looks inside.
        assert!(ok(
            r#"[{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":9}}]"#,
            1
        ));
    }
}
