//! Bans of clients after offences, as fail2ban has them, and bans by the operator.

mod action;
mod counters;
mod entry;
mod exempt;
mod in_force;
mod nft;
mod offence;
mod rule;
mod text;
mod unit;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Cidr;
use crate::time::Now;

use self::counters::{Counters, RuleId};
use self::exempt::Exempt;
use self::in_force::{Held, InForce};

pub use action::BanAction;
pub use entry::{Ban, Begun, Entry};
pub use nft::NftSets;
pub use offence::Offence;
pub use rule::BanRule;

/// Offences by client, and the bans that follow.
///
/// An IPv4-mapped IPv6 address counts as the IPv4 address. Loopback and the allowed networks are
/// never banned, not even by the ban of a network around them.
///
/// There is room for `bound` counters and for as many bans. The counter used least recently is
/// forgotten first; counters take no room from bans. Of bans, the ban by a rule that ends first
/// makes room. A ban by the operator makes room only for another one by the operator.
#[derive(Debug)]
pub struct Bans {
    rules: Vec<Numbered>,
    next_rule: RuleId,
    exempt: Exempt,
    counters: Counters,
    in_force: InForce,
    has_changed: bool,
}

/// Rule with its number and its text.
#[derive(Debug)]
struct Numbered {
    id: RuleId,
    rule: BanRule,
    text: Arc<str>,
}

impl Bans {
    /// Returns no bans. Networks in `allowed` are never banned.
    #[must_use]
    pub fn new(rules: Vec<BanRule>, allowed: Vec<Cidr>, bound: usize) -> Self {
        let mut bans = Self {
            rules: Vec::new(),
            next_rule: 0,
            exempt: Exempt::new(allowed),
            counters: Counters::new(bound),
            in_force: InForce::new(bound),
            has_changed: false,
        };
        bans.set_rules(rules);
        bans
    }

    /// Replaces rules and allowed networks. Rules that stay keep their counters. Bans stay, also
    /// those of former rules, unless all their addresses are allowed now; returns the bans that are
    /// lifted.
    pub fn reconfigure(&mut self, rules: Vec<BanRule>, allowed: Vec<Cidr>) -> Vec<Entry> {
        self.set_rules(rules);
        self.exempt = Exempt::new(allowed);
        let all = self.in_force.all().into_iter();
        let exempt = all.filter(|(network, ..)| self.exempt.covering(network).is_some());
        let exempt = exempt.map(|(network, action, _)| (network, action)).collect();
        self.remove(exempt)
    }

    fn set_rules(&mut self, rules: Vec<BanRule>) {
        let mut former = std::mem::take(&mut self.rules);
        self.rules = rules
            .into_iter()
            .map(|rule| match former.iter().position(|known| known.rule == rule) {
                Some(at) => former.swap_remove(at),
                None => {
                    self.next_rule += 1;
                    let text = rule.to_string().into();
                    Numbered { id: self.next_rule, rule, text }
                }
            })
            .collect();
    }

    /// Counts an offence of `client` under each rule that has its kind. Returns the bans that
    /// begin, or that last longer now. After that, the rule counts from zero.
    pub fn note(&mut self, client: IpAddr, offence: Offence, now: Now) -> Vec<Begun> {
        self.note_event(client, &[offence], now)
    }

    /// Counts an event that is an offence of several kinds: once under each rule that has one of
    /// them. Otherwise as [`note`](Self::note).
    pub fn note_event(&mut self, client: IpAddr, kinds: &[Offence], now: Now) -> Vec<Begun> {
        let Self { rules, exempt, counters, in_force, has_changed, .. } = self;
        let has_kind =
            |known: &&Numbered| kinds.iter().any(|&offence| known.rule.kinds.contain(offence));
        let mut rules = rules.iter().filter(has_kind).peekable();
        if rules.peek().is_none() || exempt.contains(client) {
            return Vec::new();
        }
        let mut begun = Vec::new();
        for Numbered { id, rule, text } in rules {
            let Some(network) = rule.by.network(client) else { continue };
            let offences = counters.add(*id, network, rule.within, now.mono);
            if offences >= rule.most {
                counters.forget(*id, network);
                let held = held(rule.time, offences, false, text, now);
                begun.extend(begin(in_force, network, rule.action, held, now));
            }
        }
        *has_changed |= !begun.is_empty();
        begun
    }

    /// Returns the strongest ban in force on `client`; of equal ones, the one that ends last. Costs
    /// one look-up for each prefix length among the banned networks, and nothing without bans.
    #[must_use]
    pub fn check(&self, client: IpAddr, now: Instant) -> Option<Ban<'_>> {
        if self.in_force.is_empty() {
            return None;
        }
        let (network, action, held) = self.in_force.find(client, now)?;
        let left = held.ends.saturating_duration_since(now);
        let ban = Ban { action, network, left, why: &held.why };
        (!self.exempt.contains(client)).then_some(ban)
    }

    /// Bans `network` for the operator, for `time` but ten years at most. Replaces a ban with the
    /// same action, even if that would last longer. `why` is shortened to one line of 250
    /// characters.
    ///
    /// # Errors
    /// A message if no address of the network may be banned.
    pub fn ban(
        &mut self,
        network: Cidr,
        action: BanAction,
        time: Duration,
        why: &str,
        now: Now,
    ) -> Result<Begun, String> {
        if let Some(exempt) = self.exempt.covering(&network) {
            return Err(if exempt.first().is_loopback() {
                format!("{network} is loopback, which is never banned")
            } else {
                format!(
                    "{network} is not banned, since {exempt} is allowed; remove it from the \
                     allowed networks first"
                )
            });
        }
        let held = held(time, 0, true, &text::one_line(why).into(), now);
        let begun = begin(&mut self.in_force, network, action, held, now);
        self.has_changed = true;
        begun.ok_or_else(|| format!("no room for a ban of {network}"))
    }

    /// Lifts the bans of `network` and of networks inside it, and forgets the offences counted
    /// there. A single IPv6 address stands for its /64, too. Returns the bans that are lifted.
    /// Takes a step for each ban and counter.
    pub fn lift(&mut self, network: Cidr) -> Vec<Entry> {
        let is_single_v6 = network.prefix() == 128;
        let client = is_single_v6.then(|| Cidr::around(network.first(), 64)).flatten();
        let is_lifted = |banned: &Cidr| network.covers(banned) || client.as_ref() == Some(banned);
        let lifted = self.in_force.all().into_iter().filter(|(banned, ..)| is_lifted(banned));
        let lifted = lifted.map(|(banned, action, _)| (banned, action)).collect();
        self.counters.forget_inside(&client.unwrap_or(network));
        self.remove(lifted)
    }

    fn remove(&mut self, bans: Vec<(Cidr, BanAction)>) -> Vec<Entry> {
        self.has_changed |= !bans.is_empty();
        let held = bans.into_iter().filter_map(|(network, action)| {
            Some(self.in_force.remove(&network, action)?.removed(network, action))
        });
        held.collect()
    }

    /// Returns true if some addresses of `network` are never banned.
    #[must_use]
    pub fn exempts_in(&self, network: &Cidr) -> bool {
        self.exempt.is_in(network)
    }

    /// Returns the bans in force, in the order of networks and actions.
    #[must_use]
    pub fn list(&self, now: Now) -> Vec<Entry> {
        let bans = self.in_force.all().into_iter().filter(|(.., held)| held.ends > now.mono);
        bans.map(|(network, action, held)| held.entry(network, action, now.mono)).collect()
    }

    /// Returns true if a rule counts offences.
    #[must_use]
    pub const fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Returns the number of bans, of which some may have ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_force.len()
    }

    /// Returns true if there is no ban.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_force.is_empty()
    }

    /// Removes up to `most` bans that have ended, and returns them in the order of their ends.
    pub fn expire(&mut self, now: Now, most: usize) -> Vec<Entry> {
        let ended = std::iter::from_fn(|| self.in_force.pop_ended(now.mono)).take(most);
        let ended = ended.map(|(network, action, held)| held.removed(network, action)).collect();
        self.has_changed |= !Vec::is_empty(&ended);
        ended
    }

    /// Returns the time at which [`expire`](Self::expire) is due; a past time if bans have ended.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.in_force.first_end()
    }

    /// Returns the bans as text, for [`restore`](Self::restore).
    #[must_use]
    pub fn to_text(&self) -> String {
        text::write(&self.in_force.all())
    }

    /// Adds the bans of a text, and returns their number. Bans that have ended and networks that
    /// are allowed now are left out. A ban lasts ten years at most.
    ///
    /// # Errors
    /// A message that names the line, if a line is malformed; then no ban is added.
    pub fn restore(&mut self, text: &str, now: Now) -> Result<usize, String> {
        let bans = text::read(text, now)?.into_iter();
        let valid = bans.filter(|(network, _, held)| {
            held.ends > now.mono && self.exempt.covering(network).is_none()
        });
        Ok(valid
            .filter_map(|(network, action, held)| {
                begin(&mut self.in_force, network, action, held, now)
            })
            .count())
    }

    /// Returns true if a ban has begun, ended or been lifted since the last call. The embedder then
    /// saves the bans.
    pub const fn changed(&mut self) -> bool {
        std::mem::replace(&mut self.has_changed, false)
    }
}

/// Returns a ban that begins now.
fn held(time: Duration, offences: u32, by_operator: bool, why: &Arc<str>, now: Now) -> Held {
    let time = time.min(rule::LONGEST);
    let (ends, until) = (now.mono + time, now.wall.checked_add(time).unwrap_or(now.wall));
    Held { since: now.wall, until, ends, offences, by_operator, why: why.clone() }
}

/// Stores a ban. Returns `None` if a ban with the same action lasts longer, or if there is no room.
/// A ban that is renewed keeps its beginning and its offences.
fn begin(
    in_force: &mut InForce,
    network: Cidr,
    action: BanAction,
    mut held: Held,
    now: Now,
) -> Option<Begun> {
    let before = in_force.get(&network, action).filter(|before| before.ends > now.mono);
    let is_renewed = before.is_some();
    if let Some(before) = before {
        if before.ends >= held.ends && !held.by_operator {
            return None;
        }
        held.since = held.since.min(before.since);
        held.offences = held.offences.saturating_add(before.offences);
    }
    let ban = held.entry(network, action, now.mono);
    let displaced = in_force.insert(network, action, held).ok()?;
    let displaced = displaced.map(|(network, action, held)| held.removed(network, action));
    Some(Begun { ban, is_renewed, displaced })
}

#[cfg(test)]
mod tests;
