//! The text form: type, attachments, namespace, id, JSON.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Buf as _;

use super::super::args::{Args, is_whitespace};
use super::super::json::{self, Json, JsonError, Kind, Reader, Token};
use super::assembler::look_at_placeholders;
use super::{Body, Decoded, Encoded, Limits, MAIN_NAMESPACE, Packet, PacketError, Parser, is_reserved};
use crate::engineio::{Data, Str};

/// The parser that everybody speaks: see [`TEXT`](super::TEXT).
#[derive(Clone, Copy, Debug, Default)]
pub struct TextParser;

impl Parser for TextParser {
    fn decode(&self, message: Data, limits: &Limits) -> Result<Decoded, PacketError> {
        match message {
            Data::Text(text) => decode(text, limits),
            Data::Binary(bytes) => Ok(Decoded::Attachment(bytes)),
        }
    }

    fn encode(&self, packet: &Packet) -> Encoded {
        encode(packet)
    }
}

fn decode(text: Str, limits: &Limits) -> Result<Decoded, PacketError> {
    let packet_type = *text.as_bytes().first().ok_or(PacketError::Empty)?;
    if !packet_type.is_ascii_digit() || packet_type > b'6' {
        return Err(PacketError::UnknownType);
    }
    let mut rest = &text[1..];
    let attachments = match packet_type {
        b'5' | b'6' => Some(take_attachments(&mut rest, limits)?),
        _ => None,
    };
    let namespace = take_namespace(&mut rest, limits)?;
    let id = take_id(&mut rest, limits)?;
    let at = text.len() - rest.len();
    let body = match packet_type {
        b'0' => Body::Connect(payload(text, at, limits)?),
        b'1' if rest.is_empty() => Body::Disconnect,
        b'1' => return Err(PacketError::InvalidPayload),
        b'4' => Body::ConnectError(payload(text, at, limits)?.unwrap_or_else(|| Json::trusted("{}".into()))),
        event_or_ack => {
            if let Some(count) = attachments {
                if !rest.is_empty() {
                    look_at_placeholders(rest, count, limits)?;
                }
            }
            match event_or_ack {
                b'2' | b'5' => event(text, at, id, limits)?,
                _ => Body::Ack {
                    id,
                    args: ack_args(text, at, limits)?,
                },
            }
        }
    };
    let packet = Packet { namespace, body };
    Ok(match attachments {
        Some(count) => Decoded::Partial(packet, count),
        None => Decoded::Whole(packet),
    })
}

/// The number before the `-`. JavaScript takes whatever it can make a number of, such as `0x1`; nobody sends that.
fn take_attachments(rest: &mut &str, limits: &Limits) -> Result<usize, PacketError> {
    let digits = take_digits(rest);
    *rest = rest.strip_prefix('-').ok_or(PacketError::InvalidAttachments)?;
    if digits.is_empty() {
        return Err(PacketError::InvalidAttachments);
    }
    // A number beyond what fits is too many as well.
    match digits.parse::<usize>().unwrap_or(usize::MAX) {
        0 => Err(PacketError::InvalidAttachments),
        count if count > limits.max_attachments => Err(PacketError::TooManyAttachments),
        count => Ok(count),
    }
}

fn take_namespace(rest: &mut &str, limits: &Limits) -> Result<Str, PacketError> {
    if !rest.starts_with('/') {
        return Ok(Str::from_static(MAIN_NAMESPACE));
    }
    let (name, behind) = rest.split_once(',').unwrap_or((rest, ""));
    if name.len() > limits.max_namespace {
        return Err(PacketError::InvalidNamespace);
    }
    *rest = behind;
    Ok(match name {
        MAIN_NAMESPACE => Str::from_static(MAIN_NAMESPACE),
        name => name.into(),
    })
}

fn take_id(rest: &mut &str, limits: &Limits) -> Result<Option<u64>, PacketError> {
    match take_digits(rest) {
        "" => Ok(None),
        digits if digits.len() > limits.max_id_digits => Err(PacketError::InvalidId),
        digits => digits.parse().map(Some).map_err(|_| PacketError::InvalidId),
    }
}

fn take_digits<'a>(rest: &mut &'a str) -> &'a str {
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, behind) = rest.split_at(length);
    *rest = behind;
    digits
}

/// What follows, without a copy and without sharing; white space around it goes.
fn tail(text: Str, at: usize, end: usize) -> Str {
    let mut bytes = text.into_bytes();
    bytes.truncate(end);
    bytes.advance(at);
    Str::try_from(bytes).expect("both cuts are beside ASCII, so between characters")
}

/// The payload of a CONNECT or a CONNECT_ERROR: an object, or a text.
fn payload(text: Str, at: usize, limits: &Limits) -> Result<Option<Json>, PacketError> {
    let json = &text[at..];
    if json.is_empty() {
        return Ok(None);
    }
    json::check(json, limits.max_depth)?;
    match json.trim_start_matches(is_whitespace).as_bytes().first() {
        Some(b'{') => {}
        Some(b'"') if text.starts_with('4') => {}
        _ => return Err(PacketError::InvalidPayload),
    }
    let end = text.len();
    Ok(Some(Json::trusted(tail(text, at, end))))
}

/// `["name",…]`. Nothing at all is taken too, as JavaScript does: an event without a name, that no handler is for.
fn event(text: Str, at: usize, id: Option<u64>, limits: &Limits) -> Result<Body, PacketError> {
    let array = &text[at..];
    if array.is_empty() {
        let (name, args) = (Str::new(), Args::default());
        return Ok(Body::Event { id, name, args });
    }
    let mut reader = Reader::new(array, limits.max_depth);
    if reader.next()? != Some(Token::BeginArray) {
        return Err(invalid(array, limits));
    }
    let name = match reader.next()? {
        Some(Token::Value(Kind::String, range)) => json::unescape(&array[range]).into_owned(),
        // A number names an event as its digits do.
        Some(Token::Value(Kind::Number, range)) => array[range].into(),
        _ => return Err(invalid(array, limits)),
    };
    if name.len() > limits.max_event_name {
        return Err(PacketError::EventNameTooLong);
    }
    let behind_name = reader.position();
    while reader.next()?.is_some() {}
    if is_reserved(&name) {
        return Err(PacketError::ReservedEvent);
    }
    let args = elements(text, at + behind_name);
    let name = name.into();
    Ok(Body::Event { id, name, args })
}

fn ack_args(text: Str, at: usize, limits: &Limits) -> Result<Args, PacketError> {
    let array = &text[at..];
    if array.is_empty() {
        return Ok(Args::default());
    }
    json::check(array, limits.max_depth)?;
    let behind_space = array.trim_start_matches(is_whitespace);
    if !behind_space.starts_with('[') {
        return Err(PacketError::InvalidPayload);
    }
    let bracket = text.len() - behind_space.len();
    Ok(elements(text, bracket + 1))
}

/// What is left of a checked array behind this place, without its comma and its bracket.
fn elements(text: Str, at: usize) -> Args {
    let end = text.trim_end_matches(is_whitespace).len() - 1;
    let inner = text[at..end].trim_start_matches(is_whitespace);
    let inner = inner
        .strip_prefix(',')
        .unwrap_or(inner)
        .trim_start_matches(is_whitespace);
    let start = end - inner.len();
    let end = start + inner.trim_end_matches(is_whitespace).len();
    if start == end {
        return Args::default();
    }
    Args::from_elements(tail(text, start, end), Vec::new())
}

/// What is wrong with a text that is no array of arguments: no JSON, or other JSON.
fn invalid(text: &str, limits: &Limits) -> PacketError {
    match json::check(text, limits.max_depth) {
        Ok(()) => PacketError::InvalidPayload,
        Err(error @ (JsonError::Syntax | JsonError::TooDeep)) => error.into(),
    }
}

fn encode(packet: &Packet) -> Encoded {
    let attachments = match &packet.body {
        Body::Event { args, .. } | Body::Ack { args, .. } => args.attachments(),
        Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => &[],
    };
    let (packet_type, id, payload) = match &packet.body {
        Body::Connect(payload) => ('0', None, payload.as_ref().map_or(0, |json| json.as_str().len())),
        Body::Disconnect => ('1', None, 0),
        Body::Event { id, name, args } => {
            let packet_type = if attachments.is_empty() { '2' } else { '5' };
            (packet_type, *id, name.len() + args.elements().len() + 5)
        }
        Body::Ack { id, args } => {
            let packet_type = if attachments.is_empty() { '3' } else { '6' };
            (packet_type, *id, args.elements().len() + 2)
        }
        Body::ConnectError(json) => ('4', None, json.as_str().len()),
    };
    let mut out = String::with_capacity(packet.namespace.len() + payload + 24);
    out.push(packet_type);
    if !attachments.is_empty() {
        push_number(attachments.len() as u64, &mut out);
        out.push('-');
    }
    if packet.namespace != MAIN_NAMESPACE {
        out.push_str(&packet.namespace);
        out.push(',');
    }
    if let Some(id) = id {
        push_number(id, &mut out);
    }
    match &packet.body {
        Body::Connect(Some(json)) | Body::ConnectError(json) => out.push_str(json.as_str()),
        Body::Connect(None) | Body::Disconnect => {}
        Body::Event { name, args, .. } => {
            out.push('[');
            json::push_string(name, &mut out);
            if !args.is_empty() {
                out.push(',');
                out.push_str(args.elements());
            }
            out.push(']');
        }
        Body::Ack { args, .. } => {
            out.push('[');
            out.push_str(args.elements());
            out.push(']');
        }
    }
    Encoded::new(Data::Text(out.into()), attachments.to_vec())
}

fn push_number(number: u64, out: &mut String) {
    use core::fmt::Write as _;
    // A `String` takes whatever is written to it.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests;
