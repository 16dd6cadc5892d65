//! Files of certificates and keys, looked at regularly on a thread: what is new is served without a
//! reload.

use std::io;

use crate::config::{FileVersion, TlsOptions};
use crate::http::date;
use crate::proxy::Mail;
use crate::reactor::Mailbox;
use crate::tls::ServerTls;

use super::file_watch::FileWatch;

/// Looks between two warnings about certificates that expire soon: a day.
const LOOKS_A_DAY: u32 = 24 * 60 * 60 / 2;

/// News from the thread that looks at the files.
#[derive(Debug)]
pub(super) struct Found {
    /// Number of the watch.
    pub(super) watch: u64,
    /// TLS with the content of changed files.
    pub(super) server: Option<ServerTls>,
    /// Lines for the operator.
    pub(super) lines: Vec<String>,
}

/// Starts a thread that looks at the files of `options` and reports to `mailbox`; `None` if there are
/// no files. `served` is what the files have had, as far as it is known. The proxy also obtains
/// certificates if `obtains`.
///
/// # Errors
/// Fails if no thread can be started.
pub(super) fn watch(
    number: u64,
    (options, obtains): (TlsOptions, bool),
    served: Option<&ServerTls>,
    mailbox: Mailbox<Mail>,
) -> io::Result<Option<FileWatch>> {
    if options.server_files().next().is_none() {
        return Ok(None);
    }
    let mut watched = Watched::new(options, obtains, served.map(ServerTls::fingerprint).copied());
    let look = move || {
        let (server, lines) = watched.look()?;
        Some(Found { watch: number, server, lines })
    };
    FileWatch::start(("certificates", number), mailbox, look).map(Some)
}

/// The files, as they were at the last look.
struct Watched {
    options: TlsOptions,
    obtains: bool,
    /// None before the first look: files may have changed since the settings were read.
    versions: Vec<Option<FileVersion>>,
    /// Fingerprint of what the files have had at last.
    served: Option<[u8; 32]>,
    /// Reason why the present content cannot be used, and true once the operator was told.
    failed: Option<(String, bool)>,
    looks: u32,
}

/// TLS with the content of changed files, and lines for the operator.
type News = (Option<ServerTls>, Vec<String>);

impl Watched {
    fn new(options: TlsOptions, obtains: bool, served: Option<[u8; 32]>) -> Self {
        Self { options, obtains, versions: Vec::new(), served, failed: None, looks: 0 }
    }

    /// Looks at the files, and reads them if one has changed. A certificate and its key change one
    /// after the other: a failure counts once it has lasted until the next look.
    fn look(&mut self) -> Option<News> {
        self.looks += 1;
        let versions = self.options.server_files().map(|path| FileVersion::at(path)).collect();
        let is_changed = self.versions != versions;
        self.versions = versions;
        let is_retried = self.failed.as_ref().is_some_and(|(_, is_told)| !is_told);
        if is_changed || is_retried {
            return self.read();
        }
        let lines = match self.looks.is_multiple_of(LOOKS_A_DAY) {
            true => self.expiring(),
            false => Vec::new(),
        };
        (!lines.is_empty()).then_some((None, lines))
    }

    fn read(&mut self) -> Option<News> {
        match self.options.server(true, self.obtains) {
            Ok(server) => {
                self.failed = None;
                let server = server?;
                let fingerprint = Some(*server.fingerprint());
                if std::mem::replace(&mut self.served, fingerprint) == fingerprint {
                    return None;
                }
                let certificates = server.certificates().list().iter();
                let mut lines: Vec<String> = certificates
                    .map(|certificate| {
                        let until = date::format(certificate.facts.not_after);
                        let names = certificate.names().join(", ");
                        format!("certificate for {names}, valid until {}", until.as_str())
                    })
                    .collect();
                lines
                    .insert(0, "files of certificates have changed and were read again".to_owned());
                lines.extend(self.options.warnings(Some(&server)));
                Some((Some(server), lines))
            }
            Err(reason) => {
                let lasts = self.failed.as_ref().is_some_and(|(before, _)| *before == reason);
                let line = format!("{reason}; the certificates stay as they were");
                self.failed = Some((reason, lasts));
                lasts.then(|| (None, vec![line]))
            }
        }
    }

    /// Returns warnings about certificates that expire soon.
    fn expiring(&self) -> Vec<String> {
        let server = self.options.server(true, self.obtains).ok().flatten();
        self.options.expiring(server.as_ref())
    }
}
