//! Random numbers that an outsider cannot predict, from a secret of the caller.

use std::fmt;

/// The text "expand 32-byte k", a constant of the cipher.
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
const WORDS: usize = 16;
const DOUBLE_ROUNDS: usize = 6;

/// Key stream of ChaCha (Bernstein 2008) with 12 rounds. An observer of some of its numbers cannot
/// predict the others, as the ids of queries require (RFC 5452 §9.2).
pub struct Random {
    key: [u32; 8],
    block: u64,
    words: [u32; WORDS],
    used: usize,
}

impl Random {
    /// Returns the generator for `secret`. The same secret gives the same numbers.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(secret.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { key, block: 0, words: [0; WORDS], used: WORDS }
    }

    /// Returns 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == WORDS {
            self.words = self.next_block();
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Returns 16 random bits, for the id of a query.
    #[expect(clippy::cast_possible_truncation, reason = "half of the bits are enough")]
    pub fn id(&mut self) -> u16 {
        self.bits() as u16
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the counter")]
    fn next_block(&mut self) -> [u32; WORDS] {
        let mut start = [0; WORDS];
        start[..4].copy_from_slice(&CONSTANTS);
        start[4..12].copy_from_slice(&self.key);
        start[12] = self.block as u32;
        start[13] = (self.block >> 32) as u32;
        self.block = self.block.wrapping_add(1);
        let mut words = start;
        for _ in 0..DOUBLE_ROUNDS {
            for column in 0..4 {
                quarter(&mut words, [column, 4 + column, 8 + column, 12 + column]);
            }
            for diagonal in 0..4 {
                let at = |row: usize| 4 * row + (diagonal + row) % 4;
                quarter(&mut words, [at(0), at(1), at(2), at(3)]);
            }
        }
        for (word, start) in words.iter_mut().zip(start) {
            *word = word.wrapping_add(start);
        }
        words
    }
}

fn quarter(words: &mut [u32; WORDS], [a, b, c, d]: [usize; 4]) {
    for (rotate_d, rotate_b) in [(16, 12), (8, 7)] {
        words[a] = words[a].wrapping_add(words[b]);
        words[d] = (words[d] ^ words[a]).rotate_left(rotate_d);
        words[c] = words[c].wrapping_add(words[d]);
        words[b] = (words[b] ^ words[c]).rotate_left(rotate_b);
    }
}

/// Shows nothing: what is to come follows from the key.
impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stream_is_that_of_chacha12() {
        // draft-strombergson-chacha-test-vectors-01, TC1: all zero key and nonce, 12 rounds.
        let mut random = Random::new([0; 32]);
        let bytes: Vec<u8> = (0..5).flat_map(|_| random.bits().to_le_bytes()).collect();
        let expected = [
            0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0x55, 0xf9, 0x53, 0x81, 0x1f, 0xce, 0x12, 0x5f, 0x26,
            0x83, 0xd5, 0x04, 0x29, 0xc3, 0xbb,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn blocks_and_keys_differ() {
        let stream = |key| {
            let mut random = Random::new([key; 32]);
            (0..64).map(|_| random.bits()).collect::<Vec<_>>()
        };
        let (one, other) = (stream(1), stream(2));
        assert_ne!(one, other);
        assert_eq!(one, stream(1));
        assert_ne!(one[..16], one[16..32]);
    }

    #[test]
    fn blocks_do_not_come_again_after_32_bits_of_them() {
        let first = |block| Random { block, ..Random::new([1; 32]) }.bits();
        assert_ne!(first(1 << 32), first(0));
        assert_ne!(first(2 << 32), first(1 << 32));
    }

    #[test]
    fn nothing_of_the_key_is_shown() {
        assert_eq!(format!("{:?}", Random::new([7; 32])), "Random");
    }
}
