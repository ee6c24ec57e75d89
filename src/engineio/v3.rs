//! What Engine.IO 3 writes in another way: payloads with lengths, and a type before the bytes of a binary message.
//!
//! In a payload of text, each packet has its length before it, in UTF-16 code units, which JavaScript calls characters. A
//! payload of bytes has a header for each packet, which tells text from binary. This end writes text alone, with binary in
//! base64: a client has to take that, whatever else it can do.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::packet::{self, Data, PacketError, PacketType, Str};

/// Which version of the protocol a session is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 3, which clients of before 2020 speak. They ping, the server answers; payloads have lengths in them.
    V3,
    /// 4, the present one.
    #[default]
    V4,
}

/// How many digits a length may have: more than any body has bytes.
const MAX_DIGITS: usize = 9;

/// The packet type of a message, as a byte.
const MESSAGE: u8 = 4;

/// One packet, as it was cut out of a payload.
#[derive(Debug)]
enum Piece {
    Text(Str),
    /// With its type before it.
    Binary(Bytes),
}

/// The packets of one payload, decoded one by one as they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    rest: Rest,
    /// How long the whole body was.
    length: usize,
}

/// What has not been looked at.
#[derive(Clone, Debug)]
enum Rest {
    /// Known to be UTF-8, once and for all: to find that out again for each packet would take the square of the body's length.
    Text(Str),
    Binary(Bytes),
}

impl Packets {
    pub(super) fn new(body: Bytes, is_binary: bool) -> Result<Self, PacketError> {
        if body.is_empty() {
            return Err(PacketError::Empty);
        }
        let length = body.len();
        let rest = match is_binary {
            true => Rest::Binary(body),
            false => Rest::Text(Str::try_from(body).map_err(|_| PacketError::NotUtf8)?),
        };
        Ok(Self { rest, length })
    }

    /// How many bytes have not been looked at.
    pub(super) fn remaining(&self) -> usize {
        match &self.rest {
            Rest::Text(text) => text.len(),
            Rest::Binary(bytes) => bytes.len(),
        }
    }

    /// The types of the packets, and whether the whole body is valid up to the end of each.
    pub(super) fn types(&self) -> impl Iterator<Item = Result<PacketType, PacketError>> + use<> {
        let mut rest = self.clone();
        core::iter::from_fn(move || {
            let piece = rest.next_piece()?;
            Some(piece.and_then(|piece| type_of(&piece)))
        })
    }

    /// The next message, up to a close packet. Everything else is passed over.
    pub(super) fn next_message(&mut self) -> Option<Data> {
        loop {
            let piece = self.next_piece()?.ok()?;
            let message = match (type_of(&piece).ok()?, piece) {
                (PacketType::Close, _) => {
                    self.clear();
                    return None;
                }
                (PacketType::Message, Piece::Text(text)) => Some(Data::Text(text.slice_ref(&text[1..]))),
                // Whoever keeps a small part of a large body must not keep the body.
                (PacketType::Message, Piece::Binary(bytes)) if bytes.len() < self.length / 2 => {
                    Some(Data::Binary(Bytes::copy_from_slice(&bytes[1..])))
                }
                (PacketType::Message, Piece::Binary(bytes)) => Some(Data::Binary(bytes.slice(1..))),
                (PacketType::Base64, Piece::Text(text)) => decode_base64(&text).ok().map(Data::Binary),
                _ => None,
            };
            if let Some(message) = message {
                return Some(message.detached(self.length));
            }
        }
    }

    fn clear(&mut self) {
        self.rest = Rest::Binary(Bytes::new());
    }

    fn next_piece(&mut self) -> Option<Result<Piece, PacketError>> {
        let piece = match &mut self.rest {
            Rest::Text(text) if !text.is_empty() => cut_text(text),
            Rest::Binary(bytes) if !bytes.is_empty() => cut_bytes(bytes),
            _ => return None,
        };
        if piece.is_none() {
            self.clear();
        }
        Some(piece.ok_or(PacketError::InvalidLength))
    }
}

/// `5:4hell`: a length, a colon, so many UTF-16 code units.
fn cut_text(rest: &mut Str) -> Option<Piece> {
    let colon = rest.bytes().take(MAX_DIGITS + 1).position(|byte| byte == b':')?;
    let digits = Some(&rest[..colon]).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let mut units: usize = digits.parse().ok()?;
    let text = &rest[colon + 1..];
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        if units == 0 {
            end = at;
            break;
        }
        units = units.checked_sub(c.len_utf16())?;
    }
    if units > 0 {
        return None;
    }
    let (packet, behind) = text.split_at(end);
    let piece = Piece::Text(rest.slice_ref(packet));
    *rest = rest.slice_ref(behind);
    Some(piece)
}

/// A byte that tells text (0) from binary (1), the digits of a length as numbers, 255, so many bytes.
fn cut_bytes(rest: &mut Bytes) -> Option<Piece> {
    let end = rest.iter().take(MAX_DIGITS + 2).position(|&byte| byte == 255)?;
    let digits = rest.get(1..end).filter(|digits| !digits.is_empty())?;
    let length = digits.iter().try_fold(0_usize, |length, &digit| {
        (digit <= 9).then(|| length * 10 + usize::from(digit))
    })?;
    let kind = rest[0];
    rest.advance(end + 1);
    if length > rest.len() {
        return None;
    }
    let bytes = rest.split_to(length);
    match kind {
        0 => Str::try_from(bytes).ok().map(Piece::Text),
        1 => Some(Piece::Binary(bytes)),
        _ => None,
    }
}

fn type_of(piece: &Piece) -> Result<PacketType, PacketError> {
    match piece {
        Piece::Text(text) => {
            let packet_type = PacketType::of(text)?;
            if packet_type == PacketType::Base64 {
                packet::check_base64(base64_of(text)?)?;
            }
            Ok(packet_type)
        }
        Piece::Binary(bytes) => binary_type(bytes),
    }
}

fn binary_type(bytes: &[u8]) -> Result<PacketType, PacketError> {
    match bytes.first() {
        None => Err(PacketError::Empty),
        // Nothing else has anything to say in bytes.
        Some(&MESSAGE) => Ok(PacketType::Message),
        Some(_) => Err(PacketError::UnknownType),
    }
}

/// What follows the `b` is the type, and then the base64.
fn base64_of(text: &str) -> Result<&str, PacketError> {
    text.strip_prefix("b4").ok_or(PacketError::UnknownType)
}

/// The bytes of `b4…`.
pub(super) fn decode_base64(text: &str) -> Result<Bytes, PacketError> {
    packet::decode_base64(base64_of(text)?)
}

/// The message in a binary WebSocket frame.
pub(super) fn decode_frame(bytes: Bytes) -> Result<Data, PacketError> {
    binary_type(&bytes).map(|_| Data::Binary(bytes.slice(1..)))
}

/// Appends the text form of a message.
pub(crate) fn encode_message(data: &Data, out: &mut Vec<u8>) {
    let start = out.len();
    packet::encode_message(data, out);
    if matches!(data, Data::Binary(_)) {
        out.insert(start + 1, b'0' + MESSAGE);
    }
}

/// Appends a packet in its text form, with its length before it.
pub(super) fn push(packet: &[u8], out: &mut Vec<u8>) {
    // Whatever is sent is text in UTF-8: each character is one code unit, or two beyond the first 65,536.
    let units: usize = packet
        .iter()
        .map(|&byte| match byte {
            0x80..=0xbf => 0,
            0xf0.. => 2,
            _ => 1,
        })
        .sum();
    out.extend_from_slice(alloc::format!("{units}:").as_bytes());
    out.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn messages(body: &[u8], is_binary: bool) -> Result<Vec<Data>, PacketError> {
        let mut packets = Packets::new(Bytes::copy_from_slice(body), is_binary)?;
        packets.types().collect::<Result<Vec<_>, _>>()?;
        Ok(core::iter::from_fn(|| packets.next_message()).collect())
    }

    #[test]
    fn lengths_are_of_utf_16() {
        for (packet, encoded) in [
            ("4hello", "6:4hello"),
            ("4\u{20ac}", "2:4\u{20ac}"),
            ("4\u{1f600}", "3:4\u{1f600}"),
            ("3", "1:3"),
        ] {
            let mut out = Vec::new();
            push(packet.as_bytes(), &mut out);
            assert_eq!(out, encoded.as_bytes());
        }
        let both = "2:4\u{20ac}1:63:4\u{1f600}".as_bytes();
        assert_eq!(messages(both, false), Ok(vec!["\u{20ac}".into(), "\u{1f600}".into()]));
        assert_eq!(
            messages(b"3:4\x1e:10:b4AQIDBA==", false),
            Ok(vec!["\u{1e}:".into(), vec![1, 2, 3, 4].into()])
        );
    }

    #[test]
    fn bytes() {
        let body = [
            &[0, 4, 255][..],
            "4\u{20ac}".as_bytes(),
            &[1, 0, 3, 255, 4, 1, 2],
            &[0, 1, 255],
            b"2",
        ]
        .concat();
        assert_eq!(messages(&body, true), Ok(vec!["\u{20ac}".into(), vec![1, 2].into()]));
    }

    #[test]
    fn binary_has_its_type_in_text_too() {
        let mut out = vec![b'x'];
        encode_message(&vec![1, 2, 3, 4].into(), &mut out);
        assert_eq!(out, b"xb4AQIDBA==");
        assert_eq!(decode_base64("b4AQIDBA=="), Ok(Bytes::from_static(&[1, 2, 3, 4])));
        assert_eq!(decode_frame(Bytes::from_static(&[4])), Ok(Vec::new().into()));
        assert!(decode_frame(Bytes::from_static(&[])).is_err());
        assert!(decode_frame(Bytes::from_static(&[0, 1])).is_err());
    }

    #[test]
    fn what_is_no_payload() {
        for text in [
            &b""[..],
            b"4hello",
            b":4",
            b"0:",
            b"3:4a",
            b"2:4a3",
            b"-1:4",
            b"+1:4",
            b"1.0:4",
            b"99999999999999999999:4",
            b"999999999:4",
            b"2:4\xf0\x9f\x98\x80",
            b"1:9",
            b"4:b!!!",
            b"6:bAQIDB",
            b"1:\xff",
        ] {
            assert!(messages(text, false).is_err(), "{text:?}");
        }
        for bytes in [
            &[][..],
            &[0, 255, b'4'],
            &[0, 1, 4],
            &[2, 1, 255, b'4'],
            &[0, 10, 255, b'4'],
            &[0, 2, 255, b'4'],
            &[0, 1, 255, 0xff],
            &[1, 1, 255, 0],
            &[1, 0, 255],
            &[0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255],
            &[0],
        ] {
            assert!(messages(bytes, true).is_err(), "{bytes:?}");
        }
    }

    /// Minutes of work for one body, unless each byte is looked at a few times only.
    #[test]
    fn a_body_of_many_packets() {
        let mut body = "\u{20ac}".repeat(4);
        body.insert_str(0, "5:4");
        body.push_str(&"1:4".repeat(330_000));
        assert_eq!(messages(body.as_bytes(), false).unwrap().len(), 330_001);
        let body = [0, 1, 255, b'4'].repeat(250_000);
        assert_eq!(messages(&body, true).unwrap().len(), 250_000);
    }

    #[test]
    fn a_close_is_the_last_word() {
        assert_eq!(messages(b"2:4a1:12:4b", false), Ok(vec!["a".into()]));
    }
}
