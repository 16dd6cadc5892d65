//! Certificates of this server, chosen by the name that a client asks for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::http::date;
use crate::x509::{CertificateFacts, KeyAlgorithm};

use super::material::MaterialError;
use super::provider::provider;

/// A certificate with its chain and key.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// Facts of the certificate itself.
    pub facts: Arc<CertificateFacts>,
}

impl Certificate {
    /// Joins a chain, which begins with the server's own certificate, and the key of that.
    ///
    /// # Errors
    /// Returns the reason, for the operator, if a certificate or the key is malformed, if the two do
    /// not belong together, or if a certificate of the chain has expired by `now`.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        now: SystemTime,
    ) -> Result<Self, MaterialError> {
        let fail = |text: String| Err(MaterialError(text));
        let mut facts = Vec::with_capacity(chain.len());
        for (place, certificate) in chain.iter().enumerate() {
            match CertificateFacts::of(certificate) {
                Ok(of_one) => facts.push(of_one),
                Err(error) => {
                    return fail(format!("certificate {} of the chain: {error}", place + 1));
                }
            }
        }
        let Some(expired) = facts.iter().position(|facts| facts.not_after < now) else {
            let key = match provider().key_provider.load_private_key(key) {
                Ok(key) => CertifiedKey::new(chain, key),
                Err(error) => return fail(format!("the key cannot be used: {error}")),
            };
            let Some(first) = facts.into_iter().next() else {
                return fail("the chain is empty".into());
            };
            let public_key = key.key.public_key();
            if public_key.is_some_and(|public_key| *public_key != *first.public_key) {
                return fail("the key does not belong to the certificate".into());
            }
            return Ok(Self { key: Arc::new(key), facts: Arc::new(first) });
        };
        let of_one = &facts[expired];
        let until = date::format(of_one.not_after);
        fail(format!(
            "certificate {} of the chain ({}) has expired: it was valid until {until}",
            expired + 1,
            of_one.subject
        ))
    }

    /// Returns the certificate itself in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.key.cert.first().map_or(&[], |der| der)
    }

    /// Returns the names and addresses that the certificate is for; its subject if it names none.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let addresses = self.facts.addresses.iter().map(ToString::to_string);
        let names: Vec<_> = self.facts.dns_names.iter().cloned().chain(addresses).collect();
        if names.is_empty() { vec![self.facts.subject.clone()] } else { names }
    }

    /// Returns the advice to use another kind of key, if a handshake with this one is expensive.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let KeyAlgorithm::Rsa(bits) = self.facts.key_algorithm else { return None };
        Some(format!(
            "the key is RSA ({bits} bits): each handshake costs about five times as much as with \
             ECDSA P-256"
        ))
    }
}

/// The names, the key, and the time until which the certificate is valid.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, key) = (self.names().join(", "), &self.facts.key_algorithm);
        let until = date::format(self.facts.not_after);
        write!(f, "{names} ({key}, valid until {})", until.as_str())
    }
}

/// Certificates by the names that they are for.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    list: Vec<Certificate>,
    /// Positions in `list` by DNS name, and by the part after `*.` of a wildcard.
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
    /// True if the first certificate does not serve clients that ask for another name, or for none.
    is_strict: bool,
}

impl Certificates {
    /// Collects certificates. The first is the default, unless `is_strict`.
    #[must_use]
    pub fn new(list: Vec<Certificate>, is_strict: bool) -> Self {
        let mut this = Self { list: Vec::new(), is_strict, ..Self::default() };
        list.into_iter().for_each(|certificate| this.add(certificate));
        this
    }

    fn add(&mut self, certificate: Certificate) {
        let place = self.list.len();
        for name in &certificate.facts.dns_names {
            match name.strip_prefix("*.") {
                Some(parent) => self.wildcard.entry(parent.to_owned()).or_default().push(place),
                None => self.exact.entry(name.clone()).or_default().push(place),
            }
        }
        self.list.push(certificate);
    }

    /// Returns these certificates and further ones.
    pub(super) fn and(&self, further: Vec<Certificate>) -> Self {
        let mut all = self.clone();
        further.into_iter().for_each(|certificate| all.add(certificate));
        all
    }

    /// Returns the certificates in their order.
    #[must_use]
    pub fn list(&self) -> &[Certificate] {
        &self.list
    }

    /// Returns the certificates for a client that asks for `name`, in lower case, if it names one: those
    /// for the exact name, or else those for a wildcard, which stands for one label (RFC 9525 §6.3), or
    /// else the default. Several differ in their keys.
    pub fn choose(&self, name: Option<&str>) -> impl Iterator<Item = &Certificate> {
        let parent =
            |name: &str| name.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest));
        let named = name.and_then(|name| self.exact.get(name).or_else(|| parent(name)));
        let default = self.list.first().filter(|_| named.is_none() && !self.is_strict);
        named.into_iter().flatten().filter_map(|&place| self.list.get(place)).chain(default)
    }
}

/// The first certificate with a key that the client supports, or else the first one.
impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let schemes = hello.signature_schemes();
        let is_usable = |it: &&Certificate| it.key.key.choose_scheme(schemes).is_some();
        let usable = self.choose(name.as_deref()).find(is_usable);
        let chosen = usable.or_else(|| self.choose(name.as_deref()).next());
        chosen.map(|certificate| Arc::clone(&certificate.key))
    }
}
