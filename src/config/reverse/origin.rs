//! Groups of origins: the keys of `[[origin]]`.

use std::time::Duration;

use crate::balance::{HealthSettings, Policy, RetryBudget};
use crate::config::member::MemberOption;
use crate::config::section::{Key, SectionView, key_values, many, one};
use crate::http::{Authority, Status};
use crate::proxy::{Check, HttpCheck, OriginGroup};
use crate::proxy_protocol::Version;
use crate::units::Unit;

/// Name of the group of `--to`, which no [[origin]] can have.
const UNNAMED: &str = "--to";

/// A group of origins in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct OriginSection {
    pub(crate) group: OriginGroup,
    members: Vec<MemberOption>,
    max_requests: Option<u32>,
}

impl Default for OriginSection {
    fn default() -> Self {
        Self { group: OriginGroup::of(Vec::new()), members: Vec::new(), max_requests: None }
    }
}

impl OriginSection {
    pub(super) fn add(&mut self, member: MemberOption) {
        self.members.push(member);
    }

    /// Returns the section as it is written or compared.
    pub(in crate::config) fn view(&self) -> SectionView {
        let mut default = Self::default();
        if self.group.balance.health.is_some() {
            default.health();
        }
        if let Check::Http(_) = self.group.check {
            default.group.check = Check::Http(HttpCheck::of("/"));
        }
        let mut keys = key_values(ORIGIN, self, &default);
        let health = keys.iter_mut().filter(|key| key.name == "health");
        health.for_each(|key| key.is_written = self.group.balance.health.is_some());
        SectionView { name: self.group.name.to_string(), keys, routes: Vec::new() }
    }

    /// Returns true if routes can name the group.
    pub(crate) fn has_name(&self) -> bool {
        !self.group.name.is_empty()
    }

    /// Returns the settings of the group.
    ///
    /// # Errors
    /// A message that names the group and the reason.
    pub(in crate::config) fn settings(&self) -> Result<OriginGroup, String> {
        let mut group = self.group.clone();
        for member in &self.members {
            let mut settings = member.settings.clone();
            settings.max_requests = settings.max_requests.or(self.max_requests);
            group.balance.members.push(settings);
            group.members.push(member.url.clone());
        }
        if group.name.is_empty() {
            group.identity = OriginGroup::of(group.members.clone()).identity;
            group.name = UNNAMED.into();
        } else {
            group.identity = group.name.clone();
        }
        group.check_members()?;
        if let (Check::Http(_), None) = (&group.check, &group.balance.health) {
            return Err(format!("the origin '{}' is checked, but never", group.name));
        }
        Ok(group)
    }

    /// Returns how members are checked; with the defaults if they were not before.
    fn health(&mut self) -> &mut HealthSettings {
        self.group.balance.health.get_or_insert_default()
    }

    fn http(&mut self) -> Result<&mut HttpCheck, String> {
        self.health();
        if self.group.check == Check::Connect {
            self.group.check = Check::Http(HttpCheck::of("/"));
        }
        match &mut self.group.check {
            Check::Http(check) => Ok(check),
            Check::Connect => Err("health is not a path".to_owned()),
        }
    }

    fn health_of<T>(&self, get: impl Fn(&HealthSettings) -> T) -> Option<T> {
        self.group.balance.health.as_ref().map(get)
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a number from {least} to {most}"))
}

/// Returns a number below 600 as a status.
fn status(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn time(text: &str) -> Result<Duration, String> {
    Duration::read(text).ok_or_else(|| format!("'{text}' is not {}", Duration::EXPECTED))
}

/// Parses the time between two events, which is not zero.
fn interval(text: &str) -> Result<Duration, String> {
    let found = time(text)?;
    match found.is_zero() {
        true => Err("expected a time of 1ms or more".to_owned()),
        false => Ok(found),
    }
}

fn shown(time: Option<Duration>) -> Vec<String> {
    time.iter().map(Unit::write).collect()
}

const POLICIES: [(&str, Policy); 4] = [
    ("round-robin", Policy::RoundRobin),
    ("least-requests", Policy::LeastRequests),
    ("two-choices", Policy::TwoChoices),
    ("hash", Policy::Hash),
];

/// Parses the name of a policy.
pub(in crate::config) fn policy(text: &str) -> Result<Policy, String> {
    let found = POLICIES.iter().find(|(name, _)| *name == text).map(|(_, policy)| *policy);
    found
        .ok_or_else(|| format!("'{text}' is none of {}", POLICIES.map(|(name, _)| name).join(", ")))
}

/// Returns the name of a policy.
pub(in crate::config) fn policy_name(policy: Policy) -> String {
    let found = POLICIES.iter().find(|(_, known)| *known == policy);
    found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

/// Sets the check of members: a path, or `tcp` for a connection alone.
pub(in crate::config) fn set_health(section: &mut OriginSection, text: &str) -> Result<(), String> {
    if text == "off" {
        section.group.balance.health = None;
        section.group.check = Check::Connect;
        return Ok(());
    }
    if text == "tcp" {
        section.group.check = Check::Connect;
    } else if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        section.http()?.target = text.into();
    } else {
        return Err(format!("'{text}' is neither a path nor tcp nor off"));
    }
    section.health();
    Ok(())
}

/// Returns the check of members as [`set_health`] takes it.
pub(in crate::config) fn health(section: &OriginSection) -> Vec<String> {
    let text = match (&section.group.balance.health, &section.group.check) {
        (None, _) => "off",
        (Some(_), Check::Connect) => "tcp",
        (Some(_), Check::Http(check)) => &check.target,
    };
    vec![text.to_owned()]
}

/// Keys of `[[origin]]`.
pub const ORIGIN: &[Key<OriginSection>] = &[
    one(
        "name",
        "NAME",
        "Name by which routes name the group",
        |o, text| {
            let is_other = text.is_empty() || text.starts_with('-') || text.contains(['/', ':']);
            if is_other || text.contains(char::is_whitespace) {
                return Err(format!(
                    "'{text}' is not a name: it is empty, begins with '-', or has '/', ':' or a space"
                ));
            }
            o.group.name = text.into();
            Ok(())
        },
        |o| Some(o.group.name.to_string()).filter(|name| !name.is_empty()).into_iter().collect(),
    ),
    many(
        "to",
        "MEMBER",
        "Members: URL [weight=N] [backup] [max-requests=N]. A URL is http://HOST:PORT, https://HOST:PORT \
         or unix:/PATH. Backups get requests only if no other member can be used",
        |o, text| text.parse().map(|member| o.members.push(member)),
        |o| o.members.iter().map(ToString::to_string).collect(),
    ),
    one(
        "balance",
        "POLICY",
        "Choice of a member: round-robin, least-requests, two-choices (the one with fewer requests of \
         two that are drawn) or hash [default: round-robin]",
        |o, text| policy(text).map(|policy| o.group.balance.policy = policy),
        |o| vec![policy_name(o.group.balance.policy)],
    ),
    one(
        "hash-by",
        "SOURCE",
        "Part of a request that the policy hash is by: url, client, header:NAME or cookie:NAME [default: \
         url]",
        |o, text| text.parse().map(|source| o.group.hash = source),
        |o| vec![o.group.hash.to_string()],
    ),
    one(
        "hash-balance",
        "PERCENT",
        "Most requests of a member with the policy hash, in percent of the average; 0 for no bound \
         [default: 125]",
        |o, text| match number(text, 0, 100_000)? {
            1..=100 => Err(format!("'{text}' is neither 0 nor more than 100")),
            percent => {
                o.group.balance.hash_balance = percent;
                Ok(())
            }
        },
        |o| vec![o.group.balance.hash_balance.to_string()],
    ),
    one(
        "sticky-cookie",
        "NAME",
        "Cookie by which a client stays at the member that has answered it first [default: none]",
        |o, text| match crate::http::list::is_token(text.as_bytes()) {
            true => {
                o.group.sticky = Some(text.into());
                Ok(())
            }
            false => Err(format!("'{text}' is not the name of a cookie")),
        },
        |o| o.group.sticky.iter().map(ToString::to_string).collect(),
    ),
    one(
        "host",
        "preserve|origin|NAME",
        "Host that members get: that of the client, that of their URL, or another one [default: \
         preserve]",
        |o, text| text.parse().map(|host| o.group.host = host),
        |o| vec![o.group.host.to_string()],
    ),
    one(
        "slow-start",
        "TIME",
        "Time in which the share of a member that is usable again rises to the whole [default: 0s]",
        |o, text| time(text).map(|time| o.group.balance.slow_start = time),
        |o| shown(Some(o.group.balance.slow_start)),
    ),
    one(
        "health",
        "PATH|tcp|off",
        "Check of members: a GET of this path, or a connection alone [default: off]",
        set_health,
        health,
    ),
    one(
        "health-interval",
        "TIME",
        "Time between two checks of a member [default: 5s]",
        |o, text| interval(text).map(|time| o.health().interval = time),
        |o| shown(o.health_of(|health| health.interval)),
    ),
    one(
        "health-timeout",
        "TIME",
        "Longest time of a check [default: 2s]",
        |o, text| interval(text).map(|time| o.health().timeout = time),
        |o| shown(o.health_of(|health| health.timeout)),
    ),
    one(
        "health-rise",
        "N",
        "Checks in a row that must succeed before a member is up again [default: 2]",
        |o, text| number(text, 1, 1000).map(|count| o.health().rise = count),
        |o| o.health_of(|health| health.rise.to_string()).into_iter().collect(),
    ),
    one(
        "health-fall",
        "N",
        "Checks in a row that must fail before a member is down [default: 3]",
        |o, text| number(text, 1, 1000).map(|count| o.health().fall = count),
        |o| o.health_of(|health| health.fall.to_string()).into_iter().collect(),
    ),
    one(
        "health-jitter",
        "PERCENT",
        "Part of the interval by which checks are spread at random [default: 10]",
        |o, text| number(text, 0, 100).map(|percent| o.health().jitter = percent),
        |o| o.health_of(|health| health.jitter.to_string()).into_iter().collect(),
    ),
    one(
        "health-status",
        "N|N-N",
        "Statuses of a healthy member [default: 200-399]",
        |o, text| {
            let (least, most) = text.split_once('-').unwrap_or((text, text));
            let statuses = (number(least, 200, 599), number(most, 200, 599));
            match statuses {
                (Ok(least), Ok(most)) if least <= most => {
                    o.http()?.statuses = (status(least), status(most));
                    Ok(())
                }
                _ => Err(format!("'{text}' is not a status from 200 to 599, or a range")),
            }
        },
        |o| match &o.group.check {
            Check::Http(HttpCheck { statuses: (least, most), .. }) => {
                vec![format!("{least}-{most}")]
            }
            Check::Connect => Vec::new(),
        },
    ),
    one(
        "health-host",
        "HOST",
        "Host in the requests of checks [default: that of the member's URL]",
        |o, text| match Authority::parse(text.as_bytes()) {
            Ok(_) => {
                o.http()?.host = Some(text.into());
                Ok(())
            }
            Err(_) => Err(format!("'{text}' is not HOST or HOST:PORT")),
        },
        |o| match &o.group.check {
            Check::Http(check) => check.host.iter().map(ToString::to_string).collect(),
            Check::Connect => Vec::new(),
        },
    ),
    one(
        "max-failures",
        "N",
        "Requests in a row that fail before a member gets none for a while; 0 for no such bound \
         [default: 3]",
        |o, text| number(text, 0, 1000).map(|count| o.group.balance.passive.failures = count),
        |o| vec![o.group.balance.passive.failures.to_string()],
    ),
    one(
        "eject-time",
        "TIME",
        "Time for which such a member gets no requests. It doubles each time [default: 10s]",
        |o, text| interval(text).map(|time| o.group.balance.passive.eject = time),
        |o| shown(Some(o.group.balance.passive.eject)),
    ),
    one(
        "eject-max",
        "TIME",
        "Longest time for which such a member gets no requests [default: 5m]",
        |o, text| interval(text).map(|time| o.group.balance.passive.eject_max = time),
        |o| shown(Some(o.group.balance.passive.eject_max)),
    ),
    many(
        "retry-status",
        "STATUS",
        "Statuses after which an idempotent request is sent to another member, such as 502 and 503 \
         [default: none]",
        |o, text| {
            let status = text.parse().ok().and_then(Status::new);
            let status = status.filter(|status| (400..600).contains(&status.code()));
            let status =
                status.ok_or_else(|| format!("'{text}' is not a status from 400 to 599"))?;
            o.group.retry_statuses.push(status);
            Ok(())
        },
        |o| o.group.retry_statuses.iter().map(|status| status.code().to_string()).collect(),
    ),
    one(
        "attempts",
        "N",
        "Most members that a request is sent to, one after the other [default: 3]",
        |o, text| number(text, 1, 100).map(|count| o.group.attempts = count),
        |o| vec![o.group.attempts.to_string()],
    ),
    one(
        "retry-budget",
        "PERCENT",
        "Most requests that are sent to another member, in percent of all of late, and 10 a second \
         besides; 0 for none [default: 20]",
        |o, text| {
            let percent = number(text, 0, 100)?;
            let usual = RetryBudget::default();
            let least_per_second = if percent == 0 { 0 } else { usual.least_per_second };
            o.group.balance.retry_budget = RetryBudget { percent, least_per_second };
            Ok(())
        },
        |o| vec![o.group.balance.retry_budget.percent.to_string()],
    ),
    one(
        "max-requests",
        "N",
        "Most requests at a time at each address of a member [default: no bound]",
        |o, text| number(text, 1, u32::MAX).map(|most| o.max_requests = Some(most)),
        |o| o.max_requests.iter().map(ToString::to_string).collect(),
    ),
    one(
        "queue",
        "N",
        "Requests that wait for a member while all have their most requests [default: 128]",
        |o, text| number(text, 0, 1_000_000).map(|most| o.group.balance.queue = most as usize),
        |o| vec![o.group.balance.queue.to_string()],
    ),
    one(
        "queue-timeout",
        "TIME",
        "Longest time that a request waits so [default: 10s]",
        |o, text| interval(text).map(|time| o.group.balance.queue_timeout = time),
        |o| shown(Some(o.group.balance.queue_timeout)),
    ),
    one(
        "proxy-protocol",
        "v1|v2|off",
        "Version of the PROXY protocol by which members are told the client's address [default: off]",
        |o, text| {
            o.group.proxy_protocol = match text {
                "v1" => Some(Version::V1),
                "v2" => Some(Version::V2),
                "off" => None,
                _ => return Err(format!("'{text}' is none of v1, v2, off")),
            };
            Ok(())
        },
        |o| {
            vec![
                match o.group.proxy_protocol {
                    Some(Version::V1) => "v1",
                    Some(Version::V2) => "v2",
                    None => "off",
                }
                .to_owned(),
            ]
        },
    ),
];
