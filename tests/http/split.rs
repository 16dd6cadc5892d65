//! Bytes have the same meaning however they are split.

use proptest::prelude::*;
use proptest::sample::Index;
use tidegate::http::{HeadLimits, Method};

use super::generate::{self, Message};
use super::rules::stream::{self, Ending, Event, Reading, Run, requests, responses};
use super::support::{from_client, from_origin};

fn wire(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(Message::wire).collect()
}

/// Start line of each message, its content, and the numbers of field lines in its head and
/// trailers.
fn exchanged(run: &Run) -> Vec<(String, Vec<u8>, usize, usize)> {
    let mut messages = Vec::new();
    for event in &run.events {
        match event {
            Event::Request(head) => {
                let start = format!("{} {} HTTP/1.1", head.method_name(), head.target());
                messages.push((start, Vec::new(), head.fields().len(), 0));
            }
            Event::Response(head) | Event::Interim(head) => {
                let reason = String::from_utf8(head.reason().to_vec()).unwrap();
                let start = format!("HTTP/1.1 {} {reason}", head.status());
                messages.push((start, Vec::new(), head.fields().len(), 0));
            }
            Event::Content(bytes) => messages.last_mut().unwrap().1.extend(bytes),
            Event::End(trailers) => {
                messages.last_mut().unwrap().3 = trailers.as_ref().map_or(0, |t| t.len());
            }
        }
    }
    messages
}

fn expected(messages: &[Message]) -> Vec<(String, Vec<u8>, usize, usize)> {
    let expected = |message: &Message| {
        let (framing_lines, trailers) = match &message.body {
            generate::Body::None => (0, 0),
            generate::Body::Length(_) => (1, 0),
            generate::Body::Chunked { trailers, .. } => (1, trailers.len()),
        };
        let mut start = message.start.clone();
        if start.starts_with("HTTP") && start.len() == "HTTP/1.1 200".len() {
            start.push(' ');
        }
        (start, message.body.content(), message.lines.len() + framing_lines, trailers)
    };
    messages.iter().map(expected).collect()
}

/// Fails unless all ways to hand over `input` yield the same events.
fn check_split(
    input: &[u8],
    cuts: &[Index],
    run: impl Fn(&[usize], Reading) -> Run,
) -> Result<(), TestCaseError> {
    let whole = run(&[], Reading::Decoded);
    let cuts = generate::places(cuts, input.len());
    for reading in [Reading::Decoded, Reading::Direct] {
        prop_assert_eq!(run(&cuts, reading), whole.clone(), "{:?} {:?}", reading, cuts);
        prop_assert_eq!(run(&stream::everywhere(input), reading), whole.clone(), "{:?}", reading);
    }
    Ok(())
}

proptest! {
    #[test]
    fn generated_requests_parse_as_they_were_written(
        messages in prop::collection::vec(generate::request(), 1..5),
    ) {
        let stream = wire(&messages);
        let run = from_client(&stream, &HeadLimits::default());
        prop_assert_eq!(exchanged(&run), expected(&messages));
        prop_assert_eq!(run.ending, Ending::Pending(stream.len()));
    }

    #[test]
    fn generated_responses_parse_as_they_were_written(
        messages in prop::collection::vec(generate::response(), 1..5),
    ) {
        let stream = wire(&messages);
        let run = from_origin(Method::Get, &stream, &HeadLimits::default());
        prop_assert_eq!(exchanged(&run), expected(&messages));
    }

    #[test]
    fn split_requests_yield_the_same_events(
        messages in prop::collection::vec(generate::request(), 1..4),
        cuts in generate::cuts(),
    ) {
        let stream = wire(&messages);
        let limits = HeadLimits::default();
        check_split(&stream, &cuts, |cuts, reading| requests(&stream, cuts, &limits, reading))?;
    }

    #[test]
    fn split_damaged_requests_yield_the_same_events(
        messages in prop::collection::vec(generate::request(), 1..4),
        changes in generate::changes(),
        cuts in generate::cuts(),
    ) {
        let mut stream = wire(&messages);
        generate::change(&mut stream, &changes);
        for limits in stream::limits() {
            check_split(&stream, &cuts, |cuts, reading| requests(&stream, cuts, &limits, reading))?;
        }
    }

    #[test]
    fn split_damaged_responses_yield_the_same_events(
        messages in prop::collection::vec(generate::response(), 1..4),
        changes in generate::changes(),
        cuts in generate::cuts(),
    ) {
        let mut stream = wire(&messages);
        generate::change(&mut stream, &changes);
        for method in [Method::Get, Method::Head] {
            for limits in stream::limits() {
                check_split(&stream, &cuts, |cuts, reading| {
                    responses(method, &stream, cuts, &limits, reading)
                })?;
            }
        }
    }

    #[test]
    fn limits_refuse_the_same_however_the_stream_is_split(
        messages in prop::collection::vec(generate::request(), 1..3),
        sizes in (10usize..80, 5usize..40, 0usize..6, 20usize..200, 0usize..20),
        cuts in generate::cuts(),
    ) {
        let stream = wire(&messages);
        let (start_line, field, fields, head, chunk_extensions) = sizes;
        let limits = HeadLimits {
            start_line, field, fields, head, chunk_extensions, relaxed_target: false,
        };
        check_split(&stream, &cuts, |cuts, reading| requests(&stream, cuts, &limits, reading))?;
    }

    #[test]
    fn arbitrary_bytes_do_not_panic_the_codecs(
        stream in prop::collection::vec(any::<u8>(), 0..60),
        cuts in generate::cuts(),
    ) {
        let limits = HeadLimits::default();
        check_split(&stream, &cuts, |cuts, reading| requests(&stream, cuts, &limits, reading))?;
        check_split(&stream, &cuts, |cuts, reading| {
            responses(Method::Get, &stream, cuts, &limits, reading)
        })?;
    }
}

#[test]
fn refusal_is_reported_at_the_first_offending_byte() {
    for (stream, at) in [
        (&b"\x16"[..], 1),
        (b"GET / HTTP/1.1\n", 15),
        (b"GET / HTTP/1.1\r\n ", 17),
        (b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!", 64),
    ] {
        let ends = |n: usize| from_client(&stream[..n], &HeadLimits::default()).ending;
        assert_eq!(at, stream.len());
        assert!(matches!(ends(at), Ending::Refused(_)), "{}", stream.escape_ascii());
        assert!(matches!(ends(at - 1), Ending::Pending(_)), "{}", stream.escape_ascii());
    }
}
