//! What allocations take of memory.
//!
//! Allocators round up, to a few sizes between a power of two and the next, so that what was let go
//! of fits what comes. Whoever counts memory has to count that, too.

/// The least that sizes differ by.
const STEP: usize = 16;

/// What an allocation of `bytes` takes.
#[must_use]
pub const fn rounded_up(bytes: usize) -> usize {
    bytes.saturating_add(step(bytes) - 1) / step(bytes) * step(bytes)
}

/// The most that takes no more than it holds, of up to `bytes`: nothing is lost by rounding up.
#[must_use]
pub const fn rounded_down(bytes: usize) -> usize {
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
            assert!(
                rounded_up(bytes) >= bytes && rounded_up(bytes) <= bytes + bytes / 4,
                "{bytes}"
            );
            assert_eq!(rounded_up(rounded_up(bytes)), rounded_up(bytes), "{bytes}");
            assert!(
                rounded_down(bytes) <= bytes
                    && rounded_up(rounded_down(bytes)) == rounded_down(bytes),
                "{bytes}"
            );
        }
    }

    #[test]
    fn sizes_are_these() {
        let sizes = [(0, 0), (1, 16), (16, 16), (65, 80), (128, 128), (129, 160), (257, 320)];
        sizes.iter().for_each(|&(bytes, size)| assert_eq!(rounded_up(bytes), size));
        assert_eq!(
            (rounded_up(4097), rounded_down(5119), rounded_up(65_536)),
            (5120, 4096, 65_536)
        );
        assert_eq!(rounded_up(usize::MAX), usize::MAX);
    }
}
