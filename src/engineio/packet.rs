//! One Engine.IO packet: its text form, its binary form.
//!
//! Engine.IO v4 has seven packet types. All have a text form, a digit and what follows it. A binary message is
//! the bytes alone where the carrier can say "binary" (a WebSocket frame), and `b` with base64 where it can
//! not (a polling body). See the protocol's section "Packet encoding".

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf as _, Bytes};
use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::Handshake;
use crate::json::{DecodeError, EncodeError};

/// Text that is known to be UTF-8, and is cheap to clone and to slice.
pub use bytestring::ByteString as Str;

/// What an application sends and receives: text or bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// A text message.
    Text(Str),
    /// A binary message.
    Binary(Bytes),
}

impl Data {
    /// How many bytes the message has, without any framing.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the message has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The value that the message holds as JSON, whether it came as text or as bytes.
    ///
    /// Nothing is ever parsed unasked: the text `5` is not a number, and one of a hundred digits stays what it is, until
    /// somebody asks for a type.
    ///
    /// ```
    /// use sansocket::engineio::Data;
    ///
    /// let message = Data::from_json(&("lobby", [1, 2]))?;
    /// assert_eq!(message.as_text(), Some(r#"["lobby",[1,2]]"#));
    /// assert_eq!(message.json::<(String, Vec<u8>)>()?, ("lobby".to_string(), vec![1, 2]));
    /// assert!(Data::from("5").json::<String>().is_err(), "as JSON it is a number");
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    ///
    /// # Errors
    /// It is no JSON, is nested too deeply (more than 127 levels), or is not such a value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        Ok(serde_json::from_slice(self.as_bytes())?)
    }

    /// A text message that holds this value as JSON, without any spaces.
    ///
    /// # Errors
    /// The value has no JSON form: see [`EncodeError`].
    pub fn from_json(value: &(impl Serialize + ?Sized)) -> Result<Self, EncodeError> {
        Ok(Self::from(serde_json::to_string(value)?))
    }

    /// A small part of a large body is copied: whoever keeps the message must not keep the body.
    pub(crate) fn detached(self, whole: usize) -> Self {
        match self {
            Self::Text(text) if whole > 256 && text.len() < whole / 2 => Self::Text(Str::from(&text[..])),
            other => other,
        }
    }

    /// The bytes: those of a binary message, or the text's UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<Str> for Data {
    fn from(text: Str) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// One packet of Engine.IO v4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0`: the handshake, the first packet of a session, from the server.
    Open(Box<Handshake>),
    /// `1`: the sender ends the session.
    Close,
    /// `2`: wants a pong with the same text; [`PROBE`] on a WebSocket that is being tried.
    Ping(Str),
    /// `3`: answers a ping.
    Pong(Str),
    /// `4`, or a binary frame, or `b`: what the application sends.
    Message(Data),
    /// `5`: the client moves the session to this WebSocket.
    Upgrade,
    /// `6`: nothing; releases a waiting poll during an upgrade.
    Noop,
}

/// The text of the ping and the pong that try out a WebSocket.
pub const PROBE: &str = "probe";

/// Why bytes are not a packet: the sender's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Nothing at all, or nothing between two separators.
    #[error("empty packet")]
    Empty,
    /// The base64 of a binary message is not base64.
    #[error("invalid base64 in a binary packet")]
    InvalidBase64,
    /// The handshake is not the JSON object that it must be, or lacks a field, or holds an unusable value.
    #[error("invalid handshake")]
    InvalidHandshake,
    /// A length in a payload of version 3 is none, or there is less than it says.
    #[error("invalid length in a payload")]
    InvalidLength,
    /// A polling body is not UTF-8.
    #[error("packet is not UTF-8")]
    NotUtf8,
    /// The first byte names no packet type.
    #[error("unknown packet type")]
    UnknownType,
}

/// Standard base64 (not the URL-safe one). Padding is written, and taken or left on reading: old clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The type of a packet as its first byte says it. What can be told without decoding anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketType {
    Open,
    Close,
    Ping,
    Pong,
    Message,
    Base64,
    Upgrade,
    Noop,
}

impl PacketType {
    pub(crate) fn of(packet: &str) -> Result<Self, PacketError> {
        Ok(match packet.as_bytes().first() {
            None => return Err(PacketError::Empty),
            Some(b'0') => Self::Open,
            Some(b'1') => Self::Close,
            Some(b'2') => Self::Ping,
            Some(b'3') => Self::Pong,
            Some(b'4') => Self::Message,
            Some(b'5') => Self::Upgrade,
            Some(b'6') => Self::Noop,
            Some(b'b') => Self::Base64,
            Some(_) => return Err(PacketError::UnknownType),
        })
    }
}

impl Packet {
    /// Decodes the text form, without copying: text is a slice of `packet`. What follows the type of a close,
    /// upgrade or noop packet means nothing and is dropped, as in the JavaScript reference.
    ///
    /// ```
    /// use sansocket::engineio::{Data, Packet};
    ///
    /// assert_eq!(Packet::decode("4hello".into()), Ok(Packet::Message("hello".into())));
    /// assert_eq!(Packet::decode("bAQID".into()), Ok(Packet::Message(Data::Binary(vec![1, 2, 3].into()))));
    /// assert!(Packet::decode("7".into()).is_err());
    /// ```
    pub fn decode(packet: Str) -> Result<Self, PacketError> {
        let packet_type = PacketType::of(&packet)?;
        let rest = || packet.slice_ref(&packet[1..]);
        Ok(match packet_type {
            PacketType::Message if packet.len() <= LOOKED_AT_AGAIN => Self::Message(Data::Text(behind_type(packet))),
            PacketType::Open => Self::Open(Box::new(Handshake::decode(&packet[1..])?)),
            PacketType::Close => Self::Close,
            PacketType::Ping => Self::Ping(rest()),
            PacketType::Pong => Self::Pong(rest()),
            PacketType::Message => Self::Message(Data::Text(rest())),
            PacketType::Base64 => Self::Message(Data::Binary(decode_base64(&packet[1..])?)),
            PacketType::Upgrade => Self::Upgrade,
            PacketType::Noop => Self::Noop,
        })
    }

    /// The bytes alone, where the carrier knows that they are bytes (a binary WebSocket frame); `None` where the
    /// packet goes as text.
    pub fn as_binary(&self) -> Option<&Bytes> {
        match self {
            Self::Message(Data::Binary(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Appends the text form to `out`; binary becomes `b` and base64.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(handshake) => {
                out.push(b'0');
                handshake.encode(out);
            }
            Self::Close => out.push(b'1'),
            Self::Ping(text) => encode_text(b'2', text, out),
            Self::Pong(text) => encode_text(b'3', text, out),
            Self::Message(data) => encode_message(data, out),
            Self::Upgrade => out.push(b'5'),
            Self::Noop => out.push(b'6'),
        }
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Open(handshake) => {
                let mut json = Vec::new();
                handshake.encode(&mut json);
                1 + json.len()
            }
            Self::Close | Self::Upgrade | Self::Noop => 1,
            Self::Ping(text) | Self::Pong(text) => 1 + text.len(),
            Self::Message(data) => encoded_message_len(data),
        }
    }
}

/// Text up to this length is looked through once more sooner than shared: a shared slice costs an allocation.
const LOOKED_AT_AGAIN: usize = 512;

/// What follows the type, without a copy and without sharing.
fn behind_type(packet: Str) -> Str {
    let mut bytes = packet.into_bytes();
    bytes.advance(1);
    Str::try_from(bytes).expect("it is UTF-8 behind its first character, which is ASCII")
}

fn encode_text(packet_type: u8, text: &str, out: &mut Vec<u8>) {
    out.reserve(1 + text.len());
    out.push(packet_type);
    out.extend_from_slice(text.as_bytes());
}

/// Appends the text form of a message.
pub(crate) fn encode_message(data: &Data, out: &mut Vec<u8>) {
    match data {
        Data::Text(text) => encode_text(b'4', text, out),
        Data::Binary(bytes) => {
            let start = out.len() + 1;
            out.resize(start + base64_len(bytes.len()), 0);
            out[start - 1] = b'b';
            let written = BASE64
                .encode_slice(bytes, &mut out[start..])
                .expect("base64_len() is what the codec needs");
            debug_assert_eq!(start + written, out.len());
        }
    }
}

/// How many bytes the text form of a message has.
pub(crate) fn encoded_message_len(data: &Data) -> usize {
    match data {
        Data::Text(text) => 1 + text.len(),
        Data::Binary(bytes) => 1 + base64_len(bytes.len()),
    }
}

fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

pub(crate) fn decode_base64(text: &str) -> Result<Bytes, PacketError> {
    match BASE64.decode(text) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(PacketError::InvalidBase64),
    }
}

/// Whether [`decode_base64`] will succeed, at the price of a look instead of an allocation.
pub(crate) fn check_base64(text: &str) -> Result<(), PacketError> {
    let text = text.as_bytes();
    // The unpadded part decides everything but the padding's own length, so both are looked at apart.
    let digits = text.iter().rposition(|&byte| byte != b'=').map_or(0, |at| at + 1);
    let padding = text.len() - digits;
    let unused_bits: u32 = match digits % 4 {
        0 => 0,
        2 => 4,
        3 => 2,
        _ => return Err(PacketError::InvalidBase64),
    };
    // As much padding as fills the last group of four, or less.
    if padding > (4 - digits % 4) % 4 {
        return Err(PacketError::InvalidBase64);
    }
    let mut last = 0;
    for &byte in &text[..digits] {
        last = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(PacketError::InvalidBase64),
        };
    }
    // Bits that stand for no byte must be zero: the codec refuses the sloppy forms, so this does.
    if last & ((1u8 << unused_bits) - 1) != 0 {
        return Err(PacketError::InvalidBase64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::engineio::{Sid, Transport};

    fn text(packet: &Packet) -> String {
        let mut out = Vec::new();
        packet.encode(&mut out);
        assert_eq!(out.len(), packet.encoded_len());
        String::from_utf8(out).expect("the text form is text")
    }

    #[test]
    fn known_answers_both_ways() {
        let handshake = Handshake {
            sid: Sid::new("lv_VI97HAXpY6yYWAAAB").unwrap(),
            upgrades: smallvec::smallvec![Transport::WebSocket],
            ping_interval: core::time::Duration::from_secs(25),
            ping_timeout: core::time::Duration::from_secs(20),
            max_payload: Some(1_000_000),
        };
        let table = [
            (
                "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                 \"pingTimeout\":20000,\"maxPayload\":1000000}",
                Packet::Open(Box::new(handshake)),
            ),
            ("1", Packet::Close),
            ("2", Packet::Ping("".into())),
            ("2probe", Packet::Ping(PROBE.into())),
            ("3", Packet::Pong("".into())),
            ("3probe", Packet::Pong(PROBE.into())),
            ("4", Packet::Message("".into())),
            ("4hello", Packet::Message("hello".into())),
            ("4é1234😀", Packet::Message("é1234😀".into())),
            ("b", Packet::Message(Bytes::new().into())),
            ("bAQIDBA==", Packet::Message(vec![1, 2, 3, 4].into())),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
        ];
        for (encoded, packet) in table {
            assert_eq!(text(&packet), encoded);
            assert_eq!(Packet::decode(encoded.into()), Ok(packet));
        }
    }

    #[test]
    fn what_is_no_packet() {
        for (bytes, error) in [
            ("", PacketError::Empty),
            ("7", PacketError::UnknownType),
            ("abc", PacketError::UnknownType),
            ("é", PacketError::UnknownType),
            ("\u{0}", PacketError::UnknownType),
            ("b!!!!", PacketError::InvalidBase64),
            ("bA", PacketError::InvalidBase64),
            ("0", PacketError::InvalidHandshake),
            ("0{}", PacketError::InvalidHandshake),
            ("0[1]", PacketError::InvalidHandshake),
        ] {
            assert_eq!(Packet::decode(bytes.into()), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn decoding_does_not_copy_text() {
        let encoded = Str::from(String::from("4a text that is long enough to live on the heap"));
        let start = encoded.as_ptr() as usize + 1;
        let Ok(Packet::Message(Data::Text(text))) = Packet::decode(encoded) else {
            panic!("it is a text message");
        };
        assert_eq!(text.as_ptr() as usize, start);
    }

    #[test]
    fn the_check_agrees_with_the_codec() {
        // All strings of up to four characters over an alphabet that shows every case.
        let alphabet = ['A', 'B', 'Q', 'g', 'w', '/', '=', '-', 'é'];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<String> = texts
                .iter()
                .flat_map(|text| alphabet.iter().map(move |c| format!("{text}{c}")))
                .collect();
            texts.extend(longer);
            texts.sort();
            texts.dedup();
        }
        for text in texts {
            assert_eq!(check_base64(&text).is_ok(), decode_base64(&text).is_ok(), "{text:?}");
        }
    }
}
