//! `Cache-Control`, read so that doubt makes a response less cacheable, never more
//! (RFC 9111 §5.2).

use std::time::Duration;

use crate::http::list::{self, Elements};
use crate::http::{Fields, Name};

/// Larger numbers of seconds mean this one (RFC 9111 §1.2.2).
const MAX_SECONDS: u64 = 1 << 31;

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
}

impl ResponseControl {
    /// Reads all `Cache-Control` lines of a response.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        for directive in directives(fields) {
            match directive.name().as_slice() {
                b"no-store" => control.no_store = true,
                b"no-cache" => control.no_cache = directive.scope(control.no_cache),
                b"private" => control.private = directive.scope(control.private),
                b"public" => control.public = true,
                b"must-revalidate" => control.must_revalidate = true,
                b"proxy-revalidate" => control.proxy_revalidate = true,
                b"must-understand" => control.must_understand = true,
                b"max-age" => control.max_age = Some(directive.at_most(control.max_age)),
                b"s-maxage" => control.s_maxage = Some(directive.at_most(control.s_maxage)),
                _ => {}
            }
        }
        control
    }
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
            match directive.name().as_slice() {
                b"no-store" => control.no_store = true,
                b"no-cache" => control.no_cache = true,
                b"only-if-cached" => control.only_if_cached = true,
                b"max-age" => control.max_age = Some(directive.at_most(control.max_age)),
                b"min-fresh" => control.min_fresh = Some(directive.seconds().unwrap_or_default()),
                b"max-stale" if directive.value.is_none() => {
                    control.max_stale = Some(Duration::MAX);
                }
                b"max-stale" => control.max_stale = Some(directive.seconds().unwrap_or_default()),
                _ => {}
            }
        }
        control
    }
}

struct Directive<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

fn directives(fields: &Fields) -> impl Iterator<Item = Directive<'_>> {
    fields.all(Name::CacheControl).flat_map(Elements::of).map(|element| {
        match list::unquoted(element, b'=') {
            Some(at) => Directive {
                name: element[..at].trim_ascii(),
                value: Some(element[at + 1..].trim_ascii()),
            },
            None => Directive { name: element, value: None },
        }
    })
}

impl Directive<'_> {
    fn name(&self) -> Vec<u8> {
        self.name.to_ascii_lowercase()
    }

    /// The value as seconds, plain or quoted; `None` if it is no number.
    fn seconds(&self) -> Option<Duration> {
        let value = self.value?;
        let digits = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(MAX_SECONDS);
        Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
    }

    /// The smaller of this value and one read before; what is no number counts as zero.
    fn at_most(&self, before: Option<Duration>) -> Duration {
        let seconds = self.seconds().unwrap_or_default();
        before.map_or(seconds, |before| before.min(seconds))
    }

    fn scope(&self, before: Scope) -> Scope {
        let named = self.value.is_some_and(|value| value.len() > 2 && value.starts_with(b"\""));
        if named && before != Scope::All { Scope::Fields } else { Scope::All }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(values: &[&str]) -> ResponseControl {
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(b"Cache-Control", value.as_bytes()));
        ResponseControl::of(&fields)
    }

    fn seconds(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n))
    }

    #[test]
    fn directives_are_read_in_any_case_quoted_or_not_on_any_line() {
        let control = response(&["No-Store, MAX-AGE=\"5\"", "x=\"max-age=9, public\", s-maxage=7"]);
        assert!(control.no_store && !control.public);
        assert_eq!((control.max_age, control.s_maxage), (seconds(5), seconds(7)));
    }

    #[test]
    fn what_is_no_number_is_zero_and_what_is_too_large_is_large() {
        for value in
            ["max-age=", "max-age=-1", "max-age=1.5", "max-age=a", "max-age", "max-age=1 2"]
        {
            assert_eq!(response(&[value]).max_age, seconds(0), "{value}");
        }
        assert_eq!(response(&["max-age=99999999999999999999"]).max_age, seconds(MAX_SECONDS));
        assert_eq!(response(&["max-age=9, max-age=5"]).max_age, seconds(5), "the smaller counts");
    }

    #[test]
    fn private_and_no_cache_may_name_fields() {
        assert_eq!(response(&["private"]).private, Scope::All);
        assert_eq!(response(&["private=\"set-cookie\""]).private, Scope::Fields);
        assert_eq!(response(&["private=\"\""]).private, Scope::All, "naming nothing is no limit");
        assert_eq!(response(&["private=\"a\", private"]).private, Scope::All);
        assert_eq!(response(&["no-cache=set-cookie"]).no_cache, Scope::All);
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let mut fields = Fields::default();
        fields.push(b"Pragma", b"no-cache");
        assert!(RequestControl::of(&fields).no_cache);
        fields.push(b"Cache-Control", b"max-stale, min-fresh=3");
        let control = RequestControl::of(&fields);
        assert!(!control.no_cache);
        assert_eq!((control.max_stale, control.min_fresh), (Some(Duration::MAX), seconds(3)));
    }
}
