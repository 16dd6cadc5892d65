//! Query for the renewal information of a certificate (RFC 9773 §4.1).

use std::time::SystemTime;

use super::bounds::{MOST_JSON, OPERATION_TIME};
use super::error::{AcmeError, AcmeErrorKind, clean};
use super::object::{Directory, check_directory};
use super::problem::Problem;
use super::renewal::{RenewalInfo, info_url};
use super::transport::{Action, Method, Request, Response, later};

/// Step of the operation in messages.
const STEP: &str = "renewal information";

/// Query for renewal information, driven as an [`Issuance`](super::Issuance) is. It fetches the
/// directory and then the information; it has no result if the CA gives none. Nothing is tried
/// again: the next query follows at the time of [`poll_at`](super::renewal::poll_at).
#[derive(Debug)]
pub struct RenewalQuery {
    directory: String,
    id: String,
    /// URL to fetch next, until it is sent.
    url: Option<String>,
    is_directory: bool,
    /// End of the query, set by its first action.
    deadline: Option<SystemTime>,
    result: Option<Result<Option<RenewalInfo>, AcmeError>>,
}

impl RenewalQuery {
    /// Returns the query for the certificate with this
    /// [identifier](crate::x509::CertificateFacts::ari_id), at the CA with this directory.
    ///
    /// # Errors
    /// [`AcmeError`] if the directory is no URL.
    pub fn new(directory: &str, id: &str) -> Result<Self, AcmeError> {
        check_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            id: id.to_owned(),
            url: Some(directory.to_owned()),
            is_directory: true,
            deadline: None,
            result: None,
        })
    }

    /// Returns the next action.
    pub fn next(&mut self, now: SystemTime) -> Action<Option<RenewalInfo>> {
        let deadline = *self.deadline.get_or_insert_with(|| later(now, OPERATION_TIME));
        if now >= deadline && self.result.is_none() {
            let message = "the CA did not respond within 10 minutes";
            self.result = Some(Err(AcmeError::new(AcmeErrorKind::Deadline, message).at(STEP)));
        }
        match (&self.result, self.url.take()) {
            (Some(Ok(info)), _) => Action::Done(info.clone()),
            (Some(Err(error)), _) => Action::Failed(error.clone()),
            (None, None) => Action::Wait(deadline),
            (None, Some(url)) => Action::Send(Request {
                method: Method::Get,
                url,
                content_type: None,
                accept: None,
                body: Vec::new(),
                most: MOST_JSON,
            }),
        }
    }

    /// Handles the response to the last request.
    pub fn receive(&mut self, response: &Response<'_>, now: SystemTime) {
        if self.result.is_none() && self.url.is_none() {
            let handled = self.handle(response, now);
            self.result = handled.map_err(|error| error.at(STEP)).transpose();
        }
    }

    /// Handles the lack of a response to the last request, for the reason `why`.
    pub fn failed(&mut self, why: &str, _now: SystemTime) {
        if self.result.is_none() {
            let message = format!("no response: {}", clean(why));
            self.result = Some(Err(AcmeError::new(AcmeErrorKind::Transport, message).at(STEP)));
        }
    }

    /// Returns the result, or `None` if another request follows.
    fn handle(
        &mut self,
        response: &Response<'_>,
        now: SystemTime,
    ) -> Result<Option<Option<RenewalInfo>>, AcmeError> {
        if !response.is_success() {
            let problem = Problem::of(response.status, response.json_part());
            return Err(problem.into_error("request to the CA", response.retry_time(now)));
        }
        if !self.is_directory {
            return RenewalInfo::read(response.body, response.retry_time(now), now)
                .map(|info| Some(Some(info)));
        }
        self.is_directory = false;
        let directory = Directory::read(response.body, &self.directory)?;
        self.url = directory.renewal_info.map(|url| info_url(&url, &self.id));
        Ok(if self.url.is_some() { None } else { Some(None) })
    }
}
