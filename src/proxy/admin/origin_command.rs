//! Commands about the members of groups of origins: `tidegate origin`.

use std::fmt::{self, Display, Write};
use std::time::Instant;

use crate::balance::{MemberReport, Order};
use crate::proxy::origin::groups::{Groups, RunningGroup};

/// A command about members of groups of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginCommand {
    /// Lists all groups with their members.
    List,
    /// Gives an order about a member, in all groups that have it.
    Order {
        /// Name of the member: its URL as it was configured.
        member: String,
        /// The order.
        order: Order,
    },
}

/// The command, as the control socket takes it.
impl Display for OriginCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List => f.write_str("list"),
            Self::Order { member, order: Order::Ready } => write!(f, "ready {member}"),
            Self::Order { member, order: Order::Drain } => write!(f, "drain {member}"),
            Self::Order { member, order: Order::Disable } => write!(f, "disable {member}"),
            Self::Order { member, order: Order::Weight(weight) } => {
                write!(f, "weight {weight} {member}")
            }
        }
    }
}

impl OriginCommand {
    /// Parses the words after `origin`. `None` if they are no command.
    pub(super) fn parse(words: &str) -> Option<Self> {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        let order = |order, member: &str| {
            (!member.is_empty()).then(|| Self::Order { member: member.to_owned(), order })
        };
        match verb {
            "list" if rest.is_empty() => Some(Self::List),
            "ready" => order(Order::Ready, rest),
            "drain" => order(Order::Drain, rest),
            "disable" => order(Order::Disable, rest),
            "weight" => {
                let (weight, member) = rest.split_once(' ')?;
                order(Order::Weight(weight.parse().ok()?), member)
            }
            _ => None,
        }
    }

    /// Carries the command out. Returns the text for the operator.
    ///
    /// # Errors
    /// Returns the reason if there is no such member.
    pub(super) fn execute(&self, groups: &mut Groups, now: Instant) -> Result<String, String> {
        let (member, order) = match self {
            Self::List => return Ok(list(groups, now)),
            Self::Order { member, order } => (member, *order),
        };
        let ordered = groups.order(member, order, now);
        if ordered.is_empty() {
            let known = groups.all().flat_map(|group| group.reports(now));
            let known: Vec<String> = known.map(|member| member.name.to_string()).collect();
            return Err(format!("there is no member '{member}'; there are {}", known.join(", ")));
        }
        Ok(ordered.iter().map(|group| format!("{group}: {self}\n")).collect())
    }
}

/// Returns the groups, and their members with addresses and states.
fn list(groups: &Groups, now: Instant) -> String {
    let mut text = String::new();
    for group in groups.all() {
        push_group(&mut text, group, now);
    }
    text
}

fn push_group(text: &mut String, group: &RunningGroup, now: Instant) {
    // A String takes all that is written.
    let _ = writeln!(text, "{}", group.settings().name);
    for member in group.reports(now) {
        let MemberReport { name, weight, backup, .. } = &member;
        let backup = if *backup { ", backup" } else { "" };
        let _ = writeln!(
            text,
            "  {name}  weight {weight}{backup}, {} in flight, {} requests, {} failed",
            member.in_flight, member.requests, member.failures
        );
        if member.endpoints.is_empty() {
            let problem = member.problem().unwrap_or_default();
            let _ = writeln!(text, "    {problem}");
        }
        for endpoint in &member.endpoints {
            let _ = writeln!(text, "    {}  {}", endpoint.address, endpoint.state);
        }
    }
}
