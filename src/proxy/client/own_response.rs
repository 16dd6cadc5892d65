//! Responses that the proxy generates itself, whose content is compressed before it is sent.

use std::borrow::Cow;

use crate::coding::{self, Answer};
use crate::http::{
    ClientCodec, ClientEvent, Fields, HeadLimits, Method, Name, RequestHead, Status,
};
use crate::proxy::compress::{code_little, is_little};
use crate::proxy::observe::outcome::Outcome;

use super::compression::{Shape, is_on, judge};
use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::respond::{self, ResponseContext};
use super::state::{Next, State};
use super::upload::Upload;

impl Exchange {
    /// Responds with the output of `write`, which returns the status and the length of the content.
    pub(super) fn respond(
        &mut self,
        connection: &mut Connection,
        cx: &mut ClientCx<'_>,
        write: impl FnOnce(&mut Vec<u8>, &RequestHead, ResponseContext<'_>) -> (Status, u64),
    ) -> Next {
        self.cache_status.detail = Some("own");
        self.persistence.keep_only_if(self.upload == Upload::Done);
        let begin = connection.output.bytes().len();
        let context = self.response_context(cx);
        let (status, sent) = write(connection.output.bytes(), &self.request, context);
        let sent = compress(begin, (status, sent), self, connection, cx);
        self.record.outcome = Outcome::Own;
        self.record
            .tell_type(cx.shared.settings.log.as_ref(), if sent > 0 { respond::TEXT } else { b"" });
        self.record.status = Some(status);
        self.record.sent = sent;
        Next::Go(State::Finish)
    }
}

/// Compresses the response that was written behind offset `begin` of the output, with `sent` bytes of content
/// at its end, if its content is little. Returns the number of bytes that it is sent with then.
fn compress(
    begin: usize,
    (status, sent): (Status, u64),
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> u64 {
    if !is_on(exchange, &cx.shared.settings) {
        return sent;
    }
    let written = connection.output.bytes().split_off(begin);
    let compressed = compressed(&written, status, exchange, connection, cx);
    let out = connection.output.bytes();
    let Some((head, content)) = compressed else {
        out.extend(written);
        return sent;
    };
    out.extend_from_slice(head.wire());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&content);
    content.len() as u64
}

/// Returns head and content of a response as the client gets them. `None` if they stay as they are.
fn compressed<'a>(
    written: &'a [u8],
    status: Status,
    exchange: &mut Exchange,
    connection: &Connection,
    cx: &mut ClientCx<'_>,
) -> Option<(Fields, Cow<'a, [u8]>)> {
    let mut codec = ClientCodec::new(exchange.request.method());
    let decoded = codec.decode(written, &HeadLimits::default()).ok()?;
    let (used, Some(ClientEvent::Response(head))) = decoded else { return None };
    let fields = head.fields();
    let length = fields.only(Name::ContentLength)?;
    let length = std::str::from_utf8(length).ok()?.parse().ok()?;
    let content = &written[used..];
    // A hook may answer with what is for one user.
    let answer = Answer { status, head: fields, original: fields, is_public: false };
    let coding = match judge(answer, exchange, connection, &cx.shared.settings) {
        Ok(coding) if is_little(length) => coding,
        Err(Shape::Varying) => {
            return match coding::varying(fields) {
                Cow::Owned(head) => Some((head, Cow::Borrowed(content))),
                Cow::Borrowed(_) => None,
            };
        }
        _ => return None,
    };
    if exchange.request.method() == Method::Head {
        return Some((coding::coded(fields, coding, None), Cow::Borrowed(content)));
    }
    let content = code_little(content, coding, &mut cx.shared.counters.compression)?;
    exchange.record.coding = Some(coding);
    let head = coding::coded(fields, coding, Some(content.len() as u64));
    Some((head, Cow::Owned(content)))
}
