//! What the allocator holds of memory beside what it was asked for: the cache counts that, too.

use std::any::Any;

use tikv_jemalloc_ctl::{Access, AsName, Result, arenas, epoch, stats};

use crate::proxy::{Mail, Reclaimer, Worker};
use crate::reactor::{Mailbox, ThreadPool};

/// Which part of what is used may be kept in pages that are not, for the next who needs some.
const KEPT: usize = 32;
/// How long they are kept, in milliseconds.
const KEPT_FOR: isize = 10_000;
const PAGE: usize = 4096;

/// Watches the heap. Idle pages are given back on a thread: of a large heap they are many.
pub(super) struct Heap {
    purger: ThreadPool<Mail>,
    state: State,
}

enum State {
    Idle,
    /// Pages are given back. To read the size of the heap would wait for that.
    Purging,
    /// Pages were given back since the last look.
    Purged,
}

/// The message that pages were given back.
struct Purged;

impl Heap {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self { purger: ThreadPool::new(1, mailbox), state: State::Idle }
    }

    /// Tells `worker` what its heap takes, if that may have changed, and once idle pages beyond those
    /// that are of use were given back.
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

    /// Has idle pages given back; false if there is no thread for that.
    fn purge(&self) -> bool {
        self.purger.run(|| Mail::Program(Box::new(purge()))).is_ok()
    }

    /// Pages were given back.
    pub(super) const fn purged(&mut self) {
        self.state = State::Purged;
    }
}

/// Bytes of the heap, with what the allocator needs itself.
struct Size {
    used: usize,
    held: usize,
    /// In pages that nobody uses.
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

/// Gives all idle pages back: threads have heaps of their own, and a thread that does nothing any more
/// gives nothing back.
fn purge() -> Purged {
    for arena in 0..arenas::narenas::read().unwrap_or(1) {
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let kept_for = name.as_bytes().name();
        let purged = kept_for.write(0_isize).and_then(|()| kept_for.write(KEPT_FOR));
        let _ = purged; // the pages go later, then
    }
    Purged
}

/// Frees on a thread, and gives back the pages in which that leaves nothing.
#[derive(Debug)]
pub(super) struct Reclaiming(ThreadPool<Mail>);

impl Reclaiming {
    pub(super) fn new(mailbox: Mailbox<Mail>) -> Self {
        Self(ThreadPool::new(1, mailbox))
    }
}

impl Reclaimer for Reclaiming {
    fn reclaim(&mut self, garbage: Box<dyn Any + Send>) {
        self.0.discard((garbage, PurgedBehind)); // dropped in this order
    }
}

struct PurgedBehind;

impl Drop for PurgedBehind {
    fn drop(&mut self) {
        let _: Purged = purge();
    }
}
