#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::figures;
use super::frame;
use super::latency::Quantiles;
use super::metrics::Metrics;
use super::model::{Link, Mode, Model, Pane};
use super::reading::Reading;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 40);

/// Metrics of a proxy that has run for so many seconds, with ten hits and five misses in each.
fn stats(seconds: u64) -> String {
    let (hits, misses) = (10 * seconds, 5 * seconds);
    format!(
        r#"{{"requests_total":{{"hit":{hits},"miss":{misses},"error":0}},
        "sent_bytes_total":{{"hit":{hits}000,"miss":{misses}000}},
        "request_duration_seconds":{{"hit 0.001":{hits},"hit 0.01":{hits},"hit +Inf":{hits},"hit sum":1.0,
        "hit count":{hits},"miss 0.001":0,"miss 0.01":{misses},"miss +Inf":{misses},"miss sum":1.0,"miss count":{misses}}},
        "hit_ratio":0.5,"saved_bytes_total":{hits}000,"cache_bytes":220000000,"cache_limit_bytes":268435456,
        "clients":12,"clients_limit":1000,"uptime_seconds":{seconds}.0,"process_start_time_seconds":1000.0,
        "build_info":{{"0.1.0":1}},"disk_free_bytes":{{"log":13207024435}},"disk_full_seconds":{{"log":532800}},
        "denials_total":{{"deny host=*.example":3}},"not_stored_total":{{"no-store":7,"private":0}}}}"#
    )
}

const TOPS: &str = r#"{"urls":[{"text":"http://a.example/one","count":7,"bytes":100},
    {"text":"http://b.example/\u001b[2Jtwo","count":3,"bytes":99000}],
    "hosts":[{"text":"a.example","count":7,"bytes":100}],"clients":[{"text":"192.0.2.7","count":10,"bytes":1}],
    "denials":[{"text":"deny host=c.example","count":2}],
    "not_stored":[{"reason":"no-store","url":"http://a.example/live","count":4}],
    "slow":[{"time":"2026-01-02T03:04:05Z","ms":2500,"status":200,"result":"MISS","method":"GET","url":"http://a.example/slow"}]}"#;

const ORIGINS: &str = "app\n  http://a.example:80  weight 1, 0 in flight, 3 requests, 0 failed\n    192.0.2.1:80  up\n";

fn reading(seconds: u64) -> Reading {
    let at = Duration::from_secs(seconds);
    Reading::parse(at, &stats(seconds), Some(TOPS), Some(ORIGINS)).unwrap()
}

/// View after two readings.
fn model() -> Model {
    let mut model = Model::new("/run/tidegate/tidegate-3128.sock", Pane::Overview);
    model.take(Ok(reading(100)));
    model.take(Ok(reading(101)));
    model
}

fn press(model: &mut Model, code: KeyCode) -> bool {
    model.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_text(model: &mut Model, text: &str) {
    text.chars().for_each(|c| assert!(!press(model, KeyCode::Char(c))));
}

/// Checks that the parts stand in the frame, each after the one before.
fn assert_shows(frame: &str, parts: &[&str]) {
    let mut rest = frame;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing in\n{frame}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn overview_fits_into_a_small_terminal() {
    let frame = frame(&model(), SMALL);
    let squeezed: Vec<String> =
        frame.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let text = squeezed.join("\n");
    for line in [
        "tidegate 0.1.0 up 1m 41s /run/tidegate/tidegate-3128.sock live",
        "1 overview 2 urls 3 hosts 4 denied 5 slow 6 origins",
        "REQUESTS per s share total CACHE now since start",
        "hit 10.0 66.7% 1010 hit ratio 66.7% 50.0%",
        "miss 5.0 33.3% 505 by bytes 66.7% 0.0%",
        "all 15.0 100.0% 1515",
        "cache [####################....] 210 MiB of 256 MiB",
        "log disk: 12.3 GiB free; full in 6d 4h",
        "q quit Tab/1-6 panes p pause s sort / filter arrows scroll ? help",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{frame}");
    }
    assert!(!text.contains("URLS"), "{frame}");
}

#[test]
fn overview_of_a_large_terminal_lists_urls() {
    let frame = frame(&model(), LARGE);
    assert_shows(&frame, &["LIMITS", "log disk", "URLS 2", "requests*", "http://a.example/one"]);
}

#[test]
fn each_pane_shows_its_lists() {
    let mut model = model();
    for (key, parts) in [
        ('2', &["URLS 2", "7", "http://a.example/one", "http://b.example/?[2Jtwo"][..]),
        ('3', &["HOSTS 1", "a.example", "CLIENTS 1", "192.0.2.7"]),
        (
            '4',
            &[
                "DENIED 1",
                "deny host=c.example",
                "NOT STORED 1",
                "no-store",
                "http://a.example/live",
            ],
        ),
        (
            '5',
            &["SLOW REQUESTS 1", "2.50 s", "2026-01-02T03:04:05Z", "200", "miss", "GET", "/slow"],
        ),
        ('6', &["ORIGINS 3", "app", "http://a.example:80  weight 1", "192.0.2.1:80  up"]),
    ] {
        press(&mut model, KeyCode::Char(key));
        for size in [SMALL, LARGE] {
            assert_shows(&frame(&model, size), parts);
        }
    }
    press(&mut model, KeyCode::Tab);
    assert_eq!(model.pane, Pane::Overview);
    press(&mut model, KeyCode::BackTab);
    assert_eq!(model.pane, Pane::Origins);
}

#[test]
fn proxy_without_lists_shows_its_metrics() {
    let mut model = Model::new("/s", Pane::Denied);
    model.take(Ok(Reading::parse(Duration::ZERO, &stats(5), None, None).unwrap()));
    let denied = frame(&model, SMALL);
    assert_shows(
        &denied,
        &["DENIED 1", "3", "deny host=*.example", "NOT STORED 1", "7", "no-store"],
    );
    assert!(!denied.contains("private"), "{denied}");
    press(&mut model, KeyCode::Char('2'));
    assert_shows(&frame(&model, SMALL), &["URLS (this proxy keeps no such list)"]);
}

#[test]
fn sort_and_filter_change_the_rows() {
    let mut model = model();
    press(&mut model, KeyCode::Char('2'));
    assert_shows(&frame(&model, SMALL), &["requests*", "/one", "two"]);
    press(&mut model, KeyCode::Char('s'));
    assert_shows(&frame(&model, SMALL), &["bytes*", "two", "/one"]);
    type_text(&mut model, "/A.EXq");
    assert_eq!(model.mode, Mode::Filter);
    press(&mut model, KeyCode::Backspace);
    assert_shows(&frame(&model, SMALL), &["URLS 1", "/one", "filter: A.EX_"]);
    press(&mut model, KeyCode::Enter);
    assert_shows(&frame(&model, SMALL), &["/one", "filter 'A.EX'"]);
    press(&mut model, KeyCode::Esc);
    assert_shows(&frame(&model, SMALL), &["URLS 2"]);
}

#[test]
fn paused_view_keeps_its_readings() {
    let mut model = model();
    press(&mut model, KeyCode::Char('p'));
    model.take(Ok(reading(200)));
    assert_shows(&frame(&model, SMALL), &["PAUSED", "1010"]);
    press(&mut model, KeyCode::Char('p'));
    model.take(Ok(reading(201)));
    assert_shows(&frame(&model, SMALL), &["live", "10.0", "2010"]);
}

#[test]
fn restart_is_said_and_rates_begin_anew() {
    let mut model = model();
    model.take(Err("no answer\u{1b}[1m from it".to_owned()));
    assert_shows(
        &frame(&model, SMALL),
        &["NO ANSWER, trying again", "q quit  no answer?[1m from it"],
    );
    model.take(Ok(reading(2)));
    assert_eq!(model.link, Link::Restarted);
    assert_eq!(model.interval(), None);
    assert_shows(&frame(&model, SMALL), &["live, the proxy was restarted", "hit", "-", "20"]);
    model.take(Ok(reading(3)));
    assert_shows(&frame(&model, SMALL), &["live", "10.0"]);
}

#[test]
fn help_names_the_keys_and_q_quits() {
    let mut model = model();
    press(&mut model, KeyCode::Char('?'));
    assert_shows(&frame(&model, SMALL), &["quit", "pause", "Any key continues."]);
    assert!(!press(&mut model, KeyCode::Char('x')));
    assert_eq!(model.mode, Mode::View);
    assert!(press(&mut model, KeyCode::Char('q')));
    assert!(model.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
}

#[test]
fn quantiles_are_those_of_the_interval() {
    let metrics = |low: u64, high: u64| {
        let all = low + high;
        Metrics::parse(&format!(
            r#"{{"d":{{"0.1":{low},"0.2":{all},"+Inf":{all},"sum":3,"count":{all}}}}}"#
        ))
    };
    let (earlier, later) = (metrics(100, 0).unwrap(), metrics(100, 10).unwrap());
    let found = Quantiles::between(&earlier, &later, "d").unwrap();
    assert!((found.p50 - 0.15).abs() < 1e-9 && (found.p90 - 0.19).abs() < 1e-9, "{found:?}");
    assert_eq!(Quantiles::between(&later, &later, "d"), None);
    assert_eq!(Quantiles::between(&later, &later, "absent"), None);
}

#[test]
fn hit_ratio_counts_requests_that_pass_the_cache() {
    let reading = |seconds: u64| {
        let stats = format!(
            r#"{{"requests_total":{{"hit":{seconds},"pass":{seconds},"error":{seconds}}}}}"#
        );
        Reading::parse(Duration::from_secs(seconds), &stats, None, None).unwrap()
    };
    let mut model = Model::new("/s", Pane::Overview);
    model.take(Ok(reading(1)));
    model.take(Ok(reading(2)));
    assert_shows(&frame(&model, SMALL), &["hit ratio", "50.0%"]);
}

#[test]
fn figures_are_short() {
    assert_eq!(figures::bytes(1536.0), "1.50 KiB");
    assert_eq!(figures::bytes(999.0), "999 B");
    assert_eq!(figures::count(12_345.0), "12.3K");
    assert_eq!(figures::seconds(0.000_35), "350 us");
    assert_eq!(figures::seconds(0.0012), "1.20 ms");
    assert_eq!(figures::span(273_600.0), "3d 4h");
    assert_eq!(figures::span(59.0), "59s");
}

proptest! {
    /// Any answer is shown in any size, without a character that a terminal obeys.
    #[test]
    fn any_answer_is_shown_safely(
        text in any::<String>(), width in 0_u16..200, height in 0_u16..60, keys in any::<String>(),
    ) {
        let tops = serde_json::json!({
            "urls": [{"text": text, "count": 1, "bytes": f64::MAX}], "slow": [{"ms": -1, "url": text}],
            "denials": text, "not_stored": [null, 3, {"reason": text}],
        });
        let stats = serde_json::json!({"denials_total": {text.clone(): 1}, "uptime_seconds": text});
        let parse = || {
            Reading::parse(Duration::ZERO, &stats.to_string(), Some(&tops.to_string()), Some(&text))
        };
        let mut model = Model::new(&text, Pane::Overview);
        model.take(parse());
        model.take(Err(text.clone()));
        model.take(parse());
        for key in keys.chars() {
            press(&mut model, KeyCode::Char(key));
            let frame = frame(&model, (width, height));
            prop_assert!(!frame.contains(|c: char| c.is_control() && c != '\n'), "{frame:?}");
        }
    }
}
