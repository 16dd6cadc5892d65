//! Call: the handler of an application answers the request.

use std::sync::Arc;
use std::task::Poll;

use crate::app::{Circumstances, Reject, Reply, Request};
use crate::http::{
    ClientCodec, ClientEvent, HeadLimits, HeadWriter, Method, ParseError, ResponseHead,
};
use crate::proxy::error::{ApplicationError, ExchangeError};
use crate::proxy::jobs::Lane;
use crate::proxy::settings::sites::application::CallPlace;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body;

use super::answer::{Answer, answer, tell_failure};
use super::application::{Call, Phase, Production};
use super::attempt::Received;
use super::context::FetchCx;
use super::gather::send_continue;
use super::head::take_head;
use super::rewrite_request;
use super::state::{Fetch, State};
use super::step::{AfterHead, Next};

/// Receives the content of the request, calls the handler, and takes its reply.
pub(super) fn call(fetch: &mut Fetch, mut call: Box<Call>, cx: &mut FetchCx<'_>) -> Next {
    match &mut call.phase {
        Phase::Gathering(content) => {
            match gather(fetch, content, call.application.max_content, cx) {
                Poll::Pending => Next::Park(State::Call(call)),
                Poll::Ready(Err(error)) => Next::Fail(State::Call(call), error),
                Poll::Ready(Ok(())) => {
                    let content = std::mem::take(content);
                    begin(fetch, call, content, cx)
                }
            }
        }
        Phase::UnderWay(job) => match cx.shared.jobs.take::<Answer<Reply>>(*job) {
            Some(answer) => take_answer(fetch, call, answer, cx),
            None if fetch.timers.expires(FetchTimer::Response, cx.reactor.now().mono) => {
                Next::Fail(State::Call(call), ApplicationError::Timeout.into())
            }
            None => Next::Park(State::Call(call)),
        },
    }
}

/// Receives the content of the request, of which the application takes `most` bytes, completely.
fn gather(
    fetch: &mut Fetch,
    content: &mut Vec<u8>,
    most: u64,
    cx: &mut FetchCx<'_>,
) -> Poll<Result<(), ExchangeError>> {
    let Some(upload) = fetch.upload else { return Poll::Ready(Ok(())) };
    let promised = fetch.request.head.body_length().known().unwrap_or_default();
    let received = upload.body(&mut cx.shared.uploads).end();
    if promised.max(received) > most {
        return Poll::Ready(Err(ApplicationError::ContentTooLarge.into()));
    }
    send_continue(fetch, cx);
    let body = upload.body(&mut cx.shared.uploads);
    body.read(upload.reader, content, cx.reactor);
    match body.state() {
        body::State::Complete(_) => {
            fetch.request.gathered = Some(received);
            Poll::Ready(Ok(()))
        }
        body::State::Failed(error) => Poll::Ready(Err(error.clone())),
        body::State::Streaming => {
            body.park(upload.reader);
            Poll::Pending
        }
    }
}

/// Calls the handler: on the loop, or on a thread.
fn begin(fetch: &mut Fetch, mut call: Box<Call>, content: Vec<u8>, cx: &mut FetchCx<'_>) -> Next {
    let request = match request(fetch, &call, content, cx) {
        Ok(request) => request,
        Err(error) => return Next::Fail(State::Call(call), ExchangeError::BadRequest(error)),
    };
    call.at = cx.reactor.now().mono;
    cx.shared.cache.sent(fetch.ticket);
    let application = Arc::clone(&call.application);
    if application.place == CallPlace::Loop {
        let answer = answer(|| Reject::settle(application.handler.handle(&request)));
        return take_answer(fetch, call, answer, cx);
    }
    if cx.shared.jobs.handlers() >= application.max_calls {
        return Next::Fail(State::Call(call), ApplicationError::Busy.into());
    }
    fetch.timers.start(FetchTimer::Response, call.at + application.timeout);
    let work = move || answer(|| Reject::settle(application.handler.handle(&request)));
    match cx.shared.jobs.begin((Lane::Handlers, fetch.token()), work, cx.reactor) {
        Ok(job) => {
            call.phase = Phase::UnderWay(job);
            Next::Go(State::Call(call))
        }
        Err(_) => Next::Fail(State::Call(call), ExchangeError::Overloaded),
    }
}

/// Returns the request for the handler.
fn request(
    fetch: &Fetch,
    call: &Call,
    content: Vec<u8>,
    cx: &FetchCx<'_>,
) -> Result<Request, ParseError> {
    let mut head = Vec::new();
    rewrite_request::application_head(&mut head, &fetch.request, &cx.shared.settings);
    let circumstances = Circumstances {
        url: Arc::clone(&fetch.request.route.uri),
        client: fetch.request.behind.to_canonical(),
        user: fetch.request.user.clone(),
        received: cx.reactor.now().wall,
        notify: call.recall.notify(),
    };
    Request::of(&head, content, circumstances)
}

/// Takes the result of the handler.
fn take_answer(
    fetch: &mut Fetch,
    call: Box<Call>,
    answer: Answer<Reply>,
    cx: &mut FetchCx<'_>,
) -> Next {
    fetch.timers.stop(FetchTimer::Response);
    let (method, limits) = (fetch.request.head.method(), &cx.shared.heads);
    let checked = answer.and_then(|reply| match head_of(&reply, method, limits) {
        Ok(head) => Ok((reply, head)),
        Err(error) => Err((ApplicationError::Reply(error), error.to_string())),
    });
    let (reply, head) = match checked {
        Ok(reply) => reply,
        Err((error, reason)) => {
            tell_failure(fetch, &call.application, error, &reason, cx);
            return Next::Fail(State::Call(call), error.into());
        }
    };
    let received = Received { head: &head, sent_at: call.at, origin: None, is_bound: false };
    match take_head(fetch, received, cx) {
        Ok(AfterHead::Content) => {
            let Call { application, recall, .. } = *call;
            let has_content = head.body_length().has_content();
            let production = Production::new(application, recall, reply, has_content);
            Next::Go(State::Produce(Box::new(production)))
        }
        Ok(AfterHead::AskAgain) => Next::Go(State::Acquire(None)),
        Err(error) => Next::Fail(State::Call(call), error),
    }
}

/// Returns the head of a reply to a request with `method`, read as strictly as that of an origin.
fn head_of(
    reply: &Reply,
    method: Method,
    limits: &HeadLimits,
) -> Result<Box<ResponseHead>, ParseError> {
    let (response, mut bytes) = (reply.response(), Vec::new());
    let status = response.status();
    let mut head = HeadWriter::response(&mut bytes, status, status.reason().as_bytes());
    head.copy_if(response.fields(), |_| true);
    match reply.length() {
        _ if !response.permits_content() => {}
        Some(length) => _ = head.number("Content-Length", length),
        None => _ = head.field("Transfer-Encoding", b"chunked"),
    }
    head.end();
    match ClientCodec::new(method).decode(&bytes, limits)? {
        (_, Some(ClientEvent::Response(head))) => Ok(head),
        _ => Err(ParseError::Truncated),
    }
}
