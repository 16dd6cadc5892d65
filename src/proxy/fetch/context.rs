//! The parts of a proxy that a fetch can reach while it is driven.

use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::reactor::{Budget, Reactor};

/// What a fetch may use while it is driven.
#[derive(Debug)]
pub(crate) struct FetchCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) shared: &'a mut Shared,
    pub(crate) budget: Budget,
}
