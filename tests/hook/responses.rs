//! Responses and refusals of a hook.

use std::time::Duration;

use tidegate::app::Response;
use tidegate::http::Status;
use tidegate::proxy::{Action, Refusal, RequestEdit, Settings};
use tidegate::reactor::{Clock, LoopStats, VirtualClock};

use crate::peers::End;
use crate::stage::{Stage, content, field};

/// Responds on some paths, refuses others.
fn decide(request: &mut RequestEdit<'_>) -> Action {
    let ok = || Response::new(Status::OK).unwrap().with_field("Content-Type", "text/x").unwrap();
    match request.head().target() {
        "/own" => Action::Respond(ok().with_content("own\n").unwrap()),
        "/cacheable" => {
            let response = ok().with_field("Cache-Control", "max-age=60").unwrap();
            Action::Respond(response.with_content("mine\n").unwrap())
        }
        "/nothing" => Action::Respond(Response::new(Status::NO_CONTENT).unwrap()),
        "/unmodified" => {
            let response = Response::new(Status::NOT_MODIFIED).unwrap();
            Action::Respond(response.with_field("ETag", "\"1\"").unwrap())
        }
        "/secret" => Action::Refuse(Refusal::new("/secret is not served here.")),
        "/busy" => {
            let refusal = Refusal::new("come back at night.");
            Action::Refuse(refusal.with_status(Status::SERVICE_UNAVAILABLE).unwrap())
        }
        "h.example:443" => Action::Respond(ok()),
        "h.example:80" => Action::Respond(Response::new(Status::NOT_FOUND).unwrap()),
        _ => Action::Continue,
    }
}

fn status_of(response: &str) -> &str {
    response.lines().next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()
}

#[test]
fn client_receives_response_of_hook() {
    let mut stage = Stage::new(decide);
    let response = stage.get("/own", "");
    assert_eq!(status_of(&response), "200 OK");
    assert!(field(&response, "Date").is_some(), "{response}");
    assert_eq!(field(&response, "Cache-Status"), Some("tidegate; detail=own"));
    assert_eq!(field(&response, "Content-Type"), Some("text/x"));
    assert_eq!(field(&response, "Content-Length"), Some("4"));
    assert_eq!(field(&response, "Connection"), None);
    assert_eq!(content(&response), "own\n");
    assert_eq!(stage.requests(), [""; 0], "the origin is not asked");
    let [line] = &stage.log()[..] else { panic!("one line is logged") };
    assert!(line.contains("\"result\":\"OWN\"") && line.contains("\"status\":200"), "{line}");
}

#[test]
fn response_of_hook_is_not_stored() {
    let mut stage = Stage::new(decide);
    for _ in 0..2 {
        assert_eq!(content(&stage.get("/cacheable", "")), "mine\n");
    }
    assert_eq!(stage.asked().len(), 2);
    assert_eq!(stage.worker.cache_stats().entries, 0);
}

#[test]
fn connection_is_kept_after_response_of_hook() {
    let mut stage = Stage::new(decide);
    let client = stage.connect();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h.example\r\n\r\n");
    stage.send(client, &[request("/own"), request("/other"), request("/own")].concat());
    let received = stage.received(client);
    assert_eq!(received.matches("HTTP/1.1 200 OK").count(), 3, "{received}");
    assert!(received.ends_with("\r\n\r\nown\n"), "{received}");
    assert_eq!(stage.end(client), None);

    stage.send(client, "GET /own HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n");
    let response = stage.received(client);
    assert_eq!(field(&response, "Connection"), Some("close"));
    assert_eq!(stage.end(client), Some(End::Closed));
}

#[test]
fn response_to_head_has_length_and_no_content() {
    let mut stage = Stage::new(decide);
    let client = stage.connect();
    stage.send(client, "HEAD /own HTTP/1.1\r\nHost: h.example\r\n\r\n");
    let response = stage.received(client);
    assert_eq!(field(&response, "Content-Length"), Some("4"));
    assert!(response.ends_with("\r\n\r\n"), "{response}");
    stage.send(client, "HEAD /other HTTP/1.1\r\nHost: h.example\r\n\r\n");
    assert_eq!(status_of(&stage.received(client)), "200 OK", "the connection is kept");
    let [finished, _] = &stage.finished()[..] else { panic!("two exchanges have finished") };
    assert!(finished.starts_with("HEAD http://h.example/own 200 OWN 0 bytes "), "{finished}");
}

#[test]
fn response_without_content_has_no_length() {
    let mut stage = Stage::new(decide);
    for (path, status) in [("/nothing", "204 No Content"), ("/unmodified", "304 Not Modified")] {
        let response = stage.get(path, "");
        assert_eq!(status_of(&response), status);
        assert_eq!(field(&response, "Content-Length"), None, "{response}");
        assert!(response.ends_with("\r\n\r\n"), "{response}");
    }
}

#[test]
fn response_during_upload_closes_connection_without_reset() {
    let mut stage = Stage::new(decide);
    let client = stage.connect();
    stage.send(client, "POST /own HTTP/1.1\r\nHost: h.example\r\nContent-Length: 9\r\n\r\nabc");
    let response = stage.received(client);
    assert_eq!(field(&response, "Connection"), Some("close"));
    assert_eq!(content(&response), "own\n");
    stage.send(client, "defghi");
    assert_eq!(stage.received(client), "");
    stage.advance(Duration::from_secs(60));
    assert_eq!(stage.end(client), Some(End::Closed));
    assert_eq!(stage.asked().len(), 1, "the rest is no request");
    assert!(stage.worker.is_empty());
}

#[test]
fn refused_client_is_told_the_reason() {
    let mut stage = Stage::new(decide);
    let response = stage.get("/secret", "");
    assert_eq!(status_of(&response), "403 Forbidden");
    assert_eq!(content(&response), "403 Forbidden\n\ntidegate: /secret is not served here.\n");
    assert_eq!(field(&response, "Cache-Status"), Some("tidegate; detail=denied"));
    let proxy_status = "tidegate; error=http_request_denied; details=\"hook\"";
    assert_eq!(field(&response, "Proxy-Status"), Some(proxy_status));
    let [line] = &stage.log()[..] else { panic!("one line is logged") };
    assert!(line.contains("\"result\":\"DENIED\""), "{line}");
    assert!(line.contains("\"reason\":\"hook\""), "{line}");
    let metrics =
        stage.worker.stats(&LoopStats::default(), VirtualClock::default().now()).prometheus();
    assert!(metrics.contains("\ntidegate_denials_total{rule=\"hook\"} 1\n"), "{metrics}");
    assert_eq!(status_of(&stage.get("/busy", "")), "503 Service Unavailable");
    assert_eq!(stage.requests(), [""; 0], "the origin is not asked");
}

#[test]
fn tunnel_is_not_promised_by_response_of_hook() {
    let forward = |settings: &mut Settings| {
        settings.service.sites = None;
        settings.service.clients = vec!["198.51.100.0/24".parse().unwrap()];
    };
    let mut stage = Stage::with(forward, decide);
    for (target, status, text) in [
        ("h.example:443", "403 Forbidden", "the hook responds to CONNECT, but opens no tunnel."),
        ("h.example:80", "404 Not Found", ""),
    ] {
        let client = stage.connect();
        stage.send(client, &format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
        let response = stage.received(client);
        assert_eq!(status_of(&response), status);
        assert!(content(&response).contains(text), "{response}");
        assert_eq!(stage.end(client), Some(End::Closed));
    }
}
