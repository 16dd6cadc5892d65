//! The disk of the access log, looked at regularly on a thread: a warning before the disk is full.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{StatVfs, statvfs};

use crate::cli::folders::folder_of;
use crate::config::LogTarget;
use crate::forecast::{Alarm, DiskForecast, DiskUse, Level, Outlook, Resource};
use crate::proxy::{DiskFigures, DiskProbe, Mail};
use crate::reactor::{Clock, Mailbox, SystemClock};

use super::file_watch::FileWatch;

/// Time before the disk is full at which the operator is warned.
const WARNING: Duration = Duration::from_secs(24 * 60 * 60);
/// Label of the metrics of the disk of the access log.
const NAME: &str = "log";

/// News from the thread that looks at the disk.
#[derive(Debug)]
pub(super) struct DiskNews {
    /// Number of the watch.
    pub(super) watch: u64,
    /// Line for the operator.
    pub(super) line: String,
}

/// Figures of the last look. The lock is held for a copy only.
#[derive(Clone, Debug, Default)]
pub(super) struct Disks(Arc<Mutex<Option<DiskFigures>>>);

impl Disks {
    fn set(&self, figures: Option<DiskFigures>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }
}

impl DiskProbe for Disks {
    fn read(&self) -> Vec<DiskFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }
}

/// Starts a thread that looks at the disk of `log`, keeps `disks` up to date and reports to `mailbox`; `None`
/// if the log is no file.
///
/// # Errors
/// Fails if no thread can be started.
pub(super) fn watch(
    number: u64,
    (log, disks): (&LogTarget, Disks),
    mailbox: Mailbox<Mail>,
) -> io::Result<Option<FileWatch>> {
    let LogTarget::File(path) = log else { return Ok(None) };
    let mut watched = Watched::new(PathBuf::from(path), SystemClock.now().mono);
    let look = move || {
        let (figures, line) = watched.look(SystemClock.now().mono, look_at);
        disks.set(figures);
        line.map(|line| DiskNews { watch: number, line })
    };
    FileWatch::start(("disks", number), mailbox, look).map(Some)
}

/// Returns the folder of `file` and the use of its disk; `None` for a pipe or a device.
///
/// # Errors
/// The errors of `statvfs(3)`.
fn look_at(file: &Path) -> io::Result<Option<(PathBuf, DiskUse)>> {
    if std::fs::metadata(file).is_ok_and(|data| !data.is_file()) {
        return Ok(None);
    }
    let folder = folder_of(file).ok_or(io::ErrorKind::NotFound)?;
    let figures = statvfs(&folder)?;
    Ok(Some((folder, disk_use(&figures))))
}

fn disk_use(figures: &StatVfs) -> DiskUse {
    let level = |all: u64, free: u64, usable: u64| {
        let used = all.saturating_sub(free);
        Level { used, capacity: used.saturating_add(usable) }
    };
    let bytes = |blocks: u64| blocks.saturating_mul(figures.f_frsize);
    let has_inodes = figures.f_files > 0;
    let inodes = || level(figures.f_files, figures.f_ffree, figures.f_favail);
    DiskUse {
        bytes: level(bytes(figures.f_blocks), bytes(figures.f_bfree), bytes(figures.f_bavail)),
        inodes: has_inodes.then(inodes),
    }
}

/// The file, and what is known of its disk.
struct Watched {
    file: PathBuf,
    since: Instant,
    forecast: DiskForecast,
    alarm: Alarm,
    /// True if the last look has failed, and the operator was told.
    is_lost: bool,
}

impl Watched {
    fn new(file: PathBuf, since: Instant) -> Self {
        let (forecast, alarm) = (DiskForecast::default(), Alarm::new(WARNING));
        Self { file, since, forecast, alarm, is_lost: false }
    }

    /// Looks at the disk by `look_at`. Returns its figures, and a line for the operator if there is news.
    fn look(
        &mut self,
        now: Instant,
        look_at: impl Fn(&Path) -> io::Result<Option<(PathBuf, DiskUse)>>,
    ) -> (Option<DiskFigures>, Option<String>) {
        let (folder, disk) = match look_at(&self.file) {
            Ok(Some(seen)) => seen,
            Ok(None) => return (None, None),
            Err(error) => {
                let was_lost = std::mem::replace(&mut self.is_lost, true);
                let file = self.file.display();
                let line = || format!("the disk of the access log {file} is not watched: {error}");
                return (None, (!was_lost).then(line));
            }
        };
        self.is_lost = false;
        self.forecast.add(now.saturating_duration_since(self.since), disk);
        let (resource, outlook) = self.forecast.outlook();
        let line = self.alarm.is_due(outlook).then(|| warning(&folder, resource, outlook));
        let figures = DiskFigures {
            name: NAME,
            free_bytes: disk.bytes.free(),
            free_inodes: disk.inodes.map(Level::free),
            full_in: outlook.full_in(),
        };
        (Some(figures), line)
    }
}

/// Returns the line for an operator whose disk fills up.
fn warning(folder: &Path, resource: Resource, outlook: Outlook) -> String {
    let folder = folder.display();
    format!(
        "warning: the disk of the access log, {folder}, {outlook}, by its {resource}; delete files there, or \
         bound the log by --log-rotate-size SIZE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: u64 = 1 << 30;

    /// A disk with so many bytes in use.
    fn disk(used: u64) -> io::Result<Option<(PathBuf, DiskUse)>> {
        let bytes = Level { used, capacity: CAPACITY };
        Ok(Some(("/logs".into(), DiskUse { bytes, inodes: None })))
    }

    #[test]
    fn operator_is_warned_once_of_a_disk_that_fills_up() {
        let now = SystemClock.now().mono;
        let mut watched = Watched::new("/logs/access.log".into(), now);
        let mut lines = Vec::new();
        for minute in 0..120 {
            let now = now + Duration::from_secs(60 * minute);
            let (figures, line) = watched.look(now, |_| disk(minute << 20));
            assert_eq!(figures.unwrap().free_bytes, CAPACITY - (minute << 20));
            lines.extend(line);
        }
        let expected = "warning: the disk of the access log, /logs, is full in 16h 55m (17h to 17h), by its \
                        bytes; delete files there, or bound the log by --log-rotate-size SIZE";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn disk_that_cannot_be_looked_at_is_reported_once_for_each_loss() {
        let now = SystemClock.now().mono;
        let mut watched = Watched::new("/logs/access.log".into(), now);
        let lost = |_: &Path| Err(io::ErrorKind::PermissionDenied.into());
        let (figures, line) = watched.look(now, lost);
        assert_eq!(figures, None);
        let expected =
            "the disk of the access log /logs/access.log is not watched: permission denied";
        assert_eq!(line.as_deref(), Some(expected));
        assert_eq!(watched.look(now, lost), (None, None));
        assert!(watched.look(now, |_| disk(1)).0.is_some());
        assert_eq!(watched.look(now, lost).1.as_deref(), Some(expected));
    }

    #[test]
    fn disk_of_a_folder_has_room_and_a_device_has_none() {
        let (_, disk) = look_at(Path::new("/tmp/no-such-file")).unwrap().unwrap();
        assert!(disk.bytes.capacity > 0 && disk.bytes.used <= disk.bytes.capacity);
        assert_eq!(look_at(Path::new("/dev/null")).unwrap(), None);
    }
}
