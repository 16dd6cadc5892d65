//! The steps of a fetch, one function each.

mod acquire;
mod content;
mod fill;
mod finish;
mod gather;
mod head;
mod partial;
mod revalidate;
pub(super) mod rewrite_response;
mod send;
pub(super) mod state;

use acquire::acquire;
use content::content;
pub(super) use fill::Fill;
use finish::{end, store_part, suspect_origin};
use gather::gather;
use head::head;
use send::{push_request, send};
