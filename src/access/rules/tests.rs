//! Decisions of a rule set, observed through the destination policy.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{
    Denial, DestinationPolicy, GivenRule, Host, LocalAddresses, RequestContext, RuleOption,
    RuleSet, RuleSource, read_rules,
};
use crate::geo::Located;
use crate::http::Scheme;

fn context(method: &str) -> RequestContext<'_> {
    let client = IpAddr::from([127, 0, 0, 1]);
    RequestContext {
        client,
        located: Located::default(),
        user: None,
        certificate: None,
        listener: None,
        method,
        scheme: Scheme::Http,
    }
}

fn policy(set: RuleSet) -> DestinationPolicy {
    DestinationPolicy { egress: Arc::new(set), ..DestinationPolicy::default() }
}

fn no_file(_: &str) -> Result<Vec<u8>, String> {
    Err("none".into())
}

/// Returns a policy with the rules of a file.
fn in_file(text: &str) -> DestinationPolicy {
    let mut set = RuleSet::default();
    let given = [GivenRule { option: RuleOption::File("rules".into()), place: None }];
    let mut read = |_: &str| Ok(text.as_bytes().to_vec());
    read_rules(&mut set, &given, &mut read).unwrap();
    policy(set)
}

/// Returns the name of the rule that denies a request, if one does.
fn check(
    policy: &DestinationPolicy,
    host: &str,
    address: &str,
    local: &LocalAddresses,
) -> Option<String> {
    check_at(policy, (host, 80), address, local)
}

fn check_at(
    policy: &DestinationPolicy,
    (host, port): (&str, u16),
    address: &str,
    local: &LocalAddresses,
) -> Option<String> {
    let host = Host::parse(host).unwrap();
    let checked = policy.check_request(&context("GET"), &host, port, local).and_then(|decision| {
        policy.check_address(&decision, &host, address.parse().unwrap(), local).map(drop)
    });
    checked.err().map(|denial: Denial| denial.rule())
}

#[test]
fn rules_of_one_line_keep_their_order() {
    let rules = ["allow dev.test=10.0.0.0/8", "allow .test", "deny"];
    let place = Some((RuleSource::File("tidegate.toml".into()), 7));
    let given = rules.map(|rule| GivenRule { place: place.clone(), ..rule.parse().unwrap() });
    let mut set = RuleSet::default();
    read_rules(&mut set, &given, &mut no_file).unwrap();
    let (policy, local) = (policy(set), LocalAddresses::default());
    assert_eq!(check(&policy, "dev.test", "10.0.0.1", &local), None, "the first rule exempts it");
    assert_eq!(check(&policy, "a.test", "10.0.0.1", &local).unwrap(), "destination-private");
    let denied = check(&policy, "other.example", "198.41.0.4", &local);
    assert_eq!(denied.unwrap(), "rule tidegate.toml:7");
}

#[test]
fn alternating_rules_form_few_groups() {
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
    assert_eq!(policy.egress.sections.len(), 1, "all rules form one section");
    let local = LocalAddresses::default();
    assert_eq!(check(&policy, "b9999.test", "198.41.0.4", &local).unwrap(), "rule rules:30000");
    assert_eq!(check(&policy, "c77.test", "10.0.77.1", &local), None);
    assert_eq!(check(&policy, "c77.test", "10.0.78.1", &local).unwrap(), "destination-private");
}

#[test]
fn number_of_conditions_is_bounded() {
    let text: String = (0..40_000).map(|n| format!("deny user=u{n}\n")).collect();
    let mut set = RuleSet::default();
    let given = ["@rules".parse().unwrap()];
    let mut read = |_: &str| Ok(text.as_bytes().to_vec());
    let refused = read_rules(&mut set, &given, &mut read).unwrap_err().to_string();
    assert!(refused.starts_with("rules:32769: there are more than 65536 conditions"), "{refused}");
}

#[test]
fn bound_on_conditions_counts_each_value() {
    for (name, value) in [
        ("client", "192.0.2.1"),
        ("user", "ann"),
        ("listener", "3128"),
        ("port", "80"),
        ("class", "private"),
        ("method", "GET"),
        ("scheme", "http"),
    ] {
        let read = |values| {
            let rule = format!("deny {name}={}", vec![value; values].join(","));
            read_rules(&mut RuleSet::default(), &[rule.parse().unwrap()], &mut no_file)
        };
        assert_eq!(read(65_535), Ok(()), "the rule itself counts as one more");
        let refused = read(65_536).unwrap_err().to_string();
        assert!(refused.contains("there are more than 65536 conditions"), "{name}");
    }
}

#[test]
fn reason_names_the_place_of_a_rule() {
    let mut set = RuleSet::default();
    let given =
        ["deny a.test", "@rules", "deny d.test", "deny @list"].map(|it| it.parse().unwrap());
    let mut read = |file: &str| match file {
        "rules" => Ok(b"# one\n\ndeny b.test\ndeny c.test".to_vec()),
        "list" => Ok(b"e.test\nf.test".to_vec()),
        _ => no_file(file),
    };
    read_rules(&mut set, &given, &mut read).unwrap();
    let (policy, local) = (policy(set), LocalAddresses::default());
    for (host, place) in [
        ("a.test", "rule 1"),
        ("b.test", "rule rules:3"),
        ("c.test", "rule rules:4"),
        ("d.test", "rule 3"),
        ("e.test", "rule list:1"),
        ("f.test", "rule list:2"),
    ] {
        assert_eq!(check(&policy, host, "198.41.0.4", &local).as_deref(), Some(place));
    }
}

#[test]
fn rule_ref_text_is_valid_rule_syntax() {
    let rules = [
        "deny a.test",
        "deny *.b.test",
        "deny .c.test",
        "deny d.test=10.0.0.0/8",
        "deny *.e.test=10.0.0.0/8",
        "deny .f.test=10.0.0.0/8",
        "deny 10.0.0.0/16 method=GET",
    ];
    let (policy, local) = (in_file(&rules.join("\n")), LocalAddresses::default());
    for (host, rule) in [
        ("a.test", rules[0]),
        ("x.b.test", rules[1]),
        ("c.test", rules[2]),
        ("x.c.test", rules[2]),
        ("d.test", rules[3]),
        ("x.e.test", rules[4]),
        ("f.test", rules[5]),
        ("x.f.test", rules[5]),
        ("other.test", rules[6]),
    ] {
        let (host, address) = (Host::parse(host).unwrap(), "10.0.0.1".parse().ok());
        let found = policy.rule_for(&context("GET"), (&host, 80), address, &local);
        assert_eq!(found.unwrap().text, rule);
    }
}

#[test]
fn undecided_rules_precede_the_deciding_rule() {
    let policy = in_file(
        "allow 198.41.0.0/24 port=80\nreport .a.test=10.0.0.0/8\nallow class=private method=GET\n\
         deny .test\nallow 10.0.0.0/8\nreport .example\n",
    );
    let ask = |host: &str| {
        let host = Host::parse(host).unwrap();
        let decision =
            policy.check_request(&context("GET"), &host, 80, &LocalAddresses::default()).unwrap();
        let undecided: Vec<_> = decision.undecided(&host).map(|rule| rule.to_string()).collect();
        (undecided, decision.reported().map(ToString::to_string))
    };
    let classes = "'allow class=private method=GET' (rules:3)";
    let waiting =
        ["'allow 198.41.0.0/24 port=80' (rules:1)", "'report .a.test=…' (rules:2)", classes];
    assert_eq!(ask("a.test"), (waiting.map(String::from).to_vec(), None));
    let policy = in_file("report a.test\nallow b.test");
    let reported = |host: &str| {
        let host = Host::parse(host).unwrap();
        let decision =
            policy.check_request(&context("GET"), &host, 80, &LocalAddresses::default()).unwrap();
        assert!(!decision.depends_on_address());
        decision.reported().map(ToString::to_string)
    };
    assert_eq!(reported("a.test").as_deref(), Some("'report a.test' (rules:1)"));
    assert_eq!(reported("b.test"), None);
}

#[test]
fn only_allow_rules_exempt_a_port() {
    let local = LocalAddresses::default();
    let at =
        |policy: &DestinationPolicy, address| check_at(policy, ("a.test", 22), address, &local);
    let allows = in_file("allow 198.41.0.0/24 port=22");
    assert_eq!(at(&allows, "198.41.0.4"), None);
    assert_eq!(at(&allows, "93.184.216.34").unwrap(), "port");
    let denies = in_file("deny 198.41.0.0/24 port=22").check_request(
        &context("GET"),
        &Host::parse("a.test").unwrap(),
        22,
        &local,
    );
    assert_eq!(denies.unwrap_err().rule(), "port", "no name is resolved for it");
}

#[test]
fn set_without_rules_is_empty_unless_default_denies() {
    let mut set = RuleSet::default();
    assert!(set.is_empty() && !set.denies() && !set.reports());
    set.set_default(true, false);
    assert!(!set.is_empty() && set.denies() && !set.reports());
    set.set_default(false, true);
    assert!(set.is_empty() && !set.denies() && set.reports());
    assert!(!in_file("allow a.test").egress.is_empty());
}

#[test]
fn changed_files_returns_files_with_new_content() {
    let set = |given: &[&str], list: &'static str| {
        let given: Vec<_> = given.iter().map(|it| it.parse().unwrap()).collect();
        let mut set = RuleSet::default();
        let mut read = |file: &str| match file {
            "rules" => Ok(b"deny a.test".to_vec()),
            _ => Ok(list.into()),
        };
        read_rules(&mut set, &given, &mut read).unwrap();
        set
    };
    let old = set(&["@rules", "deny @list", "deny @old"], "b.test");
    let new = set(&["@rules", "deny @list", "deny @new"], "c.test");
    assert_eq!(old.files().collect::<Vec<_>>(), ["list", "old", "rules"]);
    assert_eq!(old.changed_files(&new).collect::<Vec<_>>(), ["list"]);
    assert_eq!(old.changed_files(&old).next(), None);
}

#[test]
fn option_with_empty_file_name_is_rejected() {
    let refused = "@".parse::<RuleOption>().unwrap_err();
    assert!(refused.message.starts_with("a rule begins with allow"), "{refused}");
    assert_eq!("@f".parse(), Ok(RuleOption::File("f".into())));
}

#[test]
fn own_address_is_denied_by_its_block_class_too() {
    let local =
        LocalAddresses { addresses: vec!["10.0.0.5".parse().unwrap()], listeners: Vec::new() };
    let lifted =
        |text| DestinationPolicy { rules: vec!["10.0.0.0/8".parse().unwrap()], ..in_file(text) };
    for (rules, expected) in [
        ("deny class=private", Some("rule rules:1")),
        ("deny class=own", Some("rule rules:1")),
        ("deny class=loopback", None),
    ] {
        let denied = check(&lifted(rules), "h.test", "10.0.0.5", &local);
        assert_eq!(denied.as_deref(), expected, "{rules}");
    }
    let denied = check(&in_file("allow class=private"), "h.test", "10.0.0.5", &local);
    assert_eq!(denied.unwrap(), "destination-own", "allowing private does not allow own");
}

#[test]
fn file_may_begin_with_a_byte_order_mark() {
    let policy = in_file("\u{feff}deny a.test\r\n");
    assert_eq!(
        check(&policy, "a.test", "198.41.0.4", &LocalAddresses::default()).unwrap(),
        "rule rules:1"
    );
}
