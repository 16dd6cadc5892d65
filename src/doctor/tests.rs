//! Observations for the tests of checks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::{
    ClientCodec, ClientEvent, HeadLimits, Method, RequestHead, ServerCodec, ServerEvent,
};
use crate::reactor::{Clock, VirtualClock};
use crate::time::Now;
use crate::x509::{CertificateFacts, KeyAlgorithm};

use super::{
    Exchange, Observations, Origin, OriginAsk, SeenCertificate, Url, Visit, VisitEnd, examine,
};

/// Returns the time of all exchanges.
pub(super) fn now() -> Now {
    VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1_800_000_000)).now()
}

fn request(fields: &str) -> Arc<RequestHead> {
    let text = format!("GET / HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n");
    let decoded = ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default());
    let Ok((_, Some(ServerEvent::Request(head)))) = decoded else { panic!("{decoded:?}") };
    head.into()
}

/// Returns an exchange with a response of this text.
pub(super) fn exchange(url: &str, text: &str) -> Exchange {
    let decoded = ClientCodec::new(Method::Get).decode(text.as_bytes(), &HeadLimits::default());
    let Ok((used, Some(ClientEvent::Response(head)))) = decoded else { panic!("{decoded:?}") };
    Exchange {
        url: Url::parse(url).unwrap(),
        request: request(""),
        response: *head,
        content: text.as_bytes()[used..].to_vec(),
        is_whole: true,
        sent: now(),
        answered: now(),
    }
}

/// Returns the exchange of a request with `If-None-Match: "1"`.
pub(super) fn with_condition(exchange: Exchange) -> Exchange {
    Exchange { request: request("If-None-Match: \"1\"\r\n"), ..exchange }
}

/// Returns the exchange with a first byte that took this time.
pub(super) fn delayed(exchange: Exchange, wait: Duration) -> Exchange {
    let mono: Instant = exchange.sent.mono + wait;
    Exchange { answered: Now { mono, ..exchange.answered }, ..exchange }
}

/// Returns the observations of a page that was found at once.
pub(super) fn observations(page: Exchange) -> Observations {
    Observations {
        visit: Visit { exchanges: vec![page], end: VisitEnd::Page },
        probes: Vec::new(),
        assets: Vec::new(),
        missing_paths: Vec::new(),
        unanswered: Vec::new(),
        certificates: Vec::new(),
        origin: None,
    }
}

/// Returns an origin with these answers.
pub(super) fn origin(answers: Vec<(OriginAsk, Exchange)>) -> Origin {
    Origin { url: Url::parse("http://app.internal:9000/").unwrap(), answers, failure: None }
}

/// Returns a certificate with this life, and this part of it left, in seconds.
pub(super) fn certificate(life: u64, left: u64) -> SeenCertificate {
    let not_after: SystemTime = now().wall + Duration::from_secs(left);
    let facts = CertificateFacts {
        subject: "CN=shop.example".into(),
        issuer: "CN=ca".into(),
        common_name: None,
        is_self_issued: false,
        dns_names: vec!["shop.example".into()],
        addresses: Vec::new(),
        not_before: not_after - Duration::from_secs(life),
        not_after,
        key_algorithm: KeyAlgorithm::Rsa(2048),
        public_key: Vec::new(),
        serial_number: Vec::new(),
        authority_key_identifier: None,
    };
    SeenCertificate { host: "shop.example".into(), facts: Some(facts), problem: None, now: now() }
}

#[test]
fn a_good_page_has_no_finding() {
    let page = exchange(
        "https://shop.example/",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nVary: Accept-Encoding\r\n\
         Set-Cookie: a=b; Secure; HttpOnly; SameSite=Lax; Path=/\r\n\r\n",
    );
    assert_eq!(examine(&observations(page)), []);
}
