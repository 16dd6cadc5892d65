//! Shared helpers: messages, and the events parsed from them.

use tidegate::http::{
    ClientCodec, ClientEvent, Fields, HeadLimits, Method, Name, ParseError, RequestHead,
    ResponseHead, ServerCodec, ServerEvent,
};

use super::rules::stream::{Reading, Run, everywhere, requests, responses};

/// Returns a request with these additional field lines.
pub(crate) fn post(lines: &[u8]) -> Vec<u8> {
    [b"POST /upload HTTP/1.1\r\nHost: h.test\r\n", lines, b"\r\n"].concat()
}

/// Returns a request with chunked content; `body` is its content as sent.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    [&post(b"Transfer-Encoding: chunked\r\n"), body].concat()
}

/// Returns a request with this request line.
pub(crate) fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: h.test\r\n\r\n").into_bytes()
}

/// Returns a response with these additional field lines.
pub(crate) fn ok(lines: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n"].concat()
}

/// Parses the head of the only request in `bytes`.
pub(crate) fn request(bytes: &[u8]) -> Result<RequestHead, ParseError> {
    let (used, event) = ServerCodec::new().decode(bytes, &HeadLimits::default())?;
    let Some(ServerEvent::Request(head)) = event else { panic!("no request: {event:?}") };
    assert_eq!(used, bytes.len(), "the stream holds only the head");
    Ok(*head)
}

/// Parses the head of the only response in `bytes`, to a request with `method`.
pub(crate) fn response_to(method: Method, bytes: &[u8]) -> Result<ResponseHead, ParseError> {
    let (used, event) = ClientCodec::new(method).decode(bytes, &HeadLimits::default())?;
    let Some(ClientEvent::Response(head) | ClientEvent::Interim(head)) = event else {
        panic!("no response: {event:?}")
    };
    assert_eq!(used, bytes.len(), "the stream holds only the head");
    Ok(*head)
}

/// Parses the head of the only response in `bytes`, to GET.
pub(crate) fn response(bytes: &[u8]) -> Result<ResponseHead, ParseError> {
    response_to(Method::Get, bytes)
}

/// Returns the events of a client's stream, which are the same whether it arrives at once or byte
/// by byte.
pub(crate) fn from_client(input: &[u8], limits: &HeadLimits) -> Run {
    let whole = requests(input, &[], limits, Reading::Decoded);
    assert_eq!(requests(input, &everywhere(input), limits, Reading::Decoded), whole);
    whole
}

/// Returns the events of an origin's stream, which are the same whether it arrives at once or byte
/// by byte.
pub(crate) fn from_origin(method: Method, input: &[u8], limits: &HeadLimits) -> Run {
    let whole = responses(method, input, &[], limits, Reading::Decoded);
    assert_eq!(responses(method, input, &everywhere(input), limits, Reading::Decoded), whole);
    whole
}

/// Returns fields as in a parsed head.
pub(crate) fn fields(lines: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

/// Returns the values of a field as text.
pub(crate) fn values(fields: &Fields, name: Name) -> Vec<&str> {
    fields.all(name).map(|value| std::str::from_utf8(value).unwrap()).collect()
}
