//! Place: the member of a group that gets the request, and what the request tells about that member.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use siphasher::sip::SipHasher13;

use crate::balance::{Ask, EndpointId, Outcome};
use crate::http::{Scheme, Status, cookie};
use crate::proxy::address_text::AddressText;
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::timings::Timings;
use crate::proxy::origin::groups::{Choice, Groups, Place, RunningGroup};
use crate::proxy::routing::route::Origin;
use crate::proxy::settings::group::{HashSource, OriginGroup};
use crate::proxy::timers::FetchTimer;
use crate::proxy::transfer::body;
use crate::reactor::Id;

use super::attempt::Attempt;
use super::context::FetchCx;
use super::retry::NoRetry;
use super::state::{Fetch, Retry, State};

/// Chooses a member of the route's group, and takes a place there. Waits for the members' addresses, and
/// in the queue if all places are taken.
pub(super) fn take_place(
    fetch: &mut Fetch,
    cx: &mut FetchCx<'_>,
) -> Poll<Result<Arc<Origin>, ExchangeError>> {
    let now = cx.reactor.now().mono;
    let Some(settings) = fetch.request.route.group().cloned() else {
        return Poll::Ready(Err(ExchangeError::Overloaded)); // a route without a group has an origin
    };
    let Some(group) = cx.shared.origins.groups.find(&settings.name) else {
        return Poll::Ready(Err(fetch.no_member(cx)));
    };
    if fetch.group.replace(group).is_none() {
        cx.shared.origins.groups.note_request(group, now);
    }
    let ask = Ask {
        hash: settings.hashes().then(|| hash(&settings, fetch)),
        sticky: settings.sticky_number(&fetch.request.head),
        tried: &fetch.tried,
    };
    let groups = &mut cx.shared.origins.groups;
    match groups.take(group, &ask, fetch.id.token(), cx.reactor) {
        Choice::Place(place) => {
            fetch.timers.stop(FetchTimer::Addresses);
            fetch.timers.stop(FetchTimer::Place);
            let origin = Arc::clone(&place.origin);
            fetch.request.origin = Some(Arc::clone(&origin));
            fetch.place = Some(place);
            let queue = Some(now.saturating_duration_since(fetch.began));
            cx.shared.counters.latencies.count_steps(&Timings { queue, ..Timings::default() });
            fetch.response(&mut cx.shared.responses).timings.queue = queue;
            Poll::Ready(Ok(origin))
        }
        Choice::None => Poll::Ready(Err(fetch.no_member(cx))),
        Choice::Unknown if fetch.timers.expires(FetchTimer::Addresses, now) => {
            Poll::Ready(Err(ExchangeError::DnsTimeout(None)))
        }
        Choice::Unknown => {
            let timeout = cx.shared.settings.limits.connect_timeout;
            fetch.timers.start(FetchTimer::Addresses, now + timeout);
            Poll::Pending
        }
        Choice::Full if fetch.timers.expires(FetchTimer::Place, now) => {
            Poll::Ready(Err(fetch.failure.take().unwrap_or(ExchangeError::QueueTimeout)))
        }
        Choice::Full => {
            fetch.timers.stop(FetchTimer::Addresses);
            if groups.enqueue(group, &ask, fetch.id.token()).is_err() {
                return Poll::Ready(Err(fetch.failure.take().unwrap_or(ExchangeError::QueueFull)));
            }
            fetch.timers.start(FetchTimer::Place, now + settings.balance.queue_timeout);
            Poll::Pending
        }
    }
}

/// Returns the hash by which consistent hashing chooses a member: the same in each process.
fn hash(settings: &OriginGroup, fetch: &Fetch) -> u64 {
    let request = &fetch.request;
    let client = AddressText::of(request.behind);
    let text = match &settings.hash {
        HashSource::Url => request.route.uri.as_bytes(),
        HashSource::Client => client.as_str().as_bytes(),
        HashSource::Field(name) => {
            request.head.fields().all_named(name.as_bytes()).next().unwrap_or_default()
        }
        HashSource::Cookie(name) => cookie(name, &request.head).unwrap_or_default(),
    };
    SipHasher13::new().hash(text)
}

impl Fetch {
    /// Returns the error of a request for which no member can be used: that of the last member that was
    /// tried, if one was.
    fn no_member(&mut self, cx: &FetchCx<'_>) -> ExchangeError {
        let error = self.failure.take();
        error.unwrap_or_else(|| {
            let now = cx.reactor.now().mono;
            let group = self.group.and_then(|id| cx.shared.origins.groups.get(id));
            let why = group.map(|group| group.describe_down(now)).unwrap_or_default();
            ExchangeError::NoMember(why.into())
        })
    }

    /// Gives the place back. `outcome` is what the request tells about the member.
    pub(super) fn leave_place(&mut self, outcome: Option<Outcome>, cx: &mut FetchCx<'_>) {
        let now = cx.reactor.now().mono;
        match (self.place.take(), self.group) {
            (Some(place), _) => {
                cx.shared.origins.groups.release(&place, outcome, now, cx.reactor);
                self.request.origin = None;
            }
            (None, Some(group)) => {
                cx.shared.origins.groups.leave(group, self.id.token(), cx.reactor);
            }
            (None, None) => {}
        }
    }

    /// Returns the state in which another member is tried after `error`, or the state in which the fetch
    /// fails. A request of which anything was sent is sent again only if it is idempotent and its content
    /// is at hand from the start.
    pub(super) fn fail_over(
        &mut self,
        state: State,
        error: &ExchangeError,
        cx: &mut FetchCx<'_>,
    ) -> Result<State, NoRetry> {
        let may_repeat = match &state {
            State::Acquire(Some(_)) => error.is_connect_failure(),
            State::Head(_) => error.is_response_failure() && self.may_repeat(cx),
            _ => false,
        };
        if !may_repeat || !self.has_other_member(cx, Groups::has_other) {
            return Err(NoRetry::of(state));
        }
        if !self.spends_retry(cx) {
            let failure = self.failure_of(error, cx);
            self.leave_place(failure, cx);
            let error = Some(ExchangeError::RetriesSpent);
            return Err(NoRetry { state: Box::new(state), error });
        }
        state.release(cx);
        self.failure = Some(error.clone());
        let failure = self.failure_of(error, cx);
        Ok(self.try_another(failure, cx))
    }

    /// Returns the state in which another member is tried after a response with a status that the group
    /// retries, if there is one; otherwise the attempt, whose response is used.
    pub(super) fn retry_status(
        &mut self,
        attempt: Box<Attempt>,
        status: Status,
        cx: &mut FetchCx<'_>,
    ) -> Result<State, Box<Attempt>> {
        let retries =
            self.request.route.group().is_some_and(|group| group.retry_statuses.contains(&status));
        if !retries {
            return Err(attempt);
        }
        let failure = Outcome::Failure(format!("status {}", status.code()).into());
        // A response that is at hand does not wait for a member that is busy.
        let has_free = self.may_repeat(cx) && self.has_other_member(cx, Groups::has_member);
        if !has_free || !self.spends_retry(cx) {
            self.outcome = Some(failure);
            return Err(attempt);
        }
        attempt.release(cx);
        Ok(self.try_another(Some(failure), cx))
    }

    /// Returns the failure of the member that an error tells of. A member that closes while its client
    /// does not send on, and one whose response depends on what the client has sent, have not failed.
    pub(super) fn failure_of(&self, error: &ExchangeError, cx: &FetchCx<'_>) -> Option<Outcome> {
        let is_of_client =
            error.depends_on_request() || (error.is_response_failure() && self.awaits_upload(cx));
        (error.is_origin_failure() && !is_of_client)
            .then(|| Outcome::Failure(error.reason().into()))
    }

    /// Returns true if the client has not sent all of its content yet.
    fn awaits_upload(&self, cx: &FetchCx<'_>) -> bool {
        let body = self.upload.and_then(|upload| cx.shared.uploads.get(upload.id));
        body.is_some_and(|body| matches!(body.state(), body::State::Streaming))
    }

    /// Returns true if the request may be sent again: it is idempotent, nothing was answered, and its
    /// content is at hand from the start.
    fn may_repeat(&self, cx: &mut FetchCx<'_>) -> bool {
        self.interims.count == 0
            && !self.has_result(cx)
            && self.request.head.method().is_idempotent()
            && self.keeps_upload(cx)
    }

    /// Returns true if the group has a member left that was not tried for this request, as `has` tells.
    fn has_other_member(
        &self,
        cx: &mut FetchCx<'_>,
        has: impl FnOnce(&mut Groups, Id<RunningGroup>, &[EndpointId], Instant) -> bool,
    ) -> bool {
        let (Some(place), Some(settings)) = (&self.place, self.request.route.group()) else {
            return false;
        };
        let tried: Vec<_> = self.tried.iter().copied().chain([place.endpoint]).collect();
        let most = usize::try_from(settings.attempts).unwrap_or(usize::MAX);
        tried.len() < most
            && has(&mut cx.shared.origins.groups, place.group, &tried, cx.reactor.now().mono)
    }

    /// Returns true if the group's budget permits another attempt, and spends it.
    fn spends_retry(&self, cx: &mut FetchCx<'_>) -> bool {
        let now = cx.reactor.now().mono;
        self.group.is_some_and(|group| cx.shared.origins.groups.may_retry(group, now))
    }

    /// Begins an attempt at another member; `failure` is that of the present one, which gets no more of
    /// the content.
    fn try_another(&mut self, failure: Option<Outcome>, cx: &mut FetchCx<'_>) -> State {
        self.rewind_upload(cx);
        self.tried.extend(self.place.as_ref().map(|place| place.endpoint));
        self.leave_place(failure, cx);
        self.retry = Retry::Available;
        cx.shared.counters.retries += 1;
        self.timers = Default::default();
        State::Acquire(None)
    }

    /// Returns the cookie by which the client stays at the member that has answered, if the client has
    /// another one.
    pub(super) fn sticky_cookie(&self, cx: &FetchCx<'_>) -> Option<Box<str>> {
        let group = self.request.route.group()?;
        let name = group.sticky.as_deref()?;
        let place: &Place = self.place.as_ref()?;
        let number = cx.shared.origins.groups.sticky(place)?;
        if group.sticky_number(&self.request.head) == Some(number) {
            return None;
        }
        let secure = match self.request.route.scheme() {
            Scheme::Https => "; Secure",
            Scheme::Http => "",
        };
        Some(format!("{name}={number:016x}; Path=/; HttpOnly; SameSite=Lax{secure}").into())
    }
}
