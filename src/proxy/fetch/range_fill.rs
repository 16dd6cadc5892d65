//! Ranges of bytes that a stored response lacks.

use std::sync::Arc;

use crate::cache::Object;
use crate::http::cond::Validators;
use crate::http::range::{self, ByteRange, Part};
use crate::http::{Fields, Framing, ResponseHead, Status};

/// Gaps that are filled one by one. If there are more, a single range that covers all of them is
/// requested: each request takes a round trip, and clients choose where the gaps are.
const MAX_GAPS: usize = 8;

/// Requests of one fill. An origin that sends less than the range requested is sent another request.
pub(super) const MAX_REQUESTS: u64 = 64;

/// A range of a representation that is completed by requests for its gaps.
#[derive(Clone, Debug)]
pub(crate) struct RangeFill {
    /// The stored response. `None` while nothing of the representation is stored.
    pub(super) object: Option<Arc<Object>>,
    /// Offset of the first byte wanted.
    pub(super) first: u64,
    /// Offset one past the last byte wanted.
    pub(super) end: u64,
    /// The range requested, from its first byte to one past its last: a gap, or all gaps left with
    /// the bytes between them.
    pub(super) gap: (u64, u64),
    /// Requests made, with the current one.
    pub(super) requests: u64,
}

impl RangeFill {
    /// Returns the fill of all gaps of `object` from `first` up to `end`, widened to whole slices.
    /// Returns `None` if there is no gap.
    pub(crate) fn of(
        object: Arc<Object>,
        (first, end): (u64, u64),
        slice: Option<u64>,
    ) -> Option<Self> {
        object.content.next_gap(first, end)?;
        let (first, end) = widened(first, end, slice);
        let end = end.min(object.length());
        let gap = next_range(&object, first, end)?;
        Some(Self { object: Some(object), first, end, gap, requests: 1 })
    }

    /// Returns the fill of the slices that contain a request's range, of a representation of which
    /// nothing is stored.
    pub(crate) fn of_slices(request: &Fields, slice: u64) -> Option<Self> {
        let [ByteRange::From(first, last)] = range::parse(request)?[..] else { return None };
        let (first, end) =
            widened(first, last.map_or(u64::MAX, |last| last.saturating_add(1)), Some(slice));
        Some(Self { object: None, first, end, gap: (first, end), requests: 1 })
    }

    /// Returns the value of the `Range` field that requests the gap.
    pub(super) fn range(&self) -> String {
        let length = self.object.as_ref().map_or(u64::MAX, |object| object.length());
        match self.gap {
            (first, end) if end == length => format!("bytes={first}-"),
            (first, end) => format!("bytes={first}-{}", end - 1),
        }
    }

    /// Returns the stored response to which the gap belongs, if anything is stored.
    pub(super) const fn object(&self) -> Option<&Arc<Object>> {
        self.object.as_ref()
    }

    /// Returns true if a part starts where the gap does, and does not exceed it.
    pub(super) const fn fits(&self, part: Part) -> bool {
        part.first == self.gap.0 && part.end <= self.gap.1
    }

    /// Returns the whole range wanted, whose first part was received.
    pub(super) fn wanted(&self, part: Part) -> Part {
        Part { end: self.end.min(part.length), ..part }
    }

    /// Returns the fill of `object`, of which nothing is stored yet.
    pub(super) fn begun(self, object: Object) -> Self {
        let end = self.end.min(object.length());
        Self { object: Some(Arc::new(object)), end, ..self }
    }

    /// Returns true if [`MAX_REQUESTS`] suffice, should each bring as much as this part.
    pub(super) fn is_feasible_with(&self, part: Part) -> bool {
        let left = self.end.min(part.length).saturating_sub(part.end);
        part.end == self.gap.1 || left.div_ceil(part.end - part.first) < MAX_REQUESTS
    }

    /// Marks the stored response as one that is not completed any more, because the origin does not
    /// send the gap.
    pub(super) fn fail(&self) {
        self.object.iter().for_each(|object| object.give_up_completing());
    }

    /// Returns the part that a response carries, if the part is of the same representation as
    /// `object`, and is the range requested or the start of it.
    pub(super) fn part_of(&self, head: &ResponseHead, object: &Object) -> Option<Part> {
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

/// Returns the next range to request, of the gaps from `first` up to `end`.
pub(super) fn next_range(object: &Object, first: u64, end: u64) -> Option<(u64, u64)> {
    let mut gaps = object.content.gaps_in(first, end);
    let gap = gaps.next()?;
    let others: Vec<_> = gaps.collect();
    let last = others.last().filter(|_| others.len() >= MAX_GAPS);
    Some((gap.0, last.map_or(gap.1, |last| last.1)))
}

/// Returns a range widened to whole slices.
fn widened(first: u64, end: u64, slice: Option<u64>) -> (u64, u64) {
    let Some(slice) = slice else { return (first, end) };
    (first - first % slice, end.checked_next_multiple_of(slice).unwrap_or(u64::MAX))
}

/// Returns true if a status answers the request for a gap, and not the client's own request.
pub(super) const fn is_gap_response(status: Status) -> bool {
    matches!(status, Status::PARTIAL_CONTENT | Status::RANGE_NOT_SATISFIABLE | Status::NOT_MODIFIED)
}
