//! Configuration of the resolver, from `resolv.conf(5)`: servers, search domains and options.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::work::count;

use super::name::Name;

/// Port of name servers.
pub const PORT: u16 = 53;
/// Most servers used, as in the system's resolver.
const MOST_SERVERS: usize = 3;
/// Most search domains used. Each takes a question of its own.
const MOST_DOMAINS: usize = 6;

/// Content of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Servers, in the order in which they are queried.
    pub servers: Vec<SocketAddr>,
    /// Domains in which names are searched.
    pub search: Vec<Name>,
    /// Number of dots from which on a name is queried as it is before it is searched.
    pub ndots: usize,
    /// Time for the answer of one server, if the file sets it.
    pub timeout: Option<Duration>,
    /// Number of rounds over all servers, if the file sets it.
    pub attempts: Option<usize>,
    /// True if each look-up begins with another server.
    pub rotate: bool,
    /// True if queries are sent over TCP.
    pub use_tcp: bool,
    /// True if queries spell names in random case; the file has no option for that. See
    /// [`Server::random_case`](super::Server::random_case).
    pub random_case: bool,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self {
            servers: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)],
            search: Vec::new(),
            ndots: 1,
            timeout: None,
            attempts: None,
            rotate: false,
            use_tcp: false,
            random_case: true,
        }
    }
}

impl ResolvConf {
    /// Parses the file. Unknown lines and options are ignored. Without a `nameserver` line, the
    /// server is this machine.
    #[must_use]
    pub fn read(text: &str) -> Self {
        count(text.len());
        let mut conf = Self::default();
        let mut servers = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => servers.extend(words.next().and_then(server)),
                Some("domain" | "search") => {
                    let domains = words.filter_map(|word| Name::parse(word).ok());
                    conf.search = domains.take(MOST_DOMAINS).collect(); // the last line counts
                }
                Some("options") => words.for_each(|option| conf.set(option)),
                _ => {}
            }
        }
        if !servers.is_empty() {
            servers.truncate(MOST_SERVERS);
            conf.servers = servers;
        }
        conf
    }

    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let number = value.parse::<usize>().ok();
        match (name, number) {
            ("ndots", Some(n)) => self.ndots = n.min(15),
            ("timeout", Some(n)) => {
                self.timeout = Some(Duration::from_secs(n.clamp(1, 30) as u64));
            }
            ("attempts", Some(n)) => self.attempts = Some(n.clamp(1, 5)),
            ("rotate", _) => self.rotate = true,
            ("use-vc", _) => self.use_tcp = true,
            _ => {}
        }
    }

    /// Returns the names that `text` may mean, in the order in which they are queried. A trailing
    /// dot marks a name as complete.
    #[must_use]
    pub fn candidates(&self, text: &str, name: &Name) -> Vec<Name> {
        if text.ends_with('.') {
            return vec![name.clone()];
        }
        let mut names: Vec<Name> =
            self.search.iter().filter_map(|domain| name.within(domain)).collect();
        let dots = text.bytes().filter(|&b| b == b'.').count();
        let at = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(at, name.clone());
        names
    }
}

/// Parses the address of a server. A link-local address needs the number of its interface.
fn server(word: &str) -> Option<SocketAddr> {
    if let Some((address, scope)) = word.split_once('%') {
        return format!("[{address}%{scope}]:{PORT}").parse().ok();
    }
    word.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_parsed_line_by_line() {
        let conf = ResolvConf::read(
            "# nameserver 192.0.2.9\n; x\nnameserver 192.0.2.1\nnameserver nonsense\n\
             nameserver 2001:db8::1 # trailing\nnameserver fe80::1%3\nnameserver 192.0.2.4\n\
             domain old.test\nsearch a.test b.test. .\n\
             options ndots:2 timeout:9 attempts:99 rotate use-vc edns0 nonsense:x\n",
        );
        let servers: Vec<String> = conf.servers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%3]:53"]);
        let search: Vec<String> = conf.search.iter().map(Name::to_string).collect();
        assert_eq!(search, ["a.test", "b.test"]);
        assert_eq!((conf.ndots, conf.attempts), (2, Some(5)));
        assert_eq!(conf.timeout, Some(Duration::from_secs(9)));
        assert!(conf.rotate && conf.use_tcp);
    }

    #[test]
    fn default_server_is_this_machine() {
        assert_eq!(ResolvConf::read(""), ResolvConf::default());
        assert_eq!(ResolvConf::default().servers[0].to_string(), "127.0.0.1:53");
        assert_eq!(ResolvConf::read("options timeout: ndots").timeout, None);
    }

    #[test]
    fn number_of_dots_determines_the_search_order() {
        let conf = ResolvConf::read("search a.test b.test\noptions ndots:2");
        let candidates = |text: &str| {
            let names = conf.candidates(text, &Name::parse(text).unwrap());
            names.iter().map(Name::to_string).collect::<Vec<_>>()
        };
        assert_eq!(candidates("h"), ["h.a.test", "h.b.test", "h"]);
        assert_eq!(candidates("h.x"), ["h.x.a.test", "h.x.b.test", "h.x"]);
        assert_eq!(candidates("h.x.y"), ["h.x.y", "h.x.y.a.test", "h.x.y.b.test"]);
        assert_eq!(candidates("h."), ["h"]);
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(58)].join(".");
        assert_eq!(candidates(&long).len(), 1, "a candidate that is too long is skipped");
    }
}
