//! Access control: which client may go to which destination. Pure decisions: nothing here resolves
//! a name, opens a socket or reads a file.

mod condition;
mod condition_value;
mod denial;
mod destination;
mod embedded;
mod local_addresses;
mod names;
mod net;
mod pattern;
mod ports;
mod ranges;
mod rule;
mod rule_decision;
mod rule_files;
mod rules;
mod special;
mod spelling;
mod targets;
mod within;

pub use condition::{Conditions, RequestContext};
pub use denial::Denial;
pub use destination::{DestinationPolicy, DestinationRule};
pub use local_addresses::LocalAddresses;
pub use net::Cidr;
pub use pattern::{NamePattern, NameReach};
pub use ports::Ports;
pub use rule::{Action, Destination, Destinations, Rule, RuleError};
pub use rule_decision::RuleDecision;
pub use rule_files::{BadRules, GivenRule, ReadFile, RuleOption, read_rules};
pub use rules::{RuleRef, RuleSet, RuleSource};
pub use special::{AddressClass, REGISTRY_DATE, SPECIAL_BLOCKS, SpecialBlock};
pub use spelling::{Host, SpellingError};
