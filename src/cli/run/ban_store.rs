//! Files of bans: one that keeps them across restarts, and one with commands of nftables.
//!
//! A file is written beside the old one and then takes its place, so that a reader sees one or the
//! other as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::cli::folders::{folder_of, is_shared};
use crate::config::Options;
use crate::proxy::{Mail, SavedBans, Worker};
use crate::reactor::{Mailbox, ThreadPool};
use crate::time::Now;

use super::acme_store::{Unsaved, replace};

/// Result of writing the files.
#[derive(Debug)]
pub(super) struct BansWritten(pub(super) Unsaved);

/// Writer of the files.
#[derive(Debug)]
pub(super) struct BanStore {
    files: Arc<Files>,
    writer: ThreadPool<Mail>,
    /// While the thread writes: closed once it has written.
    writing: Option<Receiver<()>>,
    /// Bans to write next.
    next: Option<SavedBans>,
}

#[derive(Debug)]
struct Files {
    bans: Option<PathBuf>,
    nft: Option<PathBuf>,
}

impl BanStore {
    /// Restores the bans of the file, and has bans saved from now on. `None` if no option asks for it.
    ///
    /// # Errors
    /// Fails if the file cannot be read or is malformed: starting without the bans would lose them.
    pub(super) fn open(
        options: &Options,
        worker: &mut Worker,
        mailbox: Mailbox<Mail>,
        now: Now,
    ) -> io::Result<Option<Self>> {
        let (bans, nft) = (options.bans.file.clone(), options.bans.nft_file.clone());
        if bans.is_none() && nft.is_none() {
            return Ok(None);
        }
        if options.confine {
            let paths = [("ban-file", &bans), ("ban-nft-file", &nft)];
            paths.iter().try_for_each(|(name, path)| {
                path.iter().try_for_each(|path| own_folder(name, path))
            })?;
        }
        if let Some(path) = &bans {
            restore(path, worker, now)?;
        }
        worker.save_bans();
        let files = Arc::new(Files { bans, nft });
        Ok(Some(Self { files, writer: ThreadPool::new(1, mailbox), writing: None, next: None }))
    }

    /// Has a thread write bans, after those that it writes now. Bans that wait are replaced.
    pub(super) fn write(&mut self, saved: SavedBans) {
        if self.writing.is_some() {
            self.next = Some(saved);
            return;
        }
        let files = Arc::clone(&self.files);
        let (open, writing) = channel();
        let job = move || {
            let reason = files.write(&saved).err();
            drop(open);
            Mail::Program(Box::new(BansWritten(Unsaved(reason))))
        };
        // Without a thread the bans are in force all the same, until the end of the process.
        self.writing = self.writer.run(job).is_ok().then_some(writing);
    }

    /// Continues once the thread has written.
    pub(super) fn written(&mut self) {
        self.writing = None;
        if let Some(next) = self.next.take() {
            self.write(next);
        }
    }

    /// Writes the last bans at the end of the process. Waits for the thread, if that still writes, at most for
    /// `patience`: the end does not wait for a disk that hangs.
    ///
    /// # Errors
    /// A message if a file cannot be written, or not in time.
    pub(super) fn finish(
        &mut self,
        last: Option<SavedBans>,
        patience: Duration,
    ) -> Result<(), String> {
        let written = self.writing.take().map(|writing| writing.recv_timeout(patience));
        if written == Some(Err(RecvTimeoutError::Timeout)) {
            return Err(
                "the last changes of bans are not saved: the files are being written".to_owned()
            );
        }
        let last = last.or_else(|| self.next.take());
        last.map_or(Ok(()), |last| self.files.write(&last))
    }
}

impl Files {
    fn write(&self, saved: &SavedBans) -> Result<(), String> {
        let bans = self.bans.as_ref().map(|path| (path, &saved.text));
        let nft = self.nft.as_ref().zip(saved.nft.as_ref());
        let write = |(path, text): (&PathBuf, &String)| {
            let written = replace(path, text.as_bytes());
            written.map_err(|error| format!("cannot write bans to {}: {error}", path.display()))
        };
        // One file that cannot be written does not keep the other one back.
        let (bans, nft) = (bans.map_or(Ok(()), write), nft.map_or(Ok(()), write));
        bans.and(nft)
    }
}

/// Restores the bans of a file, if it exists.
fn restore(path: &Path, worker: &mut Worker, now: Now) -> io::Result<()> {
    let wrong = |why: String| io::Error::other(format!("--ban-file {}: {why}", path.display()));
    match fs::read_to_string(path) {
        Ok(text) => {
            let restored = worker.restore_bans(&text, now).map(drop);
            restored.map_err(|why| wrong(format!("{why}; repair or remove the file")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Checks that a file has a folder in which a confined process may replace files.
pub(super) fn own_folder(name: &str, path: &Path) -> io::Result<()> {
    match folder_of(path).filter(|folder| !is_shared(folder)) {
        Some(_) => Ok(()),
        None => Err(io::Error::other(format!(
            "--{name} {}: with --confine, the file needs a folder of its own, such as \
             /var/lib/tidegate or /var/log/tidegate",
            path.display()
        ))),
    }
}
