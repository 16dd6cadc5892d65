//! Findings and decisions about a request, as typed events. The log, explanations and tests are fed
//! from them.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{AddressClass, Denial, DestinationRule, Host, RuleRef};
use crate::cache::{LifetimeSource, NotStored, Object};
use crate::geo::Located;
use crate::http::{ContentCoding, Status};
use crate::proxy::error::ExchangeError;
use crate::throttle::BanAction;
use crate::time::write_duration;

use super::log_text::push_quoted;

/// A finding or decision made while a request is handled.
#[derive(Clone, Debug)]
pub(crate) enum TraceEvent {
    /// The request to explain: method, target and client.
    Asked(String, String, IpAddr),
    /// A ban on the client or its peer, and the time that is left of it.
    Banned(IpAddr, BanAction, Duration),
    /// The client, and the result of looking up its place.
    Located(IpAddr, Located),
    /// The user was authenticated.
    Recognized(Arc<str>),
    /// The host, as written and as parsed.
    Read(String, Host),
    /// A rule that depends on the addresses.
    Undecided(RuleRef),
    /// The rule that allows the request by its name; `None` for the default.
    Decided(Option<RuleRef>),
    /// The report rule that would have denied the request.
    Reported(RuleRef),
    /// The normalized target URI.
    Routed(Arc<str>),
    /// The hosts of the site; none for the site of all other hosts.
    Site(Vec<String>),
    /// The route of the site, by its path and conditions, and where it leads.
    Chosen(String, LeadsTo),
    /// The group of origins, and its members with their states.
    Grouped(Arc<str>, Vec<String>),
    /// The addresses to which the host name resolves.
    Answered(Vec<IpAddr>),
    /// An address, its class, and the permit or denial.
    Checked(IpAddr, AddressClass, Result<Permit, Denial>),
    /// The request is allowed, to these addresses.
    Allowed(Vec<SocketAddr>),
    /// The request was denied or failed.
    Failed(ExchangeError),
    /// The connection is closed without a response.
    Dropped(ExchangeError),
    /// The cache key.
    Keyed(Arc<str>),
    /// A response stored under the key.
    Stored(Stored),
    /// The last response was not stored for this reason, and the time since then.
    NotStored(NotStored, Duration),
    /// Action of the cache.
    Looked(Cow<'static, str>),
    /// The coding in which the stored response would be sent, and true if it has that form already; or the
    /// reason for none.
    Compressed(Result<(ContentCoding, bool), &'static str>),
}

/// The end to which a route of a site leads.
#[derive(Clone, Debug)]
pub(crate) enum LeadsTo {
    /// A group of origins, which gets this target. The route may give responses a lifetime.
    Group { group: Arc<str>, target: Box<str>, lifetime: Option<Duration> },
    /// A redirection to this URL.
    Redirect(Status, String),
    /// A fixed response.
    Answer(Status),
    /// The files of this folder.
    Folder(String),
    /// The application of this name.
    Application(Arc<str>),
}

/// The rules and options that allow an address, beside the default.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    /// The rule that matches the address.
    pub(crate) rule: Option<RuleRef>,
    /// True if the rule would deny the address but only reports.
    pub(crate) reported: bool,
    /// The option that allows a special address.
    pub(crate) exception: Option<DestinationRule>,
}

/// A stored response at some moment.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    status: u16,
    /// Bytes of content stored, of `length`.
    here: u64,
    length: u64,
    /// The request fields named by `Vary`.
    selected_by: String,
    /// True if this request selects the response.
    selected: bool,
    age: Duration,
    lifetime: Duration,
    said_by: LifetimeSource,
    /// Seconds until the response becomes stale; negative if it is.
    ttl: i64,
}

impl Stored {
    /// Describes an object, which the request has `selected` or not.
    pub(crate) fn of(object: &Object, selected: bool, now: Instant) -> Self {
        let freshness = object.freshness();
        let (lifetime, said_by) = freshness.lifetime();
        let names: Vec<_> = object.selection.names().map(String::from_utf8_lossy).collect();
        Self {
            status: object.status.code(),
            here: object.content.stored_bytes(),
            length: object.length(),
            selected_by: names.join(", "),
            selected,
            age: freshness.age(now),
            lifetime,
            said_by,
            ttl: freshness.time_to_live(now),
        }
    }

    fn freshness(&self) -> String {
        let (lifetime, age, by) = (self.lifetime.as_secs(), self.age.as_secs(), self.said_by);
        let by = match by {
            LifetimeSource::LastModified => "a tenth of the time since last-modified".into(),
            LifetimeSource::Rule => "a rule (--freshness)".into(),
            LifetimeSource::Route => {
                format!("cache = {} of the route", write_duration(self.lifetime)).into()
            }
            LifetimeSource::Purge => "purged".into(),
            LifetimeSource::Nothing => "no lifetime given".into(),
            by => Cow::from(by.name()),
        };
        let state = if self.ttl > 0 { "fresh" } else { "stale" };
        format!("lifetime {lifetime} s ({by}) - age {age} s = {} s: {state}", self.ttl)
    }
}

/// A line for people: the subject in a column, then the finding.
impl Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} ", self.name())?;
        match self {
            Self::Asked(method, target, client) => write!(f, "{method} {target}, from {client}"),
            Self::Banned(address, action, left) => {
                write!(f, "{address} is banned ({action}) for another {} s", left.as_secs())
            }
            Self::Located(client, located) if located.is_corrupt() => {
                write!(f, "{client} is in {}; a record of a database is corrupt", located.place())
            }
            Self::Located(client, located) => write!(f, "{client} is in {}", located.place()),
            Self::Recognized(user) => f.write_str(user),
            Self::Read(text, Host::Address(address)) => {
                write!(f, "{text} is the address {address}, {}", AddressClass::of(*address))
            }
            Self::Read(text, Host::Name(name)) => write!(f, "{text} is the name {name}"),
            Self::Undecided(rule) => write!(f, "{rule} depends on the addresses"),
            Self::Decided(Some(rule)) => write!(f, "{rule} matches"),
            Self::Decided(None) => f.write_str("none matches; the default is to allow"),
            Self::Reported(rule) => write!(f, "{rule} would deny the request, but only reports"),
            Self::Routed(uri) => f.write_str(uri),
            Self::Site(hosts) if hosts.is_empty() => f.write_str("all others"),
            Self::Site(hosts) => f.write_str(&hosts.join(", ")),
            Self::Chosen(route, to) => write!(f, "{route} {to}"),
            Self::Grouped(name, members) => write!(f, "{name}: {}", members.join("; ")),
            Self::Answered(addresses) => write!(f, "{}", joined(addresses)),
            Self::Checked(address, class, Err(denial)) => {
                write!(f, "{address} is {class}: denied; {denial}")
            }
            Self::Checked(address, class, Ok(Permit { rule, reported, exception })) => {
                write!(f, "{address} is {class}: allowed")?;
                let by = if *reported { ", despite" } else { " by" };
                rule.iter().try_for_each(|rule| write!(f, "{by} {rule}"))?;
                exception.iter().try_for_each(|by| write!(f, " (--allow-destination {by})"))
            }
            Self::Allowed(to) if to.is_empty() => f.write_str("allowed"),
            Self::Allowed(to) => write!(f, "allowed, to {}", joined(to)),
            Self::Failed(error) => {
                let (verdict, reason) = (error.error_status(), error.reason());
                let word = if error.is_denial() { "denied" } else { "refused" };
                write!(f, "{word} with {} ({reason}): {}", verdict.status, error)
            }
            Self::Dropped(error) => {
                write!(f, "dropped without a response ({}): {error}", error.reason())
            }
            Self::Keyed(key) => f.write_str(key),
            Self::Stored(stored) => {
                let Stored { status, here, length, selected_by, .. } = stored;
                write!(f, "{status}, {here} of {length} bytes")?;
                if !selected_by.is_empty() {
                    let not = if stored.selected { "" } else { "not " };
                    write!(f, ", {not}selected by this {selected_by}")?;
                }
                write!(f, "; {}", stored.freshness())
            }
            Self::NotStored(reason, ago) => {
                let (reason, ago) = (reason.name(), ago.as_secs());
                write!(f, "the last response was not stored: {reason} ({ago} s ago)")
            }
            Self::Looked(what) => f.write_str(what),
            Self::Compressed(Ok((coding, true))) => write!(f, "{coding}, compressed before"),
            Self::Compressed(Ok((coding, false))) => write!(f, "{coding}, to be compressed"),
            Self::Compressed(Err(reason)) => write!(f, "none: {reason}"),
        }
    }
}

impl Display for LeadsTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { group, target, lifetime } => {
                write!(f, "leads to the group '{group}', which gets {target}")?;
                lifetime
                    .iter()
                    .try_for_each(|time| write!(f, "; cache = {}", write_duration(*time)))
            }
            Self::Redirect(status, location) => write!(f, "redirects with {status} to {location}"),
            Self::Answer(status) => write!(f, "answers with {status}"),
            Self::Folder(path) => write!(f, "serves the files of {path}"),
            Self::Application(name) => write!(f, "leads to the application '{name}'"),
        }
    }
}

impl TraceEvent {
    /// Returns the subject.
    const fn name(&self) -> &'static str {
        match self {
            Self::Asked(..) => "request",
            Self::Banned(..) => "ban",
            Self::Located(..) => "place",
            Self::Recognized(_) => "user",
            Self::Read(..) => "host",
            Self::Undecided(_) | Self::Decided(_) | Self::Reported(_) => "rule",
            Self::Routed(_) => "target",
            Self::Site(_) => "site",
            Self::Chosen(..) => "route",
            Self::Grouped(..) => "origin",
            Self::Answered(_) => "answer",
            Self::Checked(..) => "address",
            Self::Allowed(_) | Self::Failed(_) | Self::Dropped(_) => "verdict",
            Self::Keyed(_) => "key",
            Self::Stored(_) => "stored",
            Self::NotStored(..) => "not-stored",
            Self::Looked(_) => "cache",
            Self::Compressed(_) => "coding",
        }
    }

    /// Adds the event as a JSON object.
    pub(crate) fn json(&self, out: &mut String) {
        let mut object = JsonFields::begin(out, "event", self.name());
        match self {
            Self::Asked(method, target, client) => {
                object.text("method", method).text("url", target).display("client", client)
            }
            Self::Banned(address, action, left) => object
                .display("address", address)
                .display("action", action)
                .number("left", left.as_secs()),
            Self::Located(client, located) => {
                let place = located.place();
                let object = object.display("address", client);
                if let Some(country) = place.country {
                    object.text("country", country.as_str());
                }
                if let Some(asn) = place.asn {
                    object.number("asn", asn.into());
                }
                object.bare("corrupt", located.is_corrupt())
            }
            Self::Recognized(user) => object.text("user", user),
            Self::Read(text, Host::Address(address)) => {
                let class = AddressClass::of(*address);
                object.text("written", text).display("address", address).display("class", class)
            }
            Self::Read(text, Host::Name(name)) => object.text("written", text).text("name", name),
            Self::Undecided(rule) => object.rule(rule).text("fits", "depends"),
            Self::Decided(Some(rule)) => object.rule(rule).text("fits", "yes"),
            Self::Decided(None) => object.text("fits", "none"),
            Self::Reported(rule) => object.rule(rule).text("fits", "reported"),
            Self::Routed(uri) => object.text("uri", uri),
            Self::Site(hosts) => object.list("hosts", hosts),
            Self::Chosen(route, to) => to.json(object.text("route", route)),
            Self::Grouped(name, members) => object.text("group", name).list("members", members),
            Self::Answered(addresses) => object.list("addresses", addresses),
            Self::Checked(address, class, checked) => {
                let object = object.display("address", address).display("class", class);
                match checked {
                    Ok(Permit { rule, reported, exception }) => {
                        let word = if *reported { "reported" } else { "allowed" };
                        let object = object.text("judged", word);
                        if let Some(rule) = rule {
                            object.rule(rule);
                        }
                        if let Some(exception) = exception {
                            object.display("exception", exception);
                        }
                        object
                    }
                    Err(denial) => object.text("judged", "denied").text("reason", &denial.rule()),
                }
            }
            Self::Allowed(to) => object.text("verdict", "allowed").list("to", to),
            Self::Failed(error) => {
                let word = if error.is_denial() { "denied" } else { "refused" };
                object
                    .text("verdict", word)
                    .number("status", error.error_status().status.code().into())
                    .text("reason", &error.reason())
                    .text("text", &error.to_string())
            }
            Self::Dropped(error) => object
                .text("verdict", "dropped")
                .text("reason", &error.reason())
                .text("text", &error.to_string()),
            Self::Keyed(key) => object.text("key", key),
            Self::Stored(stored) => stored.json(&mut object),
            Self::NotStored(reason, ago) => {
                object.text("reason", reason.name()).number("ago", ago.as_secs())
            }
            Self::Looked(what) => object.text("would", what),
            Self::Compressed(Ok((coding, is_stored))) => {
                object.text("coding", coding.name()).bare("stored", is_stored)
            }
            Self::Compressed(Err(reason)) => object.text("reason", reason),
        };
        out.push('}');
    }
}

impl LeadsTo {
    fn json<'a, 'b>(&self, object: &'a mut JsonFields<'b>) -> &'a mut JsonFields<'b> {
        match self {
            Self::Group { group, target, lifetime } => {
                let object = object.text("group", group).text("target", target);
                match lifetime {
                    Some(lifetime) => object.number("lifetime", lifetime.as_secs()),
                    None => object,
                }
            }
            Self::Redirect(status, location) => {
                object.number("status", status.code().into()).text("location", location)
            }
            Self::Answer(status) => object.number("status", status.code().into()),
            Self::Folder(path) => object.text("folder", path),
            Self::Application(name) => object.text("application", name),
        }
    }
}

impl Stored {
    fn json<'a, 'b>(&self, object: &'a mut JsonFields<'b>) -> &'a mut JsonFields<'b> {
        object
            .number("status", self.status.into())
            .number("here", self.here)
            .number("length", self.length)
            .text("vary", &self.selected_by)
            .bare("selected", self.selected)
            .number("age", self.age.as_secs())
            .number("lifetime", self.lifetime.as_secs())
            .text("said_by", self.said_by.name())
            .bare("ttl", self.ttl)
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// A JSON object being written, after its first field.
struct JsonFields<'a>(&'a mut String);

impl<'a> JsonFields<'a> {
    fn begin(out: &'a mut String, name: &str, value: &str) -> Self {
        out.push('{');
        push_quoted(out, name);
        out.push(':');
        push_quoted(out, value);
        Self(out)
    }

    fn name(&mut self, name: &str) {
        self.0.push(',');
        push_quoted(self.0, name);
        self.0.push(':');
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name);
        push_quoted(self.0, value);
        self
    }

    fn display(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.text(name, &value.to_string())
    }

    fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.bare(name, value)
    }

    /// Adds a value without quotes: a number, `true` or `false`.
    fn bare(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.name(name);
        let _ = write!(self.0, "{value}"); // writing to a String does not fail
        self
    }

    fn list<T: ToString>(&mut self, name: &str, items: &[T]) -> &mut Self {
        self.name(name);
        self.0.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            push_quoted(self.0, &item.to_string());
        }
        self.0.push(']');
        self
    }

    fn rule(&mut self, rule: &RuleRef) -> &mut Self {
        self.text("rule", &rule.text).text("place", &rule.reason())
    }
}
