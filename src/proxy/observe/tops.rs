//! What is asked for most: URLs, hosts, clients, denials, reasons not cached, and slow requests.
//!
//! Counts are of about the last ten minutes: they are halved every five minutes. Beyond a thousand requests
//! per second, one of several is counted, with the weight of all, so that the cost does not grow.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::time::Now;

use super::exchange_record::ExchangeRecord;
use super::log_text::{Dates, push_quoted};
use super::outcome::Outcome;

/// Texts that are counted at a time, in each list.
const COUNTED: usize = 128;
/// Texts that are shown of each list.
const SHOWN: usize = 20;
/// Longest text, in bytes.
const LONGEST: usize = 256;
/// Time after which counts are halved, and slow requests forgotten twice later.
const HALVED: Duration = Duration::from_secs(5 * 60);
/// Requests per second that are all counted.
const ALL_COUNTED: u64 = 1000;

/// A text that is among the most frequent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopEntry {
    pub(crate) text: String,
    pub(crate) count: u64,
    /// Bytes of content sent.
    pub(crate) bytes: u64,
}

/// A request that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlowRequest {
    /// Start of the request (RFC 3339).
    pub(crate) time: String,
    pub(crate) millis: u64,
    pub(crate) status: u16,
    pub(crate) result: &'static str,
    pub(crate) method: String,
    pub(crate) url: String,
}

/// The lists at one moment, each with the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopsReport {
    pub(crate) urls: Vec<TopEntry>,
    pub(crate) hosts: Vec<TopEntry>,
    pub(crate) clients: Vec<TopEntry>,
    /// Rules and options that have denied requests.
    pub(crate) denials: Vec<TopEntry>,
    /// Reasons for which responses were not stored, and URLs.
    pub(crate) not_stored: Vec<(String, String, u64)>,
    pub(crate) slow: Vec<SlowRequest>,
}

/// The lists while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Tops {
    urls: TopList,
    hosts: TopList,
    clients: TopList,
    denials: TopList,
    not_stored: TopList,
    slow: Vec<(Duration, Instant, SlowRequest)>,
    dates: Dates,
    halved_at: Option<Instant>,
    /// Start of the present second, and the requests in it.
    second: Option<(Instant, u64)>,
    /// One of so many requests is counted, or all if that is 0.
    stride: u64,
}

impl Tops {
    /// Counts an exchange that has ended.
    pub(crate) fn count(&mut self, record: &ExchangeRecord, now: Now) {
        let elapsed = record.elapsed(now);
        self.note_slow(record, elapsed, now);
        if !self.takes(now.mono) {
            return;
        }
        let weight = self.stride.max(1);
        let bytes = record.sent.saturating_mul(weight);
        if record.request.is_none() {
            return;
        }
        let url = without_query(record.url());
        self.urls.add(url, weight, bytes);
        if let Some(host) = host_of(url) {
            self.hosts.add(host, weight, bytes);
        }
        self.clients.add(&record.behind.to_canonical().to_string(), weight, bytes);
        if let (Outcome::Denied, Some(reason)) = (record.outcome, &record.reason) {
            self.denials.add(&reason.rule_label(), weight, 0);
        }
        if let Some(reason) = record.not_stored {
            self.not_stored.add(&[reason.name(), " ", url].concat(), weight, bytes);
        }
    }

    /// Returns true for one of `stride` requests, and adapts that number each second.
    fn takes(&mut self, now: Instant) -> bool {
        let (since, requests) = self.second.get_or_insert((now, 0));
        *requests += 1;
        let is_taken = *requests % self.stride.max(1) == 0;
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            self.stride = *requests / ALL_COUNTED;
            self.second = Some((now, 0));
            self.age(now);
        }
        is_taken
    }

    /// Halves all counts if that is due.
    fn age(&mut self, now: Instant) {
        let halved_at = *self.halved_at.get_or_insert(now);
        let times = now.saturating_duration_since(halved_at).as_secs() / HALVED.as_secs();
        if times == 0 {
            return;
        }
        self.halved_at = Some(now);
        let Self { urls, hosts, clients, denials, not_stored, .. } = self;
        for list in [urls, hosts, clients, denials, not_stored] {
            list.halve(u32::try_from(times.min(63)).unwrap_or(63));
        }
        self.slow.retain(|(_, at, _)| now.saturating_duration_since(*at) < 2 * HALVED);
    }

    /// Keeps the request if it is among the slowest. Tunnels last as long as they are used.
    fn note_slow(&mut self, record: &ExchangeRecord, elapsed: Duration, now: Now) {
        let is_full = self.slow.len() >= SHOWN;
        let least = self.slow.last().map_or(Duration::ZERO, |(elapsed, ..)| *elapsed);
        if record.outcome == Outcome::Tunnel || elapsed.is_zero() || (is_full && elapsed <= least) {
            return;
        }
        let Some(head) = &record.request else { return };
        let mut time = String::new();
        self.dates.push_rfc3339(&mut time, record.started.since_epoch());
        let request = SlowRequest {
            time,
            millis: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            status: record.status.map_or(0, |status| status.code()),
            result: record.outcome.name(),
            method: shortened(head.method_name()).to_owned(),
            url: shortened(without_query(record.url())).to_owned(),
        };
        let at = self.slow.partition_point(|(other, ..)| *other >= elapsed);
        self.slow.insert(at, (elapsed, now.mono, request));
        self.slow.truncate(SHOWN);
    }

    /// Returns the lists as they are now.
    pub(crate) fn report(&mut self, now: Instant) -> TopsReport {
        self.age(now);
        let split = |entry: TopEntry| {
            let (reason, url) = entry.text.split_once(' ').unwrap_or_default();
            (reason.to_owned(), url.to_owned(), entry.count)
        };
        TopsReport {
            urls: self.urls.first(),
            hosts: self.hosts.first(),
            clients: self.clients.first(),
            denials: self.denials.first(),
            not_stored: self.not_stored.first().into_iter().map(split).collect(),
            slow: self.slow.iter().map(|(_, _, request)| request.clone()).collect(),
        }
    }
}

impl TopsReport {
    /// Returns the lists as a JSON object, in one line.
    pub(crate) fn json(&self) -> String {
        let mut out = String::from("{");
        let lists = [
            ("urls", &self.urls),
            ("hosts", &self.hosts),
            ("clients", &self.clients),
            ("denials", &self.denials),
        ];
        for (name, entries) in lists {
            push_list(&mut out, name, entries, |out, entry| {
                out.push_str("{\"text\":");
                push_quoted(out, &entry.text);
                push(out, format_args!(",\"count\":{},\"bytes\":{}}}", entry.count, entry.bytes));
            });
            out.push(',');
        }
        push_list(&mut out, "not_stored", &self.not_stored, |out, (reason, url, count)| {
            out.push_str("{\"reason\":");
            push_quoted(out, reason);
            out.push_str(",\"url\":");
            push_quoted(out, url);
            push(out, format_args!(",\"count\":{count}}}"));
        });
        out.push(',');
        push_list(&mut out, "slow", &self.slow, |out, request| {
            let SlowRequest { time, millis, status, result, method, url } = request;
            push(out, format_args!("{{\"time\":\"{time}\",\"ms\":{millis},\"status\":{status},"));
            push(out, format_args!("\"result\":\"{result}\",\"method\":"));
            push_quoted(out, method);
            out.push_str(",\"url\":");
            push_quoted(out, url);
            out.push('}');
        });
        out.push_str("}\n");
        out
    }
}

/// Adds a member of an object: an array.
fn push_list<T>(out: &mut String, name: &str, items: &[T], item: impl Fn(&mut String, &T)) {
    push(out, format_args!("\"{name}\":["));
    for (at, each) in items.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        item(out, each);
    }
    out.push(']');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a String does not fail
}

/// The most frequent texts of a stream, by the algorithm Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a
/// text that was not counted takes the place and the count of the least frequent one. A text with more than
/// 1/128 of all counts is never missed.
#[derive(Debug, Default)]
struct TopList(HashMap<Box<str>, Tally>);

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    bytes: u64,
}

impl TopList {
    fn add(&mut self, text: &str, weight: u64, bytes: u64) {
        let text = shortened(text);
        let tally = match self.0.get_mut(text) {
            Some(tally) => tally,
            None => {
                let inherited = if self.0.len() < COUNTED { 0 } else { self.remove_least() };
                let tally = Tally { count: inherited, bytes: 0 };
                self.0.entry(text.into()).or_insert(tally)
            }
        };
        tally.count += weight;
        tally.bytes = tally.bytes.saturating_add(bytes);
    }

    /// Removes the least frequent text, and returns its count.
    fn remove_least(&mut self) -> u64 {
        let least = self.0.iter().min_by_key(|(_, tally)| tally.count);
        let Some((text, count)) = least.map(|(text, tally)| (text.clone(), tally.count)) else {
            return 0;
        };
        self.0.remove(&text);
        count
    }

    /// Halves all counts so many times, and forgets texts without a count.
    fn halve(&mut self, times: u32) {
        self.0.retain(|_, tally| {
            tally.count >>= times;
            tally.bytes >>= times;
            tally.count > 0
        });
    }

    /// Returns the most frequent texts, the first one first.
    fn first(&self) -> Vec<TopEntry> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by(|(text, tally), (other, than)| {
            than.count.cmp(&tally.count).then(text.cmp(other))
        });
        let shown = all.into_iter().take(SHOWN);
        let entries = shown.map(|(text, tally)| TopEntry {
            text: text.to_string(),
            count: tally.count,
            bytes: tally.bytes,
        });
        entries.collect()
    }
}

/// Returns a URL without its query, which may hold secrets.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Returns host and port of a URL.
fn host_of(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next().filter(|host| !host.is_empty())
}

/// Returns the beginning of a text that is too long.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn frequent_texts_are_never_missed() {
        let mut list = TopList::default();
        for n in 0..100_000_u64 {
            list.add(&format!("rare {n}"), 1, 1);
            if n % 10 == 0 {
                list.add(&format!("frequent {}", n / 10 % 3), 1, 5);
            }
        }
        let first = list.first();
        let texts: Vec<_> = first[..3].iter().map(|entry| entry.text.as_str()).collect();
        assert!(["frequent 0", "frequent 1", "frequent 2"].iter().all(|it| texts.contains(it)));
        assert!(first[..3].iter().all(|entry| entry.count >= 3333), "{first:?}");
        assert_eq!((list.0.len(), first.len()), (COUNTED, SHOWN));
        list.halve(1);
        assert!(list.first()[0].count < first[0].count);
        list.halve(63);
        assert!(list.0.is_empty());
    }

    #[test]
    fn texts_are_shortened_at_characters() {
        let text = "\u{e4}".repeat(LONGEST);
        assert_eq!(shortened(&text).len(), LONGEST);
        assert_eq!(shortened(&format!("a{text}")).len(), LONGEST - 1);
        assert_eq!(host_of("http://h.test:81/a"), Some("h.test:81"));
        assert_eq!(without_query("http://h.test/a?secret=1"), "http://h.test/a");
    }

    #[test]
    fn many_requests_are_counted_in_part_with_the_weight_of_all() {
        let start = SystemClock.now().mono;
        let mut tops = Tops::default();
        let taken = (0..5000).filter(|_| tops.takes(start)).count();
        assert_eq!((taken, tops.stride), (5000, 0));
        assert!(tops.takes(start + Duration::from_secs(1)));
        let taken = (0..5000).filter(|_| tops.takes(start + Duration::from_secs(1))).count();
        assert_eq!((taken, tops.stride), (1000, 5));
    }

    #[test]
    fn report_is_json() {
        let mut tops = Tops::default();
        tops.urls.add("http://h.test/\"", 2, 10);
        tops.not_stored.add("set-cookie http://h.test/b", 1, 0);
        let json = tops.report(SystemClock.now().mono).json();
        assert_eq!(
            json,
            "{\"urls\":[{\"text\":\"http://h.test/\\\"\",\"count\":2,\"bytes\":10}],\"hosts\":[],\
             \"clients\":[],\"denials\":[],\"not_stored\":[{\"reason\":\"set-cookie\",\
             \"url\":\"http://h.test/b\",\"count\":1}],\"slow\":[]}\n"
        );
    }
}
