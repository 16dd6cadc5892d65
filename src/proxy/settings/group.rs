//! Groups of origins, among which requests are balanced.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::balance::{GroupSettings, MemberSettings, Policy};
use crate::http::{RequestHead, Status, cookie, list};
use crate::proxy_protocol;

use super::origin::OriginUrl;
use super::sites::host_policy::HostPolicy;

/// A group of origins that serve the same resources.
#[derive(Clone, Debug, PartialEq)]
pub struct OriginGroup {
    /// The name.
    pub name: Arc<str>,
    /// Text that tells the resources of the group apart from those of others: the name that the operator
    /// has given it, or the URLs of its members.
    pub identity: Arc<str>,
    /// The URLs of the members, in the order of `balance.members`.
    pub members: Vec<OriginUrl>,
    /// Rules for the choice of a member, and for taking one out of use.
    pub balance: GroupSettings,
    /// The `Host` that members get, unless a route says otherwise.
    pub host: HostPolicy,
    /// The part of a request that consistent hashing is by.
    pub hash: HashSource,
    /// The cookie by which a client stays at one member, if it does.
    pub sticky: Option<Box<str>>,
    /// Statuses after which an idempotent request is sent to another member.
    pub retry_statuses: Vec<Status>,
    /// Most attempts at one request.
    pub attempts: u32,
    /// Active checks of members; `None` without checks.
    pub check: Check,
    /// Version of the PROXY header that begins each connection to a member, if one does. Connections are
    /// not reused then.
    pub proxy_protocol: Option<proxy_protocol::Version>,
}

/// The part of a request that consistent hashing is by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashSource {
    /// The target URI.
    #[default]
    Url,
    /// The client's address.
    Client,
    /// A field.
    Field(Box<str>),
    /// A cookie.
    Cookie(Box<str>),
}

/// A check of a member's health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// A connection, with a TLS handshake if the member speaks TLS.
    #[default]
    Connect,
    /// A GET request.
    Http(HttpCheck),
}

/// A request that checks a member's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// The path, with a query if there is one.
    pub target: Box<str>,
    /// The `Host`; that of the member's URL by default.
    pub host: Option<Box<str>>,
    /// The least and the greatest status of a healthy member.
    pub statuses: (u16, u16),
}

impl OriginGroup {
    /// Most attempts at one request by default.
    pub const ATTEMPTS: u32 = 3;

    /// Most requests that wait for a place by default.
    pub const QUEUE: usize = 128;

    /// Returns a group of `members` with equal weights. Its name is made of their URLs.
    #[must_use]
    pub fn of(members: Vec<OriginUrl>) -> Self {
        let texts: Vec<&str> = members.iter().map(|member| &**member.text()).collect();
        let settings = |member: &OriginUrl| MemberSettings::new(Arc::clone(member.text()));
        let name: Arc<str> = texts.join(" ").into();
        Self {
            identity: Arc::clone(&name),
            name,
            balance: GroupSettings {
                members: members.iter().map(settings).collect(),
                queue: Self::QUEUE,
                ..GroupSettings::default()
            },
            members,
            host: HostPolicy::default(),
            hash: HashSource::default(),
            sticky: None,
            retry_statuses: Vec::new(),
            attempts: Self::ATTEMPTS,
            check: Check::default(),
            proxy_protocol: None,
        }
    }

    /// Returns the number of the member at which the client of a request stays, by its cookie.
    pub(crate) fn sticky_number(&self, request: &RequestHead) -> Option<u64> {
        let value = std::str::from_utf8(cookie(self.sticky.as_deref()?, request)?).ok()?;
        u64::from_str_radix(value, 16).ok()
    }

    /// Returns the path in the URLs of the members, which is the same in all; `None` if they have none.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.members.first()?.path.as_deref()
    }

    /// Returns the authority of the first member's URL, for requests that name no host.
    pub(crate) fn authority(&self) -> &str {
        self.members.first().map_or("localhost", |member| &member.authority)
    }

    /// Checks that members can serve the same requests.
    ///
    /// # Errors
    /// Returns the reason if the group has no members, one of them twice, or different paths.
    pub fn check_members(&self) -> Result<(), String> {
        let Some(first) = self.members.first() else {
            return Err(format!("the origin '{}' has no members", self.name));
        };
        for (at, member) in self.members.iter().enumerate() {
            let same =
                |other: &&OriginUrl| (other.scheme, &other.place) == (member.scheme, &member.place);
            if let Some(other) = self.members[..at].iter().find(same) {
                return Err(format!("'{member}' and '{other}' are the same member"));
            }
            if member.path != first.path {
                return Err(format!(
                    "'{first}' and '{member}' have different paths; members serve the same paths"
                ));
            }
        }
        Ok(())
    }

    /// Returns true if the choice of a member depends on the request.
    #[must_use]
    pub fn hashes(&self) -> bool {
        self.balance.policy == Policy::Hash
    }
}

impl HttpCheck {
    /// Returns a check that asks for `target` and expects a status of 2xx or 3xx.
    #[must_use]
    pub fn of(target: &str) -> Self {
        Self { target: target.into(), host: None, statuses: (200, 399) }
    }
}

impl FromStr for HashSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str| list::is_token(name.as_bytes()).then(|| name.into());
        let read = match text.split_once(':') {
            None if text == "url" => Some(Self::Url),
            None if text == "client" => Some(Self::Client),
            Some(("header", name)) => named(name).map(Self::Field),
            Some(("cookie", name)) => named(name).map(Self::Cookie),
            _ => None,
        };
        read.ok_or_else(|| format!("'{text}' is none of url, client, header:NAME, cookie:NAME"))
    }
}

impl fmt::Display for HashSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("url"),
            Self::Client => f.write_str("client"),
            Self::Field(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}
