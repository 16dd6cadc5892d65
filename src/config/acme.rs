//! Options for certificates that the proxy obtains itself, and the settings made from them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::acme::{ChallengeKind, ExternalAccount, Identifier};
use crate::proxy::{AcmeSettings, ListenerKind};

use super::files;

/// Options for ACME.
#[derive(Clone, Debug, Default)]
pub struct AcmeOptions {
    /// Identifiers of each certificate.
    pub certificates: Vec<Vec<Identifier>>,
    /// Directories of CAs.
    pub directories: Vec<String>,
    /// Directory at which a first certificate is tried out.
    pub staging: Option<String>,
    /// Addresses of the operator.
    pub emails: Vec<String>,
    /// Folder for accounts and certificates.
    pub folder: Option<PathBuf>,
    /// Challenge to prefer.
    pub challenge: Option<ChallengeKind>,
    /// Profile of the certificates.
    pub profile: Option<String>,
    /// File with the account that the operator has at the CA.
    pub external: Option<PathBuf>,
}

impl AcmeOptions {
    /// Returns the settings for listeners of these kinds; `None` if no certificate is to be obtained.
    ///
    /// # Errors
    /// A message that says which option is missing or which file is invalid.
    pub(super) fn settings(&self, kinds: &[ListenerKind]) -> Result<Option<AcmeSettings>, String> {
        if self.certificates.is_empty() {
            return match self.directories.is_empty() && self.folder.is_none() {
                true => Ok(None),
                false => Err("acme-directory and acme-dir work with acme HOST only".into()),
            };
        }
        if self.directories.is_empty() {
            return Err("acme needs a CA: add --acme-directory URL".into());
        }
        if self.folder.is_none() {
            return Err("acme needs a folder for keys and certificates: add --acme-dir PATH".into());
        }
        if let Some(name) = self.twice() {
            return Err(format!(
                "acme: two certificates have the first name {name}, by which they are stored"
            ));
        }
        if !kinds.contains(&ListenerKind::Tls) {
            return Err("acme works with --listen-tls only".into());
        }
        let has_plain = kinds.iter().any(|kind| *kind != ListenerKind::Tls);
        if self.challenge == Some(ChallengeKind::Http01) && !has_plain {
            return Err(
                "acme-challenge http-01 needs a listener for plain HTTP: add --http-redirect \
                        ADDR:80"
                    .into(),
            );
        }
        Ok(Some(AcmeSettings {
            certificates: self.certificates.clone(),
            directories: self.directories.clone(),
            staging: self.staging.clone(),
            contacts: self.emails.clone(),
            challenges: self.challenges(has_plain),
            profile: self.profile.clone(),
            external: self.external()?,
        }))
    }

    /// Returns the first name of a certificate that an earlier certificate has, too.
    fn twice(&self) -> Option<&Identifier> {
        let mut known = BTreeSet::new();
        self.certificates.iter().filter_map(|names| names.first()).find(|name| !known.insert(*name))
    }

    /// Returns the kinds of challenges that the listeners can answer, the preferred one first.
    fn challenges(&self, has_plain: bool) -> Vec<ChallengeKind> {
        let mut challenges = Vec::from_iter(self.challenge);
        let http = has_plain.then_some(ChallengeKind::Http01);
        challenges.extend(http.into_iter().chain([ChallengeKind::TlsAlpn01]));
        challenges
    }

    /// Reads the account that the operator has at the CA.
    fn external(&self) -> Result<Option<ExternalAccount>, String> {
        let Some(path) = &self.external else { return Ok(None) };
        let at = |why: &str| format!("{}: {why}", path.display());
        let content = files::read_secret(path).map_err(|error| at(&error.to_string()))?;
        let text = std::str::from_utf8(&content).map_err(|_| at("not UTF-8"))?;
        let mut words = text.split_whitespace();
        let (Some(id), Some(key), None) = (words.next(), words.next(), words.next()) else {
            return Err(at("expected a key identifier and a key in one line"));
        };
        ExternalAccount::new(id, key).map(Some).map_err(|error| at(&error.to_string()))
    }
}
