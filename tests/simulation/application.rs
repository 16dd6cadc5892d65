//! The application that answers in place of a group, in some runs of a reverse proxy: whole and streamed
//! replies, and some that fail or end too early.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate::app::{Failure, Reply, Request, Response, Step, Stream};
use tidegate::http::{Method, Name, Status};
use tidegate::proxy::{Application, Service, Sites};
use tidegate::reactor::sim::Rng;

use crate::origin::sum;
use crate::plan::{Framing, Plan};

/// Percentage of calls that fail, and of streams that do.
const FAIL: u32 = 5;

/// Draws the service of an application with these resources.
pub(crate) fn draw(plans: &[Plan], rng: &mut Rng) -> Service {
    let (plans, chance): (Arc<[Plan]>, _) = (plans.into(), Mutex::new(rng.clone()));
    let handler = move |request: &Request| {
        let mut rng = chance.lock().unwrap();
        match rng.percent(FAIL) {
            true if rng.percent(50) => Err("the call fails".into()),
            true => {
                drop(rng); // a panic that holds the lock would fail all later calls
                resume_unwind(Box::new("the call panics"))
            }
            false => answer(request, &plans, &mut rng),
        }
    };
    let application = Application::new("sim", handler).with_timeout(Duration::from_secs(5));
    let application = if rng.percent(50) { application.on_loop() } else { application };
    Service::reverse(Sites::of_application(application))
}

/// Answers as the members of a group do.
fn answer(request: &Request, plans: &[Plan], rng: &mut Rng) -> Result<Reply, Failure> {
    if !request.method().is_safe() {
        let received = request.content();
        return Ok(Response::text(format!("{} {}", received.len(), sum(received))).into());
    }
    let plan = plans.iter().find(|plan| plan.path == request.path()).ok_or("an unknown path")?;
    let (kind, accept) = (request.field("X-Kind"), request.field("Accept-Encoding"));
    let kind = kind.as_deref().unwrap_or_default();
    let coding = plan.coding(accept.as_deref().unwrap_or_default());
    let mut response = Response::new(Status::OK)?;
    for line in plan.caching_fields(kind, coding).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = response.with_field(name, value)?;
    }
    let tag = plan.tag(kind, coding);
    let mut named = request.fields().elements(Name::IfNoneMatch);
    if named.any(|named| named == tag.as_bytes()) {
        return Ok(response.with_status(Status::NOT_MODIFIED)?.into());
    }
    let content = plan.content(kind, coding);
    if plan.framing == Framing::Length && (content.len() < 5000 || rng.percent(50)) {
        return Ok(response.with_content(content)?.into());
    }
    let pieces = Pieces {
        left: content.chunks(1 + rng.below(20_000)).map(<[u8]>::to_vec).rev().collect(),
        fails_after: rng.percent(FAIL).then(|| rng.below(3)),
        rng: rng.clone(),
        request: request.clone(),
    };
    let reply = Reply::streaming(response, pieces);
    let promises = plan.framing == Framing::Length && request.method() == Method::Get;
    Ok(if promises { reply.with_length(content.len() as u64) } else { reply })
}

/// Pieces of content, some of which wait for a notification.
struct Pieces {
    /// The rest, the last piece first.
    left: Vec<Vec<u8>>,
    /// Number of pieces after which the stream fails.
    fails_after: Option<usize>,
    rng: Rng,
    request: Request,
}

impl Stream for Pieces {
    fn next(&mut self) -> Result<Step, Failure> {
        if self.rng.percent(20) {
            self.request.notify().notify();
            return Ok(Step::Wait);
        }
        match &mut self.fails_after {
            Some(0) => return Err("the stream fails".into()),
            Some(more) => *more -= 1,
            None => {}
        }
        Ok(self.left.pop().map_or(Step::End, Step::Piece))
    }
}
