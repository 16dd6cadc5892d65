//! Settings of certificates that the proxy obtains itself.

use crate::acme::{ChallengeKind, ExternalAccount, Identifier};

use super::origin::ReverseOrigin;

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
        let of = |url: &String| {
            let start = url.find("://").map_or(0, |at| at + "://".len());
            let end = url[start..].find('/').map_or(url.len(), |at| start + at);
            ReverseOrigin::parse(&url[..end]).ok().map(|origin| origin.port)
        };
        self.directories.iter().chain(&self.staging).filter_map(of)
    }
}
