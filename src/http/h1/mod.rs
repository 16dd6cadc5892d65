//! HTTP/1.x messages on the wire (RFC 9112): parsing, decoding and encoding.

mod body;
pub(super) mod chunked;
pub(super) mod client;
pub(super) mod encode;
pub(super) mod framing;
pub(super) mod made;
pub(super) mod parse;
pub(super) mod server;
