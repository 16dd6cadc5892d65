//! Call: the handler of an application answers the request.

use std::sync::Arc;
use std::task::Poll;

use crate::app::{Reject, Reply};
use crate::proxy::error::{ApplicationError, ExchangeError};
use crate::proxy::jobs::Lane;
use crate::proxy::settings::sites::application::CallPlace;
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body;

use super::answer::{answer, tell_failure};
use super::application::{Answer, Call, Phase, Production};
use super::context::FetchCx;
use super::gather::send_continue;
use super::head::take_head;
use super::state::{Fetch, State};
use super::step::{AfterHead, Next};
use super::translate::{head_of, request};

/// Receives the content of the request, calls the handler, and takes its reply.
pub(super) fn call(fetch: &mut Fetch, mut call: Box<Call>, cx: &mut FetchCx<'_>) -> Next {
    match std::mem::replace(&mut call.phase, Phase::Gathering(Vec::new())) {
        Phase::Gathering(mut content) => {
            match gather(fetch, &mut content, call.application.max_content, cx) {
                Poll::Ready(Ok(())) => begin(fetch, call, content, cx),
                Poll::Ready(Err(error)) => Next::Fail(State::Call(call), error),
                Poll::Pending => {
                    call.phase = Phase::Gathering(content);
                    Next::Park(State::Call(call))
                }
            }
        }
        Phase::UnderWay(job, length) => match cx.shared.jobs.take(job) {
            Some(answer) => take_answer(fetch, call, answer, cx),
            None => {
                call.phase = Phase::UnderWay(job, length);
                match fetch.timers.expires(FetchTimer::Response, cx.reactor.now().mono) {
                    true => Next::Fail(State::Call(call), ApplicationError::Timeout.into()),
                    false => Next::Park(State::Call(call)),
                }
            }
        },
        Phase::Answered(answer) => take_answer(fetch, call, answer, cx),
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
    body.read(upload.reader, usize::MAX, content, cx.reactor);
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
    let (now, length) = (cx.reactor.now(), content.capacity());
    let request = request(&fetch.request, &call.recall, content, &cx.shared.settings, now);
    call.at = now.mono;
    cx.shared.cache.sent(fetch.ticket);
    let handler = Arc::clone(&call.application.handler);
    let work = move || answer(|| Reject::settle(handler.handle(&request)));
    if call.application.place == CallPlace::Loop {
        return take_answer(fetch, call, work(), cx);
    }
    if cx.shared.jobs.handlers() >= call.application.max_calls {
        return Next::Fail(State::Call(call), ApplicationError::Busy.into());
    }
    fetch.timers.start(FetchTimer::Response, call.at + call.application.timeout);
    match cx.shared.jobs.begin((Lane::Handlers, fetch.token()), work, cx.reactor) {
        Ok(job) => {
            call.phase = Phase::UnderWay(job, length);
            Next::Go(State::Call(call))
        }
        Err(_) => Next::Fail(State::Call(call), ExchangeError::Overloaded),
    }
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
        Err(failure) => {
            tell_failure(&fetch.request, &call.application, &failure, cx.shared);
            return Next::Fail(State::Call(call), failure.0.into());
        }
    };
    match take_head(fetch, call.received(&head), cx) {
        Ok(AfterHead::Content) => {
            if reply.is_streamed() {
                call.recall.wake_by(cx.reactor.waker(fetch.token()));
            }
            let Call { application, recall, .. } = *call;
            let has_content = head.body_length().has_content();
            let production = Production::new(application, recall, reply, has_content);
            Next::Go(State::Produce(Box::new(production)))
        }
        Ok(AfterHead::AskAgain) => Next::Go(State::Acquire(None)),
        Err(error) => Next::Fail(State::Call(call), error),
    }
}
