//! Which requests a stored response answers: `Vary` (RFC 9111 §4.1).
//!
//! What is compared is what the origin was sent: a field that ended at this proxy, because
//! `Connection` named it, is as good as absent.

use crate::http::hop::Hop;
use crate::http::{Fields, Name, RequestHead};

/// Responses that were selected by more fields than these are not worth the comparing.
const MAX_NAMES: usize = 32;

/// The request fields a response was selected by, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(Box<[Selecting]>);

/// A request field and the value it had.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selecting {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl Selection {
    /// What `response` to `request` was selected by; `None` if by something no request shows
    /// (`Vary: *`), or by too much.
    #[must_use]
    pub fn of(response: &Fields, request: &RequestHead) -> Option<Self> {
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for name in response.elements(Name::Vary) {
            if name == b"*" || names.len() == MAX_NAMES {
                return None;
            }
            let name = name.to_ascii_lowercase().into_boxed_slice();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let sent = Sent::of(request);
        let with_value = |name: Box<[u8]>| {
            let value = sent
                .parts(&name)
                .fold(Vec::new(), |value, part| [&value, ",".as_bytes(), part].concat());
            Selecting { name, value: value.into() }
        };
        Some(Self(names.into_iter().map(with_value).collect()))
    }

    /// Whether `request` would select the same.
    #[must_use]
    pub fn fits(&self, request: &RequestHead) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let sent = Sent::of(request);
        self.0.iter().all(|field| {
            let left = sent
                .parts(&field.name)
                .try_fold(&*field.value, |left, part| left.strip_prefix(b",")?.strip_prefix(part));
            left.is_some_and(<[u8]>::is_empty)
        })
    }

    /// Whether two requests agree in the fields this was selected by.
    #[must_use]
    pub fn agree(&self, one: &RequestHead, other: &RequestHead) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let (one, other) = (Sent::of(one), Sent::of(other));
        self.0.iter().all(|field| one.parts(&field.name).eq(other.parts(&field.name)))
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.iter().map(|field| 64 + field.name.len() + field.value.len()).sum()
    }
}

/// The fields of a request that are passed on.
struct Sent<'a> {
    fields: &'a Fields,
    hop: Hop<'a>,
}

impl<'a> Sent<'a> {
    fn of(request: &'a RequestHead) -> Self {
        Self { fields: request.fields(), hop: Hop::of(request.version(), request.fields()) }
    }

    /// All lines of a field as one list, without optional white space around its parts. A field that
    /// is absent has none, an empty one has one.
    fn parts<'b>(&'b self, name: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        let lines = self.fields.iter().filter(move |f| f.is_named(name) && !self.hop.ends_here(f));
        lines.flat_map(|f| f.value.split(|&b| b == b',').map(<[u8]>::trim_ascii))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{FromClient, HeadLimits, ServerCodec};

    fn request(lines: &[(&str, &str)]) -> RequestHead {
        let mut text = String::from("GET / HTTP/1.1\r\nHost: h\r\n");
        lines.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        text += "\r\n";
        match ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default()) {
            Ok((_, Some(FromClient::Request(head)))) => *head,
            other => panic!("{other:?}"),
        }
    }

    fn vary(values: &[&str]) -> Fields {
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(b"Vary", value.as_bytes()));
        fields
    }

    #[test]
    fn requests_fit_if_the_named_fields_mean_the_same() {
        let one = request(&[("Accept", "a, b"), ("Other", "x")]);
        let response = vary(&["Accept, accept-LANGUAGE", "accept"]);
        let selection = Selection::of(&response, &one).unwrap();
        let same = |lines: &[_]| {
            let other = request(lines);
            assert_eq!(selection.fits(&other), selection.agree(&one, &other));
            selection.fits(&other)
        };
        assert!(same(&[("ACCEPT", "a,b")]));
        assert!(same(&[("accept", "a"), ("Accept", "b"), ("Other", "y")]));
        assert!(!same(&[("Accept", "b, a")]));
        assert!(!same(&[("Accept", "a, bc")]));
        assert!(!same(&[("Accept", "a")]));
        assert!(!same(&[("Accept", "a, b"), ("Accept-Language", "")]));
        assert!(!same(&[("Accept", "a, b"), ("Connection", "accept")]), "the origin saw none");
    }

    #[test]
    fn what_no_request_shows_and_what_is_too_much_fits_none() {
        let one = request(&[]);
        assert_eq!(Selection::of(&vary(&["Accept, *"]), &one), None);
        let names: Vec<String> = (0..=MAX_NAMES).map(|n| format!("x{n}")).collect();
        assert_eq!(Selection::of(&vary(&[&names.join(",")]), &one), None);
        assert!(Selection::of(&vary(&[&names[1..].join(",")]), &one).is_some());
    }
}
