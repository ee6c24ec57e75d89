//! gzip, as far as it can be written down by hand: stored blocks, and a bomb.

/// A gzip stream that holds these bytes as they are.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut stream = HEADER.to_vec();
    for (at, block) in plain.chunks(0xffff).enumerate() {
        let is_last = (at + 1) * 0xffff >= plain.len();
        stream.push(u8::from(is_last));
        let length = block.len() as u16;
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    if plain.is_empty() {
        stream.extend([1, 0, 0, 0xff, 0xff]);
    }
    stream.extend(crc32(plain).to_le_bytes());
    stream.extend((plain.len() as u32).to_le_bytes());
    stream
}

/// A small stream that inflates to `4` and then at least so many zeros, up to where its checksum would be wrong.
pub fn bomb(length: usize) -> Vec<u8> {
    let mut bits = Bits(HEADER.to_vec(), 0);
    // One last block, with the fixed codes.
    bits.put(0b011, 3);
    for literal in [b'4', b'0'] {
        bits.put_reversed(u32::from(0x30 + literal), 8);
    }
    for _ in 0..length.div_ceil(258) {
        // The byte before, 258 times: thirteen bits for all of it.
        bits.put_reversed(0b1100_0101, 8);
        bits.put(0, 5);
    }
    bits.put(0, 7);
    bits.0.extend([0; 8]);
    bits.0
}

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The bytes so far, and how many bits of the last one are in use (0: all of them).
struct Bits(Vec<u8>, u32);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.1 == 0 {
                self.0.push(0);
            }
            let last = self.0.last_mut().expect("the byte that was pushed");
            *last |= ((value >> bit & 1) as u8) << self.1;
            self.1 = (self.1 + 1) % 8;
        }
    }

    /// Codes come with their highest bit first.
    fn put_reversed(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0xedb8_8320,
            _ => crc >> 1,
        })
    });
    !crc
}
