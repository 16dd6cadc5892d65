//! The steps of a fetch, one function each.

mod acquire;
mod content;
mod end;
mod fill;
mod gather;
mod head;
mod part;
mod send;
mod stored;

pub(super) use acquire::acquire;
pub(super) use content::content;
pub(super) use end::{end, store_part, suspect_origin};
pub(super) use fill::Fill;
pub(super) use gather::gather;
pub(super) use head::head;
pub(super) use send::{push_request, send};
