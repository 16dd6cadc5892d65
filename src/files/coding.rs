//! Siblings of a file that hold its content compressed.

use crate::http::ContentCoding;

/// Returns the end of the names of files that have content in this coding.
#[must_use]
pub const fn suffix(coding: ContentCoding) -> &'static str {
    match coding {
        ContentCoding::Brotli => ".br",
        ContentCoding::Zstd => ".zst",
        ContentCoding::Gzip => ".gz",
    }
}
