//! The application of scenarios: `set application threads`, or `loop`.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate::app::{Failure, Notify, Reply, Request, Response, Router, Step, Stream};
use tidegate::proxy::{Application, Sites};

/// Returns the site of the application, whose handlers run on `threads` or on the `loop`.
pub(crate) fn site(place: &str) -> Result<Sites, String> {
    let application = Application::new("stage", router()).with_max_content(1000).with_max_calls(2);
    match place {
        "threads" => Ok(Sites::of_application(application)),
        "loop" => Ok(Sites::of_application(application.on_loop())),
        _ => Err(format!("'{place}' is neither 'threads' nor 'loop'")),
    }
}

fn router() -> Router {
    let events = Events::default();
    let (source, sink) = (events.clone(), events);
    let calls = Mutex::new(0);
    let router = Router::builder()
        .get("/page", page)
        .get("/text", text)
        .view("POST", "/echo", echo)
        .view("PUT", "/echo", echo)
        .get("/calls", move |_: &Request| counted(&calls))
        .get("/names/{name}/{*rest}", names)
        .get("/stream/{pieces}", stream)
        .get("/promise/{promised}/{pieces}", promise)
        .get("/breaks/{pieces}", breaks)
        .get("/fails", |_: &Request| Err("the view has failed\r\nhere".into()))
        .get("/panics", |_: &Request| resume_unwind(Box::new("a panic of the test")))
        .get("/long-head", |_: &Request| {
            Ok(Response::text("").with_field("X", "x".repeat(9000))?.into())
        })
        .get("/events", move |request: &Request| Ok(source.listen(request)))
        .post("/events", move |request: &Request| Ok(sink.send(request)));
    router.build().unwrap()
}

/// A page that is stored, with a validator.
fn page(request: &Request) -> Result<Reply, Failure> {
    let response = if request.field("If-None-Match").is_some_and(|tags| tags.contains("\"v1\"")) {
        Response::new(tidegate::http::Status::NOT_MODIFIED)?
    } else {
        Response::text("0123456789")
    };
    let response = response.with_field("Cache-Control", "max-age=60, stale-if-error=60")?;
    Ok(response.with_field("ETag", "\"v1\"")?.into())
}

/// A stored page that is long enough to be compressed.
fn text(_: &Request) -> Result<Reply, Failure> {
    let response = Response::text("text".repeat(1000)).with_field("Cache-Control", "max-age=60")?;
    Ok(response.with_field("ETag", "\"v1\"")?.into())
}

fn echo(request: &Request) -> Result<Reply, Failure> {
    let text = format!(
        "{} {} {:?} from {} as {}: {}",
        request.head().method_name(),
        request.path(),
        request.query().get("q"),
        request.client(),
        request.user().unwrap_or("-"),
        String::from_utf8_lossy(request.content()),
    );
    Ok(Response::text(text).into())
}

/// A stored page that tells how many were made; the third fails.
fn counted(calls: &Mutex<u32>) -> Result<Reply, Failure> {
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    *calls += 1;
    if *calls == 3 {
        return Err("the third call".into());
    }
    let response = Response::text(format!("call {calls}"));
    Ok(response.with_field("Cache-Control", "max-age=10, stale-if-error=60")?.into())
}

fn names(request: &Request) -> Result<Reply, Failure> {
    let names = ["name", "rest"].map(|name| request.parameter(name).unwrap_or("-").to_owned());
    Ok(Response::text(names.join(" and ")).into())
}

fn number(request: &Request, name: &str) -> u64 {
    request.parameter(name).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Pieces of ten bytes.
fn pieces(count: u64) -> impl Iterator<Item = Vec<u8>> + Send {
    (0..count).map(|at| format!("piece {at:04}").into_bytes())
}

fn stream(request: &Request) -> Result<Reply, Failure> {
    Ok(Reply::streaming(Response::text(""), pieces(number(request, "pieces"))))
}

fn promise(request: &Request) -> Result<Reply, Failure> {
    let promised = number(request, "promised");
    Ok(Reply::streaming(Response::text(""), pieces(number(request, "pieces")))
        .with_length(promised))
}

/// A stream that panics after its pieces.
fn breaks(request: &Request) -> Result<Reply, Failure> {
    let end = std::iter::once_with(|| resume_unwind(Box::new("a panic of the stream")));
    Ok(Reply::streaming(Response::text(""), pieces(number(request, "pieces")).chain(end)))
}

/// Events of `POST /events` for the one client of `GET /events`.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    events: VecDeque<Vec<u8>>,
    listener: Option<Notify>,
}

impl Events {
    fn listen(&self, request: &Request) -> Reply {
        self.queue().listener = Some(request.notify());
        Reply::streaming(Response::text(""), self.clone())
    }

    /// Adds an event; `end` is the end.
    fn send(&self, request: &Request) -> Reply {
        let mut queue = self.queue();
        queue.events.push_back(request.content().to_vec());
        queue.listener.iter().for_each(Notify::notify);
        Response::text("sent").into()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Events {
    fn next(&mut self) -> Result<Step, Failure> {
        Ok(match self.queue().events.pop_front() {
            None => Step::Wait,
            Some(event) if event == b"end" => Step::End,
            Some(event) => Step::Piece(event),
        })
    }
}
