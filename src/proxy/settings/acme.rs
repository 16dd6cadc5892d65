//! Settings of certificates that the proxy obtains itself.

use crate::acme::{ChallengeKind, ExternalAccount, Identifier, check_directory};

use super::origin::OriginUrl;

/// Certificates to obtain from a CA by ACME (RFC 8555), and how.
#[derive(Clone, Debug)]
pub struct AcmeSettings {
    /// Identifiers of each certificate.
    pub certificates: Vec<Vec<Identifier>>,
    /// Directories of CAs, at least one. Later ones are asked after the ones before have failed.
    pub directories: Vec<String>,
    /// Directory at which a first certificate is tried out.
    pub staging: Option<String>,
    /// Email addresses at which the CA may reach the operator.
    pub contacts: Vec<String>,
    /// Kinds of challenges that the listeners can answer, the preferred one first.
    pub challenges: Vec<ChallengeKind>,
    /// Profile of certificates at the CA.
    pub profile: Option<String>,
    /// Account that the operator has at the CA otherwise.
    pub external: Option<ExternalAccount>,
}

impl AcmeSettings {
    /// Returns the ports of the directories.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        let urls = self.directories.iter().chain(&self.staging);
        urls.filter_map(|url| origin_of(url).ok()).filter_map(|origin| origin.port())
    }

    /// Checks the URL of a directory.
    ///
    /// # Errors
    /// A message that says what is wrong with the URL.
    pub fn check_directory(url: &str) -> Result<(), String> {
        check_directory(url).map_err(|error| error.to_string())?;
        origin_of(url).map(drop)
    }
}

/// Returns the origin of an absolute URL.
///
/// # Errors
/// Returns the reason if the URL has none.
fn origin_of(url: &str) -> Result<OriginUrl, String> {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    url[..end].parse()
}
