use core::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use sansocket::engineio::payload::{Encoder, Packets, SEPARATOR};
use sansocket::engineio::{
    Carrier, Config, Data, Event, Handshake, Input, Packet, PacketError, ReqId, Session, Sid, Str, Transport,
};
use sansocket::time::Instant;

fn encode(packet: &Packet) -> Str {
    let mut out = vec![b'x'];
    packet.encode(&mut out);
    assert_eq!(out.len(), 1 + packet.encoded_len());
    let text = String::from_utf8(out).expect("the text form is text");
    text[1..].into()
}

/// Whatever can be decoded can be encoded, and comes back the same.
pub fn text(data: &[u8]) {
    let Ok(text) = Str::try_from(Bytes::copy_from_slice(data)) else {
        return;
    };
    let Ok(packet) = Packet::decode(text.clone()) else {
        return;
    };
    let encoded = encode(&packet);
    assert_eq!(Packet::decode(encoded.clone()).as_ref(), Ok(&packet));
    if let Packet::Ping(_) | Packet::Pong(_) | Packet::Message(Data::Text(_)) = packet {
        assert_eq!(encoded, text, "these have one text form only");
    }
}

/// A packet of any kind comes back the same.
pub fn made_up(data: &[u8]) {
    let Ok(packet) = any_packet(&mut Unstructured::new(data)) else {
        return;
    };
    assert_eq!(Packet::decode(encode(&packet)), Ok(packet));
}

fn any_packet(source: &mut Unstructured<'_>) -> arbitrary::Result<Packet> {
    let text = |source: &mut Unstructured<'_>| <&str>::arbitrary(source).map(Str::from);
    Ok(match source.int_in_range(0..=7)? {
        0 => Packet::Open(Box::new(any_handshake(source)?)),
        1 => Packet::Close,
        2 => Packet::Ping(text(source)?),
        3 => Packet::Pong(text(source)?),
        4 => Packet::Message(text(source)?.into()),
        5 => Packet::Upgrade,
        6 => Packet::Noop,
        _ => Packet::Message(<&[u8]>::arbitrary(source)?.into()),
    })
}

fn any_handshake(source: &mut Unstructured<'_>) -> arbitrary::Result<Handshake> {
    let sid = <&str>::arbitrary(source)?;
    let millis =
        |source: &mut Unstructured<'_>| u32::arbitrary(source).map(|millis| Duration::from_millis(millis.into()));
    let upgrades = [Transport::Polling, Transport::WebSocket];
    Ok(Handshake {
        sid: match Sid::new(sid) {
            Some(sid) => sid,
            None => Sid::from_entropy(source.arbitrary()?),
        },
        upgrades: upgrades[..source.int_in_range(0..=2)?].iter().copied().collect(),
        ping_interval: millis(source)?,
        ping_timeout: millis(source)?,
        max_payload: source.arbitrary()?,
    })
}

/// Bytes as a polling body: what the session makes of them is what decoding them one by one says.
pub fn body(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let decoded: Option<Vec<_>> = Packets::new(body.clone()).ok().map(Iterator::collect);
    assert_eq!(decoded.is_some(), core::str::from_utf8(data).is_ok());
    let mut valid = decoded.is_some();
    let mut messages = Vec::new();
    if let Some(packets) = decoded {
        let pieces = data.split(|&byte| byte == SEPARATOR).count();
        assert_eq!(packets.len(), pieces);
        for packet in packets {
            match packet {
                Ok(Packet::Message(data)) => messages.push(data),
                // Nothing behind it counts.
                Ok(Packet::Close) => break,
                Ok(Packet::Ping(_)) => valid = false,
                // Open packets are not for clients to send, and nobody reads them.
                Ok(_) | Err(PacketError::InvalidHandshake) => {}
                Err(_) => valid = false,
            }
        }
    }

    let now = Instant::from_micros(0);
    let sid = Sid::new("a").expect("a valid id");
    let mut session = Session::new(Config::default(), now, sid, Carrier::Request(ReqId(0)));
    session.accept(now);
    let result = session.handle_input(now, Input::Post(ReqId(1), body));
    assert_eq!(result.is_ok(), valid, "{result:?}");
    let events = core::iter::from_fn(|| session.poll_event());
    let taken: Vec<Data> = events
        .filter_map(|event| match event {
            Event::Message(data) => Some(data),
            _ => None,
        })
        .collect();
    assert_eq!(taken, if valid { messages } else { Vec::new() });
}

/// Packets in a body come back the same. Text that holds the separator can not travel this way; the protocol has no
/// means for it.
pub fn made_up_body(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let mut packets = Vec::new();
    while !source.is_empty() {
        match any_packet(&mut source) {
            Ok(packet) if !encode(&packet).as_bytes().contains(&SEPARATOR) => packets.push(packet),
            _ => break,
        }
    }
    if packets.is_empty() {
        return;
    }
    let mut out = b"before".to_vec();
    let mut encoder = Encoder::new(&mut out);
    packets.iter().for_each(|packet| encoder.push(packet));
    assert_eq!(encoder.count(), packets.len());
    let body = Bytes::from(out).slice(b"before".len()..);
    let decoded: Result<Vec<_>, _> = Packets::new(body).expect("text").collect();
    assert_eq!(decoded, Ok(packets));
}
