//! Compressed bodies: the content codings that a response may have.

use std::io::Read;
use std::vec::Vec;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::ResponseError;

/// How a body is encoded (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
}

impl Coding {
    /// What the values of all `Content-Encoding` headers say together.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Self, ResponseError> {
        let mut codings = values
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|coding| !coding.is_empty());
        let coding = match codings.next() {
            None => Self::Identity,
            Some(name) if name.eq_ignore_ascii_case(b"identity") => Self::Identity,
            Some(name) if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => Self::Gzip,
            Some(name) if name.eq_ignore_ascii_case(b"deflate") => Self::Deflate,
            Some(_) => return Err(ResponseError::UnsupportedContentEncoding),
        };
        // One over another is legal, and nobody sends it but to make much work out of few bytes.
        match codings.next() {
            None => Ok(coding),
            Some(_) => Err(ResponseError::UnsupportedContentEncoding),
        }
    }

    /// How long a body may be as it is sent, where it may be `max` bytes long in the end.
    pub(super) fn max_encoded(self, max: usize) -> usize {
        match self {
            Self::Identity => max,
            // What does not get shorter gets a little longer, and a gzip header may hold a file's name.
            Self::Gzip | Self::Deflate => max.saturating_add(max / 1024).saturating_add(512),
        }
    }

    /// Decodes a whole body, to at most `max` bytes; no more memory is asked for.
    pub(super) fn decode(self, encoded: Vec<u8>, max: usize) -> Result<Vec<u8>, ResponseError> {
        // Some servers name a coding where there is nothing to encode.
        if encoded.is_empty() {
            return Ok(encoded);
        }
        let (decoded, rest) = match self {
            Self::Identity => return Ok(encoded),
            Self::Gzip => {
                let mut decoder = GzDecoder::new(&encoded[..]);
                (read_all(&mut decoder, max)?, decoder.into_inner())
            }
            Self::Deflate if has_zlib_header(&encoded) => {
                let mut decoder = ZlibDecoder::new(&encoded[..]);
                (read_all(&mut decoder, max)?, decoder.into_inner())
            }
            // The bare stream was sent by servers that had misread the standard; all clients take it.
            Self::Deflate => {
                let mut decoder = DeflateDecoder::new(&encoded[..]);
                (read_all(&mut decoder, max)?, decoder.into_inner())
            }
        };
        // Whatever follows would be ignored by some readers and read by others.
        if rest.is_empty() {
            Ok(decoded)
        } else {
            Err(ResponseError::MalformedContent)
        }
    }
}

/// Whether this begins as RFC 1950 has it: method 8, a window of at most 32 KiB, and a check digit.
fn has_zlib_header(bytes: &[u8]) -> bool {
    match *bytes {
        [first, second, ..] => first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]) % 31 == 0,
        _ => false,
    }
}

fn read_all(decoder: &mut impl Read, max: usize) -> Result<Vec<u8>, ResponseError> {
    let mut decoded = Vec::new();
    let mut part = [0; 4096];
    loop {
        // Everything comes out of memory, so all errors are about the content.
        let length = decoder.read(&mut part).map_err(|_| ResponseError::MalformedContent)?;
        if length == 0 {
            return Ok(decoded);
        }
        if length > max - decoded.len() {
            return Err(ResponseError::BodyTooLarge);
        }
        let needed = decoded.len() + length;
        if needed > decoded.capacity() {
            let capacity = decoded.capacity().saturating_mul(2).clamp(needed, max);
            decoded.reserve_exact(capacity - decoded.len());
        }
        decoded.extend_from_slice(&part[..length]);
    }
}
