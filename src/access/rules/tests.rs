//! Rules of one set, by the policy that they make.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{
    Asker, Denial, DestinationPolicy, GivenRule, Host, Own, RuleOption, RuleSet, Scheme, Source,
    read_rules,
};

fn asker(method: &str) -> Asker<'_> {
    let client = IpAddr::from([127, 0, 0, 1]);
    Asker { client, user: None, listener: None, method, scheme: Scheme::Http }
}

fn policy(set: RuleSet) -> DestinationPolicy {
    DestinationPolicy { egress: Arc::new(set), ..DestinationPolicy::default() }
}

/// Rules in a file.
fn in_file(text: &str) -> DestinationPolicy {
    let mut set = RuleSet::default();
    let given = [GivenRule { option: RuleOption::File("rules".into()), place: None }];
    let mut read = |_: &str| Ok(text.as_bytes().to_vec());
    read_rules(&mut set, &given, &mut read).unwrap();
    policy(set)
}

/// Why a request is denied, if it is.
fn judge(policy: &DestinationPolicy, host: &str, address: &str, own: &Own) -> Option<String> {
    let host = Host::parse(host).unwrap();
    let judged = policy.ask(&asker("GET"), &host, 80, own).and_then(|judgement| {
        policy.judge(&judgement, &host, address.parse().unwrap(), own).map(drop)
    });
    judged.err().map(|denial: Denial| denial.rule())
}

#[test]
fn rules_on_one_line_stand_in_their_order() {
    let rules = ["allow dev.test=10.0.0.0/8", "allow .test", "deny"];
    let place = Some((Source::File("tidegate.toml".into()), 7));
    let given = rules.map(|rule| GivenRule { place: place.clone(), ..rule.parse().unwrap() });
    let mut set = RuleSet::default();
    read_rules(&mut set, &given, &mut |_: &str| Err("none".into())).unwrap();
    let (policy, own) = (policy(set), Own::default());
    assert_eq!(judge(&policy, "dev.test", "10.0.0.1", &own), None, "the first one lifts it");
    assert_eq!(judge(&policy, "a.test", "10.0.0.1", &own).unwrap(), "destination-private");
    let denied = judge(&policy, "other.example", "198.41.0.4", &own);
    assert_eq!(denied.unwrap(), "rule tidegate.toml:7");
}

#[test]
fn many_rules_that_alternate_are_few_look_ups() {
    let text: String = (0..10_000)
        .map(|n| {
            format!(
                "allow a{n}.test port=80\ndeny b{n}.test\nallow c{n}.test=10.0.{}.0/24\n",
                n % 256
            )
        })
        .collect();
    let policy = in_file(&format!("# none\n{text}"));
    assert_eq!((policy.egress.len(), policy.egress.groups.len()), (30_000, 3));
    let own = Own::default();
    assert_eq!(judge(&policy, "b9999.test", "198.41.0.4", &own).unwrap(), "rule rules:30000");
    assert_eq!(judge(&policy, "c77.test", "10.0.77.1", &own), None);
    assert_eq!(judge(&policy, "c77.test", "10.0.78.1", &own).unwrap(), "destination-private");
}

#[test]
fn conditions_are_bounded() {
    let text: String = (0..40_000).map(|n| format!("deny user=u{n}\n")).collect();
    let mut set = RuleSet::default();
    let given = ["@rules".parse().unwrap()];
    let mut read = |_: &str| Ok(text.as_bytes().to_vec());
    let refused = read_rules(&mut set, &given, &mut read).unwrap_err().to_string();
    assert!(refused.starts_with("rules:32769: there are more than 65536 conditions"), "{refused}");
}

#[test]
fn an_address_of_this_machine_is_denied_as_what_else_it_is_for() {
    let own = Own { addresses: vec!["10.0.0.5".parse().unwrap()], listeners: Vec::new() };
    let lifted =
        |text| DestinationPolicy { rules: vec!["10.0.0.0/8".parse().unwrap()], ..in_file(text) };
    for (rules, expected) in [
        ("deny class=private", Some("rule rules:1")),
        ("deny class=own", Some("rule rules:1")),
        ("deny class=loopback", None),
    ] {
        let denied = judge(&lifted(rules), "h.test", "10.0.0.5", &own);
        assert_eq!(denied.as_deref(), expected, "{rules}");
    }
    let denied = judge(&in_file("allow class=private"), "h.test", "10.0.0.5", &own);
    assert_eq!(denied.unwrap(), "destination-own", "allowing the one does not allow the other");
}

#[test]
fn a_file_may_begin_as_some_editors_have_it() {
    let policy = in_file("\u{feff}deny a.test\r\n");
    assert_eq!(judge(&policy, "a.test", "198.41.0.4", &Own::default()).unwrap(), "rule rules:1");
}
