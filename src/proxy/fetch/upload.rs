//! Content of a fetch's request, from the reader's side.

use crate::proxy::transfer::body::Body;
use crate::proxy::transfer::readers::ReaderKey;
use crate::reactor::{Arena, Id, Token};

/// A body that a client writes, and the reader that a fetch is of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub(super) id: Id<Body>,
    pub(super) reader: ReaderKey,
}

impl Upload {
    /// Attaches a fetch to a body of which nothing was read.
    pub(super) fn attach(id: Id<Body>, fetch: Token, uploads: &mut Arena<Body>) -> Self {
        let reader = uploads.get_mut(id).and_then(|body| body.attach(fetch));
        Self { id, reader: reader.expect("a fetch is attached before its client writes content") }
    }

    /// Returns the body.
    pub(super) fn body<'a>(&self, uploads: &'a mut Arena<Body>) -> &'a mut Body {
        uploads.get_mut(self.id).expect("a body exists as long as a reader is attached")
    }
}
