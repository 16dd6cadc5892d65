//! Issuance of one certificate (RFC 8555 §7.4): order, authorizations, finalization, download.

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;
use ring::rand::SecureRandom;
use serde_json::json;

use super::account::Account;
use super::authorizations::{Authorizations, Reading};
use super::bounds::{LEAST_WAIT, MOST_CHAIN, MOST_POLL};
use super::certificate::{CertificateRequest, Issued};
use super::challenge::Challenge;
use super::error::AcmeError;
use super::object::{Directory, Order};
use super::order::CertificateOrder;
use super::problem::Problem;
use super::session::{Next, Outcome, Post, Session, growing, location};
use super::transport::{Action, Response, later};

/// Content type of certificate chains (RFC 8555 §7.4.2).
const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// Issuance of one certificate. It ends within 10 minutes and 1,000 requests.
///
/// The driver performs the action that [`next`](Self::next) returns, and calls it again after each
/// [`receive`](Self::receive) and [`failed`](Self::failed), and when a wait is over. Whenever it
/// sends a request, it answers for [`challenges`](Self::challenges) before.
#[derive(Debug)]
pub struct Issuance {
    session: Session,
    order: CertificateOrder,
    step: Step,
    authorizations: Authorizations,
    /// URL of the order at the CA.
    url: String,
    finalize: String,
    /// Key and request, once they are needed.
    request: Option<CertificateRequest>,
    /// Number of polls of the order in a row.
    polls: u32,
    result: Option<Result<Issued, AcmeError>>,
}

/// Request to be sent next, or whose response is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    NewOrder,
    /// Reads the authorization at this place.
    Authorization(usize),
    /// Lets the CA validate the challenge at this place.
    Challenge(usize),
    Finalize,
    Order,
    /// Downloads the certificate from this URL.
    Certificate(String),
}

impl Issuance {
    /// Returns the issuance of a certificate.
    ///
    /// # Errors
    /// [`AcmeError`] if the directory is no URL, or the order has no identifiers, too many, or no
    /// kind of challenge.
    pub fn new(account: Account, order: CertificateOrder) -> Result<Self, AcmeError> {
        let order = order.checked()?;
        Ok(Self {
            session: Session::new(account)?,
            order,
            step: Step::NewOrder,
            authorizations: Authorizations::default(),
            url: String::new(),
            finalize: String::new(),
            request: None,
            polls: 0,
            result: None,
        })
    }

    /// Returns the next action.
    pub fn next(&mut self, now: SystemTime, random: &dyn SecureRandom) -> Action<Issued> {
        let next = match &self.result {
            Some(Ok(issued)) => return Action::Done(issued.clone()),
            Some(Err(error)) => return Action::Failed(error.clone()),
            None => self.advance(now, random),
        };
        next.unwrap_or_else(|error| Action::Failed(self.end(error)))
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

    /// Returns the challenges that must be answered now: each from before the CA is asked to
    /// validate it until its authorization is final.
    pub fn challenges(&self) -> impl Iterator<Item = &Challenge> {
        self.authorizations.challenges().filter(|_| self.result.is_none())
    }

    /// Returns the URL of the account, once it is known. Kept for later operations, it saves a
    /// request.
    #[must_use]
    pub fn account_url(&self) -> Option<&str> {
        self.session.account().url.as_deref()
    }

    fn advance(
        &mut self,
        now: SystemTime,
        random: &dyn SecureRandom,
    ) -> Result<Action<Issued>, AcmeError> {
        Ok(match self.session.next(now, random)? {
            Next::Send(request) => Action::Send(request),
            Next::Wait(until) => Action::Wait(until),
            Next::Ready(directory) => {
                let post = self.post(&directory, random)?;
                Action::Send(self.session.post(post, self.step_name(), random)?)
            }
        })
    }

    /// Returns the request of the current step.
    fn post(
        &mut self,
        directory: &Directory,
        random: &dyn SecureRandom,
    ) -> Result<Post, AcmeError> {
        Ok(match &self.step {
            Step::NewOrder => Post::write(directory.new_order.clone(), self.order.payload()),
            Step::Authorization(at) => Post::read(self.authorizations.url(*at)),
            Step::Challenge(at) => Post::write(self.authorizations.challenge_url(*at), json!({})),
            Step::Finalize => {
                let request = match self.request.take() {
                    Some(request) => request,
                    None => CertificateRequest::new(&self.order.identifiers, random)?,
                };
                let csr = BASE64_URL.encode(&self.request.insert(request).der);
                Post::write(self.finalize.clone(), json!({ "csr": csr }))
            }
            Step::Order => Post::read(self.url.clone()),
            Step::Certificate(url) => {
                Post { accept: Some(PEM_CHAIN), most: MOST_CHAIN, ..Post::read(url.clone()) }
            }
        })
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
        let handled = match outcome {
            Ok(Outcome::Nothing) => Ok(()),
            Ok(Outcome::Again) => {
                self.look_first();
                Ok(())
            }
            Ok(Outcome::Restart) => {
                self.restart();
                Ok(())
            }
            Ok(Outcome::Success) => {
                let done = self.proceed(response, now);
                done.map_err(|error| error.at(&self.step_name()))
            }
            Ok(Outcome::Refused(problem)) => self.refused(problem, response, now),
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            self.end(error);
        }
    }

    /// Continues after a request of the current step was refused, if that is possible.
    fn refused(
        &mut self,
        problem: Problem,
        response: &Response<'_>,
        now: SystemTime,
    ) -> Result<(), AcmeError> {
        match (&self.step, problem.kind.as_str()) {
            // The CA has replaced the certificate already (RFC 9773 §5), or does not know it, because
            // another CA has issued it. Without the certificate, the CA judges the order alone.
            (Step::NewOrder, _) if self.order.replaces.take().is_some() => Ok(()),
            // The CA has not yet seen that all authorizations are valid, or has finalized the order
            // already.
            (Step::Finalize, "orderNotReady") => {
                self.poll_order(response, now);
                Ok(())
            }
            _ => Err(problem.into_error(&self.step_name(), response.retry_time(now))),
        }
    }

    /// Lets the state at the CA decide what is sent, where a request that has changed it may have
    /// arrived.
    fn look_first(&mut self) {
        match self.step {
            Step::Challenge(at) => self.step = Step::Authorization(at),
            Step::Finalize => self.step = Step::Order,
            _ => {}
        }
    }

    /// Begins again with a new order, for a new account.
    fn restart(&mut self) {
        self.step = Step::NewOrder;
        self.authorizations = Authorizations::default();
    }

    /// Continues with the response to the request of the current step.
    fn proceed(&mut self, response: &Response<'_>, now: SystemTime) -> Result<(), AcmeError> {
        let directory = self.session.account().directory.clone();
        match self.step {
            Step::NewOrder => {
                self.url = location(response, &directory)?;
                let order = Order::read(response.body, &directory)?;
                self.authorizations = Authorizations::new(&order.authorizations);
                self.ordered(order, response, now)
            }
            Step::Authorization(at) => {
                let account = self.session.account();
                match self.authorizations.read(at, response.body, account, &self.order)? {
                    Reading::Unasked => self.step = Step::Challenge(at),
                    Reading::Validating(polls) => self.authorize(polls, response, now),
                    Reading::Valid => self.authorize(0, response, now),
                }
                Ok(())
            }
            Step::Challenge(at) => {
                self.authorizations.accepted(at);
                self.authorize(1, response, now);
                Ok(())
            }
            Step::Finalize | Step::Order => {
                let order = Order::read(response.body, &directory)?;
                self.ordered(order, response, now)
            }
            Step::Certificate(_) => {
                let request = self.request.as_ref();
                let request = request.ok_or_else(|| AcmeError::protocol("no request was sent"))?;
                let issued = request.accept(response.body, &self.order.identifiers)?;
                self.result = Some(Ok(issued));
                Ok(())
            }
        }
    }

    /// Continues with the next authorization, or finalizes the order. Before one is polled, the CA
    /// is given time if it was found to validate `polls` times.
    fn authorize(&mut self, polls: u32, response: &Response<'_>, now: SystemTime) {
        match self.authorizations.next() {
            None => self.step = Step::Finalize,
            Some((at, is_new)) => {
                self.step = Step::Authorization(at);
                if !is_new && polls > 0 {
                    self.wait(polls, response, now);
                }
            }
        }
    }

    /// Continues by the state of the order (RFC 8555 §7.1.6).
    fn ordered(
        &mut self,
        order: Order,
        response: &Response<'_>,
        now: SystemTime,
    ) -> Result<(), AcmeError> {
        self.finalize = order.finalize;
        match (order.status.as_str(), order.certificate) {
            ("pending", _) if self.authorizations.next().is_some() => {
                self.authorize(0, response, now);
            }
            // The CA has not yet begun to finalize the order.
            ("ready", _) if self.step == Step::Finalize => self.poll_order(response, now),
            ("ready", _) => self.step = Step::Finalize,
            ("pending" | "processing", _) => self.poll_order(response, now),
            ("valid", Some(url)) if self.request.is_some() => self.step = Step::Certificate(url),
            ("invalid", _) => {
                let problem = order.problem.unwrap_or_else(|| Problem::of(0, &[]));
                return Err(problem.into_invalid("order is invalid"));
            }
            (status, _) => {
                return Err(AcmeError::protocol(format!("the order has the status '{status}'")));
            }
        }
        Ok(())
    }

    fn poll_order(&mut self, response: &Response<'_>, now: SystemTime) {
        self.step = Step::Order;
        self.polls += 1;
        self.wait(self.polls, response, now);
    }

    /// Waits until the CA is polled again: as long as it wishes, within bounds.
    fn wait(&mut self, polls: u32, response: &Response<'_>, now: SystemTime) {
        let (least, most) = (later(now, LEAST_WAIT), later(now, MOST_POLL));
        let wish = response.retry_time(now).unwrap_or_else(|| later(now, growing(polls)));
        self.session.wait_until(wish.clamp(least, most));
    }

    fn step_name(&self) -> String {
        match &self.step {
            Step::NewOrder => "new order".to_owned(),
            Step::Authorization(at) => self.authorizations.name(*at),
            Step::Challenge(at) => format!("challenge, {}", self.authorizations.name(*at)),
            Step::Finalize => "finalization of the order".to_owned(),
            Step::Order => "order".to_owned(),
            Step::Certificate(_) => "certificate".to_owned(),
        }
    }

    fn end(&mut self, error: AcmeError) -> AcmeError {
        self.result = Some(Err(error.clone()));
        error
    }
}
