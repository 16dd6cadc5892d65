//! Counted work, for tests: the steps that parsing, comparing and copying take.
//!
//! Code whose cost a peer can choose counts its steps with [`count`]: one for each byte it reads,
//! compares or copies, and [`LOOK_UP`] for each allocation, hash or descent of a tree. A step takes
//! about a nanosecond, so a bound in steps is a bound in time that every machine agrees on. The
//! simulated network checks such bounds (`reactor::sim::Metered`).
//!
//! Without feature `sim`, counting compiles to nothing.

/// Steps of one allocation, hash, or descent of a tree.
pub const LOOK_UP: usize = 64;

/// Counts `steps` for the current thread.
#[inline]
pub fn count(steps: usize) {
    #[cfg(feature = "sim")]
    meter::add(steps);
    #[cfg(not(feature = "sim"))]
    let _ = steps;
}

/// Returns the steps counted by the current thread since it began.
#[cfg(feature = "sim")]
#[must_use]
pub fn counted() -> u64 {
    meter::read()
}

/// Point in the counted work of the current thread.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Mark {
    /// Returns the current point.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(feature = "sim")]
        return Self(meter::read());
        #[cfg(not(feature = "sim"))]
        Self(0)
    }

    /// Returns the steps counted since the point; 0 without feature `sim`.
    #[must_use]
    pub fn steps(self) -> u64 {
        Self::now().0 - self.0
    }
}

#[cfg(feature = "sim")]
mod meter {
    use std::cell::Cell;

    thread_local! {
        // Tests run in parallel, each on one thread, as every reactor does.
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add(steps: usize) {
        STEPS.with(|counted| counted.set(counted.get().saturating_add(steps as u64)));
    }

    pub(super) fn read() -> u64 {
        STEPS.with(Cell::get)
    }
}
