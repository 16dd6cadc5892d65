//! Attaching coded forms to stored responses, whose weight grows by that.

use std::sync::Arc;

use crate::cache::key::CacheKey;
use crate::http::ContentCoding;

use super::Store;
use super::object::Object;
use super::shared_content::SharedContent;

impl Store {
    /// Attaches the content of `object` in a coding. Returns false if the object is not stored under `key`
    /// any more, or has content in that coding. The eviction order learns the weight with the next use.
    pub(in crate::cache) fn attach(
        &mut self,
        key: &CacheKey,
        object: &Arc<Object>,
        coding: ContentCoding,
        form: SharedContent,
    ) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        if !self.entries[slot].variants.has(object) {
            return false;
        }
        form.store();
        let mut is_attached = false;
        self.change(slot, |variants| {
            let before = object.weight();
            is_attached = object.attach(coding, Arc::new(form));
            variants.grow(object.weight() - before);
            Vec::new()
        });
        is_attached
    }
}
