//! Rules in their order, made so that however many there are, they are few look-ups.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::work::{self, LOOK_UP};

use super::condition::{Conditions, RequestContext};
use super::embedded::{embedded_addresses, reachable_addresses};
use super::local_addresses::LocalAddresses;
use super::names::LineNumber;
use super::net::Cidr;
use super::rule::{Action, Destination};
use super::special::AddressClass;
use super::spelling::Host;
use super::targets::{Fit, Targets, first};

/// Where a rule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// Among the options; its line counts them from 1.
    Options,
    /// In a file.
    File(Arc<str>),
}

/// A rule that has decided, for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// The rule, as it could be written.
    pub text: String,
    /// Where it stands; none for the default.
    pub place: Option<(RuleSource, u32)>,
}

impl RuleRef {
    /// What logs call it: `rule rules.txt:7`, `rule 3`, `rule-default`.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.place {
            None => "rule-default".into(),
            Some((RuleSource::Options, line)) => format!("rule {line}"),
            Some((RuleSource::File(file), line)) => format!("rule {file}:{line}"),
        }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.text)?;
        match &self.place {
            None => Ok(()),
            Some((RuleSource::Options, line)) => write!(f, " (rule {line})"),
            Some((RuleSource::File(file), line)) => write!(f, " ({file}:{line})"),
        }
    }
}

/// What the rules have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It passes, and what the rule names is no longer denied of itself.
    Allow(Exemptions),
    /// It passes, and would have been refused.
    Report(RuleRef),
    Deny(RuleRef),
}

/// What is denied until it is named, and was named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exemptions {
    pub(super) ports: bool,
    range: Option<Cidr>,
    classes: Vec<AddressClass>,
}

impl Exemptions {
    /// Whether an address of a class was named.
    pub(super) fn names(&self, address: IpAddr, class: AddressClass) -> bool {
        self.range.is_some_and(|range| range.contains(address)) || self.classes.contains(&class)
    }
}

/// Rules that differ in their destination only.
#[derive(Clone, Debug)]
struct Group {
    action: Action,
    conditions: Conditions,
    to: Targets,
}

/// Rules that were read one after the other from one place.
#[derive(Clone, Debug)]
struct Section {
    source: RuleSource,
    /// The line of the first of them there, and among all.
    at: u32,
    first: LineNumber,
}

/// All rules, and what becomes of requests that none of them fits. Without rules, everything passes.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    groups: Vec<Group>,
    /// Which group has that action and these conditions.
    kinds: HashMap<(Action, Conditions), usize>,
    /// How many conditions are to be looked at, each value for itself.
    conditions: usize,
    sections: Vec<Section>,
    last: LineNumber,
    denies: bool,
    reports: bool,
    /// The files that they were read from, each with a hash of what it held.
    files: BTreeMap<Box<str>, u64>,
}

/// Every request has each condition looked at, which takes some nanoseconds; so many take less than a
/// millisecond.
const MOST_CONDITIONS: usize = 65_536;

/// What the rules say of a request as far as that does not depend on an address.
#[derive(Clone, Debug)]
pub(super) struct NameDecision {
    /// Groups of rules of which some may fit, depending on the address, and stand before the one that
    /// does.
    undecided: Vec<usize>,
    /// Where that stands.
    line: LineNumber,
    /// What is decided if none of them does.
    otherwise: Decision,
}

impl Drop for RuleSet {
    /// Counts what freeing all groups takes; the names of each are few allocations.
    fn drop(&mut self) {
        work::count(self.groups.len() * LOOK_UP);
    }
}

impl RuleSet {
    /// What becomes of what no rule fits: denied, if `denies`; if `reports`, nothing is.
    pub const fn set_default(&mut self, denies: bool, reports: bool) {
        self.denies = denies;
        self.reports = reports;
    }

    /// Rules were read from `file`, which holds `text`.
    pub(super) fn note_file(&mut self, file: &str, text: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.files.insert(file.into(), hasher.finish());
    }

    /// The files that the rules were read from.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(|file| &**file)
    }

    /// The files that these and `newer` were read from, and that held something else.
    pub fn changed_files<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = &'a str> {
        let both =
            self.files.iter().filter_map(|(file, old)| Some((file, old, newer.files.get(file)?)));
        both.filter(|(_, old, new)| old != new).map(|(file, ..)| &**file)
    }

    /// Whether there are no rules, and everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && !self.denies
    }

    /// How many rules there are, those of lists too. Of the same ones, one counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.to.len()).sum()
    }

    /// Whether what no rule fits is denied.
    #[must_use]
    pub const fn denies(&self) -> bool {
        self.denies
    }

    /// Whether denials are only written down.
    #[must_use]
    pub const fn reports(&self) -> bool {
        self.reports
    }

    /// Whether a rule is about users.
    #[must_use]
    pub fn names_users(&self) -> bool {
        self.groups.iter().any(|group| group.conditions.names_users())
    }

    /// A listener that a rule is about, and that is none of `listeners`, as it was written.
    #[must_use]
    pub fn unknown_listener(&self, listeners: &[SocketAddr]) -> Option<String> {
        self.groups.iter().find_map(|group| group.conditions.unknown_listener(listeners))
    }

    /// Adds a rule behind the others.
    ///
    /// # Errors
    /// What there is too much of.
    pub(super) fn add(
        &mut self,
        place: (&RuleSource, u32),
        action: Action,
        conditions: &Conditions,
        to: &Destination,
    ) -> Result<(), String> {
        let line = self.line(place).ok_or("there are more than 4 thousand million lines")?;
        let kind = (action, conditions.clone());
        let group = match self.kinds.get(&kind) {
            Some(&group) => group,
            None => {
                self.conditions += 1 + conditions.len();
                if self.conditions > MOST_CONDITIONS {
                    return Err(format!(
                        "there are more than {MOST_CONDITIONS} conditions that differ, which each \
                         request would have to be compared with"
                    ));
                }
                let conditions = conditions.clone();
                self.groups.push(Group { action, conditions, to: Targets::default() });
                self.kinds.insert(kind, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        let added = self.groups.get_mut(group).is_some_and(|group| group.to.add(to, line));
        if added { Ok(()) } else { Err("there are more names than fit into 4 GiB".to_owned()) }
    }

    /// The line of the next rule among all.
    fn line(&mut self, (source, at): (&RuleSource, u32)) -> Option<LineNumber> {
        let section = self.sections.last().filter(|section| section.source == *source);
        let next =
            section.and_then(|section| section.first.checked_add(at.checked_sub(section.at)?));
        self.last = match next.filter(|&next| next > self.last) {
            Some(next) => next,
            None => {
                let first = self.last.checked_add(1)?;
                self.sections.push(Section { source: source.clone(), at, first });
                first
            }
        };
        Some(self.last)
    }

    /// Where the rule was written that has this line among all.
    fn place(&self, line: LineNumber) -> Option<(RuleSource, u32)> {
        let next = self.sections.partition_point(|section| section.first <= line);
        let section = self.sections.get(next.checked_sub(1)?)?;
        Some((section.source.clone(), section.at + (line - section.first)))
    }

    /// What is decided before an address is known; of an address that was asked for, everything is.
    pub(super) fn check_request(
        &self,
        asker: &RequestContext<'_>,
        host: &Host,
        port: u16,
        own: &LocalAddresses,
    ) -> NameDecision {
        let (mut decided, mut undecided) = (None, Vec::new());
        for (at, group) in self.groups.iter().enumerate() {
            if !group.conditions.hold(asker, port) {
                continue;
            }
            let fit = match host {
                Host::Address(address) => group.fits(host, *address, own),
                Host::Name(name) => {
                    let may_fit = group.may_fit(name);
                    undecided.extend(may_fit.map(|fit| (fit.line, at)));
                    group.fits_name(name)
                }
            };
            let fits = decided.into_iter().chain(fit.map(|fit| (group, fit)));
            decided = fits.min_by_key(|(_, fit): &(_, Fit<'_>)| fit.line);
        }
        let line = decided.as_ref().map_or(LineNumber::MAX, |(_, fit)| fit.line);
        let otherwise =
            decided.map_or_else(|| self.fallback(), |(group, fit)| self.ruling(group, &fit));
        undecided.retain(|&(first, _)| first < line);
        undecided.sort_unstable();
        let mut undecided: Vec<usize> = undecided.into_iter().map(|(_, at)| at).collect();
        // What is denied by the name, and could only be denied by an address, is denied: nobody has to
        // be asked for that.
        let denies = |&at: &usize| self.groups.get(at).is_some_and(|it| it.action == Action::Deny);
        if matches!(otherwise, Decision::Deny(_)) && undecided.iter().all(denies) {
            undecided.clear();
        }
        NameDecision { undecided, line, otherwise }
    }

    /// What is decided of an address that `host` has.
    pub(super) fn check_address(
        &self,
        answer: &NameDecision,
        host: &Host,
        address: IpAddr,
        own: &LocalAddresses,
    ) -> Decision {
        let fits = self.left_open(answer).filter_map(|group| {
            let fit = group.fits(host, address, own)?;
            (fit.line < answer.line).then_some((group, fit))
        });
        match fits.min_by_key(|(_, fit)| fit.line) {
            Some((group, fit)) => self.ruling(group, &fit),
            None => answer.otherwise.clone(),
        }
    }

    /// The groups that an answer leaves open, in the order of the first of each that may fit.
    fn left_open(&self, answer: &NameDecision) -> impl Iterator<Item = &Group> {
        answer.undecided.iter().filter_map(|&at| self.groups.get(at))
    }

    /// The rules that an answer leaves open: of those that differ in their destination only, the first.
    pub(super) fn undecided(
        &self,
        answer: &NameDecision,
        host: &Host,
    ) -> impl Iterator<Item = RuleRef> {
        self.left_open(answer).filter_map(|group| {
            let fit = group.may_fit(host.name()?)?;
            Some(self.name(group, &fit))
        })
    }

    /// The first rule that fits: whatever the addresses are, or one of them.
    pub(super) fn fitting(
        &self,
        asker: &RequestContext<'_>,
        (host, port): (&Host, u16),
        address: Option<IpAddr>,
        own: &LocalAddresses,
    ) -> Option<RuleRef> {
        let held = self.groups.iter().filter(|group| group.conditions.hold(asker, port));
        let fits = held.filter_map(|group| {
            let fit = match (address, host) {
                (Some(address), _) | (None, &Host::Address(address)) => {
                    group.fits(host, address, own)
                }
                (None, Host::Name(name)) => group.fits_name(name),
            };
            Some((group, fit?))
        });
        let (group, fit) = fits.min_by_key(|(_, fit)| fit.line)?;
        Some(self.name(group, &fit))
    }

    /// Whether a rule that an answer leaves open, or that decides it, lifts the denial of ports.
    pub(super) fn may_lift_ports(&self, answer: &NameDecision) -> bool {
        let lifts = |group: &Group| group.action == Action::Allow && group.conditions.names_ports();
        matches!(answer.otherwise, Decision::Allow(Exemptions { ports: true, .. }))
            || self.left_open(answer).any(lifts)
    }

    fn ruling(&self, group: &Group, fit: &Fit<'_>) -> Decision {
        match group.action {
            Action::Allow => Decision::Allow(Exemptions {
                ports: group.conditions.names_ports(),
                range: fit.range(),
                classes: group.conditions.classes().to_vec(),
            }),
            Action::Deny if !self.reports => Decision::Deny(self.name(group, fit)),
            Action::Deny | Action::Report => Decision::Report(self.name(group, fit)),
        }
    }

    fn fallback(&self) -> Decision {
        if !self.denies {
            return Decision::Allow(Exemptions::default());
        }
        let default = RuleRef { text: "rule-default deny".into(), place: None };
        if self.reports { Decision::Report(default) } else { Decision::Deny(default) }
    }

    fn name(&self, group: &Group, fit: &Fit<'_>) -> RuleRef {
        let text = format!("{}{fit}{}", group.action, group.conditions);
        RuleRef { text, place: self.place(fit.line) }
    }
}

impl NameDecision {
    /// What is decided, if that depends on no address.
    pub(super) fn decided(&self) -> Option<&Decision> {
        self.undecided.is_empty().then_some(&self.otherwise)
    }
}

impl Group {
    /// The destination that fits a name whatever its addresses are.
    fn fits_name(&self, name: &str) -> Option<Fit<'_>> {
        self.conditions.classes().is_empty().then(|| self.to.find_name(name)).flatten()
    }

    /// The destination that may fit a name, depending on its addresses.
    fn may_fit(&self, name: &str) -> Option<Fit<'_>> {
        let named = || self.to.find_name(name).filter(|_| !self.conditions.classes().is_empty());
        first([self.to.may_find(name), named()])
    }

    /// The destination that fits a host that has this address.
    fn fits(&self, host: &Host, address: IpAddr, own: &LocalAddresses) -> Option<Fit<'_>> {
        // What is denied is denied also where it is only embedded; what is allowed is where it leads.
        let facets = if self.action == Action::Allow {
            reachable_addresses(address)
        } else {
            embedded_addresses(address)
        };
        let classes = self.conditions.classes();
        // An address of this machine is also what else it is for, but that allows nothing.
        let denies = self.action != Action::Allow;
        let is_meant = |facet| {
            classes.contains(&own.class_of(facet))
                || (denies && classes.contains(&AddressClass::as_such(facet)))
        };
        let meant = classes.is_empty() || facets.iter().any(|&facet| is_meant(facet));
        meant.then(|| self.to.find(host, &facets)).flatten()
    }
}

#[cfg(test)]
mod tests;
