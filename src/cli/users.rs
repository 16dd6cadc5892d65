//! `tidegate users`: creating and editing files of users.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::auth::digest::Algorithm;
use crate::auth::{Password, PasswordHash, Realm, StoredSecret, UserEntry, Users, edit};
use crate::cli::args::users::UsersRequest;
use crate::config::read_secret;

use super::folders::folder_of;
use super::password;
use super::terminal::{fail, print};

/// Cost of bcrypt hashes, as a power of two: one guess takes about a tenth of a second.
const COST: u32 = 10;

/// Runs the request and prints the result.
pub(super) fn run(file: &Path, request: &UsersRequest) -> ExitCode {
    let done = match request {
        UsersRequest::Add { name, realm } => add(file, name, realm.as_ref()),
        UsersRequest::Remove { name } => remove(file, name),
        UsersRequest::List => return list(file),
        UsersRequest::Verify { name } => verify(file, name),
    };
    match done {
        Ok(text) => print(&text),
        Err(message) => fail(&message),
    }
}

fn add(file: &Path, name: &str, realm: Option<&Realm>) -> Result<String, String> {
    let check = |text: &[u8]| {
        Users::default().read(&file.to_string_lossy(), text).map_err(|bad| bad.to_string())
    };
    check(&content(file)?)?; // a broken file is reported before the user types a password
    let password = password::read(true)?;
    let proofs = proofs(name, &password, realm)?;
    let lines = proofs.into_iter().map(|proof| UserEntry::new(name, proof).map_err(str::to_owned));
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    change(file, |before| {
        check(before)?;
        let mut after = Zeroizing::new(before.to_vec());
        for line in &lines {
            after = Zeroizing::new(edit::set(&after, line));
        }
        Ok((after, format!("set {name}\n")))
    })
}

/// Computes the secrets to store for a user. Digest gets one for each algorithm, so that every
/// client finds one that it supports.
fn proofs(
    name: &str,
    password: &Password,
    realm: Option<&Realm>,
) -> Result<Vec<StoredSecret>, String> {
    let Some(realm) = realm else {
        let salt = salt().map_err(|error| format!("no random numbers: {error}"))?;
        let hash = PasswordHash::bcrypt(password, COST, salt);
        return Ok(vec![StoredSecret::Hash(hash.map_err(str::to_owned)?)]);
    };
    let proof = |&of: &Algorithm| StoredSecret::digest(realm.clone(), of, name, password);
    Ok(Algorithm::ALL.iter().map(proof).collect())
}

fn salt() -> io::Result<[u8; 16]> {
    let mut salt = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(salt)
}

fn remove(file: &Path, name: &str) -> Result<String, String> {
    read(file)?; // a missing file is an error here
    change(file, |before| {
        let after = edit::remove(before, name);
        let after =
            after.ok_or_else(|| format!("{}: there is no user '{name}'", file.display()))?;
        Ok((Zeroizing::new(after), format!("removed {name}\n")))
    })
}

/// Prints the entries that can be read, and reports the first one that a proxy would reject.
fn list(file: &Path) -> ExitCode {
    let text = match read(file) {
        Ok(text) => text,
        Err(message) => return fail(&message),
    };
    let lines = edit::list(&text).map(|line| format!("{}  {}\n", line.user(), line.proof()));
    let printed = print(&lines.collect::<String>());
    match Users::default().read(&file.to_string_lossy(), &text) {
        Ok(()) => printed,
        Err(bad) => fail(&bad.to_string()),
    }
}

fn verify(file: &Path, name: &str) -> Result<String, String> {
    let mut users = Users::default();
    users.read(&file.to_string_lossy(), &read(file)?).map_err(|bad| bad.to_string())?;
    match users.verify(name, &password::read(false)?) {
        Some(true) => Ok("ok\n".into()),
        Some(false) => Err(format!("wrong password for '{name}'")),
        None => Err(format!("{}: there is no user '{name}'", file.display())),
    }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    read_secret(file).map_err(|error| about(file, &error))
}

fn about(file: &Path, error: &io::Error) -> String {
    format!("{}: {error}", file.display())
}

/// Replaces the content of a file of users by the result of `edit`. A process that reads the file
/// meanwhile sees either content as a whole. Another process that edits the file waits.
fn change<T>(
    file: &Path,
    edit: impl FnOnce(&[u8]) -> Result<(Zeroizing<Vec<u8>>, T), String>,
) -> Result<T, String> {
    let about = |error: io::Error| about(file, &error);
    // A link is kept, and its target replaced.
    let file = &fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = folder_of(file).ok_or_else(|| about(io::ErrorKind::NotFound.into()))?;
    let folder = File::open(folder).map_err(about)?;
    folder.lock().map_err(about)?; // released when it is closed
    let (after, done) = edit(&content(file)?)?;
    replace(file, &folder, &after).map_err(about)?;
    Ok(done)
}

/// Returns the content of a file, or nothing if the file does not exist.
fn content(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    match read_secret(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Zeroizing::default()),
        read => read.map_err(|error| about(file, &error)),
    }
}

/// Replaces `file` by one with the content `text`, durably even if the machine fails now.
fn replace(file: &Path, folder: &File, text: &[u8]) -> io::Result<()> {
    let beside = beside(file);
    let written = write(&beside, file, text).and_then(|()| fs::rename(&beside, file));
    written.inspect_err(|_| drop(fs::remove_file(&beside)))?;
    folder.sync_all()
}

/// Writes the file that will replace `old`, with the owner and permissions of `old`. If `old` does
/// not exist, only the owner of the new file can read it.
fn write(new: &Path, old: &Path, text: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(new); // left behind by a killed process
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    if let Ok(old) = fs::metadata(old) {
        let owned = fchown(&file, Some(old.uid()), Some(old.gid()));
        owned.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot keep its owner: {error}"))
        })?;
        file.set_permissions(Permissions::from_mode(old.permissions().mode()))?;
    }
    file.write_all(text)?;
    file.sync_all()
}

/// Returns the name under which a file is written before it replaces another. One name suffices,
/// because the folder is locked.
fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.new"))
}
