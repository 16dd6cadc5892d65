//! Access check of a request: by rules, ports and special addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::http::Scheme;

use super::condition::RequestContext;
use super::denial::Denial;
use super::destination::DestinationPolicy;
use super::local_addresses::LocalAddresses;
use super::rules::{Decision, Exemptions, NameDecision, RuleRef, RuleSet};
use super::spelling::Host;

/// Decision on a request before the addresses of its destination are known, with the state that
/// each address is checked against.
#[derive(Clone, Debug)]
pub struct RuleDecision {
    rules: Arc<RuleSet>,
    answer: NameDecision,
    scheme: Scheme,
    port: u16,
    connect: bool,
}

impl RuleDecision {
    /// Returns true if the decision depends on the address.
    #[must_use]
    pub fn depends_on_address(&self) -> bool {
        self.answer.decided().is_none()
    }

    /// Returns the rules for `host` whose match depends on the address. Of rules that differ in
    /// their destination only, the first is returned.
    pub fn undecided(&self, host: &Host) -> impl Iterator<Item = RuleRef> {
        self.rules.undecided(&self.answer, host)
    }

    /// Returns the rule that would have denied the request, if the name alone decides and the
    /// denial is only logged.
    #[must_use]
    pub fn reported(&self) -> Option<&RuleRef> {
        match self.answer.decided() {
            Some(Decision::Report(rule)) => Some(rule),
            _ => None,
        }
    }

    fn denied(&self, host: &Host, rule: RuleRef) -> Denial {
        let Self { scheme, port, connect, .. } = *self;
        Denial::Rule { scheme, host: host.clone(), port, connect, rule }
    }
}

impl DestinationPolicy {
    /// Checks all that can be checked before the addresses of `host` are known; for an address
    /// literal, everything.
    ///
    /// # Errors
    /// The denial, if it does not depend on the addresses.
    pub fn check_request(
        &self,
        context: &RequestContext<'_>,
        host: &Host,
        port: u16,
        local: &LocalAddresses,
    ) -> Result<RuleDecision, Denial> {
        let answer = self.egress.check_request(context, host, port, local);
        let scheme = context.scheme;
        // A tunnel to port 80 is for http:// or ws://, and counts as a request for that.
        let connect = context.method == "CONNECT" && scheme == Scheme::Https;
        let rules = Arc::clone(&self.egress);
        let decision = RuleDecision { rules, answer, scheme, port, connect };
        if let Some(Decision::Deny(rule)) = decision.answer.decided() {
            return Err(decision.denied(host, rule.clone()));
        }
        if !self.egress.may_lift_ports(&decision.answer) {
            self.check_port(port, connect)?;
        }
        if let Host::Address(address) = host {
            self.check_address(&decision, host, *address, local)?;
        }
        Ok(decision)
    }

    /// Returns the first rule that matches `address` or, without one, the first whose match depends
    /// on no address. Returns `None` if the default decides.
    #[must_use]
    pub fn rule_for(
        &self,
        context: &RequestContext<'_>,
        (host, port): (&Host, u16),
        address: Option<IpAddr>,
        local: &LocalAddresses,
    ) -> Option<RuleRef> {
        self.egress.fitting(context, (host, port), address, local)
    }

    /// Checks that `address`, an address of `host`, may be dialled. Returns the rule that would
    /// have denied it, if the denial is only logged.
    ///
    /// # Errors
    /// The denial.
    pub fn check_address(
        &self,
        decision: &RuleDecision,
        host: &Host,
        address: IpAddr,
        local: &LocalAddresses,
    ) -> Result<Option<RuleRef>, Denial> {
        let RuleDecision { rules, answer, port, connect, .. } = decision;
        let (lifted, reported) = match rules.check_address(answer, host, address, local) {
            Decision::Allow(lifted) => (lifted, None),
            Decision::Report(rule) => (Exemptions::default(), Some(rule)),
            Decision::Deny(rule) => return Err(decision.denied(host, rule)),
        };
        if !lifted.ports {
            self.check_port(*port, *connect)?;
        }
        let to = SocketAddr::new(address, *port);
        self.check_dial(host, to, local, |address, class| lifted.names(address, class))?;
        Ok(reported)
    }
}
