//! Batches of lines, gathered by size and age.

use std::time::{Duration, Instant};

/// Lines that are sent together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Whole lines.
    pub text: String,
    /// Number of the lines.
    pub lines: u64,
}

impl Batch {
    /// Returns the batch of whole lines.
    #[must_use]
    pub fn of(text: String) -> Self {
        let lines = text.lines().count() as u64;
        Self { text, lines }
    }
}

/// Batch that is being gathered.
#[derive(Clone, Debug)]
pub struct Batcher {
    /// Bytes beyond which no line is added.
    size: usize,
    /// Age at which the batch is complete.
    age: Duration,
    open: Batch,
    /// Time of the first line.
    began: Option<Instant>,
}

impl Batcher {
    /// Creates an empty batch of at most `size` bytes, or one line that is longer.
    #[must_use]
    pub fn new(size: usize, age: Duration) -> Self {
        Self { size, age, open: Batch::default(), began: None }
    }

    /// Adds a line. Returns the batch before, if the line does not fit into it.
    pub fn push(&mut self, line: &str, now: Instant) -> Option<Batch> {
        let is_full = !self.open.text.is_empty() && self.open.text.len() + line.len() > self.size;
        let full = if is_full { self.take() } else { None };
        self.began.get_or_insert(now);
        self.open.text.push_str(line);
        self.open.lines += 1;
        full
    }

    /// Returns the lines so far, if there are any, and begins anew.
    pub fn take(&mut self) -> Option<Batch> {
        self.began = None;
        Some(std::mem::take(&mut self.open)).filter(|batch| batch.lines > 0)
    }

    /// Returns the time at which the batch is complete; `None` if it is empty.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.began.map(|began| began + self.age)
    }
}
