//! Arbitrary responses: an operation ends, within its time and its number of requests.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::ca::{Ca, Reply};
use super::world::{issuance, run_with};

const KINDS: [&str; 8] = [
    "badNonce",
    "rateLimited",
    "accountDoesNotExist",
    "orderNotReady",
    "alreadyReplaced",
    "caa",
    "serverInternal",
    "malformed",
];
const STATUSES: [&str; 6] = ["pending", "processing", "ready", "valid", "invalid", "other"];

/// Change of a response.
#[derive(Clone, Debug)]
enum Change {
    None,
    Lost,
    Status(u16),
    Problem(u16, usize),
    RetryAfter(String),
    NoNonce,
    Body(Vec<u8>),
    ObjectStatus(usize),
    Member(usize, Value),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!("https://ca.example/authorization/0")),
        Just(json!("https://ca.example/current")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            (".{0,8}", inner).prop_map(|(name, value)| json!({ name: value })),
        ]
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => Just(Change::None),
        2 => Just(Change::Lost),
        1 => (0_u16..1000).prop_map(Change::Status),
        3 => (400_u16..600, 0..KINDS.len()).prop_map(|(status, kind)| Change::Problem(status, kind)),
        3 => "[0-9]{1,4}|.{0,9}".prop_map(Change::RetryAfter),
        2 => Just(Change::NoNonce),
        1 => vec(any::<u8>(), 0..200).prop_map(Change::Body),
        4 => (0..STATUSES.len()).prop_map(Change::ObjectStatus),
        2 => (any::<usize>(), value()).prop_map(|(at, value)| Change::Member(at, value)),
    ]
}

fn apply(change: &Change, mut reply: Reply) -> Option<Reply> {
    let mut body = serde_json::from_slice::<Value>(&reply.body).ok();
    match (change, body.as_mut().and_then(Value::as_object_mut)) {
        (Change::Lost, _) => return None,
        (Change::Status(status), _) => reply.status = *status,
        (Change::Problem(status, kind), _) => {
            let nonce = reply.nonce.take();
            reply = Reply { nonce, ..Reply::problem(*status, KINDS[*kind], "changed") };
            body = None;
        }
        (Change::RetryAfter(value), _) => reply.retry_after = Some(value.clone()),
        (Change::NoNonce, _) => reply.nonce = None,
        (Change::Body(bytes), _) => (reply.body, body) = (bytes.clone(), None),
        (Change::ObjectStatus(at), Some(object)) => {
            object.insert("status".to_owned(), STATUSES[*at].into());
        }
        (Change::Member(at, value), Some(object)) if !object.is_empty() => {
            let at = at % object.len();
            *object.values_mut().nth(at).unwrap() = value.clone();
        }
        _ => {}
    }
    if let Some(body) = body {
        reply.body = body.to_string().into_bytes();
    }
    Some(reply)
}

/// Responses of a CA, each changed or not. The CA is asked again and again, and repeats the last
/// changes: `run_with` asserts that the operation ends.
#[test]
fn changed_responses_end_the_operation() {
    let config =
        ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() };
    proptest!(config, |(changes in vec(change(), 1..24))| {
        let mut ca = Ca::new();
        ca.checks_answers = false;
        let mut at = 0;
        run_with(&mut issuance(&["a.example", "b.example"]), |request, answers| {
            at += 1;
            // A changed response may lead the operation to where this CA would not.
            let reply = if ca.can_handle(request) {
                ca.handle(request, answers)
            } else {
                Reply::problem(404, "malformed", "no such resource")
            };
            apply(&changes[(at - 1) % changes.len()], reply)
        });
    });
}

/// Arbitrary bodies, of the right form or not, to each request.
#[test]
fn arbitrary_responses_end_the_operation() {
    let config =
        ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() };
    let response = (0_u16..1000, proptest::option::of("[a-zA-Z_-]{1,9}"), value(), "[0-9]{0,3}");
    proptest!(config, |(responses in vec(response, 1..8))| {
        let mut at = 0;
        run_with(&mut issuance(&["a.example"]), |_, _| {
            at += 1;
            let (status, nonce, body, retry_after) = &responses[at % responses.len()];
            let reply = Reply::json(*status, body).retry_after(retry_after);
            Some(Reply { nonce: nonce.clone(), location: Some("https://ca.example/x".into()), ..reply })
        });
    });
}
