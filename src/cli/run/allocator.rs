//! Heap size as the allocator has it, including free memory that it holds: the cache is charged for
//! that, too.

use std::any::Any;

use tikv_jemalloc_ctl::{Access, AsName, Result, arenas, epoch, stats};

use crate::proxy::{Mail, Reclaimer, Worker};
use crate::reactor::{Mailbox, ThreadPool};

/// Divisor of the used bytes: the allocator may keep 1/32 of them in idle pages, for the next
/// allocations.
const KEPT: usize = 32;
/// Time for which the allocator keeps idle pages, in milliseconds.
const KEPT_FOR: isize = 10_000;
const PAGE: usize = 4096;

/// Samples of the heap size. Idle pages are returned to the system on a thread, because a large
/// heap has many.
pub(super) struct Heap {
    purger: ThreadPool<Mail>,
    state: State,
}

enum State {
    Idle,
    /// A thread is returning pages. Reading the size of the heap would wait for it.
    Purging,
    /// Pages were returned since the last sample.
    Purged,
}

/// Mail that tells the program that pages were returned.
struct Purged;

impl Heap {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self { purger: ThreadPool::new(1, mailbox), state: State::Idle }
    }

    /// Tells `worker` the size of the heap, if the worker wants a sample. If the heap has too many
    /// idle pages, returns those to the system first.
    pub(super) fn report_heap(&mut self, worker: &mut Worker) {
        if !worker.wants_heap_sample() || matches!(self.state, State::Purging) {
            return;
        }
        let Ok(Size { used, held, idle }) = Size::read() else { return };
        let was_purged = matches!(self.state, State::Purged);
        if idle > used / KEPT && !was_purged && self.purge() {
            self.state = State::Purging;
            return;
        }
        self.state = State::Idle;
        worker.set_heap_usage(used, held);
    }

    /// Starts to return idle pages. Returns false if there is no thread for it.
    fn purge(&self) -> bool {
        self.purger.run(|| Mail::Program(Box::new(purge()))).is_ok()
    }

    /// Records that idle pages were returned.
    pub(super) const fn purged(&mut self) {
        self.state = State::Purged;
    }
}

/// Sizes of the heap in bytes, including the allocator's own data.
struct Size {
    used: usize,
    held: usize,
    /// Bytes in pages without allocations.
    idle: usize,
}

impl Size {
    fn read() -> Result<Self> {
        epoch::advance()?;
        let idle: usize = b"stats.arenas.0.pdirty\0".name().read()?;
        Ok(Self {
            used: stats::allocated::read()?,
            held: stats::resident::read()?,
            idle: idle.saturating_mul(PAGE),
        })
    }
}

/// Returns all idle pages of all arenas to the system: threads have arenas of their own, and an idle
/// thread returns nothing by itself.
fn purge() -> Purged {
    for arena in 0..arenas::narenas::read().unwrap_or(1) {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let kept_for = name.as_bytes().name();
        let purged = kept_for.write(0_isize).and_then(|()| kept_for.write(KEPT_FOR));
        let _ = purged; // on an error, the pages are returned later
    }
    Purged
}

/// Drops values on a thread, and returns the pages that become idle.
#[derive(Debug)]
pub(super) struct Reclaiming(ThreadPool<Mail>);

impl Reclaiming {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self(ThreadPool::new(1, mailbox))
    }
}

impl Reclaimer for Reclaiming {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        self.0.discard((garbage, PurgedBehind)); // dropped from left to right
    }
}

struct PurgedBehind;

impl Drop for PurgedBehind {
    fn drop(&mut self) {
        let _: Purged = purge();
    }
}
