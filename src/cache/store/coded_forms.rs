//! Content of a stored response in content codings that its proxy has applied.

use std::sync::{Arc, OnceLock};

use crate::alloc_size::rounded_up;
use crate::http::ContentCoding;

use super::shared_content::SharedContent;

const CODINGS: usize = ContentCoding::ALL.len();

/// Coded forms of content, at most one for each coding, set once. An updated response shares them with the
/// former one, as it shares the content.
#[derive(Clone, Debug, Default)]
pub(super) struct CodedForms(OnceLock<Box<[OnceLock<Arc<SharedContent>>; CODINGS]>>);

impl CodedForms {
    pub(super) fn get(&self, coding: ContentCoding) -> Option<&Arc<SharedContent>> {
        self.0.get()?[coding as usize].get()
    }

    /// Sets a form. Returns false if there is one already.
    pub(super) fn set(&self, coding: ContentCoding, form: Arc<SharedContent>) -> bool {
        self.0.get_or_init(Box::default)[coding as usize].set(form).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<SharedContent>> {
        self.0.get().into_iter().flat_map(|forms| forms.iter()).filter_map(OnceLock::get)
    }

    /// Returns the bytes of the list on the heap, without the forms.
    pub(super) fn list_weight(&self) -> usize {
        const LIST: usize = rounded_up(size_of::<[OnceLock<Arc<SharedContent>>; CODINGS]>());
        if self.0.get().is_some() { LIST } else { 0 }
    }
}
