//! Groups of origins at run time, sans-IO: selection, health, retries and queues.
//!
//! A [`Group`] is the 'upstream' of nginx and the 'backend' of HAProxy: members that serve the same
//! content. A member is one configured URL; each address that its name resolves to is an
//! *endpoint*. The driver owns the clock and the sockets: it resolves names, connects to endpoints,
//! sends probes, and reports the results to the group.
//!
//! # Which endpoint is selected
//!
//! An endpoint is *usable* if active checks have not found it down, it is not ejected, and the
//! operator has not ordered it out. A request goes to a usable endpoint of the primary members that
//! the request has not tried; without such an endpoint, to one of the backup members. A
//! [`Policy`] selects among them, and passes over endpoints that serve
//! [`max_requests`](MemberSettings::max_requests) already. If all do, requests wait in a queue, and
//! get the places that become free in the order of their arrival.
//!
//! A selection takes O(log n) steps for n endpoints.
//!
//! # Deadlines
//!
//! Every function that is given `now` first carries out what is due. The driver calls
//! [`Group::probes_due`] at [`Group::next_deadline`].

mod address;
mod ask;
mod change;
mod ejection;
mod endpoint;
mod group;
mod health;
mod identity;
mod instant;
mod order;
mod queue;
mod random;
mod report;
mod retry_budget;
mod ring;
mod settings;
mod slow_start;
mod tier;
mod turn;
mod weights;

pub use address::OriginAddress;
pub use ask::{Ask, Outcome, Selection};
pub use change::{Change, ChangeKind};
pub use endpoint::{EndpointId, EndpointView};
pub use group::{Group, MOST_CHANGES, MOST_PROBES, Seed};
pub use order::Order;
pub use queue::QueueFull;
pub use report::{EndpointReport, EndpointState, MemberReport, Unresolved};
pub use settings::{
    GroupSettings, HealthSettings, MOST_WEIGHT, MemberSettings, PassiveSettings, Policy,
    RetryBudget,
};
