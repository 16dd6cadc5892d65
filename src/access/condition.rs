//! What else a rule asks of a request: who has sent it, to which port, how.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::http::list;

use super::net::Cidr;
use super::ports::Ports;
use super::special::AddressClass;

/// How a URL is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http://`.
    Http,
    /// By CONNECT, which is how clients ask for `https://`.
    Https,
}

impl Scheme {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a request before its destination is looked at.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'a> {
    /// Who has sent it.
    pub client: IpAddr,
    /// The user that was recognized.
    pub user: Option<&'a str>,
    /// The listener that it came to; none if that is not known.
    pub listener: Option<SocketAddr>,
    /// Its method.
    pub method: &'a str,
    /// How its URL is asked for.
    pub scheme: Scheme,
}

/// A kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Client,
    User,
    Listener,
    Port,
    Class,
    Method,
    Scheme,
}

impl Condition {
    const ALL: [(&'static str, Self); 7] = [
        ("client", Self::Client),
        ("user", Self::User),
        ("listener", Self::Listener),
        ("port", Self::Port),
        ("class", Self::Class),
        ("method", Self::Method),
        ("scheme", Self::Scheme),
    ];

    /// The condition that `word` is, and its values.
    pub(super) fn named(word: &str) -> Option<(Self, &str)> {
        let (name, values) = word.split_once('=')?;
        let known = Self::ALL.into_iter().find(|&(known, _)| known == name)?;
        Some((known.1, values))
    }
}

/// A listener, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ListenerName {
    Port(u16),
    Address(SocketAddr),
}

/// The conditions of a rule. All have to hold; one with several values does if one of them does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    clients: Vec<Cidr>,
    users: Vec<String>,
    listeners: Vec<ListenerName>,
    ports: Option<Ports>,
    classes: Vec<AddressClass>,
    methods: Vec<String>,
    schemes: Vec<Scheme>,
}

impl Conditions {
    /// Adds a condition as it is written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn add(&mut self, word: &str) -> Result<(), String> {
        let Some((condition, values)) = Condition::named(word) else { return Err(unknown(word)) };
        let name = word.split('=').next().unwrap_or_default();
        match condition {
            Condition::Client => set(&mut self.clients, name, values, str::parse),
            Condition::User => set(&mut self.users, name, values, user),
            Condition::Listener => set(&mut self.listeners, name, values, listener),
            Condition::Class => set(&mut self.classes, name, values, class),
            Condition::Method => set(&mut self.methods, name, values, method),
            Condition::Scheme => set(&mut self.schemes, name, values, scheme),
            Condition::Port if self.ports.is_some() => Err(twice(name)),
            Condition::Port => values.parse().map(|ports| self.ports = Some(ports)),
        }
    }

    /// Whether those hold that do not depend on an address. Methods hold in any case: `post` is another
    /// one than `POST`, but some origins take it for the same.
    pub(super) fn hold(&self, asker: &RequestContext<'_>, port: u16) -> bool {
        any(&self.clients, |range| range.contains(asker.client))
            && any(&self.users, |user| asker.user == Some(user.as_str()))
            && any(&self.listeners, |name| asker.listener.is_some_and(|at| name.means(at)))
            && self.ports.as_ref().is_none_or(|ports| ports.contains(port))
            && any(&self.methods, |method| asker.method.eq_ignore_ascii_case(method))
            && any(&self.schemes, |scheme| asker.scheme == *scheme)
    }

    /// The classes of addresses that are meant; all, if none is named.
    pub(super) fn classes(&self) -> &[AddressClass] {
        &self.classes
    }

    /// Whether ports are named.
    pub(super) const fn names_ports(&self) -> bool {
        self.ports.is_some()
    }

    /// A listener that is named, and is none of `listeners`, as it was written.
    pub(super) fn unknown_listener(&self, listeners: &[SocketAddr]) -> Option<String> {
        let known = |name: &&ListenerName| listeners.iter().any(|&listener| name.means(listener));
        self.listeners.iter().find(|name| !known(name)).map(ToString::to_string)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        let Self { clients, users, listeners, ports, classes, methods, schemes } = self;
        let ports = ports.as_ref().map_or(0, Ports::len);
        let lists = [clients.len(), users.len(), listeners.len(), classes.len()];
        lists.iter().sum::<usize>() + methods.len() + schemes.len() + ports
    }

    /// Whether users are named.
    pub(super) const fn names_users(&self) -> bool {
        !self.users.is_empty()
    }
}

/// Whether one of `values` is it; if none is named, all are.
fn any<T>(values: &[T], is: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(is)
}

impl ListenerName {
    fn means(self, listener: SocketAddr) -> bool {
        match self {
            Self::Port(port) => listener.port() == port,
            Self::Address(address) => listener == address,
        }
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// What is said of a word that is no condition.
pub(super) fn unknown(word: &str) -> String {
    match word.split_once('=') {
        Some((name, _)) => {
            let known: Vec<&str> = Condition::ALL.iter().map(|&(name, _)| name).collect();
            let (last, others) = known.split_last().unwrap_or((&"", &[]));
            format!("'{name}' is no condition; there are {} and {last}", others.join(", "))
        }
        None => format!("'{word}' is no condition, and a rule has one destination"),
    }
}

fn twice(name: &str) -> String {
    format!("'{name}' stands twice; its values go behind one '=', with commas between them")
}

fn set<T>(
    list: &mut Vec<T>,
    name: &str,
    values: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<(), String> {
    if !list.is_empty() {
        return Err(twice(name));
    }
    *list = values.split(',').map(read).collect::<Result<_, _>>()?;
    Ok(())
}

/// A user's name, in which `%20`, `%2C` and the like stand for what would end it.
fn user(text: &str) -> Result<String, String> {
    let error = || format!("'{text}' is no name of a user; write spaces and commas as %20 and %2C");
    let mut parts = text.split('%');
    let mut name = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        name.push(byte.ok_or_else(error)?);
        name.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(name).ok().filter(|name| !name.is_empty()).ok_or_else(error)
}

fn listener(text: &str) -> Result<ListenerName, String> {
    let port = text.parse().ok().filter(|&port: &u16| port > 0).map(ListenerName::Port);
    let named = port.or_else(|| text.parse().ok().map(ListenerName::Address));
    named.ok_or_else(|| format!("'{text}' is no listener; that is PORT or ADDR:PORT"))
}

fn class(text: &str) -> Result<AddressClass, String> {
    let named = AddressClass::ALL.into_iter().find(|class| class.name() == text);
    named.ok_or_else(|| {
        let names = AddressClass::ALL.map(AddressClass::name).join(", ");
        format!("'{text}' is no class of addresses; there are {names}")
    })
}

fn method(text: &str) -> Result<String, String> {
    let named = list::is_token(text.as_bytes()).then(|| text.to_owned());
    named.ok_or_else(|| format!("'{text}' is no method"))
}

fn scheme(text: &str) -> Result<Scheme, String> {
    let named = [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name() == text);
    named.ok_or_else(|| format!("'{text}' is neither http nor https"))
}

/// Each with a space before it.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<String> = self.users.iter().map(|user| escaped(user)).collect();
        write_list(f, "client", &self.clients)?;
        write_list(f, "user", &users)?;
        write_list(f, "listener", &self.listeners)?;
        if let Some(ports) = &self.ports {
            write!(f, " port={ports}")?;
        }
        write_list(f, "class", &self.classes)?;
        write_list(f, "method", &self.methods)?;
        write_list(f, "scheme", &self.schemes)
    }
}

fn write_list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    values: &[T],
) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        match i {
            0 => write!(f, " {name}={value}")?,
            _ => write!(f, ",{value}")?,
        }
    }
    Ok(())
}

fn escaped(user: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '%');
    let mut out = String::new();
    for c in user.chars() {
        if ends(c) {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

impl FromStr for Conditions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut conditions = Self::default();
        text.split_ascii_whitespace().try_for_each(|word| conditions.add(word))?;
        Ok(conditions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> RequestContext<'static> {
        RequestContext {
            client: IpAddr::from([192, 0, 2, 1]),
            user: Some("J Doe, jr"),
            listener: Some(SocketAddr::from(([127, 0, 0, 1], 3128))),
            method: "GET",
            scheme: Scheme::Http,
        }
    }

    fn holds(text: &str) -> bool {
        let conditions: Conditions = text.parse().unwrap();
        assert_eq!(conditions.to_string(), format!(" {text}"));
        conditions.hold(&asker(), 80)
    }

    #[test]
    fn a_condition_holds_if_one_of_its_values_does() {
        for text in [
            "client=10.0.0.0/8,192.0.2.0/24",
            "user=ann,J%20Doe%2C%20jr",
            "listener=3128",
            "listener=127.0.0.1:3128",
            "port=22,80-90",
            "method=POST,GET",
            "method=get",
            "scheme=http",
            "client=192.0.2.1 port=80 method=GET",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in [
            "client=192.0.2.2",
            "user=J",
            "listener=3129",
            "listener=127.0.0.2:3128",
            "port=443",
            "method=HEAD",
            "scheme=https",
            "client=192.0.2.1 port=81",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn classes_wait_for_an_address() {
        let conditions: Conditions = "class=private,loopback".parse().unwrap();
        assert!(conditions.hold(&asker(), 80));
        assert_eq!(conditions.classes(), [AddressClass::Private, AddressClass::Loopback]);
    }

    #[test]
    fn nobody_known_is_no_user_and_no_listener() {
        let nobody = RequestContext { user: None, listener: None, ..asker() };
        for text in ["user=ann", "listener=3128"] {
            assert!(!text.parse::<Conditions>().unwrap().hold(&nobody, 80), "{text}");
        }
    }

    #[test]
    fn names_of_users_have_escapes_that_are_whole() {
        for text in
            ["user=", "user=a,,b", "user=%", "user=%2", "user=%zz", "user=%ff", "user=%\u{e4}"]
        {
            assert!(text.parse::<Conditions>().is_err(), "{text}");
        }
    }
}
