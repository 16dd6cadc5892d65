//! An operation at a CA: the state machine, and its request in flight.

use std::task::Poll;
use std::time::SystemTime;

use ring::rand::SecureRandom;

use crate::acme::renewal::RenewalInfo;
use crate::acme::{
    AcmeError, Action, Challenge, ChallengeKind, Issuance, Issued, RenewalQuery, Request, Response,
    Revocation,
};
use crate::proxy::fetch::state::Fetch;
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::reactor::{Arena, Reactor, Token};
use crate::tls::{Certificate, CertificateDer, PrivateKeyDer};

use super::own_request::OwnRequest;

/// Context in which an operation is driven.
pub(super) struct OperationCx<'a> {
    pub(super) owner: Token,
    /// Place of the certificate among those that are managed.
    pub(super) place: usize,
    pub(super) random: &'a dyn SecureRandom,
    pub(super) reactor: &'a mut Reactor<Mail>,
    pub(super) shared: &'a mut Shared,
    pub(super) fetches: &'a mut Arena<Fetch>,
}

/// An operation that is under way.
#[derive(Debug)]
pub(super) struct Operation {
    machine: Machine,
    request: Option<OwnRequest>,
}

/// The state machine of an operation.
#[derive(Debug)]
pub(super) enum Machine {
    Issue(Box<Issuance>),
    Revoke(Box<Revocation>),
    Ask(Box<RenewalQuery>),
}

/// Result of an operation.
#[derive(Debug)]
pub(super) enum Outcome {
    Issued(Box<Issued>),
    Revoked,
    /// Renewal information, if the CA offers any.
    Info(Option<RenewalInfo>),
}

impl Operation {
    pub(super) const fn new(machine: Machine) -> Self {
        Self { machine, request: None }
    }

    /// Returns the URL of the account, once it is known.
    pub(super) fn account_url(&self) -> Option<&str> {
        match &self.machine {
            Machine::Issue(issuance) => issuance.account_url(),
            Machine::Revoke(_) | Machine::Ask(_) => None,
        }
    }

    /// Continues as far as possible. `Err` is the time at which to continue at the latest, `Ok` the
    /// result, after which the operation is over.
    pub(super) fn drive(
        &mut self,
        cx: &mut OperationCx<'_>,
    ) -> Result<Result<Outcome, AcmeError>, SystemTime> {
        loop {
            let now = cx.reactor.now().wall;
            if let Some(request) = &mut self.request
                && let Poll::Ready(received) = request.drive(cx.reactor, cx.shared)
            {
                self.request = None;
                match received {
                    Ok(received) => self.machine.receive(&received.as_response(), now),
                    Err(why) => self.machine.failed(&why, now),
                }
            }
            match self.machine.next(now, cx.random) {
                Action::Send(request) => self.send(&request, cx),
                Action::Wait(until) => return Err(until),
                Action::Done(outcome) => return self.end(Ok(outcome), cx),
                Action::Failed(error) => return self.end(Err(error), cx),
            }
        }
    }

    fn send(&mut self, request: &Request, cx: &mut OperationCx<'_>) {
        self.answer_challenges(cx);
        let begun = OwnRequest::begin(request, cx.owner, cx.reactor, cx.shared, cx.fetches);
        match begun {
            Ok(request) => self.request = Some(request),
            Err(why) => self.machine.failed(&why, cx.reactor.now().wall),
        }
    }

    /// Makes the challenges of this moment answerable: the CA may ask once it has the next request.
    fn answer_challenges(&self, cx: &mut OperationCx<'_>) {
        let Machine::Issue(issuance) = &self.machine else { return };
        let challenges: Vec<Challenge> = issuance.challenges().cloned().collect();
        if !cx.shared.identity.answers(cx.place, &challenges) {
            let answers =
                challenges.iter().filter_map(|challenge| tls_answer(challenge, cx)).collect();
            cx.shared.identity.answer(cx.place, challenges, answers);
        }
    }

    fn end(
        &mut self,
        result: Result<Outcome, AcmeError>,
        cx: &mut OperationCx<'_>,
    ) -> Result<Result<Outcome, AcmeError>, SystemTime> {
        cx.shared.identity.answer(cx.place, Vec::new(), Vec::new());
        self.leave(cx.reactor, cx.shared);
        Ok(result)
    }

    /// Ends the request in flight, whose response is not wanted any more.
    pub(super) fn leave(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.request.take().iter().for_each(|request| request.leave(reactor, shared));
    }
}

impl Machine {
    fn next(&mut self, now: SystemTime, random: &dyn SecureRandom) -> Action<Outcome> {
        match self {
            Self::Issue(machine) => {
                mapped(machine.next(now, random), |issued| Outcome::Issued(Box::new(issued)))
            }
            Self::Revoke(machine) => mapped(machine.next(now, random), |()| Outcome::Revoked),
            Self::Ask(machine) => mapped(machine.next(now), Outcome::Info),
        }
    }

    fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        match self {
            Self::Issue(machine) => machine.receive(response, now),
            Self::Revoke(machine) => machine.receive(response, now),
            Self::Ask(machine) => machine.receive(response, now),
        }
    }

    fn failed(&mut self, why: &str, now: SystemTime) {
        match self {
            Self::Issue(machine) => machine.failed(why, now),
            Self::Revoke(machine) => machine.failed(why, now),
            Self::Ask(machine) => machine.failed(why, now),
        }
    }
}

/// Returns the certificate that answers a challenge within TLS, and the name that the CA asks for.
fn tls_answer(challenge: &Challenge, cx: &OperationCx<'_>) -> Option<(String, Certificate)> {
    if challenge.kind != ChallengeKind::TlsAlpn01 {
        return None;
    }
    let answer = challenge.certificate(cx.random).ok()?;
    let chain = vec![CertificateDer::from(answer.certificate)];
    let key = PrivateKeyDer::try_from(answer.key.to_vec()).ok()?;
    let certificate = Certificate::new(chain, key, cx.reactor.now().wall).ok()?;
    Some((challenge.identifier.server_name(), certificate))
}

fn mapped<T>(action: Action<T>, to: impl FnOnce(T) -> Outcome) -> Action<Outcome> {
    match action {
        Action::Send(request) => Action::Send(request),
        Action::Wait(until) => Action::Wait(until),
        Action::Done(result) => Action::Done(to(result)),
        Action::Failed(error) => Action::Failed(error),
    }
}
