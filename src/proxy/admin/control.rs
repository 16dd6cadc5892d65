//! Requests on the control socket: one line each. The answer is `ok` and text from the second line
//! on, or `error REASON`, where the reason may have several lines.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::acme::RevocationReason;
use crate::proxy::explain::query::ExplainQuery;
use crate::proxy::observe::journal_filter::JournalFilter;

use super::ban_command::BanCommand;
use super::origin_command::OriginCommand;
use super::purge_target::PurgeTarget;

/// Longest request line, in bytes.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// A request of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// Returns the metrics.
    Stats {
        /// True for JSON, false for text.
        json: bool,
    },
    /// Returns what is asked for most, as JSON.
    Tops,
    /// Returns lines of the journal.
    Log {
        /// The exchanges that are wanted.
        filter: JournalFilter,
        /// True for JSON, false for text.
        json: bool,
        /// True to continue with further exchanges until the operator leaves.
        follow: bool,
    },
    /// Purges stored responses.
    Purge {
        /// The responses to purge.
        target: PurgeTarget,
        /// True to make them stale, so that they are validated before reuse; false to remove them.
        soft: bool,
    },
    /// Explains how a request would be handled.
    Explain {
        /// The request.
        question: ExplainQuery,
        /// True for JSON, false for text.
        json: bool,
    },
    /// Lists, begins or lifts bans of clients.
    Bans(BanCommand),
    /// Lists or orders members of groups of origins.
    Origin(OriginCommand),
    /// Replaces a certificate that the proxy has obtained.
    Renew {
        /// First name of the certificate.
        name: String,
        /// Reason for which the replaced certificate is revoked.
        revoke: Option<RevocationReason>,
    },
    /// Reads the configuration again.
    Reload {
        /// True to report what would change, and change nothing.
        plan: bool,
    },
    /// Replaces the worker by one of the present binary and configuration.
    Upgrade,
    /// Leaves the sockets of operators to another process, if this one drains.
    Yield,
}

/// The request line, without its line end.
impl Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stats { json } => write!(f, "stats {}", if *json { "json" } else { "text" }),
            Self::Reload { plan } => write!(f, "reload {}", if *plan { "plan" } else { "now" }),
            Self::Log { filter, json, follow } => {
                let form = if *json { "json" } else { "text" };
                write!(f, "log {form} {}{filter}", if *follow { "follow" } else { "now" })
            }
            Self::Tops => f.write_str("tops json"),
            Self::Upgrade => f.write_str("upgrade"),
            Self::Yield => f.write_str("yield"),
            Self::Renew { name, revoke } => {
                write!(f, "renew {} {name}", revoke.map_or("keep", RevocationReason::name))
            }
            Self::Bans(command) => write!(f, "bans {command}"),
            Self::Origin(command) => write!(f, "origin {command}"),
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
        let unknown = || format!("unknown command '{line}'");
        if let Some(words) = line.strip_prefix("origin ") {
            return OriginCommand::parse(words).map(Self::Origin).ok_or_else(unknown);
        }
        if let Some(words) = line.strip_prefix("log ") {
            let (form, rest) = words.split_once(' ').ok_or_else(unknown)?;
            let (extent, filter) = rest.split_once(' ').unwrap_or((rest, ""));
            let filter = filter.parse()?;
            return Ok(Self::Log { filter, json: form == "json", follow: extent == "follow" });
        }
        if let Some(words) = line.strip_prefix("bans ") {
            return BanCommand::parse(words).map(Self::Bans);
        }
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        match (next(), next()) {
            ("upgrade", "") => Ok(Self::Upgrade),
            ("yield", "") => Ok(Self::Yield),
            ("tops", "json") => Ok(Self::Tops),
            ("stats", "json") => Ok(Self::Stats { json: true }),
            ("stats", "text") => Ok(Self::Stats { json: false }),
            ("reload", "plan") => Ok(Self::Reload { plan: true }),
            ("reload", "now") => Ok(Self::Reload { plan: false }),
            ("renew", "keep") => Ok(Self::Renew { name: next().to_owned(), revoke: None }),
            ("renew", reason) => {
                let revoke = RevocationReason::named(reason).ok_or_else(unknown)?;
                Ok(Self::Renew { name: next().to_owned(), revoke: Some(revoke) })
            }
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
    use crate::balance::Order;

    #[test]
    fn request_line_round_trips() {
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
            certificate: None,
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
        let succession = [ControlRequest::Upgrade, ControlRequest::Yield, ControlRequest::Tops];
        let explains =
            [question, nobody].map(|question| ControlRequest::Explain { question, json: true });
        let orders = [Order::Ready, Order::Drain, Order::Disable, Order::Weight(7)];
        let orders = [None, Some("app".to_owned())].into_iter().flat_map(|group| {
            orders.map(|order| {
                let (member, group) = ("http://h.test:80".to_owned(), group.clone());
                ControlRequest::Origin(OriginCommand::Order { member, group, order })
            })
        });
        let orders = orders.chain([ControlRequest::Origin(OriginCommand::List)]);
        let ban = BanCommand::add("192.0.2.0/24", "drop", "10m", "port scans").unwrap();
        let filter: JournalFilter = "status=5xx slow=1s".parse().unwrap();
        let logs = [(true, false), (false, true)].map(|(json, follow)| ControlRequest::Log {
            filter: filter.clone(),
            json,
            follow,
        });
        let orders = orders.chain(logs);
        let bans = [BanCommand::List, ban, BanCommand::lift("192.0.2.0/24").unwrap()];
        let orders = orders.chain(bans.map(ControlRequest::Bans));
        for request in
            purges.chain(orders).chain(stats).chain(reloads).chain(explains).chain(succession)
        {
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
            "origin",
            "origin drain ",
            "origin drain group=app",
            "origin drain group=app ",
            "origin weight x http://h.test:80",
            "bans",
            "bans add 192.0.2.1 drop",
            "log",
            "log text",
            "log text now status=x",
            "x",
        ] {
            assert!(line.parse::<ControlRequest>().is_err(), "{line}");
        }
    }
}
