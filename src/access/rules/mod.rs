//! Rules in their order, grouped so that a request costs few look-ups however many rules there are.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::geo::GeoKinds;
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

/// Place where a rule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// The options; the line counts them from 1.
    Options,
    /// A file, by its name.
    File(Arc<str>),
}

/// Rule that decided a request, for logs and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRef {
    /// Text of the rule, in the syntax of rules.
    pub text: String,
    /// Source and line of the rule; `None` for the default.
    pub place: Option<(RuleSource, u32)>,
}

impl RuleRef {
    /// Returns the rule's name for logs: `rule rules.txt:7`, `rule 3` or `rule-default`.
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

/// Decision of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The request passes. The exemptions lift the denial of special addresses and ports that the
    /// rule names.
    Allow(Exemptions),
    /// The request passes; without report mode, this rule would have denied it.
    Report(RuleRef),
    Deny(RuleRef),
}

/// Special addresses and ports that an allow rule names, and thereby exempts from their denial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exemptions {
    pub(super) ports: bool,
    range: Option<Cidr>,
    classes: Vec<AddressClass>,
}

impl Exemptions {
    /// Returns true if the rule names `address`, or its class.
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

/// Consecutive rules from one source.
#[derive(Clone, Debug)]
struct Section {
    source: RuleSource,
    /// Line of the first rule in its source.
    at: u32,
    /// Line number of the first rule among all rules.
    first: LineNumber,
}

/// All rules, and the default for requests that none of them matches. An empty set allows
/// everything.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    groups: Vec<Group>,
    /// Index of the group for an action and its conditions.
    kinds: HashMap<(Action, Conditions), usize>,
    /// Number of conditions in all groups; each value counts.
    conditions: usize,
    geo_kinds: GeoKinds,
    sections: Vec<Section>,
    last: LineNumber,
    denies: bool,
    reports: bool,
    /// Files that the rules were read from, each with a hash of its content.
    files: BTreeMap<Box<str>, u64>,
}

/// Bound on the conditions of all groups. Every request is checked against each of them, which
/// takes some nanoseconds a condition: less than a millisecond in all.
const MOST_CONDITIONS: usize = 65_536;

/// Decision of the rules on a request, as far as it does not depend on the address.
#[derive(Clone, Debug)]
pub(super) struct NameDecision {
    /// Groups with a rule that may match, depending on the address, and that comes before `line`.
    undecided: Vec<usize>,
    /// Line of the first rule that matches whatever the address is; the maximum if there is none.
    line: LineNumber,
    /// Decision if no undecided rule matches.
    otherwise: Decision,
}

impl Drop for RuleSet {
    /// Counts the work of freeing all groups; the names of each group are few allocations.
    fn drop(&mut self) {
        work::count(self.groups.len() * LOOK_UP);
    }
}

impl RuleSet {
    /// Sets the default for requests that no rule matches: denied if `denies`. If `reports` is
    /// true, no request is denied by rules, and denials are only logged.
    pub const fn set_default(&mut self, denies: bool, reports: bool) {
        self.denies = denies;
        self.reports = reports;
    }

    /// Records that rules were read from `file`, with the content `text`.
    pub(super) fn note_file(&mut self, file: &str, text: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.files.insert(file.into(), hasher.finish());
    }

    /// Returns the files that the rules were read from.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(|file| &**file)
    }

    /// Returns the files that both sets were read from and whose content differs.
    pub fn changed_files<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = &'a str> {
        let both =
            self.files.iter().filter_map(|(file, old)| Some((file, old, newer.files.get(file)?)));
        both.filter(|(_, old, new)| old != new).map(|(file, ..)| &**file)
    }

    /// Returns true if there are no rules and the default allows everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && !self.denies
    }

    /// Returns the number of rules, including those of lists. Equal rules count once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.to.len()).sum()
    }

    /// Returns true if the default denies.
    #[must_use]
    pub const fn denies(&self) -> bool {
        self.denies
    }

    /// Returns true if denials are only logged.
    #[must_use]
    pub const fn reports(&self) -> bool {
        self.reports
    }

    /// Returns true if a rule has a condition on users.
    #[must_use]
    pub fn names_users(&self) -> bool {
        self.groups.iter().any(|group| group.conditions.names_users())
    }

    /// Returns the kinds of places that rules name.
    #[must_use]
    pub const fn geo_kinds(&self) -> GeoKinds {
        self.geo_kinds
    }

    /// Returns a listener that a rule names and that is not among `listeners`, as it was written.
    #[must_use]
    pub fn unknown_listener(&self, listeners: &[SocketAddr]) -> Option<String> {
        self.groups.iter().find_map(|group| group.conditions.unknown_listener(listeners))
    }

    /// Adds a rule after all others.
    ///
    /// # Errors
    /// A message that names the bound which is exceeded.
    pub(super) fn add(
        &mut self,
        place: (&RuleSource, u32),
        action: Action,
        conditions: &Conditions,
        to: &Destination,
    ) -> Result<(), String> {
        let line = self.line(place).ok_or("there are more than 2^32 lines of rules")?;
        let kind = (action, conditions.clone());
        let group = match self.kinds.get(&kind) {
            Some(&group) => group,
            None => {
                self.conditions += 1 + conditions.len();
                if self.conditions > MOST_CONDITIONS {
                    return Err(format!(
                        "there are more than {MOST_CONDITIONS} conditions that differ (each value \
                         counts); every request is compared with all of them"
                    ));
                }
                self.geo_kinds = self.geo_kinds.or(conditions.geo_kinds());
                let conditions = conditions.clone();
                self.groups.push(Group { action, conditions, to: Targets::default() });
                self.kinds.insert(kind, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        let added = self.groups.get_mut(group).is_some_and(|group| group.to.add(to, line));
        if added { Ok(()) } else { Err("the names in rules exceed 4 GiB".to_owned()) }
    }

    /// Returns the line number of the next rule among all rules, or `None` if there are too many.
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

    /// Returns the source and line of the rule with this line number among all rules.
    fn place(&self, line: LineNumber) -> Option<(RuleSource, u32)> {
        let next = self.sections.partition_point(|section| section.first <= line);
        let section = self.sections.get(next.checked_sub(1)?)?;
        Some((section.source.clone(), section.at + (line - section.first)))
    }

    /// Decides what can be decided before the address is known; for an address literal, that is
    /// everything.
    pub(super) fn check_request(
        &self,
        context: &RequestContext<'_>,
        host: &Host,
        port: u16,
        local: &LocalAddresses,
    ) -> NameDecision {
        let (mut decided, mut undecided) = (None, Vec::new());
        for (at, group) in self.groups.iter().enumerate() {
            if !group.holds(context, port) {
                continue;
            }
            let fit = match host {
                Host::Address(address) => group.fits(host, *address, local),
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
        // If the name is denied and every undecided rule denies as well, no address can change the
        // decision: the name need not be resolved.
        let denies = |&at: &usize| self.groups.get(at).is_some_and(|it| it.action == Action::Deny);
        if matches!(otherwise, Decision::Deny(_)) && undecided.iter().all(denies) {
            undecided.clear();
        }
        NameDecision { undecided, line, otherwise }
    }

    /// Decides on one address of `host`.
    pub(super) fn check_address(
        &self,
        answer: &NameDecision,
        host: &Host,
        address: IpAddr,
        local: &LocalAddresses,
    ) -> Decision {
        let fits = self.left_open(answer).filter_map(|group| {
            let fit = group.fits(host, address, local)?;
            (fit.line < answer.line).then_some((group, fit))
        });
        match fits.min_by_key(|(_, fit)| fit.line) {
            Some((group, fit)) => self.ruling(group, &fit),
            None => answer.otherwise.clone(),
        }
    }

    /// Returns the undecided groups, ordered by the first rule of each that may match.
    fn left_open(&self, answer: &NameDecision) -> impl Iterator<Item = &Group> {
        answer.undecided.iter().filter_map(|&at| self.groups.get(at))
    }

    /// Returns the undecided rules. Of rules that differ in their destination only, the first is
    /// returned.
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

    /// Returns the first rule that matches: for `address` or an address literal, or else whatever
    /// the addresses are.
    pub(super) fn fitting(
        &self,
        context: &RequestContext<'_>,
        (host, port): (&Host, u16),
        address: Option<IpAddr>,
        local: &LocalAddresses,
    ) -> Option<RuleRef> {
        let held = self.groups.iter().filter(|group| group.holds(context, port));
        let fits = held.filter_map(|group| {
            let fit = match (address, host) {
                (Some(address), _) | (None, &Host::Address(address)) => {
                    group.fits(host, address, local)
                }
                (None, Host::Name(name)) => group.fits_name(name),
            };
            Some((group, fit?))
        });
        let (group, fit) = fits.min_by_key(|(_, fit)| fit.line)?;
        Some(self.name(group, &fit))
    }

    /// Returns true if an undecided rule, or the decision otherwise, exempts ports from their
    /// denial.
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
    /// Returns the decision, if it depends on no address.
    pub(super) fn decided(&self) -> Option<&Decision> {
        self.undecided.is_empty().then_some(&self.otherwise)
    }
}

impl Group {
    /// Returns true if all conditions hold that do not depend on an address of the destination.
    fn holds(&self, context: &RequestContext<'_>, port: u16) -> bool {
        self.conditions.hold(context, port, self.action != Action::Allow)
    }

    /// Returns the destination that matches a name whatever its addresses are.
    fn fits_name(&self, name: &str) -> Option<Fit<'_>> {
        self.conditions.classes().is_empty().then(|| self.to.find_name(name)).flatten()
    }

    /// Returns the destination that may match a name, depending on its addresses.
    fn may_fit(&self, name: &str) -> Option<Fit<'_>> {
        let named = || self.to.find_name(name).filter(|_| !self.conditions.classes().is_empty());
        first([self.to.may_find(name), named()])
    }

    /// Returns the destination that matches a host with this address.
    fn fits(&self, host: &Host, address: IpAddr, local: &LocalAddresses) -> Option<Fit<'_>> {
        // Deny and report rules match an address also where it is only embedded; allow rules match
        // only addresses that a packet certainly reaches.
        let addresses = if self.action == Action::Allow {
            reachable_addresses(address)
        } else {
            embedded_addresses(address)
        };
        let classes = self.conditions.classes();
        // An address of this machine keeps the class of its block too, but only rules that deny or
        // report match that: allowing the block's class does not allow this machine.
        let denies = self.action != Action::Allow;
        let is_meant = |address| {
            classes.contains(&local.class_of(address))
                || (denies && classes.contains(&AddressClass::as_such(address)))
        };
        let meant = classes.is_empty() || addresses.iter().any(|&address| is_meant(address));
        meant.then(|| self.to.find(host, &addresses)).flatten()
    }
}

#[cfg(test)]
mod tests;
