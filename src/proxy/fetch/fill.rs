//! Filling: what is missing of a stored response is fetched, hole by hole, into one body in which
//! what is here already stands in its place.

use std::net::IpAddr;
use std::sync::Arc;

use crate::cache::Object;
use crate::http::cond::Validators;
use crate::http::range::{self, ByteRange, Part};
use crate::http::{Fields, Framing, Refusal, ResponseHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::transfer::response::Answer;

use super::finish::is_internal;
use super::state::{Fetch, FetchCx, Next, Step};
use super::{head, revalidate};

/// Holes that are filled one by one. With more, one range is asked for that covers all of them: each
/// takes a round trip, and clients choose where they are.
const MAX_HOLES: usize = 8;
/// Requests of one fill: an origin that brings less than it is asked for is asked again.
const MAX_ASKED: u64 = 64;

/// What is to be completed.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    /// What is stored, as soon as something is.
    object: Option<Arc<Object>>,
    /// The bytes that are wanted: the first, and one past the last.
    first: u64,
    end: u64,
    /// The range that is asked for: a hole, or all holes that are left, with the bytes between them.
    hole: (u64, u64),
    asked: u64,
}

impl Fill {
    /// The bytes that are missing of `object` from `first` up to `end`, if there are any, and of the
    /// slices that they lie in.
    pub(crate) fn of(
        object: Arc<Object>,
        (first, end): (u64, u64),
        slice: Option<u64>,
    ) -> Option<Self> {
        object.content.hole_in(first, end)?;
        let (first, end) = widened(first, end, slice);
        let end = end.min(object.length());
        let hole = next_range(&object, first, end)?;
        Some(Self { object: Some(object), first, end, hole, asked: 1 })
    }

    /// The slices that a request's range lies in, of something of which nothing is stored.
    pub(crate) fn of_slices(request: &Fields, slice: u64) -> Option<Self> {
        let [ByteRange::From(first, last)] = range::parse(request)?[..] else { return None };
        let (first, end) =
            widened(first, last.map_or(u64::MAX, |last| last.saturating_add(1)), Some(slice));
        Some(Self { object: None, first, end, hole: (first, end), asked: 1 })
    }

    /// The `Range` that asks for the hole.
    pub(super) fn range(&self) -> String {
        let length = self.object.as_ref().map_or(u64::MAX, |object| object.length());
        match self.hole {
            (first, end) if end == length => format!("bytes={first}-"),
            (first, end) => format!("bytes={first}-{}", end - 1),
        }
    }

    /// What the bytes have to be of, if anything is stored.
    pub(super) const fn object(&self) -> Option<&Arc<Object>> {
        self.object.as_ref()
    }

    /// Whether a part begins where the hole does, and brings no more.
    pub(super) const fn fits(&self, part: Part) -> bool {
        part.first == self.hole.0 && part.end <= self.hole.1
    }

    /// All that is wanted, of which the first part has come.
    pub(super) fn wanted(&self, part: Part) -> Part {
        Part { end: self.end.min(part.length), ..part }
    }

    /// Goes on as for a stored response, of which nothing is here yet.
    pub(super) fn begun(self, object: Object) -> Self {
        let end = self.end.min(object.length());
        Self { object: Some(Arc::new(object)), end, ..self }
    }

    /// Returns true if no more requests are needed than are made, should the origin bring as much with
    /// each as with this part.
    fn is_feasible_with(&self, part: Part) -> bool {
        let left = self.end.min(part.length).saturating_sub(part.end);
        part.end == self.hole.1 || left.div_ceil(part.end - part.first) < MAX_ASKED
    }

    /// Notes that the origin does not bring what is missing: what is stored is not completed any more.
    pub(super) fn fail(&self) {
        self.object.iter().for_each(|object| object.give_up_completing());
    }

    /// The part that a response brings, if it is of the same representation, and what was asked for or
    /// some of it.
    fn brought_by(&self, head: &ResponseHead, object: &Object) -> Option<Part> {
        let fields = head.fields();
        let fits = |part: &Part| {
            self.fits(*part)
                && part.length == object.length()
                && head.framing() == Framing::Length(part.end - part.first)
        };
        let same = head.status() == Status::PARTIAL_CONTENT
            && Validators::of(fields).are_strongly(&Validators::of(&object.head));
        Part::of(fields).filter(fits).filter(|_| same)
    }
}

/// The range to ask for next, of what is missing from `first` up to `end`.
fn next_range(object: &Object, first: u64, end: u64) -> Option<(u64, u64)> {
    let mut holes = object.content.holes_in(first, end);
    let hole = holes.next()?;
    let others: Vec<_> = holes.collect();
    let last = others.last().filter(|_| others.len() >= MAX_HOLES);
    Some((hole.0, last.map_or(hole.1, |last| last.1)))
}

/// Bytes from the first of a slice up to the last of one.
fn widened(first: u64, end: u64, slice: Option<u64>) -> (u64, u64) {
    let Some(slice) = slice else { return (first, end) };
    (first - first % slice, end.checked_next_multiple_of(slice).unwrap_or(u64::MAX))
}

/// Takes the head of what was asked for to fill a hole. `None` if it is an answer of its own.
pub(super) fn take_head(
    fetch: &mut Fetch,
    head: &ResponseHead,
    cx: &mut FetchCx<'_>,
) -> Option<Next> {
    let fill = fetch.order.fill.as_ref()?;
    let object = Arc::clone(fill.object.as_ref()?);
    let begun = fill.asked > 1;
    let here = fetch.connection.map(|connection| connection.address.ip());
    if let Some(part) = fill.brought_by(head, &object).filter(|_| fits_beside(&object, here)) {
        if begun {
            return Some(Next::Go(Step::Content));
        }
        if fill.is_feasible_with(part) {
            return Some(begin(fetch, &object, head, cx));
        }
    }
    if begun {
        cx.core.cache.forget(&fetch.order.key);
        return Some(Next::Failed(ExchangeError::BadResponse(Refusal::Truncated)));
    }
    fetch.order.fill = None;
    is_of_the_hole(head.status()).then(|| revalidate::ask_for_the_whole(fetch, cx))
}

/// Whether bytes from an address may be put beside those that are stored.
fn fits_beside(object: &Object, here: Option<IpAddr>) -> bool {
    let apart = object.apart || here.is_some_and(is_internal);
    object.from.is_none() || object.from == here || !apart
}

/// Whether a status answers the question for a hole, and not the client's own.
pub(super) const fn is_of_the_hole(status: Status) -> bool {
    matches!(status, Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE | Status::NOT_MODIFIED)
}

/// The first hole is being filled: that makes an answer of what is stored and what comes.
fn begin(fetch: &mut Fetch, object: &Object, head: &ResponseHead, cx: &mut FetchCx<'_>) -> Next {
    let Some(fill) = fetch.order.fill.clone() else { return Next::Go(Step::Acquire) };
    let (object, storable) = revalidate::updated(fetch, object, head, cx);
    if storable.is_err() {
        cx.core.cache.forget(&fetch.order.key);
    }
    let length = object.length();
    let answer = Answer {
        status: Status::OK,
        head: object.head.clone(),
        framing: Framing::Length(length),
        storing: storable,
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
    let object = fill.object.as_ref()?;
    let next = next_range(object, body.end(), fill.end);
    let here = next.map_or(fill.end, |(first, _)| first);
    body.append(object.content.part(body.end(), here), cx.reactor);
    fill.hole = next?;
    fill.asked += 1;
    if fill.asked > MAX_ASKED {
        cx.core.cache.forget(&fetch.order.key);
        return Some(Next::Failed(ExchangeError::BadResponse(Refusal::Truncated)));
    }
    Some(revalidate::ask_again(fetch, cx))
}
