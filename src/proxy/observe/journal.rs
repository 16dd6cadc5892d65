//! The journal: lines of the latest exchanges in memory, as long as operators read them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::reactor::Token;
use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::journal_filter::JournalFilter;
use super::log_format::LogFormat;
use super::log_line;
use super::log_text::Dates;

/// Most exchanges in the journal.
const MOST: usize = 4096;
/// Most bytes of their lines.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Time for which the journal continues after its last reader.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Lines of the latest exchanges. Nothing is written if no operator has read for five minutes.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Number of the next entry.
    next: u64,
    /// Operators who wait for entries.
    followers: Vec<Token>,
    /// Time until which entries are written.
    until: Option<Instant>,
    has_news: bool,
    dates: Dates,
}

/// An exchange in the journal.
#[derive(Debug)]
struct Entry {
    /// Its line for people, and its line in JSON, each with its line end.
    human: Box<str>,
    json: Box<str>,
    status: Option<u16>,
    host: Box<str>,
    elapsed: Duration,
}

/// Place of a reader in the journal: the number of the entry that it reads next.
pub(crate) type Place = u64;

impl Journal {
    /// Begins to read: returns the place of the oldest entry that is kept, and has further ones written.
    pub(crate) fn open(&mut self, now: Instant) -> Place {
        self.until = Some(now + KEPT);
        self.next - self.entries.len() as u64
    }

    /// Wakes an operator for each further entry.
    pub(crate) fn follow(&mut self, reader: Token) {
        if !self.followers.contains(&reader) {
            self.followers.push(reader);
        }
    }

    /// Wakes an operator no more.
    pub(crate) fn leave(&mut self, reader: Token) {
        self.followers.retain(|other| *other != reader);
    }

    /// Adds an exchange that has ended, if an operator reads.
    pub(crate) fn record(&mut self, record: &ExchangeRecord, now: Now) {
        if self.followers.is_empty() && self.until.is_none_or(|until| until <= now.mono) {
            if self.until.take().is_some() {
                (self.entries, self.bytes) = (VecDeque::new(), 0);
            }
            return;
        }
        let line = |format: &LogFormat, dates: &mut Dates| {
            let mut line = String::new();
            log_line::write(record, format, now, dates, &mut line);
            line.into_boxed_str()
        };
        let url = record.url();
        let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
        let entry = Entry {
            human: line(&LogFormat::Human, &mut self.dates),
            json: line(&LogFormat::Json, &mut self.dates),
            status: record.status.map(|status| status.code()),
            host: host.unwrap_or_default().into(),
            elapsed: record.elapsed(now),
        };
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        self.next += 1;
        while self.entries.len() > MOST || self.bytes > MOST_BYTES {
            self.bytes -= self.entries.pop_front().map_or(0, |entry| entry.weight());
        }
        self.has_news = true;
    }

    /// Returns the operators to wake, if there are entries since the last call.
    pub(crate) fn take_news(&mut self) -> &[Token] {
        if std::mem::take(&mut self.has_news) { &self.followers } else { &[] }
    }

    /// Adds the lines from `place` on that a reader wants, in JSON or for people, until `out` has `most` bytes.
    /// A reader that has fallen behind is told in a line how many entries it has missed. Returns the place
    /// behind them.
    pub(crate) fn read(
        &self,
        mut place: Place,
        (filter, json): (&JournalFilter, bool),
        most: usize,
        out: &mut String,
    ) -> Place {
        let first = self.next - self.entries.len() as u64;
        if place < first {
            let missed = first - place;
            out.push_str(&match json {
                true => format!("{{\"missed\":{missed}}}\n"),
                false => format!(
                    "({missed} requests are missing: they came faster than they were read)\n"
                ),
            });
            place = first;
        }
        let skipped = usize::try_from(place - first).unwrap_or(usize::MAX);
        for entry in self.entries.iter().skip(skipped) {
            if out.len() >= most {
                break;
            }
            place += 1;
            if filter.wants(entry.status, &entry.host, entry.elapsed) {
                out.push_str(if json { &entry.json } else { &entry.human });
            }
        }
        place
    }
}

impl Entry {
    const fn weight(&self) -> usize {
        self.human.len() + self.json.len() + self.host.len() + size_of::<Self>()
    }
}
