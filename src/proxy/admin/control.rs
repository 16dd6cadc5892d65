//! What operators ask a running proxy over its control socket: one line, answered by text whose
//! first line is `ok`, or by `error REASON`, which may go on for some lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::proxy::explain::query::ExplainQuery;

use super::purge_target::PurgeTarget;

/// The longest line that is read.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// Something that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// The figures, for people or as JSON.
    Stats {
        /// As JSON.
        json: bool,
    },
    /// That something is purged.
    Purge {
        /// What.
        target: PurgeTarget,
        /// It is only to be validated before it is used again.
        soft: bool,
    },
    /// What would become of a request.
    Explain {
        /// The request.
        question: ExplainQuery,
        /// As JSON.
        json: bool,
    },
    /// That files are read again.
    Reload {
        /// It is only to be said what would change.
        plan: bool,
    },
}

/// The line, without its end.
impl Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stats { json } => write!(f, "stats {}", if *json { "json" } else { "text" }),
            Self::Reload { plan } => write!(f, "reload {}", if *plan { "plan" } else { "now" }),
            Self::Explain { question, json } => {
                write!(f, "explain {} {question}", if *json { "json" } else { "text" })
            }
            Self::Purge { target, soft } => {
                let (kind, what) = match target {
                    PurgeTarget::Url(text) => ("url", text.as_str()),
                    PurgeTarget::Prefix(text) => ("prefix", text.as_str()),
                    PurgeTarget::Host(text) => ("host", text.as_str()),
                    PurgeTarget::Tag(text) => ("tag", text.as_str()),
                    PurgeTarget::All => ("all", ""),
                };
                write!(f, "purge {} {kind} {what}", if *soft { "soft" } else { "hard" })
            }
        }
    }
}

impl FromStr for ControlRequest {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        if let Some(rest) = line.strip_prefix("explain ") {
            let (form, question) = rest.split_once(' ').unwrap_or((rest, ""));
            return question
                .parse()
                .map(|question| Self::Explain { question, json: form == "json" });
        }
        let unknown = || "this is no command that is known here".to_owned();
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        match (next(), next()) {
            ("stats", "json") => Ok(Self::Stats { json: true }),
            ("stats", "text") => Ok(Self::Stats { json: false }),
            ("reload", "plan") => Ok(Self::Reload { plan: true }),
            ("reload", "now") => Ok(Self::Reload { plan: false }),
            ("purge", how @ ("soft" | "hard")) => {
                let (kind, what) = (next(), next().to_owned());
                let target = match kind {
                    "url" => PurgeTarget::Url(what),
                    "prefix" => PurgeTarget::Prefix(what),
                    "host" => PurgeTarget::Host(what),
                    "tag" if !what.is_empty() => PurgeTarget::Tag(what),
                    "all" if what.is_empty() => PurgeTarget::All,
                    _ => return Err(unknown()),
                };
                Ok(Self::Purge { target, soft: how == "soft" })
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let targets = [
            PurgeTarget::Url("http://h/".into()),
            PurgeTarget::Prefix("http://h/a".into()),
            PurgeTarget::Host("h".into()),
            PurgeTarget::Tag("a b  c".into()),
            PurgeTarget::All,
        ];
        let purges = targets.into_iter().flat_map(|target| {
            [true, false].map(|soft| ControlRequest::Purge { target: target.clone(), soft })
        });
        let stats = [true, false].map(|json| ControlRequest::Stats { json });
        let reloads = [true, false].map(|plan| ControlRequest::Reload { plan });
        let question = ExplainQuery {
            method: "GET".into(),
            url: "http://h/ x".into(),
            client: [127, 0, 0, 1].into(),
            listener: Some(([127, 0, 0, 1], 3129).into()),
            user: Some("J Doe".into()),
            fields: vec!["Accept: a, b".into()],
            addresses: vec![[192, 0, 2, 1].into()],
        };
        let nobody = ExplainQuery {
            listener: None,
            user: None,
            fields: vec![],
            addresses: vec![],
            ..question.clone()
        };
        let explains =
            [question, nobody].map(|question| ControlRequest::Explain { question, json: true });
        for request in purges.chain(stats).chain(reloads).chain(explains) {
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        for line in [
            "",
            "stats",
            "purge",
            "purge soft",
            "purge hard tag ",
            "purge hard all x",
            "reload",
            "explain text GET",
            "x",
        ] {
            assert!(line.parse::<ControlRequest>().is_err(), "{line}");
        }
    }
}
