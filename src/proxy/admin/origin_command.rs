//! Commands about the members of groups of origins: `tidegate origin`.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Write};
use std::sync::Arc;
use std::time::Instant;

use crate::balance::{EndpointState, MemberReport, Order};
use crate::proxy::origin::groups::{Groups, OrderedMember, RunningGroup};
use crate::proxy::shared::Shared;
use crate::suggestion::suggestion;

/// A command about members of groups of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginCommand {
    /// Lists all groups with their members.
    List,
    /// Gives an order about a member.
    Order {
        /// URL of the member.
        member: String,
        /// Name of the only group in which the order holds; `None` for all that have the member.
        group: Option<String>,
        /// The order.
        order: Order,
    },
}

/// Word before the name of the only group.
const GROUP: &str = "group=";

/// The command, as the control socket takes it.
impl Display for OriginCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Order { member, group, order } = self else { return f.write_str("list") };
        write!(f, "{} ", words(*order))?;
        group.iter().try_for_each(|group| write!(f, "{GROUP}{group} "))?;
        f.write_str(member)
    }
}

/// Returns the words of an order.
fn words(order: Order) -> String {
    match order {
        Order::Ready => "ready".to_owned(),
        Order::Drain => "drain".to_owned(),
        Order::Disable => "disable".to_owned(),
        Order::Weight(weight) => format!("weight {weight}"),
    }
}

impl OriginCommand {
    /// Parses the words after `origin`. `None` if they are no command.
    pub(super) fn parse(words: &str) -> Option<Self> {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        let (order, rest) = match verb {
            "list" if rest.is_empty() => return Some(Self::List),
            "ready" => (Order::Ready, rest),
            "drain" => (Order::Drain, rest),
            "disable" => (Order::Disable, rest),
            "weight" => {
                let (weight, rest) = rest.split_once(' ')?;
                (Order::Weight(weight.parse().ok()?), rest)
            }
            _ => return None,
        };
        let (group, member) = match rest.strip_prefix(GROUP) {
            Some(rest) => rest.split_once(' ').map(|(group, rest)| (Some(group), rest))?,
            None => (None, rest),
        };
        let (member, group) = (member.to_owned(), group.map(str::to_owned));
        (!member.is_empty()).then_some(Self::Order { member, group, order })
    }

    /// Carries the command out, and has a line written for each member that has got an order. Returns
    /// the text for the operator.
    ///
    /// # Errors
    /// Returns the reason if there is no such member or group.
    pub(super) fn execute(&self, shared: &mut Shared, now: Instant) -> Result<String, String> {
        let groups = &mut shared.origins.groups;
        let (member, only, order) = match self {
            Self::List => return Ok(list(groups, now)),
            Self::Order { member, group, order } => (member, group.as_deref(), *order),
        };
        check_group(groups, only)?;
        let ordered = groups.order(member, only, order, now);
        if ordered.is_empty() {
            return Err(missing(groups, member, only, now));
        }
        let notices = ordered.iter().map(|OrderedMember { group, member }| {
            format!("origin {member} of {group}: {order} by the operator")
        });
        shared.notices.extend(notices);
        let done = ordered
            .iter()
            .map(|OrderedMember { group, member }| format!("{group}: {} {member}\n", words(order)));
        Ok(done.chain(warnings(groups, &ordered, now)).collect())
    }
}

/// Checks that there is a group of this name.
fn check_group(groups: &Groups, only: Option<&str>) -> Result<(), String> {
    let Some(name) = only.filter(|name| groups.find(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = groups.all().map(|group| &*group.settings().name).collect();
    let meant = suggestion(name, &known).map(|text| format!("; {text}")).unwrap_or_default();
    Err(match known.as_slice() {
        [] => format!("there is no group '{name}', nor any other"),
        known => format!("there is no group '{name}'; there are {}{meant}", known.join(", ")),
    })
}

/// Returns the error for a member that there is not, with the members that there are.
fn missing(groups: &Groups, member: &str, only: Option<&str>, now: Instant) -> String {
    let of = groups.all().filter(|group| only.is_none_or(|only| *group.settings().name == *only));
    let known: BTreeSet<Arc<str>> =
        of.flat_map(|group| group.reports(now)).map(|member| member.name).collect();
    let known: Vec<&str> = known.iter().map(|name| &**name).collect();
    let place = only.map(|group| format!(" in {group}")).unwrap_or_default();
    match known.as_slice() {
        [] => format!("there is no member '{member}', nor any other"),
        known => format!("there is no member '{member}'{place}; there are {}", known.join(", ")),
    }
}

/// Returns a warning for each group that serves no new clients after an order.
fn warnings(groups: &Groups, ordered: &[OrderedMember], now: Instant) -> Vec<String> {
    let is_ordered = |name: &str| ordered.iter().any(|member| *member.group == *name);
    let all = groups.all().filter(|group| is_ordered(&group.settings().name));
    let empty = all.filter(|group| !group.takes_requests(now));
    let warning = |group: &RunningGroup| {
        format!("warning: {} has no member left for new requests\n", group.settings().name)
    };
    empty.map(warning).collect()
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
        let configured = member.overridden.map(|weight| format!(" (configured {weight})"));
        let configured = configured.unwrap_or_default();
        let _ = writeln!(
            text,
            "  {name}  weight {weight}{configured}{backup}, {} in flight, {} requests, {} failed",
            member.in_flight, member.requests, member.failures
        );
        if member.endpoints.is_empty() {
            let problem = member.problem().unwrap_or_default();
            let _ = writeln!(text, "    {problem}");
        }
        for endpoint in &member.endpoints {
            let is_unchecked = group.settings().balance.health.is_none();
            let unchecked = is_unchecked && endpoint.state == EndpointState::Up;
            let unchecked = if unchecked { " (not checked)" } else { "" };
            let _ = writeln!(text, "    {}  {}{unchecked}", endpoint.address, endpoint.state);
        }
    }
}
