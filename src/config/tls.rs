//! Options for TLS, and the settings made from them and the files that they name.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::access::Host;
use crate::reactor::{Clock, SystemClock};
use crate::tls::{
    Certificate, CertificateDer, Certificates, ClientAuth, MaterialError, OriginTls,
    OriginTlsOptions, ServerTls, ServerTlsOptions, TimeProvider, WallTime, authorities_of,
    certificates_of, key_of,
};

use super::files;

/// Remaining part of a certificate's life below which a warning is printed.
const LITTLE_LIFE: f64 = 0.2;

/// Options for TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Addresses to listen on for TLS.
    pub listen: Vec<SocketAddr>,
    /// Addresses to listen on for plain requests, which are redirected.
    pub redirect: Vec<SocketAddr>,
    /// Files with certificates of this server.
    pub certificates: Vec<PathBuf>,
    /// Files with their keys, in the same order; empty if the keys are in the same files.
    pub keys: Vec<PathBuf>,
    /// True if clients that ask for an unknown name are refused.
    pub strict_sni: bool,
    /// Files with authorities that issue certificates of clients.
    pub client_authorities: Vec<PathBuf>,
    /// Need of clients for a certificate.
    pub client_auth: ClientAuth,
    /// Time for `Strict-Transport-Security`, if responses have the field.
    pub hsts: Option<Duration>,
    /// Files with authorities that issue certificates of origins.
    pub origin_authorities: Vec<PathBuf>,
    /// File with the certificate for origins that ask for one.
    pub origin_certificate: Option<PathBuf>,
    /// File with the key of that certificate, if it is another file.
    pub origin_key: Option<PathBuf>,
    /// Hosts whose certificates are not verified.
    pub unverified: BTreeSet<String>,
    /// Name to ask origins for, in place of the URL's host.
    pub origin_name: Option<String>,
}

impl TlsOptions {
    /// Adds a host whose certificate is not verified.
    ///
    /// # Errors
    /// Returns the reason if `text` is neither a host name nor an address.
    pub(super) fn exempt(&mut self, text: &str) -> Result<(), String> {
        let host = match text.parse() {
            Ok(address) => Host::Address(address), // of IPv6, with or without brackets
            Err(_) => Host::parse(text).map_err(|error| format!("'{text}': {error}"))?,
        };
        self.unverified.insert(host.to_string());
        Ok(())
    }

    /// Returns the settings towards origins, after reading the files.
    ///
    /// # Errors
    /// A message that names the option or file, and the reason.
    pub fn origin(&self) -> Result<OriginTls, String> {
        if self.origin_key.is_some() && self.origin_certificate.is_none() {
            return Err("origin-key works with --origin-cert only".into());
        }
        let certificate = self.origin_certificate.as_deref();
        let now = SystemClock.now().wall;
        let client = certificate.map(|path| read(path, self.origin_key.as_deref(), now));
        self.towards(client.transpose()?, self.origin_name.clone())
    }

    /// Returns the settings for requests of the proxy itself, given those towards `origins`: the name
    /// and the certificate for origins are not meant for others.
    ///
    /// # Errors
    /// A message that names the file, and the reason.
    pub(super) fn own(&self, origins: &Arc<OriginTls>) -> Result<Arc<OriginTls>, String> {
        if self.origin_certificate.is_none() && self.origin_name.is_none() {
            return Ok(Arc::clone(origins));
        }
        self.towards(None, None).map(Arc::new)
    }

    /// Returns the settings towards servers of the operator, such as log servers, which are neither told the
    /// name nor given the certificate for origins.
    ///
    /// # Errors
    /// A message that names the file, and the reason.
    pub(super) fn towards_servers(&self) -> Result<OriginTls, String> {
        self.towards(None, None)
    }

    /// Returns settings towards servers that are verified as origins are.
    fn towards(
        &self,
        client: Option<Certificate>,
        server_name: Option<String>,
    ) -> Result<OriginTls, String> {
        let mut authorities = system_authorities()?;
        let built_in = authorities.is_empty();
        for path in &self.origin_authorities {
            authorities.extend(authorities_in(path)?);
        }
        let unverified = self.unverified.clone();
        let options = OriginTlsOptions { authorities, built_in, client, unverified, server_name };
        OriginTls::new(options, &time()).map_err(|error| format!("TLS to origins: {error}"))
    }

    /// Returns the settings towards clients, after reading the files; `None` unless the proxy `listens` for
    /// TLS. Certificates may be missing if the proxy `obtains` some.
    ///
    /// # Errors
    /// A message that names the option or file, and the reason.
    pub fn server(&self, listens: bool, obtains: bool) -> Result<Option<ServerTls>, String> {
        self.check(listens, obtains)?;
        if !listens {
            return Ok(None);
        }
        let now = SystemClock.now().wall;
        let places = self.certificates.iter().enumerate();
        let list =
            places.map(|(place, path)| read(path, self.keys.get(place).map(PathBuf::as_path), now));
        let certificates = Certificates::new(list.collect::<Result<_, _>>()?, self.strict_sni);
        let mut client_authorities = Vec::new();
        for path in &self.client_authorities {
            client_authorities.extend(authorities_in(path)?);
        }
        let client_auth = self.client_auth;
        let options = ServerTlsOptions { certificates, client_authorities, client_auth };
        let tls = ServerTls::new(options, &time());
        tls.map(Some).map_err(|error| format!("TLS to clients: {error}"))
    }

    /// Rejects options that miss their counterpart.
    fn check(&self, listens: bool, obtains: bool) -> Result<(), String> {
        if listens && self.certificates.is_empty() && !obtains {
            return Err(
                "TLS to clients needs a certificate: add --tls-cert FILE --tls-key FILE, or \
                        --acme HOST to obtain one"
                    .into(),
            );
        }
        if !listens && !self.certificates.is_empty() {
            return Err("tls-cert works with --listen-tls only, or a [[listener]] with tls".into());
        }
        if !self.keys.is_empty() && self.keys.len() != self.certificates.len() {
            return Err(format!(
                "there are {} tls-cert and {} tls-key: give each certificate its key, in the same \
                 order, or no tls-key if the keys are in the files of the certificates",
                self.certificates.len(),
                self.keys.len()
            ));
        }
        if !listens && !self.client_authorities.is_empty() {
            return Err("client-ca works with --listen-tls only, or a [[listener]] with tls".into());
        }
        if !listens && !self.redirect.is_empty() {
            return Err(
                "http-redirect works with --listen-tls only, or a [[listener]] with tls".into()
            );
        }
        Ok(())
    }

    /// Returns the files of this server's certificates and keys.
    pub fn server_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.certificates.iter().chain(&self.keys).chain(&self.client_authorities)
    }

    /// Returns the files of TLS towards origins.
    pub fn origin_files(&self) -> impl Iterator<Item = &PathBuf> {
        let own = self.origin_certificate.iter().chain(&self.origin_key);
        self.origin_authorities.iter().chain(own)
    }

    /// Returns warnings for the operator, a line each.
    #[must_use]
    pub fn warnings(&self, server: Option<&ServerTls>) -> Vec<String> {
        let mut warnings = Vec::new();
        for host in &self.unverified {
            warnings.push(format!(
                "warning: the certificate of {host} is not verified: an attacker on the path can read \
                 and change what is exchanged with it (--origin-insecure)"
            ));
        }
        let own = if self.keys.is_empty() { &self.certificates } else { &self.keys };
        let of_origin = self.origin_key.as_ref().or(self.origin_certificate.as_ref());
        for path in own.iter().chain(of_origin).filter(|path| is_open_to_others(path)) {
            let path = path.display();
            warnings
                .push(format!("warning: other users can read the key in {path}; chmod 600 {path}"));
        }
        let certificates = server.map_or(&[][..], |server| server.certificates().list());
        for (certificate, path) in certificates.iter().zip(&self.certificates) {
            let advice = certificate.advice().into_iter();
            warnings.extend(advice.map(|text| format!("warning: {}: {text}", path.display())));
        }
        warnings.extend(self.expiring(server));
        warnings
    }

    /// Returns a warning for each certificate of the files that expires soon.
    #[must_use]
    pub fn expiring(&self, server: Option<&ServerTls>) -> Vec<String> {
        let now = SystemClock.now().wall;
        let certificates = server.map_or(&[][..], |server| server.certificates().list());
        let files = certificates.iter().zip(&self.certificates);
        let warning = |(certificate, path): (&Certificate, &PathBuf)| {
            Some(format!("warning: {}: {}", path.display(), expiry(certificate, now)?))
        };
        files.filter_map(warning).collect()
    }
}

/// Returns the authorities of the system: those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name, or else
/// those at its usual places. A system may have none.
///
/// # Errors
/// Returns the reason if the variables name some and none can be read.
fn system_authorities() -> Result<Vec<CertificateDer<'static>>, String> {
    let read = rustls_native_certs::load_native_certs();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(std::env::var_os);
    match read.errors.first() {
        Some(error) if read.certs.is_empty() && named.iter().any(Option::is_some) => {
            Err(format!("authorities of the system (SSL_CERT_FILE, SSL_CERT_DIR): {error}"))
        }
        _ => Ok(read.certs),
    }
}

/// Returns the files and folders in which authorities of the system are looked for.
#[must_use]
pub fn places_of_authorities() -> Vec<PathBuf> {
    let places = openssl_probe::probe();
    places.cert_file.into_iter().chain(places.cert_dir).collect()
}

/// Returns a warning if a certificate has little of its life left.
fn expiry(certificate: &Certificate, now: SystemTime) -> Option<String> {
    let left = certificate.facts.not_after.duration_since(now).unwrap_or_default();
    let days = left.as_secs() / (24 * 60 * 60);
    let ends = certificate.facts.life_left(now) < LITTLE_LIFE;
    ends.then(|| format!("the certificate expires in {days} days; renew it"))
}

/// Returns true if users other than the owner may read or write a file.
fn is_open_to_others(path: &Path) -> bool {
    let mode = std::fs::metadata(path).map_or(0, |file| file.permissions().mode());
    mode & 0o077 != 0
}

fn time() -> Arc<dyn TimeProvider> {
    Arc::new(WallTime(SystemClock))
}

/// Reads a certificate with its chain, and the key from its own file or from that of the certificate.
fn read(certificate: &Path, key: Option<&Path>, now: SystemTime) -> Result<Certificate, String> {
    let key_file = key.unwrap_or(certificate);
    let text = files::read_secret(key_file).map_err(|error| unreadable(key_file, &error))?;
    let key = key_of(&text).map_err(|error| in_file(key_file, &error))?;
    let chain = certificates_in(certificate)?;
    Certificate::new(chain, key, now).map_err(|error| in_file(certificate, &error))
}

fn certificates_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = files::read(path).map_err(|error| unreadable(path, &error))?;
    certificates_of(&text).map_err(|error| in_file(path, &error))
}

fn authorities_in(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = files::read(path).map_err(|error| unreadable(path, &error))?;
    authorities_of(&text).map_err(|error| in_file(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn in_file(path: &Path, error: &MaterialError) -> String {
    format!("{}: {error}", path.display())
}
