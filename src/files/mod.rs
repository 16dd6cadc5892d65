//! Files of a folder as responses: the file that a path names, and the fields that describe it. Pure
//! functions; opening and reading is the business of the caller.

mod coding;
mod entity_tag;
mod listing;
mod media_type;
mod path;

pub use coding::suffix;
pub use entity_tag::{FileVersion, entity_tag};
pub use listing::{ListedFile, listing};
pub use media_type::media_type;
pub use path::{FilePath, PathError};
