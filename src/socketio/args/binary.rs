//! Bytes anywhere inside a value.

use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;

use alloc::vec::Vec;
use bytes::Bytes;
use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_core::ser::{Serialize, Serializer};

use super::placeholder::{Placeholder, read_placeholder};

/// Bytes that travel as bytes, wherever they stand inside the arguments of an event: an attachment, and its placeholder in
/// the JSON. They are not copied, neither on the way out nor on the way in. (A plain `Bytes` or `Vec<u8>` becomes a list of
/// numbers.)
///
/// serde has no place for attachments, so they go around it by way of a thread-local that is set while arguments are made
/// or read; a `serde_json::Value` in between loses them. Outside of arguments it is serialized as bytes. It needs the
/// feature `std`; without, see [`Placeholder`].
///
/// ```
/// use sansocket::socketio::{Args, Binary};
///
/// let args = Args::encode(&("photo.jpg", [Binary::from(vec![1, 2]), Binary::from(vec![3])]))?;
/// assert_eq!(args.json(), r#"["photo.jpg",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]"#);
/// let (_, parts): (String, Vec<Binary>) = args.parse().unwrap();
/// assert_eq!(parts[1], [3][..]);
/// # Ok::<(), sansocket::socketio::EncodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Copies.
impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl PartialEq<[u8]> for Binary {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

/// What the thread is doing at the moment.
enum Scope {
    Outside,
    /// Arguments are made: this is what they were given so far.
    Collecting(Vec<Bytes>),
    /// Arguments are read: this is what they have.
    Lending(Vec<Bytes>),
}

std::thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::Outside) };
}

/// Puts the former scope back when it goes, whatever ends it.
struct Restore(Option<Scope>);

impl Restore {
    fn enter(scope: Scope) -> Self {
        Self(Some(SCOPE.with(|current| current.replace(scope))))
    }

    fn leave(mut self) -> Scope {
        let former = self.0.take().unwrap_or(Scope::Outside);
        SCOPE.with(|current| current.replace(former))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(former) = self.0.take() {
            SCOPE.with(|current| drop(current.replace(former)));
        }
    }
}

/// Runs a serializer, and hands out what it met.
pub(super) fn collecting<T>(write: impl FnOnce() -> T) -> (T, Vec<Bytes>) {
    let scope = Restore::enter(Scope::Collecting(Vec::new()));
    let written = write();
    match scope.leave() {
        Scope::Collecting(attachments) => (written, attachments),
        Scope::Outside | Scope::Lending(_) => (written, Vec::new()),
    }
}

/// Runs a deserializer that may want these.
pub(super) fn lending<T>(attachments: &[Bytes], read: impl FnOnce() -> T) -> T {
    let _scope = Restore::enter(Scope::Lending(attachments.to_vec()));
    read()
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = SCOPE.with(|scope| match &mut *scope.borrow_mut() {
            Scope::Collecting(attachments) => {
                attachments.push(self.0.clone());
                Some(attachments.len() - 1)
            }
            Scope::Outside | Scope::Lending(_) => None,
        });
        match number {
            Some(number) => Placeholder(number).serialize(serializer),
            None => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lending = SCOPE.with(|scope| matches!(*scope.borrow(), Scope::Lending(_)));
        match lending {
            true => deserializer.deserialize_map(Attached),
            false => deserializer.deserialize_byte_buf(Plain),
        }
    }
}

struct Attached;

impl<'de> Visitor<'de> for Attached {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Binary, A::Error> {
        let Placeholder(number) = read_placeholder(map)?;
        let attachment = SCOPE.with(|scope| match &*scope.borrow() {
            Scope::Lending(attachments) => attachments.get(number).cloned(),
            Scope::Outside | Scope::Collecting(_) => None,
        });
        attachment
            .map(Binary)
            .ok_or_else(|| de::Error::custom("no such attachment"))
    }
}

/// Bytes as a format without attachments has them.
struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }
}
