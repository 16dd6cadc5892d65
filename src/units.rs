//! Values of options as text: sizes, durations, numbers (`256MiB`, `60s`).

use std::time::Duration;

use crate::time;

/// Value that options and configuration files write as text.
pub trait Unit: Sized + PartialOrd {
    /// Description of the expected text, for messages.
    const EXPECTED: &'static str;

    /// Parses the text; `None` if it is invalid.
    fn read(text: &str) -> Option<Self>;

    /// Formats the value so that [`read`](Self::read) returns it again.
    fn write(&self) -> String;

    /// Returns true if the value is at least `least`.
    fn is_at_least(&self, least: &Self) -> bool {
        self >= least
    }
}

/// Number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Returns the value as a `usize`, or the largest `usize` if it does not fit.
    #[must_use]
    pub fn whole(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Unit for Bytes {
    const EXPECTED: &'static str = "a size such as 64KiB, 256MiB or 1GiB";

    fn read(text: &str) -> Option<Self> {
        let (digits, unit) = split(text);
        let number: u64 = digits.parse().ok()?;
        let factor = match unit {
            "" => 1,
            "K" | "k" => 1 << 10,
            "M" | "m" => 1 << 20,
            "G" | "g" => 1 << 30,
            _ => SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
        };
        number.checked_mul(factor).map(Self)
    }

    fn write(&self) -> String {
        let fits = |&&(_, factor): &&(&str, u64)| self.0.is_multiple_of(factor) && self.0 >= factor;
        let (name, factor) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
        format!("{}{name}", self.0 / factor)
    }
}

impl Unit for Duration {
    const EXPECTED: &'static str = "a time such as 250ms, 6s, 5m or 1h";

    fn read(text: &str) -> Option<Self> {
        time::read_duration(text)
    }

    fn write(&self) -> String {
        time::write_duration(*self)
    }
}

impl Unit for usize {
    const EXPECTED: &'static str = "a number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Unit for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// Bound that may be absent, written `off`.
impl<T: Unit> Unit for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(text: &str) -> Option<Self> {
        if text == "off" { Some(None) } else { T::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.as_ref().map_or_else(|| "off".into(), Unit::write)
    }

    fn is_at_least(&self, least: &Self) -> bool {
        self.is_none() || self >= least
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_round_trip() {
        for text in ["256MiB", "1GiB", "8KiB", "1500B", "0B"] {
            assert_eq!(Bytes::read(text).unwrap().write(), text);
        }
        for text in ["6s", "250ms", "5m", "1h", "90s", "0s"] {
            assert_eq!(Duration::read(text).unwrap().write(), text);
        }
        assert_eq!(Bytes::read("64k"), Some(Bytes(65536)));
        assert_eq!(Bytes::read("10"), Some(Bytes(10)));
        assert_eq!(Option::<Bytes>::read("off"), Some(None));
    }

    #[test]
    fn invalid_text_is_rejected() {
        for text in ["", "MiB", "1.5GiB", "-1", "1 MiB", "9999999999999GiB", "1MiBs"] {
            assert_eq!(Bytes::read(text), None, "{text}");
        }
        for text in ["", "6", "6 s", "s", "1d", "-1s", "99999999999999999999h"] {
            assert_eq!(Duration::read(text), None, "{text}");
        }
    }
}
