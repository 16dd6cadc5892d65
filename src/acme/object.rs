//! Objects of a CA (RFC 8555 §7.1), read from JSON.

use serde_json::Value;

use super::bounds::{MOST_IDENTIFIERS, MOST_JSON, MOST_TOKEN, MOST_URL};
use super::challenge::ChallengeKind;
use super::error::{AcmeError, clean};
use super::identifier::Identifier;
use super::problem::Problem;
use super::transport::is_base64_url;

/// Directory (RFC 8555 §7.1.1, RFC 9773 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    pub(super) new_nonce: String,
    pub(super) new_account: String,
    pub(super) new_order: String,
    pub(super) revoke_cert: Option<String>,
    /// URL below which the CA gives renewal information, if it does.
    pub renewal_info: Option<String>,
    /// Terms of service.
    pub terms_of_service: Option<String>,
    pub(super) external_account_required: bool,
}

impl Directory {
    /// Returns the directory in a response body. `url` is that of the directory, and decides on the
    /// schemes allowed.
    ///
    /// # Errors
    /// [`AcmeError`] if the body is no directory, or has a URL with another scheme.
    pub fn read(body: &[u8], url: &str) -> Result<Self, AcmeError> {
        let value = json(body)?;
        let meta = value.get("meta").unwrap_or(&Value::Null);
        Ok(Self {
            new_nonce: required_url(&value, "newNonce", url)?,
            new_account: required_url(&value, "newAccount", url)?,
            new_order: required_url(&value, "newOrder", url)?,
            revoke_cert: optional_url(&value, "revokeCert", url)?,
            renewal_info: optional_url(&value, "renewalInfo", url)?,
            terms_of_service: text(meta, "termsOfService").map(clean),
            external_account_required: meta.get("externalAccountRequired")
                == Some(&Value::Bool(true)),
        })
    }
}

/// Order (RFC 8555 §7.1.3).
#[derive(Debug)]
pub(super) struct Order {
    pub(super) status: String,
    pub(super) authorizations: Vec<String>,
    pub(super) finalize: String,
    pub(super) certificate: Option<String>,
    pub(super) problem: Option<Problem>,
}

impl Order {
    pub(super) fn read(body: &[u8], directory: &str) -> Result<Self, AcmeError> {
        let value = json(body)?;
        let urls = array(&value, "authorizations")?.iter().map(|url| {
            let url = url.as_str().ok_or_else(|| malformed("authorizations"))?;
            check_url(url, directory).map(|()| url.to_owned())
        });
        let authorizations: Vec<String> = urls.collect::<Result<_, _>>()?;
        if authorizations.len() > MOST_IDENTIFIERS {
            return Err(AcmeError::protocol("an order has too many authorizations"));
        }
        Ok(Self {
            status: status(&value)?,
            authorizations,
            finalize: required_url(&value, "finalize", directory)?,
            certificate: optional_url(&value, "certificate", directory)?,
            problem: problem(&value),
        })
    }
}

/// Authorization (RFC 8555 §7.1.4).
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) status: String,
    pub(super) identifier: Identifier,
    pub(super) challenges: Vec<OfferedChallenge>,
}

/// Challenge that a CA offers, of a kind that can be answered (RFC 8555 §8).
#[derive(Debug)]
pub(super) struct OfferedChallenge {
    pub(super) kind: ChallengeKind,
    pub(super) url: String,
    pub(super) token: String,
    pub(super) status: String,
    pub(super) problem: Option<Problem>,
}

impl Authorization {
    pub(super) fn read(body: &[u8], directory: &str) -> Result<Self, AcmeError> {
        let value = json(body)?;
        let identifier = value.get("identifier").and_then(Identifier::from_json);
        let challenges = array(&value, "challenges")?.iter();
        let challenges = challenges.filter_map(|value| OfferedChallenge::read(value, directory));
        Ok(Self {
            status: status(&value)?,
            identifier: identifier.ok_or_else(|| malformed("identifier"))?,
            challenges: challenges.collect::<Result<_, _>>()?,
        })
    }
}

impl OfferedChallenge {
    /// Returns the challenge, or `None` if its kind is another one, whose members are unknown.
    fn read(value: &Value, directory: &str) -> Option<Result<Self, AcmeError>> {
        let kind = ChallengeKind::parse(text(value, "type")?)?;
        Some(Self::read_known(kind, value, directory))
    }

    fn read_known(kind: ChallengeKind, value: &Value, directory: &str) -> Result<Self, AcmeError> {
        let token =
            text(value, "token").filter(|token| token.len() <= MOST_TOKEN && is_base64_url(token));
        Ok(Self {
            kind,
            url: required_url(value, "url", directory)?,
            token: token.ok_or_else(|| malformed("token"))?.to_owned(),
            status: status(value)?,
            problem: problem(value),
        })
    }
}

/// Returns a body as JSON, if it is within its bound.
pub(super) fn json(body: &[u8]) -> Result<Value, AcmeError> {
    if body.len() > MOST_JSON {
        return Err(AcmeError::protocol("the response has more than 64 KiB"));
    }
    let value = serde_json::from_slice(body);
    value.map_err(|error| AcmeError::protocol(format!("the response is not JSON: {error}")))
}

/// Checks a URL that a CA hands out: `https`, or `http` if that of the directory is `http`.
pub(super) fn check_url(url: &str, directory: &str) -> Result<(), AcmeError> {
    let is_http = directory.starts_with("http://") && url.starts_with("http://");
    let is_known = is_http || url.starts_with("https://");
    let is_plain = url.len() <= MOST_URL && url.bytes().all(|byte| byte.is_ascii_graphic());
    if is_known && is_plain {
        return Ok(());
    }
    Err(AcmeError::protocol(format!("'{}' is no https URL", clean(url))))
}

/// Checks the URL of a directory, which the operator gives.
///
/// # Errors
/// [`AcmeError`] if the text is no `http` or `https` URL.
pub fn check_directory(url: &str) -> Result<(), AcmeError> {
    let wrong = || format!("the directory '{}' is no http or https URL", clean(url));
    check_url(url, url).map_err(|_| AcmeError::settings(wrong()))
}

/// Returns a member that is text.
pub(super) fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member)?.as_str()
}

/// Returns the failure of a response without a valid member of this name.
pub(super) fn malformed(member: &str) -> AcmeError {
    AcmeError::protocol(format!("the response has no valid member '{member}'"))
}

fn status(value: &Value) -> Result<String, AcmeError> {
    text(value, "status").map(clean).ok_or_else(|| malformed("status"))
}

fn problem(value: &Value) -> Option<Problem> {
    value.get("error").filter(|error| error.is_object()).map(Problem::from_json)
}

fn array<'a>(value: &'a Value, member: &str) -> Result<&'a [Value], AcmeError> {
    let array = value.get(member).and_then(Value::as_array);
    array.map(Vec::as_slice).ok_or_else(|| malformed(member))
}

fn required_url(value: &Value, member: &str, directory: &str) -> Result<String, AcmeError> {
    optional_url(value, member, directory)?.ok_or_else(|| malformed(member))
}

fn optional_url(value: &Value, member: &str, directory: &str) -> Result<Option<String>, AcmeError> {
    let Some(url) = text(value, member) else { return Ok(None) };
    check_url(url, directory)?;
    Ok(Some(url.to_owned()))
}
