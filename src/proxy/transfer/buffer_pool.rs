//! Spare buffers, kept for reuse.

/// Most empty buffers kept for reuse.
const SPARE: usize = 64;

/// Empty buffers of one size. The one returned last is handed out first, since it is still in the
/// processor's cache.
#[derive(Debug)]
pub(crate) struct BufferPool {
    pub(super) size: usize,
    spare: Vec<Vec<u8>>,
}

impl BufferPool {
    pub(crate) const fn of(size: usize) -> Self {
        Self { size, spare: Vec::new() }
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() == self.size && self.spare.len() < SPARE {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}
