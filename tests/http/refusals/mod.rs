//! Refusals, each with messages that provoke it.

mod framing;
mod heads;
mod origins;

use std::collections::HashSet;

use tidegate::http::{HeadLimits, Method, ParseError};

use super::rules::stream::Ending;
use super::support::{chunked, from_client, from_origin, post};

/// A refusal, the status that answers the client, and messages that provoke it.
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

/// Returns messages with different additional field lines.
fn posts(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    lines.iter().map(|line| post(line)).collect()
}

fn chunks(bodies: &[&[u8]]) -> Vec<Vec<u8>> {
    bodies.iter().map(|body| chunked(body)).collect()
}

/// Returns the refused client messages.
fn from_clients() -> Vec<Row> {
    use framing::{bodies, framing};
    use heads::{field_lines, start_lines, targets};
    [start_lines(), targets(), field_lines(), framing(), bodies()].into_iter().flatten().collect()
}

#[test]
fn each_client_message_is_refused_by_the_rule_it_breaks() {
    for row in from_clients() {
        for message in row.messages {
            let run = from_client(&message, &HeadLimits::default());
            let shown = message[..message.len().min(300)].escape_ascii();
            assert_eq!(run.ending, Ending::Refused(row.refusal), "{shown}");
        }
    }
}

#[test]
fn each_origin_message_is_refused_by_the_rule_it_breaks() {
    for row in origins::from_origins() {
        for message in row.messages {
            let run = from_origin(Method::Get, &message, &HeadLimits::default());
            let shown = message[..message.len().min(300)].escape_ascii();
            assert_eq!(run.ending, Ending::Refused(row.refusal), "{shown}");
        }
    }
}

#[test]
fn each_refusal_has_an_example() {
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
fn refusals_have_unique_names_and_a_text() {
    let names: HashSet<&str> = ParseError::ALL.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), ParseError::ALL.len(), "names are unique");
    for refusal in ParseError::ALL {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        assert!(refusal.name().bytes().all(plain), "{refusal}");
        assert_eq!(refusal.to_string(), refusal.name());
        assert!(!refusal.text().is_empty() && !refusal.text().ends_with('.'), "{refusal}");
    }
}
