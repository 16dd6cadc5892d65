//! Who may go where. Pure judgement: no name is looked up here and no socket opened.

mod destination;
mod net;
mod special;
mod spelling;

pub use destination::{Denial, DestinationPolicy, DestinationRule, NamePattern, Ports};
pub use net::Cidr;
pub use special::AddressClass;
pub use spelling::{Host, SpellingError};
