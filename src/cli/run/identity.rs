//! The user that the process becomes once everything is open. Only root can open some sockets and
//! files, and nothing afterwards needs root's rights.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{fchown, lchown};
use std::path::Path;

use nix::unistd::{
    Gid, Group, Uid, User, getgrouplist, getgroups, setegid, seteuid, setgroups, setresgid,
    setresuid,
};
use rustix::thread::capabilities;

use crate::config::Options;

/// A user with groups.
#[derive(Debug)]
pub(in crate::cli) struct Identity {
    user: Uid,
    group: Gid,
    /// Supplementary groups.
    groups: Vec<Gid>,
    /// The user's name, as given in the options.
    name: String,
}

impl Identity {
    /// Returns the user and group that the options name; `None` if the process keeps its own.
    ///
    /// # Errors
    /// Fails if there is no such user or group, or if only root could become that user.
    pub(in crate::cli) fn of(options: &Options) -> Result<Option<Self>, String> {
        let Some(name) = &options.user else {
            return match &options.group {
                Some(_) => Err("--group needs --user NAME".into()),
                None => Ok(None),
            };
        };
        let identity = Self::named(name, options.group.as_deref())?;
        if Uid::effective() == identity.user && Gid::effective() == identity.group {
            return Ok(None);
        }
        if !Uid::effective().is_root() {
            return Err(format!("only root can become '{name}'; start as root, or without --user"));
        }
        Ok(Some(identity))
    }

    fn named(name: &str, group: Option<&str>) -> Result<Self, String> {
        let failed = |error| format!("the user '{name}' cannot be looked up: {error}");
        let user = match User::from_name(name).map_err(failed)? {
            Some(user) => Some(user),
            None => number(name)
                .map_or(Ok(None), |number| User::from_uid(number.into()))
                .map_err(failed)?,
        };
        let uid = user.as_ref().map(|user| user.uid).or(number(name).map(Uid::from));
        let uid = uid.ok_or_else(|| format!("there is no user '{name}'"))?;
        if uid.is_root() {
            return Err(format!("'{name}' is root; name a user with fewer rights"));
        }
        let group = group.map(group_named).transpose()?;
        let own = user.as_ref().map(|user| user.gid);
        let gid = group.or(own).ok_or_else(|| {
            format!("the user '{name}' has no passwd entry, hence no group; add --group")
        })?;
        let groups = match (&user, group) {
            (Some(user), None) => groups_of(user).map_err(failed)?,
            _ => vec![gid],
        };
        Ok(Self { user: uid, group: gid, groups, name: name.to_owned() })
    }

    /// Returns the user's name, as given in the options.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the user the owner of an open file, if it is a regular file.
    ///
    /// # Errors
    /// The errors of `fchown(2)`.
    pub(super) fn own(&self, file: &File) -> io::Result<()> {
        if !file.metadata()?.is_file() {
            return Ok(());
        }
        fchown(file, Some(self.user.as_raw()), Some(self.group.as_raw()))
    }

    /// Makes the user the owner of the file at `path`, without following a link.
    ///
    /// # Errors
    /// The errors of `lchown(2)`.
    pub(in crate::cli) fn own_at(&self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.user.as_raw()), Some(self.group.as_raw()))
    }

    /// Becomes the user permanently, in all threads of the process.
    ///
    /// # Errors
    /// Fails if the change fails, or if it could be undone.
    pub(super) fn assume(&self) -> io::Result<()> {
        let Self { user, group, .. } = *self;
        setgroups(&self.groups)?;
        setresgid(group, group, group)?; // before the user, who lacks the right
        setresuid(user, user, user)?;
        self.check()
    }

    /// Checks that no right of root is left, and that none can be regained.
    fn check(&self) -> io::Result<()> {
        let is_user = [Uid::current(), Uid::effective()].iter().all(|&user| user == self.user);
        let is_group = [Gid::current(), Gid::effective()].iter().all(|&group| group == self.group);
        let foreign = getgroups()?.into_iter().any(|group| !self.groups.contains(&group));
        let regained = seteuid(Uid::from_raw(0)).is_ok()
            || self.group != Gid::from_raw(0) && setegid(Gid::from_raw(0)).is_ok();
        let capable = capabilities(None)?;
        let capable = !capable.effective.is_empty() || !capable.permitted.is_empty();
        if is_user && is_group && !foreign && !regained && !capable {
            return Ok(());
        }
        Err(io::Error::other("the process still has rights of root, or can regain them"))
    }
}

/// Returns a warning about a process that stays root.
pub(super) fn warning(identity: Option<&Identity>) -> Option<String> {
    let warned = identity.is_none() && Uid::effective().is_root();
    warned.then(|| {
        "warning: runs as root; --user NAME drops root's rights once everything is open".to_owned()
    })
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn group_named(name: &str) -> Result<Gid, String> {
    let found = Group::from_name(name);
    let found =
        found.map_err(|error| format!("the group '{name}' cannot be looked up: {error}"))?;
    let gid = found.map(|group| group.gid).or(number(name).map(Gid::from_raw));
    gid.ok_or_else(|| format!("there is no group '{name}'"))
}

fn groups_of(user: &User) -> nix::Result<Vec<Gid>> {
    let name = CString::new(user.name.as_str()).map_err(|_| nix::errno::Errno::EINVAL)?;
    getgrouplist(&name, user.gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: Option<&str>, group: Option<&str>) -> Result<Option<Identity>, String> {
        let (user, group) = (user.map(str::to_owned), group.map(str::to_owned));
        Identity::of(&Options { user, group, ..Options::default() })
    }

    #[test]
    fn unusable_users_are_rejected() {
        for (user, group, why) in [
            (None, Some("daemon"), "--user NAME"),
            (Some("no such user"), None, "there is no user"),
            (Some("root"), None, "is root"),
            (Some("0"), None, "is root"),
            (Some("daemon"), Some("no such group"), "there is no group"),
            (Some("4000000001"), None, "add --group"),
        ] {
            let error = of(user, group).unwrap_err();
            assert!(error.contains(why), "{user:?} {group:?}: {error}");
        }
        assert!(of(None, None).unwrap().is_none());
    }

    #[test]
    fn user_is_found_by_name_and_number() {
        let named = Identity::named("daemon", None).unwrap();
        let numbered = Identity::named(&named.user.to_string(), None).unwrap();
        assert_eq!((named.user, named.group), (numbered.user, numbered.group));
        assert!(named.groups.contains(&named.group));
        let alone = Identity::named("4000000001", Some("daemon")).unwrap();
        assert_eq!((alone.user.as_raw(), alone.groups), (4_000_000_001, vec![named.group]));
    }
}
