//! Requests that a hook observes and edits.

use tidegate::app::FieldRule;
use tidegate::auth::{AuthSettings, FailureLimit, PathPrefix, Side, Users};
use tidegate::proxy::{
    Action, AuthRules, HookError, LogFormat, ProtectionSpace, RequestEdit, Settings,
};

use crate::stage::{Stage, content, field};

fn observe(_: &mut RequestEdit<'_>) -> Action {
    Action::Continue
}

/// Rules by which alice has to give her password.
fn for_alice() -> AuthRules {
    let mut users = Users::default();
    users.read("users", b"alice:$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/").unwrap();
    let settings = AuthSettings::new(Side::Origin, "gate".parse().unwrap());
    let space = ProtectionSpace::new(PathPrefix::everything(), settings, users);
    AuthRules { spaces: vec![space], ban: FailureLimit::Off }
}

#[test]
fn hook_sees_request_and_addresses() {
    let mut stage = Stage::new(observe);
    let response = stage.get("/a?b", "Accept: x/y\r\n");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let seen = "GET /a?b (Host: h.example, Accept: x/y) from 198.51.100.1 via 198.51.100.1 \
                to 203.0.113.1:3128 as -";
    assert_eq!(stage.asked(), [seen]);
}

#[test]
fn hook_sees_client_that_trusted_proxy_reports() {
    let trust = |settings: &mut Settings| {
        settings.trusted_proxies = vec!["198.51.100.0/24".parse().unwrap()];
    };
    let mut stage = Stage::with(trust, observe);
    stage.get("/", "X-Forwarded-For: 192.0.2.9\r\n");
    let [seen] = &stage.asked()[..] else { panic!("the hook is asked once") };
    assert!(seen.contains(" from 192.0.2.9 via 198.51.100.1 "), "{seen}");
}

#[test]
fn hook_sees_user_without_credentials_and_no_unauthenticated_request() {
    let mut stage = Stage::with(|settings| settings.service.auth = Some(for_alice()), observe);
    let response = stage.get("/", "");
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert_eq!(stage.asked(), [""; 0]);
    let [finished] = &stage.finished()[..] else { panic!("one exchange has finished") };
    assert!(finished.starts_with("GET http://h.example/ 401 DENIED "), "{finished}");

    let response = stage.get("/", "Authorization: Basic YWxpY2U6c2VjcmV0\r\n");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let [seen] = &stage.asked()[..] else { panic!("the hook is asked once") };
    assert!(seen.starts_with("GET / (Host: h.example) ") && seen.ends_with(" as alice"), "{seen}");
}

#[test]
fn hook_is_not_asked_about_clients_that_may_not_use_the_proxy() {
    let deny = |settings: &mut Settings| {
        settings.service.clients = vec!["192.0.2.0/24".parse().unwrap()];
    };
    let mut stage = Stage::with(deny, observe);
    let response = stage.get("/", "");
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    assert_eq!(stage.asked(), [""; 0]);
}

#[test]
fn explanation_does_not_ask_hook() {
    let mut stage = Stage::new(observe);
    let text = stage.explain("GET\thttp://h.example/\t198.51.100.1");
    assert!(text.contains("would fetch"), "{text}");
    assert_eq!(stage.asked(), [""; 0]);
    assert_eq!(stage.finished(), [""; 0]);
}

fn edit(request: &mut RequestEdit<'_>) -> Action {
    request.set("X-Set", "new").unwrap();
    request.add("X-Added", " second\t").unwrap();
    request.remove("x-removed").unwrap();
    request.remove("X-Missing").unwrap();
    request.set("Authorization", b"Basic \xff").unwrap();
    request.remove("Authorization").unwrap();
    Action::Continue
}

#[test]
fn origin_receives_edited_fields() {
    let mut stage = Stage::new(edit);
    let fields = "x-set: old\r\nX-Removed: 1\r\nX-Set: older\r\nX-Added: first\r\nX-Kept: 1\r\n";
    stage.get("/", fields);
    let [head] = &stage.requests()[..] else { panic!("the origin is asked once") };
    let lines: Vec<&str> = head.lines().collect();
    let edited = ["X-Added: first", "X-Kept: 1", "X-Set: new", "X-Added: second"];
    assert_eq!(lines[..2], ["GET / HTTP/1.1", "Host: h.example"], "{head}");
    assert_eq!(lines[2..6], edited, "{head}");
    assert!(!head.to_lowercase().contains("x-removed"), "{head}");
    assert!(!head.contains("Authorization"), "{head}");
}

#[test]
fn edited_request_keeps_its_content() {
    let mut stage = Stage::new(edit);
    let client = stage.connect();
    stage.send(client, "POST / HTTP/1.1\r\nHost: h.example\r\nContent-Length: 3\r\n\r\nabc");
    stage.send(client, "GET /next HTTP/1.1\r\nHost: h.example\r\n\r\n");
    let received = stage.received(client);
    assert_eq!(received.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{received}");
    let heads = stage.requests();
    assert!(heads[0].contains("\r\nContent-Length: 3\r\n"), "{heads:?}");
    assert!(heads[1].starts_with("GET /next "), "{heads:?}");
}

fn name_agent(request: &mut RequestEdit<'_>) -> Action {
    request.set("User-Agent", "edited").unwrap();
    Action::Continue
}

#[test]
fn log_shows_edited_fields() {
    let mut stage = Stage::with(|settings| settings.log = Some(LogFormat::Combined), name_agent);
    stage.get("/", "User-Agent: received\r\n");
    let [line] = &stage.log()[..] else { panic!("one line is logged") };
    assert!(line.ends_with(" \"edited\""), "{line}");
}

/// Clients get one language, unless they ask for German.
fn in_english(request: &mut RequestEdit<'_>) -> Action {
    if request.head().fields().all_named(b"Accept-Language").all(|value| value != b"de") {
        request.set("Accept-Language", "en").unwrap();
    }
    Action::Continue
}

#[test]
fn edited_field_selects_stored_variant() {
    let mut stage = Stage::new(in_english);
    let cached = |response: &str| field(response, "Cache-Status").unwrap().contains("; hit");
    for (language, selected, hit) in
        [("fr", "en", false), ("es", "en", true), ("de", "de", false), ("de", "de", true)]
    {
        let response = stage.get("/", &format!("Accept-Language: {language}\r\n"));
        assert_eq!(content(&response), selected, "{response}");
        assert_eq!(cached(&response), hit, "{response}");
    }
    assert_eq!(stage.requests().len(), 2);
}

fn only_if_cached(request: &mut RequestEdit<'_>) -> Action {
    request.add("Cache-Control", "only-if-cached").unwrap();
    Action::Continue
}

#[test]
fn edited_cache_control_counts() {
    let mut stage = Stage::new(only_if_cached);
    let response = stage.get("/", "");
    assert!(response.starts_with("HTTP/1.1 504 "), "{response}");
    assert_eq!(stage.requests(), [""; 0]);
}

#[track_caller]
fn assert_rule(result: &Result<(), HookError>, name: &str, rule: FieldRule) {
    assert_eq!(result, &Err(HookError::Field { name: name.to_owned(), rule }));
}

fn try_all(request: &mut RequestEdit<'_>) -> Action {
    let before = request.head().clone();
    let forbidden = [
        (FieldRule::Host, "host"),
        (FieldRule::Framing, "Content-Length"),
        (FieldRule::Framing, "transfer-encoding"),
        (FieldRule::Framing, "Trailer"),
        (FieldRule::Framing, "Expect"),
        (FieldRule::HopByHop, "Connection"),
        (FieldRule::HopByHop, "Keep-Alive"),
        (FieldRule::HopByHop, "Proxy-Connection"),
        (FieldRule::HopByHop, "Proxy-Authorization"),
        (FieldRule::HopByHop, "TE"),
        (FieldRule::HopByHop, "Upgrade"),
        (FieldRule::HopByHop, "x-named"),
        (FieldRule::Own, "Via"),
        (FieldRule::Own, "Forwarded"),
        (FieldRule::Own, "X-Forwarded-For"),
        (FieldRule::Own, "x-forwarded-port"),
        (FieldRule::Own, "CDN-Loop"),
        (FieldRule::Name, "two words"),
        (FieldRule::Name, ""),
    ];
    for (rule, name) in forbidden {
        assert_rule(&request.set(name, "1"), name, rule);
        assert_rule(&request.add(name, "1"), name, rule);
        assert_rule(&request.remove(name), name, rule);
    }
    for name in ["X-Real-IP", "X_Forwarded_For", "Proxy", "X-HTTP-Method-Override"] {
        assert_rule(&request.set(name, "1"), name, FieldRule::Claim);
        assert_rule(&request.add(name, "1"), name, FieldRule::Claim);
    }
    assert_rule(&request.set("X", "a\r\nHost: b"), "X", FieldRule::Value);
    assert_rule(&request.add("X", "\0"), "X", FieldRule::Value);
    assert_rule(&request.add("X", "long".repeat(2500)), "X", FieldRule::TooLarge);
    assert_eq!(request.head(), &before, "nothing is changed");
    for _ in before.fields().len()..128 {
        request.add("X", "1").unwrap();
    }
    assert_rule(&request.add("X", "1"), "X", FieldRule::TooLarge);
    request.remove("X").unwrap();
    request.remove("X-Real-IP").unwrap();
    Action::Continue
}

#[test]
fn forbidden_edits_change_nothing_and_say_why() {
    let mut stage = Stage::new(try_all);
    let response = stage.get("/", "Connection: X-Named\r\nX-Named: 1\r\nX-Real-IP: 192.0.2.1\r\n");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let [head] = &stage.requests()[..] else { panic!("the origin is asked once") };
    assert!(!head.contains("X-Named") && !head.contains("X-Real-IP"), "{head}");
}
