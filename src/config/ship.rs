//! Options for shipping access log lines to a log server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::shipping::{Labels, LogServer, ShipLimits};
use crate::tls::OriginTls;
use crate::units::{Bytes, Unit};

use super::files;
use super::tls::TlsOptions;

/// Most bytes of a batch.
const BATCH: usize = 1 << 20;
/// Time after which a batch is sent, however small it is.
const AGE: Duration = Duration::from_secs(1);
/// Least memory for lines: a batch in flight, and one that is gathered.
pub(super) const LEAST_BUFFER: Bytes = Bytes(2 << 20);

/// File with credentials for a log server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShipAuth {
    /// The file has `USER:PASSWORD`.
    Basic(PathBuf),
    /// The file has a token.
    Bearer(PathBuf),
}

impl FromStr for ShipAuth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("basic", file)) if !file.is_empty() => Ok(Self::Basic(file.into())),
            Some(("bearer", file)) if !file.is_empty() => Ok(Self::Bearer(file.into())),
            _ => Err(format!("'{text}' is neither basic:FILE nor bearer:FILE")),
        }
    }
}

impl fmt::Display for ShipAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(file) => write!(f, "basic:{}", file.display()),
            Self::Bearer(file) => write!(f, "bearer:{}", file.display()),
        }
    }
}

impl ShipAuth {
    /// Returns the value of `Authorization`.
    fn read(&self) -> Result<Zeroizing<String>, String> {
        let (Self::Basic(file) | Self::Bearer(file)) = self;
        let wrong = |why: &str| format!("log-ship-auth: {}: {why}", file.display());
        let content = files::read_secret(file).map_err(|error| wrong(&error.to_string()))?;
        let text = std::str::from_utf8(&content).map_err(|_| wrong("not UTF-8"))?.trim_end();
        match self {
            Self::Basic(_) if !text.contains(':') || text.contains(char::is_control) => {
                Err(wrong("expected one line, USER:PASSWORD"))
            }
            Self::Bearer(_)
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Err(wrong("expected one line with a token"))
            }
            Self::Basic(_) => {
                let encoded = Zeroizing::new(STANDARD.encode(text));
                Ok(Zeroizing::new(format!("Basic {}", *encoded)))
            }
            Self::Bearer(_) => Ok(Zeroizing::new(format!("Bearer {text}"))),
        }
    }
}

/// Options for shipping.
#[derive(Clone, Debug)]
pub struct ShipOptions {
    /// Server that takes the lines; `None` if lines are not shipped.
    pub server: Option<LogServer>,
    /// Labels of all lines.
    pub labels: Labels,
    /// Tenant, for servers with several.
    pub tenant: Option<String>,
    /// Credentials.
    pub auth: Option<ShipAuth>,
    /// True if requests are compressed.
    pub gzip: bool,
    /// Memory for lines that are not sent yet.
    pub buffer: Bytes,
    /// Folder for lines beyond that.
    pub spool: Option<PathBuf>,
    /// Most bytes in that folder.
    pub spool_size: Bytes,
}

impl Default for ShipOptions {
    fn default() -> Self {
        Self {
            server: None,
            labels: Labels::default(),
            tenant: None,
            auth: None,
            gzip: true,
            buffer: Bytes(16 << 20),
            spool: None,
            spool_size: Bytes(256 << 20),
        }
    }
}

/// Everything that shipping needs.
#[derive(Debug)]
pub struct ShipSettings {
    /// Server that takes the lines.
    pub server: LogServer,
    /// Labels of all lines.
    pub labels: Labels,
    /// Value of `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// Value of `Authorization`.
    pub authorization: Option<Zeroizing<String>>,
    /// True if requests are compressed.
    pub gzip: bool,
    /// TLS, if the server wants it.
    pub tls: Option<OriginTls>,
    /// Bounds.
    pub limits: ShipLimits,
    /// Folder for lines that do not fit into memory.
    pub spool: Option<PathBuf>,
}

impl ShipOptions {
    /// Rejects options that miss their counterpart, and labels that the server would refuse.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(server) = &self.server {
            if self.spool.is_none() && self.spool_size != Self::default().spool_size {
                return Err("log-spool-size works with --log-spool DIR only".into());
            }
            return self
                .labels
                .check(server.protocol)
                .map_err(|why| format!("log-ship-label: {why}"));
        }
        let given = [
            ("log-ship-label", self.labels != Labels::default()),
            ("log-ship-tenant", self.tenant.is_some()),
            ("log-ship-auth", self.auth.is_some()),
            ("log-spool", self.spool.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(format!("{name} works with --log-ship URL only")),
            None => Ok(()),
        }
    }

    /// Returns the settings, after reading the file of credentials; `None` if lines are not shipped.
    ///
    /// # Errors
    /// A message that names the option or file, and the reason.
    pub fn settings(&self, tls: &TlsOptions) -> Result<Option<ShipSettings>, String> {
        let Some(server) = &self.server else { return Ok(None) };
        Ok(Some(ShipSettings {
            server: server.clone(),
            labels: self.labels.clone(),
            tenant: self.tenant.clone(),
            authorization: self.auth.as_ref().map(ShipAuth::read).transpose()?,
            gzip: self.gzip,
            tls: server.is_secure.then(|| tls.towards_servers()).transpose()?,
            limits: ShipLimits {
                batch: BATCH,
                age: AGE,
                memory: self.buffer.whole(),
                spool: self.spool_size.0,
            },
            spool: self.spool.clone(),
        }))
    }

    /// Returns the line of the banner, and a warning if credentials can be read on the way.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Some(server) = &self.server else { return Vec::new() };
        let spool = self.spool.as_ref().map(|folder| {
            format!(", spool {} up to {}", folder.display(), self.spool_size.write())
        });
        let line = format!("  ships    lines to {server}{}", spool.unwrap_or_default());
        let is_open = self.auth.is_some() && !server.is_secure && !server.is_local();
        let warning = is_open.then(|| {
            format!("warning: log-ship-auth is sent in clear to {}; use https", server.authority)
        });
        [line].into_iter().chain(warning).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ShipOptions {
        ShipOptions { server: Some(text.parse().unwrap()), ..ShipOptions::default() }
    }

    #[test]
    fn options_without_a_server_are_rejected() {
        let spool = ShipOptions { spool: Some("/s".into()), ..ShipOptions::default() };
        assert!(spool.check().unwrap_err().contains("--log-ship URL"));
        let size = ShipOptions { spool_size: Bytes(1), ..server("otlp+http://h") };
        assert!(size.check().unwrap_err().contains("--log-spool DIR"));
        assert!(ShipOptions::default().check().is_ok());
    }

    #[test]
    fn credentials_in_clear_cause_a_warning() {
        for (text, warns) in [
            ("loki+http://127.0.0.1:3100", false),
            ("loki+https://logs.example", false),
            ("loki+http://logs.example", true),
        ] {
            let options = ShipOptions { auth: "basic:/f".parse().ok(), ..server(text) };
            assert_eq!(options.lines().len() > 1, warns, "{text}");
        }
    }

    #[test]
    fn invalid_credentials_are_rejected() {
        assert!("digest:/f".parse::<ShipAuth>().is_err() && "basic:".parse::<ShipAuth>().is_err());
        let error = ShipAuth::Bearer("/etc/passwd".into()).read().unwrap_err();
        assert!(error.contains("one line with a token"), "{error}");
        assert!(ShipAuth::Basic("/no/such".into()).read().unwrap_err().contains("/no/such"));
    }
}
