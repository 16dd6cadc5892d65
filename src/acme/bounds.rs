//! Bounds on what a CA may send, and on the time and requests of one operation.

use std::time::Duration;

/// Time for a whole operation. CAs validate within a minute; those that check by hand fail.
pub const OPERATION_TIME: Duration = Duration::from_secs(10 * 60);
/// Largest JSON body in bytes. An order of 100 identifiers has about 20 KiB.
pub const MOST_JSON: usize = 64 * 1024;
/// Largest certificate chain in bytes. Chains have about 8 KiB.
pub const MOST_CHAIN: usize = 256 * 1024;
/// Largest number of identifiers in one certificate: the limit of public CAs.
pub const MOST_IDENTIFIERS: usize = 100;
/// Largest number of requests in one operation: polls each second for its whole time, and three
/// requests for each identifier.
pub const MOST_REQUESTS: u32 = 1000;

/// Largest number of certificates in a chain: a root, and more intermediates than any CA has.
pub(super) const MOST_CERTIFICATES: usize = 10;
/// Number of nonces in a row that a CA may reject. A CA with several servers may reject a few.
pub(super) const MOST_BAD_NONCES: u32 = 5;
/// Number of failures, by the transport or the CA, that one operation tolerates. More of them are
/// for the back-off between operations.
pub(super) const MOST_FAILURES: u32 = 8;
/// Shortest and longest time between two polls, and between two tries after failures.
pub(super) const LEAST_WAIT: Duration = Duration::from_secs(1);
pub(super) const MOST_WAIT: Duration = Duration::from_secs(10);
/// Longest time between two polls that a CA may wish: several fit into the operation.
pub(super) const MOST_POLL: Duration = Duration::from_secs(60);
/// Longest time for which `Retry-After` is believed: a week, the longest window of rate limits.
pub(super) const MOST_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Longest URL, nonce and token in bytes. Those of CAs have less than a tenth.
pub(super) const MOST_URL: usize = 2048;
pub(super) const MOST_NONCE: usize = 1024;
pub(super) const MOST_TOKEN: usize = 256;
/// Longest text of a CA in a message, in bytes: what fits into a log line.
pub(super) const MOST_TEXT: usize = 400;
/// Largest number of subproblems that a message repeats.
pub(super) const MOST_SUBPROBLEMS: usize = 5;
