use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use sansocket::engineio::payload::Encoder;
use sansocket::engineio::{
    Carrier, Config, Data, Event, Input, Packet, PacketError, ReqId, Session, Sid, Str, Version,
};
use sansocket::time::Instant;

/// What the bytes are, read in the plainest way; `None` where they are no payload. Up to a close packet.
fn read(body: &[u8], is_binary: bool) -> Option<Vec<Packet>> {
    let pieces = if is_binary {
        byte_pieces(body)
    } else {
        text_pieces(body)?
    };
    let mut packets = Vec::new();
    if pieces.is_empty() {
        return None;
    }
    for piece in pieces {
        let packet = match piece? {
            Piece::Binary(bytes) => match bytes.split_first() {
                Some((4, message)) => Packet::Message(message.into()),
                _ => return None,
            },
            Piece::Text(text) => match text.strip_prefix('b') {
                // The type stands before the base64 too.
                Some(rest) => Packet::decode(format!("b{}", rest.strip_prefix('4')?).into()).ok()?,
                None => match Packet::decode(text.into()) {
                    // Not for clients to send, and nobody reads them.
                    Err(PacketError::InvalidHandshake) => Packet::Noop,
                    packet => packet.ok()?,
                },
            },
        };
        let is_last = packet == Packet::Close;
        packets.push(packet);
        if is_last {
            break;
        }
    }
    Some(packets)
}

enum Piece {
    Text(String),
    Binary(Vec<u8>),
}

/// Up to the first that is none.
fn text_pieces(body: &[u8]) -> Option<Vec<Option<Piece>>> {
    let mut rest: Vec<u16> = core::str::from_utf8(body).ok()?.encode_utf16().collect();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let piece = cut(&mut rest, u16::from(b':'), |unit| {
            char::from_u32(unit.into()).and_then(|c| c.to_digit(10))
        });
        let piece = piece.and_then(|units| String::from_utf16(&units).ok().map(Piece::Text));
        let is_none = piece.is_none();
        pieces.push(piece);
        if is_none {
            break;
        }
    }
    Some(pieces)
}

fn byte_pieces(body: &[u8]) -> Vec<Option<Piece>> {
    let mut rest = body.to_vec();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let kind = rest.remove(0);
        let piece = cut(&mut rest, 255, |digit| (digit <= 9).then_some(digit.into()));
        let piece = piece.and_then(|bytes| match kind {
            0 => String::from_utf8(bytes).ok().map(Piece::Text),
            1 => Some(Piece::Binary(bytes)),
            _ => None,
        });
        let is_none = piece.is_none();
        pieces.push(piece);
        if is_none {
            break;
        }
    }
    pieces
}

/// Digits, what ends them, and as much as they say.
fn cut<T: Copy + PartialEq>(rest: &mut Vec<T>, end: T, digit: impl Fn(T) -> Option<u32>) -> Option<Vec<T>> {
    let digits = rest.iter().position(|unit| *unit == end)?;
    if !(1..=9).contains(&digits) {
        return None;
    }
    let length = rest[..digits]
        .iter()
        .try_fold(0, |length, unit| Some(length * 10 + digit(*unit)? as usize))?;
    if rest.len() - digits - 1 < length {
        return None;
    }
    let behind = rest.split_off(digits + 1 + length);
    let piece = rest.split_off(digits + 1);
    *rest = behind;
    Some(piece)
}

/// The messages that a session makes of a body; `None` where it refuses it.
fn taken(body: Bytes, is_binary: bool) -> Option<Vec<Data>> {
    let now = Instant::from_micros(0);
    let sid = Sid::new("a").expect("a valid id");
    let carrier = Carrier::Request(ReqId(0));
    let mut session = Session::of(Version::V3, Config::default(), now, sid, carrier);
    session.accept(now);
    let input = match is_binary {
        true => Input::PostBinary(ReqId(1), body),
        false => Input::Post(ReqId(1), body),
    };
    let result = session.handle_input(now, input);
    let events = core::iter::from_fn(|| session.poll_event());
    let messages = events.filter_map(|event| match event {
        Event::Message(data) => Some(data),
        _ => None,
    });
    let messages: Vec<Data> = messages.collect();
    assert!(result.is_ok() || messages.is_empty(), "part of a body was taken");
    result.is_ok().then_some(messages)
}

fn messages(packets: Vec<Packet>) -> Vec<Data> {
    let messages = packets.into_iter().filter_map(|packet| match packet {
        Packet::Message(data) => Some(data),
        _ => None,
    });
    messages.collect()
}

/// Bytes as a body in both framings: a session makes of them what they are.
pub fn body(data: &[u8]) {
    for is_binary in [false, true] {
        let expected = read(data, is_binary).map(messages);
        assert_eq!(
            taken(Bytes::copy_from_slice(data), is_binary),
            expected,
            "binary: {is_binary}"
        );
    }
}

/// Packets come back the same: from the encoder as text, and from an encoder of old clients as bytes.
pub fn made_up_body(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let mut packets = Vec::new();
    while let Ok(packet) = any_packet(&mut source) {
        packets.push(packet);
        if source.is_empty() {
            break;
        }
    }
    if packets.is_empty() {
        return;
    }
    let mut out = b"before".to_vec();
    let mut encoder = Encoder::of(Version::V3, &mut out);
    packets.iter().for_each(|packet| encoder.push(packet));
    assert_eq!(encoder.count(), packets.len());
    let text = Bytes::from(out).slice(b"before".len()..);
    assert_eq!(read(&text, false).as_ref(), Some(&packets));
    let bytes = Bytes::from(packets.iter().flat_map(bytes_of).collect::<Vec<u8>>());
    assert_eq!(read(&bytes, true).as_ref(), Some(&packets));
    let sent = messages(packets);
    assert_eq!(taken(text, false).as_ref(), Some(&sent));
    assert_eq!(taken(bytes, true), Some(sent));
}

fn bytes_of(packet: &Packet) -> Vec<u8> {
    let (kind, bytes) = match packet {
        Packet::Message(Data::Binary(bytes)) => (1, [&[4], &bytes[..]].concat()),
        packet => {
            let mut text = Vec::new();
            packet.encode(&mut text);
            (0, text)
        }
    };
    let digits = bytes.len().to_string();
    let digits = digits.bytes().map(|digit| digit - b'0');
    core::iter::once(kind).chain(digits).chain([255]).chain(bytes).collect()
}

fn any_packet(source: &mut Unstructured<'_>) -> arbitrary::Result<Packet> {
    let text = |source: &mut Unstructured<'_>| <&str>::arbitrary(source).map(Str::from);
    Ok(match source.int_in_range(0..=5)? {
        0 => Packet::Ping(text(source)?),
        1 => Packet::Noop,
        2 => Packet::Upgrade,
        3 => Packet::Message(<&[u8]>::arbitrary(source)?.into()),
        _ => Packet::Message(text(source)?.into()),
    })
}
