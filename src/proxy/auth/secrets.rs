//! Secrets of this process.

use crate::auth::Secret;

/// Derives secrets from keys that no client can know. Each secret is different: two authenticators
/// with one secret would accept the same nonces, and neither would know which of them the other has
/// seen used.
#[derive(Debug)]
pub(crate) struct Secrets {
    keys: [u64; 2],
    drawn: u64,
}

impl Secrets {
    pub(crate) const fn new(keys: [u64; 2]) -> Self {
        Self { keys, drawn: 0 }
    }

    pub(super) fn draw(&mut self) -> Secret {
        self.drawn += 1;
        let mut bytes = [0; 32];
        for (bytes, part) in bytes.chunks_exact_mut(8).zip([self.keys[0], self.keys[1], self.drawn])
        {
            bytes.copy_from_slice(&part.to_be_bytes());
        }
        Secret::new(bytes)
    }
}
