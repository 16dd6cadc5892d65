//! Reuse of connections, and the meaning of the end of a stream.

use tidegate::http::{
    ClientCodec, ClientEvent, HeadLimits, Method, ParseError, ServerCodec, ServerEvent,
};

use super::support::{chunked, post};

/// Reads a complete response and returns true if its connection can be reused.
fn is_reusable(method: Method, response: &[u8]) -> bool {
    let mut codec = ClientCodec::new(method);
    let mut used = 0;
    loop {
        let (n, event) = codec.decode(&response[used..], &HeadLimits::default()).unwrap();
        used += n;
        match event {
            Some(ClientEvent::End(_)) => return codec.is_reusable(),
            Some(_) => assert!(!codec.is_reusable(), "the response has not ended"),
            None => {
                assert_eq!(codec.end_of_stream(), Ok(ClientEvent::End(None)));
                return codec.is_reusable();
            }
        }
    }
}

#[test]
fn connection_is_reusable_after_a_self_delimited_response() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nhi",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert!(is_reusable(Method::Get, response.as_bytes()), "{response}");
    }
    assert!(is_reusable(Method::Head, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    assert!(is_reusable(Method::Head, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert!(is_reusable(Method::Head, b"HTTP/1.1 200 OK\r\n\r\n"));
    let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    assert!(is_reusable(Method::Connect, refused));
}

#[test]
fn connection_is_not_reusable_if_it_closes_or_may_hold_stray_bytes() {
    for response in [
        "HTTP/1.1 200 OK\r\n\r\nall that comes",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nall that comes",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: a, CLOSE\r\n\r\nhi",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ] {
        assert!(!is_reusable(Method::Get, response.as_bytes()), "{response}");
    }
    assert!(!is_reusable(Method::Head, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"));
    assert!(!is_reusable(Method::Connect, b"HTTP/1.1 200 Connection established\r\n\r\n"));
}

#[test]
fn bytes_after_a_response_are_not_consumed() {
    let stream = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n";
    let mut codec = ClientCodec::new(Method::Get);
    let limits = HeadLimits::default();
    let mut used = 0;
    while let (n, Some(_)) = codec.decode(&stream[used..], &limits).unwrap() {
        used += n;
    }
    assert_eq!(&stream[used..], b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(codec.decode(&stream[used..], &limits), Ok((0, None)));
}

#[test]
fn end_of_stream_completes_only_complete_responses() {
    for (response, whole) in [
        (&b"HTTP/1.1 200 OK\r\n\r\npart"[..], true),
        (b"HTTP/1.1 200 OK\r\n\r\n", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npart", true),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npart", false),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n", false),
        (b"HTTP/1.1 200 OK\r\n", false),
        (b"HTTP/1.1 100 Continue\r\n\r\n", false),
        (b"", false),
    ] {
        let mut codec = ClientCodec::new(Method::Get);
        let mut used = 0;
        let ended = loop {
            match codec.decode(&response[used..], &HeadLimits::default()).unwrap() {
                (_, Some(ClientEvent::End(_))) => break true,
                (n, Some(_)) => used += n,
                (_, None) => break codec.end_of_stream().is_ok(),
            }
        };
        assert_eq!(ended, whole, "{}", response.escape_ascii());
    }
}

#[test]
fn content_read_past_the_codec_completes_a_response() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let limits = HeadLimits::default();
    let mut codec = ClientCodec::new(Method::Get);
    codec.decode(head, &limits).unwrap();
    assert_eq!(codec.content_left(), 5);
    codec.skip_content(3);
    assert_eq!(codec.end_of_stream(), Err(ParseError::Truncated));
    codec.skip_content(2);
    assert_eq!(codec.content_left(), 0);
    assert_eq!(codec.clone().end_of_stream(), Ok(ClientEvent::End(None)));
    assert_eq!(codec.decode(b"", &limits), Ok((0, Some(ClientEvent::End(None)))));
    assert!(codec.is_reusable());
}

#[test]
fn codec_is_between_requests_until_a_head_and_after_the_end() {
    let limits = HeadLimits::default();
    let mut codec = ServerCodec::default();
    assert!(codec.is_between_requests());
    let head = post(b"Content-Length: 2\r\n");
    codec.decode(&head, &limits).unwrap();
    assert!(!codec.is_between_requests());
    assert_eq!(codec.content_left(), 2);
    codec.skip_content(2);
    assert!(!codec.is_between_requests(), "the end event is still due");
    assert_eq!(codec.decode(b"", &limits), Ok((0, Some(ServerEvent::End(None)))));
    assert!(codec.is_between_requests());
    assert_eq!(codec.content_left(), 0);
}

#[test]
fn only_the_rest_of_a_chunk_may_be_read_past_the_codec() {
    let limits = HeadLimits::default();
    let mut codec = ServerCodec::new();
    let stream = chunked(b"5\r\nhe");
    let (n, _) = codec.decode(&stream, &limits).unwrap();
    assert_eq!(codec.content_left(), 0, "the chunk size has not been read");
    codec.decode(&stream[n..], &limits).unwrap();
    assert_eq!(codec.content_left(), 3);
    codec.skip_content(3);
    assert_eq!(codec.content_left(), 0);
    let (n, event) = codec.decode(b"\r\n0\r\n\r\n", &limits).unwrap();
    assert_eq!((n, event), (7, Some(ServerEvent::End(None))));
}
