//! Calls at once: an application on the loop answers without a fetch, if its reply is short, complete and
//! not to be stored.

use std::sync::Arc;

use crate::app::Reject;
use crate::cache::NotStored;
use crate::http::{Fields, Method, Name, Status};
use crate::proxy::settings::sites::application::CallPlace;
use crate::proxy::shared::Shared;
use crate::time::Now;

use super::answer::answer;
use super::application::{Call, Phase};
use super::request::FetchRequest;
use super::rewrite_response::response_fields;
use super::storing::storable;
use super::translate::{head_of, request};

/// Most bytes of content that are answered so.
const SHORT: usize = 4 * 1024;

/// A response whose content is at hand, and which is not stored.
#[derive(Debug)]
pub(crate) struct DirectResponse {
    pub(crate) status: Status,
    /// Start line and fields, without the empty line.
    pub(crate) head: Fields,
    pub(crate) content: Vec<u8>,
    /// Reason against storing the response.
    pub(crate) not_stored: NotStored,
}

/// Calls the handler of the route, if that runs on the loop and the request needs nothing of a fetch.
/// Returns the response; without one, the fetch that follows takes the handler's answer.
pub(crate) fn call_at_once(
    fetch: &mut FetchRequest,
    shared: &Shared,
    now: Now,
) -> Option<DirectResponse> {
    let application = fetch.route.application()?;
    if application.place != CallPlace::Loop || !is_plain(fetch) {
        return None;
    }
    let mut call = Call::new(Arc::clone(application), now.mono);
    let asked = request(fetch, &call.recall, Vec::new(), &shared.settings, now);
    let answered = answer(|| Reject::settle(call.application.handler.handle(&asked)));
    let direct = match &answered {
        Ok(reply) if !reply.is_streamed() && reply.response().content().len() <= SHORT => {
            let head = head_of(reply, fetch.head.method(), &shared.heads).ok();
            head.and_then(|head| {
                let not_stored = storable(fetch, call.received(&head), shared, now).err()?;
                let fields = response_fields(&head, fetch, &shared.settings, now);
                Some((head.status(), fields, not_stored))
            })
        }
        _ => None,
    };
    match (direct, answered) {
        (Some((status, head, not_stored)), Ok(reply)) => {
            let content = reply.into_parts().0.take_content();
            Some(DirectResponse { status, head, content, not_stored })
        }
        (_, answered) => {
            call.phase = Phase::Answered(answered);
            fetch.answered = Some(Box::new(call));
            None
        }
    }
}

/// Returns true if the request has no content, and asks for the whole of a response of which
/// nothing is stored.
fn is_plain(fetch: &FetchRequest) -> bool {
    fetch.head.method() == Method::Get
        && fetch.upload.is_none()
        && fetch.validate.is_empty()
        && fetch.fallback.is_none()
        && fetch.fill.is_none()
        && !fetch.head.fields().has(Name::Range)
}
