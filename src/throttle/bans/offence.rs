//! Offences, and the kinds of offences that a rule counts.

use std::fmt;
use std::str::FromStr;

/// Event that rules may count against a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offence {
    /// Response with this status.
    Status(u16),
    /// Request or client that a rule denies.
    Refused,
    /// TLS handshake that failed.
    Handshake,
    /// Bytes that are no HTTP.
    Malformed,
}

/// Kinds of offences: `401,403`, `4xx,refused`. The order is that of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kinds(Vec<Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    One(Offence),
    /// Statuses with this first digit.
    Class(u16),
}

const WORDS: [(&str, Offence); 3] = [
    ("refused", Offence::Refused),
    ("handshake", Offence::Handshake),
    ("malformed", Offence::Malformed),
];

impl Kinds {
    /// Returns true if `offence` is of one of the kinds.
    pub(super) fn contain(&self, offence: Offence) -> bool {
        self.0.iter().any(|kind| match (kind, offence) {
            (Kind::Class(digit), Offence::Status(status)) => status / 100 == *digit,
            (Kind::Class(_), _) => false,
            (Kind::One(one), offence) => *one == offence,
        })
    }
}

impl FromStr for Kinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut kinds = Vec::new();
        for word in text.split(',') {
            let kind = kind(word).ok_or_else(|| {
                format!(
                    "'{word}' is no kind of offence; kinds are a status such as 404, a class such \
                     as 4xx, refused, handshake and malformed, separated by commas"
                )
            })?;
            if kinds.contains(&kind) {
                return Err(format!("'{word}' is given twice"));
            }
            kinds.push(kind);
        }
        Ok(Self(kinds))
    }
}

fn kind(word: &str) -> Option<Kind> {
    if let Some((_, offence)) = WORDS.iter().find(|(name, _)| *name == word) {
        return Some(Kind::One(*offence));
    }
    let digit =
        |byte: &u8| char::from(*byte).to_digit(10).and_then(|digit| u16::try_from(digit).ok());
    let [first, rest @ ..] = word.as_bytes() else { return None };
    let first = digit(first).filter(|&first| first > 0)?;
    match rest {
        b"xx" => Some(Kind::Class(first)),
        [tens, ones] => {
            Some(Kind::One(Offence::Status(100 * first + 10 * digit(tens)? + digit(ones)?)))
        }
        _ => None,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(digit) => write!(f, "{digit}xx"),
            Self::One(Offence::Status(status)) => write!(f, "{status}"),
            Self::One(offence) => {
                let word = WORDS.iter().find(|(_, known)| known == offence);
                word.map_or(Ok(()), |(name, _)| f.write_str(name))
            }
        }
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for kind in &self.0 {
            write!(f, "{comma}{kind}")?;
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_contain_their_offences() {
        let kinds: Kinds = "401,5xx,handshake".parse().unwrap();
        for (offence, is_one) in [
            (Offence::Status(401), true),
            (Offence::Status(402), false),
            (Offence::Status(499), false),
            (Offence::Status(500), true),
            (Offence::Status(599), true),
            (Offence::Status(600), false),
            (Offence::Handshake, true),
            (Offence::Refused, false),
            (Offence::Malformed, false),
        ] {
            assert_eq!(kinds.contain(offence), is_one, "{offence:?}");
        }
    }

    #[test]
    fn invalid_kinds_are_rejected_with_the_reason() {
        for text in ["", "0xx", "40", "4040", "4x", "4xxx", "099", "x", "Refused", "４04", "+04"] {
            let message = "is no kind of offence; kinds are a status such as 404, a class such as \
                           4xx, refused, handshake and malformed, separated by commas";
            assert_eq!(text.parse::<Kinds>().unwrap_err(), format!("'{text}' {message}"));
        }
        assert_eq!("404,4xx,404".parse::<Kinds>().unwrap_err(), "'404' is given twice");
        assert!("404,".parse::<Kinds>().unwrap_err().starts_with("'' is no kind"));
    }
}
