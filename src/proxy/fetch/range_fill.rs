//! Ranges of bytes that are missing of a stored response.

use std::sync::Arc;

use crate::cache::Object;
use crate::http::cond::Validators;
use crate::http::range::{self, ByteRange, Part};
use crate::http::{Fields, Framing, ResponseHead, Status};

/// Holes that are filled one by one. With more, one range is asked for that covers all of them: each
/// takes a round trip, and clients choose where they are.
const MAX_HOLES: usize = 8;

/// Requests of one fill: an origin that brings less than it is asked for is asked again.
pub(super) const MAX_ASKED: u64 = 64;

/// What is to be completed.
#[derive(Clone, Debug)]
pub(crate) struct RangeFill {
    /// What is stored, as soon as something is.
    pub(super) object: Option<Arc<Object>>,
    /// The bytes that are wanted: the first, and one past the last.
    pub(super) first: u64,
    pub(super) end: u64,
    /// The range that is asked for: a hole, or all holes that are left, with the bytes between them.
    pub(super) gap: (u64, u64),
    pub(super) asked: u64,
}

impl RangeFill {
    /// The bytes that are missing of `object` from `first` up to `end`, if there are any, and of the
    /// slices that they lie in.
    pub(crate) fn of(
        object: Arc<Object>,
        (first, end): (u64, u64),
        slice: Option<u64>,
    ) -> Option<Self> {
        object.content.next_gap(first, end)?;
        let (first, end) = widened(first, end, slice);
        let end = end.min(object.length());
        let hole = next_range(&object, first, end)?;
        Some(Self { object: Some(object), first, end, gap: hole, asked: 1 })
    }

    /// The slices that a request's range lies in, of something of which nothing is stored.
    pub(crate) fn of_slices(request: &Fields, slice: u64) -> Option<Self> {
        let [ByteRange::From(first, last)] = range::parse(request)?[..] else { return None };
        let (first, end) =
            widened(first, last.map_or(u64::MAX, |last| last.saturating_add(1)), Some(slice));
        Some(Self { object: None, first, end, gap: (first, end), asked: 1 })
    }

    /// The `Range` that asks for the hole.
    pub(super) fn range(&self) -> String {
        let length = self.object.as_ref().map_or(u64::MAX, |object| object.length());
        match self.gap {
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
        part.first == self.gap.0 && part.end <= self.gap.1
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
    pub(super) fn is_feasible_with(&self, part: Part) -> bool {
        let left = self.end.min(part.length).saturating_sub(part.end);
        part.end == self.gap.1 || left.div_ceil(part.end - part.first) < MAX_ASKED
    }

    /// Notes that the origin does not bring what is missing: what is stored is not completed any more.
    pub(super) fn fail(&self) {
        self.object.iter().for_each(|object| object.give_up_completing());
    }

    /// The part that a response brings, if it is of the same representation, and what was asked for or
    /// some of it.
    pub(super) fn brought_by(&self, head: &ResponseHead, object: &Object) -> Option<Part> {
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
pub(super) fn next_range(object: &Object, first: u64, end: u64) -> Option<(u64, u64)> {
    let mut holes = object.content.gaps_in(first, end);
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

/// Whether a status answers the question for a hole, and not the client's own.
pub(super) const fn is_gap_response(status: Status) -> bool {
    matches!(status, Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE | Status::NOT_MODIFIED)
}
