//! Conditions of a rule: client and its place, user, certificate, listener, port, address class, method,
//! scheme.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::geo::{CorruptRecord, Country, GeoKinds, Located};
use crate::http::Scheme;

use super::condition_value::{
    ListenerName, class, escaped, listener, method, network, scheme, user,
};
use super::net::Cidr;
use super::ports::Ports;
use super::special::AddressClass;

/// Properties of a request that are known before its destination is checked.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'a> {
    /// Address of the client.
    pub client: IpAddr,
    /// Country and autonomous system of the client, as far as databases know them.
    pub located: Located,
    /// Name of the authenticated user.
    pub user: Option<&'a str>,
    /// Names in the client's verified certificate: those of its subject alternative name, and the
    /// common name. `None` without such a certificate.
    pub certificate: Option<&'a [String]>,
    /// Listener that accepted the connection; `None` if unknown.
    pub listener: Option<SocketAddr>,
    /// Method of the request.
    pub method: &'a str,
    /// Scheme of the requested URL.
    pub scheme: Scheme,
}

/// A kind of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Client,
    Country,
    Network,
    User,
    Certificate,
    Listener,
    Port,
    Class,
    Method,
    Scheme,
}

impl Condition {
    const ALL: [(&'static str, Self); 10] = [
        ("client", Self::Client),
        ("country", Self::Country),
        ("asn", Self::Network),
        ("user", Self::User),
        ("cert", Self::Certificate),
        ("listener", Self::Listener),
        ("port", Self::Port),
        ("class", Self::Class),
        ("method", Self::Method),
        ("scheme", Self::Scheme),
    ];

    /// Returns the condition that `word` names, and the text of its values.
    pub(super) fn named(word: &str) -> Option<(Self, &str)> {
        let (name, values) = word.split_once('=')?;
        let known = Self::ALL.into_iter().find(|&(known, _)| known == name)?;
        Some((known.1, values))
    }
}

/// Conditions of a rule. All have to hold; a condition with several values holds if one value
/// matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conditions {
    clients: Vec<Cidr>,
    countries: Vec<Country>,
    /// Numbers of autonomous systems of clients.
    networks: Vec<u32>,
    users: Vec<String>,
    /// Names in certificates of clients; `*` stands for any.
    certificates: Vec<String>,
    listeners: Vec<ListenerName>,
    ports: Option<Ports>,
    classes: Vec<AddressClass>,
    methods: Vec<String>,
    schemes: Vec<Scheme>,
}

impl Conditions {
    /// Adds a condition, written `NAME=VALUE,…`.
    ///
    /// # Errors
    /// A message if the name is unknown or given twice, or if a value is invalid.
    pub(super) fn add(&mut self, word: &str) -> Result<(), String> {
        let Some((condition, values)) = Condition::named(word) else { return Err(unknown(word)) };
        let name = word.split('=').next().unwrap_or_default();
        match condition {
            Condition::Client => set(&mut self.clients, name, values, str::parse),
            Condition::Country => set(&mut self.countries, name, values, str::parse),
            Condition::Network => set(&mut self.networks, name, values, network),
            Condition::User => set(&mut self.users, name, values, user),
            Condition::Certificate => set(&mut self.certificates, name, values, user),
            Condition::Listener => set(&mut self.listeners, name, values, listener),
            Condition::Class => set(&mut self.classes, name, values, class),
            Condition::Method => set(&mut self.methods, name, values, method),
            Condition::Scheme => set(&mut self.schemes, name, values, scheme),
            Condition::Port if self.ports.is_some() => Err(twice(name)),
            Condition::Port => values.parse().map(|ports| self.ports = Some(ports)),
        }
    }

    /// Returns true if all conditions hold that do not depend on an address. Methods are compared
    /// without regard to case: `post` is a different method than `POST`, but some origins treat
    /// them alike. A place that cannot be read is each place for a rule that `denies`, and no place for
    /// one that allows.
    pub(super) fn hold(&self, context: &RequestContext<'_>, port: u16, denies: bool) -> bool {
        any(&self.clients, |range| range.contains(context.client))
            && among(&self.countries, context.located.country, denies)
            && among(&self.networks, context.located.asn, denies)
            && any(&self.users, |user| context.user == Some(user.as_str()))
            && any(&self.certificates, |name| has_name(context.certificate, name))
            && any(&self.listeners, |name| context.listener.is_some_and(|at| name.means(at)))
            && self.ports.as_ref().is_none_or(|ports| ports.contains(port))
            && any(&self.methods, |method| context.method.eq_ignore_ascii_case(method))
            && any(&self.schemes, |scheme| context.scheme == *scheme)
    }

    /// Returns the address classes that the rule is limited to; an empty list means all.
    pub(super) fn classes(&self) -> &[AddressClass] {
        &self.classes
    }

    /// Returns true if the rule names ports.
    pub(super) const fn names_ports(&self) -> bool {
        self.ports.is_some()
    }

    /// Returns a listener that the rule names and that is not among `listeners`, as it was written.
    pub(super) fn unknown_listener(&self, listeners: &[SocketAddr]) -> Option<String> {
        let known = |name: &&ListenerName| listeners.iter().any(|&listener| name.means(listener));
        self.listeners.iter().find(|name| !known(name)).map(ToString::to_string)
    }

    /// Returns the number of values of all conditions.
    pub(super) fn len(&self) -> usize {
        let Self { clients, countries, networks, users, certificates, listeners, .. } = self;
        let Self { ports, classes, methods, schemes, .. } = self;
        let of_clients = clients.len() + countries.len() + networks.len();
        let lists = [users.len(), certificates.len(), listeners.len(), classes.len()];
        let ports = ports.as_ref().map_or(0, Ports::len);
        lists.iter().sum::<usize>() + of_clients + methods.len() + schemes.len() + ports
    }

    /// Returns true if the rule names users.
    pub(super) const fn names_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Returns the kinds of places that the rule names.
    pub(super) const fn geo_kinds(&self) -> GeoKinds {
        GeoKinds { countries: !self.countries.is_empty(), networks: !self.networks.is_empty() }
    }
}

/// Returns true if a certificate is valid for a name of a rule.
fn has_name(certificate: Option<&[String]>, wanted: &str) -> bool {
    certificate.is_some_and(|names| {
        wanted == "*" || names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
    })
}

/// Returns true if one of `values` matches, or if there are none: a condition that is not given
/// holds.
fn any<T>(values: &[T], is: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(is)
}

/// Returns true if the value that was looked up is one of `values`, or if there are none. The result of a
/// look-up that has failed is `denies`.
fn among<T: PartialEq>(
    values: &[T],
    found: Result<Option<T>, CorruptRecord>,
    denies: bool,
) -> bool {
    values.is_empty() || found.map_or(denies, |found| found.is_some_and(|it| values.contains(&it)))
}

/// Returns the message for a word which names no condition.
pub(super) fn unknown(word: &str) -> String {
    match word.split_once('=') {
        Some((name, _)) => {
            let known: Vec<&str> = Condition::ALL.iter().map(|&(name, _)| name).collect();
            let (last, others) = known.split_last().unwrap_or((&"", &[]));
            format!("'{name}' is not a condition; conditions are {} and {last}", others.join(", "))
        }
        None => format!("'{word}' is not a condition, and a rule takes one destination only"),
    }
}

fn twice(name: &str) -> String {
    format!("'{name}' is given twice; list all its values after one '=', separated by commas")
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

/// Writes each condition with a space before it.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |list: &[String]| list.iter().map(|name| escaped(name)).collect::<Vec<_>>();
        write_list(f, "client", &self.clients)?;
        write_list(f, "country", &self.countries)?;
        write_list(f, "asn", &self.networks)?;
        write_list(f, "user", &names(&self.users))?;
        write_list(f, "cert", &names(&self.certificates))?;
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

    fn context() -> RequestContext<'static> {
        RequestContext {
            client: IpAddr::from([192, 0, 2, 1]),
            located: Located { country: Ok(Country::of("DE")), asn: Ok(Some(64496)) },
            user: Some("J Doe, jr"),
            certificate: None,
            listener: Some(SocketAddr::from(([127, 0, 0, 1], 3128))),
            method: "GET",
            scheme: Scheme::Http,
        }
    }

    fn holds(text: &str) -> bool {
        let conditions: Conditions = text.parse().unwrap();
        assert_eq!(conditions.to_string(), format!(" {text}"));
        conditions.hold(&context(), 80, false)
    }

    #[test]
    fn condition_holds_if_one_value_matches() {
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
            "country=AT,DE",
            "client=192.0.2.1 country=DE asn=64511,64496",
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
            "country=AT",
            "country=DE asn=64511",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn certificate_holds_by_any_of_its_names() {
        let names = ["build.test".to_owned(), "J Doe".to_owned()];
        for (text, with, without) in [
            ("cert=*", true, false),
            ("cert=build.test", true, false),
            ("cert=other.test,J%20Doe", true, false),
            ("cert=other.test", false, false),
            ("method=GET", true, true),
        ] {
            let conditions: Conditions = text.parse().unwrap();
            let certified = RequestContext { certificate: Some(&names), ..context() };
            assert_eq!(conditions.hold(&certified, 80, false), with, "{text}");
            assert_eq!(conditions.hold(&context(), 80, false), without, "{text}");
        }
    }

    #[test]
    fn address_classes_are_checked_later() {
        let conditions: Conditions = "class=private,loopback".parse().unwrap();
        assert!(conditions.hold(&context(), 80, false));
        assert_eq!(conditions.classes(), [AddressClass::Private, AddressClass::Loopback]);
    }

    #[test]
    fn unknown_user_or_listener_matches_no_condition() {
        let unknown = RequestContext { user: None, listener: None, ..context() };
        for text in ["user=ann", "listener=3128"] {
            assert!(!text.parse::<Conditions>().unwrap().hold(&unknown, 80, false), "{text}");
        }
    }

    #[test]
    fn unknown_place_matches_no_condition_and_corrupt_record_matches_rules_that_deny() {
        let unknown = RequestContext { located: Located::default(), ..context() };
        let corrupt = Located { country: Err(CorruptRecord), asn: Err(CorruptRecord) };
        let corrupt = RequestContext { located: corrupt, ..context() };
        for text in ["country=DE", "asn=64496", "country=AT asn=64511"] {
            let conditions: Conditions = text.parse().unwrap();
            for denies in [false, true] {
                assert!(!conditions.hold(&unknown, 80, denies), "{text}");
                assert_eq!(conditions.hold(&corrupt, 80, denies), denies, "{text}");
            }
        }
        assert!(!"country=DE port=81".parse::<Conditions>().unwrap().hold(&corrupt, 80, true));
    }

    #[test]
    fn countries_and_networks_are_read_in_either_form() {
        for (text, shown) in [("country=de,At", " country=DE,AT"), ("asn=AS1,as2,3", " asn=1,2,3")]
        {
            assert_eq!(text.parse::<Conditions>().unwrap().to_string(), shown);
        }
        for (text, said) in [
            ("country=DEU", "'DEU' is not the code of a country; write two letters, such as DE"),
            ("country=D1", "'D1' is not the code"),
            ("country=", "'' is not the code"),
            ("country=DE,", "'' is not the code"),
            ("asn=0", "'0' is not the number of an autonomous system; write 64496 or AS64496"),
            ("asn=AS", "'AS' is not the number"),
            ("asn=+1", "'+1' is not the number"),
            ("asn=4294967296", "'4294967296' is not the number"),
            ("country=DE country=AT", "'country' is given twice"),
        ] {
            let error = text.parse::<Conditions>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn user_names_with_bad_escapes_are_rejected() {
        for text in
            ["user=", "user=a,,b", "user=%", "user=%2", "user=%zz", "user=%ff", "user=%\u{e4}"]
        {
            assert!(text.parse::<Conditions>().is_err(), "{text}");
        }
    }
}
