//! Labels of shipped lines: the same for all lines of a process.

use super::destination::LogProtocol;

/// Most labels of a stream, that of the status class among them.
const MOST: usize = 10;
/// Most bytes of a name and of a value, the defaults of Loki.
const LONGEST: (usize, usize) = (1024, 2048);
/// Label of the first digit of the status, which Loki gets beside the others.
pub(super) const STATUS_CLASS: &str = "status_class";

/// Labels in the order in which they were given: for Loki labels of streams, for OTLP attributes of the
/// resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// Adds a label `NAME=VALUE`.
    ///
    /// # Errors
    /// The reason if the text is none, or if there is a label of that name.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .ok_or_else(|| format!("'{text}' is not NAME=VALUE"))?;
        if self.0.iter().any(|(other, _)| other == name) {
            return Err(format!("label '{name}' is given twice"));
        }
        if name.len() > LONGEST.0 || value.len() > LONGEST.1 {
            return Err(format!(
                "label '{name:.40}' is too long; a name has at most {} bytes, a value {}",
                LONGEST.0, LONGEST.1
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("label '{}' has a control character", name.escape_debug()));
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Checks the number of labels, and their names by the rules of the protocol.
    ///
    /// # Errors
    /// The reason, with the rule.
    pub fn check(&self, protocol: LogProtocol) -> Result<(), String> {
        if protocol == LogProtocol::Otlp {
            return Ok(());
        }
        let number = self.complete(protocol).len() + 1;
        if number > MOST {
            return Err(format!(
                "there are {number} labels, with job and {STATUS_CLASS}; at most {MOST} keep the number of \
                 streams low"
            ));
        }
        for (name, _) in &self.0 {
            if name == STATUS_CLASS {
                return Err(format!("label '{name}' is set by tidegate; choose another name"));
            }
            let valid = |(at, byte): (usize, u8)| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
                b'0'..=b'9' => at > 0,
                _ => false,
            };
            if !name.bytes().enumerate().all(valid) || name.starts_with("__") {
                return Err(format!(
                    "label '{name}' is no name for Loki: letters, digits and '_' are, not beginning with a \
                     digit or '__'"
                ));
            }
        }
        Ok(())
    }

    /// Returns names and values, with the one that names this program in front, unless it was given.
    pub(super) fn complete(&self, protocol: LogProtocol) -> Vec<(&str, &str)> {
        let own = match protocol {
            LogProtocol::Loki => "job",
            LogProtocol::Otlp => "service.name",
        };
        let given = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_given = self.0.iter().any(|(name, _)| name == own);
        let own = (!is_given).then_some((own, "tidegate"));
        own.into_iter().chain(given).collect()
    }

    /// Returns the labels as they were given.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}
