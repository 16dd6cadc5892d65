//! Which stored responses the origin can be asked about together (RFC 9111 §4.3.1).

use std::sync::Arc;

use crate::http::cond::{EntityTag, Validators};

use super::object::Object;

/// Those with an entity tag, one of each, if the tags are seen to tell representations apart. Some
/// origins give all that they have of a resource the same tag, and would say that any of it holds.
pub(super) fn told_apart<'a>(variants: impl Iterator<Item = &'a Arc<Object>>) -> Vec<Arc<Object>> {
    let mut apart: Vec<Arc<Object>> = Vec::new();
    for object in variants.filter(|object| object.content.is_whole()) {
        let Some(tag) = tag(object) else { continue };
        let same =
            apart.iter().find(|other| self::tag(other).is_some_and(|t| t.matches_weakly(tag)));
        match same {
            None => apart.push(Arc::clone(object)),
            Some(same) if same.content == object.content => {}
            Some(_) => return Vec::new(),
        }
    }
    if apart.len() > 1 { apart } else { Vec::new() }
}

fn tag(object: &Object) -> Option<EntityTag<'_>> {
    Validators::of(&object.head).tag
}
