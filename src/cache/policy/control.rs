//! `Cache-Control`, read so that doubt makes a response less cacheable, never more
//! (RFC 9111 §5.2).

use std::time::Duration;

use crate::http::list::{self, Elements};
use crate::http::{FieldNames, Fields, Name};
use crate::work;

/// Larger numbers of seconds mean this one (RFC 9111 §1.2.2).
pub(super) const MAX_SECONDS: u64 = 1 << 31;
/// Names of fields that `private` and `no-cache` may have; with more, they are for the whole response.
const MAX_NAMES: usize = 64;

/// A directive that may name fields, as `private="set-cookie"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Not there.
    #[default]
    None,
    /// For these fields only.
    Fields,
    /// For the whole response.
    All,
}

/// What a response says of its storing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseControl {
    /// It may not be stored.
    pub no_store: bool,
    /// It may not be used without validation.
    pub no_cache: Scope,
    /// It is for one user.
    pub private: Scope,
    /// It may be shared though it would not be by default.
    pub public: bool,
    /// Once stale it may not be used without validation.
    pub must_revalidate: bool,
    /// The same, for shared caches only.
    pub proxy_revalidate: bool,
    /// It may be stored only by a cache that knows its status code, then in spite of `no-store`.
    pub must_understand: bool,
    /// How long it is fresh.
    pub max_age: Option<Duration>,
    /// How long it is fresh in a shared cache.
    pub s_maxage: Option<Duration>,
    /// For how long it may be served stale while it is validated (RFC 5861 §3).
    pub stale_while_revalidate: Duration,
    /// For how long it may be served stale if the origin fails (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// Whether a targeted field says all this, and `Expires` does not count (RFC 9213 §2.2).
    pub is_targeted: bool,
}

impl ResponseControl {
    /// Reads all `Cache-Control` lines of a response. One with a string that does not end could say
    /// anything, also `no-store`.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let (mut control, mut names) = (Self::default(), 0);
        for directive in directives(fields) {
            match directive.known() {
                Known::NoStore => control.no_store = true,
                Known::NoCache => control.no_cache = directive.scope(control.no_cache, &mut names),
                Known::Private => control.private = directive.scope(control.private, &mut names),
                Known::Public => control.public = true,
                Known::MustRevalidate => control.must_revalidate = true,
                Known::ProxyRevalidate => control.proxy_revalidate = true,
                Known::MustUnderstand => control.must_understand = true,
                Known::MaxAge => control.max_age = Some(directive.at_most(control.max_age)),
                Known::SMaxage => control.s_maxage = Some(directive.at_most(control.s_maxage)),
                Known::StaleWhileRevalidate => {
                    control.stale_while_revalidate = directive.seconds().unwrap_or_default();
                }
                Known::StaleIfError => {
                    control.stale_if_error = Some(directive.at_most(control.stale_if_error));
                }
                _ => {}
            }
        }
        if !fields.all(Name::CacheControl).all(list::is_terminated) {
            (control.no_store, control.must_understand) = (true, false);
        }
        control
    }

    /// Whether some fields are not for everybody, or not without validation.
    #[must_use]
    pub fn withholds(&self) -> bool {
        self.private == Scope::Fields || self.no_cache == Scope::Fields
    }
}

/// Returns the names of fields that `private` or `no-cache` withhold from other clients: stored without
/// them, the rest of the response can be used (RFC 9111 §5.2.2.4, §5.2.2.7).
#[must_use]
pub fn withheld(fields: &Fields) -> FieldNames<'_> {
    directives(fields)
        .filter(|directive| matches!(directive.known(), Known::Private | Known::NoCache))
        .filter_map(|directive| unquoted(directive.value?))
        .flat_map(Elements::of)
        .take(MAX_NAMES)
        .collect()
}

/// What a request says of the responses it accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// Nothing of this exchange may be stored.
    pub no_store: bool,
    /// Nothing stored may be used without validation.
    pub no_cache: bool,
    /// Nothing may be asked of the origin.
    pub only_if_cached: bool,
    /// The oldest response accepted.
    pub max_age: Option<Duration>,
    /// How long the response must be fresh yet.
    pub min_fresh: Option<Duration>,
    /// How long it may have been stale; `Duration::MAX` without a value.
    pub max_stale: Option<Duration>,
}

impl RequestControl {
    /// Reads all `Cache-Control` lines of a request, or `Pragma` if there are none (§5.4).
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        if !fields.has(Name::CacheControl) {
            let mut pragmas = fields.elements(Name::Pragma);
            control.no_cache = pragmas.any(|p| p.eq_ignore_ascii_case(b"no-cache"));
            return control;
        }
        for directive in directives(fields) {
            match directive.known() {
                Known::NoStore => control.no_store = true,
                Known::NoCache => control.no_cache = true,
                Known::OnlyIfCached => control.only_if_cached = true,
                Known::MaxAge => control.max_age = Some(directive.at_most(control.max_age)),
                Known::MinFresh => {
                    control.min_fresh = Some(directive.seconds().unwrap_or(Duration::MAX));
                }
                Known::MaxStale if directive.value.is_none() => {
                    control.max_stale = Some(Duration::MAX);
                }
                Known::MaxStale => {
                    control.max_stale = Some(directive.seconds().unwrap_or_default());
                }
                _ => {}
            }
        }
        control
    }

    /// Returns true if the origin has to be asked after the request has come, whatever is stored: any
    /// response that comes from elsewhere is older than `max-age=0` by then.
    pub(crate) fn asks_origin(&self) -> bool {
        self.no_cache || self.max_age == Some(Duration::ZERO)
    }

    /// Forgets what asks for validation of a response that is fresh.
    pub(super) const fn accept_without_validation(&mut self) {
        (self.no_cache, self.max_age, self.min_fresh) = (false, None, None);
    }
}

/// The directives with a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    MaxAge,
    SMaxage,
    NoCache,
    NoStore,
    Private,
    Public,
    MustRevalidate,
    ProxyRevalidate,
    MustUnderstand,
    StaleWhileRevalidate,
    StaleIfError,
    OnlyIfCached,
    MinFresh,
    MaxStale,
    Other,
}

const KNOWN: [(&[u8], Known); 14] = [
    (b"max-age", Known::MaxAge),
    (b"s-maxage", Known::SMaxage),
    (b"no-cache", Known::NoCache),
    (b"no-store", Known::NoStore),
    (b"private", Known::Private),
    (b"public", Known::Public),
    (b"must-revalidate", Known::MustRevalidate),
    (b"proxy-revalidate", Known::ProxyRevalidate),
    (b"must-understand", Known::MustUnderstand),
    (b"stale-while-revalidate", Known::StaleWhileRevalidate),
    (b"stale-if-error", Known::StaleIfError),
    (b"only-if-cached", Known::OnlyIfCached),
    (b"min-fresh", Known::MinFresh),
    (b"max-stale", Known::MaxStale),
];

struct Directive<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

/// Space around the `=` is not allowed; with it, a directive has no value that could be read.
fn directives(fields: &Fields) -> impl Iterator<Item = Directive<'_>> {
    fields.all(Name::CacheControl).flat_map(Elements::of).map(|element| {
        let end = element.iter().position(|&byte| !list::is_token_byte(byte));
        let (name, rest) = element.split_at(end.unwrap_or(element.len()));
        Directive { name, value: rest.strip_prefix(b"=") }
    })
}

impl<'a> Directive<'a> {
    fn known(&self) -> Known {
        work::count(KNOWN.len());
        let known = KNOWN.iter().find(|(name, _)| self.name.eq_ignore_ascii_case(name));
        known.map_or(Known::Other, |&(_, known)| known)
    }

    /// The value as seconds, plain or quoted; `None` if it is no number.
    fn seconds(&self) -> Option<Duration> {
        let value = self.value?;
        seconds(unquoted(value).unwrap_or(value))
    }

    /// The smaller of this value and one read before; what is no number counts as zero.
    fn at_most(&self, before: Option<Duration>) -> Duration {
        let seconds = self.seconds().unwrap_or_default();
        before.map_or(seconds, |before| before.min(seconds))
    }

    /// Returns the scope of the directive after one read before; `names` counts the names of all.
    fn scope(&self, before: Scope, names: &mut usize) -> Scope {
        let named = self.value.and_then(unquoted).map(Elements::of);
        let count = named.map_or(0, |names| names.take(MAX_NAMES + 1).count());
        *names += count;
        let some = count > 0 && *names <= MAX_NAMES;
        if some && before != Scope::All { Scope::Fields } else { Scope::All }
    }
}

/// What stands between two quotes.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// A non-negative number of seconds (RFC 9111 §1.2.2).
pub(super) fn seconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(MAX_SECONDS);
    Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(values: &[&str]) -> Fields {
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(b"Cache-Control", value.as_bytes()));
        fields
    }

    fn response(values: &[&str]) -> ResponseControl {
        ResponseControl::of(&lines(values))
    }

    fn secs(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n))
    }

    #[test]
    fn directives_are_read_in_any_case_quoted_or_not_on_any_line() {
        let control = response(&["No-Store, MAX-AGE=\"5\"", "x=\"max-age=9, public\", s-maxage=7"]);
        assert!(control.no_store && !control.public);
        assert_eq!((control.max_age, control.s_maxage), (secs(5), secs(7)));
    }

    #[test]
    fn what_is_no_number_is_zero_and_what_is_too_large_is_large() {
        for value in [
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=a",
            "max-age",
            "max-age=1 2",
            "max-age =1",
            "max-age= 1",
        ] {
            assert_eq!(response(&[value]).max_age, secs(0), "{value}");
        }
        assert_eq!(response(&["max-age=99999999999999999999"]).max_age, secs(MAX_SECONDS));
        assert_eq!(response(&["max-age=9, max-age=5"]).max_age, secs(5), "the smaller counts");
    }

    #[test]
    fn private_and_no_cache_may_name_fields() {
        assert_eq!(response(&["private"]).private, Scope::All);
        assert_eq!(response(&["private=\"set-cookie\""]).private, Scope::Fields);
        assert_eq!(response(&["private=\"\""]).private, Scope::All, "naming nothing is no limit");
        assert_eq!(response(&["private=\"a\", private"]).private, Scope::All);
        assert_eq!(response(&["no-cache=set-cookie"]).no_cache, Scope::All);
        let fields = lines(&["Private=\"A, b\", x=\"c\"", "no-cache=\"d\", no-cache"]);
        let withheld = withheld(&fields);
        for (name, expected) in [("a", true), ("b", true), ("d", true), ("c", false), ("x", false)]
        {
            assert_eq!(withheld.contains(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn directive_with_too_many_names_is_for_the_whole_response() {
        let names = |count: usize| (0..count).map(|n| format!("x{n},")).collect::<String>();
        let private = |count| format!("private=\"{}\"", names(count));
        assert_eq!(response(&[&private(MAX_NAMES)]).private, Scope::Fields);
        assert_eq!(response(&[&private(MAX_NAMES + 1)]).private, Scope::All);
        let both = response(&[&private(MAX_NAMES), "no-cache=\"a\""]);
        assert_eq!((both.private, both.no_cache), (Scope::Fields, Scope::All));
    }

    #[test]
    fn behind_a_string_without_end_anything_may_stand() {
        assert!(response(&["max-age=60, x=\", private"]).no_store);
        assert!(response(&["max-age=60", "x=\"\\\""]).no_store);
        assert!(!response(&["max-age=60, x=\"\\\"\""]).no_store);
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let mut fields = Fields::default();
        fields.push(b"Pragma", b"no-cache");
        assert!(RequestControl::of(&fields).no_cache);
        fields.push(b"Cache-Control", b"max-stale, min-fresh=3");
        let control = RequestControl::of(&fields);
        assert!(!control.no_cache);
        assert_eq!((control.max_stale, control.min_fresh), (Some(Duration::MAX), secs(3)));
    }
}
