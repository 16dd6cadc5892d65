//! Names that the machine itself knows: `hosts(5)`, and `localhost`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::work::count;

use super::bounds::MOST_ADDRESSES;

/// Addresses of the names in a hosts file.
#[derive(Clone, Debug, Default)]
pub struct Hosts(HashMap<String, Arc<[IpAddr]>>);

impl Hosts {
    /// Parses lines of the form `ADDRESS NAME…` and ignores all others. A name may have several
    /// lines; its addresses are kept in their order, up to [`MOST_ADDRESSES`] of each family.
    #[must_use]
    pub fn read(text: &str) -> Self {
        count(text.len());
        let mut lists: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            for name in words {
                let list = lists.entry(plain(name)).or_default();
                let family = list.iter().filter(|other| other.is_ipv6() == address.is_ipv6());
                if !list.contains(&address) && family.count() < MOST_ADDRESSES {
                    list.push(address);
                }
            }
        }
        Self(lists.into_iter().map(|(name, list)| (name, list.into())).collect())
    }

    /// Returns the addresses of `name`, which is in lower case and has no trailing dot.
    ///
    /// `localhost` and the names below it always mean this machine (RFC 6761 §6.3): the file can
    /// only choose between loopback addresses.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        let listed = self.0.get(name);
        if !is_localhost(name) {
            return listed.cloned();
        }
        let listed = listed.filter(|list| list.iter().all(IpAddr::is_loopback)).cloned();
        let both = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
        Some(listed.unwrap_or_else(|| both.into()))
    }
}

/// Returns true if `name`, in lower case, never exists in the DNS, so that no server must be
/// queried for it: `invalid` (RFC 6761 §6.4), `onion` (RFC 7686 §2) and the names below them.
#[must_use]
pub fn is_nowhere(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    is_within(name, "invalid") || is_within(name, "onion")
}

fn is_localhost(name: &str) -> bool {
    is_within(name, "localhost")
}

fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(hosts: &Hosts, name: &str) -> Vec<String> {
        hosts.get(name).map_or(Vec::new(), |list| list.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn hosts_file_is_parsed_line_by_line() {
        let hosts = Hosts::read(
            "# comment\n192.0.2.1\tA.test b # c\n\n2001:db8::1 a.test.\n192.0.2.1 a.test\n\
             nonsense d\n192.0.2.9\nfe80::1%eth0 e\n",
        );
        assert_eq!(found(&hosts, "a.test"), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(found(&hosts, "b"), ["192.0.2.1"]);
        for name in ["c", "d", "e", "test"] {
            assert_eq!(hosts.get(name), None, "{name}");
        }
    }

    #[test]
    fn each_address_family_has_its_own_bound() {
        let lines = |prefix: &str| (0..40).map(|n| format!("{prefix}{n} a.test\n")).collect();
        let [four, six]: [String; 2] = [lines("192.0.2."), lines("2001:db8::")];
        for text in [format!("{four}{six}"), format!("{six}{four}")] {
            let list = Hosts::read(&text).get("a.test").unwrap();
            let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = list.iter().partition(|a| a.is_ipv6());
            assert_eq!((six.len(), four.len()), (MOST_ADDRESSES, MOST_ADDRESSES));
            assert_eq!(
                four[MOST_ADDRESSES - 1].to_string(),
                "192.0.2.31",
                "the first addresses are kept"
            );
        }
    }

    #[test]
    fn special_use_names_never_exist() {
        for name in ["invalid", "a.invalid", "a.invalid.", "x.onion"] {
            assert!(is_nowhere(name), "{name}");
        }
        for name in ["notinvalid", "invalid.test", "onion.example", "localhost"] {
            assert!(!is_nowhere(name), "{name}");
        }
    }

    #[test]
    fn localhost_always_means_this_machine() {
        let hosts = Hosts::read("192.0.2.1 localhost\n127.0.0.2 app.localhost");
        assert_eq!(found(&hosts, "localhost"), ["::1", "127.0.0.1"]);
        assert_eq!(found(&hosts, "app.localhost"), ["127.0.0.2"]);
        assert_eq!(found(&hosts, "x.y.localhost"), ["::1", "127.0.0.1"]);
        assert_eq!(hosts.get("notlocalhost"), None);
        assert_eq!(hosts.get("localhost.test"), None);
        let hosts = Hosts::read("127.0.0.1 localhost");
        assert_eq!(found(&hosts, "localhost"), ["127.0.0.1"]);
    }
}
