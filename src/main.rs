//! The `tidegate` command.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Allocator that returns freed pages to the system and reports the memory it holds.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::main()
}
