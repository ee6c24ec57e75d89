//! Which messages a session exchanges: number n of a direction follows from the session's id alone, so that either
//! side knows what the other must send, and nobody has to keep it.

use std::sync::LazyLock;

use super::rng::{Rng, mix};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub text: bool,
    pub bytes: &'static [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

const LONGEST: usize = 50_000;
/// Where in a pattern a message may begin.
const SPREAD: usize = 16_384;
const LENGTH: usize = LONGEST + SPREAD + 4;

/// Printable ASCII, without the payload's separator.
static ASCII: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut rng = Rng::new(1);
    (0..LENGTH).map(|_| b' ' + rng.below(95) as u8).collect()
});

/// UTF-8 of all widths in cells of four bytes, so that any multiple of four is a boundary.
static WIDE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut rng = Rng::new(2);
    let cells = [
        "\u{1f980}",
        "éß",
        "€a",
        "a€",
        "b\u{80}c",
        "\u{10ffff}",
        "\0\"\\\n",
        "\u{ffff}z",
    ];
    (0..LENGTH / 4).flat_map(|_| rng.pick(&cells).bytes()).collect()
});

static BINARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; LENGTH];
    Rng::new(3).fill(&mut bytes);
    bytes
});

/// What a session's messages have in common.
#[derive(Clone, Copy, Debug)]
pub struct Repertoire {
    /// No message has more bytes.
    pub longest: u64,
}

/// Message number `index` of a session.
pub fn message(session: u64, repertoire: Repertoire, direction: Direction, index: u64) -> Content {
    let mut rng = Rng::new(mix(mix(session, index), direction as u64 + 1));
    let limit = match rng.below(16) {
        0 => 1,
        1..6 => 16,
        6..12 => 200,
        12..15 => 2_000,
        _ => repertoire.longest.min(LONGEST as u64),
    };
    let len = rng.below(limit.min(repertoire.longest)) as usize;
    let from = rng.index(SPREAD);
    match rng.below(5) {
        0 | 1 => Content {
            text: true,
            bytes: &ASCII[from..from + len],
        },
        2 => {
            let (from, len) = (from & !3, len & !3);
            Content {
                text: true,
                bytes: &WIDE[from..from + len],
            }
        }
        _ => Content {
            text: false,
            bytes: &BINARY[from..from + len],
        },
    }
}
