//! Drivers of operations, on virtual time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use tidegate::acme::{
    Account, AccountKey, AcmeError, Action, CertificateOrder, Challenge, ChallengeKind, Identifier,
    Issuance, Issued, MOST_REQUESTS, OPERATION_TIME, RenewalQuery, Request, Response, Revocation,
};

use tidegate::acme::renewal::RenewalInfo;

use super::ca::{Ca, DIRECTORY, Reply};

/// First time of each test.
pub(crate) fn begin() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1 << 31)
}

/// Operation that a driver can run.
pub(crate) trait Operation {
    type Result;
    fn next(&mut self, now: SystemTime) -> Action<Self::Result>;
    fn receive(&mut self, response: &Response<'_>, now: SystemTime);
    fn failed(&mut self, why: &str, now: SystemTime);
    fn challenges(&self) -> Vec<Challenge> {
        Vec::new()
    }
}

impl Operation for Issuance {
    type Result = Issued;
    fn next(&mut self, now: SystemTime) -> Action<Issued> {
        self.next(now, &SystemRandom::new())
    }
    fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        self.receive(response, now);
    }
    fn failed(&mut self, why: &str, now: SystemTime) {
        self.failed(why, now);
    }
    fn challenges(&self) -> Vec<Challenge> {
        self.challenges().cloned().collect()
    }
}

impl Operation for Revocation {
    type Result = ();
    fn next(&mut self, now: SystemTime) -> Action<()> {
        self.next(now, &SystemRandom::new())
    }
    fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        self.receive(response, now);
    }
    fn failed(&mut self, why: &str, now: SystemTime) {
        self.failed(why, now);
    }
}

impl Operation for RenewalQuery {
    type Result = Option<RenewalInfo>;
    fn next(&mut self, now: SystemTime) -> Action<Option<RenewalInfo>> {
        self.next(now)
    }
    fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        self.receive(response, now);
    }
    fn failed(&mut self, why: &str, now: SystemTime) {
        self.failed(why, now);
    }
}

/// Result of an operation, with its course.
#[derive(Debug)]
pub(crate) struct Run<T> {
    pub(crate) result: Result<T, AcmeError>,
    /// Paths of the requests.
    pub(crate) paths: Vec<String>,
    /// Times waited.
    pub(crate) waits: Vec<Duration>,
    pub(crate) took: Duration,
}

/// Runs an operation. `respond` returns the response to a request, or `None` if there is none.
pub(crate) fn run_with<O: Operation>(
    operation: &mut O,
    mut respond: impl FnMut(&Request, &[Challenge]) -> Option<Reply>,
) -> Run<O::Result> {
    let (mut now, mut paths, mut waits) = (begin(), Vec::new(), Vec::new());
    let result = loop {
        match operation.next(now) {
            Action::Done(result) => break Ok(result),
            Action::Failed(error) => break Err(error),
            Action::Wait(until) => {
                waits.push(until.duration_since(now).expect("a time to come"));
                now = until;
            }
            Action::Send(request) => {
                paths.push(request.url.rsplit_once(".example/").unwrap().1.to_owned());
                match respond(&request, &operation.challenges()) {
                    Some(reply) => operation.receive(&response(&reply), now),
                    None => operation.failed("connection\nrefused", now),
                }
            }
        }
    };
    assert_eq!(operation.challenges(), [], "no challenge is left");
    assert!(paths.len() <= usize::try_from(MOST_REQUESTS).unwrap());
    let took = now.duration_since(begin()).unwrap();
    assert!(took <= OPERATION_TIME);
    if let Err(error) = &result {
        let text = error.to_string();
        assert!(!text.contains(char::is_control) && text.len() < 4000, "{text}");
    }
    Run { result, paths, waits, took }
}

pub(crate) fn run<O: Operation>(operation: &mut O, ca: &mut Ca) -> Run<O::Result> {
    run_with(operation, |request, answers| Some(ca.handle(request, answers)))
}

fn response(reply: &Reply) -> Response<'_> {
    Response {
        status: reply.status,
        replay_nonce: reply.nonce.as_deref(),
        location: reply.location.as_deref(),
        retry_after: reply.retry_after.as_deref(),
        body: &reply.body,
    }
}

pub(crate) fn account() -> Account {
    Account {
        directory: DIRECTORY.to_owned(),
        key: Arc::new(AccountKey::generate(&SystemRandom::new()).unwrap()),
        url: None,
        contacts: vec!["admin@a.example".to_owned()],
        terms_agreed: true,
        external: None,
    }
}

pub(crate) fn order(identifiers: &[&str]) -> CertificateOrder {
    CertificateOrder {
        identifiers: identifiers.iter().map(|text| Identifier::parse(text).unwrap()).collect(),
        challenges: vec![ChallengeKind::Http01, ChallengeKind::TlsAlpn01],
        profile: None,
        replaces: None,
    }
}

pub(crate) fn issuance(identifiers: &[&str]) -> Issuance {
    Issuance::new(account(), order(identifiers)).unwrap()
}
