//! The arguments of an event or an acknowledgement: JSON text and attachments, made into values when asked for.

#[cfg(feature = "std")]
mod binary;
mod decode;
mod encode;
mod placeholder;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::json::{self, Json, JsonError, Reader};
use crate::engineio::Str;
pub use crate::json::{DecodeError, EncodeError};
#[cfg(feature = "std")]
pub use binary::Binary;
pub use placeholder::Placeholder;
pub(super) use placeholder::check_placeholders;
#[cfg(feature = "msgpack")]
pub(super) use placeholder::placeholder_of;

/// The arguments of an event or an acknowledgement.
///
/// They are kept as they travel: the text of a JSON array, and beside it the attachments, whose places in the text are
/// held by placeholders. Values are made when somebody asks for them. The text of a received packet is not copied, and the
/// bytes of attachments never are.
///
/// ```
/// use sansocket::socketio::Args;
///
/// let args = Args::encode(&("lobby", [1, 2]))?;
/// assert_eq!(args.json(), r#"["lobby",[1,2]]"#);
/// assert_eq!(args.get::<String>(0).unwrap(), "lobby");
/// let (room, numbers): (String, Vec<u8>) = args.parse().unwrap();
/// assert_eq!((room.as_str(), numbers), ("lobby", vec![1, 2]));
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// What stands between the brackets of the array, without white space around it: empty for no arguments.
    elements: Str,
    attachments: Vec<Bytes>,
}

impl Args {
    /// Arguments from the text of a JSON array, nested up to 100 levels, and the attachments that its
    /// [placeholders](Placeholder) number.
    ///
    /// # Errors
    /// The text is not a JSON array, or nested more deeply. Placeholders are not looked at.
    pub fn new(array: &str, attachments: Vec<Bytes>) -> Result<Self, JsonError> {
        json::check(array, super::Limits::default().max_depth)?;
        let inner = array
            .trim_matches(is_whitespace)
            .strip_prefix('[')
            .ok_or(JsonError::Syntax)?;
        let inner = inner.strip_suffix(']').ok_or(JsonError::Syntax)?;
        Ok(Self::from_elements(
            inner.trim_matches(is_whitespace).into(),
            attachments,
        ))
    }

    /// The arguments that a value stands for: see [`IntoArgs`].
    ///
    /// # Errors
    /// The value has no JSON form: see [`EncodeError`].
    pub fn encode<A: IntoArgs + ?Sized>(value: &A) -> Result<Self, EncodeError> {
        value.to_args()
    }

    /// The elements have been looked at; no white space is around them.
    pub(super) fn from_elements(elements: Str, attachments: Vec<Bytes>) -> Self {
        Self { elements, attachments }
    }

    /// How many arguments there are. Looks through the text.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The text of a JSON array with all arguments. Attachments appear as their placeholders.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(self.elements.len() + 2);
        out.push('[');
        out.push_str(&self.elements);
        out.push(']');
        out
    }

    /// The text between the brackets of [`json`](Self::json), at no cost.
    pub fn elements(&self) -> &str {
        &self.elements
    }

    /// What was sent as bytes.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The JSON text of each argument.
    pub fn iter(&self) -> Elements<'_> {
        Elements { rest: &self.elements }
    }

    /// One argument, counted from 0. One that is missing can be had as an `Option` or `()`.
    ///
    /// # Errors
    /// There is no such argument, or it is of another shape, or nested more than 127 levels deep.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, DecodeError> {
        decode::get(self, index)
    }

    /// All arguments at once: see [`FromArgs`].
    ///
    /// # Errors
    /// An argument is missing or of another shape.
    pub fn parse<A: FromArgs>(&self) -> Result<A, DecodeError> {
        A::from_args(self)
    }

    /// The same arguments and one more, a text: where connection state recovery puts its offset.
    #[must_use]
    pub fn with_last(&self, text: &str) -> Self {
        let mut elements = String::with_capacity(self.elements.len() + text.len() + 3);
        elements.push_str(&self.elements);
        if !elements.is_empty() {
            elements.push(',');
        }
        json::push_string(text, &mut elements);
        Self::from_elements(elements.into(), self.attachments.clone())
    }

    /// How many bytes they hold.
    pub(super) fn cost(&self) -> usize {
        let attachments: usize = self
            .attachments
            .iter()
            .map(|bytes| bytes.len() + super::ATTACHMENT_OVERHEAD)
            .sum();
        self.elements.len() + attachments
    }

    pub(super) fn set_attachments(&mut self, attachments: Vec<Bytes>) {
        self.attachments = attachments;
    }
}

pub(super) fn is_whitespace(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The JSON texts of arguments, one after the other.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        // Depth was looked at before; here it costs a bit for each level.
        let range = Reader::new(self.rest, usize::MAX).skip_value().ok()?;
        let element = &self.rest[range.clone()];
        let rest = self.rest[range.end..].trim_start_matches(is_whitespace);
        self.rest = rest.strip_prefix(',').unwrap_or_default();
        Some(element)
    }
}

/// What can be made from the arguments of an event or an acknowledgement.
///
/// Every type that serde can deserialize is: a tuple, an array, a `Vec` and `()` are all arguments, anything else is the
/// first one. Arguments beyond those asked for are passed over, as JavaScript's functions do; one that is missing is
/// `None` for an `Option`, and an error for others. [`Args`] takes them as they are.
///
/// A type that borrows, such as `&str`, is none of them: a handler may outlive the packet. The compiler says then that an
/// implementation is *not general enough*.
///
/// ```
/// # use sansocket::socketio::Args;
/// let args = Args::encode(&("a", 7))?;
/// assert_eq!(args.parse::<(String, u8)>().unwrap(), ("a".to_owned(), 7));
/// assert_eq!(args.parse::<String>().unwrap(), "a");
/// assert_eq!(args.parse::<(String, u8, Option<u8>)>().unwrap().2, None);
/// assert_eq!(args.parse::<()>().unwrap(), ());
/// assert!(args.parse::<(u8,)>().is_err());
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be made from the arguments of an event",
    label = "not deserializable",
    note = "derive `serde::Deserialize` for it; for several arguments use a tuple",
    note = "it owns what it holds: `String`, and not `&str`"
)]
pub trait FromArgs: Sized {
    /// Makes the value.
    ///
    /// # Errors
    /// An argument is missing or of another shape.
    fn from_args(args: &Args) -> Result<Self, DecodeError>;
}

impl<T: DeserializeOwned> FromArgs for T {
    fn from_args(args: &Args) -> Result<Self, DecodeError> {
        decode::parse(args)
    }
}

impl FromArgs for Args {
    fn from_args(args: &Args) -> Result<Self, DecodeError> {
        Ok(args.clone())
    }
}

/// What can be given as the arguments of an event or an acknowledgement.
///
/// Every type that serde can serialize can: a tuple, an array, a slice and a `Vec` are several arguments, `()` is none,
/// anything else is one. For one argument that is a list, or may be one, write `(list,)`: a `serde_json::Value` that is an
/// array is several arguments, and its `Null` is none. [`Args`] are sent as they are.
///
/// ```
/// # use sansocket::socketio::Args;
/// assert_eq!(Args::encode(&("a", 7))?.json(), r#"["a",7]"#);
/// assert_eq!(Args::encode(&["a", "b"])?.json(), r#"["a","b"]"#);
/// assert_eq!(Args::encode(&(["a", "b"],))?.json(), r#"[["a","b"]]"#);
/// assert_eq!(Args::encode("a")?.json(), r#"["a"]"#);
/// assert_eq!(Args::encode(&())?.json(), "[]");
/// assert_eq!(Args::encode(&None::<u8>)?.json(), "[null]");
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be sent as the arguments of an event",
    label = "not serializable",
    note = "derive `serde::Serialize` for it; several arguments are a tuple"
)]
pub trait IntoArgs {
    /// Encodes the value.
    ///
    /// # Errors
    /// It has no JSON form.
    fn to_args(&self) -> Result<Args, EncodeError>;
}

impl<T: Serialize + ?Sized> IntoArgs for T {
    fn to_args(&self) -> Result<Args, EncodeError> {
        encode::encode(self)
    }
}

impl IntoArgs for Args {
    fn to_args(&self) -> Result<Args, EncodeError> {
        Ok(self.clone())
    }
}

impl From<Json> for Args {
    /// One argument.
    fn from(json: Json) -> Self {
        Self::from_elements(json.as_str().trim_matches(is_whitespace).into(), Vec::new())
    }
}
