//! Little content, coded at once.

use std::sync::Arc;

use crate::cache::{CacheKey, Content, Object};
use crate::coding::{Encoded, Encoder, Next};
use crate::http::ContentCoding;
use crate::proxy::observe::counters::CompressionCounters;
use crate::proxy::shared::Shared;

/// Most bytes of content that are coded at once: that takes about a millisecond.
const LITTLE: u64 = 32 * 1024;

/// Returns true if content of this length is coded at once.
pub(crate) const fn is_little(length: u64) -> bool {
    length <= LITTLE
}

/// Returns little content in a coding; `None` if memory is short.
pub(crate) fn code_little(
    content: &[u8],
    coding: ContentCoding,
    counters: &mut CompressionCounters,
) -> Option<Vec<u8>> {
    let Encoded { bytes, .. } = Encoder::new(coding).ok()?.encode(content, Next::End).ok()?;
    counters.input += content.len() as u64;
    counters.output += bytes.len() as u64;
    Some(bytes)
}

/// Attaches the coded form of a stored object that has little content. Returns the length of the form;
/// `None` if there is more content, or the object is not stored.
pub(crate) fn code_whole(
    object: &Arc<Object>,
    coding: ContentCoding,
    key: &CacheKey,
    shared: &mut Shared,
) -> Option<u64> {
    if !is_little(object.length()) {
        return None;
    }
    let bytes = object.content.from(0).collect::<Vec<_>>().concat();
    let coded = code_little(&bytes, coding, &mut shared.counters.compression)?;
    let mut form = Content::default();
    form.push(coded);
    let length = form.len();
    shared.cache.attach(key, object, coding, form).then_some(length)
}
