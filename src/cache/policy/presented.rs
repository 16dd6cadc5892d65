//! A request as the cache compares it with others. The canonical form of each field is computed
//! once, however often the request is looked up.
//!
//! Fields are compared in the form in which the origin receives them. A hop-by-hop field, such as
//! one that `Connection` names, counts as absent.

use std::hash::Hasher;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::http::hop::ConnectionOptions;
use crate::http::{Field, Name, RequestHead};
use crate::work;

use super::control::RequestControl;
use super::preference::{canonicalize, first};
use super::selecting::{Selecting, VaryNames};

/// Maximum number of sets of selecting fields that are remembered for a request.
const MAX_SETS: usize = 16;
/// Maximum number of fields whose canonical form is remembered.
const MAX_FIELDS: usize = 256;

/// The operator's rules for reading and comparing requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    /// True if a response in the language that a request prefers to all others answers that
    /// request, whatever else the request accepts.
    pub by_language: bool,
    /// True if a response whose content coding would be chosen for a request answers that request.
    pub by_coding: bool,
    /// True if directives by which a request demands validation are ignored.
    pub ignore_no_cache: bool,
}

impl Default for RequestRules {
    fn default() -> Self {
        Self { by_language: false, by_coding: true, ignore_no_cache: false }
    }
}

/// A request presented to the cache (RFC 9111 §4).
#[derive(Clone, Debug)]
pub struct Presented {
    head: Rc<RequestHead>,
    control: RequestControl,
    rules: RequestRules,
    hasher: SipHasher13,
    /// Fields whose canonical form has been computed.
    fields: Vec<Canonical>,
    /// Canonical forms of all fields, one after the other.
    text: Vec<u8>,
    selecting: Vec<Arc<Selecting>>,
}

/// A field in canonical form.
#[derive(Clone, Debug)]
struct Canonical {
    name: Box<[u8]>,
    value: Range<usize>,
    hash: u64,
}

impl Presented {
    pub(crate) fn new(head: Rc<RequestHead>, rules: RequestRules, hasher: SipHasher13) -> Self {
        let mut control = RequestControl::of(head.fields());
        if rules.ignore_no_cache {
            control.accept_without_validation();
        }
        let (fields, text, selecting) = (Vec::new(), Vec::new(), Vec::new());
        Self { head, control, rules, hasher, fields, text, selecting }
    }

    /// Returns the head of the request.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Returns the cache directives of the request, as far as the rules let them count.
    #[must_use]
    pub const fn control(&self) -> &RequestControl {
        &self.control
    }

    pub(super) const fn rules(&self) -> RequestRules {
        self.rules
    }

    /// Returns the request's values in the fields called `names`, or `None` if there are no names.
    pub(crate) fn selecting(&mut self, names: &VaryNames) -> Option<&Arc<Selecting>> {
        if names.is_empty() {
            return None;
        }
        let known = self.selecting.iter().position(|selecting| selecting.names == *names);
        let at = known.unwrap_or_else(|| {
            let selecting = Arc::new(self.select(names));
            self.selecting.truncate(MAX_SETS - 1);
            self.selecting.push(selecting);
            self.selecting.len() - 1
        });
        Some(&self.selecting[at])
    }

    fn select(&mut self, names: &VaryNames) -> Selecting {
        let (mut hasher, mut values) = (self.hasher, Vec::new());
        hasher.write(names.text());
        for (n, name) in names.iter().enumerate() {
            let field = self.canonical(name);
            let (range, hash) = (self.fields[field].value.clone(), self.fields[field].hash);
            if n > 0 {
                values.push(b'\n');
            }
            work::count(range.len());
            values.extend_from_slice(&self.text[range]);
            hasher.write_u64(hash);
        }
        Selecting::new(hasher.finish(), names.clone(), values)
    }

    /// Returns a hash of the request's values in the fields called `names`, with `language` and
    /// `coding` of a response in place of the request's preferences. The hash is equal for all
    /// requests and responses that agree in language, coding and the other fields.
    pub(crate) fn negotiated(
        &mut self,
        names: &VaryNames,
        language: Option<&[u8]>,
        coding: Option<&[u8]>,
    ) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(b"negotiated ");
        hasher.write(names.text());
        for name in names.iter() {
            let chosen = match Name::from_bytes(name) {
                Name::AcceptLanguage => language,
                Name::AcceptEncoding => coding,
                _ => None,
            };
            let hash = match chosen {
                Some(chosen) => self.hash(chosen),
                None => {
                    let field = self.canonical(name);
                    self.fields[field].hash
                }
            };
            hasher.write_u8(u8::from(chosen.is_some()));
            hasher.write_u64(hash);
        }
        hasher.finish()
    }

    /// Returns the language that the request prefers to all others, if there is one and the rules
    /// let it count.
    pub(crate) fn preferred_language(&mut self, names: &VaryNames) -> Option<Box<[u8]>> {
        let name = names.iter().find(|name| Name::from_bytes(name) == Name::AcceptLanguage);
        let name = name.filter(|_| self.rules.by_language)?;
        let field = self.canonical(name);
        first(&self.text[self.fields[field].value.clone()]).map(Into::into)
    }

    /// Returns the index of the field called `name` in `fields`, after computing its canonical form
    /// if needed.
    fn canonical(&mut self, name: &[u8]) -> usize {
        if let Some(known) = self.fields.iter().position(|field| *field.name == *name) {
            return known;
        }
        if self.fields.len() == MAX_FIELDS {
            self.fields.clear();
            self.text.clear();
        }
        let start = self.text.len();
        let head = Rc::clone(&self.head);
        write_value(&head, name, &mut self.text);
        let value = start..self.text.len();
        let hash = self.hash(&self.text[value.clone()]);
        self.fields.push(Canonical { name: name.into(), value, hash });
        self.fields.len() - 1
    }

    fn hash(&self, value: &[u8]) -> u64 {
        work::count(work::LOOK_UP + value.len());
        let mut hasher = self.hasher;
        hasher.write(value);
        hasher.finish()
    }
}

/// Appends the canonical value of a field as it is forwarded. For a list of preferences that is its
/// meaning, for any other field all lines as one list without optional white space. Appends nothing
/// if the field is absent.
fn write_value(request: &RequestHead, name: &[u8], out: &mut Vec<u8>) {
    let hop = ConnectionOptions::of(request.version(), request.fields());
    let id = Name::from_bytes(name);
    let named = |field: &Field<'_>| match id {
        Name::Other => {
            work::count(1 + if field.name.len() == name.len() { name.len() } else { 0 });
            field.is_named(name)
        }
        _ => field.id == id,
    };
    let lines = request.fields().iter().filter(named);
    if lines.clone().next().is_none_or(|field| hop.is_hop_by_hop(&field)) {
        return;
    }
    let lines = lines.map(|field| field.value);
    if matches!(id, Name::AcceptLanguage | Name::AcceptEncoding) {
        return canonicalize(lines, out);
    }
    for part in lines.flat_map(|line| line.split(|&byte| byte == b',')) {
        work::count(1 + part.len());
        out.push(b',');
        out.extend_from_slice(part.trim_ascii());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::KeyBuilder;
    use crate::cache::policy::vary::Selection;
    use crate::http::{Fields, HeadLimits, ServerCodec, ServerEvent};

    fn presented(rules: RequestRules, lines: &[(&str, &str)]) -> Presented {
        let mut text = String::from("GET / HTTP/1.1\r\nHost: h\r\n");
        lines.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        text += "\r\n";
        let mut keys = KeyBuilder::new([1, 2]);
        keys.set_request_rules(rules);
        match ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default()) {
            Ok((_, Some(ServerEvent::Request(head)))) => keys.present(&Rc::new(*head)),
            other => panic!("{other:?}"),
        }
    }

    fn request(lines: &[(&str, &str)]) -> Presented {
        presented(RequestRules::default(), lines)
    }

    fn vary(values: &[&str]) -> Fields {
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(b"Vary", value.as_bytes()));
        fields
    }

    #[test]
    fn requests_fit_if_their_selecting_fields_have_the_same_meaning() {
        let mut one = request(&[("Accept", "a, b"), ("Other", "x")]);
        let response = vary(&["Accept, accept-LANGUAGE", "accept"]);
        let selection = Selection::of(&response, &mut one).unwrap();
        let same = |lines: &[_]| {
            let mut other = request(lines);
            let theirs = Selection::of(&response, &mut other).unwrap();
            assert_eq!(selection.is_same(&theirs), selection.fits(&mut other));
            assert_eq!(selection.is_same(&theirs), selection.hash() == theirs.hash());
            selection.fits(&mut other)
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
    fn preferences_fit_if_they_have_the_same_meaning() {
        let response = vary(&["Accept-Language, Accept-Encoding"]);
        let lines = [("Accept-Language", "en, de"), ("Accept-Encoding", "gzip, br;q=0.5")];
        let selection = Selection::of(&response, &mut request(&lines)).unwrap();
        let fits = |language: &str| {
            let encoding = ("accept-encoding", "br; q=0.500,GZIP");
            selection.fits(&mut request(&[("Accept-Language", language), encoding]))
        };
        assert!(fits("DE,  en;q=1"));
        assert!(!fits("de"));
    }

    #[test]
    fn preferred_language_fits_only_by_option() {
        let mut response = vary(&["Accept-Language"]);
        response.push(b"Content-Language", b"De");
        let by_language = RequestRules { by_language: true, ..RequestRules::default() };
        let fits = |rules: RequestRules, language: &str| {
            let mut one = presented(rules, &[("Accept-Language", "en, de")]);
            let selection = Selection::of(&response, &mut one).unwrap();
            selection.fits(&mut presented(rules, &[("Accept-Language", language)]))
        };
        assert!(fits(by_language, "fr;q=0.5, de;q=1.0"));
        assert!(!fits(by_language, "de;q=0.5, fr"));
        assert!(!fits(by_language, "de, fr"));
        assert!(!fits(RequestRules::default(), "fr;q=0.5, de;q=1.0"));
    }

    #[test]
    fn coding_that_would_be_chosen_fits_unless_an_option_forbids_it() {
        let mut response = vary(&["Accept-Encoding"]);
        response.push(b"Content-Encoding", b"gzip");
        let equal = RequestRules { by_coding: false, ..RequestRules::default() };
        for (rules, fits) in [(RequestRules::default(), true), (equal, false)] {
            let mut one = presented(rules, &[("Accept-Encoding", "gzip, br")]);
            let selection = Selection::of(&response, &mut one).unwrap();
            let mut other = presented(rules, &[("Accept-Encoding", "gzip")]);
            assert_eq!(selection.fits(&mut other), fits);
        }
    }

    #[test]
    fn selection_by_star_or_too_many_names_fits_none() {
        let mut one = request(&[]);
        let mut of = |names: &str| Selection::of(&vary(&[names]), &mut one);
        assert_eq!(of("Accept, *"), None);
        assert_eq!(of("Accept Language"), None);
        let names: Vec<String> = (0..33).map(|n| format!("x{n}")).collect();
        assert_eq!(of(&names.join(",")), None);
        assert!(of(&names[1..].join(",")).is_some());
        assert!(of(&["x"; 500].join(",")).is_some());
        assert_eq!(of(&"x".repeat(1024)), None);
        assert!(of(&"x".repeat(1023)).is_some());
    }

    #[test]
    fn response_properties_are_kept_only_if_they_may_count() {
        let fields = [("Accept-Language", "de"), ("Accept-Encoding", "gzip")];
        let weight = |names: &str, negotiated: bool| {
            let mut response = vary(&[names]);
            if negotiated {
                response.push(b"Content-Language", b"de");
                response.push(b"Content-Encoding", b"gzip");
            }
            let mut one = request(&fields);
            let selection = Selection::of(&response, &mut one).unwrap();
            assert_eq!(selection.names().collect::<Vec<_>>().join(&b","[..]), names.as_bytes());
            selection.weight()
        };
        for names in ["accept", "accept,accept-language"] {
            assert_eq!(weight(names, true), weight(names, false), "{names}");
        }
        let coded = "accept-encoding";
        assert!(weight(coded, true) > weight("accept-language", true), "the coding counts");
    }

    #[test]
    fn validated_response_keeps_its_selection_if_it_fits_the_validating_request() {
        let select = |names: &[&str], accept| {
            Selection::of(&vary(names), &mut request(&[("Accept", accept), ("X", "y")])).unwrap()
        };
        let kept = |stored: &Selection, newer: &Selection, accept| {
            stored.kept_for(newer.clone(), &mut request(&[("Accept", accept), ("X", "y")]))
        };
        let [for_a, for_b] = ["a", "b"].map(|accept| select(&["Accept"], accept));
        assert_eq!(kept(&for_a, &select(&["Accept"], "a"), "a"), for_a);
        assert_eq!(kept(&for_a, &for_b, "b"), for_b, "it did not answer that request");
        let for_all = select(&[], "a");
        assert_eq!(kept(&for_all, &for_a, "a"), for_a, "it has other names now");
    }

    #[test]
    fn selection_without_fields_fits_all_and_weighs_nothing() {
        let selection = Selection::of(&Fields::default(), &mut request(&[])).unwrap();
        assert!(selection.fits(&mut request(&[("Accept", "a")])));
        assert_eq!((selection.names().count(), selection.weight()), (0, 0));
    }

    #[test]
    fn canonical_forms_are_computed_once() {
        let language = (0..60).map(|n| format!("l{n};q=0.5")).collect::<Vec<_>>().join(",");
        let mut one = request(&[("Accept-Language", &language)]);
        let mut cost = |names: &str| {
            let before = work::counted();
            Selection::of(&vary(&[names]), &mut one).unwrap();
            work::counted() - before
        };
        let first = cost("Accept-Language");
        assert!(cost("Accept-Language") * 10 < first);
        assert!(cost("Accept-Language, Accept") * 2 < first);
    }
}
