use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::reactor::{Clock, VirtualClock};
use crate::work::{LOOK_UP, Mark};

const DROP: &str = "after 3 of 401,403 within 1m -> drop for 10m";
const STATUS: Offence = Offence::Status(401);
const NANO: Duration = Duration::from_nanos(1);

/// First second of 2026, at which the virtual clock begins.
const START: u64 = 1_767_225_600;

struct Setup {
    bans: Bans,
    clock: VirtualClock,
}

impl Setup {
    fn new(rules: &[&str]) -> Self {
        Self::with(rules, &[], 1000)
    }

    fn with(rules: &[&str], allowed: &[&str], bound: usize) -> Self {
        let bans = Bans::new(parsed(rules), parsed(allowed), bound);
        Self { bans, clock: VirtualClock::default() }
    }

    fn note(&mut self, client: &str, offence: Offence) -> Vec<Begun> {
        self.bans.note(ip(client), offence, self.clock.now())
    }

    /// Notes as many offences, and returns the bans that begin with the last one.
    fn note_all(&mut self, client: &str, offence: Offence, count: u32) -> Vec<Begun> {
        (1..count).for_each(|_| assert_eq!(self.note(client, offence), []));
        self.note(client, offence)
    }

    fn ban(&mut self, network: &str, action: BanAction, time: u64) -> Begun {
        let now = self.clock.now();
        self.bans.ban(cidr(network), action, seconds(time), "as told", now).unwrap()
    }

    fn check(&self, client: &str) -> Option<(BanAction, String, u64)> {
        let ban = self.bans.check(ip(client), self.clock.now().mono)?;
        Some((ban.action, ban.network.to_string(), ban.left.as_secs()))
    }

    fn is_banned(&self, client: &str) -> bool {
        self.check(client).is_some()
    }

    fn expire(&mut self, most: usize) -> Vec<String> {
        networks(&self.bans.expire(self.clock.now(), most))
    }

    fn restore(&mut self, text: &str) -> Result<usize, String> {
        self.bans.restore(text, self.clock.now())
    }

    fn advance(&self, time: u64) {
        self.clock.advance(seconds(time));
    }
}

fn parsed<T: std::str::FromStr<Err = String>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn networks(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {}", entry.network, entry.action)).collect()
}

#[test]
fn ban_begins_with_the_last_offence_and_ends_in_time() {
    let mut setup = Setup::new(&[DROP]);
    let client = "192.0.2.1";
    assert_eq!(setup.note(client, STATUS), []);
    setup.advance(30);
    assert_eq!(setup.note(client, Offence::Status(403)), []);
    assert!(!setup.is_banned(client) && setup.bans.is_empty());
    assert_eq!(setup.bans.next_deadline(), None);
    setup.clock.advance(seconds(30) - NANO);
    let now = setup.clock.now();
    let begun = setup.note(client, STATUS);
    let ban = Entry {
        network: cidr(client),
        action: BanAction::Drop,
        since: now.wall,
        until: now.wall + seconds(600),
        left: seconds(600),
        offences: 3,
        by_operator: false,
        why: DROP.into(),
    };
    assert_eq!(begun, [Begun { ban: ban.clone(), is_renewed: false, displaced: None }]);
    assert_eq!(setup.bans.next_deadline(), Some(now.mono + seconds(600)));
    let found = setup.bans.check(ip(client), now.mono + seconds(1)).unwrap();
    assert_eq!((found.left, found.why), (seconds(599), DROP));
    assert!(!setup.is_banned("192.0.2.2"));

    setup.clock.advance(seconds(600) - NANO);
    assert!(setup.is_banned(client) && setup.expire(9).is_empty());
    setup.clock.advance(NANO);
    assert!(!setup.is_banned(client) && setup.bans.list(setup.clock.now()).is_empty());
    assert_eq!(setup.bans.len(), 1, "it is kept for the log");
    let ended = setup.bans.expire(setup.clock.now(), 9);
    assert_eq!(ended, [Entry { left: Duration::ZERO, ..ban }]);
    assert!(setup.bans.is_empty());
}

#[test]
fn old_offences_do_not_count() {
    let mut setup = Setup::new(&[DROP]);
    for _ in 0..20 {
        assert_eq!(setup.note("192.0.2.1", STATUS), []);
        setup.advance(30);
    }
}

#[test]
fn other_offences_do_not_count() {
    let mut setup = Setup::new(&["after 1 of handshake,5xx within 1m -> 429 for 1m"]);
    let others = [Offence::Refused, Offence::Malformed, Offence::Status(200), Offence::Status(499)];
    for offence in others {
        assert_eq!(setup.note("192.0.2.1", offence), []);
    }
    assert_eq!(setup.note("192.0.2.1", Offence::Handshake).len(), 1);
    assert_eq!(setup.note("192.0.2.2", Offence::Status(503)).len(), 1);
}

#[test]
fn count_begins_again_after_a_ban() {
    let mut setup = Setup::new(&[DROP]);
    assert_eq!(setup.note_all("192.0.2.1", STATUS, 3).len(), 1);
    setup.advance(10);
    let begun = setup.note_all("192.0.2.1", STATUS, 3);
    assert!(begun[0].is_renewed, "connections that were open still fail");
    assert_eq!(begun[0].ban.offences, 6);
    assert_eq!((begun[0].ban.since, begun[0].ban.until), (at(START), at(START + 610)));
    setup.advance(610);
    assert!(!setup.note_all("192.0.2.1", STATUS, 3)[0].is_renewed);
}

#[test]
fn networks_are_counted_by_the_rule() {
    let by = |by: &str| format!("after 3 of 401 within 1m by {by} -> drop for 10m");
    for (unit, clients, banned, free) in [
        (
            "address",
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"],
            "::ffff:192.0.2.1",
            "192.0.2.2",
        ),
        ("/24", ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3"], "192.0.2.255", "192.0.3.0"),
        (
            "address",
            ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"],
            "2001:db8::3",
            "2001:db8:0:1::1",
        ),
        (
            "/24,/48",
            ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"],
            "2001:db8:0:ffff::1",
            "2001:db8:1::1",
        ),
        ("/128", ["2001:db8::1", "2001:db8::1", "2001:db8::1"], "2001:db8::1", "2001:db8::2"),
    ] {
        let mut setup = Setup::new(&[&by(unit)]);
        assert!(
            setup.note(clients[0], STATUS).is_empty() && setup.note(clients[1], STATUS).is_empty()
        );
        assert_eq!(setup.note(clients[2], STATUS).len(), 1, "{unit} {clients:?}");
        assert!(setup.is_banned(banned) && !setup.is_banned(free), "{unit} {clients:?}");
    }
}

#[test]
fn loopback_and_allowed_networks_are_never_banned() {
    let rule = "after 1 of 401 within 1m by /24 -> drop for 10m";
    let mut setup = Setup::with(&[rule], &["192.0.2.128/25", "2001:db8::/32"], 10);
    for client in
        ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "192.0.2.200", "2001:db8::1"]
    {
        assert_eq!(setup.note(client, STATUS), [], "{client}");
    }
    assert_eq!(setup.note("192.0.2.1", STATUS).len(), 1);
    assert!(setup.is_banned("192.0.2.2"));
    assert!(!setup.is_banned("192.0.2.200"), "the network around it is banned");
    setup.ban("0.0.0.0/0", BanAction::Drop, 60);
    assert!(setup.is_banned("198.51.100.1"));
    assert!(!setup.is_banned("127.0.0.1") && !setup.is_banned("::ffff:192.0.2.200"));

    let now = setup.clock.now();
    for (network, message) in [
        ("127.0.0.0/8", "127.0.0.0/8 is loopback, which is never banned"),
        ("127.0.0.1", "127.0.0.1 is loopback, which is never banned"),
        ("::1", "::1 is loopback, which is never banned"),
        (
            "192.0.2.192/26",
            "192.0.2.192/26 is not banned, since 192.0.2.128/25 is allowed; remove it from the \
             allowed networks first",
        ),
    ] {
        let refused = setup.bans.ban(cidr(network), BanAction::Drop, seconds(60), "", now);
        assert_eq!(refused.unwrap_err(), message);
    }
}

#[test]
fn strongest_action_in_force_is_found() {
    let mut setup = Setup::new(&[]);
    setup.ban("192.0.2.0/24", BanAction::TooMany, 600);
    setup.ban("192.0.2.1", BanAction::Delay, 900);
    setup.ban("192.0.0.0/16", BanAction::Drop, 60);
    setup.ban("192.0.2.0/24", BanAction::Drop, 300);
    setup.ban("::/0", BanAction::Drop, 5000);
    let expect = |time: u64, ban: Option<(BanAction, &str, u64)>| {
        setup.advance(time);
        let ban = ban.map(|(action, network, left)| (action, network.to_owned(), left));
        assert_eq!(setup.check("192.0.2.1"), ban);
    };
    expect(0, Some((BanAction::Drop, "192.0.2.0/24", 300))); // of equal actions, it ends last
    expect(300, Some((BanAction::TooMany, "192.0.2.0/24", 300)));
    expect(300, Some((BanAction::Delay, "192.0.2.1", 300)));
    expect(300, None);
    assert_eq!(setup.expire(2), ["192.0.0.0/16 drop", "192.0.2.0/24 drop"], "in order of ends");
    assert_eq!(setup.expire(9), ["192.0.2.0/24 429", "192.0.2.1 delay"]);
    assert!(setup.is_banned("2001:db8::1"));
    assert!(BanAction::HOLD > Duration::ZERO);
}

#[test]
fn rules_escalate() {
    let mut setup = Setup::new(&[
        "after 2 of 404 within 1m -> 429 for 1m",
        "after 3 of 429 within 1m by /24 -> drop for 1h",
    ]);
    assert_eq!(setup.note_all("192.0.2.1", Offence::Status(404), 2).len(), 1);
    assert_eq!(setup.check("192.0.2.1").unwrap().0, BanAction::TooMany);
    assert_eq!(setup.note_all("192.0.2.1", Offence::Status(429), 3).len(), 1);
    assert_eq!(setup.check("192.0.2.9"), Some((BanAction::Drop, "192.0.2.0/24".into(), 3600)));
}

#[test]
fn offence_begins_the_bans_of_all_its_rules() {
    let mut setup = Setup::new(&[
        "after 2 of 4xx within 1m -> 429 for 1h",
        "after 2 of 401 within 1m by /24 -> drop for 1m",
        "after 2 of 401 within 1m -> 429 for 1m",
        "after 2 of 401 within 1m -> 429 for 2h",
    ]);
    let begun: Vec<Entry> =
        setup.note_all("192.0.2.1", STATUS, 2).into_iter().map(|begun| begun.ban).collect();
    assert_eq!(networks(&begun), ["192.0.2.1 429", "192.0.2.0/24 drop", "192.0.2.1 429"]);
    assert_eq!(setup.bans.len(), 2, "one for each network and action, which ends last");
    setup.advance(60);
    assert_eq!(setup.check("192.0.2.1"), Some((BanAction::TooMany, "192.0.2.1".into(), 7140)));
}

#[test]
fn operator_replaces_bans_and_rules_only_prolong_them() {
    let mut setup = Setup::new(&[DROP]);
    let client = "192.0.2.1";
    setup.ban(client, BanAction::Drop, 3600);
    assert_eq!(setup.note_all(client, STATUS, 3), [], "the ban of the operator lasts longer");
    let begun = setup.ban(client, BanAction::Drop, 60);
    assert!(begun.is_renewed && begun.ban.by_operator);
    assert_eq!(&*begun.ban.why, "as told");
    assert_eq!(setup.check(client).unwrap().2, 60);
    assert!(setup.note_all(client, STATUS, 3)[0].is_renewed);
    assert_eq!(setup.check(client).unwrap().2, 600);
    assert_eq!(setup.bans.len(), 1);
    let now = setup.clock.now();
    let why = format!(" a\r\nb\u{1b}[0m {}", "ä".repeat(300));
    let begun = setup.bans.ban(cidr(client), BanAction::Drop, Duration::MAX, &why, now).unwrap();
    assert_eq!(begun.ban.left, rule::LONGEST);
    assert!(begun.ban.why.starts_with("a  b [0m ä") && begun.ban.why.chars().count() == 250);
}

#[test]
fn lift_concerns_the_network_and_all_inside() {
    let mut setup = Setup::new(&[DROP, "after 3 of 401 within 1m by /24 -> 429 for 10m"]);
    for network in ["192.0.2.1", "192.0.2.0/24", "192.0.0.0/16", "192.0.3.1", "2001:db8::/64"] {
        setup.ban(network, BanAction::Drop, 60);
    }
    setup.ban("192.0.2.1", BanAction::Delay, 60);
    setup.note("192.0.2.7", STATUS);
    setup.note("192.0.2.7", STATUS);
    setup.bans.changed();
    assert_eq!(setup.bans.lift(cidr("198.51.100.0/24")), []);
    assert!(!setup.bans.changed());
    let lifted = setup.bans.lift(cidr("192.0.2.0/24"));
    assert_eq!(networks(&lifted), ["192.0.2.0/24 drop", "192.0.2.1 delay", "192.0.2.1 drop"]);
    assert_eq!(lifted[0].left, Duration::ZERO);
    assert!(setup.bans.changed());
    assert_eq!(setup.check("192.0.2.1").unwrap().1, "192.0.0.0/16", "it is around the network");
    assert_eq!(setup.note("192.0.2.7", STATUS), [], "the counters are forgotten");
    assert_eq!(networks(&setup.bans.lift(cidr("2001:db8::5"))), ["2001:db8::/64 drop"]);
    assert_eq!(
        networks(&setup.bans.lift(cidr("0.0.0.0/0"))),
        ["192.0.0.0/16 drop", "192.0.3.1 drop"]
    );
    assert!(setup.bans.is_empty() && setup.bans.next_deadline().is_none());
}

#[test]
fn reconfiguration_keeps_bans_and_counters_of_rules_that_stay() {
    let other = "after 2 of 404 within 1m -> 429 for 1m";
    let mut setup = Setup::new(&[DROP, other]);
    setup.ban("192.0.2.0/24", BanAction::Drop, 60);
    setup.ban("198.51.100.1", BanAction::Drop, 60);
    setup.note("203.0.113.1", STATUS);
    setup.note("203.0.113.1", STATUS);
    setup.note("203.0.113.1", Offence::Status(404));
    setup.bans.changed();
    let lifted = setup.bans.reconfigure(parsed(&[DROP]), parsed(&["198.51.100.0/24", "192.0.2.9"]));
    assert_eq!(networks(&lifted), ["198.51.100.1 drop"]);
    assert!(setup.bans.changed());
    assert!(setup.is_banned("192.0.2.1") && !setup.is_banned("192.0.2.9"));
    assert_eq!(setup.note("203.0.113.1", STATUS).len(), 1, "the third offence");
    assert_eq!(setup.bans.reconfigure(parsed(&[other, DROP]), Vec::new()), []);
    assert!(setup.is_banned("192.0.2.9") && setup.is_banned("203.0.113.1"));
    assert_eq!(setup.note("203.0.113.1", Offence::Status(404)), [], "the rule is a new one");
    setup.bans.reconfigure(Vec::new(), Vec::new());
    assert_eq!(setup.note_all("198.51.100.7", STATUS, 9), []);
}

#[test]
fn changes_are_reported_once() {
    let mut setup = Setup::new(&[DROP]);
    assert!(!setup.bans.changed());
    setup.note("192.0.2.1", STATUS);
    setup.note("192.0.2.1", STATUS);
    assert!(!setup.bans.changed(), "counters are not saved");
    setup.note("192.0.2.1", STATUS);
    assert!(setup.bans.changed() && !setup.bans.changed());
    setup.advance(600);
    assert!(!setup.bans.changed());
    setup.expire(1);
    assert!(setup.bans.changed());
    setup.expire(1);
    assert!(!setup.bans.changed());
}

#[test]
fn full_table_keeps_bans_of_the_operator() {
    let mut setup = Setup::with(&["after 1 of 401 within 1m -> drop for 10m"], &[], 3);
    setup.ban("198.51.100.1", BanAction::Drop, 10);
    setup.note("192.0.2.1", STATUS);
    setup.advance(1);
    setup.note("192.0.2.2", STATUS);
    let begun = setup.note("192.0.2.3", STATUS);
    let displaced = begun[0].displaced.as_ref().unwrap();
    assert_eq!((displaced.network, displaced.left), (cidr("192.0.2.1"), Duration::ZERO));
    assert!(setup.note("192.0.2.3", STATUS).is_empty(), "it does not last longer");
    setup.ban("198.51.100.2", BanAction::Drop, 20);
    setup.ban("198.51.100.3", BanAction::Drop, 30);
    assert_eq!(setup.note("192.0.2.4", STATUS), [], "there is no room");
    assert!(!setup.is_banned("192.0.2.4"));
    let begun = setup.ban("198.51.100.4", BanAction::Drop, 40);
    assert_eq!(begun.displaced.unwrap().network, cidr("198.51.100.1"));
    assert_eq!(setup.bans.len(), 3);
}

#[test]
fn million_addresses_take_bounded_memory_and_steps() {
    let mut setup = Setup::with(&["after 2 of 401 within 1h -> drop for 1h"], &[], 1000);
    setup.note_all("192.0.2.1", STATUS, 2);
    setup.advance(1);
    let (before, now) = (Mark::now(), setup.clock.now());
    for bits in 0x0B00_0000..0x0B0F_4240 {
        assert_eq!(setup.bans.note(IpAddr::V4(u32::into(bits)), STATUS, now), []);
    }
    assert_eq!((setup.bans.counters.len(), setup.bans.len()), (1000, 1));
    assert!(before.steps() <= 1_000_000 * 2 * LOOK_UP as u64, "{} steps", before.steps());
    assert!(setup.is_banned("192.0.2.1"), "counters take no room from bans");

    let before = Mark::now();
    for bits in 0x0B00_0000u32..0x0B0F_4240 {
        for _ in 0..2 {
            setup.bans.note(IpAddr::V4(bits.into()), STATUS, now);
        }
    }
    assert!(setup.bans.counters.len() <= 1000 && setup.bans.len() == 1000);
    assert!(before.steps() <= 1_000_000 * 16 * LOOK_UP as u64, "{} steps", before.steps());
    let before = Mark::now();
    assert!(setup.is_banned("11.15.66.63") && !setup.is_banned("192.0.2.1"));
    assert!(before.steps() <= 4 * LOOK_UP as u64, "one look-up for the one prefix length");
    setup.advance(3600);
    let before = Mark::now();
    assert_eq!(setup.expire(10).len(), 10);
    assert!(before.steps() <= 10 * 4 * LOOK_UP as u64, "{} steps", before.steps());
    assert!(setup.bans.next_deadline().unwrap() <= setup.clock.now().mono, "more have ended");
    assert_eq!(setup.expire(2000).len(), 990);
    let before = Mark::now();
    assert!(!setup.is_banned("192.0.2.1"));
    assert_eq!(before.steps(), 0, "nothing is looked up without bans");
}

#[test]
fn text_has_a_line_for_each_ban() {
    let mut setup = Setup::new(&[DROP]);
    assert_eq!(setup.bans.to_text(), "tidegate bans 1\n");
    setup.clock.advance(Duration::from_millis(500));
    setup.note_all("192.0.2.1", STATUS, 3);
    setup.ban("2001:db8::/48", BanAction::TooMany, 60);
    let text = format!(
        "tidegate bans 1\n\
         192.0.2.1 drop {START} {} 3 rule {DROP}\n\
         2001:db8::/48 429 {START} {} 0 operator as told\n",
        START + 601,
        START + 61,
    );
    assert_eq!(setup.bans.to_text(), text);
    let mut other = Setup::new(&[]);
    assert_eq!(other.restore(&text), Ok(2));
    assert_eq!(other.bans.to_text(), text);
    assert!(!other.bans.changed());
    assert_eq!(other.check("192.0.2.1"), Some((BanAction::Drop, "192.0.2.1".into(), 601)));
    let listed = other.bans.list(other.clock.now());
    assert_eq!((listed[1].since, listed[1].until), (at(START), at(START + 61)));
    assert!(listed[1].by_operator && listed[0].offences == 3);
}

#[test]
fn restore_leaves_out_ended_and_allowed_bans() {
    let (mut setup, end) = (Setup::with(&[], &["192.0.2.0/24"], 10), START + 1);
    let text = format!(
        "tidegate bans 1\n192.0.2.1 drop 0 {end} 3 rule r\n127.0.0.1 drop 0 {end} 3 rule r\n\
         198.51.100.1 drop 0 {START} 3 rule r\n\n198.51.100.2 drop 0 {end} 3 rule \n\
         ::ffff:198.51.100.3 429 {end} 253402300799 0 operator  o  p \n"
    );
    assert_eq!(setup.restore(&text), Ok(2));
    let listed = setup.bans.list(setup.clock.now());
    assert_eq!(networks(&listed), ["198.51.100.2 drop", "198.51.100.3 429"]);
    assert_eq!((&*listed[0].why, &*listed[1].why), ("", "o  p"));
    assert_eq!((listed[0].left, listed[1].left), (seconds(1), rule::LONGEST));
}

#[test]
fn malformed_text_is_rejected_with_the_line() {
    let good = format!("tidegate bans 1\n192.0.2.1 drop 0 {} 3 rule r\n", START + 60);
    let mut setup = Setup::new(&[]);
    for (line, message) in [
        (
            "192.0.2.2 drop 0 1 3 rule",
            "a part is missing; expected NETWORK ACTION SINCE UNTIL OFFENCES rule|operator WORDS",
        ),
        ("192.0.2 drop 0 1 3 rule r", "'192.0.2' is not an IP address"),
        (
            "192.0.2.1/24 drop 0 1 3 rule r",
            "'192.0.2.1/24' has bits set behind the prefix; did you mean 192.0.2.0/24?",
        ),
        ("192.0.2.2 ban 0 1 3 rule r", "'ban' is none of delay, 429, drop"),
        ("192.0.2.2 drop -1 1 3 rule r", "'-1' is not a time in seconds since 1970"),
        (
            "192.0.2.2 drop 0 253402300800 3 rule r",
            "'253402300800' is not a time in seconds since 1970",
        ),
        ("192.0.2.2 drop 0 1 +3 rule r", "'+3' is not a number of offences"),
        ("192.0.2.2 drop 0 1 4294967296 rule r", "'4294967296' is not a number of offences"),
        ("192.0.2.2 drop 0 1 3 me r", "'me' is neither rule nor operator"),
    ] {
        assert_eq!(setup.restore(&format!("{good}{line}\n")), Err(format!("line 3: {message}")));
    }
    assert_eq!(setup.restore(""), Err("line 1: '' is not 'tidegate bans 1'".into()));
    assert_eq!(
        setup.restore("tidegate bans 2\n"),
        Err("line 1: 'tidegate bans 2' is not 'tidegate bans 1'".into())
    );
    assert!(setup.bans.is_empty(), "no line of a malformed text counts");
    assert_eq!(setup.restore(&good), Ok(1));
}

/// Lines of a file, mostly valid.
fn line() -> impl Strategy<Value = String> {
    let valid = (
        "(10|11)\\.0\\.0\\.[0-9]|10\\.0\\.[0-9]\\.0/24|2001:db8::[0-9a-f]|2001:db8:[0-9]::/64",
        "delay|429|drop",
        0u64..4_000_000_000,
        0u64..4_000_000_000,
        any::<u32>(),
        "(rule|operator) \\PC{0,20}",
    );
    let valid = valid.prop_map(|(network, action, since, until, offences, rest)| {
        format!("{network} {action} {since} {until} {offences} {rest}")
    });
    prop_oneof![9 => valid, 1 => "\\PC{0,40}", 1 => Just(String::new())]
}

proptest! {
    /// Any text is read or refused; what is read is written and read again without a change.
    #[test]
    fn restore_never_panics_and_reverses_to_text(
        header in prop_oneof![9 => Just("tidegate bans 1".to_owned()), 1 => any::<String>()],
        lines in vec(line(), 0..8),
        bound in 1usize..10,
    ) {
        let mut setup = Setup::with(&[], &["11.0.0.0/8"], bound);
        if setup.restore(&format!("{header}\n{}", lines.join("\n"))).is_ok() {
            let text = setup.bans.to_text();
            let mut other = Setup::with(&[], &[], bound);
            prop_assert_eq!(other.restore(&text), Ok(setup.bans.len()));
            prop_assert_eq!(other.bans.to_text(), text);
            prop_assert!(!setup.is_banned("11.0.0.1"));
        }
    }

    /// Any sequence of operations leaves the table consistent, within its bound, and what `check`
    /// finds is what a list of all bans says.
    #[test]
    fn check_agrees_with_the_list(
        steps in vec((0u8..6, 0u8..4, 0usize..3, 1u64..100), 1..80),
        bound in 1usize..12,
    ) {
        let rule = "after 2 of 401 within 1m by /24 -> 429 for 1m";
        let mut setup = Setup::with(&[rule], &["10.0.3.1"], bound);
        for (step, byte, action, time) in steps {
            let now = setup.clock.now();
            let (address, action) = (format!("10.0.{byte}.1"), BanAction::ALL[action]);
            let networks = [address.clone(), format!("10.0.{byte}.0/24"), "10.0.0.0/16".into()];
            let network = cidr(&networks[usize::try_from(time % 3).unwrap()]);
            match step {
                0 => setup.advance(time),
                1 => drop(setup.bans.expire(now, 2)),
                2 => drop(setup.bans.lift(network)),
                3 => drop(setup.note(&address, STATUS)),
                _ => drop(setup.bans.ban(network, action, seconds(time), "", now)),
            }
            let now = setup.clock.now();
            prop_assert!(setup.bans.len() <= bound);
            let list = setup.bans.list(now);
            for client in (0..4).map(|byte| format!("10.0.{byte}.1")) {
                let bans = list.iter().filter(|ban| ban.network.contains(ip(&client)));
                let strongest = bans.map(|ban| (ban.action, ban.left)).max();
                let found = setup.bans.check(ip(&client), now.mono);
                let found = found.map(|ban| (ban.action, ban.left));
                prop_assert_eq!(found, strongest.filter(|_| client != "10.0.3.1"));
            }
            let first = list.iter().map(|ban| now.mono + ban.left).min();
            let deadline = setup.bans.next_deadline();
            prop_assert!(deadline <= first || first.is_none());
            prop_assert_eq!(deadline.is_none(), setup.bans.is_empty());
        }
        setup.advance(100_000);
        setup.expire(bound);
        prop_assert!(setup.bans.is_empty() && !setup.is_banned("10.0.0.1"));
    }
}

#[test]
fn event_of_several_kinds_counts_once_under_a_rule() {
    let mut setup = Setup::new(&["after 2 of 4xx,refused within 1m -> 429 for 1m"]);
    let both = [Offence::Status(403), Offence::Refused];
    let mut note =
        |kinds: &[Offence]| setup.bans.note_event(ip("192.0.2.1"), kinds, setup.clock.now()).len();
    assert_eq!([note(&both), note(&[Offence::Status(200)]), note(&both)], [0, 0, 1]);
}
