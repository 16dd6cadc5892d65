//! Filling: what is missing of a stored response is fetched, hole by hole, into one body in which
//! what is here already stands in its place.

use std::sync::Arc;

use crate::cache::{NotStored, Object};
use crate::http::cond::Validators;
use crate::http::range::Part;
use crate::http::{Framing, Refusal, ResponseHead, Status};

use super::super::error::ExchangeError;
use super::super::fetch::{Fetch, FetchCx, Next, Step};
use super::super::reply::Answer;
use super::{head, stored};

/// An origin that brings less than it is asked for is asked again, but not for ever.
const MAX_HOLES: usize = 64;

/// What is to be completed.
#[derive(Clone, Debug)]
pub(in super::super) struct Fill {
    pub(in super::super) object: Arc<Object>,
    /// The bytes that are wanted: the first, and one past the last.
    first: u64,
    end: u64,
    /// The hole that is asked for.
    hole: (u64, u64),
    asked: usize,
}

impl Fill {
    /// The bytes that are missing of `object` from `first` up to `end`, if there are any.
    pub(in super::super) fn of(object: Arc<Object>, (first, end): (u64, u64)) -> Option<Self> {
        let hole = object.content.hole_in(first, end)?;
        Some(Self { object, first, end, hole, asked: 1 })
    }

    /// The `Range` that asks for the hole.
    pub(in super::super) fn range(&self) -> String {
        match self.hole {
            (first, end) if end == self.object.length() => format!("bytes={first}-"),
            (first, end) => format!("bytes={first}-{}", end - 1),
        }
    }

    /// Whether a response brings what was asked for, or some of it, of the same representation.
    fn is_brought_by(&self, head: &ResponseHead) -> bool {
        let fields = head.fields();
        let fits = |part: Part| {
            part.first == self.hole.0
                && part.end <= self.hole.1
                && part.length == self.object.length()
                && head.framing() == Framing::Length(part.end - part.first)
        };
        head.status() == Status::PARTIAL_CONTENT
            && Part::of(fields).is_some_and(fits)
            && Validators::of(fields).are_strongly(&Validators::of(&self.object.head))
    }
}

/// Takes the head of what was asked for to fill a hole. `None` if it is an answer of its own.
pub(super) fn take_head(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Option<Next> {
    let fill = fetch.order.fill.as_ref()?;
    let begun = fill.asked > 1;
    if fill.is_brought_by(head) {
        return Some(if begun { Next::Go(Step::Content) } else { begin(fetch, head, cx) });
    }
    if begun {
        cx.core.cache.forget(&fetch.order.key);
        return Some(Next::Failed(ExchangeError::BadResponse(Refusal::Truncated)));
    }
    fetch.order.fill = None;
    let of_the_hole = matches!(
        head.status(),
        Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE | Status::NOT_MODIFIED
    );
    of_the_hole.then(|| stored::ask_for_the_whole(fetch, cx))
}

/// The first hole is being filled: that makes an answer of what is stored and what comes.
fn begin(fetch: &mut Fetch, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let Some(fill) = fetch.order.fill.clone() else { return Next::Go(Step::Acquire) };
    let (object, storable) = stored::updated(fetch, &fill.object, head, cx);
    let storing = match storable {
        Ok(_) if !cx.core.cache.takes(fill.end - fill.first) => Err(NotStored::TooLarge),
        Ok(storable) => Ok(storable),
        Err(reason) => {
            cx.core.cache.forget(&fetch.order.key);
            Err(reason)
        }
    };
    let length = object.length();
    let answer = Answer {
        status: Status::OK,
        head: object.head.clone(),
        framing: Framing::Length(length),
        storing,
        part: Some(Part { first: fill.first, end: fill.end, length }),
        origin: fetch.connection.map(|connection| connection.address),
    };
    let next = head::bring(fetch, answer, cx);
    if let Some(reply) = cx.core.replies.get_mut(fetch.reply) {
        let before = object.content.part(fill.first, fill.hole.0);
        reply.body.append(before, cx.reactor);
    }
    next
}

/// A hole is filled: what is stored behind it follows, and the next one is asked for. `None` if none
/// is left.
pub(super) fn next_hole(fetch: &mut Fetch, cx: &mut FetchCx<'_>) -> Option<Next> {
    let fill = fetch.order.fill.as_mut()?;
    let body = &mut cx.core.replies.get_mut(fetch.reply)?.body;
    let content = &fill.object.content;
    let next = content.hole_in(body.end(), fill.end);
    let here = next.map_or(fill.end, |(first, _)| first);
    body.append(content.part(body.end(), here), cx.reactor);
    fill.hole = next?;
    fill.asked += 1;
    if fill.asked > MAX_HOLES {
        return Some(Next::Failed(ExchangeError::BadResponse(Refusal::Truncated)));
    }
    Some(stored::ask_again(fetch, cx))
}
