//! Conversation with a CA: directory, nonces, account, and what is tried again.

use std::time::{Duration, SystemTime};

use ring::rand::SecureRandom;
use serde_json::{Value, json};

use super::account::Account;
use super::bounds::{
    LEAST_WAIT, MOST_BAD_NONCES, MOST_FAILURES, MOST_JSON, MOST_REQUESTS, MOST_WAIT, OPERATION_TIME,
};
use super::error::{AcmeError, AcmeErrorKind, clean};
use super::jws::Jws;
use super::object::{Directory, check_directory, check_url};
use super::problem::Problem;
use super::transport::{Method, Request, Response, later};

/// Content type of signed requests (RFC 8555 §6.2).
const JOSE: &str = "application/jose+json";

/// Conversation with a CA on behalf of one account. It fetches the directory and nonces and
/// registers the account; its owner posts the requests of the operation.
#[derive(Debug)]
pub(super) struct Session {
    account: Account,
    directory: Option<Directory>,
    nonce: Option<String>,
    awaited: Option<Awaited>,
    /// Step of the operation whose request was posted last, in messages.
    step: String,
    /// Time before which nothing is sent.
    not_before: Option<SystemTime>,
    /// End of the operation, set by its first action.
    deadline: Option<SystemTime>,
    requests: u32,
    failures: u32,
    /// Rejected nonces in a row.
    bad_nonces: u32,
    /// True once the account was registered because the CA did not know it.
    registered_again: bool,
}

/// Request whose response is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Directory,
    Nonce,
    Account,
    Post,
}

/// Next action of a session.
pub(super) enum Next {
    Send(Request),
    Wait(SystemTime),
    /// A request of the operation can be posted.
    Ready(Directory),
}

/// Request of an operation.
pub(super) struct Post {
    pub(super) url: String,
    /// Payload; `None` reads the resource.
    pub(super) payload: Option<Value>,
    pub(super) accept: Option<&'static str>,
    pub(super) most: usize,
}

impl Post {
    /// Returns a request that reads a resource in JSON (POST-as-GET).
    pub(super) const fn read(url: String) -> Self {
        Self { url, payload: None, accept: None, most: MOST_JSON }
    }

    /// Returns a request with a payload.
    pub(super) const fn write(url: String, payload: Value) -> Self {
        Self { url, payload: Some(payload), accept: None, most: MOST_JSON }
    }
}

/// Meaning of a response for the operation.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The operation continues as before.
    Nothing,
    /// The request of the operation may not have been handled, and is tried again.
    Again,
    /// The account was unknown and is registered again: the operation starts from its beginning.
    Restart,
    /// The request of the operation has succeeded.
    Success,
    /// The request of the operation was refused.
    Refused(Problem),
}

impl Session {
    pub(super) fn new(account: Account) -> Result<Self, AcmeError> {
        check_directory(&account.directory)?;
        Ok(Self {
            account,
            directory: None,
            nonce: None,
            awaited: None,
            step: "operation".to_owned(),
            not_before: None,
            deadline: None,
            requests: 0,
            failures: 0,
            bad_nonces: 0,
            registered_again: false,
        })
    }

    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the next action.
    pub(super) fn next(
        &mut self,
        now: SystemTime,
        random: &dyn SecureRandom,
    ) -> Result<Next, AcmeError> {
        let deadline = *self.deadline.get_or_insert_with(|| later(now, OPERATION_TIME));
        if now >= deadline {
            return Err(self.expired("the CA did not finish within 10 minutes"));
        }
        if self.awaited.is_some() {
            return Ok(Next::Wait(deadline));
        }
        if let Some(time) = self.not_before.filter(|time| now < *time) {
            return Ok(Next::Wait(time.min(deadline)));
        }
        let Some(directory) = self.directory.clone() else {
            let url = self.account.directory.clone();
            return self.send(Awaited::Directory, Method::Get, url).map(Next::Send);
        };
        if self.nonce.is_none() {
            return self.send(Awaited::Nonce, Method::Head, directory.new_nonce).map(Next::Send);
        }
        if self.account.url.is_none() {
            let payload = self.account.registration(&directory)?;
            let post = Post::write(directory.new_account, payload);
            return self.sign(Awaited::Account, post, random).map(Next::Send);
        }
        Ok(Next::Ready(directory))
    }

    /// Returns the signed form of a request, which is that of this step in messages. The session
    /// must be ready.
    pub(super) fn post(
        &mut self,
        post: Post,
        step: String,
        random: &dyn SecureRandom,
    ) -> Result<Request, AcmeError> {
        self.step = step;
        self.sign(Awaited::Post, post, random)
    }

    /// Lets nothing be sent before this time.
    pub(super) fn wait_until(&mut self, time: SystemTime) {
        self.not_before = Some(time);
    }

    /// Handles a response.
    pub(super) fn receive(
        &mut self,
        response: &Response<'_>,
        now: SystemTime,
    ) -> Result<Outcome, AcmeError> {
        let Some(awaited) = self.awaited.take() else { return Ok(Outcome::Nothing) };
        self.nonce = response.nonce().map(str::to_owned).or(self.nonce.take());
        if !response.is_success() {
            return self.refused(awaited, response, now);
        }
        match awaited {
            Awaited::Directory => {
                let directory = Directory::read(response.body, &self.account.directory);
                self.directory =
                    Some(directory.map_err(|error| error.at(self.step_name(awaited)))?);
            }
            Awaited::Nonce if self.nonce.is_none() => {
                let missing = "the response has no valid Replay-Nonce";
                return Err(AcmeError::protocol(missing).at(self.step_name(awaited)));
            }
            Awaited::Nonce => {}
            Awaited::Account => {
                let url = location(response, &self.account.directory);
                self.account.url = Some(url.map_err(|error| error.at(self.step_name(awaited)))?);
                self.bad_nonces = 0;
            }
            Awaited::Post => {
                self.bad_nonces = 0;
                return Ok(Outcome::Success);
            }
        }
        Ok(Outcome::Nothing)
    }

    /// Handles the lack of a response.
    pub(super) fn failed(&mut self, why: &str, now: SystemTime) -> Result<Outcome, AcmeError> {
        let Some(awaited) = self.awaited.take() else { return Ok(Outcome::Nothing) };
        let message = format!("{}: no response: {}", self.step_name(awaited), clean(why));
        let error = AcmeError::new(AcmeErrorKind::Transport, message);
        match awaited {
            Awaited::Directory => Err(error), // nothing has begun: the caller may ask another CA
            _ => self.postpone(awaited, None, now, error),
        }
    }

    /// Handles a response that is no success.
    fn refused(
        &mut self,
        awaited: Awaited,
        response: &Response<'_>,
        now: SystemTime,
    ) -> Result<Outcome, AcmeError> {
        let retry = response.retry_time(now);
        let problem = Problem::of(response.status, response.json_part());
        let is_signed = matches!(awaited, Awaited::Account | Awaited::Post);
        match (problem.kind.as_str(), response.status) {
            ("badNonce", _) if is_signed && self.bad_nonces < MOST_BAD_NONCES => {
                self.bad_nonces += 1;
                Ok(Outcome::Nothing)
            }
            ("accountDoesNotExist", _) if awaited == Awaited::Post && !self.registered_again => {
                self.registered_again = true;
                self.account.url = None;
                Ok(Outcome::Restart)
            }
            ("rateLimited", _) | (_, 429) if retry.is_none() => {
                Err(problem.into_error(self.step_name(awaited), None))
            }
            ("rateLimited", _) | (_, 408 | 429 | 500..) => {
                let error = problem.into_error(self.step_name(awaited), retry);
                self.postpone(awaited, retry, now, error)
            }
            _ if awaited == Awaited::Post => Ok(Outcome::Refused(problem)),
            _ => Err(problem.into_error(self.step_name(awaited), retry)),
        }
    }

    /// Waits before the request is tried again: until `retry`, or twice as long as before. Fails
    /// with `error` if the operation would end before, or has failed too often.
    fn postpone(
        &mut self,
        awaited: Awaited,
        retry: Option<SystemTime>,
        now: SystemTime,
        error: AcmeError,
    ) -> Result<Outcome, AcmeError> {
        self.failures += 1;
        let until = later(now, growing(self.failures)).max(retry.unwrap_or(now));
        let is_late = self.deadline.is_some_and(|deadline| until >= deadline);
        if is_late || self.failures > MOST_FAILURES {
            return Err(error);
        }
        self.not_before = Some(until);
        Ok(if awaited == Awaited::Post { Outcome::Again } else { Outcome::Nothing })
    }

    /// Returns a signed request (RFC 8555 §6.2), by the key if the account is not yet known.
    fn sign(
        &mut self,
        awaited: Awaited,
        post: Post,
        random: &dyn SecureRandom,
    ) -> Result<Request, AcmeError> {
        let key = &self.account.key;
        let (name, value) = match &self.account.url {
            Some(url) => ("kid", Value::from(url.as_str())),
            None => ("jwk", serde_json::from_str(&key.jwk()).unwrap_or_default()),
        };
        let nonce = self.nonce.take();
        let protected = json!({ "alg": "ES256", name: value, "nonce": nonce, "url": post.url });
        let payload = post.payload.as_ref().map(ToString::to_string).unwrap_or_default();
        let jws = Jws::new(&protected, &payload);
        let signature = key.sign(jws.signed().as_bytes(), random)?;
        let body = jws.with_signature(&signature).to_string().into_bytes();
        let request = self.send(awaited, Method::Post, post.url)?;
        let (accept, most) = (post.accept, post.most);
        Ok(Request { content_type: Some(JOSE), accept, body, most, ..request })
    }

    /// Returns a request without content, whose response is awaited from now on.
    fn send(
        &mut self,
        awaited: Awaited,
        method: Method,
        url: String,
    ) -> Result<Request, AcmeError> {
        if self.requests >= MOST_REQUESTS {
            return Err(self.expired("the CA did not finish within 1000 requests"));
        }
        self.requests += 1;
        self.awaited = Some(awaited);
        let (content_type, accept, body) = (None, None, Vec::new());
        Ok(Request { method, url, content_type, accept, body, most: MOST_JSON })
    }

    fn expired(&self, message: &str) -> AcmeError {
        let step = self.step_name(self.awaited.unwrap_or(Awaited::Post));
        AcmeError::new(AcmeErrorKind::Deadline, message).at(step)
    }

    fn step_name(&self, awaited: Awaited) -> &str {
        match awaited {
            Awaited::Directory => "directory of the CA",
            Awaited::Nonce => "nonce of the CA",
            Awaited::Account => "registration of the account",
            Awaited::Post => &self.step,
        }
    }
}

/// Returns the URL in `Location`.
pub(super) fn location(response: &Response<'_>, directory: &str) -> Result<String, AcmeError> {
    let url =
        response.location.ok_or_else(|| AcmeError::protocol("the response has no Location"))?;
    check_url(url, directory).map(|()| url.to_owned())
}

/// Returns a time that doubles with each of `times`, within the bounds.
pub(super) fn growing(times: u32) -> Duration {
    let factor = 2_u32.saturating_pow(times.saturating_sub(1));
    LEAST_WAIT.saturating_mul(factor).min(MOST_WAIT)
}
