//! Files of rules: parsed rules can be written again, and rules together decide as each alone.

use std::net::IpAddr;

use tidegate::access::{
    Denial, DestinationPolicy, GivenRule, Host, LocalAddresses, RequestContext, Rule, RuleOption,
    RuleSet, read_rules,
};
use tidegate::geo::Located;
use tidegate::http::Scheme;

/// Limit of the lines that are checked one by one.
const MANY: usize = 64;

/// Checks any bytes as a file of rules.
pub fn rules(text: &[u8]) {
    let Some(all) = set(text) else { return };
    let lines: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();
    let each: Vec<DestinationPolicy> = lines.iter().filter_map(|line| set(line)).collect();
    assert_eq!(each.len(), lines.len(), "a file is valid if and only if each line is");
    for line in &lines {
        let line = std::str::from_utf8(line).expect("a valid line is UTF-8");
        if let Ok(rule) = line.parse::<Rule>() {
            let written = rule.to_string();
            assert_eq!(written.parse(), Ok(rule), "{written}");
        }
    }
    if lines.len() > MANY {
        return;
    }
    let hosts = ["a.test", "b.a.test", "test", "10.0.0.1", "[::1]", "198.41.0.4"];
    let addresses = ["10.0.0.1", "::1", "198.41.0.4", "2606:4700::1"];
    for host in hosts.into_iter().chain(words(text)) {
        let Ok(host) = Host::parse(host) else { continue };
        match host {
            Host::Address(address) => compare(&all, &each, &host, address),
            Host::Name(_) => addresses.into_iter().for_each(|address| {
                compare(&all, &each, &host, address.parse().expect("an address"));
            }),
        }
    }
}

/// Returns hosts that occur in the text, to check requests for them.
fn words(text: &[u8]) -> impl Iterator<Item = &str> {
    let words = text.split(|b| b" \t\r\n=,/".contains(b)).take(MANY);
    words.filter_map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        Some(word.trim_start_matches(['*', '.']))
    })
}

/// Creates a policy that denies by default. Lists that it names are empty.
fn set(text: &[u8]) -> Option<DestinationPolicy> {
    let mut rules = RuleSet::default();
    rules.set_default(true, false);
    let given = [GivenRule { option: RuleOption::File("rules".into()), place: None }];
    let mut read = |file: &str| Ok(if file == "rules" { text.to_vec() } else { Vec::new() });
    read_rules(&mut rules, &given, &mut read).ok()?;
    Some(DestinationPolicy { egress: rules.into(), ..DestinationPolicy::default() })
}

/// The first rule that matches decides.
fn compare(all: &DestinationPolicy, each: &[DestinationPolicy], host: &Host, address: IpAddr) {
    let local = LocalAddresses::default();
    let fits = |rule: &&DestinationPolicy| {
        rule.rule_for(&asker(), (host, 80), Some(address), &local).is_some()
    };
    let first = each.iter().find(fits).map(|rule| check(rule, host, address, &local));
    // Without a matching rule, the request is denied by its port or address, or by the default.
    let together = check(all, host, address, &local);
    match first {
        Some(Ok(())) => assert!(together.is_ok(), "{host} {address}: {together:?}"),
        Some(Err(_)) | None => assert!(together.is_err(), "{host} {address}"),
    }
}

/// Checks a request for `host`, which has the given address.
pub(crate) fn check(
    policy: &DestinationPolicy,
    host: &Host,
    address: IpAddr,
    local: &LocalAddresses,
) -> Result<(), Denial> {
    let decision = policy.check_request(&asker(), host, 80, local)?;
    policy.check_address(&decision, host, address, local).map(drop)
}

fn asker() -> RequestContext<'static> {
    RequestContext {
        client: IpAddr::from([127, 0, 0, 1]),
        located: Located::default(),
        user: Some("ann"),
        certificate: None,
        listener: None,
        method: "GET",
        scheme: Scheme::Http,
    }
}
