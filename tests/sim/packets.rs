//! Engine.IO packets as a client reads and writes them; written from the protocol document, not from our own code.

use super::content::Content;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Open(String),
    Close,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Noop,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn to_base64(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for at in 0..3 {
            word = word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for digit in 0..4 {
            let sextet = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() {
                ALPHABET[sextet as usize]
            } else {
                b'='
            });
        }
    }
}

pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let groups = text.len() / 4;
    for (group, chunk) in text.chunks(4).enumerate() {
        let padding = chunk.iter().rev().take_while(|&&digit| digit == b'=').count();
        if padding > 2 || (padding > 0 && group + 1 != groups) {
            return None;
        }
        let mut word = 0_u32;
        for &digit in &chunk[..4 - padding] {
            let sextet = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(sextet);
        }
        word <<= 6 * padding;
        bytes.extend_from_slice(&word.to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}

/// One packet in its text form; `None` if it is none that a server may send.
pub fn parse_text(bytes: &[u8]) -> Option<Packet> {
    let (kind, rest) = bytes.split_first()?;
    std::str::from_utf8(rest).ok()?;
    Some(match kind {
        b'0' => Packet::Open(String::from_utf8(rest.to_vec()).ok()?),
        b'1' if rest.is_empty() => Packet::Close,
        b'2' => Packet::Ping(rest.to_vec()),
        b'3' => Packet::Pong(rest.to_vec()),
        b'4' => Packet::Text(rest.to_vec()),
        b'6' if rest.is_empty() => Packet::Noop,
        _ => return None,
    })
}

/// The packets of a polling body.
pub fn parse_payload(body: &[u8]) -> Option<Vec<Packet>> {
    let mut packets = Vec::new();
    for part in body.split(|&byte| byte == 0x1e) {
        packets.push(match part.split_first() {
            Some((b'b', rest)) => Packet::Binary(from_base64(rest)?),
            _ => parse_text(part)?,
        });
    }
    Some(packets)
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    Message(Content),
    Pong(Vec<u8>),
    Close,
    Upgrade,
    Probe,
}

impl Outgoing {
    /// The form on a WebSocket: whether it is text, and the bytes.
    pub fn frame(&self) -> (bool, Vec<u8>) {
        match self {
            Self::Message(Content { text: false, bytes }) => (false, bytes.to_vec()),
            other => {
                let mut out = Vec::new();
                other.push_text(&mut out);
                (true, out)
            }
        }
    }

    fn push_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(Content { text: true, bytes }) => {
                out.push(b'4');
                out.extend_from_slice(bytes);
            }
            Self::Message(Content { text: false, bytes }) => {
                out.push(b'b');
                to_base64(bytes, out);
            }
            Self::Pong(data) => {
                out.push(b'3');
                out.extend_from_slice(data);
            }
            Self::Close => out.push(b'1'),
            Self::Upgrade => out.push(b'5'),
            Self::Probe => out.extend_from_slice(b"2probe"),
        }
    }

    /// Adds the form in a polling body, with the separator where one is needed.
    pub fn push_payload(&self, first: bool, out: &mut Vec<u8>) {
        if !first {
            out.push(0x1e);
        }
        self.push_text(out);
    }
}

/// The session id and the heartbeat of an open packet: a string and numbers in a flat object.
pub fn field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let key = format!("\"{name}\":");
    let from = json.find(&key)? + key.len();
    let rest = &json[from..];
    match rest.strip_prefix('"') {
        Some(string) => string.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}
