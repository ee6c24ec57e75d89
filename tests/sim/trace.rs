//! What happened in a world: always as a hash, and in words when somebody asks for them.

use super::rng::mix;

pub struct Trace {
    hash: u64,
    events: u64,
    verbose: bool,
}

impl Trace {
    pub fn new(verbose: bool) -> Self {
        Self {
            hash: 0,
            events: 0,
            verbose,
        }
    }

    /// One event: `facts` go into the hash, `words` are only made when they are printed.
    pub fn note(&mut self, now: u64, facts: &[u64], words: impl FnOnce() -> String) {
        self.events += 1;
        self.hash = mix(self.hash, now);
        for fact in facts {
            self.hash = mix(self.hash, *fact);
        }
        if self.verbose {
            println!("{:>12.6}s  {}", now as f64 / 1e6, words());
        }
    }

    pub fn hash(&self) -> u64 {
        mix(self.hash, self.events)
    }
}

/// The bytes of a message or segment, as a fact for the hash.
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    }
    hash ^ bytes.len() as u64
}

/// Bytes for a human: printable, and short.
pub fn show(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(96)];
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    format!("\"{}{more}\" ({})", shown.escape_ascii(), bytes.len())
}
