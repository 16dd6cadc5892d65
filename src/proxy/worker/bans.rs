//! Bans of clients, as the embedder keeps them.

use crate::proxy::mail::Mail;
use crate::proxy::throttling::ban_table::SavedBans;
use crate::reactor::{Reactor, Wake};
use crate::time::Now;

use super::Worker;

impl Worker {
    /// Restores the bans of clients that an earlier process has saved. Returns their number.
    ///
    /// # Errors
    /// A message that names the line, if a line is malformed. No ban is restored then.
    pub fn restore_bans(&mut self, text: &str, now: Now) -> Result<usize, String> {
        self.shared.throttling.bans.restore(text, now)
    }

    /// Has bans of clients saved from now on: the embedder takes them after each turn
    /// ([`take_bans`](Self::take_bans)).
    pub const fn save_bans(&mut self) {
        self.shared.throttling.bans.save();
    }

    /// Takes the bans of clients, if they have to be saved: once they have changed, but at most once a
    /// second.
    pub const fn take_bans(&mut self) -> Option<SavedBans> {
        self.shared.throttling.bans.take_saved()
    }

    /// Has bans saved again after a minute, or at the end of the process: the embedder could not save
    /// them.
    pub fn save_bans_again(&mut self, reactor: &mut Reactor<Mail>) {
        self.shared.throttling.bans.save_again(reactor.now().mono);
        reactor.wake(self.upkeep.token());
    }

    /// Takes the bans of clients if they have changed since they were taken: for the end of the process.
    pub fn take_last_bans(&mut self, now: Now) -> Option<SavedBans> {
        self.shared.throttling.bans.take_last(now)
    }
}
