//! Bans, the offences that lead to them, and what operators are told of them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::access::Cidr;
use crate::proxy::error::{ExchangeError, NotSupported};
use crate::proxy::observe::counters::BanCounters;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::reason::Reason;
use crate::proxy::settings::Settings;
use crate::throttle::{BanAction, Bans, Begun, Entry, NftSets, Offence};
use crate::time::{Now, write_duration};

/// Bans that are removed at a time once they have ended.
const SLICE: usize = 256;
/// Lines about bans in one turn. Further bans are only counted.
const MOST_LINES: usize = 32;
/// Shortest time between two times at which bans are saved.
const PAUSE: Duration = Duration::from_secs(1);
/// Time after which bans that could not be saved are saved again.
const RETRY: Duration = Duration::from_secs(60);

/// Bans of clients.
#[derive(Debug)]
pub(crate) struct BanTable {
    bans: Bans,
    nft: Option<NftSets>,
    /// Lines for the operator, and the number of bans that have none.
    lines: Vec<String>,
    unsaid: usize,
    /// True if bans have changed since they were saved.
    has_changed: bool,
    /// True if something has happened since the last [`keep`](Self::keep).
    has_news: bool,
    /// True if the embedder saves bans.
    is_saved: bool,
    /// Time before which bans are not saved again.
    next_save: Option<Instant>,
    /// Bans for the embedder to save.
    to_save: Option<SavedBans>,
}

/// Bans as files hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedBans {
    /// Text for [`Worker::restore_bans`](crate::proxy::Worker::restore_bans).
    pub text: String,
    /// Commands of nftables that make its sets hold the bans with the action `drop`, if there are
    /// sets.
    pub nft: Option<String>,
}

impl BanTable {
    pub(super) fn new(settings: &Settings) -> Self {
        let (rules, allowed) = (settings.bans.rules.clone(), allowed(settings));
        Self {
            bans: Bans::new(rules, allowed, settings.limits.bans),
            nft: settings.bans.nft.clone(),
            lines: Vec::new(),
            unsaid: 0,
            has_changed: false,
            has_news: false,
            is_saved: false,
            next_save: None,
            to_save: None,
        }
    }

    /// Applies new settings. Bans stay, unless all their addresses are allowed now.
    pub(super) fn configure(&mut self, settings: &Settings) {
        let lifted = self.bans.reconfigure(settings.bans.rules.clone(), allowed(settings));
        lifted.iter().for_each(|ban| {
            self.say(format!(
                "the ban of {} ({}) is lifted: it is allowed",
                ban.network, ban.action
            ));
        });
        // The kernel's sets depend on the networks that are never banned, too.
        if self.nft.is_some() || settings.bans.nft.is_some() {
            self.nft.clone_from(&settings.bans.nft);
            (self.has_changed, self.has_news) = (true, true);
        }
    }

    /// Returns true if there is no ban.
    pub(super) fn is_empty(&self) -> bool {
        self.bans.is_empty()
    }

    /// Returns the ban on an address, with the time that is left of it.
    pub(super) fn of(&self, address: IpAddr, now: Instant) -> Option<(BanAction, Duration)> {
        self.bans.check(address, now).map(|ban| (ban.action, ban.left))
    }

    /// Counts the offences of a finished exchange against its client.
    pub(crate) fn note(&mut self, record: &ExchangeRecord, counters: &mut BanCounters, now: Now) {
        if !self.bans.has_rules() {
            return;
        }
        let [first, second] = offences(record);
        let both = [first, second].map(|kind| kind.unwrap_or(Offence::Status(0)));
        if first.or(second).is_none() {
            return;
        }
        for begun in self.bans.note_event(record.behind, &both, now) {
            self.tell(&begun, counters);
        }
    }

    /// Bans a network for the operator. Returns the line about it.
    ///
    /// # Errors
    /// The reason if no address of the network may be banned.
    pub(crate) fn ban(
        &mut self,
        network: Cidr,
        (action, time, why): (BanAction, Duration, &str),
        counters: &mut BanCounters,
        now: Now,
    ) -> Result<String, String> {
        let begun = self.bans.ban(network, action, time, why, now)?;
        Ok(self.tell(&begun, counters))
    }

    /// Lifts the bans of a network. Returns them.
    pub(crate) fn lift(&mut self, network: Cidr) -> Vec<Entry> {
        let lifted = self.bans.lift(network);
        for ban in &lifted {
            self.say(format!("the ban of {} ({}) is lifted", ban.network, ban.action));
        }
        lifted
    }

    /// Returns the bans in force.
    pub(crate) fn list(&self, now: Now) -> Vec<Entry> {
        self.bans.list(now)
    }

    /// Returns the number of bans.
    pub(crate) fn len(&self) -> usize {
        self.bans.len()
    }

    /// Adds the bans of a text. Returns their number.
    ///
    /// # Errors
    /// A message that names the line, if a line is malformed.
    pub(crate) fn restore(&mut self, text: &str, now: Now) -> Result<usize, String> {
        let count = self.bans.restore(text, now)?;
        self.has_changed |= self.nft.is_some();
        self.has_news = true;
        Ok(count)
    }

    /// Has bans saved from now on: the embedder takes them ([`take_saved`](Self::take_saved)).
    pub(crate) const fn save(&mut self) {
        self.is_saved = true;
    }

    /// Has bans saved again after a while: they could not be saved.
    pub(crate) fn save_again(&mut self, now: Instant) {
        (self.has_changed, self.has_news) = (true, true);
        self.next_save = Some(now + RETRY);
    }

    /// Takes the bans to save, if they have changed.
    pub(crate) const fn take_saved(&mut self) -> Option<SavedBans> {
        self.to_save.take()
    }

    /// Returns the bans if they have changed since they were taken last: at the end of the process.
    pub(crate) fn take_last(&mut self, now: Now) -> Option<SavedBans> {
        self.has_changed |= self.bans.changed();
        let changed = std::mem::take(&mut self.has_changed) && self.is_saved;
        changed.then(|| self.saved(now)).or_else(|| self.to_save.take())
    }

    /// Returns true if lines, or bans to save, wait for [`keep`](Self::keep).
    pub(crate) fn has_news(&mut self) -> bool {
        let has_changed = self.bans.changed();
        self.has_changed |= has_changed;
        self.has_news |= has_changed;
        self.has_news
    }

    /// Ends the bans whose time is over, and has changed bans saved. Returns lines for the operator,
    /// and the next deadline.
    pub(crate) fn keep(&mut self, now: Now) -> (Vec<String>, Option<Instant>) {
        for ban in self.bans.expire(now, SLICE) {
            self.say(format!("the ban of {} ({}) has ended", ban.network, ban.action));
        }
        let has_changed = self.bans.changed() || self.has_changed;
        self.has_changed = has_changed && self.is_saved;
        if self.has_changed && self.next_save.is_none_or(|next| next <= now.mono) {
            self.has_changed = false;
            self.next_save = Some(now.mono + PAUSE);
            self.to_save = Some(self.saved(now));
        }
        self.has_news = false;
        let mut lines = std::mem::take(&mut self.lines);
        if self.unsaid > 0 {
            lines.push(format!("{} more bans have begun or ended", self.unsaid));
            self.unsaid = 0;
        }
        let save = self.next_save.filter(|_| self.has_changed);
        (lines, self.bans.next_deadline().into_iter().chain(save).min())
    }

    fn saved(&self, now: Now) -> SavedBans {
        // The kernel knows no exceptions: this proxy alone enforces bans around exempt addresses.
        let is_for_kernel =
            |ban: &Entry| ban.action == BanAction::Drop && !self.bans.exempts_in(&ban.network);
        let drops = || self.bans.list(now).into_iter().filter(is_for_kernel);
        SavedBans {
            text: self.bans.to_text(),
            nft: self.nft.as_ref().map(|sets| sets.script(&drops().collect::<Vec<_>>())),
        }
    }

    /// Counts a ban that has begun, and tells the operator of it. Returns the line.
    fn tell(&mut self, begun: &Begun, counters: &mut BanCounters) -> String {
        let Begun { ban, is_renewed, displaced } = begun;
        counters.begun[ban.action as usize] += 1;
        let Entry { network, action, offences, .. } = ban;
        let (left, again) = (write_duration(ban.left), if *is_renewed { " again" } else { "" });
        let why = if ban.why.is_empty() { "no reason given" } else { &*ban.why };
        let offences = match *offences {
            0 => String::new(),
            count => format!(" ({count} offences)"),
        };
        let line = format!("{network} is banned{again} ({action}) for {left}: {why}{offences}");
        self.say(line.clone());
        if let Some(ended) = displaced {
            self.say(format!(
                "the ban of {} ({}) is lifted to make room (limits.bans)",
                ended.network, ended.action
            ));
        }
        line
    }

    fn say(&mut self, line: String) {
        self.has_news = true;
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        } else {
            self.unsaid += 1;
        }
    }
}

/// Returns the networks that are never banned. Bytes of a trusted proxy that are no request would
/// count against all its clients.
fn allowed(settings: &Settings) -> Vec<Cidr> {
    settings.bans.allowed.iter().chain(&settings.trusted_proxies).copied().collect()
}

/// Returns the offences of an exchange: its status, and another kind. Exchanges with banned clients
/// have none, since a ban would never end otherwise. Challenges to authenticate count by their status
/// alone.
fn offences(record: &ExchangeRecord) -> [Option<Offence>; 2] {
    let status = record.status.map(|status| Offence::Status(status.code()));
    match &record.reason {
        Some(Reason::Error(ExchangeError::Banned(_))) => [None, None],
        Some(Reason::Error(ExchangeError::BadRequest(_))) => [status, Some(Offence::Malformed)],
        Some(Reason::Error(ExchangeError::NotSupported(NotSupported::PlainOnTls)))
        | Some(Reason::Handshake(_)) => [status, Some(Offence::Handshake)],
        Some(Reason::Error(error)) if error.is_refusal() => [status, Some(Offence::Refused)],
        _ => [status, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, VirtualClock};

    fn table(clock: &VirtualClock) -> BanTable {
        let mut settings = Settings::forward("gate");
        settings.bans.nft = Some(NftSets::new("filter", "banned").unwrap());
        let mut table = BanTable::new(&settings);
        table.save();
        ban(&mut table, 1, clock);
        table
    }

    fn ban(table: &mut BanTable, last: u8, clock: &VirtualClock) {
        let network = Cidr::around([192, 0, 2, last].into(), 32).unwrap();
        let ban = (BanAction::Drop, Duration::from_secs(10), "");
        table.ban(network, ban, &mut BanCounters::default(), clock.now()).unwrap();
    }

    #[test]
    fn bans_are_saved_at_most_once_a_second() {
        let clock = VirtualClock::default();
        let mut table = table(&clock);
        assert!(table.has_news());
        let (lines, deadline) = table.keep(clock.now());
        assert_eq!(lines, ["192.0.2.1 is banned (drop) for 10s: no reason given"]);
        assert_eq!(deadline, Some(clock.now().mono + Duration::from_secs(10)));
        let saved = table.take_saved().unwrap();
        assert!(saved.text.contains("192.0.2.1 drop "), "{}", saved.text);
        assert!(saved.nft.unwrap().contains("banned4 { 192.0.2.1 timeout 10s }"));
        ban(&mut table, 2, &clock);
        assert!(table.has_news());
        let (_, deadline) = table.keep(clock.now());
        assert_eq!((table.take_saved(), table.has_news()), (None, false), "no drive in a loop");
        assert_eq!(deadline, Some(clock.now().mono + PAUSE));
        clock.advance(PAUSE);
        table.keep(clock.now());
        assert!(table.take_saved().unwrap().text.contains("192.0.2.2 drop "));
        assert_eq!(table.take_last(clock.now()), None);
        table.save_again(clock.now().mono);
        assert!(table.has_news());
        assert_eq!(table.keep(clock.now()).1, Some(clock.now().mono + Duration::from_secs(9)));
        assert_eq!(table.take_saved(), None, "not at once");
        clock.advance(RETRY);
        table.keep(clock.now());
        assert!(table.take_saved().is_some());
        table.save_again(clock.now().mono);
        assert!(table.take_last(clock.now()).is_some(), "at the end without delay");
        ban(&mut table, 3, &clock);
        assert!(table.take_last(clock.now()).unwrap().text.contains("192.0.2.3 drop "));
    }

    #[test]
    fn ends_are_told_and_saved_and_lines_are_bounded() {
        let clock = VirtualClock::default();
        let mut table = table(&clock);
        table.keep(clock.now());
        clock.advance(Duration::from_secs(11));
        assert_eq!(table.keep(clock.now()).0, ["the ban of 192.0.2.1 (drop) has ended"]);
        assert_eq!(table.take_saved().unwrap().text, "tidegate bans 1\n");
        (0..100).for_each(|last| ban(&mut table, last, &clock));
        let (lines, _) = table.keep(clock.now());
        assert_eq!(lines.len(), MOST_LINES + 1);
        assert_eq!(lines[MOST_LINES], "68 more bans have begun or ended");
    }
}
