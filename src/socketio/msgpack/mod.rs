//! Packets as MessagePack: one binary message each, as npm `socket.io-msgpack-parser` writes them.
//!
//! The arguments of an event are JSON text everywhere else, so they are translated, in both directions without recursion.
//! What MessagePack can say and JSON can not becomes what `JSON.stringify` would make of it: a date its text, a number that
//! is none `null`, `undefined` `null`. Bytes become attachments, which are not copied on the way in.

mod read;
#[cfg(test)]
mod tests;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::args::Args;
use super::json::{Json, JsonError};
use super::packet::is_reserved;
use super::{Body, Decoded, Encoded, Limits, Packet, PacketError, Parser};
use crate::engineio::{Data, Str};
use read::{Item, Reader, Translator};
use write::Writer;

/// The parser that speaks with npm `socket.io-msgpack-parser`: see [`MSGPACK`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MsgpackParser;

/// The parser that speaks with npm `socket.io-msgpack-parser`. [`Limits::max_attachments`] means nothing to it: bytes are
/// part of the packet, and bounded with it.
pub static MSGPACK: MsgpackParser = MsgpackParser;

impl Parser for MsgpackParser {
    fn decode(&self, message: Data, limits: &Limits) -> Result<Decoded, PacketError> {
        match message {
            Data::Text(_) => Err(PacketError::UnexpectedText),
            Data::Binary(bytes) => decode(bytes, limits).map(Decoded::Whole),
        }
    }

    fn encode(&self, packet: &Packet) -> Encoded {
        Encoded::new(Data::Binary(encode(packet).into()), Vec::new())
    }
}

/// Not MessagePack.
const SYNTAX: PacketError = PacketError::Json(JsonError::Syntax);

fn decode(bytes: Bytes, limits: &Limits) -> Result<Packet, PacketError> {
    if bytes.is_empty() {
        return Err(PacketError::Empty);
    }
    let mut reader = Reader::new(&bytes);
    let Item::Map(entries) = reader.next()? else {
        return Err(PacketError::InvalidPayload);
    };
    let (mut packet_type, mut namespace, mut id, mut data) = (None, None, None, None);
    for _ in 0..entries {
        let key = reader.next()?;
        let at = reader.position();
        let value = reader.skip(limits.max_depth)?;
        // Of keys that come twice the last counts.
        match key {
            Item::Str(b"type") => packet_type = Some(value),
            Item::Str(b"nsp") => namespace = Some(value),
            Item::Str(b"id") => id = Some(value),
            Item::Str(b"data") => data = (!value.is_nothing()).then_some(at),
            // Keys are texts; others, such as the options of the sender's own, say nothing to us.
            Item::Str(_) => {}
            _ => return Err(PacketError::InvalidPayload),
        }
    }
    if !reader.is_at_end() {
        return Err(SYNTAX);
    }
    let namespace = match namespace {
        Some(Item::Str(name)) if name.len() <= limits.max_namespace => core::str::from_utf8(name)
            .map_err(|_| PacketError::InvalidNamespace)?
            .into(),
        _ => return Err(PacketError::InvalidNamespace),
    };
    let id = match id {
        None => None,
        Some(value) if value.is_nothing() => None,
        Some(value) => Some(value.whole().ok_or(PacketError::InvalidId)?),
    };
    let mut translator = Translator::new(&bytes, data.unwrap_or(bytes.len()), limits);
    let body = match packet_type.and_then(|value| value.whole()) {
        Some(0) => Body::Connect(match data {
            None => None,
            Some(_) => Some(translator.object()?),
        }),
        Some(1) if data.is_none() => Body::Disconnect,
        Some(1) => return Err(PacketError::InvalidPayload),
        Some(2) => {
            let (name, args) = translator.event()?;
            Body::Event { id, name, args }
        }
        Some(3) => Body::Ack {
            id,
            args: translator.args()?,
        },
        Some(4) => Body::ConnectError(translator.object_or_text()?),
        _ => return Err(PacketError::UnknownType),
    };
    Ok(Packet { namespace, body })
}

impl Translator<'_> {
    fn event(&mut self) -> Result<(Str, Args), PacketError> {
        let count = self.array()?;
        if count == 0 {
            return Err(PacketError::InvalidPayload);
        }
        let name: Str = match self.next()? {
            Item::Str(name) => String::from_utf8_lossy(name).into_owned().into(),
            Item::Uint(number) => alloc::format!("{number}").into(),
            Item::Int(number) => alloc::format!("{number}").into(),
            Item::Float(number) => read::number_text(number).into(),
            _ => return Err(PacketError::InvalidPayload),
        };
        if is_reserved(&name) {
            return Err(PacketError::ReservedEvent);
        }
        if name.len() > self.limits().max_event_name {
            return Err(PacketError::EventNameTooLong);
        }
        Ok((name, self.elements(count - 1)?))
    }

    fn args(&mut self) -> Result<Args, PacketError> {
        let count = self.array()?;
        self.elements(count)
    }

    fn object(&mut self) -> Result<Json, PacketError> {
        let json = self.value()?;
        match json.starts_with('{') {
            true => Ok(Json::trusted(json.into())),
            false => Err(PacketError::InvalidPayload),
        }
    }

    fn object_or_text(&mut self) -> Result<Json, PacketError> {
        let json = self.value()?;
        match json.starts_with(['{', '"']) {
            true => Ok(Json::trusted(json.into())),
            false => Err(PacketError::InvalidPayload),
        }
    }
}

fn encode(packet: &Packet) -> Vec<u8> {
    let (packet_type, id, size) = match &packet.body {
        Body::Connect(payload) => (0, None, payload.as_ref().map_or(0, |json| json.as_str().len())),
        Body::Disconnect => (1, None, 0),
        Body::Event { id, args, name } => (2, *id, args.cost() + name.len()),
        Body::Ack { id, args } => (3, *id, args.cost()),
        Body::ConnectError(json) => (4, None, json.as_str().len()),
    };
    let has_data = !matches!(packet.body, Body::Connect(None) | Body::Disconnect);
    let mut out = Writer::with_capacity(size + packet.namespace.len() + 32);
    out.map(2 + u32::from(has_data) + u32::from(id.is_some()));
    out.str("type");
    out.uint(packet_type);
    out.str("nsp");
    out.str(&packet.namespace);
    if let Some(id) = id {
        out.str("id");
        out.uint(id);
    }
    if has_data {
        out.str("data");
    }
    match &packet.body {
        Body::Connect(Some(json)) | Body::ConnectError(json) => out.json([json.as_str()], &[]),
        Body::Connect(None) | Body::Disconnect => {}
        Body::Event { name, args, .. } => {
            out.array(1 + args.len() as u32);
            out.str(name);
            out.json(args.iter(), args.attachments());
        }
        Body::Ack { args, .. } => {
            out.array(args.len() as u32);
            out.json(args.iter(), args.attachments());
        }
    }
    out.into_bytes()
}
