//! Every refusal, and messages that provoke it.

mod framing;
mod heads;
mod origins;

use std::collections::HashSet;

use tidegate::http::{HeadLimits, Method, ParseError};

use super::rules::stream::Ending;
use super::support::{chunked, from_client, from_origin, post};

/// A refusal, the status that a client is answered with, and what provokes it.
struct Row {
    refusal: ParseError,
    status: u16,
    messages: Vec<Vec<u8>>,
}

fn row<M: Into<Vec<u8>>>(
    refusal: ParseError,
    status: u16,
    messages: impl IntoIterator<Item = M>,
) -> Row {
    Row { refusal, status, messages: messages.into_iter().map(Into::into).collect() }
}

/// Messages that differ in their further lines.
fn posts(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| post(line)).collect()
}

fn chunks(bodies: &[&[u8]]) -> Vec<Vec<u8>> {
    bodies.iter().map(|body| chunked(body)).collect()
}

/// What clients send, and is no request.
fn from_clients() -> Vec<Row> {
    use framing::{bodies, framing};
    use heads::{field_lines, start_lines, targets};
    [start_lines(), targets(), field_lines(), framing(), bodies()].into_iter().flatten().collect()
}

#[test]
fn what_clients_send_is_refused_by_the_rule_it_breaks() {
    for row in from_clients() {
        for message in row.messages {
            let run = from_client(&message, &HeadLimits::default());
            let shown = message[..message.len().min(300)].escape_ascii();
            assert_eq!(run.ending, Ending::Refused(row.refusal), "{shown}");
        }
    }
}

#[test]
fn what_origins_send_is_refused_by_the_rule_it_breaks() {
    for row in origins::from_origins() {
        for message in row.messages {
            let run = from_origin(Method::Get, &message, &HeadLimits::default());
            let shown = message[..message.len().min(300)].escape_ascii();
            assert_eq!(run.ending, Ending::Refused(row.refusal), "{shown}");
        }
    }
}

#[test]
fn no_refusal_is_without_an_example() {
    let rows: Vec<Row> = from_clients().into_iter().chain(origins::from_origins()).collect();
    let shown: HashSet<ParseError> = rows.iter().map(|row| row.refusal).collect();
    for refusal in ParseError::ALL {
        assert!(shown.contains(refusal), "{refusal} has no row");
    }
    for row in rows {
        assert_eq!(row.refusal.status().code(), row.status, "{}", row.refusal);
        assert!(!row.messages.is_empty());
    }
}

#[test]
fn refusals_are_named_and_explained() {
    let names: HashSet<&str> = ParseError::ALL.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), ParseError::ALL.len(), "each has a name of its own");
    for refusal in ParseError::ALL {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        assert!(refusal.name().bytes().all(plain), "{refusal}");
        assert_eq!(refusal.to_string(), refusal.name());
        assert!(!refusal.text().is_empty() && !refusal.text().ends_with('.'), "{refusal}");
    }
}
