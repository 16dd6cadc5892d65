//! Edits of fields: those that a route sets, adds and removes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::app::check_response_line;
use crate::http::{Fields, Name, claims};
use crate::proxy::hook::field_rules::check_request_name;

use super::template::{Template, Variable};

/// Edits of the fields of a request or a response, applied in this order: remove, set, add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldEdits {
    /// Names of fields to remove.
    pub remove: Vec<FieldName>,
    /// Fields that replace all lines of their names.
    pub set: Vec<FieldLine>,
    /// Fields that are added to others of their names.
    pub add: Vec<FieldLine>,
}

impl FieldEdits {
    /// Returns true if nothing is edited.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Returns the head of a response with these edits, whose values have no variables.
    pub(crate) fn apply<'a>(&self, head: &'a Fields) -> Cow<'a, Fields> {
        if self.is_empty() {
            return Cow::Borrowed(head);
        }
        let is_dropped =
            |name: &[u8]| self.dropped().any(|dropped| dropped.eq_ignore_ascii_case(name));
        let mut edited =
            Fields::after(head.start_line().to_vec(), head.len() + self.lines().count());
        head.iter().filter(|field| !is_dropped(field.name)).for_each(|field| edited.copy(field));
        for line in self.lines() {
            edited.push(line.name.as_bytes(), line.value.as_str().as_bytes());
        }
        Cow::Owned(edited)
    }

    /// Returns true if lines of this name, or of one that programs mistake it for, are removed or
    /// replaced by others.
    pub(crate) fn drops_alike(&self, name: &[u8]) -> bool {
        self.dropped().any(|dropped| claims::is_mistaken_for(name, dropped))
    }

    fn dropped(&self) -> impl Iterator<Item = &[u8]> {
        let removed = self.remove.iter().map(|name| &name.0);
        removed.chain(self.set.iter().map(|line| &line.name)).map(|name| name.as_bytes())
    }

    /// Returns true if a line of this name depends on the request.
    pub(crate) fn depends_on_request(&self, name: &[u8]) -> bool {
        let is_named = |line: &FieldLine| line.name.as_bytes().eq_ignore_ascii_case(name);
        self.lines().any(|line| is_named(line) && !line.value.is_literal())
    }

    /// Returns true if a line tells who the user is.
    pub(crate) fn tell_user(&self) -> bool {
        self.lines().any(|line| line.value.has(Variable::User))
    }

    /// Returns the lines to write, after the others.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &FieldLine> {
        self.set.iter().chain(&self.add)
    }

    /// Checks that these are edits that a route may make of requests.
    ///
    /// # Errors
    /// Returns the reason why one of them is not.
    pub fn check_request(&self) -> Result<(), String> {
        if let Some(line) = self.lines().find(|line| line.value.has_rest()) {
            return Err(format!("'{line}' has {{rest}}, which is for redirect alone"));
        }
        let removed = self.remove.iter().map(|name| &name.0);
        let mut names = removed.chain(self.lines().map(|line| &line.name));
        names.try_for_each(|name| check_request_name(name).map_err(|error| error.to_string()))
    }

    /// Checks that these are edits that a route may make of responses.
    ///
    /// # Errors
    /// Returns the reason why one of them is not.
    pub fn check_response(&self) -> Result<(), String> {
        if let Some(line) = self.lines().find(|line| !line.value.is_literal()) {
            return Err(format!("'{line}' has a variable, which only fields of requests may have"));
        }
        let check = |name: &str, value: &str| {
            check_response_line(name, value.as_bytes()).map_err(|error| error.to_string())
        };
        // Conditions of requests are evaluated by the validators of the stored response.
        let is_validator = |name: &str| {
            matches!(Name::from_bytes(name.as_bytes()), Name::ETag | Name::LastModified)
        };
        if let Some(line) = self.lines().find(|line| is_validator(&line.name)) {
            return Err(format!("'{line}' is a validator, which only the origin can give"));
        }
        self.remove.iter().try_for_each(|name| check(&name.0, ""))?;
        self.lines().try_for_each(|line| check(&line.name, line.value.as_str()))
    }
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(Box<str>);

/// The name of a field and its value, written as `Name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldLine {
    /// Name of the field.
    pub name: Box<str>,
    /// Value, with variables.
    pub value: Template,
}

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match crate::http::list::is_token(text.as_bytes()) {
            true => Ok(Self(text.into())),
            false => Err(format!("'{}' is not the name of a field", text.escape_debug())),
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FieldLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{}' is not a field such as 'Name: value'", text.escape_debug());
        let (name, value) = text.split_once(':').ok_or_else(wrong)?;
        let value = value.trim_matches([' ', '\t']);
        let FieldName(name) = name.parse().map_err(|_| wrong())?;
        if !crate::http::is_field_value(value.as_bytes()) {
            return Err(wrong());
        }
        Ok(Self { name, value: value.parse()? })
    }
}

impl fmt::Display for FieldLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}
