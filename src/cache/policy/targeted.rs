//! Targeted cache control (RFC 9213): fields such as `CDN-Cache-Control`, which apply to some
//! caches only and there replace `Cache-Control` and `Expires`. They are structured fields and
//! parsed strictly: a malformed field is ignored as a whole.

use std::time::Duration;

use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

use crate::http::{Fields, Name};
use crate::work;

use super::control::{MAX_SECONDS, ResponseControl, Scope};

/// Returns the directives of the first of the `targets` that is present, well-formed and not empty
/// (§2.2).
pub(super) fn control(fields: &Fields, targets: &[Name]) -> Option<ResponseControl> {
    targets.iter().filter(|&&target| fields.has(target)).find_map(|&target| {
        let value = fields.all(target).collect::<Vec<_>>().join(&b", "[..]);
        work::count(8 * value.len());
        let dictionary: Dictionary = Parser::new(&value).parse().ok()?;
        if dictionary.is_empty() { None } else { read(&dictionary) }
    })
}

/// Returns the directives. `None` if one of them has a value of the wrong type.
fn read(dictionary: &Dictionary) -> Option<ResponseControl> {
    let mut control = ResponseControl { is_targeted: true, ..Default::default() };
    for (key, entry) in dictionary {
        let ListEntry::Item(Item { bare_item: value, .. }) = entry else { continue };
        match key.as_str() {
            "no-store" => control.no_store = flag(value)?,
            "no-cache" => control.no_cache = scope(value)?,
            "private" => control.private = scope(value)?,
            "public" => control.public = flag(value)?,
            "must-revalidate" => control.must_revalidate = flag(value)?,
            "proxy-revalidate" => control.proxy_revalidate = flag(value)?,
            "must-understand" => control.must_understand = flag(value)?,
            "max-age" => control.max_age = Some(seconds(value)?),
            "s-maxage" => control.s_maxage = Some(seconds(value)?),
            "stale-while-revalidate" => control.stale_while_revalidate = seconds(value)?,
            "stale-if-error" => control.stale_if_error = Some(seconds(value)?),
            _ => {}
        }
    }
    Some(control)
}

fn flag(value: &BareItem) -> Option<bool> {
    value.as_boolean()
}

/// Returns the scope for a boolean, or for a string with field names.
fn scope(value: &BareItem) -> Option<Scope> {
    match value {
        BareItem::String(_) => Some(Scope::All), // narrower scopes are not worth their code here
        _ => flag(value).map(|all| if all { Scope::All } else { Scope::None }),
    }
}

fn seconds(value: &BareItem) -> Option<Duration> {
    let seconds = u64::try_from(i64::from(value.as_integer()?)).ok()?;
    Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: [Name; 2] = [Name::TidegateCacheControl, Name::CdnCacheControl];

    fn read(lines: &[(&str, &str)]) -> Option<ResponseControl> {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        control(&fields, &TARGETS)
    }

    #[test]
    fn first_readable_target_counts() {
        let cdn = ("CDN-Cache-Control", "max-age=60");
        assert_eq!(read(&[cdn]).unwrap().max_age, Some(Duration::from_secs(60)));
        let ours = read(&[cdn, ("Tidegate-Cache-Control", "no-store")]).unwrap();
        assert!(ours.no_store && ours.max_age.is_none());
        for malformed in
            ["", "max-age=\"5\"", "max-age=5, &&&", "Max-Age=5", "max-age= 5", "no-store=5"]
        {
            let control = read(&[cdn, ("Tidegate-Cache-Control", malformed)]);
            assert_eq!(control, read(&[cdn]), "{malformed}");
        }
        assert_eq!(read(&[("Cache-Control", "max-age=1")]), None);
    }

    #[test]
    fn directives_match_those_of_cache_control() {
        let all = "no-store, no-cache, private, public, must-revalidate, proxy-revalidate, \
                   must-understand, max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4";
        let mut fields = Fields::default();
        fields.push(b"Cache-Control", all.as_bytes());
        let plain = ResponseControl::of(&fields);
        let expected = ResponseControl { is_targeted: true, ..plain };
        assert_eq!(read(&[("CDN-Cache-Control", all)]), Some(expected));
        assert!(plain.public && plain.must_revalidate && plain.proxy_revalidate);
        assert!(plain.must_understand && plain.no_store);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((plain.max_age, plain.s_maxage), (seconds(1), seconds(2)));
        assert_eq!(Some(plain.stale_while_revalidate), seconds(3));
        assert_eq!(plain.stale_if_error, seconds(4));
    }

    #[test]
    fn values_must_have_their_types() {
        let control =
            read(&[("CDN-Cache-Control", "max-age=99999999999, private, no-cache=\"a\"")]);
        let control = control.unwrap();
        assert_eq!(control.max_age, Some(Duration::from_secs(MAX_SECONDS)));
        assert_eq!((control.private, control.no_cache), (Scope::All, Scope::All));
        let off = read(&[
            ("CDN-Cache-Control", "private=?0, max-age=5;x=1"),
            ("CDN-Cache-Control", "foo"),
        ]);
        assert_eq!(off.unwrap().private, Scope::None);
    }
}
