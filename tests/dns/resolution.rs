//! The resolution that a response yields: only records that belong to the name count.

use tidegate::dns::{Kind, LONGEST_CHAIN, MOST_ADDRESSES, Name, Resolution, Response};

use crate::write::{A, AAAA, NXDOMAIN, SERVFAIL, Written};

fn verdict(written: &Written) -> Resolution {
    verdict_after(written, 0)
}

fn verdict_after(written: &Written, links: usize) -> Resolution {
    let response = Response::read(&written.bytes()).unwrap();
    let kind = if response.question.0 == A { Kind::A } else { Kind::Aaaa };
    Resolution::of(&response, &Name::parse("a.test").unwrap(), kind, links)
}

fn addresses(list: &[&str], ttl: u32) -> Resolution {
    Resolution::Addresses {
        addresses: list.iter().map(|text| text.parse().unwrap()).collect(),
        ttl,
    }
}

fn about() -> Written {
    Written::about("a.test", A)
}

#[test]
fn addresses_of_the_name_and_of_its_aliases_are_accepted() {
    let plain = about().answers(&["a.test 60 A 192.0.2.1", "A.TEST 50 A 192.0.2.2"]);
    assert_eq!(verdict(&plain), addresses(&["192.0.2.1", "192.0.2.2"], 50));
    let chain = about().answers(&[
        "c.test 60 A 192.0.2.1",
        "b.test 40 CNAME c.test",
        "a.test 50 CNAME b.test",
    ]);
    assert_eq!(verdict(&chain), addresses(&["192.0.2.1"], 40));
    let six = Written::about("a.test", AAAA)
        .answers(&["a.test 60 A 192.0.2.1", "a.test 60 AAAA 2001:db8::1"]);
    assert_eq!(verdict(&six), addresses(&["2001:db8::1"], 60));
}

#[test]
fn records_of_other_names_are_ignored() {
    let other = about().answers(&["victim.test 9 A 192.0.2.9", "b.test 9 CNAME a.test"]);
    assert_eq!(verdict(&other), Resolution::NoData(None));
    let aside = about().answers(&[
        "a.test 60 CNAME b.test",
        "a.test 60 TXT x",
        "b.test 60 A 192.0.2.1",
        "c.test 60 A 192.0.2.9",
    ]);
    assert_eq!(verdict(&aside), addresses(&["192.0.2.1"], 60));
}

#[test]
fn alias_chains_are_bounded_and_loops_are_detected() {
    let chain = |links: usize| {
        let mut lines: Vec<String> =
            (1..links).map(|i| format!("n{i}.test 60 CNAME n{}.test", i + 1)).collect();
        lines.push("a.test 60 CNAME n1.test".into());
        lines.push(format!("n{links}.test 60 A 192.0.2.1"));
        about().answers(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(verdict(&chain(LONGEST_CHAIN)), addresses(&["192.0.2.1"], 60));
    assert_eq!(verdict(&chain(LONGEST_CHAIN + 1)), Resolution::Chain);
    assert_eq!(verdict_after(&chain(2), LONGEST_CHAIN - 2), addresses(&["192.0.2.1"], 60));
    assert_eq!(
        verdict_after(&chain(2), LONGEST_CHAIN - 1),
        Resolution::Chain,
        "links of earlier responses count"
    );
    let circle = about().answers(&["a.test 60 CNAME b.test", "b.test 60 CNAME a.test"]);
    assert_eq!(verdict(&circle), Resolution::Chain);
    assert_eq!(verdict(&circle.code(NXDOMAIN)), Resolution::Chain);
}

#[test]
fn negative_answer_is_valid_for_the_ttl_of_its_soa() {
    let no_data = about().authority(&["test 60 SOA 30"]);
    assert_eq!(verdict(&no_data), Resolution::NoData(Some(30)));
    let gone = about().authority(&["test 20 SOA 30"]).code(NXDOMAIN);
    assert_eq!(verdict(&gone), Resolution::NoSuchName(Some(20)));
    let of_others = about().authority(&["other.test 60 SOA 30"]).code(NXDOMAIN);
    assert_eq!(verdict(&of_others), Resolution::NoSuchName(None));
    let behind = about().answers(&["a.test 10 CNAME b.test"]).authority(&["test 60 SOA 30"]);
    assert_eq!(verdict(&behind), Resolution::NoData(Some(10)));
    let behind_gone = about()
        .answers(&["a.test 60 CNAME b.other", "b.other 60 A 192.0.2.1"])
        .authority(&["other 60 SOA 30"])
        .code(NXDOMAIN);
    assert_eq!(
        verdict(&behind_gone),
        Resolution::NoSuchName(Some(30)),
        "the code overrides the records"
    );
}

#[test]
fn alias_without_address_and_lame_server_are_distinguished() {
    let elsewhere = about().answers(&["a.test 10 CNAME b.test"]);
    let name = Name::parse("b.test").unwrap();
    assert_eq!(verdict(&elsewhere), Resolution::Elsewhere { name, ttl: 10, links: 1 });
    let mut lame = about();
    lame.flags = 0x8100;
    assert_eq!(verdict(&lame), Resolution::Lame);
    assert_eq!(verdict(&about().code(SERVFAIL)), Resolution::Code(SERVFAIL));
}

#[test]
fn number_of_addresses_is_bounded() {
    let lines: Vec<String> =
        (0..2000).map(|i| format!("a.test 60 A 192.0.{}.{}", i / 250, i % 250)).collect();
    let huge = about().answers(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let Resolution::Addresses { addresses, .. } = verdict(&huge) else { panic!("no addresses") };
    assert_eq!(addresses.len(), MOST_ADDRESSES);
}

#[test]
fn duplicate_records_hide_no_others() {
    let twice = |lines: Vec<String>| {
        let lines: Vec<&str> = lines.iter().flat_map(|line| [line.as_str(); 2]).collect();
        about().answers(&lines)
    };
    let list: Vec<String> = (0..MOST_ADDRESSES).map(|n| format!("192.0.2.{n}")).collect();
    let lines = list.iter().map(|address| format!("a.test 60 A {address}")).collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    assert_eq!(verdict(&twice(lines)), addresses(&list, 60));
    let mut lines = vec!["a.test 60 CNAME n1.test".to_owned()];
    lines.extend((1..LONGEST_CHAIN).map(|n| format!("n{n}.test 60 CNAME n{}.test", n + 1)));
    let chain = twice(lines).answers(&[&format!("n{LONGEST_CHAIN}.test 60 A 192.0.2.1")]);
    assert_eq!(verdict(&chain), addresses(&["192.0.2.1"], 60));
}
