//! Bans as text, for a file: a line for each ban, below a line that names the format.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::access::Cidr;
use crate::time::Now;

use super::action::BanAction;
use super::in_force::Held;
use super::rule::LONGEST;

/// First line of the text, with the version of the format.
const HEADER: &str = "tidegate bans 1";

const EXPECTED: &str = "NETWORK ACTION SINCE UNTIL OFFENCES rule|operator WORDS";

/// Longest reason of a ban, in characters.
const MAX_WORDS: usize = 250;

/// Returns the words of a reason: one line without control characters, of limited length.
pub(super) fn one_line(why: &str) -> String {
    let plain = why.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    let text: String = plain.take(MAX_WORDS).collect();
    text.trim().to_owned()
}

/// Writes bans as text. Times are whole seconds since 1970: a beginning is rounded down, an end is
/// rounded up.
pub(super) fn write(bans: &[(Cidr, BanAction, &Held)]) -> String {
    let mut text = format!("{HEADER}\n");
    for (network, action, held) in bans {
        let (since, until) = (since_epoch(held.since), since_epoch(held.until));
        let until = until.as_secs() + u64::from(until.subsec_nanos() > 0);
        let by = if held.by_operator { "operator" } else { "rule" };
        let (since, offences, why) = (since.as_secs(), held.offences, &held.why);
        // Writing to a string never fails.
        let _ = writeln!(text, "{network} {action} {since} {until} {offences} {by} {why}");
    }
    text
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Reads bans from text. A ban with an end in the past has ended at `now`.
///
/// # Errors
/// A message that names the line, if a line is malformed.
pub(super) fn read(text: &str, now: Now) -> Result<Vec<(Cidr, BanAction, Held)>, String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if first != HEADER {
        return Err(format!("line 1: '{}' is not '{HEADER}'", one_line(first)));
    }
    let bans = (2..).zip(lines).filter(|(_, line)| !line.is_empty());
    bans.map(|(number, line)| ban(line, now).map_err(|why| format!("line {number}: {why}")))
        .collect()
}

fn ban(line: &str, now: Now) -> Result<(Cidr, BanAction, Held), String> {
    let mut words = line.splitn(7, ' ');
    let mut next = || words.next().ok_or_else(|| format!("a part is missing; expected {EXPECTED}"));
    let network = next()?.parse()?;
    let action = next()?.parse()?;
    let (since, until) = (time(next()?)?, time(next()?)?);
    let offences = next()?;
    let offences =
        digits(offences).ok_or_else(|| format!("'{offences}' is not a number of offences"))?;
    let by_operator = match next()? {
        "operator" => true,
        "rule" => false,
        other => return Err(format!("'{other}' is neither rule nor operator")),
    };
    let why = one_line(next()?).into();
    // A clock that is behind makes a ban no longer than it was.
    let whole = until.duration_since(since).unwrap_or_default().min(LONGEST);
    let left = until.duration_since(now.wall).unwrap_or_default().min(whole);
    let ends = now.mono + left;
    Ok((network, action, Held { since, until, ends, offences, by_operator, why }))
}

/// Parses whole seconds since 1970, up to the year 9999.
fn time(text: &str) -> Result<SystemTime, String> {
    let seconds = digits(text).filter(|&seconds| seconds < 253_402_300_800);
    let time = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    time.ok_or_else(|| format!("'{text}' is not a time in seconds since 1970"))
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
