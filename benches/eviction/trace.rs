//! Generated requests, reproducible from a seed.

use crate::kinds::Kind;

/// Seeds of the traces. The table shows the first.
pub const SEEDS: [u64; 3] = [20_261_121, 7, 31_415_926];

/// A request: its key and size class.
pub type Request = (u64, usize);

/// Number of keys that are requested repeatedly.
pub const KEYS: u64 = 100_000;
const REQUESTS: usize = 600_000;

/// Generates the requests of a trace.
pub fn requests(kind: &Kind, seed: u64) -> Vec<Request> {
    let mut random = Random(seed);
    let popularity = popularity(kind.zipf);
    let mut keys: Vec<u64> = (0..KEYS).collect();
    let (mut wonders, mut scanned) = (KEYS, 0_u32);
    let next = |at: usize| {
        if kind.drift > 0 && at.is_multiple_of(kind.drift) {
            for _ in 0..KEYS / 100 {
                keys.swap(random.below(KEYS), random.below(KEYS));
            }
        }
        if kind.scans && at % 60_000 == 59_999 {
            scanned = 10_000;
        }
        if scanned > 0 || random.unit() < kind.once {
            scanned = scanned.saturating_sub(1);
            wonders += 1;
            return wonders;
        }
        let drawn = random.unit() * popularity[popularity.len() - 1];
        keys[popularity.partition_point(|sum| *sum < drawn).min(keys.len() - 1)]
    };
    (0..REQUESTS).map(next).map(|key| (key, class(kind, key, seed))).collect()
}

/// Returns the cumulative weights of Zipf's law.
fn popularity(exponent: f64) -> Vec<f64> {
    let weights = (1..=KEYS).map(|rank| (rank as f64).powf(-exponent));
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// Number of size classes.
pub const CLASSES: usize = 64;
/// Class of all keys if sizes are equal.
pub const SAME: usize = 10;

/// Returns the bytes of content in a class: a geometric series from 200 B to 16 MiB.
pub fn size(class: usize) -> usize {
    let last = (CLASSES - 1) as f64;
    (200.0 * ((16 << 20) as f64 / 200.0).powf(class as f64 / last)).round() as usize
}

/// Returns the class of a key. Most are near 10 KiB, few at the ends.
pub fn class(kind: &Kind, key: u64, seed: u64) -> usize {
    if !kind.sized {
        return SAME;
    }
    let mut random = Random(key ^ seed);
    let sum: f64 = (0..6).map(|_| random.unit()).sum::<f64>() - 3.0;
    let middle = (22.0 + 13.0 * sum).round();
    middle.clamp(0.0, (CLASSES - 1) as f64) as usize
}

/// SplitMix64, seeded by its value.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }
}
