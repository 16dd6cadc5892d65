//! The folder with accounts, keys and certificates that the proxy has obtained.
//!
//! The folder has a file for each account and each certificate, which only its owner can read. A file
//! is written beside the old one and then takes its place. One process at a time has the folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ring::rand::SystemRandom;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::acme::Identifier;
use crate::config::{Options, read_secret};
use crate::proxy::{AcmeSettings, AcmeStore, Certifier, Mail, Saved, StoredAccount};
use crate::reactor::{Mailbox, ThreadPool};
use crate::tls::{Certificate, certificates_of, key_of};

/// Beginning of the line of an account's file that has the URL of the directory, or of the account.
const DIRECTORY: &str = "Directory: ";
const ACCOUNT: &str = "Account: ";

/// Result of writing a file: the reason if that failed.
#[derive(Debug)]
pub(super) struct Unsaved(pub(super) Option<String>);

/// The folder, held until the end of the process.
#[derive(Debug)]
struct Folder {
    path: Arc<Path>,
    writer: ThreadPool<Mail>,
    _lock: File,
}

/// Returns the certifier for the settings, with what the folder has.
///
/// # Errors
/// Fails if the folder cannot be created or read, or if another process has it.
pub(super) fn certifier(
    settings: &AcmeSettings,
    options: &Options,
    mailbox: Mailbox<Mail>,
    now: SystemTime,
) -> io::Result<Certifier> {
    let path = options.acme.folder.clone().unwrap_or_default();
    let at = |error: io::Error| io::Error::other(format!("--acme-dir {}: {error}", path.display()));
    DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at)?;
    let lock = lock(&path).map_err(at)?;
    let accounts = accounts(&path).map_err(at)?;
    let certificates =
        settings.certificates.iter().map(|names| certificate(&path, names, now)).collect();
    let folder = Folder { path: path.into(), writer: ThreadPool::new(1, mailbox), _lock: lock };
    let (store, random) = (Box::new(folder), Arc::new(SystemRandom::new()));
    Ok(Certifier::new(settings.clone(), accounts, certificates, store, random))
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> io::Result<File> {
    let file = private(&folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::other("another process uses the folder"))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Reads the accounts.
fn accounts(folder: &Path) -> io::Result<Vec<StoredAccount>> {
    let mut accounts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("account-") && name.ends_with(".pem") {
            let content = read_secret(&path)?;
            accounts.extend(std::str::from_utf8(&content).ok().and_then(account));
        }
    }
    Ok(accounts)
}

/// Reads the file of an account: lines with URLs, then the key.
fn account(text: &str) -> Option<StoredAccount> {
    let value = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let key = &text[text.find("-----BEGIN")?..];
    Some(StoredAccount {
        directory: value(DIRECTORY)?,
        key_pem: Zeroizing::new(key.to_owned()),
        url: value(ACCOUNT),
    })
}

/// Reads the certificate for `identifiers`, if there is one that still serves all of them.
fn certificate(folder: &Path, identifiers: &[Identifier], now: SystemTime) -> Option<Certificate> {
    let name = identifiers.first()?.to_string();
    let content = read_secret(folder.join(certificate_file(&name))).ok()?;
    let certificate =
        Certificate::new(certificates_of(&content).ok()?, key_of(&content).ok()?, now).ok()?;
    let covers = |identifier: &Identifier| certificate.facts.covers(&identifier.to_string());
    identifiers.iter().all(covers).then_some(certificate)
}

/// Returns the name of the file of a certificate. Colons of IPv6 addresses are no part of it.
fn certificate_file(name: &str) -> String {
    format!("{}.pem", name.replace(':', "_"))
}

/// Returns the name of the file of the account at a directory.
fn account_file(directory: &str) -> String {
    let digest = Sha256::digest(directory);
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("account-{digits}.pem")
}

impl AcmeStore for Folder {
    fn save(&mut self, saved: Saved) {
        let path = Arc::clone(&self.path);
        let job = move || {
            let failed = write(&path, &saved).err();
            let reason = failed.map(|error| format!("cannot write to {}: {error}", path.display()));
            Mail::Program(Box::new(Unsaved(reason)))
        };
        // Without a thread the certificate is served all the same, until the end of the process.
        let _ = self.writer.run(job);
    }
}

/// Writes what is saved into the folder.
fn write(folder: &Path, saved: &Saved) -> io::Result<()> {
    let (name, content) = match saved {
        Saved::Account(StoredAccount { directory, key_pem, url }) => {
            let url = url.as_ref().map_or_else(String::new, |url| format!("{ACCOUNT}{url}\n"));
            let content = format!("{DIRECTORY}{directory}\n{url}\n{}", key_pem.as_str());
            (account_file(directory), Zeroizing::new(content))
        }
        Saved::Certificate { name, chain_pem, key_pem } => {
            let content = Zeroizing::new([chain_pem.as_str(), key_pem.as_str()].concat());
            (certificate_file(name), content)
        }
    };
    replace(&folder.join(name), content.as_bytes())
}

/// Replaces a file as a whole: a reader sees the old or the new content.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = PathBuf::from(format!("{}.new", path.display()));
    let mut file = private(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
