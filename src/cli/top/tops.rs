//! Most frequent URLs, hosts, clients and refusals, as `tops json` gives them.

use serde_json::Value;

use super::clean::clean;

/// Text with its requests and bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) text: String,
    pub(super) count: f64,
    /// Bytes of content; zero if the proxy does not count them for this list.
    pub(super) bytes: f64,
}

/// URL whose responses are not stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NotStored {
    pub(super) reason: String,
    pub(super) url: String,
    pub(super) count: f64,
}

/// Slow request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slow {
    pub(super) time: String,
    pub(super) ms: f64,
    pub(super) status: String,
    pub(super) result: String,
    pub(super) method: String,
    pub(super) url: String,
}

/// Lists of the proxy. All text is harmless for a terminal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tops {
    pub(super) urls: Vec<Counted>,
    pub(super) hosts: Vec<Counted>,
    pub(super) clients: Vec<Counted>,
    pub(super) denials: Vec<Counted>,
    pub(super) not_stored: Vec<NotStored>,
    pub(super) slow: Vec<Slow>,
}

impl Tops {
    /// Parses a JSON object; lists that it lacks are empty. `None` if the text is no JSON object.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lists: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        let counted = |name| list(&lists, name, counted);
        Some(Self {
            urls: counted("urls"),
            hosts: counted("hosts"),
            clients: counted("clients"),
            denials: counted("denials"),
            not_stored: list(&lists, "not_stored", |entry| NotStored {
                reason: text_of(entry, "reason"),
                url: text_of(entry, "url"),
                count: number(entry, "count"),
            }),
            slow: list(&lists, "slow", |entry| Slow {
                time: text_of(entry, "time"),
                ms: number(entry, "ms"),
                status: text_of(entry, "status"),
                result: text_of(entry, "result"),
                method: text_of(entry, "method"),
                url: text_of(entry, "url"),
            }),
        })
    }
}

fn list<T>(lists: &Value, name: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
    let entries = lists.get(name).and_then(Value::as_array).into_iter().flatten();
    entries.map(read).collect()
}

fn counted(entry: &Value) -> Counted {
    let [count, bytes] = ["count", "bytes"].map(|name| number(entry, name));
    Counted { text: text_of(entry, "text"), count, bytes }
}

fn number(entry: &Value, name: &str) -> f64 {
    entry.get(name).and_then(Value::as_f64).unwrap_or_default()
}

/// Returns a text or a number as harmless text.
fn text_of(entry: &Value, name: &str) -> String {
    match entry.get(name) {
        Some(Value::String(text)) => clean(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
