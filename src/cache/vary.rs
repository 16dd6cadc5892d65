//! Which requests a stored response answers: `Vary` (RFC 9111 §4.1).
//!
//! What is compared is what the origin was sent: a field that ended at this proxy, because
//! `Connection` named it, is as good as absent.

use crate::heap::taken;
use crate::http::hop::Hop;
use crate::http::{Field, Fields, Name, RequestHead};

use super::preference::Preferences;

/// Responses that were selected by more fields than these are not worth the comparing.
const MAX_NAMES: usize = 32;
const LANGUAGE: Name = Name::AcceptLanguage;

/// The request fields a response was selected by, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    fields: Box<[Selecting]>,
    /// What language it is in, if it was selected by that: who prefers it to all others gets it.
    language: Option<Box<[u8]>>,
}

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
            let value = sent.value(&name).into();
            Selecting { name, value }
        };
        let fields: Box<[_]> = names.into_iter().map(with_value).collect();
        let by_language = fields.iter().any(|field| Name::from_bytes(&field.name) == LANGUAGE);
        let language = response.only(Name::ContentLanguage).filter(|_| by_language);
        let language = language.map(|language| language.to_ascii_lowercase().into_boxed_slice());
        Some(Self { fields, language })
    }

    /// The names of the fields, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().map(|field| &*field.name)
    }

    /// Whether `request` would select the same.
    #[must_use]
    pub fn fits(&self, request: &RequestHead) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        let sent = Sent::of(request);
        self.fields.iter().all(|field| {
            sent.value(&field.name) == *field.value
                || (Name::from_bytes(&field.name) == LANGUAGE && self.is_preferred(&sent))
        })
    }

    fn is_preferred(&self, sent: &Sent<'_>) -> bool {
        let wanted = Preferences::of(sent.lines(LANGUAGE.as_str().as_bytes()));
        self.language.is_some() && wanted.first() == self.language.as_deref()
    }

    /// Whether two requests agree in the fields this was selected by.
    #[must_use]
    pub fn agree(&self, one: &RequestHead, other: &RequestHead) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        let (one, other) = (Sent::of(one), Sent::of(other));
        self.fields.iter().all(|field| one.value(&field.name) == other.value(&field.name))
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        let boxed = |bytes: &[u8]| taken(bytes.len());
        let each = |field: &Selecting| boxed(&field.name) + boxed(&field.value);
        taken(self.fields.len() * size_of::<Selecting>())
            + self.fields.iter().map(each).sum::<usize>()
            + self.language.as_deref().map_or(0, boxed)
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

    fn lines<'b>(&'b self, name: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        let named = move |field: &Field<'_>| field.is_named(name) && !self.hop.ends_here(field);
        self.fields.iter().filter(named).map(|field| field.value)
    }

    /// All lines of a field as one value: of preferences what they mean, of others the list without
    /// optional white space. A field that is absent differs from one that is empty.
    fn value(&self, name: &[u8]) -> Vec<u8> {
        let mut value = Vec::new();
        if self.lines(name).next().is_none() {
            return value;
        }
        if matches!(Name::from_bytes(name), LANGUAGE | Name::AcceptEncoding) {
            return [b",", &*Preferences::of(self.lines(name)).canonical()].concat();
        }
        for part in self.lines(name).flat_map(|line| line.split(|&byte| byte == b',')) {
            value.push(b',');
            value.extend_from_slice(part.trim_ascii());
        }
        value
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
    fn preferences_fit_if_they_mean_the_same_or_prefer_what_there_is() {
        let mut response = vary(&["Accept-Language, Accept-Encoding"]);
        let one = request(&[("Accept-Language", "en, de"), ("Accept-Encoding", "gzip, br;q=0.5")]);
        let fits = |response: &Fields, language: &str| {
            let encoding = ("accept-encoding", "br; q=0.500,GZIP");
            let other = request(&[("Accept-Language", language), encoding]);
            Selection::of(response, &one).unwrap().fits(&other)
        };
        assert!(fits(&response, "DE,  en;q=1"));
        assert!(!fits(&response, "de"));
        response.push(b"Content-Language", b"De");
        assert!(fits(&response, "fr;q=0.5, de;q=1.0"));
        assert!(!fits(&response, "de;q=0.5, fr"));
        assert!(!fits(&response, "de, fr"));
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
