//! TLS below the operations of the reactor, through the public interface, on a simulated network.
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod closing;
mod content;
mod handshakes;
mod host;
mod hostile;
mod idle;
mod introduced;
#[cfg(feature = "cli")]
mod memory;
mod pair;
#[path = "../pki/mod.rs"]
mod pki;
mod proxy;
mod raw;
mod truncated;
