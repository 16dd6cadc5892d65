//! Access to the rest of the proxy for a fetch that is driven.

use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::reactor::{Budget, Reactor};

/// Parts of the proxy that a fetch may use while it is driven.
#[derive(Debug)]
pub(crate) struct FetchCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) shared: &'a mut Shared,
    /// Work that this drive may still do.
    pub(crate) budget: Budget,
}
