//! Explanations match decisions: a request is denied if and only if its explanation says so.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tidegate::access::{GivenRule, RuleSet, read_rules};
use tidegate::proxy::ExplainQuery;

use crate::destinations::{Bench, CLIENT, PROXY, status};

/// Rules, one a line; the first word is the default.
const RULES: &[&str] = &[
    "allow",
    "deny",
    "deny\nallow .a.test\nallow 198.41.0.0/24",
    "deny\nallow *.test port=1-65535",
    "allow\ndeny 198.41.0.0/24\nallow b.test",
    "allow\nallow b.test\ndeny 198.41.0.0/24",
    "deny\nallow in.a.test=10.0.0.0/8 method=GET\nallow class=global scheme=https",
    "deny\nallow class=private port=80,443,8443\ndeny @list\nallow .test",
    "allow\ndeny class=private,own\nreport .a.test\ndeny a.test",
    "allow\ndeny method=connect\ndeny listener=3129\ndeny client=93.184.216.0/24 port=8080",
    "deny\nreport\nallow 10.0.0.0/8",
    "allow\nallow b.test=198.41.0.0/24 port=22\ndeny b.test\ndeny ::/0",
    "deny\nallow 10.0.0.0/8 port=22\nallow class=own\nallow 64:ff9b::/96",
];

const LIST: &str = "x.test\n198.41.0.5\n.in.a.test=10.0.0.0/9\n";

const NAMES: &[(&str, &str)] = &[
    ("a.test", "93.184.216.34"),
    ("b.test", "198.41.0.4"),
    ("in.a.test", "10.0.0.1"),
    ("own.test", "10.0.0.5"),
    ("nat.a.test", "64:ff9b::10.0.0.1"),
    ("six.test", "2606:4700::1"),
];

const HOSTS: &[&str] = &[
    "a.test",
    "A.Test.",
    "b.test",
    "in.a.test",
    "own.test",
    "nat.a.test",
    "six.test",
    "x.test",
    "10.0.0.1",
    "10.0.0.5",
    "0x7f.1",
    "198.41.0.4",
    "198.41.0.5",
    "[2606:4700::1]",
    "[64:ff9b::198.41.0.4]",
    "[2002:a00:1::1]",
    "93.184.216.40",
    "a..test",
    "1.2.3",
];

fn egress(text: &str) -> Arc<RuleSet> {
    let (default, rules) = text.split_once('\n').unwrap_or((text, ""));
    let given: Vec<GivenRule> = rules.lines().map(|rule| rule.parse().unwrap()).collect();
    let mut set = RuleSet::default();
    read_rules(&mut set, &given, &mut |_| Ok(LIST.into())).unwrap();
    set.set_default(default == "deny", false);
    Arc::new(set)
}

fn explain(
    bench: &mut Bench,
    (method, url): (&str, &str),
    listener: Option<SocketAddr>,
) -> (bool, String) {
    let question = ExplainQuery {
        method: method.into(),
        url: url.into(),
        client: CLIENT.parse().unwrap(),
        listener,
        user: None,
        certificate: None,
        fields: Vec::new(),
        addresses: Vec::new(),
    };
    bench.worker.explain(question, &mut bench.reactor);
    for _ in 0..100 {
        bench.reactor.turn(&mut bench.worker, Some(Duration::ZERO)).unwrap();
        if let Some(explanation) = bench.worker.take_explanation() {
            return (explanation.allowed, explanation.text);
        }
    }
    panic!("{method} {url} is not explained");
}

#[test]
fn explanation_matches_the_decision() {
    let names = NAMES.iter().map(|(name, address)| ((*name).into(), address.parse().unwrap()));
    let names: HashMap<String, IpAddr> = names.collect();
    let (mut allowed, mut denied) = (0, 0);
    for rules in RULES {
        for lifted in [&[] as &[&str], &["10.0.0.0/8"]] {
            let mut bench = Bench::new(PROXY, lifted, names.clone());
            bench.reload(|settings| settings.destinations.egress = egress(rules));
            for host in HOSTS {
                for (method, url) in [
                    ("GET", format!("http://{host}/")),
                    ("DELETE", format!("http://{host}:8080/")),
                    ("GET", format!("http://{host}:22/")),
                    ("CONNECT", format!("{host}:443")),
                    ("CONNECT", format!("{host}:8443")),
                ] {
                    let fields = "Host: h\r\nConnection: close\r\n\r\n";
                    let answer =
                        bench.ask(PROXY, format!("{method} {url} HTTP/1.1\r\n{fields}").as_bytes());
                    let happens = status(&answer);
                    let (said, text) = explain(&mut bench, (method, &url), None);
                    let passes = match happens {
                        "400" | "403" => false,
                        // Without a listener the status is 502, which is no denial; neither is a
                        // name that does not exist.
                        "502" => !answer.contains("dns_error"),
                        other => panic!("{other} for {method} {url} under {rules:?}"),
                    };
                    assert_eq!(said, passes, "{rules:?} {lifted:?} {happens}:\n{text}\n{answer}");
                    if passes { allowed += 1 } else { denied += 1 }
                }
            }
        }
    }
    assert!(allowed > 200 && denied > 200, "{allowed} {denied}");
}

#[test]
fn listener_rule_is_explained_for_its_listener() {
    let mut bench = Bench::new(PROXY, &[], HashMap::new());
    bench.reload(|settings| settings.destinations.egress = egress("allow\ndeny listener=3129"));
    let there = Some("127.0.0.1:3129".parse().unwrap());
    let request = ("GET", "http://198.41.0.4/");
    let [here, there] = [None, there].map(|listener| explain(&mut bench, request, listener).0);
    assert!(here && !there);
}
