//! Sizes of heap allocations.
//!
//! Allocators round sizes up to a few classes between a power of two and the next, so that freed
//! memory fits later allocations. An account of memory has to include the rounding.

/// Smallest difference between two size classes, in bytes.
const STEP: usize = 16;

/// Returns the bytes that an allocation of `bytes` occupies.
#[must_use]
pub const fn rounded_up(bytes: usize) -> usize {
    bytes.saturating_add(step(bytes) - 1) / step(bytes) * step(bytes)
}

/// Returns the largest allocation size ≤ `bytes` that fills its size class exactly.
#[must_use]
pub const fn rounded_down(bytes: usize) -> usize {
    bytes / step(bytes) * step(bytes)
}

/// Returns the difference between size classes around `bytes`: there are four classes between a
/// power of two and the next.
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
    fn rounding_wastes_at_most_a_fifth() {
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
    fn size_classes_are_known() {
        let sizes = [(0, 0), (1, 16), (16, 16), (65, 80), (128, 128), (129, 160), (257, 320)];
        sizes.iter().for_each(|&(bytes, size)| assert_eq!(rounded_up(bytes), size));
        assert_eq!(
            (rounded_up(4097), rounded_down(5119), rounded_up(65_536)),
            (5120, 4096, 65_536)
        );
        assert_eq!(rounded_up(usize::MAX), usize::MAX);
    }
}
