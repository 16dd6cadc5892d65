//! Changes of members and endpoints, for notices.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::write_span;

use super::address::OriginAddress;

/// Change of a member or endpoint. It is displayed as a sentence without full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the member.
    pub member: Arc<str>,
    /// Address of the endpoint; `None` if the member has none, or had none before.
    pub address: Option<OriginAddress>,
    /// New state.
    pub kind: ChangeKind,
}

/// New state of a member or endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Active checks have failed, or the name has no address, with the reason.
    Down(Arc<str>),
    /// Active checks succeed again, or the name has addresses again.
    Up,
    /// Requests have failed: no request is sent for some time.
    Ejected {
        /// Length of the ejection.
        time: Duration,
        /// Reason of the last failure.
        why: Arc<str>,
    },
    /// The ejection has ended.
    Returned,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.member)?;
        if let Some(address) = &self.address {
            write!(f, " ({address})")?;
        }
        match &self.kind {
            ChangeKind::Down(why) => write!(f, " is down: {why}"),
            ChangeKind::Up => f.write_str(" is up"),
            ChangeKind::Ejected { time, why } => {
                write!(f, " is ejected for {}: {why}", write_span(*time))
            }
            ChangeKind::Returned => f.write_str(" has returned from its ejection"),
        }
    }
}
