//! What allocations take of memory.
//!
//! Allocators round up, to a few sizes between a power of two and the next, so that what was let go
//! of fits what comes. Whoever counts memory has to count that, too.

/// The least that sizes differ by.
const STEP: usize = 16;

/// What an allocation of `bytes` takes.
#[must_use]
pub const fn taken(bytes: usize) -> usize {
    bytes.saturating_add(step(bytes) - 1) / step(bytes) * step(bytes)
}

/// The most that takes no more than it holds, of up to `bytes`: nothing is lost by rounding up.
#[must_use]
pub const fn filled(bytes: usize) -> usize {
    bytes / step(bytes) * step(bytes)
}

/// What sizes around `bytes` differ by: there are four between a power of two and the next.
const fn step(bytes: usize) -> usize {
    match bytes.checked_next_power_of_two() {
        Some(power) if power / 8 > STEP => power / 8,
        Some(_) => STEP,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_is_lost_at_most() {
        for bytes in 65..100_000 {
            assert!(taken(bytes) >= bytes && taken(bytes) <= bytes + bytes / 4, "{bytes}");
            assert_eq!(taken(taken(bytes)), taken(bytes), "{bytes}");
            assert!(filled(bytes) <= bytes && taken(filled(bytes)) == filled(bytes), "{bytes}");
        }
    }

    #[test]
    fn sizes_are_these() {
        let sizes = [(0, 0), (1, 16), (16, 16), (65, 80), (128, 128), (129, 160), (257, 320)];
        sizes.iter().for_each(|&(bytes, size)| assert_eq!(taken(bytes), size));
        assert_eq!((taken(4097), filled(5119), taken(65_536)), (5120, 4096, 65_536));
        assert_eq!(taken(usize::MAX), usize::MAX);
    }
}
