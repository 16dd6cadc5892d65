//! Paths of requests as names of files.

use std::fmt;

use crate::http::percent::escaped_byte;

/// Longest name of a file, in bytes (`NAME_MAX` of Linux).
const MOST_NAME: usize = 255;
/// Longest path below the folder, in bytes; `PATH_MAX` of Linux with room for names of indexes.
const MOST_PATH: usize = 3072;
/// The folder of RFC 8615, which may be asked for although its name begins with a dot.
const WELL_KNOWN: &[u8] = b".well-known";

/// A path below a folder, by the path of a request (RFC 3986 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// Names joined by `/`, without escapes; empty for the folder itself.
    bytes: Vec<u8>,
    /// True if the path ends in `/`, as those of folders do.
    is_folder: bool,
}

/// Reason for which a path names no file that may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// A segment `..` could lead out of the folder.
    Parent,
    /// A name has an encoded `/` or a NUL, which no file name has.
    Separator,
    /// A name begins with a dot: such files are not for clients.
    Hidden,
    /// A name, or the path, is longer than the system permits.
    TooLong,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parent => "the path has a segment '..'",
            Self::Separator => "a name in the path has an encoded '/' or a NUL",
            Self::Hidden => "a name in the path begins with a dot",
            Self::TooLong => "a name in the path is too long",
        })
    }
}

impl std::error::Error for PathError {}

impl FilePath {
    /// Reads the path of a request, without the query and behind the prefix of its route. Empty segments
    /// and segments `.` count for nothing. `shows_hidden` permits names that begin with a dot.
    ///
    /// # Errors
    /// The reason if no file may be served by this path.
    pub fn read(path: &str, shows_hidden: bool) -> Result<Self, PathError> {
        let mut bytes: Vec<u8> = Vec::with_capacity(path.len());
        for segment in path.split('/') {
            let name = decoded(segment);
            match &*name {
                b"" | b"." => continue,
                b".." => return Err(PathError::Parent),
                name if name.contains(&b'/') || name.contains(&0) => {
                    return Err(PathError::Separator);
                }
                name if name.len() > MOST_NAME => return Err(PathError::TooLong),
                name if name.starts_with(b".") && !shows_hidden => {
                    let is_well_known = bytes.is_empty() && name == WELL_KNOWN;
                    if !is_well_known {
                        return Err(PathError::Hidden);
                    }
                }
                _ => {}
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(&name);
        }
        if bytes.len() > MOST_PATH {
            return Err(PathError::TooLong);
        }
        let is_folder = bytes.is_empty() || path.ends_with('/') || path.ends_with("/.");
        Ok(Self { bytes, is_folder })
    }

    /// Returns the names joined by `/`; empty for the folder itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns true if the path is that of a folder: it ends in `/`.
    #[must_use]
    pub const fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Returns the path of `name` in this folder.
    #[must_use]
    pub fn join(&self, name: &str) -> Vec<u8> {
        let slash: &[u8] = if self.bytes.is_empty() { b"" } else { b"/" };
        [&*self.bytes, slash, name.as_bytes()].concat()
    }
}

/// Returns a segment without percent-encoding. An escape that is none stands for itself.
fn decoded(segment: &str) -> Vec<u8> {
    let mut rest = segment.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        match escaped_byte(rest) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(path: &str) -> Result<(Vec<u8>, bool), PathError> {
        FilePath::read(path, false).map(|path| (path.bytes, path.is_folder))
    }

    #[test]
    fn paths_name_files_below_the_folder() {
        for (path, bytes, is_folder) in [
            ("/", &b""[..], true),
            ("", b"", true),
            ("/a", b"a", false),
            ("/a/b.txt", b"a/b.txt", false),
            ("/a/", b"a", true),
            ("//a///b", b"a/b", false),
            ("/./a/./b/.", b"a/b", true),
            ("/a%20b/%C3%A4", b"a b/\xc3\xa4", false),
            ("/%ff", b"\xff", false),
            ("/a%zz%4", b"a%zz%4", false),
            ("/a..b/...x", b"", false),
            ("/.well-known/x", b".well-known/x", false),
        ] {
            match path {
                "/a..b/...x" => assert_eq!(read(path), Err(PathError::Hidden)),
                _ => assert_eq!(read(path), Ok((bytes.to_vec(), is_folder)), "{path}"),
            }
        }
    }

    #[test]
    fn paths_that_name_no_file_are_told_apart() {
        let long = format!("/{}", "x".repeat(256));
        let deep = "/x".repeat(2000);
        for (path, error) in [
            ("/..", PathError::Parent),
            ("/a/../b", PathError::Parent),
            ("/%2e%2e/b", PathError::Parent),
            ("/.%2E", PathError::Parent),
            ("/a%2fb", PathError::Separator),
            ("/..%2f..%2fetc", PathError::Separator),
            ("/a%00.txt", PathError::Separator),
            ("/.git/config", PathError::Hidden),
            ("/a/.htaccess", PathError::Hidden),
            ("/a/.well-known/x", PathError::Hidden),
            ("/%2egit", PathError::Hidden),
            (&long, PathError::TooLong),
            (&deep, PathError::TooLong),
        ] {
            assert_eq!(read(path), Err(error), "{path}");
        }
        assert!(FilePath::read("/.git/config", true).is_ok());
        assert_eq!(FilePath::read("/.git/..", true), Err(PathError::Parent));
    }

    #[test]
    fn names_are_joined() {
        let join = |path: &str| FilePath::read(path, false).unwrap().join("index.html");
        assert_eq!(join("/"), b"index.html");
        assert_eq!(join("/a/b/"), b"a/b/index.html");
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_the_folder(path in "(/|\\.|%2[eEfF]|%00|[a-c]|%25)*") {
            if let Ok(path) = FilePath::read(&path, true) {
                let is_safe = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
                let mut names = path.as_bytes().split(|&byte| byte == b'/');
                prop_assert!(path.as_bytes().is_empty() || names.all(is_safe));
            }
        }
    }
}
