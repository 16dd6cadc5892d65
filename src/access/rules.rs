//! Rules in their order, made so that however many stand next to each other, they are few look-ups.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::condition::{Asker, Conditions};
use super::embedded::{ends, facets};
use super::names::Line;
use super::net::Cidr;
use super::own::Own;
use super::rule::{Action, Destination};
use super::special::AddressClass;
use super::spelling::Host;
use super::targets::{Fit, Targets};

/// Where a rule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Among the options; its line counts them from 1.
    Options,
    /// In a file.
    File(Arc<str>),
}

/// A rule that has decided, for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The rule, as it could be written.
    pub text: String,
    /// Where it stands; none for the default.
    pub place: Option<(Source, u32)>,
}

impl RuleName {
    /// What logs call it: `rule rules.txt:7`, `rule 3`, `rule-default`.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.place {
            None => "rule-default".into(),
            Some((Source::Options, line)) => format!("rule {line}"),
            Some((Source::File(file), line)) => format!("rule {file}:{line}"),
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.text)?;
        match &self.place {
            None => Ok(()),
            Some((Source::Options, line)) => write!(f, " (rule {line})"),
            Some((Source::File(file), line)) => write!(f, " ({file}:{line})"),
        }
    }
}

/// What the rules have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It passes, and what the rule names is no longer denied of itself.
    Allow(Lifted),
    /// It passes, and would have been refused.
    Report(RuleName),
    Deny(RuleName),
}

/// What is denied until it is named, and was named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lifted {
    pub(super) ports: bool,
    range: Option<Cidr>,
    classes: Vec<AddressClass>,
}

impl Lifted {
    /// Whether an address of a class was named.
    pub(super) fn names(&self, address: IpAddr, class: AddressClass) -> bool {
        self.range.is_some_and(|range| range.contains(address)) || self.classes.contains(&class)
    }
}

/// Rules that stand next to each other and differ in their destination only.
#[derive(Clone, Debug)]
struct Run {
    source: Source,
    action: Action,
    conditions: Conditions,
    to: Targets,
}

/// All rules, and what becomes of requests that none of them fits. Without rules, everything passes.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    runs: Vec<Run>,
    denies: bool,
    reports: bool,
    /// The files that they were read from, each with a hash of what it held.
    files: BTreeMap<Box<str>, u64>,
}

/// What the rules say of a request as far as that does not depend on an address.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Those that may fit, depending on the address, and stand before the one that does.
    undecided: Vec<usize>,
    /// What is decided if none of them does.
    otherwise: Ruling,
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

    /// The files that these and `newer` were read from, and that held something else.
    pub fn changed_files<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = &'a str> {
        let both =
            self.files.iter().filter_map(|(file, old)| Some((file, old, newer.files.get(file)?)));
        both.filter(|(_, old, new)| old != new).map(|(file, ..)| &**file)
    }

    /// Whether there are no rules, and everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && !self.denies
    }

    /// How many rules there are, those of lists too. Of the same ones next to each other, one counts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.to.len()).sum()
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
        self.runs.iter().any(|run| run.conditions.names_users())
    }

    /// Adds a rule behind the others. False if there is no room for it.
    pub(super) fn add(
        &mut self,
        (source, line): (&Source, Line),
        action: Action,
        conditions: &Conditions,
        to: &Destination,
    ) -> bool {
        let goes_on = self.runs.last().is_some_and(|run| {
            run.action == action && run.conditions == *conditions && run.source == *source
        });
        if !goes_on {
            let (source, conditions) = (source.clone(), conditions.clone());
            self.runs.push(Run { source, action, conditions, to: Targets::default() });
        }
        self.runs.last_mut().is_some_and(|run| run.to.add(to, line))
    }

    /// What is decided before an address is known; of an address that was asked for, everything is.
    pub(super) fn ask(&self, asker: &Asker<'_>, host: &Host, port: u16, own: &Own) -> Answer {
        let mut undecided = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            if !run.conditions.hold(asker, port) {
                continue;
            }
            match host {
                Host::Address(address) => {
                    if let Some(fit) = run.fits(host, *address, own) {
                        return self.answer(undecided, self.ruling(run, &fit));
                    }
                }
                Host::Name(name) => {
                    let fit = run.to.find_name(name);
                    if run.depends_on_address(name, fit.is_some()) {
                        undecided.push(at);
                    } else if let Some(fit) = fit {
                        return self.answer(undecided, self.ruling(run, &fit));
                    }
                }
            }
        }
        self.answer(undecided, self.fallback())
    }

    /// What is denied by the name, and could only be denied by an address, is denied: nobody has to be
    /// asked for that.
    fn answer(&self, undecided: Vec<usize>, otherwise: Ruling) -> Answer {
        let denies = |&at: &usize| self.runs.get(at).is_some_and(|run| run.action == Action::Deny);
        let denied = matches!(otherwise, Ruling::Deny(_)) && undecided.iter().all(denies);
        Answer { undecided: if denied { Vec::new() } else { undecided }, otherwise }
    }

    /// What is decided of an address that `host` has.
    pub(super) fn judge(&self, answer: &Answer, host: &Host, address: IpAddr, own: &Own) -> Ruling {
        let runs = answer.undecided.iter().filter_map(|&at| self.runs.get(at));
        let fits = runs.filter_map(|run| Some((run, run.fits(host, address, own)?))).next();
        match fits {
            Some((run, fit)) => self.ruling(run, &fit),
            None => answer.otherwise.clone(),
        }
    }

    /// The rules that an answer leaves open, each named by the first line of those that stand together.
    pub(super) fn undecided(&self, answer: &Answer) -> Vec<RuleName> {
        let runs = answer.undecided.iter().filter_map(|&at| self.runs.get(at));
        runs.filter_map(|run| Some(run.name(&run.to.first()?))).collect()
    }

    /// The first rule that fits: whatever the addresses are, or one of them.
    pub(super) fn fitting(
        &self,
        asker: &Asker<'_>,
        (host, port): (&Host, u16),
        address: Option<IpAddr>,
        own: &Own,
    ) -> Option<RuleName> {
        let held = self.runs.iter().filter(|run| run.conditions.hold(asker, port));
        let fit = |run: &'_ Run| match (address, host) {
            (Some(address), _) | (None, &Host::Address(address)) => {
                run.fits(host, address, own).map(|fit| run.name(&fit))
            }
            (None, Host::Name(name)) => run.to.find_name(name).map(|fit| run.name(&fit)),
        };
        held.filter_map(fit).next()
    }

    /// Whether a rule that an answer leaves open, or that decides it, lifts the denial of ports.
    pub(super) fn may_lift_ports(&self, answer: &Answer) -> bool {
        let lifts = |run: &Run| run.action == Action::Allow && run.conditions.names_ports();
        matches!(answer.otherwise, Ruling::Allow(Lifted { ports: true, .. }))
            || answer.undecided.iter().filter_map(|&at| self.runs.get(at)).any(lifts)
    }

    fn ruling(&self, run: &Run, fit: &Fit<'_>) -> Ruling {
        match run.action {
            Action::Allow => Ruling::Allow(Lifted {
                ports: run.conditions.names_ports(),
                range: fit.range(),
                classes: run.conditions.classes().to_vec(),
            }),
            Action::Deny if !self.reports => Ruling::Deny(run.name(fit)),
            Action::Deny | Action::Report => Ruling::Report(run.name(fit)),
        }
    }

    fn fallback(&self) -> Ruling {
        if !self.denies {
            return Ruling::Allow(Lifted::default());
        }
        let default = RuleName { text: "rule-default deny".into(), place: None };
        if self.reports { Ruling::Report(default) } else { Ruling::Deny(default) }
    }
}

impl Answer {
    /// What is decided, if that depends on no address.
    pub(super) fn decided(&self) -> Option<&Ruling> {
        self.undecided.is_empty().then_some(&self.otherwise)
    }
}

impl Run {
    /// Whether an address decides if it fits, or what it lifts.
    fn depends_on_address(&self, name: &str, fits: bool) -> bool {
        let may_lift = self.action == Action::Allow;
        let addresses = (may_lift || !fits) && self.to.may_fit_addresses(name);
        addresses || (fits && !self.conditions.classes().is_empty())
    }

    /// The destination that fits a host that has this address.
    fn fits(&self, host: &Host, address: IpAddr, own: &Own) -> Option<Fit<'_>> {
        // What is denied is denied also where it is only embedded; what is allowed is where it leads.
        let facets = if self.action == Action::Allow { ends(address) } else { facets(address) };
        let classes = self.conditions.classes();
        let meant = classes.is_empty()
            || facets.iter().any(|&facet| classes.contains(&own.class_of(facet)));
        meant.then(|| self.to.find(host, &facets)).flatten()
    }

    fn name(&self, fit: &Fit<'_>) -> RuleName {
        let text = format!("{}{fit}{}", self.action, self.conditions);
        RuleName { text, place: Some((self.source.clone(), fit.line)) }
    }
}
