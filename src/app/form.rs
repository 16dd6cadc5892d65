//! Forms and queries (WHATWG URL, `application/x-www-form-urlencoded`).

/// Fields of a form or query, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Returns the fields of `text`. Bytes that are not UTF-8 are replaced.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns the fields of content with this media type; `None` if that is none of forms.
    pub(super) fn of(media_type: &str, content: &[u8]) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        is_form.then(|| Self::parse(content))
    }

    /// Returns the value of the first field of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns names and values of all fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
