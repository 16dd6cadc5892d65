//! The PROXY protocol, versions 1 and 2: a header at the start of a connection, in which a proxy
//! states the addresses of the connection that it forwards.
//!
//! The specification is HAProxy's (`doc/proxy-protocol.txt`); sections named here are its sections.
//! A receiver must expect the header on every connection of a listener, or on none (§2), and only
//! from proxies that it trusts: this module judges the syntax.

mod checksum;
mod error;
mod header;
mod parse;
mod v1;
mod v2;
mod vectors;
mod write;

#[cfg(test)]
mod tests;

pub use error::HeaderError;
pub use header::{ClientTls, Header, MAX_HEADER, Parsed, Version};
pub use parse::parse;
pub use write::write;
