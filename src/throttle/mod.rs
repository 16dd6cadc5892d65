//! Limits of clients: requests and bytes by time, and bans after offences. Nothing here knows a
//! socket, a clock or a file: the caller supplies addresses and `now`, and acts on the results.
//!
//! * [`RateLimiter`] says whether a request is within a [`RateLimit`].
//! * [`Bandwidth`] says how many bytes may be sent within a [`BandwidthLimit`].
//! * [`Bans`] counts offences by [`BanRule`]s, and keeps the bans that follow.
//!
//! All tables are bounded, and an operation takes the same time in a large table as in a small one:
//! a client with many addresses gains neither memory nor time.

mod bandwidth;
mod bandwidth_limit;
mod bans;
mod client;
mod limit_text;
mod rate_limit;
mod rate_limiter;
mod recent;

pub use bandwidth::{Bandwidth, Grant};
pub use bandwidth_limit::BandwidthLimit;
pub use bans::{Ban, BanAction, BanRule, Bans, Begun, Entry, NftSets, Offence};
pub use client::{ClientKey, ClientUnit};
pub use rate_limit::RateLimit;
pub use rate_limiter::RateLimiter;

#[cfg(test)]
mod tests;
