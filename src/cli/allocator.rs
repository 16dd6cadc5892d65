//! What the allocator holds of memory beside what it was asked for: the cache counts that, too.

use tikv_jemalloc_ctl::{Access, AsName, Result, epoch, stats};

use crate::proxy::Worker;

/// Which part of what is used may be kept in pages that are not, for the next who needs some.
const KEPT: usize = 32;
/// How long they are kept, in milliseconds.
const KEPT_FOR: isize = 10_000;
const PAGE: usize = 4096;

/// Tells `worker` what its heap takes, if that may have changed.
pub(super) fn tell(worker: &mut Worker) {
    if worker.has_grown()
        && let Ok(heap) = Heap::spare()
    {
        worker.count_heap(heap.used, heap.held);
    }
}

/// Bytes of the heap, with what the allocator needs itself.
struct Heap {
    used: usize,
    held: usize,
    /// In pages that nobody uses.
    idle: usize,
}

impl Heap {
    /// The heap as it is.
    fn read() -> Result<Self> {
        epoch::advance()?;
        let idle: usize = b"stats.arenas.0.pdirty\0".name().read()?;
        Ok(Self {
            used: stats::allocated::read()?,
            held: stats::resident::read()?,
            idle: idle.saturating_mul(PAGE),
        })
    }

    /// The heap without more idle pages than are of use.
    fn spare() -> Result<Self> {
        let heap = Self::read()?;
        if heap.idle <= heap.used / KEPT {
            return Ok(heap);
        }
        let kept_for = b"arena.0.dirty_decay_ms\0".name();
        kept_for.write(0_isize)?; // they go at once
        kept_for.write(KEPT_FOR)?;
        Self::read()
    }
}
