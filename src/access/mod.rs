//! Who may go where. Pure judgement: no name is looked up here and no socket opened.

mod destination;
mod embedded;
mod net;
mod own;
mod special;
mod spelling;

pub use destination::{Denial, DestinationPolicy, DestinationRule, NamePattern, Ports};
pub use net::Cidr;
pub use own::Own;
pub use special::{AddressClass, REGISTRY_DATE, SPECIAL_BLOCKS, SpecialBlock};
pub use spelling::{Host, SpellingError};
