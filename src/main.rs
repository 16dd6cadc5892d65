//! The `tidegate` command.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// It gives back the pages of what was let go of, and says what it holds.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::main()
}
