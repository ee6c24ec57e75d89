//! A polling body: packets in their text form, separated by the byte `0x1e`.
//!
//! See the protocol's section "HTTP long-polling". There is no limit on the *number* of packets in a body that
//! is taken in; the limit is the body's size in bytes, which whoever read it has kept.

use alloc::vec::Vec;

use bytes::Bytes;

use super::packet::{self, Data, Packet, PacketError, PacketType, Str};
use super::v3::{self, Version};

/// The byte between two packets.
pub const SEPARATOR: u8 = 0x1e;

/// The packets of one polling body, decoded one by one as they are asked for.
///
/// ```
/// use bytes::Bytes;
/// use sansocket::engineio::{Packet, payload::Packets};
///
/// let mut packets = Packets::new(Bytes::from_static(b"4hello\x1e2"))?;
/// assert_eq!(packets.next(), Some(Ok(Packet::Message("hello".into()))));
/// assert_eq!(packets.next(), Some(Ok(Packet::Ping("".into()))));
/// assert_eq!(packets.next(), None);
/// # Ok::<(), sansocket::engineio::PacketError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Packets {
    /// What is left; `None` once the last packet was handed out (an empty rest is one empty packet).
    rest: Option<Str>,
    /// How long the whole body was.
    length: usize,
}

impl Packets {
    /// Looks at the body as text, which a polling body is.
    ///
    /// # Errors
    /// [`PacketError::NotUtf8`]. What each packet is, is found out later.
    pub fn new(body: Bytes) -> Result<Self, PacketError> {
        match Str::try_from(body) {
            Ok(text) => Ok(Self {
                length: text.len(),
                rest: Some(text),
            }),
            Err(_) => Err(PacketError::NotUtf8),
        }
    }

    /// How many bytes have not been looked at.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// The next packet, not decoded, and whether the whole body is valid *up to the end of it*: what a look can
    /// tell without allocating.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Result<(PacketType, &str), PacketError>> {
        self.rest
            .iter()
            .flat_map(|rest| rest.split(char::from(SEPARATOR)))
            .map(|piece| {
                let packet_type = PacketType::of(piece)?;
                if packet_type == PacketType::Base64 {
                    packet::check_base64(&piece[1..])?;
                }
                Ok((packet_type, piece))
            })
    }

    /// The next message, up to a close packet: what a client puts behind one was never said. Everything else is passed
    /// over undecoded.
    pub(crate) fn next_message(&mut self) -> Option<Data> {
        let rest = self.rest.take()?;
        let mut text = &rest[..];
        loop {
            let (piece, behind) = match text.split_once(char::from(SEPARATOR)) {
                Some((piece, behind)) => (piece, Some(behind)),
                None => (text, None),
            };
            let message = match PacketType::of(piece) {
                Ok(PacketType::Message) => Some(Data::Text(rest.slice_ref(&piece[1..]))),
                Ok(PacketType::Base64) => packet::decode_base64(&piece[1..]).ok().map(Data::Binary),
                Ok(PacketType::Close) => return None,
                _ => None,
            };
            if let Some(message) = message {
                self.rest = behind.map(|behind| rest.slice_ref(behind));
                return Some(message.detached(self.length));
            }
            text = behind?;
        }
    }

    fn take_piece(&mut self) -> Option<Str> {
        let rest = self.rest.take()?;
        match rest.find(char::from(SEPARATOR)) {
            None => Some(rest),
            Some(at) => {
                self.rest = Some(rest.slice_ref(&rest[at + 1..]));
                Some(rest.slice_ref(&rest[..at]))
            }
        }
    }
}

impl Iterator for Packets {
    type Item = Result<Packet, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_piece().map(Packet::decode)
    }
}

/// Builds a polling body in the caller's buffer.
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    count: usize,
    version: Version,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`, which may hold something else before it.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self::of(Version::V4, out)
    }

    /// The same for a client of this version.
    pub fn of(version: Version, out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            count: 0,
            version,
        }
    }

    /// Adds one packet.
    pub fn push(&mut self, packet: &Packet) {
        match (self.version, packet) {
            (_, Packet::Message(data)) => self.push_message(data),
            (Version::V4, packet) => {
                self.separate();
                packet.encode(self.out);
            }
            (Version::V3, packet) => self.push_with_length(|out| packet.encode(out)),
        }
    }

    pub(crate) fn push_message(&mut self, data: &Data) {
        match self.version {
            Version::V4 => {
                self.separate();
                packet::encode_message(data, self.out);
            }
            Version::V3 => self.push_with_length(|out| v3::encode_message(data, out)),
        }
    }

    fn push_with_length(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut packet = Vec::new();
        encode(&mut packet);
        v3::push(&packet, self.out);
        self.count += 1;
    }

    /// How many packets were added.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    fn separate(&mut self) {
        if self.count > 0 {
            self.out.push(SEPARATOR);
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn decode(body: &'static [u8]) -> Vec<Result<Packet, PacketError>> {
        Packets::new(Bytes::from_static(body)).unwrap().collect()
    }

    #[test]
    fn packets_in_order_and_back() {
        let packets = vec![
            Packet::Message("a".into()),
            Packet::Message("".into()),
            Packet::Message(vec![1, 2, 3].into()),
            Packet::Pong("".into()),
        ];
        let mut body = Vec::new();
        let mut encoder = Encoder::new(&mut body);
        packets.iter().for_each(|packet| encoder.push(packet));
        assert_eq!(encoder.count(), 4);
        assert_eq!(body, b"4a\x1e4\x1ebAQID\x1e3");
        let decoded: Result<Vec<_>, _> = Packets::new(body.into()).unwrap().collect();
        assert_eq!(decoded, Ok(packets));
    }

    #[test]
    fn empty_packets_are_seen_wherever_they_stand() {
        assert_eq!(decode(b""), [Err(PacketError::Empty)]);
        assert_eq!(
            decode(b"4a\x1e"),
            [Ok(Packet::Message("a".into())), Err(PacketError::Empty)]
        );
        assert_eq!(decode(b"\x1e1"), [Err(PacketError::Empty), Ok(Packet::Close)]);
    }

    #[test]
    fn a_body_must_be_text() {
        let body = Bytes::from_static(b"4\xff");
        assert_eq!(Packets::new(body).err(), Some(PacketError::NotUtf8));
    }

    #[test]
    fn the_look_agrees_with_the_decoder() {
        for body in [
            &b"4a\x1e4b"[..],
            b"",
            b"4\x1e",
            b"9",
            b"b!!",
            b"bAA==",
            b"bAB==",
            b"4a\x1e\x1e4",
        ] {
            let packets = Packets::new(Bytes::copy_from_slice(body)).unwrap();
            let looked = packets.pieces().all(|piece| piece.is_ok());
            let decoded = packets.clone().all(|packet| packet.is_ok());
            assert_eq!(looked, decoded, "{body:?}");
        }
    }
}
