//! From values to arguments.

use core::fmt;

use alloc::vec::Vec;
use serde_core::ser::{self, Impossible, Serialize, Serializer};

use super::{Args, EncodeError};

/// A value's JSON, taken apart: its elements where it is a list, nothing where it is `()`.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Args, EncodeError> {
    let shape = match value.serialize(Look) {
        Ok(never) => match never {},
        Err(shape) => shape,
    };
    if let Shape::None = shape {
        return Ok(Args::default());
    }
    let (text, attachments) = to_json(value)?;
    let text = match shape {
        Shape::Many => text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .map(Into::into),
        Shape::None | Shape::One | Shape::Failed => None,
    }
    .unwrap_or(text);
    Ok(Args::from_elements(text.into(), attachments))
}

#[cfg(feature = "std")]
fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<(alloc::string::String, Vec<bytes::Bytes>), EncodeError> {
    let (text, attachments) = super::binary::collecting(|| serde_json::to_string(value));
    Ok((text?, attachments))
}

#[cfg(not(feature = "std"))]
fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<(alloc::string::String, Vec<bytes::Bytes>), EncodeError> {
    Ok((serde_json::to_string(value)?, Vec::new()))
}

/// How many arguments a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    None,
    One,
    Many,
    /// It does not serialize at all; the real serializer will say so in better words.
    Failed,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that can not be serialized")
    }
}

impl core::error::Error for Shape {}

impl ser::Error for Shape {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Failed
    }
}

/// A serializer that looks at the first thing it is given and answers with the shape, as an error: nothing is written.
struct Look;

#[derive(Debug)]
enum Never {}

macro_rules! shapes {
    ($($method:ident($($type:ty),*) => $shape:ident;)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<Never, Shape> {
            Err(Shape::$shape)
        })*
    };
}

impl Serializer for Look {
    type Ok = Never;
    type Error = Shape;
    type SerializeSeq = Impossible<Never, Shape>;
    type SerializeTuple = Impossible<Never, Shape>;
    type SerializeTupleStruct = Impossible<Never, Shape>;
    type SerializeTupleVariant = Impossible<Never, Shape>;
    type SerializeMap = Impossible<Never, Shape>;
    type SerializeStruct = Impossible<Never, Shape>;
    type SerializeStructVariant = Impossible<Never, Shape>;

    shapes! {
        serialize_bool(bool) => One;
        serialize_i8(i8) => One;
        serialize_i16(i16) => One;
        serialize_i32(i32) => One;
        serialize_i64(i64) => One;
        serialize_i128(i128) => One;
        serialize_u8(u8) => One;
        serialize_u16(u16) => One;
        serialize_u32(u32) => One;
        serialize_u64(u64) => One;
        serialize_u128(u128) => One;
        serialize_f32(f32) => One;
        serialize_f64(f64) => One;
        serialize_char(char) => One;
        serialize_str(&str) => One;
        serialize_bytes(&[u8]) => One;
        serialize_none() => One;
        serialize_unit() => None;
        serialize_unit_struct(&'static str) => None;
        serialize_unit_variant(&'static str, u32, &'static str) => One;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Never, Shape> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Never, Shape> {
        Err(Shape::One)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Shape> {
        Err(Shape::Many)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Shape> {
        Err(Shape::Many)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Shape> {
        Err(Shape::Many)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Shape> {
        Err(Shape::One)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Shape> {
        Err(Shape::One)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Shape> {
        Err(Shape::One)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Never, Shape> {
        Err(Shape::One)
    }
}
