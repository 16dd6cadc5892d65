//! Messages of syslog (RFC 5424).

use std::fmt;
use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use super::mark::Marked;

/// Longest message in bytes: the bound of common receivers. RFC 5424 §6.1 demands less.
const LONGEST: usize = 8192;
/// End of a message that was cut.
const CUT: &str = "…";
/// Most bytes of HOSTNAME (RFC 5424 §6).
const LONGEST_HOST: usize = 255;

/// Names of facilities by number (RFC 5424 §6.2.1), as syslog.conf(5) spells them.
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// Facility of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Default for Facility {
    /// `daemon`.
    fn default() -> Self {
        Self(3)
    }
}

impl FromStr for Facility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FACILITIES.iter().find(|(name, _)| *name == text);
        found.map(|(_, number)| Self(*number)).ok_or_else(|| {
            format!("'{text}' is not a facility such as daemon, user, or local0 to local7")
        })
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = FACILITIES.iter().find(|(_, number)| *number == self.0);
        f.write_str(found.map_or("daemon", |(name, _)| name))
    }
}

/// Writer of messages of one process.
#[derive(Clone, Debug)]
pub struct Syslog {
    facility: Facility,
    /// HOSTNAME, APP-NAME, PROCID, MSGID and STRUCTURED-DATA, with a space on either side.
    header: String,
}

impl Syslog {
    /// Creates a writer for the process `process` on the machine `host`.
    #[must_use]
    pub fn new(facility: Facility, host: &str, process: u32) -> Self {
        let host: String = host.chars().filter(char::is_ascii_graphic).take(LONGEST_HOST).collect();
        let host = if host.is_empty() { "-" } else { &host };
        Self { facility, header: format!(" {host} tidegate {process} - - ") }
    }

    /// Returns the message of a line with a mark, and true if the message was cut, because it would have more
    /// than 8 KiB. `now` is the time since 1970 of a line without a mark.
    #[must_use]
    pub fn message(&self, line: &str, now: Duration) -> (String, bool) {
        let Marked { severity, time, text } = Marked::read(line);
        let mut out = String::with_capacity(text.len() + 128);
        // Writing to a string does not fail.
        let _ = write!(out, "<{}>1 ", self.facility.0 * 8 + severity.number());
        push_time(&mut out, time.unwrap_or(now));
        out.push_str(&self.header);
        let is_cut = out.len() + text.len() > LONGEST;
        let end = if is_cut {
            text.floor_char_boundary(LONGEST - out.len() - CUT.len())
        } else {
            text.len()
        };
        out.push_str(&text[..end]);
        if is_cut {
            out.push_str(CUT);
        }
        (out, is_cut)
    }
}

/// Adds a TIMESTAMP (RFC 5424 §6.2.3), in UTC with microseconds.
fn push_time(out: &mut String, time: Duration) {
    let seconds = time.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = time.subsec_micros();
    let _ =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
}

/// Returns year, month and day of a day since 1970 in the Gregorian calendar. Years are counted from March,
/// so that a leap day is the last of its year.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since March of the year 0
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let is_next = if month <= 2 { 1 } else { 0 };
    (era * 400 + year + is_next, month, day)
}
