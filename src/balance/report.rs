//! States of members and endpoints, for operators and clients.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::write_span;

use super::address::OriginAddress;
use super::endpoint::EndpointId;

/// State of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    /// Name of the member.
    pub name: Arc<str>,
    /// True if the member is a backup.
    pub backup: bool,
    /// Weight in force: that in the settings, or the operator's.
    pub weight: u32,
    /// Weight in the settings, if the operator has ordered another one.
    pub overridden: Option<u32>,
    /// True if the operator has ordered the member to drain.
    pub draining: bool,
    /// True if the operator has disabled the member.
    pub disabled: bool,
    /// Last failure to resolve the name; `None` if it resolves, or was not resolved yet.
    pub unresolved: Option<Unresolved>,
    /// Requests in flight to its endpoints.
    pub in_flight: u64,
    /// Requests begun so far, those to endpoints of the past included.
    pub requests: u64,
    /// Requests failed so far.
    pub failures: u64,
    /// Endpoints, in the order of their addresses.
    pub endpoints: Vec<EndpointReport>,
}

/// Failure to resolve the name of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Time since the first failure in a row.
    pub lasted: Duration,
    /// Reason of the last failure.
    pub why: Arc<str>,
}

/// State of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointReport {
    /// Id of the endpoint.
    pub id: EndpointId,
    /// Address of the endpoint.
    pub address: OriginAddress,
    /// State of the endpoint.
    pub state: EndpointState,
    /// Weight in force, in thousandths of that of the member: less than 1000 during a slow start.
    pub thousandths: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests begun so far.
    pub requests: u64,
    /// Requests failed so far.
    pub failures: u64,
}

/// State of an endpoint. If several apply, the first in this order is reported: disabled, down,
/// ejected, draining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// The endpoint is usable.
    Up,
    /// Active checks have failed.
    Down {
        /// Time since the endpoint went down.
        lasted: Duration,
        /// Reason of the last failed probe.
        why: Arc<str>,
    },
    /// Requests have failed.
    Ejected {
        /// Time until the ejection ends.
        left: Duration,
        /// Reason of the last failure.
        why: Arc<str>,
    },
    /// The operator has ordered the member to drain.
    Draining,
    /// The operator has disabled the member.
    Disabled,
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down { lasted, why } => write!(f, "down for {}: {why}", write_span(*lasted)),
            Self::Ejected { left, why } => {
                write!(f, "ejected for another {}: {why}", write_span(*left))
            }
            Self::Draining => f.write_str("draining"),
            Self::Disabled => f.write_str("disabled"),
        }
    }
}

impl MemberReport {
    /// Returns true if requests of new clients can be sent to the member, or it is not known yet
    /// whether its name has an address.
    #[must_use]
    pub fn takes_requests(&self) -> bool {
        let is_ordered_out = self.draining || self.disabled;
        let is_pending = self.endpoints.is_empty() && self.unresolved.is_none();
        !is_ordered_out && (is_pending || self.has_usable())
    }

    fn has_usable(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.state == EndpointState::Up)
    }

    /// Returns the reason for which no endpoint of the member is usable, such as 'http://a:80 is
    /// down for 12s: connection refused'; `None` if an endpoint is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let name = &self.name;
        if self.has_usable() {
            return None;
        }
        if self.disabled {
            return Some(format!("{name} is disabled"));
        }
        if let Some(endpoint) = self.endpoints.first() {
            return Some(format!("{name} is {}", endpoint.state));
        }
        Some(match &self.unresolved {
            Some(Unresolved { lasted, why }) => {
                format!("{name} is down for {}: {why}", write_span(*lasted))
            }
            None => format!("{name} is not resolved yet"),
        })
    }
}
