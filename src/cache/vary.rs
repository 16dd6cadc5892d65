//! Which requests a stored response answers: `Vary` (RFC 9111 §4.1).

use crate::http::{Fields, Name};

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
    /// (`Vary: *`).
    #[must_use]
    pub fn of(response: &Fields, request: &Fields) -> Option<Self> {
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for name in response.elements(Name::Vary) {
            if name == b"*" {
                return None;
            }
            let name = name.to_ascii_lowercase().into_boxed_slice();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let with_value = |name: Box<[u8]>| {
            let value = normalized(request, &name);
            Selecting { name, value }
        };
        Some(Self(names.into_iter().map(with_value).collect()))
    }

    /// Whether `request` would select the same.
    #[must_use]
    pub fn fits(&self, request: &Fields) -> bool {
        self.0.iter().all(|field| normalized(request, &field.name) == field.value)
    }

    /// Whether two requests agree in the fields this was selected by.
    #[must_use]
    pub fn agree(&self, one: &Fields, other: &Fields) -> bool {
        self.0.iter().all(|field| normalized(one, &field.name) == normalized(other, &field.name))
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.iter().map(|field| 64 + field.name.len() + field.value.len()).sum()
    }
}

/// All lines of a field as one, without optional white space around its elements. A field that is
/// absent differs from one that is empty.
fn normalized(request: &Fields, name: &[u8]) -> Box<[u8]> {
    let mut value = Vec::new();
    for line in request.all_named(name) {
        for part in line.split(|&b| b == b',') {
            value.push(b',');
            value.extend_from_slice(part.trim_ascii());
        }
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    #[test]
    fn requests_fit_if_the_named_fields_mean_the_same() {
        let response = fields(&[("Vary", "Accept, accept-LANGUAGE"), ("vary", "accept")]);
        let request = fields(&[("Accept", "a, b"), ("Other", "x")]);
        let selection = Selection::of(&response, &request).unwrap();
        assert!(selection.fits(&fields(&[("ACCEPT", "a,b")])));
        assert!(selection.fits(&fields(&[("accept", "a"), ("Accept", "b"), ("Other", "y")])));
        assert!(!selection.fits(&fields(&[("Accept", "b, a")])));
        assert!(!selection.fits(&fields(&[("Accept", "a, b"), ("Accept-Language", "")])));
        assert_eq!(Selection::of(&fields(&[("Vary", "Accept, *")]), &request), None);
    }
}
