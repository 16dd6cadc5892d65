//! Validators and preconditions (RFC 9110 §8.8 and §13).

use std::time::SystemTime;

use super::date;
use super::fields::Fields;
use super::list::Elements;
use super::name::Name;

/// An entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// True for a weak tag: equal tags mean equivalent content, not identical bytes.
    pub weak: bool,
    /// Opaque part, with its quotes, which is compared.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Parses one tag. `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (weak, opaque) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let inner = opaque.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let valid = |&b: &u8| b == 0x21 || (0x23..=0x7e).contains(&b) || b >= 0x80;
        inner.iter().all(valid).then_some(Self { weak, opaque })
    }

    /// Returns true if both tags stand for the same bytes (§8.8.3.2).
    #[must_use]
    pub fn matches_strongly(self, other: Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Returns true if both tags stand for the same or equivalent content.
    #[must_use]
    pub fn matches_weakly(self, other: Self) -> bool {
        self.opaque == other.opaque
    }
}

/// Validators of a representation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// Entity tag.
    pub tag: Option<EntityTag<'a>>,
    /// Time of the last modification.
    pub modified: Option<SystemTime>,
    /// Time of origination. It decides if `modified` is a strong validator.
    pub date: Option<SystemTime>,
}

impl<'a> Validators<'a> {
    /// Returns the validators of a response with these fields.
    #[must_use]
    pub fn of(fields: &'a Fields) -> Self {
        Self {
            tag: fields.only(Name::ETag).and_then(EntityTag::parse),
            modified: fields.only(Name::LastModified).and_then(date::parse),
            date: fields.only(Name::Date).and_then(date::parse),
        }
    }

    /// Returns true if the origin could validate the representation by one of them.
    #[must_use]
    pub const fn is_some(&self) -> bool {
        self.tag.is_some() || self.modified.is_some()
    }

    /// Returns true if a 304 with `fields` refers to the representation with these validators (RFC
    /// 9111 §4.3.4). A strong tag must be identical; other validators must be equivalent.
    #[must_use]
    pub fn are_those_of(&self, fields: &Fields) -> bool {
        let named = Validators::of(fields);
        match (named.tag, self.tag) {
            (Some(named), Some(tag)) if named.weak => named.matches_weakly(tag),
            (Some(named), Some(tag)) => named.matches_strongly(tag),
            (Some(named), None) => named.weak,
            (None, _) => named.modified.is_none() || named.modified == self.modified,
        }
    }

    /// Returns true if a GET or HEAD with these preconditions is answered with 304, because the
    /// client has the representation already (§13.2.2, steps 3 and 4).
    #[must_use]
    pub fn not_modified(&self, request: &Fields) -> bool {
        if request.has(Name::IfNoneMatch) {
            return request
                .all(Name::IfNoneMatch)
                .any(|list| self.is_named_in(list, |tag, named| tag.matches_weakly(named)));
        }
        // Without `Last-Modified`, the date of origination stands for it (RFC 9111 §4.3.2).
        let modified = self.modified.or(self.date);
        let since = request.only(Name::IfModifiedSince).and_then(date::parse);
        since.is_some_and(|since| modified.is_some_and(|modified| modified <= since))
    }

    /// Returns true if `If-Match` or, without it, `If-Unmodified-Since` of a request is false for the
    /// representation (§13.2.2, steps 1 and 2): for the origin of the representation.
    #[must_use]
    pub fn precondition_fails(&self, request: &Fields) -> bool {
        if request.has(Name::IfMatch) {
            let mut lists = request.all(Name::IfMatch);
            return !lists
                .any(|list| self.is_named_in(list, |tag, named| tag.matches_strongly(named)));
        }
        let since = request.only(Name::IfUnmodifiedSince).and_then(date::parse);
        since.zip(self.modified).is_some_and(|(since, modified)| modified > since)
    }

    fn is_named_in(
        &self,
        list: &[u8],
        matches: for<'t> fn(EntityTag<'t>, EntityTag<'t>) -> bool,
    ) -> bool {
        list.trim_ascii() == b"*"
            || Elements::of(list)
                .filter_map(EntityTag::parse)
                .any(|named| self.tag.is_some_and(|tag| matches(tag, named)))
    }

    /// Returns true if a range may be answered: there is no `If-Range`, or it matches (§13.1.5). It
    /// matches a strong tag, or a date that equals a last modification at least a second before the
    /// response.
    #[must_use]
    pub fn range_applies(&self, request: &Fields) -> bool {
        if !request.has(Name::IfRange) {
            return true;
        }
        let Some(condition) = request.only(Name::IfRange) else { return false };
        if let Some(named) = EntityTag::parse(condition) {
            return self.tag.is_some_and(|tag| tag.matches_strongly(named));
        }
        date::parse(condition).is_some_and(|named| self.strong_date() == Some(named))
    }

    /// Returns the date of the last modification, if it is at least a second before the response. A
    /// second modification within the same second would go unnoticed (§8.8.2.2).
    fn strong_date(&self) -> Option<SystemTime> {
        let modified = self.modified?;
        let age = self.date?.duration_since(modified).ok()?;
        (age.as_secs() >= 1).then_some(modified)
    }

    /// Returns true if one of the validators is strong: the entity tag or, without any, the date.
    #[must_use]
    pub fn are_strong(&self) -> bool {
        self.tag.map_or(self.strong_date().is_some(), |tag| !tag.weak)
    }

    /// Returns true if both certainly belong to the same bytes.
    #[must_use]
    pub fn are_strongly(&self, other: &Self) -> bool {
        match (self.tag, other.tag) {
            (Some(tag), Some(other)) => tag.matches_strongly(other),
            (None, None) => self.are_strong() && self.strong_date() == other.strong_date(),
            _ => false,
        }
    }
}

/// Returns true if a request has `If-Match` or `If-Unmodified-Since`. They guard changes, and only
/// the origin knows the current state, so a cache does not evaluate them.
#[must_use]
pub fn has_write_precondition(request: &Fields) -> bool {
    request.has(Name::IfMatch) || request.has(Name::IfUnmodifiedSince)
}

/// Returns true if a request wants a response only if the representation has changed.
#[must_use]
pub fn is_conditional(request: &Fields) -> bool {
    request.has(Name::IfNoneMatch) || request.has(Name::IfModifiedSince)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const LATER: &str = "Thu, 01 Jan 2026 00:00:05 GMT";

    #[test]
    fn tags_are_quoted_and_may_be_weak() {
        assert_eq!(EntityTag::parse(b"\"a\""), Some(EntityTag { weak: false, opaque: b"\"a\"" }));
        assert_eq!(EntityTag::parse(b"W/\"\""), Some(EntityTag { weak: true, opaque: b"\"\"" }));
        for text in ["a", "\"a", "w/\"a\"", "\"a\"b\"", "\"a b\"", ""] {
            assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly_and_overrides_if_modified_since() {
        let response = fields(&[("ETag", "W/\"a\""), ("Last-Modified", MODIFIED)]);
        let validators = Validators::of(&response);
        let not_modified = |lines: &[_]| validators.not_modified(&fields(lines));
        assert!(not_modified(&[("If-None-Match", "\"b\", \"a\"")]));
        assert!(not_modified(&[("If-None-Match", "\"b\""), ("If-None-Match", "W/\"a\"")]));
        assert!(not_modified(&[("If-None-Match", "*")]));
        assert!(!not_modified(&[("If-None-Match", "\"b\""), ("If-Modified-Since", MODIFIED)]));
        assert!(not_modified(&[("If-Modified-Since", LATER)]));
        assert!(!not_modified(&[("If-Modified-Since", "Wed, 31 Dec 2025 23:59:59 GMT")]));
        assert!(!not_modified(&[("If-Modified-Since", "yesterday")]));
    }

    #[test]
    fn if_range_needs_a_strong_tag_or_an_old_enough_exact_date() {
        let response = fields(&[("ETag", "\"a\""), ("Last-Modified", MODIFIED), ("Date", LATER)]);
        let applies =
            |value| Validators::of(&response).range_applies(&fields(&[("If-Range", value)]));
        assert!(applies("\"a\""));
        assert!(!applies("W/\"a\""));
        assert!(!applies("\"b\""));
        assert!(applies(MODIFIED));
        assert!(!applies(LATER));
        let fresh = fields(&[("Last-Modified", MODIFIED), ("Date", MODIFIED)]);
        assert!(!Validators::of(&fresh).range_applies(&fields(&[("If-Range", MODIFIED)])));
        assert!(Validators::of(&fresh).range_applies(&fields(&[])));
    }
}
