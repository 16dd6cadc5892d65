//! Revocation of a certificate by the account that ordered it (RFC 8555 §7.6).

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use ring::rand::SecureRandom;
use serde_json::json;

use super::account::Account;
use super::error::AcmeError;
use super::object::Directory;
use super::session::{Next, Outcome, Post, Session};
use super::transport::{Action, Response};

/// Step of the operation in messages.
const STEP: &str = "revocation";

/// Reason of a revocation (RFC 5280 §5.3.1), those that CAs accept of subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// No reason is given.
    Unspecified = 0,
    /// The private key is known to others.
    KeyCompromise = 1,
    /// The subject has another name or affiliation.
    AffiliationChanged = 3,
    /// A new certificate has taken the place of this one.
    Superseded = 4,
    /// The names are no longer served.
    CessationOfOperation = 5,
}

impl RevocationReason {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// Returns the name of the reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
        }
    }

    /// Returns the reason with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Revocation of one certificate, driven as an [`Issuance`](super::Issuance) is. A certificate
/// that is already revoked counts as success.
#[derive(Debug)]
pub struct Revocation {
    session: Session,
    certificate: Vec<u8>,
    reason: RevocationReason,
    result: Option<Result<(), AcmeError>>,
}

impl Revocation {
    /// Returns the revocation of a certificate in DER.
    ///
    /// # Errors
    /// [`AcmeError`] if the directory is no URL.
    pub fn new(
        account: Account,
        certificate: &[u8],
        reason: RevocationReason,
    ) -> Result<Self, AcmeError> {
        let session = Session::new(account)?;
        Ok(Self { session, certificate: certificate.to_vec(), reason, result: None })
    }

    /// Returns the next action.
    pub fn next(&mut self, now: SystemTime, random: &dyn SecureRandom) -> Action<()> {
        let next = match &self.result {
            Some(Ok(())) => return Action::Done(()),
            Some(Err(error)) => return Action::Failed(error.clone()),
            None => self.advance(now, random),
        };
        next.unwrap_or_else(|error| {
            self.result = Some(Err(error.clone()));
            Action::Failed(error)
        })
    }

    /// Handles the response to the last request.
    pub fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        let outcome = self.session.receive(response, now);
        self.handle(outcome, response, now);
    }

    /// Handles the lack of a response to the last request, for the reason `why`.
    pub fn failed(&mut self, why: &str, now: SystemTime) {
        let outcome = self.session.failed(why, now);
        self.handle(outcome, &Response::default(), now);
    }

    fn advance(
        &mut self,
        now: SystemTime,
        random: &dyn SecureRandom,
    ) -> Result<Action<()>, AcmeError> {
        Ok(match self.session.next(now, random)? {
            Next::Send(request) => Action::Send(request),
            Next::Wait(until) => Action::Wait(until),
            Next::Ready(directory) => {
                let post = self.post(directory)?;
                Action::Send(self.session.post(post, STEP.to_owned(), random)?)
            }
        })
    }

    fn post(&self, directory: Directory) -> Result<Post, AcmeError> {
        let missing = || AcmeError::protocol("the CA's directory has no revokeCert").at(STEP);
        let url = directory.revoke_cert.ok_or_else(missing)?;
        let certificate = BASE64_URL.encode(&self.certificate);
        let payload = json!({ "certificate": certificate, "reason": self.reason as u8 });
        Ok(Post::write(url, payload))
    }

    fn handle(
        &mut self,
        outcome: Result<Outcome, AcmeError>,
        response: &Response<'_>,
        now: SystemTime,
    ) {
        if self.result.is_some() {
            return;
        }
        self.result = match outcome {
            Ok(Outcome::Nothing | Outcome::Again | Outcome::Restart) => None,
            Ok(Outcome::Success) => Some(Ok(())),
            Ok(Outcome::Refused(problem)) if problem.kind == "alreadyRevoked" => Some(Ok(())),
            Ok(Outcome::Refused(problem)) => {
                Some(Err(problem.into_error(STEP, response.retry_time(now))))
            }
            Err(error) => Some(Err(error)),
        };
    }
}
