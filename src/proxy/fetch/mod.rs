//! The steps of a fetch, one function each.

mod acquire;
mod content;
pub(super) mod context;
mod drive;
mod fill;
mod finish;
mod gather;
mod head;
mod partial;
mod publish;
mod range_fill;
pub(super) mod request;
mod revalidate;
pub(super) mod rewrite_request;
pub(super) mod rewrite_response;
mod send;
pub(super) mod state;
mod step;

use acquire::acquire;
use content::content;
use finish::{end, store_part, suspect_origin};
use gather::gather;
use head::head;
pub(super) use range_fill::RangeFill;
use send::{push_request, send};
