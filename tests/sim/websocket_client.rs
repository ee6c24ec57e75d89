//! A client's WebSocket: frames by RFC 6455, masked one way and strictly read the other.

use std::sync::Arc;

use super::http_client::Broken;
use super::rng::Rng;
use super::runtime::End;

/// The key of the RFC's example, whose answer it gives: no SHA-1 is needed here.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// What a ping between two fragments says.
const BETWEEN: &[u8] = b"between";

/// A frame as a client writes it. `first` has FIN and RSV besides the opcode.
pub fn raw_frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = vec![first];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => bytes.push(masked | len as u8),
        len @ 126..65_536 => {
            bytes.push(masked | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(masked | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    match mask {
        None => bytes.extend_from_slice(payload),
        Some(mask) => {
            bytes.extend_from_slice(&mask);
            bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        }
    }
    bytes
}

fn mask(rng: &mut Rng) -> Option<[u8; 4]> {
    let mut mask = [0; 4];
    rng.fill(&mut mask);
    Some(mask)
}

pub fn control(opcode: u8, payload: &[u8], rng: &mut Rng) -> Vec<u8> {
    raw_frame(0x80 | opcode, payload, mask(rng))
}

/// A message in one frame, or now and then in several, with a ping between them.
pub fn message(text: bool, payload: &[u8], rng: &mut Rng) -> Vec<u8> {
    let opcode = if text { TEXT } else { BINARY };
    if payload.len() < 2 || !rng.one_in(12) {
        return raw_frame(0x80 | opcode, payload, mask(rng));
    }
    let (first, rest) = payload.split_at(rng.index(payload.len()));
    let mut bytes = raw_frame(opcode, first, mask(rng));
    if rng.one_in(2) {
        bytes.extend(control(PING, BETWEEN, rng));
    }
    bytes.extend(raw_frame(0x80 | CONTINUATION, rest, mask(rng)));
    bytes
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

/// The reading half.
pub struct Reader {
    end: Arc<End>,
    inbox: Vec<u8>,
    partial: Option<(u8, Vec<u8>)>,
}

impl Reader {
    pub fn new(end: Arc<End>, inbox: Vec<u8>) -> Self {
        Self {
            end,
            inbox,
            partial: None,
        }
    }

    pub async fn next(&mut self) -> Result<Incoming, Broken> {
        loop {
            while let Some((first, payload)) = self.frame()? {
                match self.assemble(first, payload)? {
                    // The answer to a ping that stood between two fragments.
                    Some(Incoming::Pong(payload)) if payload == BETWEEN => {}
                    Some(incoming) => return Ok(incoming),
                    None => {}
                }
            }
            let mut buffer = [0; 4096];
            match self.end.read(&mut buffer).await {
                Ok(0) | Err(_) => {
                    let anything = !self.inbox.is_empty();
                    return Err(Broken::Lost { anything });
                }
                Ok(n) => self.inbox.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// A whole frame, if there is one.
    fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, Broken> {
        let Some(&[first, second]) = self.inbox.first_chunk::<2>() else {
            return Ok(None);
        };
        if second & 0x80 != 0 {
            return Err(Broken::Invalid("a masked frame from the server".to_owned()));
        }
        let extra = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = self.inbox.get(2..2 + extra) else {
            return Ok(None);
        };
        let number = extended.iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        let len = match second {
            126 if number < 126 => return Err(Broken::Invalid("an overlong length".to_owned())),
            127 if number < 65_536 => return Err(Broken::Invalid("an overlong length".to_owned())),
            126 | 127 => number as usize,
            short => usize::from(short),
        };
        if len > 10_000_000 {
            return Err(Broken::Invalid(format!("a frame of {len} bytes")));
        }
        let Some(payload) = self.inbox.get(2 + extra..2 + extra + len) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.inbox.drain(..2 + extra + len);
        Ok(Some((first, payload)))
    }

    fn assemble(&mut self, first: u8, payload: Vec<u8>) -> Result<Option<Incoming>, Broken> {
        let invalid = |what: &str| Err(Broken::Invalid(format!("{what} from the server")));
        let (end, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return invalid("reserved bits");
        }
        if opcode >= 8 && (!end || payload.len() > 125) {
            return invalid("a bad control frame");
        }
        match (opcode, self.partial.take()) {
            (PING | PONG | CLOSE, partial) => {
                self.partial = partial;
                Ok(Some(match opcode {
                    PING => Incoming::Ping(payload),
                    PONG => Incoming::Pong(payload),
                    _ => {
                        if payload.len() == 1 {
                            return invalid("half a close code");
                        }
                        let code = payload.first_chunk::<2>();
                        Incoming::Close(code.map(|code| u16::from_be_bytes(*code)))
                    }
                }))
            }
            (TEXT | BINARY, None) => self.grow(opcode, payload, end),
            (CONTINUATION, Some((opcode, mut bytes))) => {
                bytes.extend(payload);
                self.grow(opcode, bytes, end)
            }
            _ => invalid("a frame out of turn"),
        }
    }

    fn grow(&mut self, opcode: u8, bytes: Vec<u8>, end: bool) -> Result<Option<Incoming>, Broken> {
        if !end {
            self.partial = Some((opcode, bytes));
            return Ok(None);
        }
        match opcode {
            TEXT if std::str::from_utf8(&bytes).is_err() => {
                Err(Broken::Invalid("a text frame that is not UTF-8".to_owned()))
            }
            TEXT => Ok(Some(Incoming::Text(bytes))),
            _ => Ok(Some(Incoming::Binary(bytes))),
        }
    }
}
