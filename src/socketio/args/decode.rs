//! From arguments to values.

use bytes::Bytes;
use serde_core::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_core::forward_to_deserialize_any;

use super::super::json;
use super::{Args, DecodeError, Elements};

pub(super) fn get<T: DeserializeOwned>(args: &Args, index: usize) -> Result<T, DecodeError> {
    let value = match args.iter().nth(index) {
        Some(element) => with_attachments(&args.attachments, || serde_json::from_str(&json::well_formed(element))),
        None => T::deserialize(Missing),
    };
    value.map_err(|error| DecodeError::from(error).at(index))
}

pub(super) fn parse<T: DeserializeOwned>(args: &Args) -> Result<T, DecodeError> {
    let text = json::well_formed(&args.elements);
    let mut all = All {
        elements: Elements { rest: &text },
        taken: 0,
    };
    with_attachments(&args.attachments, || T::deserialize(&mut all)).map_err(|error| DecodeError {
        index: all.taken.checked_sub(1),
        error,
    })
}

#[cfg(feature = "std")]
fn with_attachments<T>(attachments: &[Bytes], read: impl FnOnce() -> T) -> T {
    super::binary::lending(attachments, read)
}

#[cfg(not(feature = "std"))]
fn with_attachments<T>(_: &[Bytes], read: impl FnOnce() -> T) -> T {
    read()
}

/// All arguments: a list for whoever wants a list, else the first.
struct All<'de> {
    elements: Elements<'de>,
    /// How many have been asked for.
    taken: usize,
}

impl<'de> All<'de> {
    fn next(&mut self) -> Option<&'de str> {
        self.taken += 1;
        self.elements.next()
    }

    fn first(&mut self) -> serde_json::Result<serde_json::Deserializer<serde_json::de::StrRead<'de>>> {
        Ok(serde_json::Deserializer::from_str(self.next().ok_or_else(missing)?))
    }
}

fn missing() -> serde_json::Error {
    de::Error::custom("missing")
}

macro_rules! first {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
            self.first()?.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut All<'de> {
    type Error = serde_json::Error;

    first! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_map deserialize_identifier
    }

    /// Who takes anything gets the list: the first alone would lose what stands behind it.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_seq(List {
            all: self,
            wanted: None,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_seq(List {
            all: self,
            wanted: Some(length),
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        match self.next() {
            Some(element) => serde_json::Deserializer::from_str(element).deserialize_option(visitor),
            None => visitor.visit_none(),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.first()?.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.first()?.deserialize_enum(name, variants, visitor)
    }
}

struct List<'a, 'de> {
    all: &'a mut All<'de>,
    /// How many more a tuple wants. Those that are missing can be `None`.
    wanted: Option<usize>,
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = serde_json::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> serde_json::Result<Option<S::Value>> {
        match &mut self.wanted {
            Some(0) => return Ok(None),
            Some(wanted) => *wanted -= 1,
            None if self.all.elements.rest.is_empty() => return Ok(None),
            None => {}
        }
        match self.all.next() {
            Some(element) => seed.deserialize(&mut serde_json::Deserializer::from_str(element)),
            None => seed.deserialize(Missing),
        }
        .map(Some)
    }
}

/// Stands for an argument that is not there: JavaScript's `undefined`.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> serde_json::Result<V::Value> {
        Err(missing())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
