//! Upkeep: of groups of origins, look-ups of members' names, checks of their health, and notices about
//! changes; of bans, their ends and what operators are told of them.

pub(super) mod probe;

use std::time::Duration;

use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::reactor::{Arena, Driven, Reactor, Token, Wake};

use probe::Probe;

/// Time after which the names of members are looked up again: the resolver asks servers once an answer
/// has expired.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Driven once a group or a ban needs attention.
#[derive(Debug)]
pub(super) struct Upkeep;

impl Driven for Upkeep {
    const KIND: u8 = 11;
}

/// Does what is due, and sets the next deadline.
pub(super) fn drive(
    token: Token,
    probes: &mut Arena<Probe>,
    reactor: &mut Reactor<Mail>,
    shared: &mut Shared,
) {
    let now = reactor.now().mono;
    let origins = &mut shared.origins;
    let has_names = origins.groups.look_up(&mut origins.names, reactor);
    let due = origins.groups.due_checks(now, reactor);
    if !shared.draining {
        for due in due {
            let id = probes.insert_with(|id| Probe::new(id.token(), due, &shared.settings, now));
            reactor.wake(id.token());
        }
    }
    let changes = shared.origins.groups.take_changes();
    let lines = changes.iter().map(|(group, change)| format!("origin '{group}': {change}"));
    shared.notices.extend(lines);
    let (lines, banned) = shared.throttling.bans.keep(reactor.now());
    shared.notices.extend(lines);
    let checked = shared.origins.groups.next_deadline();
    let looked_up = has_names.then(|| now + LOOK_UP);
    reactor.set_deadline(token, checked.into_iter().chain(looked_up).chain(banned).min());
}
