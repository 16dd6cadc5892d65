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

use crate::acme::{AccountKey, Identifier};
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

/// Creates the folder if it does not exist, and takes it for this process, as long as the file is open.
///
/// # Errors
/// Fails if the folder cannot be created, or if another process has it.
pub(in crate::cli) fn reserve(folder: &Path) -> io::Result<File> {
    let at = |error| about(folder, &error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at)?;
    lock(folder).map_err(at)
}

fn about(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("--acme-dir {}: {error}", folder.display()))
}

/// Returns the certifier for the settings, with what the folder has, and a warning for each file that
/// cannot be used. `lock` is the reserved folder.
///
/// # Errors
/// Fails if the folder cannot be read.
pub(super) fn certifier(
    settings: &AcmeSettings,
    (options, lock): (&Options, File),
    mailbox: Mailbox<Mail>,
    now: SystemTime,
) -> io::Result<(Certifier, Vec<String>)> {
    let path = options.acme.folder.clone().unwrap_or_default();
    let at = |error: io::Error| about(&path, &error);
    let random = Arc::new(SystemRandom::new());
    let mut warnings = Vec::new();
    let accounts = accounts(&path, &random, &mut warnings).map_err(at)?;
    let names = settings.certificates.iter();
    let certificates = names.map(|names| certificate(&path, names, now, &mut warnings)).collect();
    let folder = Folder { path: path.into(), writer: ThreadPool::new(1, mailbox), _lock: lock };
    let certifier =
        Certifier::new(settings.clone(), accounts, certificates, Box::new(folder), random);
    Ok((certifier, warnings))
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> io::Result<File> {
    let file = private(OpenOptions::new().create(true), &folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::other("another process uses the folder"))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file that only its owner can read, without following a link.
fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Reads the accounts.
fn accounts(
    folder: &Path,
    random: &SystemRandom,
    warnings: &mut Vec<String>,
) -> io::Result<Vec<StoredAccount>> {
    let mut accounts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("account-") && name.ends_with(".pem") {
            match account_in(&path, random) {
                Ok(account) => accounts.push(account),
                Err(reason) => warnings.push(format!("warning: {}: {reason}", path.display())),
            }
        }
    }
    Ok(accounts)
}

/// Reads the account in a file.
fn account_in(path: &Path, random: &SystemRandom) -> Result<StoredAccount, String> {
    let content = read_secret(path).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&content).ok();
    let account = text.and_then(account).ok_or("the file holds no account")?;
    match AccountKey::from_pem(&account.key_pem, random) {
        Ok(_) => Ok(account),
        Err(error) => Err(format!("the account cannot be used: {error}")),
    }
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
fn certificate(
    folder: &Path,
    identifiers: &[Identifier],
    now: SystemTime,
    warnings: &mut Vec<String>,
) -> Option<Certificate> {
    let path = folder.join(certificate_file(&identifiers.first()?.to_string()));
    let content = match read_secret(&path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    };
    let certificate = content.and_then(|content| usable(&content, identifiers, now));
    certificate
        .map_err(|reason| {
            let path = path.display();
            warnings.push(format!("warning: {path}: {reason}; a new certificate takes its place"));
        })
        .ok()
}

/// Returns the certificate in a file, if it serves all of `identifiers`.
fn usable(
    content: &[u8],
    identifiers: &[Identifier],
    now: SystemTime,
) -> Result<Certificate, String> {
    let certificate = certificates_of(content)
        .and_then(|chain| Certificate::new(chain, key_of(content)?, now))
        .map_err(|error| error.to_string())?;
    let lacks = |name: &Identifier| !certificate.facts.covers(&name.to_string());
    match identifiers.iter().find(|name| lacks(name)) {
        Some(name) => Err(format!("the certificate does not name {name}")),
        None => Ok(certificate),
    }
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
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = PathBuf::from(format!("{}.new", path.display()));
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error); // a file that an earlier process has left
    }
    let mut file = private(OpenOptions::new().create_new(true), &beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
