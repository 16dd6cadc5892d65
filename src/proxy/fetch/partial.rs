//! Parts of a representation of which nothing is stored.

use crate::cache::{Content, Extents, NotStored, Object};
use crate::http::{Framing, Status};
use crate::proxy::transfer::pending_response::ResponseMeta;
use crate::proxy::transfer::representation::StreamedRepresentation;

use super::state::Fetch;
use super::{range_fill, rewrite_response};

/// Turns a storable 206 into a response with the whole representation's head, which carries only
/// this part. Any other response is returned as it is, a 206 among them without being stored.
/// Returns `None` if the proxy had widened the range, so that the client's own request has to be
/// sent instead.
pub(super) fn of_the_whole(meta: ResponseMeta, fetch: &mut Fetch) -> Option<ResponseMeta> {
    let slices = fetch.request.fill.take();
    let storable = meta.storing.as_ref().ok();
    let part = storable.and_then(|storable| storable.part);
    let fits = |part| slices.as_ref().is_none_or(|slices| slices.fits(part));
    let Some((storable, part)) = storable.zip(part.filter(|&part| fits(part))) else {
        let widened = slices.is_some() && range_fill::is_gap_response(meta.status);
        return (!widened).then_some(meta);
    };
    let wanted = slices.as_ref().map_or(part, |slices| slices.wanted(part));
    let head = rewrite_response::whole_fields(&meta.head, part.length);
    let stored = rewrite_response::stored_fields(&head, Status::OK, part.length);
    let nothing = Extents::of(Content::default(), part.length);
    let object = Object::new(Status::OK, stored, nothing, storable.clone());
    let framing = Framing::Length(part.length);
    let whole =
        ResponseMeta { status: Status::OK, head, framing, part: Some(wanted), ..meta.clone() };
    match StreamedRepresentation::of(&fetch.request.head, &whole) {
        Some(form) if form != StreamedRepresentation::Whole && form.lies_in(wanted) => {
            fetch.request.fill = slices.map(|slices| slices.begun(object));
            Some(whole)
        }
        _ if slices.is_some() => None,
        _ => Some(ResponseMeta { storing: Err(NotStored::Partial), ..meta }),
    }
}
