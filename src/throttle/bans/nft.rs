//! Bans as commands of nftables, so that the kernel drops the packets of banned networks.

use crate::access::Cidr;

use super::entry::Entry;

/// Pair of nftables sets in a table of family `inet`: `SET4` for IPv4 and `SET6` for IPv6.
///
/// The kernel removes an element by itself when its time is over. Elements of a set may not
/// overlap: adding one inside another, or around another, fails with a message of `nft`; the proxy
/// enforces the ban by itself. The functions return text and run nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftSets {
    table: String,
    set: String,
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

impl NftSets {
    /// Returns the sets whose names begin with `set`, in `table`.
    ///
    /// # Errors
    /// A message if a name is not a letter followed by letters, digits and `_`, 64 at most.
    pub fn new(table: &str, set: &str) -> Result<Self, String> {
        for name in [table, set] {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.len() > 64
            {
                return Err(format!(
                    "'{name}' is not a name for nftables; write a letter, then letters, digits and \
                     '_', 64 at most"
                ));
            }
        }
        Ok(Self { table: table.to_owned(), set: set.to_owned() })
    }

    /// Returns the commands that create the table and both sets, and leave them as they are if they
    /// exist. The operator adds the rules that drop packets, such as `ip saddr @SET4 drop`.
    #[must_use]
    pub fn create(&self) -> String {
        let Self { table, set } = self;
        let flags = "flags interval, timeout;";
        format!(
            "add table inet {table}\n\
             add set inet {table} {set}4 {{ type ipv4_addr; {flags} }}\n\
             add set inet {table} {set}6 {{ type ipv6_addr; {flags} }}\n"
        )
    }

    /// Returns the command that adds a ban for the time that it has left, in whole seconds from 1:
    /// `add element inet TABLE SET4 { 192.0.2.0/24 timeout 600s }`. A time of more than a thousand
    /// days is given in days, rounded up, since `nft` takes numbers of eight digits.
    #[must_use]
    pub fn add(&self, ban: &Entry) -> String {
        let seconds = (ban.left.as_secs() + u64::from(ban.left.subsec_nanos() > 0)).max(1);
        let timeout = if seconds > 1000 * DAY {
            format!("{}d", seconds.div_ceil(DAY))
        } else {
            format!("{seconds}s")
        };
        format!("add {} {{ {} timeout {timeout} }}\n", self.element(&ban.network), ban.network)
    }

    /// Returns the command that deletes a network, which fails if the kernel has removed it:
    /// `delete element inet TABLE SET4 { 192.0.2.0/24 }`.
    #[must_use]
    pub fn delete(&self, network: &Cidr) -> String {
        format!("delete {} {{ {network} }}\n", self.element(network))
    }

    /// Returns commands that make both sets hold the networks of `bans`, in the order of networks, and
    /// nothing else: a file for `nft -f`, which applies all of it or nothing. A network inside another
    /// one is left out, since elements may not overlap.
    #[must_use]
    pub fn script(&self, bans: &[Entry]) -> String {
        let Self { table, set } = self;
        let mut text = self.create();
        for family in [4, 6] {
            text.push_str(&format!("flush set inet {table} {set}{family}\n"));
        }
        let mut last: Option<&Cidr> = None;
        for ban in bans {
            if last.is_some_and(|last| last.covers(&ban.network)) {
                continue;
            }
            last = Some(&ban.network);
            text.push_str(&self.add(ban));
        }
        text
    }

    fn element(&self, network: &Cidr) -> String {
        let family = if network.first().is_ipv4() { 4 } else { 6 };
        format!("element inet {} {}{family}", self.table, self.set)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::throttle::BanAction;

    fn ban(network: &str, left: Duration) -> Entry {
        Entry {
            network: network.parse().unwrap(),
            action: BanAction::Drop,
            since: UNIX_EPOCH,
            until: UNIX_EPOCH + left,
            left,
            offences: 1,
            by_operator: false,
            why: "a rule".into(),
        }
    }

    #[test]
    fn commands_name_the_set_of_the_family() {
        let sets = NftSets::new("proxy", "banned").unwrap();
        let second = Duration::from_secs(1);
        for (network, left, add, delete) in [
            ("192.0.2.0/24", 600 * second, "4 { 192.0.2.0/24 timeout 600s }", "4 { 192.0.2.0/24 }"),
            (
                "192.0.2.2",
                86_400_000 * second,
                "4 { 192.0.2.2 timeout 86400000s }",
                "4 { 192.0.2.2 }",
            ),
            ("192.0.2.3", 86_400_001 * second, "4 { 192.0.2.3 timeout 1001d }", "4 { 192.0.2.3 }"),
            ("192.0.2.1", second / 2, "4 { 192.0.2.1 timeout 1s }", "4 { 192.0.2.1 }"),
            (
                "2001:db8::/64",
                second * 3 / 2,
                "6 { 2001:db8::/64 timeout 2s }",
                "6 { 2001:db8::/64 }",
            ),
            ("2001:db8::1", Duration::ZERO, "6 { 2001:db8::1 timeout 1s }", "6 { 2001:db8::1 }"),
        ] {
            let ban = ban(network, left);
            assert_eq!(sets.add(&ban), format!("add element inet proxy banned{add}\n"));
            assert_eq!(
                sets.delete(&ban.network),
                format!("delete element inet proxy banned{delete}\n")
            );
        }
        assert_eq!(
            sets.create(),
            "add table inet proxy\n\
             add set inet proxy banned4 { type ipv4_addr; flags interval, timeout; }\n\
             add set inet proxy banned6 { type ipv6_addr; flags interval, timeout; }\n"
        );
    }

    #[test]
    fn names_that_nftables_does_not_take_are_rejected() {
        let long = "a".repeat(65);
        for name in ["", "4", "_a", "a b", "a;", "a{", "ä", "a\n", "a-b", &long] {
            let message = format!(
                "'{name}' is not a name for nftables; write a letter, then letters, digits and \
                 '_', 64 at most"
            );
            assert_eq!(NftSets::new(name, "a"), Err(message.clone()));
            assert_eq!(NftSets::new("a", name), Err(message));
        }
        assert!(NftSets::new("Filter_1", &long[1..]).is_ok());
    }

    #[test]
    fn script_leaves_out_networks_inside_others() {
        let sets = NftSets::new("proxy", "banned").unwrap();
        let networks = ["192.0.2.0/24", "192.0.2.7", "198.51.100.1", "2001:db8::/64"];
        let bans = networks.map(|network| ban(network, Duration::from_secs(60)));
        let script = sets.script(&bans);
        let commands = script.strip_prefix(&sets.create()).unwrap();
        assert_eq!(
            commands,
            "flush set inet proxy banned4\n\
             flush set inet proxy banned6\n\
             add element inet proxy banned4 { 192.0.2.0/24 timeout 60s }\n\
             add element inet proxy banned4 { 198.51.100.1 timeout 60s }\n\
             add element inet proxy banned6 { 2001:db8::/64 timeout 60s }\n"
        );
    }
}
