//! Cost of rules for a request: without rules, and with lists of a million names that do not match.

use std::fmt::Write;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use divan::Bencher;
use tidegate::access::{
    DestinationPolicy, GivenRule, Host, LocalAddresses, RequestContext, RuleSet, read_rules,
};
use tidegate::geo::Located;
use tidegate::http::Scheme;

fn main() {
    divan::main();
}

const NAMES: usize = 1_000_000;

/// Returns names of three labels, as in block lists.
fn list() -> String {
    let mut list = String::new();
    for number in 0..NAMES as u64 {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (host, domain) = (mixed >> 48, mixed & 0x00ff_ffff);
        writeln!(list, "ads-{host:x}.tracker-{domain:x}.example")
            .expect("writing to a String succeeds");
    }
    list
}

fn policy(rules: &[&str], list: &str) -> DestinationPolicy {
    let given: Vec<GivenRule> = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    let mut set = RuleSet::default();
    let mut read = |_: &str| Ok(list.as_bytes().to_vec());
    read_rules(&mut set, &given, &mut read).expect("a valid list");
    DestinationPolicy { egress: Arc::new(set), ..DestinationPolicy::default() }
}

fn asker() -> RequestContext<'static> {
    RequestContext {
        certificate: None,
        client: IpAddr::from([127, 0, 0, 1]),
        located: Located::default(),
        user: None,
        listener: None,
        method: "GET",
        scheme: Scheme::Http,
    }
}

/// Returns hosts that are not in the list. Many different ones keep the list out of the processor's
/// cache.
fn hosts() -> Vec<Host> {
    let host = |n: u64| Host::Name(format!("www-{n:x}.site-{:x}.example", n.wrapping_mul(0x9e37)));
    (0..100_000).map(host).collect()
}

fn ask(bencher: Bencher<'_, '_>, policy: &DestinationPolicy) {
    let (hosts, asker, own) = (hosts(), asker(), LocalAddresses::default());
    let mut next = hosts.iter().cycle();
    bencher.bench_local(|| {
        let host = next.next().expect("a cycle never ends");
        black_box(policy.check_request(black_box(&asker), host, 80, &own).is_ok())
    });
}

#[divan::bench(sample_size = 20_000)]
fn no_rules(bencher: Bencher<'_, '_>) {
    ask(bencher, &DestinationPolicy::default());
}

#[divan::bench(sample_size = 20_000)]
fn a_million_names_denied(bencher: Bencher<'_, '_>) {
    ask(bencher, &policy(&["deny @list"], &list()));
}

#[divan::bench(sample_size = 20_000)]
fn a_million_names_within_ranges(bencher: Bencher<'_, '_>) {
    let list: String =
        list().lines().fold(String::new(), |list, name| list + name + "=10.0.0.0/8\n");
    ask(bencher, &policy(&["allow @list"], &list));
}

#[divan::bench(sample_size = 20_000)]
fn a_million_rules_that_alternate(bencher: Bencher<'_, '_>) {
    let rules = list()
        .lines()
        .zip([true, false].iter().cycle())
        .fold(String::new(), |rules, (name, &denied)| {
            rules + if denied { "deny " } else { "allow " } + name + "\n"
        });
    ask(bencher, &policy(&["@rules"], &rules));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn reading_a_million_names(bencher: Bencher<'_, '_>) {
    let list = list();
    bencher.bench_local(|| policy(&["deny @list"], black_box(&list)));
}
