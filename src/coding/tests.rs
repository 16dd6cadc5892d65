use std::io::prelude::*;

use proptest::prelude::*;

use super::*;
use crate::http::{
    ContentCoding, Fields, HeadLimits, RequestHead, ServerCodec, ServerEvent, Status,
};

/// Returns what a client decodes, which may be the beginning of the content.
fn decoded(coding: ContentCoding, bytes: &[u8]) -> Vec<u8> {
    let mut decoder: Box<dyn Read + '_> = match coding {
        ContentCoding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
        ContentCoding::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).unwrap()),
        ContentCoding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
    };
    let (mut out, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n) = decoder.read(&mut buffer)
        && n > 0
    {
        out.extend_from_slice(&buffer[..n]);
    }
    out
}

fn codings() -> impl Strategy<Value = ContentCoding> {
    prop::sample::select(ContentCoding::ALL.to_vec())
}

/// Pieces that repeat, pieces that do not, and empty ones, each with a flush behind it or not.
fn pieces() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    let repeated = (any::<u8>(), 0_usize..20_000).prop_map(|(byte, n)| vec![byte; n]);
    let random = prop::collection::vec(any::<u8>(), 0..3000);
    prop::collection::vec((prop_oneof![repeated, random], any::<bool>()), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn content_is_decoded_as_it_was(coding in codings(), pieces in pieces()) {
        let mut encoder = Encoder::new(coding).unwrap();
        let (mut content, mut bytes) = (Vec::new(), Vec::new());
        for (piece, flushes) in pieces {
            let next = if flushes { Next::Pause } else { Next::More };
            let encoded = encoder.encode(&piece, next).unwrap();
            content.extend_from_slice(&piece);
            bytes.extend_from_slice(&encoded.bytes);
            encoder = encoded.encoder.unwrap();
            if flushes {
                prop_assert_eq!(decoded(coding, &bytes), content.clone());
            }
        }
        let encoded = encoder.encode(b"", Next::End).unwrap();
        prop_assert!(encoded.encoder.is_none());
        bytes.extend_from_slice(&encoded.bytes);
        prop_assert_eq!(decoded(coding, &bytes), content);
    }

    #[test]
    fn coded_content_without_its_end_is_not_complete(coding in codings(), piece in pieces()) {
        let encoder = Encoder::new(coding).unwrap();
        let content: Vec<u8> = piece.into_iter().flat_map(|(piece, _)| piece).collect();
        let bytes = encoder.encode(&content, Next::Pause).unwrap().bytes;
        let whole = |bytes: &[u8]| match coding {
            ContentCoding::Brotli => {
                brotli::Decompressor::new(bytes, 4096).read_to_end(&mut Vec::new()).is_ok()
            }
            ContentCoding::Zstd => zstd::stream::decode_all(bytes).is_ok(),
            ContentCoding::Gzip => {
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut Vec::new()).is_ok()
            }
        };
        prop_assert!(!whole(&bytes));
    }
}

#[test]
fn coded_text_is_shorter() {
    let text = "The same words again and again. ".repeat(1000);
    for coding in ContentCoding::ALL {
        let encoded = Encoder::new(coding).unwrap().encode(text.as_bytes(), Next::End).unwrap();
        assert!(encoded.bytes.len() < text.len() / 20, "{coding}: {}", encoded.bytes.len());
    }
}

fn request(method: &str, lines: &[(&str, &str)]) -> RequestHead {
    let mut text = format!("{method} / HTTP/1.1\r\nHost: h\r\n");
    lines.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    text += "\r\n";
    match ServerCodec::new().decode(text.as_bytes(), &HeadLimits::default()) {
        Ok((_, Some(ServerEvent::Request(head)))) => *head,
        other => panic!("{other:?}"),
    }
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

fn rules() -> CompressionRules {
    CompressionRules { codings: Some(CompressionRules::USUAL.to_vec()), ..Default::default() }
}

/// Returns the verdict on a page for a request with these fields.
fn verdict(rules: &CompressionRules, request: &RequestHead, page: &[(&str, &str)]) -> Verdict {
    let head = fields(&[&[("Content-Type", "text/html")], page].concat());
    let answer = Answer { status: Status::OK, head: &head, original: &head, is_public: false };
    let policy = rules.policy(None).unwrap();
    policy.decide(Asker { request, is_known: false }, answer)
}

const ZSTD: Verdict = Verdict::Coded(ContentCoding::Zstd);

#[test]
fn request_decides_which_coding_it_gets() {
    let all = ("Accept-Encoding", "gzip, deflate, br, zstd");
    for (method, lines, expected) in [
        ("GET", &[all][..], ZSTD),
        ("HEAD", &[all], ZSTD),
        ("POST", &[all], Verdict::NotHere(Uncoded::Method)),
        ("GET", &[], Verdict::NotHere(Uncoded::NotAccepted)),
        ("GET", &[("Accept-Encoding", "gzip")], Verdict::Coded(ContentCoding::Gzip)),
        ("GET", &[("Accept-Encoding", "zstd;q=0.5, br")], Verdict::Coded(ContentCoding::Brotli)),
        (
            "GET",
            &[("Accept-Encoding", "gzip;q=0, identity")],
            Verdict::NotHere(Uncoded::NotAccepted),
        ),
        ("GET", &[all, ("Range", "bytes=0-9")], Verdict::NotHere(Uncoded::Part)),
        ("GET", &[all, ("Cache-Control", "no-transform")], Verdict::NotHere(Uncoded::NoTransform)),
        ("GET", &[all, ("Cookie", "a=b")], Verdict::NotHere(Uncoded::Credentials)),
        ("GET", &[all, ("Authorization", "Basic eA==")], Verdict::NotHere(Uncoded::Credentials)),
    ] {
        assert_eq!(verdict(&rules(), &request(method, lines), &[]), expected, "{method} {lines:?}");
    }
}

#[test]
fn response_decides_if_it_may_be_coded() {
    let get = request("GET", &[("Accept-Encoding", "zstd")]);
    for (page, expected) in [
        (&[][..], ZSTD),
        (&[("Content-Length", "1024")], ZSTD),
        (&[("Content-Length", "1023")], Verdict::Never(Uncoded::Short)),
        (&[("Content-Encoding", "gzip")], Verdict::Never(Uncoded::Coded)),
        (&[("Content-Encoding", "identity")], Verdict::Never(Uncoded::Coded)),
        (&[("Cache-Control", "max-age=5, No-Transform")], Verdict::Never(Uncoded::NoTransform)),
        (&[("Cache-Control", "private")], Verdict::Never(Uncoded::Private)),
        (&[("Cache-Control", "private=\"x\"")], Verdict::Never(Uncoded::Private)),
        (&[("Cache-Control", "no-store")], Verdict::Never(Uncoded::Private)),
        (&[("Cache-Control", "no-cache, max-age=0")], ZSTD),
        (&[("Set-Cookie", "a=b")], Verdict::Never(Uncoded::Private)),
        (&[("Content-Range", "bytes 0-9/10")], Verdict::Never(Uncoded::Coded)),
        (&[("Transfer-Encoding", "x")], Verdict::Never(Uncoded::Coded)),
        (&[("Content-Type", "text/html")], Verdict::Never(Uncoded::Type)),
    ] {
        assert_eq!(verdict(&rules(), &get, page), expected, "{page:?}");
    }
    let policy = CompressionRules { types: vec!["image/*".parse().unwrap()], ..rules() };
    assert_eq!(verdict(&policy, &get, &[]), Verdict::Never(Uncoded::Type));
}

#[test]
fn secrets_are_compressed_only_if_the_operator_says_so() {
    let lines = [("Accept-Encoding", "zstd"), ("Cookie", "a=b")];
    let with_cookie = request("GET", &lines);
    let private = CompressionRules { private: Some(true), ..rules() };
    assert_eq!(verdict(&private, &with_cookie, &[("Cache-Control", "private")]), ZSTD);
    assert_eq!(verdict(&private, &with_cookie, &[("Set-Cookie", "a=b")]), ZSTD);

    let head = fields(&[("Content-Type", "text/html"), ("Cache-Control", "max-age=60")]);
    let secret = fields(&[("Cache-Control", "private")]);
    let (rules, public) = (rules(), request("GET", &lines[..1]));
    let policy = rules.policy(None).unwrap();
    let decide = |request, is_known, original, is_public| {
        let answer = Answer { status: Status::OK, head: &head, original, is_public };
        policy.decide(Asker { request, is_known }, answer)
    };
    assert_eq!(decide(&with_cookie, false, &head, true), ZSTD, "the same for all clients");
    assert_eq!(decide(&public, true, &head, true), ZSTD);
    assert_eq!(decide(&public, true, &head, false), Verdict::NotHere(Uncoded::Credentials));
    assert_eq!(
        decide(&public, false, &secret, true),
        Verdict::Never(Uncoded::Private),
        "an edit hides no secret"
    );
}

#[test]
fn rules_of_a_route_stand_before_those_of_the_process() {
    let process = CompressionRules { min_length: Some(10), ..rules() };
    let off = CompressionRules { codings: Some(Vec::new()), ..Default::default() };
    assert!(off.policy(None).is_none() && process.policy(Some(&off)).is_none());
    assert!(CompressionRules::default().policy(None).is_none(), "off by default");
    let route = CompressionRules { codings: Some(vec![ContentCoding::Gzip]), ..Default::default() };
    let get = request("GET", &[("Accept-Encoding", "zstd, gzip")]);
    let head = fields(&[("Content-Type", "text/css"), ("Content-Length", "11")]);
    let answer = Answer { status: Status::OK, head: &head, original: &head, is_public: false };
    let asker = Asker { request: &get, is_known: false };
    let found = process.policy(Some(&route)).unwrap().decide(asker, answer);
    assert_eq!(found, Verdict::Coded(ContentCoding::Gzip));
    let not_found = Answer { status: Status::NOT_FOUND, ..answer };
    assert_eq!(process.policy(None).unwrap().decide(asker, not_found), ZSTD);
    let failed = Answer { status: Status::new(500).unwrap(), ..answer };
    assert_eq!(
        process.policy(None).unwrap().decide(asker, failed),
        Verdict::Never(Uncoded::Status)
    );
}
