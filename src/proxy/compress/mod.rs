//! Compression on the fly: content of a response in flight, of a stored object or of a file becomes that of
//! another response in flight, which clients read as any other.
//!
//! A [`Compressor`] codes content once for all clients that want it in the same coding. Little content is
//! coded on the loop, more of it on threads. If the content is stored, its coded form is attached to the
//! object, and later hits compress nothing.

mod compressor;
mod input;
mod whole;

pub(crate) use compressor::{Compressor, Order};
pub(crate) use input::Uncompressed;
pub(crate) use whole::{code_little, code_whole, is_little};
