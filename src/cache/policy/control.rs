//! `Cache-Control` directives (RFC 9111 §5.2). A directive in doubt makes a response less
//! cacheable, never more.

use std::time::Duration;

use crate::http::list::{self, Elements};
use crate::http::{FieldNames, Fields, Name};
use crate::work;

/// Maximum number of seconds; larger values are cut to it (RFC 9111 §1.2.2).
pub(super) const MAX_SECONDS: u64 = 1 << 31;
/// Maximum number of field names in `private` and `no-cache` together. With more names, the
/// directives apply to the whole response.
const MAX_NAMES: usize = 64;

/// Scope of a directive that may name fields, such as `private="set-cookie"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The directive is absent.
    #[default]
    None,
    /// The directive applies to the named fields only.
    Fields,
    /// The directive applies to the whole response.
    All,
}

/// Cache directives of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseControl {
    /// The response may not be stored.
    pub no_store: bool,
    /// The response may not be used without validation.
    pub no_cache: Scope,
    /// The response is for one user.
    pub private: Scope,
    /// The response may be shared even where it would not be by default.
    pub public: bool,
    /// The response may not be used without validation once it is stale.
    pub must_revalidate: bool,
    /// The response may not be used by a shared cache without validation once it is stale.
    pub proxy_revalidate: bool,
    /// The response may be stored only by a cache that understands its status code; such a cache
    /// ignores `no-store`.
    pub must_understand: bool,
    /// Freshness lifetime.
    pub max_age: Option<Duration>,
    /// Freshness lifetime in shared caches.
    pub s_maxage: Option<Duration>,
    /// Time for which the response may be served stale while it is revalidated (RFC 5861 §3).
    pub stale_while_revalidate: Duration,
    /// Time for which the response may be served stale if the origin fails (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// True if the directives come from a targeted field, so that `Expires` does not count (RFC
    /// 9213 §2.2).
    pub is_targeted: bool,
}

impl ResponseControl {
    /// Returns the directives of a response that the operator shares for a `lifetime`, whatever the
    /// origin says.
    pub(super) fn forced(lifetime: Duration) -> Self {
        Self { public: true, s_maxage: Some(lifetime), is_targeted: true, ..Self::default() }
    }

    /// Reads all `Cache-Control` lines of a response. An unterminated quoted string could hide any
    /// directive, so it implies `no-store`.
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

    /// Returns true if a response to a request with credentials may be stored (RFC 9111 §3.5).
    #[must_use]
    pub const fn permits_credentials(&self) -> bool {
        self.public || self.s_maxage.is_some() || self.must_revalidate
    }

    /// Returns true if some fields are private, or need validation.
    #[must_use]
    pub fn withholds(&self) -> bool {
        self.private == Scope::Fields || self.no_cache == Scope::Fields
    }
}

/// Returns the names of the fields that `private` or `no-cache` withhold from other clients. Stored
/// without these fields, the response can be used (RFC 9111 §5.2.2.4, §5.2.2.7).
#[must_use]
pub fn withheld(fields: &Fields) -> FieldNames<'_> {
    directives(fields)
        .filter(|directive| matches!(directive.known(), Known::Private | Known::NoCache))
        .filter_map(|directive| unquoted(directive.value?))
        .flat_map(Elements::of)
        .take(MAX_NAMES)
        .collect()
}

/// Cache directives of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// No part of this exchange may be stored.
    pub no_store: bool,
    /// Stored responses may not be used without validation.
    pub no_cache: bool,
    /// The origin may not be contacted.
    pub only_if_cached: bool,
    /// Maximum age of an acceptable response.
    pub max_age: Option<Duration>,
    /// Time for which the response must remain fresh.
    pub min_fresh: Option<Duration>,
    /// Maximum staleness of an acceptable response; `Duration::MAX` for a directive without a
    /// value.
    pub max_stale: Option<Duration>,
}

impl RequestControl {
    /// Reads all `Cache-Control` lines of a request, or `Pragma` if there is none (§5.4).
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

    /// Returns true if the origin must be asked after the request arrived, whatever is stored. With
    /// `max-age=0`, any other response is too old by then.
    pub(crate) fn asks_origin(&self) -> bool {
        self.no_cache || self.max_age == Some(Duration::ZERO)
    }

    /// Clears the directives that demand validation of a fresh response.
    pub(super) const fn accept_without_validation(&mut self) {
        (self.no_cache, self.max_age, self.min_fresh) = (false, None, None);
    }
}

/// Directives that this cache acts on.
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

/// Returns the directives on all lines. White space around `=` is not allowed: it leaves the
/// directive without a readable value.
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

    /// Returns the value in seconds, plain or quoted. `None` if it is not a number.
    fn seconds(&self) -> Option<Duration> {
        let value = self.value?;
        seconds(unquoted(value).unwrap_or(value))
    }

    /// Returns the smaller of this value and the value read `before`. A value that is not a number
    /// counts as zero.
    fn at_most(&self, before: Option<Duration>) -> Duration {
        let seconds = self.seconds().unwrap_or_default();
        before.map_or(seconds, |before| before.min(seconds))
    }

    /// Returns the scope, given the scope read `before` for the same directive. `names` counts the
    /// field names of all directives.
    fn scope(&self, before: Scope, names: &mut usize) -> Scope {
        let named = self.value.and_then(unquoted).map(Elements::of);
        let count = named.map_or(0, |names| names.take(MAX_NAMES + 1).count());
        *names += count;
        let some = count > 0 && *names <= MAX_NAMES;
        if some && before != Scope::All { Scope::Fields } else { Scope::All }
    }
}

/// Returns the text between two quotes.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Parses a non-negative number of seconds (RFC 9111 §1.2.2).
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
    fn directives_parse_in_any_case_quoted_and_on_several_lines() {
        let control = response(&["No-Store, MAX-AGE=\"5\"", "x=\"max-age=9, public\", s-maxage=7"]);
        assert!(control.no_store && !control.public);
        assert_eq!((control.max_age, control.s_maxage), (secs(5), secs(7)));
    }

    #[test]
    fn invalid_seconds_are_zero_and_large_ones_are_capped() {
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
        assert_eq!(
            response(&["private=\"\""]).private,
            Scope::All,
            "an empty list of names limits nothing"
        );
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
    fn directive_with_too_many_names_applies_to_the_whole_response() {
        let names = |count: usize| (0..count).map(|n| format!("x{n},")).collect::<String>();
        let private = |count| format!("private=\"{}\"", names(count));
        assert_eq!(response(&[&private(MAX_NAMES)]).private, Scope::Fields);
        assert_eq!(response(&[&private(MAX_NAMES + 1)]).private, Scope::All);
        let both = response(&[&private(MAX_NAMES), "no-cache=\"a\""]);
        assert_eq!((both.private, both.no_cache), (Scope::Fields, Scope::All));
    }

    #[test]
    fn unterminated_string_implies_no_store() {
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
