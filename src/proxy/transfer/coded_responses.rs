//! Responses in flight whose content is coded by this proxy, by the content that they code.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::Object;
use crate::coding::Encoder;
use crate::http::ContentCoding;
use crate::reactor::Id;

use super::connection_memory::ConnectionMemory;
use super::pending_response::PendingResponse;

/// Content that several clients may want in a coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Uncoded {
    /// That of a response in flight.
    Response(Id<PendingResponse>),
    /// That of a stored object, by its address, which stays its own while the content is coded.
    Object(usize),
}

impl Uncoded {
    /// Returns the content of a stored object.
    pub(crate) fn of_object(object: &Arc<Object>) -> Self {
        Self::Object(Arc::as_ptr(object).addr())
    }
}

/// Responses that are being coded, and the memory of their encoders.
#[derive(Debug, Default)]
pub(crate) struct CodedResponses {
    responses: HashMap<(Uncoded, ContentCoding), Id<PendingResponse>>,
    encoders: usize,
}

impl CodedResponses {
    /// Returns the response in which the content is being coded.
    pub(crate) fn find(
        &self,
        content: Uncoded,
        coding: ContentCoding,
    ) -> Option<Id<PendingResponse>> {
        self.responses.get(&(content, coding)).copied()
    }

    /// Returns true if there is memory for one more encoder. All together get half of that of connections.
    pub(crate) const fn has_room(&self, coding: ContentCoding, memory: &ConnectionMemory) -> bool {
        !memory.is_exhausted() && self.encoders + Encoder::weight(coding) <= memory.bound() / 2
    }

    /// Records that content is being coded; by its name, if other clients may want it.
    pub(crate) fn begin(
        &mut self,
        content: Option<Uncoded>,
        coding: ContentCoding,
        response: Id<PendingResponse>,
    ) {
        self.encoders += Encoder::weight(coding);
        if let Some(content) = content {
            self.responses.insert((content, coding), response);
        }
    }

    /// Records that content is not coded any more.
    pub(crate) fn end(&mut self, content: Option<Uncoded>, coding: ContentCoding) {
        self.encoders -= Encoder::weight(coding);
        if let Some(content) = content {
            self.responses.remove(&(content, coding));
        }
    }
}
