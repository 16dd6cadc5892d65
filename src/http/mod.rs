//! HTTP/1.x without I/O: decodes received bytes into events, and encodes heads (RFC 9110, RFC
//! 9112).
//!
//! The module knows no socket, clock or randomness. [`ServerCodec`] decodes requests of clients,
//! [`ClientCodec`] responses of origins. Both give the same events however the bytes are split.
//! Field lines keep their order, spelling and repetition.
//!
//! Framing is strict: a message that two parsers could read in two ways is a [`ParseError`].
//! Requests are never repaired. Responses are repaired only where RFC 9112 asks that of a proxy,
//! while they are parsed.

mod body_length;
pub mod claims;
pub mod cond;
mod content_coding;
mod cookie;
pub mod date;
mod decimal;
mod field_names;
mod field_value;
mod fields;
mod h1;
mod head;
pub mod hop;
pub mod list;
mod mapping;
mod method;
mod multipart;
mod name;
mod parse_error;
pub(crate) mod percent;
pub mod range;
pub mod reference;
mod scheme;
mod status;
mod target;
mod version;
pub(crate) mod weight;

pub use body_length::BodyLength;
pub use content_coding::ContentCoding;
pub use cookie::cookie;
pub use field_names::FieldNames;
pub(crate) use field_value::is_field_value;
pub use fields::{Field, Fields};
pub use h1::chunked::{Chunked, ChunkedDecoder, write_chunk_size};
pub use h1::client::{ClientCodec, ClientEvent};
pub use h1::encode::{HeadWriter, write_last_chunk};
pub(crate) use h1::encode::{push_decimal, push_via};
pub use h1::framing::Framing;
pub(crate) use h1::made::response_head;
pub use h1::parse::{HeadLimits, MAX_FIELDS};
pub use h1::server::{ServerCodec, ServerEvent};
pub use head::{RequestHead, ResponseHead};
#[cfg(feature = "cli")]
pub(crate) use mapping::CookieAttributes;
pub use mapping::Mapping;
pub use method::Method;
pub use multipart::{Multipart, Piece};
pub use name::Name;
pub use parse_error::ParseError;
pub use scheme::Scheme;
pub use status::Status;
pub use target::{Authority, Form};
pub use version::Version;
