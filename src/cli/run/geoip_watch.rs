//! Databases of places, looked at regularly on a thread: a new one takes effect without a reload.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::config::{FileVersion, read_geo_database};
use crate::geo::{GeoDatabase, GeoDatabases, GeoKinds};
use crate::proxy::Mail;
use crate::reactor::Mailbox;

use super::file_watch::FileWatch;

/// News from the thread that looks at the files.
#[derive(Debug)]
pub(super) struct FoundPlaces {
    /// Number of the watch.
    pub(super) watch: u64,
    /// All databases, if one of them was replaced.
    pub(super) databases: Option<Arc<GeoDatabases>>,
    /// Lines for the operator.
    pub(super) lines: Vec<String>,
}

/// Starts a thread that looks at the files of `databases` and reports to `mailbox`; `None` if there are
/// no files. Rules need the kinds of places `named`.
///
/// # Errors
/// Fails if no thread can be started.
pub(super) fn watch(
    number: u64,
    (databases, named): (&GeoDatabases, GeoKinds),
    mailbox: Mailbox<Mail>,
) -> io::Result<Option<FileWatch>> {
    if databases.list().is_empty() {
        return Ok(None);
    }
    let mut watched: Vec<Watched> = databases.list().iter().map(Watched::new).collect();
    let look = move || {
        let seen: Vec<Seen> = watched.iter_mut().filter_map(|file| file.look(named)).collect();
        let databases = seen.iter().any(|seen| seen.is_replaced).then(|| {
            let list = watched.iter().map(|file| Arc::clone(&file.database)).collect();
            Arc::new(GeoDatabases::new(list))
        });
        let lines: Vec<String> = seen.into_iter().map(|seen| seen.line).collect();
        (!lines.is_empty()).then_some(FoundPlaces { watch: number, databases, lines })
    };
    FileWatch::start(("geoip", number), mailbox, look).map(Some)
}

/// Result of a look at a file that has changed.
struct Seen {
    /// True if the database was replaced.
    is_replaced: bool,
    /// Line for the operator.
    line: String,
}

/// A file, and the database of its last usable version.
struct Watched {
    database: Arc<GeoDatabase>,
    /// Version of the file at the last look; `None` if it was missing.
    version: Option<u64>,
    /// True if the version is not usable, and the operator was not told yet: a file that is not replaced by
    /// renaming is incomplete for a while.
    is_doubtful: bool,
}

impl Watched {
    fn new(database: &Arc<GeoDatabase>) -> Self {
        let version = Some(database.version());
        Self { database: Arc::clone(database), version, is_doubtful: false }
    }

    /// Looks at the file, and reads it if it has changed. Returns the result if the database was replaced, or
    /// if it could not be at two looks.
    fn look(&mut self, named: GeoKinds) -> Option<Seen> {
        let path = Path::new(self.database.name());
        let version = FileVersion::at(path).map(FileVersion::number);
        if version == self.version && !self.is_doubtful {
            return None;
        }
        let was_doubtful = version == self.version;
        self.version = version;
        match read_geo_database(path).and_then(|read| self.replacement(read, named)) {
            Ok(read) => {
                self.is_doubtful = false;
                self.version = Some(read.version());
                if read.version() == self.database.version() {
                    return None; // the version in use is back
                }
                let line = format!("GeoIP database {} has changed and was read again", read.name());
                self.database = Arc::new(read);
                Some(Seen { is_replaced: true, line })
            }
            Err(reason) => {
                self.is_doubtful = !was_doubtful;
                let line = format!("{reason}; the one before stays in use");
                was_doubtful.then_some(Seen { is_replaced: false, line })
            }
        }
    }

    /// Returns what was read, if it can replace the database that rules use.
    ///
    /// # Errors
    /// A message about the places that it lacks.
    fn replacement(&self, read: GeoDatabase, named: GeoKinds) -> Result<GeoDatabase, String> {
        let (old, new) = (self.database.kinds(), read.kinds());
        let lost = GeoKinds {
            countries: named.countries && old.countries && !new.countries,
            networks: named.networks && old.networks && !new.networks,
        };
        match lost.is_empty() {
            true => Ok(read),
            false => Err(format!("the GeoIP database {} has no {lost} any more", read.name())),
        }
    }
}
