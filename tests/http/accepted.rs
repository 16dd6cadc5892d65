//! Accepted messages and how they are parsed: the counterpart of the refusals.

use tidegate::http::{Form, Framing, HeadLimits, Method, Name, Status, Version};

use super::rules::stream::{Ending, Event};
use super::support::{
    chunked, from_client, from_origin, ok, post, request, response, response_to, values, with_line,
};

#[test]
fn one_empty_line_before_each_request_is_ignored() {
    let stream =
        b"\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n\r\n";
    let run = from_client(stream, &HeadLimits::default());
    assert_eq!(run.events.len(), 2);
    assert_eq!(run.ending, Ending::Pending(stream.len()));
}

#[test]
fn minor_version_above_1_counts_as_1() {
    for minor in 1..=9 {
        let head = request(&with_line(&format!("GET / HTTP/1.{minor}"))).unwrap();
        assert_eq!(head.version(), Version::Http11);
        let head = response(format!("HTTP/1.{minor} 200 OK\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(head.version(), Version::Http11);
    }
    assert_eq!(request(b"GET / HTTP/1.0\r\n\r\n").unwrap().version(), Version::Http10);
}

#[test]
fn methods_are_case_sensitive_tokens() {
    for (name, method) in [
        ("GET", Method::Get),
        ("get", Method::Extension),
        ("M-SEARCH", Method::Extension),
        ("!#$%&'*+-.^_`|~09azAZ", Method::Extension),
        ("PATCH", Method::Patch),
    ] {
        let head = request(&with_line(&format!("{name} / HTTP/1.1"))).unwrap();
        assert_eq!((head.method(), head.method_name()), (method, name));
    }
}

#[test]
fn absolute_targets_are_split_without_normalization() {
    for (target, scheme, host, port, path) in [
        ("http://h.test", "http", "h.test", None, ""),
        ("http://h.test/", "http", "h.test", None, "/"),
        ("HTTP://H.Test:8080/a?b", "HTTP", "H.Test", Some(8080), "/a?b"),
        ("http://h?q=/@:", "http", "h", None, "?q=/@:"),
        ("http://h:/", "http", "h", None, "/"),
        ("http://h:00080/", "http", "h", Some(80), "/"),
        ("http://[2001:DB8::1]:81/", "http", "[2001:DB8::1]", Some(81), "/"),
        ("http://[::ffff:127.0.0.1]", "http", "[::ffff:127.0.0.1]", None, ""),
        ("http://h//a/../b/./%2e%2E;c=d//", "http", "h", None, "//a/../b/./%2e%2E;c=d//"),
        ("http://h/http://i/", "http", "h", None, "/http://i/"),
        ("https://h/", "https", "h", None, "/"),
        ("urn+x-1.0://h_1~.-/", "urn+x-1.0", "h_1~.-", None, "/"),
        ("http://127.1/", "http", "127.1", None, "/"),
        ("http://h/a[]=1:@!$&'()*+,;=", "http", "h", None, "/a[]=1:@!$&'()*+,;="),
    ] {
        let head = request(&with_line(&format!("GET {target} HTTP/1.1"))).unwrap();
        assert_eq!((head.form(), head.target(), head.scheme()), (Form::Absolute, target, scheme));
        let authority = head.authority().unwrap();
        assert_eq!((authority.host, authority.port), (host, port), "{target}");
        assert_eq!(head.path_and_query(), path, "{target}");
    }
}

#[test]
fn other_target_forms_have_no_scheme() {
    for (line, form, authority) in [
        ("GET /a?b HTTP/1.1", Form::Origin, None),
        ("GET //h/a HTTP/1.1", Form::Origin, None),
        ("GET /http://h/ HTTP/1.1", Form::Origin, None),
        ("OPTIONS * HTTP/1.1", Form::Asterisk, None),
        ("CONNECT h:443 HTTP/1.1", Form::Authority, Some(("h", Some(443)))),
        ("CONNECT [::1]:443 HTTP/1.1", Form::Authority, Some(("[::1]", Some(443)))),
    ] {
        let head = request(&with_line(line)).unwrap();
        assert_eq!((head.form(), head.scheme()), (form, ""), "{line}");
        assert_eq!(head.authority().map(|a| (a.host, a.port)), authority, "{line}");
    }
}

#[test]
fn host_may_be_empty_or_have_an_empty_port() {
    for host in
        ["", "h", "h:", "h:80", "h:00443", "H.Test.", "127.0.0.1", "[::1]", "[::1]:80", "a_b"]
    {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let head = request(bytes.as_bytes()).unwrap();
        assert_eq!(values(head.fields(), Name::Host), [host]);
    }
}

#[test]
fn host_has_at_most_255_bytes() {
    let host = "h".repeat(255);
    assert!(request(&with_line(&format!("GET http://{host}/ HTTP/1.1"))).is_ok());
    assert!(request(&with_line(&format!("GET http://{host}h/ HTTP/1.1"))).is_err());
}

#[test]
fn http_1_0_needs_no_host_and_ignores_expectations() {
    let head = request(b"GET / HTTP/1.0\r\nExpect: anything\r\n\r\n").unwrap();
    assert!(!head.fields().has(Name::Host));
}

#[test]
fn expectation_ignores_case_and_may_be_repeated() {
    for lines in [
        &b"Expect: 100-Continue\r\n"[..],
        b"Expect: 100-continue,, 100-CONTINUE\r\n",
        b"Expect:\r\n",
    ] {
        assert!(request(&post(lines)).is_ok());
    }
}

#[test]
fn values_keep_any_text_but_surrounding_white_space() {
    let all: Vec<u8> = (0u8..=255).filter(|&b| b == b'\t' || (b >= b' ' && b != 0x7f)).collect();
    let value = [b"x", &all[..], b"x"].concat();
    let line = [b"A:\t  ", &value[..], b" \t \r\n"].concat();
    let head = request(&post(&line)).unwrap();
    assert_eq!(head.fields().all_named(b"a").collect::<Vec<_>>(), [&value[..]]);
    let head = response(&ok(&line)).unwrap();
    assert_eq!(head.fields().all_named(b"a").collect::<Vec<_>>(), [&value[..]]);
}

#[test]
fn each_byte_is_accepted_or_refused_in_names_values_and_methods() {
    for byte in 0..=255u8 {
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = ok(&[b"A", &[byte][..], b"B: c\r\n"].concat());
        assert_eq!(response(&name).is_ok(), token || byte == b':', "{byte:#x} in a name");
        let text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        let value = ok(&[b"A: b", &[byte][..], b"c\r\n"].concat());
        assert_eq!(response(&value).is_ok(), text, "{byte:#x} in a value");
        let method = [b"G", &[byte][..], b"T / HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        assert_eq!(request(&method).is_ok(), token, "{byte:#x} in a method");
    }
}

#[test]
fn request_framing_follows_one_field() {
    for (lines, framing) in [
        (&b""[..], Framing::None),
        (b"Content-Length: 0\r\n", Framing::Length(0)),
        (b"content-length:5\r\n", Framing::Length(5)),
        (b"Content-Length: \t007 \r\n", Framing::Length(7)),
        (b"Content-Length: 9223372036854775807\r\n", Framing::Length(i64::MAX.cast_unsigned())),
        (b"Transfer-Encoding: chunked\r\n", Framing::Chunked),
        (b"TRANSFER-ENCODING:\tCHUNKED\t\r\n", Framing::Chunked),
        (b"Content_Length: 5\r\nX-Transfer-Encoding: chunked\r\n", Framing::None),
    ] {
        assert_eq!(request(&post(lines)).unwrap().framing(), framing, "{}", lines.escape_ascii());
    }
}

#[test]
fn all_methods_except_trace_and_connect_may_have_content() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "get", "PROPFIND"] {
        let stream = format!("{method} / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(from_client(stream.as_bytes(), &HeadLimits::default()).content(), b"hi");
    }
    for line in ["TRACE / HTTP/1.1", "CONNECT h:443 HTTP/1.1"] {
        let bytes = format!("{line}\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        assert!(!request(bytes.as_bytes()).unwrap().framing().has_content());
    }
}

#[test]
fn response_framing_follows_status_method_and_fields() {
    let framing = |method, bytes: &[u8]| response_to(method, bytes).unwrap().framing();
    let long = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(framing(Method::Get, long), Framing::Length(5));
    assert_eq!(framing(Method::Head, long), Framing::None);
    assert_eq!(framing(Method::Connect, long), Framing::None);
    assert_eq!(framing(Method::Get, b"HTTP/1.1 200 OK\r\n\r\n"), Framing::Close);
    assert_eq!(framing(Method::Get, b"HTTP/1.0 200 OK\r\n\r\n"), Framing::Close);
    assert_eq!(framing(Method::Get, &ok(b"Transfer-Encoding: Chunked\r\n")), Framing::Chunked);
    for status in ["100", "101", "102", "103", "199", "204", "304"] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(framing(Method::Get, head.as_bytes()), Framing::None, "{status}");
    }
    for status in ["205", "400", "407", "500"] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(framing(Method::Get, head.as_bytes()), Framing::Length(5), "{status}");
    }
    let refused = b"HTTP/1.1 407 X\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(
        framing(Method::Connect, refused),
        Framing::Length(5),
        "a refused CONNECT opens no tunnel"
    );
}

#[test]
fn successful_connect_response_ignores_framing_fields() {
    for lines in [
        &b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"[..],
        b"Content-Length: x\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
    ] {
        let head = response_to(Method::Connect, &ok(lines)).unwrap();
        assert_eq!(head.framing(), Framing::None);
    }
}

#[test]
fn known_coding_without_chunked_ends_with_the_connection() {
    for coding in ["gzip", "identity", "gzip, deflate", "gzip , ,br", "identity, X-Gzip"] {
        let bytes = ok(format!("Transfer-Encoding: {coding}\r\n").as_bytes());
        let head = response(&bytes).unwrap();
        assert_eq!(head.framing(), Framing::Close, "{coding}");
        assert_eq!(head.is_coded(), coding != "identity", "{coding}");
    }
}

#[test]
fn equal_content_lengths_of_a_response_become_one_number() {
    for (lines, length) in [
        (&b"Content-Length: 5\r\nContent-Length: 5\r\n"[..], 5),
        (b"Content-Length: 5, 5\r\n", 5),
        (b"content-length: 5,5 ,5\r\nA: b\r\nContent-Length: 5\r\n", 5),
        (b"Content-Length: 0005\r\n", 5),
        (b"Content-Length: 00, 00\r\n", 0),
    ] {
        for method in [Method::Get, Method::Head] {
            let head = response_to(method, &ok(lines)).unwrap();
            assert_eq!(values(head.fields(), Name::ContentLength), [length.to_string()]);
            let framing =
                if method == Method::Head { Framing::None } else { Framing::Length(length) };
            assert_eq!(head.framing(), framing);
        }
    }
    let head =
        response(&ok(b"A: b\r\nContent-Length: 5, 5\r\nC: d\r\nContent-Length: 5\r\n")).unwrap();
    let lines: Vec<String> = head.fields().iter().map(|field| format!("{field:?}")).collect();
    assert_eq!(lines, ["A: b", "Content-Length: 5", "C: d"]);
}

#[test]
fn white_space_before_a_colon_is_removed_from_responses() {
    let head = response(&ok(b"A : b\r\nC\t \t: d\r\nTransfer-Encoding : chunked\r\n")).unwrap();
    let lines: Vec<String> = head.fields().iter().map(|field| format!("{field:?}")).collect();
    assert_eq!(lines, ["A: b", "C: d", "Transfer-Encoding: chunked"]);
    assert_eq!(head.framing(), Framing::Chunked);
}

#[test]
fn folded_fields_of_responses_are_unfolded() {
    let folded = b"A: b\r\n c\r\n\td\r\n \r\nTransfer-Encoding:\r\n chunked\r\nE: f\r\n \r\n";
    let head = response(&ok(folded)).unwrap();
    let lines: Vec<String> = head.fields().iter().map(|field| format!("{field:?}")).collect();
    assert_eq!(lines, ["A: b   c  \\td", "Transfer-Encoding: chunked", "E: f"]);
    assert_eq!(head.framing(), Framing::Chunked);
}

#[test]
fn response_trailers_lose_fields_forbidden_in_trailers() {
    let head = ok(b"Transfer-Encoding: chunked\r\nConnection: X-Hop, close\r\n");
    let trailers = |lines: &[u8]| {
        let stream = [&head, &b"5\r\nhello\r\n0\r\n"[..], lines, b"\r\n"].concat();
        let run = from_origin(Method::Get, &stream, &HeadLimits::default());
        let Some(Event::End(trailers)) = run.events.last() else { panic!("{run:?}") };
        let trailers = trailers.as_ref()?;
        Some(trailers.iter().map(|field| format!("{field:?}")).collect::<Vec<_>>())
    };
    let all =
        b"A: 1\r\nSet-Cookie: a\r\nContent-Length: 7\r\nB : 2\r\n 3\r\nx-hop: 4\r\nAge: 1\r\n";
    assert_eq!(trailers(all), Some(vec!["A: 1".to_owned(), "B: 2   3".to_owned()]));
    assert_eq!(trailers(b"Transfer-Encoding: chunked\r\n"), None);
}

#[test]
fn request_trailers_lose_fields_named_by_connection() {
    let head = post(b"Transfer-Encoding: chunked\r\nConnection: x-hop\r\n");
    let stream = [&head, &b"0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n"[..]].concat();
    let run = from_client(&stream, &HeadLimits::default());
    let Some(Event::End(Some(trailers))) = run.events.last() else { panic!("{run:?}") };
    assert_eq!(trailers.iter().map(|field| format!("{field:?}")).collect::<Vec<_>>(), ["X-End: 2"]);
}

#[test]
fn status_and_reason_are_kept_unchanged() {
    for (line, status, reason) in [
        (&b"HTTP/1.1 200 OK"[..], 200, &b"OK"[..]),
        (b"HTTP/1.1 200", 200, b""),
        (b"HTTP/1.1 200 ", 200, b""),
        (b"HTTP/1.1 599  so\tit goes ", 599, b" so\tit goes "),
        (b"HTTP/1.0 404 Nicht gefunden \xe4\xff", 404, b"Nicht gefunden \xe4\xff"),
        (b"HTTP/1.1 600 Odd", 600, b"Odd"),
        (b"HTTP/1.1 999 No", 999, b"No"),
        (b"HTTP/1.1 100 200 OK", 100, b"200 OK"),
        (b"HTTP/1.1 299 HTTP/1.1 500", 299, b"HTTP/1.1 500"),
    ] {
        let head = response(&[line, b"\r\n\r\n"].concat()).unwrap();
        assert_eq!(head.status(), Status::new(status).unwrap());
        assert_eq!(head.reason(), reason);
    }
}

#[test]
fn chunk_sizes_accept_zeros_any_case_and_extensions() {
    let body = b"00000000000005\r\nhello\r\nA;x\r\n0123456789\r\n1 ; a = \"b;\\\"\" ;c\r\n!\r\n\
                 1\t;\xff\t\r\n!\r\n000;last\r\n\r\n";
    let run = from_client(&chunked(body), &HeadLimits::default());
    assert_eq!(run.content(), b"hello0123456789!!");
    assert_eq!(run.events.last(), Some(&Event::End(None)));
}

#[test]
fn trailers_keep_order_and_spelling() {
    let body = b"0\r\nX-b: 1\r\nx-A:\t2 \r\nX-B: \r\nETag: W\r\n\r\n";
    let run = from_client(&chunked(body), &HeadLimits::default());
    let Some(Event::End(Some(trailers))) = run.events.last() else { panic!("{run:?}") };
    let lines: Vec<String> = trailers.iter().map(|field| format!("{field:?}")).collect();
    assert_eq!(lines, ["X-b: 1", "x-A: 2", "X-B: ", "ETag: W"]);
    assert_eq!(trailers.start_line(), b"");
}

#[test]
fn largest_chunk_size_is_accepted() {
    let head = ok(b"Transfer-Encoding: chunked\r\n");
    let stream = [&head, &b"7fffffffffffffff\r\nabc"[..]].concat();
    assert_eq!(from_origin(Method::Get, &stream, &HeadLimits::default()).content(), b"abc");
}

#[test]
fn interim_responses_precede_the_final_one() {
    let stream = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n\
                   HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let run = from_origin(Method::Get, stream, &HeadLimits::default());
    let statuses: Vec<u16> = run
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Interim(head) | Event::Response(head) => Some(head.status().code()),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [100, 103, 102, 200]);
    assert_eq!(run.content(), b"hi");
}

#[test]
fn pipelined_requests_are_parsed_in_order() {
    let stream = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n\
                   POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n\
                   POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n\
                   POST /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n\
                   CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n\x16\x03";
    let run = from_client(stream, &HeadLimits::default());
    let targets: Vec<&str> = run
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Request(head) => Some(head.target()),
            _ => None,
        })
        .collect();
    assert_eq!(targets, ["/1", "/2", "/3", "/4", "h:443"]);
    assert_eq!(run.content(), b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(run.ending, Ending::Left(stream.len() - 2));
}

#[test]
fn targets_accept_characters_that_browsers_send() {
    for target in
        ["/a|b[1]'c", "/?a={b}^`\\|[]", "/\u{e4}\u{1f600}?q=\u{f6}", "http://h/{id}?\u{e4}"]
    {
        let head = request(&with_line(&format!("GET {target} HTTP/1.1"))).unwrap();
        assert_eq!(head.target(), target);
        assert!(head.path_and_query().len() > 3, "{target}");
    }
}

#[test]
fn relaxed_targets_accept_characters_that_some_programs_send() {
    let relaxed = HeadLimits { relaxed_target: true, ..HeadLimits::default() };
    let targets = ["/a\"<>b", "http://h/?<a>"];
    for target in targets {
        let bytes = with_line(&format!("GET {target} HTTP/1.1"));
        let run = from_client(&bytes, &relaxed);
        let [Event::Request(head)] = &run.events[..] else { panic!("{run:?}") };
        assert_eq!(head.target(), target);
    }
    for target in ["/#a", "http://u@h/", "http://h\\i/", "http://h{/", "http://h\u{e4}/"] {
        let bytes = with_line(&format!("GET {target} HTTP/1.1"));
        assert!(matches!(from_client(&bytes, &relaxed).ending, Ending::Refused(_)), "{target}");
    }
}
