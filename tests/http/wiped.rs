//! Credentials are wiped from the memory that a head frees.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::support::{post, request};

const SECRET: &str = "Ym9iOnNlY3JldA==";

#[global_allocator]
static ALLOCATOR: Watched = Watched;

thread_local! {
    /// Buffers with the secret that this thread has freed; `None` while freed memory is not
    /// inspected.
    static FOUND: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The system's allocator, with an inspection of freed buffers.
struct Watched;

#[expect(unsafe_code, reason = "an allocator alone may look at memory that was given back")]
// SAFETY: the system's allocator does the work, and each call passes its own contract on.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what `alloc_zeroed` requires.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // A buffer of bytes has no padding and was allocated zeroed, so all of it can be read.
        if let Some(found) = FOUND.get()
            && layout.align() == 1
        {
            // SAFETY: `memory` is a buffer of that size, which is no longer used elsewhere.
            let bytes = unsafe { std::slice::from_raw_parts(memory, layout.size()) };
            let holds = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            FOUND.set(Some(found + usize::from(holds)));
        }
        // SAFETY: `memory` was returned by `alloc` for this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Returns how many buffers with the secret are freed when `value` is dropped.
fn left_by<T>(value: T) -> usize {
    FOUND.set(Some(0));
    drop(value);
    FOUND.take().unwrap_or_default()
}

#[test]
fn dropped_head_leaves_no_credentials_in_memory() {
    for name in ["Authorization", "Proxy-Authorization"] {
        let head = request(&post(format!("{name}: Basic {SECRET}\r\n").as_bytes())).unwrap();
        assert_eq!(left_by(head.clone()), 0, "{name}");
        assert_eq!(left_by(head), 0, "{name}");
    }
    assert_eq!(left_by(SECRET.to_owned()), 1, "a buffer that is not wiped is detected");
}
