//! Compresses whole bodies of responses.

use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::http::Coding;

/// How many compressors are kept for the next body: each is some 300 kB that would be asked for, and set to zero, again
/// and again. More than one are needed at a time only where threads compress at the same moment.
const SPARES: usize = 4;

/// Compressors that nobody uses, with the level that each was made for.
static SPARE: Mutex<Vec<(u8, Compress)>> = Mutex::new(Vec::new());

/// Compresses a body; `None` where it would not get shorter. Takes no more memory than the body has, and the compressor's.
pub(crate) fn compress(coding: Coding, level: u8, body: &[u8]) -> Option<Vec<u8>> {
    // What comes before and behind the stream itself is the same 18 bytes, or 6.
    let (head, tail): (&[u8], _) = match coding {
        // No name, no time, an operating system that is not told (RFC 1952).
        Coding::Gzip => (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], 8),
        // A window of 32 KiB, and a check digit (RFC 1950).
        Coding::Deflate => (&[0x78, 0x9c], 4),
    };
    let room = body.len().checked_sub(1 + head.len() + tail)?;
    let mut out = Vec::with_capacity(body.len());
    out.extend_from_slice(head);
    let mut stream = Vec::with_capacity(room);
    let (taken, mut compressor) = take(level);
    let status = compressor.compress_vec(body, &mut stream, FlushCompress::Finish);
    let complete = matches!(status, Ok(Status::StreamEnd)) && stream.len() <= room;
    give_back(taken, compressor);
    if !complete {
        return None;
    }
    out.extend_from_slice(&stream);
    match coding {
        Coding::Gzip => {
            let mut crc = Crc::new();
            crc.update(body);
            out.extend_from_slice(&crc.sum().to_le_bytes());
            out.extend_from_slice(&crc.amount().to_le_bytes());
        }
        Coding::Deflate => out.extend_from_slice(&adler32(body).to_be_bytes()),
    }
    (out.len() < body.len()).then_some(out)
}

fn take(level: u8) -> (u8, Compress) {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    match spare.iter().position(|(of, _)| *of == level) {
        Some(at) => spare.swap_remove(at),
        None => {
            drop(spare);
            (level, Compress::new(Compression::new(level.into()), false))
        }
    }
}

fn give_back(level: u8, mut compressor: Compress) {
    compressor.reset();
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.len() < SPARES {
        spare.push((level, compressor));
    }
}

/// The check sum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many bytes can be added up before a sum may not fit any more.
    for part in bytes.chunks(5552) {
        for &byte in part {
            a += u32::from(byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::vec;

    use flate2::read::{GzDecoder, ZlibDecoder};

    use super::*;

    #[test]
    fn what_is_compressed_can_be_read() {
        let bodies = [
            b"hello ".repeat(500),
            vec![0xff; 1_000_000],
            (0..200_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect(),
        ];
        for body in bodies {
            for level in [1, 4, 9] {
                let gzip = compress(Coding::Gzip, level, &body).unwrap();
                let deflate = compress(Coding::Deflate, level, &body).unwrap();
                assert!(gzip.len() < body.len() && deflate.len() < body.len());
                let mut read = Vec::new();
                GzDecoder::new(&gzip[..]).read_to_end(&mut read).unwrap();
                assert!(read == body, "gzip, level {level}");
                read.clear();
                ZlibDecoder::new(&deflate[..]).read_to_end(&mut read).unwrap();
                assert!(read == body, "deflate, level {level}");
            }
        }
        assert!(SPARE.lock().unwrap().len() <= SPARES);
    }

    #[test]
    fn what_does_not_get_shorter_stays_as_it_is() {
        assert_eq!(compress(Coding::Gzip, 9, b""), None);
        assert_eq!(compress(Coding::Gzip, 9, b"hello"), None);
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        assert_eq!(compress(Coding::Deflate, 4, &noise), None);
    }
}
