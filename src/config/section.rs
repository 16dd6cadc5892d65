//! Sections of the file: tables with keys of their own, which may be given several times.

/// Key of a section. `T` is what the section sets.
#[derive(Debug)]
pub struct Key<T> {
    /// Name of the key.
    pub name: &'static str,
    /// Placeholder of the value in messages and documents.
    pub value: &'static str,
    /// True if the key may have several values, in an array.
    pub many: bool,
    /// Description for documents.
    pub help: &'static str,
    /// Parses and stores one value.
    pub set: fn(&mut T, &str) -> Result<(), String>,
    /// Returns the values as they could be given; empty if there is no default.
    pub get: fn(&T) -> Vec<String>,
}

pub(super) const fn one<T>(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut T, &str) -> Result<(), String>,
    get: fn(&T) -> Vec<String>,
) -> Key<T> {
    Key { name, value, many: false, help, set, get }
}

pub(super) const fn many<T>(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut T, &str) -> Result<(), String>,
    get: fn(&T) -> Vec<String>,
) -> Key<T> {
    Key { many: true, ..one(name, value, help, set, get) }
}

/// Section of a file, to be written or compared.
pub(super) struct SectionView {
    /// Words that tell the section apart from others of its kind.
    pub(super) name: String,
    pub(super) keys: Vec<KeyValues>,
    /// Sections `[[site.route]]` inside.
    pub(super) routes: Vec<Self>,
}

/// Values of a key of a section.
pub(super) struct KeyValues {
    pub(super) name: &'static str,
    pub(super) many: bool,
    pub(super) values: Vec<String>,
    /// True if a file has to have the key: its values are not those by default.
    pub(super) is_written: bool,
}

/// Returns the values of the keys of a section. `default` is a section with no key but those on which
/// defaults of others depend.
pub(super) fn key_values<T>(keys: &[Key<T>], section: &T, default: &T) -> Vec<KeyValues> {
    let of = |key: &Key<T>| {
        let values = (key.get)(section);
        let is_written = values != (key.get)(default);
        KeyValues { name: key.name, many: key.many, values, is_written }
    };
    keys.iter().map(of).collect()
}

impl SectionView {
    /// Returns the lines of the section as a file has them, without keys that have their defaults.
    pub(super) fn lines(&self) -> String {
        let mut out: String =
            self.keys.iter().filter(|key| key.is_written).map(KeyValues::line).collect();
        for route in &self.routes {
            out.push_str(&format!("\n[[site.route]]\n{}", route.lines()));
        }
        out
    }

    /// Returns the section in one line.
    pub(super) fn text(&self) -> String {
        self.lines().trim_end().replace("\n\n", "\n").replace('\n', ", ")
    }
}

impl KeyValues {
    fn line(&self) -> String {
        let quoted: Vec<String> = self.values.iter().map(|value| format!("{value:?}")).collect();
        match quoted.as_slice() {
            [value] => format!("{} = {value}\n", self.name),
            values => format!("{} = [{}]\n", self.name, values.join(", ")),
        }
    }
}
