//! HTTP/1.x without I/O: bytes in, events out, and heads written back (RFC 9110, RFC 9112).
//!
//! Nothing here knows a socket, a clock or randomness. A [`ServerCodec`] reads what clients send, a
//! [`ClientCodec`] what origins answer; both give the same events however the bytes are split.
//! Messages are kept as they came: order, spelling and repetition of fields survive.
//!
//! Framing is strict: what two parsers could read two ways is a [`ParseError`]. Of requests nothing is
//! repaired; of responses only what RFC 9112 has a proxy repair, while they are read.

pub mod claims;
pub mod cond;
pub mod date;
mod field_names;
mod fields;
mod framing;
mod h1;
mod head;
pub mod hop;
pub mod list;
mod method;
mod multipart;
mod name;
mod parse_error;
pub mod range;
pub mod reference;
mod status;
mod target;
mod version;

pub use field_names::FieldNames;
pub use fields::{Field, Fields};
pub use framing::Framing;
pub use h1::chunked::{Chunked, ChunkedDecoder, write_chunk_size};
pub use h1::client::{ClientCodec, ClientEvent};
pub use h1::encode::{HeadWriter, write_last_chunk};
pub(crate) use h1::encode::{push_decimal, push_via};
pub use h1::parse::{HeadLimits, MAX_FIELDS};
pub use h1::server::{ServerCodec, ServerEvent};
pub use head::{RequestHead, ResponseHead};
pub use method::Method;
pub use multipart::{Multipart, Piece};
pub use name::Name;
pub use parse_error::ParseError;
pub use status::Status;
pub use target::{Authority, Form};
pub use version::Version;
