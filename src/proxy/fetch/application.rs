//! Calls of applications, and content that they produce.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::app::{Notify, Reply, Stream};
use crate::proxy::jobs::JobId;
use crate::proxy::settings::sites::application::Application;
use crate::reactor::{Token, Waker};

use super::context::FetchCx;

/// A call of the handler of an application.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) application: Arc<Application>,
    pub(super) recall: Recall,
    /// Time of the call, once it was begun.
    pub(super) at: Instant,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// The content of the request is being received; this much of it is at hand.
    Gathering(Vec<u8>),
    /// The handler runs on a thread, or waits for one.
    UnderWay(JobId),
}

impl Call {
    /// Returns a call of `application` that has not begun.
    pub(super) fn new(application: Arc<Application>, fetch: Token, cx: &FetchCx<'_>) -> Self {
        let recall = Recall::new(cx.reactor.waker(fetch));
        let at = cx.reactor.now().mono;
        Self { application, recall, at, phase: Phase::Gathering(Vec::new()) }
    }

    pub(super) fn release(self, cx: &mut FetchCx<'_>) {
        if let Phase::UnderWay(job) = self.phase {
            cx.shared.jobs.leave(job);
        }
    }

    /// Returns the bytes of memory that content of the request takes.
    pub(super) const fn held(&self) -> usize {
        match &self.phase {
            Phase::Gathering(content) => content.capacity(),
            Phase::UnderWay(_) => 0,
        }
    }
}

/// Content that an application produces.
pub(super) struct Production {
    pub(super) application: Arc<Application>,
    pub(super) recall: Recall,
    /// Content that is at hand.
    pub(super) first: Vec<u8>,
    pub(super) source: Source,
    /// Bytes of content that are left of a promised length.
    pub(super) left: Option<u64>,
}

/// Source of further content.
pub(super) enum Source {
    /// The stream, which is asked next.
    Stream(Box<dyn Stream>),
    /// The stream has no content until it is notified.
    Waits(Box<dyn Stream>),
    /// A thread has the stream.
    UnderWay(JobId),
    /// No content follows.
    End,
}

/// Handle by which the application has its stream asked again.
#[derive(Clone, Debug)]
pub(super) struct Recall {
    /// True if the stream was notified since it was asked last.
    notified: Arc<AtomicBool>,
    waker: Waker,
}

impl Recall {
    pub(super) fn new(waker: Waker) -> Self {
        Self { notified: Arc::default(), waker }
    }

    pub(super) fn notify(&self) -> Notify {
        let Self { notified, waker } = self.clone();
        Notify::new(move || {
            notified.store(true, Ordering::Release);
            waker.wake();
        })
    }

    /// Takes the notification, if there was one.
    pub(super) fn take(&self) -> bool {
        self.notified.swap(false, Ordering::AcqRel)
    }
}

impl Production {
    /// Returns the content of a reply; nothing of it unless the response `has_content`.
    pub(super) fn new(
        application: Arc<Application>,
        recall: Recall,
        reply: Reply,
        has_content: bool,
    ) -> Self {
        let left = reply.length().filter(|_| has_content);
        let (mut response, stream) = reply.into_parts();
        let first = if has_content { response.take_content() } else { Vec::new() };
        let source = stream.filter(|_| has_content).map_or(Source::End, Source::Stream);
        Self { application, recall, first, source, left }
    }

    pub(super) fn release(self, cx: &mut FetchCx<'_>) {
        if let Source::UnderWay(job) = self.source {
            cx.shared.jobs.leave(job);
        }
    }
}

impl fmt::Debug for Production {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Production")
            .field("application", &self.application)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
