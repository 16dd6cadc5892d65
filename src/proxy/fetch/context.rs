//! The parts of a proxy that a fetch can reach while it is driven.

use crate::proxy::mail::Mail;
use crate::proxy::shared::Core;
use crate::reactor::{Budget, Reactor};

/// What a fetch may use while it is driven.
#[derive(Debug)]
pub(crate) struct FetchCx<'a> {
    pub(crate) reactor: &'a mut Reactor<Mail>,
    pub(crate) core: &'a mut Core,
    pub(crate) budget: Budget,
}
