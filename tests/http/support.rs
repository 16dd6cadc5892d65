//! What the tests share: messages, and what comes of them.

use tidegate::http::{
    ClientCodec, ClientEvent, Fields, HeadLimits, Method, Name, ParseError, RequestHead,
    ResponseHead, ServerCodec, ServerEvent,
};

use super::rules::stream::{Reading, Run, everywhere, requests, responses};

/// A request with these further lines.
pub(crate) fn post(lines: &[u8]) -> Vec<u8> {
    [b"POST /upload HTTP/1.1\r\nHost: h.test\r\n", lines, b"\r\n"].concat()
}

/// A request in chunks, up to its content.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    [&post(b"Transfer-Encoding: chunked\r\n"), body].concat()
}

/// A request with this request line.
pub(crate) fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: h.test\r\n\r\n").into_bytes()
}

/// A response with these further lines.
pub(crate) fn ok(lines: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n"].concat()
}

/// The head of the one request in `bytes`.
pub(crate) fn request(bytes: &[u8]) -> Result<RequestHead, ParseError> {
    let (used, event) = ServerCodec::new().decode(bytes, &HeadLimits::default())?;
    let Some(ServerEvent::Request(head)) = event else { panic!("no request: {event:?}") };
    assert_eq!(used, bytes.len(), "the head is all there is");
    Ok(*head)
}

/// The head of the one response in `bytes`, to a request with `method`.
pub(crate) fn response_to(method: Method, bytes: &[u8]) -> Result<ResponseHead, ParseError> {
    let (used, event) = ClientCodec::new(method).decode(bytes, &HeadLimits::default())?;
    let Some(ClientEvent::Response(head) | ClientEvent::Interim(head)) = event else {
        panic!("no response: {event:?}")
    };
    assert_eq!(used, bytes.len(), "the head is all there is");
    Ok(*head)
}

/// The head of the one response in `bytes`, to GET.
pub(crate) fn response(bytes: &[u8]) -> Result<ResponseHead, ParseError> {
    response_to(Method::Get, bytes)
}

/// What comes of a client's stream, whether it comes at once or byte by byte.
pub(crate) fn from_client(input: &[u8], limits: &HeadLimits) -> Run {
    let whole = requests(input, &[], limits, Reading::Decoded);
    assert_eq!(requests(input, &everywhere(input), limits, Reading::Decoded), whole);
    whole
}

/// What comes of an origin's stream, whether it comes at once or byte by byte.
pub(crate) fn from_origin(method: Method, input: &[u8], limits: &HeadLimits) -> Run {
    let whole = responses(method, input, &[], limits, Reading::Decoded);
    assert_eq!(responses(method, input, &everywhere(input), limits, Reading::Decoded), whole);
    whole
}

/// Fields as a head would have them.
pub(crate) fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

/// The values of a field as text.
pub(crate) fn values(fields: &Fields, name: Name) -> Vec<&str> {
    fields.all(name).map(|value| std::str::from_utf8(value).unwrap()).collect()
}
