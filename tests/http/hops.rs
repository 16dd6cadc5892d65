//! Hop-by-hop fields, connection options, and the Via field.

use tidegate::http::hop::{self, ConnectionOptions};
use tidegate::http::{Fields, Version};

use super::support::fields;

/// Returns the names of the end-to-end fields.
fn passed(fields: &Fields) -> Vec<String> {
    let hop = ConnectionOptions::of(Version::Http11, fields);
    let passed = fields.iter().filter(|field| !hop.is_hop_by_hop(field));
    passed.map(|field| String::from_utf8(field.name.to_vec()).unwrap()).collect()
}

#[test]
fn hop_by_hop_fields_are_recognized_by_name() {
    let all = fields(&[
        ("Connection", ""),
        ("Proxy-Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic x"),
        ("Proxy-Authenticate", "Basic"),
        ("Trailer", "X"),
        ("Authorization", "Basic y"),
        ("X-Keep-Alive", ""),
    ]);
    assert_eq!(passed(&all), ["Trailer", "Authorization", "X-Keep-Alive"]);
}

#[test]
fn fields_named_by_connection_are_hop_by_hop() {
    let all = fields(&[
        ("a-B", "1"),
        ("Connection", ", A-b ,,keep-alive"),
        ("A-B", "2"),
        ("CONNECTION", "c"),
        ("C", "3"),
        ("D", "4"),
    ]);
    assert_eq!(passed(&all), ["D"]);
}

#[test]
fn connection_options_ignore_case() {
    let of = |version, value| {
        ConnectionOptions::of(version, &fields(&[("Connection", value)])).persistent
    };
    assert!(!of(Version::Http11, "CLOSE"));
    assert!(!of(Version::Http11, "x,,Close "));
    assert!(of(Version::Http11, "closed"));
    assert!(of(Version::Http10, "KEEP-ALIVE"));
    assert!(!of(Version::Http10, "keep-alive, close"));
    assert!(
        ConnectionOptions::of(Version::Http11, &fields(&[("Connection", "a, upGRADE")])).upgrade
    );
    assert!(!ConnectionOptions::of(Version::Http11, &fields(&[("Upgrade", "websocket")])).upgrade);
}

#[test]
fn http_1_1_message_upgrades_to_the_only_protocol_it_names() {
    let of = |version, upgrade| {
        let fields = fields(&[("Connection", "upgrade"), ("Upgrade", upgrade)]);
        hop::upgrade(version, &fields).map(|protocol| String::from_utf8(protocol.to_vec()).unwrap())
    };
    assert_eq!(of(Version::Http11, " WEBSOCKET ,").as_deref(), Some("WEBSOCKET"));
    assert_eq!(of(Version::Http11, "websocket, h2c"), None);
    assert_eq!(of(Version::Http10, "websocket"), None);
}

#[test]
fn via_pseudonym_is_the_second_word_of_an_element() {
    let passed = |via, name| hop::is_loop(&fields(&[("Via", via)]), name);
    assert!(passed("1.1 gate", "GATE"));
    assert!(passed("1.0 other:80 (gate), HTTP/1.1\tgate", "gate"));
    assert!(!passed("1.0 other (gate)", "gate"));
    assert!(!passed("gate", "gate"));
    assert!(!passed("1.1 gate2, 1.1 agate", "gate"));
    assert!(!hop::is_loop(&fields(&[]), "gate"));
}

#[test]
fn via_pseudonym_is_one_token() {
    assert!(hop::is_pseudonym("tidegate-1"));
    for name in ["", "a b", "a,b", "a(b)", "h:80", "\u{e4}", "a\r\n"] {
        assert!(!hop::is_pseudonym(name), "{name:?}");
    }
}
