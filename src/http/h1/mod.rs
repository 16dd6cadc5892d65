//! Messages of HTTP/1.x on the wire (RFC 9112): parsed, decoded and written.

mod body;
pub(super) mod chunked;
pub(super) mod client;
pub(super) mod encode;
pub(super) mod parse;
pub(super) mod server;
