//! Calls of applications, and content that they produce.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::app::{Notified, Notify, Reply, Stream};
use crate::proxy::error::ApplicationError;
use crate::proxy::jobs::JobId;
use crate::proxy::settings::sites::application::Application;
use crate::reactor::Waker;

use super::context::FetchCx;

/// A call of the handler of an application.
#[derive(Debug)]
pub(crate) struct Call {
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
    /// The handler runs on a thread, or waits for one, with this many bytes of content.
    UnderWay(JobId, usize),
    /// The handler has answered.
    Answered(Answer<Reply>),
}

/// Result of a handler or of a step of its stream. The reason of an error is for the operator.
pub(super) type Answer<T> = Result<T, (ApplicationError, String)>;

impl Call {
    /// Returns a call that has not begun.
    pub(super) fn new(application: Arc<Application>, now: Instant) -> Self {
        let phase = Phase::Gathering(Vec::new());
        Self { application, recall: Recall::default(), at: now, phase }
    }

    pub(super) fn release(self, cx: &mut FetchCx<'_>) {
        if let Phase::UnderWay(job, _) = self.phase {
            cx.shared.jobs.leave(job);
        }
    }

    /// Returns the bytes of memory that content of the request takes.
    pub(super) const fn held(&self) -> usize {
        match &self.phase {
            Phase::Gathering(content) => content.capacity(),
            Phase::UnderWay(_, length) => *length,
            Phase::Answered(_) => 0,
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
#[derive(Clone, Debug, Default)]
pub(super) struct Recall(Arc<Notification>);

#[derive(Debug, Default)]
struct Notification {
    /// True if the stream was notified since it was asked last.
    notified: AtomicBool,
    /// Wakes the fetch, once there is one.
    waker: OnceLock<Waker>,
}

impl Recall {
    /// Wakes a fetch from now on.
    pub(super) fn wake_by(&self, waker: Waker) {
        let _ = self.0.waker.set(waker); // a call belongs to one fetch
    }

    pub(super) fn notify(&self) -> Notify {
        Notify::new(Arc::clone(&self.0) as Arc<dyn Notified>)
    }

    /// Takes the notification, if there was one.
    pub(super) fn take(&self) -> bool {
        self.0.notified.swap(false, Ordering::AcqRel)
    }
}

impl Notified for Notification {
    fn notify(&self) {
        self.notified.store(true, Ordering::Release);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
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
        match self.source {
            Source::UnderWay(job) => cx.shared.jobs.leave(job),
            Source::Stream(stream) | Source::Waits(stream) => cx.shared.reclaim(Box::new(stream)),
            Source::End => {}
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
