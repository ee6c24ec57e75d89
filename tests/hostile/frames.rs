//! WebSocket frames as a server sends and reads them.

use std::time::{Duration, Instant};

use crate::socket::{Arrival, Socket};

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// Added to an opcode: the last frame of a message.
pub const FIN: u8 = 0x80;

/// One unmasked frame: `first` is its first byte (FIN, reserved bits and opcode).
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// The first bytes of an unmasked frame that announces so much, without the payload.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(length as u8),
        126..0x1_0000 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

/// What came from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// Nothing within the time.
    Late,
    /// The TCP connection is over.
    End,
    /// Something that no client may send.
    Wrong(String),
}

/// The next message, control frames included.
pub fn read(socket: &mut Socket, limit: Duration) -> Incoming {
    let mut whole = Vec::new();
    let mut kind = None;
    let mut deadline = Instant::now() + limit;
    loop {
        let (first, payload) = match read_frame(socket, deadline) {
            Ok(frame) => frame,
            Err(other) => return other,
        };
        match first {
            0x88 => return Incoming::Close((payload.len() > 1).then(|| u16::from_be_bytes([payload[0], payload[1]]))),
            0x89 => return Incoming::Ping(payload),
            0x8a => return Incoming::Pong(payload),
            0x01 | 0x81 | 0x02 | 0x82 if kind.is_none() => kind = Some(first & 0x0f),
            0x00 | 0x80 if kind.is_some() => {}
            other => return Incoming::Wrong(format!("a frame that begins with {other:#x}")),
        }
        whole.extend(payload);
        if first & FIN != 0 {
            return match kind {
                Some(BINARY) => Incoming::Binary(whole),
                _ => match String::from_utf8(whole) {
                    Ok(text) => Incoming::Text(text),
                    Err(_) => Incoming::Wrong("text that is not UTF-8".to_owned()),
                },
            };
        }
        // A message that has begun is going to end.
        deadline = Instant::now() + crate::socket::PATIENCE;
    }
}

fn read_frame(socket: &mut Socket, deadline: Instant) -> Result<(u8, Vec<u8>), Incoming> {
    await_bytes(socket, 2, deadline)?;
    // Half a frame is never late: its rest is on its way.
    let deadline = Instant::now() + crate::socket::PATIENCE;
    let (first, second) = (socket.unread[0], socket.unread[1]);
    if second & 0x80 == 0 {
        return Err(Incoming::Wrong("a client's frame without a mask".to_owned()));
    }
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    await_bytes(socket, 2 + extended + 4, deadline)?;
    let length = match extended {
        0 => usize::from(second & 0x7f),
        _ => socket.unread[2..2 + extended]
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte)),
    };
    await_bytes(socket, 2 + extended + 4 + length, deadline)?;
    let head = socket.take(2 + extended + 4);
    let mask = &head[2 + extended..];
    let payload = socket.take(length);
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    Ok((first, payload.collect()))
}

fn await_bytes(socket: &mut Socket, count: usize, deadline: Instant) -> Result<(), Incoming> {
    match socket.wait_for(count, deadline) {
        Arrival::Bytes => Ok(()),
        Arrival::Late => Err(Incoming::Late),
        Arrival::End => Err(Incoming::End),
    }
}
