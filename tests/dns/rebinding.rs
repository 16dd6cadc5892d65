//! DNS rebinding: a name server that changes its answer between the check and the dial, tested with
//! the whole proxy.

use std::time::Duration;

use crate::proxy::Scene;
use crate::server::Manner;

#[test]
fn checked_address_is_dialled_and_a_new_one_is_checked_again() {
    let mut scene = Scene::new();
    scene.names.add("moves.test 0 A 93.184.216.34");
    scene.names.zone.then.insert("moves.test".into(), vec!["moves.test 0 A 10.0.0.1".into()]);
    let first = scene.get("moves.test");
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert_eq!(scene.accepted()[..2], [1, 0]);
    assert_eq!(scene.asked(), 2, "one query of each type; none between check and dial");
    scene.network.advance(Duration::from_secs(1)); // the minimum lifetime of cached addresses
    let second = scene.get("moves.test");
    assert!(second.starts_with("HTTP/1.1 403"), "{second}");
    assert!(second.contains("moves.test resolves to 10.0.0.1"), "{second}");
    assert_eq!(scene.accepted()[..2], [1, 0], "the denied address is never dialled");
    assert_eq!(scene.asked(), 4);
}

#[test]
fn only_allowed_addresses_of_a_name_are_dialled() {
    let mut scene = Scene::new();
    scene.names.add("both.test 60 A 10.0.0.1");
    scene.names.add("both.test 60 A 93.184.216.34");
    scene.names.add("inner.test 60 CNAME moved.test");
    scene.names.add("moved.test 60 A 10.0.0.1");
    assert!(scene.get("both.test").starts_with("HTTP/1.1 200"));
    assert!(scene.get("inner.test").starts_with("HTTP/1.1 403"));
    assert!(scene.get("localhost").starts_with("HTTP/1.1 403"));
    assert_eq!(scene.accepted()[..2], [1, 0]);
    assert!(!scene.names.zone.heard.iter().any(|heard| heard.0 == "localhost"));
}

#[test]
fn error_response_reports_the_failed_lookup() {
    let mut scene = Scene::new();
    let gone = scene.get("gone.test");
    assert!(gone.starts_with("HTTP/1.1 502") && gone.contains("no such name"), "{gone}");
    assert!(gone.contains("error=dns_error"), "{gone}");
    scene.names.zone.manner = Manner::Code(2);
    let failed = scene.get("other.test");
    assert!(failed.contains("203.0.113.53:53 says SERVFAIL (1 server, 2 attempts)"), "{failed}");
    scene.names.zone.manner = Manner::Silent;
    let client = scene.ask("silent.test", 0);
    assert_eq!(scene.heard(client), "", "the lookup is in flight");
    let silent = scene.wait_for_answer(client);
    assert!(silent.starts_with("HTTP/1.1 504") && silent.contains("error=dns_timeout"), "{silent}");
    let text = "not resolved in time: no answer from 203.0.113.53:53 (1 server, 4 attempts)";
    assert!(silent.contains(text), "{silent}");
    let asked = scene.asked();
    let wrong = scene.get("a~b.test");
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    assert_eq!(scene.asked(), asked, "an invalid name is not queried");
}
