//! What is judged of a request: by the rules, and by what is denied until a rule names it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::condition::{RequestContext, Scheme};
use super::denial::Denial;
use super::destination::DestinationPolicy;
use super::local_addresses::LocalAddresses;
use super::rules::{Decision, Exemptions, NameDecision, RuleRef, RuleSet};
use super::spelling::Host;

/// What is decided of a request before the addresses of its destination are known, and what each of
/// them is judged by.
#[derive(Clone, Debug)]
pub struct RuleDecision {
    rules: Arc<RuleSet>,
    answer: NameDecision,
    port: u16,
    connect: bool,
}

impl RuleDecision {
    /// Whether rules wait for an address to decide.
    #[must_use]
    pub fn depends_on_address(&self) -> bool {
        self.answer.decided().is_none()
    }

    /// The rules that do, for that `host`: of those that differ in their destination only, the first.
    pub fn undecided(&self, host: &Host) -> impl Iterator<Item = RuleRef> {
        self.rules.undecided(&self.answer, host)
    }

    /// The rule that would have denied it, if that was decided by the name and is only written down.
    #[must_use]
    pub fn reported(&self) -> Option<&RuleRef> {
        match self.answer.decided() {
            Some(Decision::Report(rule)) => Some(rule),
            _ => None,
        }
    }

    fn denied(&self, host: &Host, rule: RuleRef) -> Denial {
        let Self { port, connect, .. } = *self;
        Denial::Rule { host: host.clone(), port, connect, rule }
    }
}

impl DestinationPolicy {
    /// Judges what can be judged before the addresses of `host` are known.
    ///
    /// # Errors
    /// The denial, if nothing depends on the addresses.
    pub fn check_request(
        &self,
        asker: &RequestContext<'_>,
        host: &Host,
        port: u16,
        own: &LocalAddresses,
    ) -> Result<RuleDecision, Denial> {
        let answer = self.egress.check_request(asker, host, port, own);
        let connect = asker.scheme == Scheme::Https;
        let rules = Arc::clone(&self.egress);
        let judgement = RuleDecision { rules, answer, port, connect };
        if let Some(Decision::Deny(rule)) = judgement.answer.decided() {
            return Err(judgement.denied(host, rule.clone()));
        }
        if !self.egress.may_lift_ports(&judgement.answer) {
            self.check_port(port, connect)?;
        }
        if let Host::Address(address) = host {
            self.judge(&judgement, host, *address, own)?;
        }
        Ok(judgement)
    }

    /// The rule that fits, of those that do not wait for an address or, if there is one, for it; none if
    /// the default decides.
    #[must_use]
    pub fn rule_for(
        &self,
        asker: &RequestContext<'_>,
        (host, port): (&Host, u16),
        address: Option<IpAddr>,
        own: &LocalAddresses,
    ) -> Option<RuleRef> {
        self.egress.fitting(asker, (host, port), address, own)
    }

    /// Whether `address`, which `host` has, may be dialled; if so, the rule that would have denied it,
    /// if there is one.
    ///
    /// # Errors
    /// The denial.
    pub fn judge(
        &self,
        judgement: &RuleDecision,
        host: &Host,
        address: IpAddr,
        own: &LocalAddresses,
    ) -> Result<Option<RuleRef>, Denial> {
        let RuleDecision { rules, answer, port, connect, .. } = judgement;
        let (lifted, reported) = match rules.check_address(answer, host, address, own) {
            Decision::Allow(lifted) => (lifted, None),
            Decision::Report(rule) => (Exemptions::default(), Some(rule)),
            Decision::Deny(rule) => return Err(judgement.denied(host, rule)),
        };
        if !lifted.ports {
            self.check_port(*port, *connect)?;
        }
        let to = SocketAddr::new(address, *port);
        self.check_dial(host, to, own, |address, class| lifted.names(address, class))?;
        Ok(reported)
    }
}
