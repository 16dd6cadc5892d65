//! Produce: the content of an application's reply goes into the body, as fast as the body has room.

use std::task::{Poll, ready};

use crate::app::{Step, Stream};
use crate::proxy::error::ApplicationError;
use crate::proxy::jobs::Lane;
use crate::proxy::settings::sites::application::CallPlace;
use crate::proxy::timers::FetchTimer;

use super::answer::{answer, tell_failure};
use super::application::{Answer, Production, Source};
use super::content::{account, has_room};
use super::context::FetchCx;
use super::state::{Fetch, State};
use super::step::Next;

/// A stream that comes back from a thread, with its step.
type Stepped = (Box<dyn Stream>, Answer<Step>);

/// Moves content into the body until it is complete, the body has no room, or the application has no
/// more of it yet.
pub(super) fn produce(
    fetch: &mut Fetch,
    mut production: Box<Production>,
    cx: &mut FetchCx<'_>,
) -> Next {
    let produced = run(fetch, &mut production, cx);
    account(fetch, cx);
    match produced {
        Poll::Pending => Next::Park(State::Produce(production)),
        Poll::Ready(Ok(())) => {
            fetch.response(&mut cx.shared.responses).finish(None, cx.reactor);
            Next::Done(State::Produce(production))
        }
        Poll::Ready(Err(failure)) => {
            tell_failure(&fetch.request, &production.application, &failure, cx.shared);
            Next::Fail(State::Produce(production), failure.0.into())
        }
    }
}

/// Moves content until it is complete.
fn run(fetch: &mut Fetch, production: &mut Production, cx: &mut FetchCx<'_>) -> Poll<Answer<()>> {
    let first = std::mem::take(&mut production.first);
    append(fetch, production, first, cx)?;
    while !cx.budget.is_spent() {
        match ready!(next_step(fetch, production, cx))? {
            Step::Piece(piece) => append(fetch, production, piece, cx)?,
            Step::End => return Poll::Ready(check_end(production)),
            Step::Wait => await_notice(production, fetch, cx),
        }
    }
    Poll::Pending
}

/// Returns the next step of the stream, once the body has room and the stream has a step.
fn next_step(
    fetch: &mut Fetch,
    production: &mut Production,
    cx: &mut FetchCx<'_>,
) -> Poll<Answer<Step>> {
    match std::mem::replace(&mut production.source, Source::End) {
        Source::End => Poll::Ready(Ok(Step::End)),
        Source::UnderWay(job) => match cx.shared.jobs.take::<Stepped>(job) {
            Some((stream, step)) => {
                fetch.timers.stop(FetchTimer::Response);
                production.source = Source::Stream(stream);
                Poll::Ready(step)
            }
            None => park(production, Source::UnderWay(job), fetch, cx),
        },
        Source::Waits(stream) if !production.recall.take() => {
            park(production, Source::Waits(stream), fetch, cx)
        }
        Source::Waits(stream) | Source::Stream(stream) => {
            if has_room(fetch, false, cx) {
                return ask(stream, fetch, production, cx);
            }
            production.source = Source::Stream(stream);
            Poll::Pending
        }
    }
}

/// Asks the stream for its next step: on the loop, or on a thread.
fn ask(
    mut stream: Box<dyn Stream>,
    fetch: &mut Fetch,
    production: &mut Production,
    cx: &mut FetchCx<'_>,
) -> Poll<Answer<Step>> {
    production.recall.take(); // the stream is asked now
    fetch.timers.stop(FetchTimer::Response);
    if production.application.place == CallPlace::Loop {
        let step = answer(|| stream.next());
        production.source = Source::Stream(stream);
        return Poll::Ready(step);
    }
    start_timer(production, fetch, cx);
    let work = move || -> Stepped {
        let step = answer(|| stream.next());
        (stream, step)
    };
    match cx.shared.jobs.begin((Lane::Handlers, fetch.token()), work, cx.reactor) {
        Ok(job) => {
            production.source = Source::UnderWay(job);
            Poll::Pending
        }
        Err(error) => Poll::Ready(Err((ApplicationError::Busy, error.to_string()))),
    }
}

/// Appends a piece to the body, without copying it.
fn append(
    fetch: &Fetch,
    production: &mut Production,
    piece: Vec<u8>,
    cx: &mut FetchCx<'_>,
) -> Answer<()> {
    if let Some(left) = &mut production.left {
        let more = || (ApplicationError::Long, "more content than was promised".to_owned());
        *left = left.checked_sub(piece.len() as u64).ok_or_else(more)?;
    }
    cx.budget.spend_in(piece.len()); // an application is an origin here, too
    fetch.response(&mut cx.shared.responses).body.push_buffer(piece, cx.reactor);
    Ok(())
}

/// Waits until the stream is notified.
fn await_notice(production: &mut Production, fetch: &mut Fetch, cx: &FetchCx<'_>) {
    start_timer(production, fetch, cx);
    if let Source::Stream(stream) = std::mem::replace(&mut production.source, Source::End) {
        production.source = Source::Waits(stream);
    }
}

/// Parks with `source`, unless its step is late.
fn park(
    production: &mut Production,
    source: Source,
    fetch: &mut Fetch,
    cx: &FetchCx<'_>,
) -> Poll<Answer<Step>> {
    production.source = source;
    if fetch.timers.expires(FetchTimer::Response, cx.reactor.now().mono) {
        let late = "a step of the stream took too long".to_owned();
        return Poll::Ready(Err((ApplicationError::Timeout, late)));
    }
    Poll::Pending
}

fn start_timer(production: &Production, fetch: &mut Fetch, cx: &FetchCx<'_>) {
    let until = cx.reactor.now().mono + production.application.timeout;
    fetch.timers.start(FetchTimer::Response, until);
}

/// Checks that all of the promised content was produced.
fn check_end(production: &Production) -> Answer<()> {
    match production.left {
        Some(left) if left > 0 => {
            Err((ApplicationError::Short, format!("{left} bytes less than were promised")))
        }
        _ => Ok(()),
    }
}
