//! Bodies of requests to log servers, their labels and answers.

use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tidegate::shipping::{Answer, BatchEncoder, Labels, LogProtocol, LogServer};

const NOW: Duration = Duration::from_secs(2_000_000_000);

/// Returns a line of an exchange that has begun so many seconds after the start of 1970.
fn line(seconds: &str, status: u16) -> String {
    let seconds: f64 = seconds.parse().unwrap();
    let (minutes, rest) = ((seconds / 60.0).floor(), seconds % 60.0);
    format!(
        "{{\"time\":\"1970-01-01T00:{minutes:02}:{rest:06.3}Z\",\"client\":\"127.0.0.1\",\"method\":\"GET\",\"url\":\"http://h.test/\",\
         \"status\":{status},\"result\":\"HIT\",\"ms\":1.5,\"clear\":true,\"tls\":{{\"version\":\"1.3\"}}}}\n"
    )
}

fn labels(texts: &[&str]) -> Labels {
    let mut labels = Labels::default();
    texts.iter().for_each(|text| labels.add(text).unwrap());
    labels
}

fn encode(encoder: &mut BatchEncoder, lines: &[String]) -> Value {
    serde_json::from_slice(&encoder.encode(&lines.concat(), NOW).unwrap()).unwrap()
}

fn loki() -> BatchEncoder {
    BatchEncoder::new(LogProtocol::Loki, labels(&["env=prod"]), false)
}

#[test]
fn streams_of_loki_are_those_of_status_classes() {
    let lines = [line("100.0", 200), line("101.0", 404), line("102.25", 204)];
    let body = encode(&mut loki(), &lines);
    let stream = |class: &str| json!({"job": "tidegate", "env": "prod", "status_class": class});
    let text = |at: usize| lines[at].trim_end();
    let expected = json!({"streams": [
        {"stream": stream("2xx"), "values": [["100001500000", text(0)], ["102251500000", text(2)]]},
        {"stream": stream("4xx"), "values": [["101001500000", text(1)]]},
    ]});
    assert_eq!(body, expected);
}

#[test]
fn timestamps_of_a_stream_increase_strictly_over_batches() {
    let mut encoder = loki();
    let times = |body: &Value| -> Vec<u64> {
        let values = body["streams"][0]["values"].as_array().unwrap().clone();
        values.iter().map(|value| value[0].as_str().unwrap().parse().unwrap()).collect()
    };
    let mut all =
        times(&encode(&mut encoder, &[line("5.0", 200), line("5.0", 200), line("4.0", 200)]));
    assert_eq!(all, [4_001_500_000, 5_001_500_000, 5_001_500_001]);
    all.extend(times(&encode(&mut encoder, &[line("3.0", 200), line("6.0", 200)])));
    assert!(all.is_sorted_by(|one, next| one < next), "{all:?}");
}

#[test]
fn line_without_time_has_the_present_one() {
    let body = encode(&mut loki(), &["no JSON\n".to_owned()]);
    assert_eq!(body["streams"][0]["values"], json!([["2000000000000000000", "no JSON"]]));
    assert_eq!(body["streams"][0]["stream"]["status_class"], "none");
}

#[test]
fn compressed_body_is_the_same() {
    let lines = line("7.0", 200);
    let packed =
        BatchEncoder::new(LogProtocol::Loki, labels(&["env=prod"]), true).encode(&lines, NOW);
    let mut body = Vec::new();
    GzDecoder::new(&*packed.unwrap()).read_to_end(&mut body).unwrap();
    assert_eq!(body, loki().encode(&lines, NOW).unwrap());
}

#[test]
fn records_of_otlp_have_the_members_as_attributes() {
    let labels = labels(&["service.name=edge", "deployment.environment=prod"]);
    let mut encoder = BatchEncoder::new(LogProtocol::Otlp, labels, false);
    let body = encode(&mut encoder, &[line("100.0", 502)]);
    let resource = &body["resourceLogs"][0]["resource"]["attributes"];
    assert_eq!(resource[0], json!({"key": "service.name", "value": {"stringValue": "edge"}}));
    assert_eq!(resource.as_array().unwrap().len(), 2);
    let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["timeUnixNano"], "100001500000");
    assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(17), &json!("ERROR")));
    assert_eq!(record["body"], json!({"stringValue": "127.0.0.1 GET http://h.test/ 502 HIT"}));
    let attributes = record["attributes"].as_array().unwrap();
    for expected in [
        json!({"key": "status", "value": {"intValue": "502"}}),
        json!({"key": "ms", "value": {"doubleValue": 1.5}}),
        json!({"key": "clear", "value": {"boolValue": true}}),
        json!({"key": "tls.version", "value": {"stringValue": "1.3"}}),
    ] {
        assert!(attributes.contains(&expected), "{expected} in {attributes:?}");
    }
}

#[test]
fn labels_follow_the_rules_of_loki() {
    for (texts, why) in [
        (&["1a=x"][..], "not beginning with a digit"),
        (&["a-b=x"], "letters, digits and '_'"),
        (&["__a=x"], "'__'"),
        (&["status_class=x"], "is set by tidegate"),
        (&["a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1", "i=1"], "at most 10"),
    ] {
        let error = labels(texts).check(LogProtocol::Loki).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let eight = ["a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1"];
    assert_eq!(labels(&eight).check(LogProtocol::Loki), Ok(()));
    for text in ["a", "a=", "=b", "a=\u{7}"] {
        assert!(Labels::default().add(text).is_err(), "{text}");
    }
    assert!(labels(&["a=1"]).add("a=2").unwrap_err().contains("twice"));
    assert!(Labels::default().add(&format!("a={}", "x".repeat(3000))).is_err());
}

#[test]
fn servers_round_trip_and_others_are_refused() {
    for text in [
        "loki+http://127.0.0.1:3100",
        "otlp+https://[::1]:4318/x",
        "loki+https://logs.example/a/push",
    ] {
        assert_eq!(text.parse::<LogServer>().unwrap().to_string(), text);
    }
    let server: LogServer = "otlp+https://collector.example".parse().unwrap();
    assert_eq!((server.port, &*server.path, server.is_secure), (443, "/v1/logs", true));
    for text in [
        "",
        "http://h",
        "loki://h",
        "loki+ftp://h",
        "loki+http://",
        "loki+http://u@h",
        "loki+http://h/a b",
    ] {
        assert!(text.parse::<LogServer>().unwrap_err().contains("write loki+http"), "{text}");
    }
}

#[test]
fn answers_are_taken_temporary_or_final() {
    let now = UNIX_EPOCH + NOW;
    let of = |status, retry: Option<&str>, content: &str| {
        Answer::of(status, retry.map(str::as_bytes), content.as_bytes(), now)
    };
    assert_eq!(of(204, None, ""), Answer::Taken(0));
    assert_eq!(
        of(200, None, "{\"partialSuccess\":{\"rejectedLogRecords\":\"3\"}}"),
        Answer::Taken(3)
    );
    let later = |seconds, text: &str| Answer::Later(Duration::from_secs(seconds), text.to_owned());
    assert_eq!(of(429, Some("7"), "slow\ndown"), later(7, "status 429: slow"));
    assert_eq!(of(503, Some("Wed, 18 May 2033 03:33:25 GMT"), ""), later(5, "status 503"));
    assert_eq!(of(500, Some("99999999"), ""), later(600, "status 500"));
    assert_eq!(of(429, Some("soon"), ""), later(0, "status 429"));
    assert_eq!(of(400, None, "bad \u{7}line"), Answer::Refused("status 400: bad line".to_owned()));
    assert_eq!(of(302, None, ""), Answer::Refused("status 302".to_owned()));
}
