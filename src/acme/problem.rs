//! Problem documents (RFC 7807, RFC 8555 §6.7), and what an operator can do about each.

use std::time::SystemTime;

use serde_json::Value;

use super::bounds::MOST_SUBPROBLEMS;
use super::error::{AcmeError, AcmeErrorKind, clean};

/// Prefix of the types that RFC 8555 registers.
const TYPES: &str = "urn:ietf:params:acme:error:";

/// Problem that a CA reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Type, without the prefix of RFC 8555. Responses without a type have their status.
    pub kind: String,
    /// Explanation by the CA, bounded and without control characters.
    pub detail: String,
    /// Identifier that the problem is about.
    pub identifier: Option<String>,
    /// Page on which the operator has to act.
    pub instance: Option<String>,
    /// Problems with single identifiers, as many as a message repeats.
    pub subproblems: Vec<Self>,
}

impl Problem {
    /// Returns the problem in the body of a response, or one that tells the status if the body has
    /// none.
    #[must_use]
    pub fn of(status: u16, body: &[u8]) -> Self {
        let document = serde_json::from_slice(body).unwrap_or(Value::Null);
        let mut problem = Self::from_json(&document);
        if problem.kind.is_empty() {
            problem.kind = format!("HTTP status {status}");
        }
        problem
    }

    /// Returns the problem in a JSON value, such as the error of a challenge or an order.
    pub(super) fn from_json(value: &Value) -> Self {
        let mut problem = Self::single(value);
        let members = value.get("subproblems").and_then(Value::as_array);
        let members = members.map(Vec::as_slice).unwrap_or_default();
        problem.subproblems = members.iter().take(MOST_SUBPROBLEMS).map(Self::single).collect();
        problem
    }

    fn single(value: &Value) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(clean);
        let kind = text(value.get("type")).unwrap_or_default();
        let identifier = value.get("identifier").and_then(|identifier| identifier.get("value"));
        Self {
            kind: kind.strip_prefix(TYPES).unwrap_or(&kind).to_owned(),
            detail: text(value.get("detail")).unwrap_or_default(),
            identifier: text(identifier),
            instance: text(value.get("instance")),
            subproblems: Vec::new(),
        }
    }

    /// Returns the failure of a step whose request the CA has refused.
    pub(super) fn into_error(self, step: &str, retry_after: Option<SystemTime>) -> AcmeError {
        AcmeError { retry_after, ..self.failure(step, remedy) }
    }

    /// Returns the failure of a step in which the CA has tried to validate identifiers.
    pub(super) fn into_invalid(self, step: &str) -> AcmeError {
        self.failure(step, |kind| remedy_of_validation(kind).or_else(|| remedy(kind)))
    }

    /// Returns the failure of a step, with the remedy, which for a compound problem is that of its
    /// first part.
    fn failure(&self, step: &str, remedy: impl Fn(&str) -> Option<&'static str>) -> AcmeError {
        let mut message = format!("{step}: the CA says {}", self.text());
        let mut problems = self.subproblems.iter().chain([self]);
        if let Some(remedy) = problems.find_map(|problem| remedy(&problem.kind)) {
            message.extend(["; ", remedy]);
        }
        if let ("userActionRequired", Some(page)) = (self.kind.as_str(), &self.instance) {
            message.extend([": ", page]);
        }
        AcmeError::new(AcmeErrorKind::Refused, message)
    }

    fn text(&self) -> String {
        let mut text = match &self.identifier {
            Some(identifier) => format!("of {identifier}: {}", self.kind),
            None => self.kind.clone(),
        };
        if !self.detail.is_empty() {
            text = format!("{text}: {}", self.detail);
        }
        let more: Vec<String> = self.subproblems.iter().map(Self::text).collect();
        if more.is_empty() { text } else { format!("{text} ({})", more.join("; ")) }
    }
}

/// Returns what the operator can do if identifiers are not valid (RFC 8555 §6.7).
fn remedy_of_validation(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "connection" | "unauthorized" | "incorrectResponse" => {
            "check that the addresses in DNS lead to this proxy, on port 80 for http-01 and on port \
             443 for tls-alpn-01"
        }
        "tls" => "check that port 443 leads to this proxy, and that nothing before it ends TLS",
        "dns" => "check the A and AAAA records of the name",
        _ => return None,
    })
}

/// Returns what the operator can do about a request that is refused (RFC 8555 §6.7).
fn remedy(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "caa" => "permit the CA in the CAA records of the name, or remove the records",
        "rateLimited" => "wait, and order fewer certificates of this CA",
        "userActionRequired" => "act on the page of the CA",
        "externalAccountRequired" => {
            "store key identifier and MAC key of your account at the CA in a file (--acme-eab FILE)"
        }
        "accountDoesNotExist" | "unauthorized" => {
            "remove the stored account and its key, so that a new one is registered"
        }
        "invalidContact" | "unsupportedContact" => "correct the contact addresses",
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            "remove the identifier, or use a CA that issues for it"
        }
        "invalidProfile" => "use a profile that the CA's directory lists",
        _ => return None,
    })
}
