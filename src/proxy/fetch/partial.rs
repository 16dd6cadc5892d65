//! A part comes of something of which nothing is stored.

use crate::cache::{Content, Extents, NotStored, Object};
use crate::http::{Framing, Status};
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::representation::StreamedRepresentation;

use super::state::Fetch;
use super::{range_fill, rewrite_response};

/// A part that may be stored is passed on like any part of what is stored: as cut from the whole.
/// One that is not what the client asked for is passed on as it is, and not stored; or `None`, if
/// that is because more was asked for, and the client's own question is to be asked instead.
pub(super) fn of_the_whole(answer: ResponseMeta, fetch: &mut Fetch) -> Option<ResponseMeta> {
    let slices = fetch.request.fill.take();
    let storable = answer.storing.as_ref().ok();
    let part = storable.and_then(|storable| storable.part);
    let fits = |part| slices.as_ref().is_none_or(|slices| slices.fits(part));
    let Some((storable, part)) = storable.zip(part.filter(|&part| fits(part))) else {
        let unasked = slices.is_some() && range_fill::is_gap_response(answer.status);
        return (!unasked).then_some(answer);
    };
    let wanted = slices.as_ref().map_or(part, |slices| slices.wanted(part));
    let head = rewrite_response::whole_fields(&answer.head, part.length);
    let stored = rewrite_response::stored_fields(&head, Status::OK, part.length);
    let nothing = Extents::of(Content::default(), part.length);
    let object = Object::new(Status::OK, stored, nothing, storable.clone());
    let framing = Framing::Length(part.length);
    let cut =
        ResponseMeta { status: Status::OK, head, framing, part: Some(wanted), ..answer.clone() };
    match StreamedRepresentation::of(&fetch.request.head, &cut) {
        Some(form) if form != StreamedRepresentation::Whole && form.lies_in(wanted) => {
            fetch.request.fill = slices.map(|slices| slices.begun(object));
            Some(cut)
        }
        _ if slices.is_some() => None,
        _ => Some(ResponseMeta { storing: Err(NotStored::Partial), ..answer }),
    }
}
