//! The masks of a client's frames.

use core::fmt;
use std::sync::{Mutex, PoisonError};

use crate::wire::Entropy;

/// Four bytes that nobody can guess, new for each frame (RFC 6455, section 5.3).
pub(super) type Mask = [u8; 4];

/// How many random bytes are asked for at once: asking the operating system costs more than masking a message.
const DRAWN: usize = 256;

/// Masks, one after the other.
pub(super) struct Masks {
    // Never locked: what is in a mutex may be shared between threads, and so a `WebSocket` may.
    entropy: Mutex<Entropy>,
    drawn: [u8; DRAWN],
    used: usize,
}

impl Masks {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            entropy: Mutex::new(entropy),
            drawn: [0; DRAWN],
            used: DRAWN,
        }
    }

    /// A mask that was never used.
    pub(super) fn draw(&mut self) -> Mask {
        if self.used == DRAWN {
            let entropy = self.entropy.get_mut().unwrap_or_else(PoisonError::into_inner);
            entropy(&mut self.drawn);
            self.used = 0;
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.drawn[self.used..self.used + 4]);
        self.used += 4;
        mask
    }
}

impl fmt::Debug for Masks {
    /// Says nothing about the masks to come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks").finish_non_exhaustive()
    }
}
