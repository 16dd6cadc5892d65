//! Messages of name servers: nothing is accepted that does not belong to the name of the query.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate::dns::{
    Data, Hosts, Kind, LONGEST_CHAIN, Lookup, LookupAction, MOST_ADDRESSES, Name, Random,
    Resolution, ResolvConf, Response, Server, Timeouts,
};
use tidegate::reactor::{Clock, VirtualClock};

/// Checks any bytes as a message, as the answer to a look-up, and as the files of a resolver.
pub fn rules(message: &[u8]) {
    if let Ok(response) = Response::read(message) {
        check_names(&response);
        for kind in [Kind::A, Kind::Aaaa] {
            check_verdict(&response, kind);
        }
    }
    check_lookup(message);
    check_files(message);
}

fn check_names(response: &Response) {
    let records = response.answers.iter().chain(&response.authority);
    let mut names: Vec<&Name> = records.clone().map(|record| &record.owner).collect();
    names.extend(records.clone().filter_map(|record| match &record.data {
        Data::Cname(name) => Some(name),
        _ => None,
    }));
    names.push(&response.name);
    for name in names {
        let wire = name.wire();
        assert!(wire.len() <= 255 && wire.ends_with(&[0]));
        assert!(name.is_within(name));
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let text = name.to_string();
        if let Ok(parsed) = Name::parse(&text)
            && text.bytes().all(plain)
            && !wire.contains(&b'.')
        {
            assert!(parsed.is_spelled_like(name));
        }
    }
    assert!(records.clone().all(|record| record.ttl <= i32::MAX.unsigned_abs()));
}

/// Addresses belong to the name at the end of the chain, and expire no later than any record of it.
fn check_verdict(response: &Response, kind: Kind) {
    let Resolution::Addresses { addresses, ttl } =
        Resolution::of(response, &response.name, kind, 0)
    else {
        return;
    };
    assert_eq!(response.code, 0);
    assert!(!addresses.is_empty() && addresses.len() <= MOST_ADDRESSES);
    let mut reached = vec![&response.name];
    for _ in 0..LONGEST_CHAIN {
        let next = response.answers.iter().find_map(|record| match &record.data {
            Data::Cname(name) if Some(&&record.owner) == reached.last() => Some(name),
            _ => None,
        });
        reached.extend(next);
    }
    for address in addresses {
        assert_eq!(address.is_ipv6(), kind == Kind::Aaaa);
        assert!(response.answers.iter().any(|record| {
            record.data == Data::Address(address)
                && record.ttl >= ttl
                && reached.contains(&&record.owner)
        }));
    }
}

/// A look-up accepts only messages that repeat its question and id, and ends.
fn check_lookup(message: &[u8]) {
    let server = SocketAddr::from(([192, 0, 2, 53], 53));
    let times = Timeouts { attempt: Duration::from_secs(1), total: Duration::from_secs(5) };
    let mut random = Random::new([7; 32]);
    let mut now = VirtualClock::default().now().mono;
    let conf = ResolvConf { servers: vec![server], ..ResolvConf::default() };
    let servers = [Server::new(server)];
    let mut lookup = Lookup::new("a.test", &conf, &servers, times).expect("a name");
    for _ in 0..100 {
        while let Some(step) = lookup.step(now, &mut random) {
            match step {
                LookupAction::Found(found) if found.complete => return,
                LookupAction::Found(_) => {}
                LookupAction::Ask(place, query) => {
                    // Received as it is, and as from a sender that has seen the query.
                    lookup.received(place, server, message);
                    let mut echo = message.to_vec();
                    let opt = 11 * usize::from(query.message[11]);
                    let length = echo.len().min(query.message.len() - opt);
                    echo[..length].copy_from_slice(&query.message[..length]);
                    if let (Some(to), Some(from)) = (echo.get_mut(2..12), message.get(2..12)) {
                        to.copy_from_slice(from);
                    }
                    lookup.received(place, server, &echo);
                }
            }
        }
        now = lookup.next_deadline().expect("an open look-up has a deadline");
    }
    panic!("the look-up does not end");
}

fn check_files(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let hosts = Hosts::read(&text);
    let localhost = hosts.get("localhost").expect("localhost is always known");
    assert!(localhost.iter().all(|address| address.is_loopback()));
    let conf = ResolvConf::read(&text);
    assert!((1..=3).contains(&conf.servers.len()));
    assert!(conf.attempts.is_none_or(|attempts| (1..=5).contains(&attempts)));
    assert!(conf.search.len() <= 6);
}
