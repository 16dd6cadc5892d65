//! Buffers that are kept for the next drive.

/// Empty buffers kept for the next who needs one.
const SPARE: usize = 64;

/// Empty buffers of one size, the one used last on top, since it is still in the processor's cache.
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
