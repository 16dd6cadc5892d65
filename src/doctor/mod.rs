//! Examination of a site: from what was seen of it and of its origin to findings with fixes, sans-IO.
//!
//! The caller asks the site as a browser would, and passes the exchanges as [`Observations`].
//! [`examine`] says what is wrong, by the cache's own policy where that is about caching.

mod caching;
mod cause;
mod certificate;
mod cookie;
mod cookies;
mod finding;
mod links;
mod mentions;
mod names;
mod observations;
mod redirects;
mod status;
#[cfg(test)]
mod tests;
mod transport;
mod url;
mod vary;

pub use cause::OTHER_CLAIMS;
pub use cookie::{Jar, Refusal, SetCookie};
pub use cookies::doubtful_paths;
pub use finding::{Finding, Fix, Place, Severity, Word};
pub use links::{Link, links};
pub use mentions::{ignores_tls, is_internal};
pub use observations::{
    Exchange, Observations, Origin, OriginAsk, OriginFailure, Probe, SeenCertificate, Visit,
    VisitEnd,
};
pub use url::Url;

/// Returns what is wrong with a site: errors first, each kind with equal fixes once.
#[must_use]
pub fn examine(seen: &Observations) -> Vec<Finding> {
    let checks = [
        status::check,
        redirects::check,
        names::check,
        certificate::check,
        cookies::check,
        transport::check,
        caching::check,
        vary::check,
    ];
    finding::joined(checks.iter().flat_map(|check| check(seen)).collect())
}
