//! The views of the application, and their tests.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate::app::{
    Failure, Reject, Reply, Request, Response, Router, RouterError, SignedCookies,
};
use tidegate::html::escape;
use tidegate::http::Status;

const SESSION: &str = "session";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Most bytes of a name.
const MOST_NAME: usize = 100;
/// Most notes that are kept, and most bytes of one.
const MOST_NOTES: usize = 1000;
const MOST_BYTES: usize = 1000;

/// A note.
#[derive(Clone, Debug)]
struct Note {
    author: String,
    text: String,
}

/// State that all views share.
struct Notes {
    notes: Mutex<Vec<Note>>,
    cookies: SignedCookies,
}

/// Returns the application, whose sessions are signed with `key`.
pub(crate) fn router(key: &[u8]) -> Result<Router, RouterError> {
    let notes = Arc::new(Notes { notes: Mutex::default(), cookies: SignedCookies::new(key) });
    let view = |view: fn(&Notes, &Request) -> Result<Reply, Failure>| {
        let notes = Arc::clone(&notes);
        move |request: &Request| view(&notes, request)
    };
    Router::builder()
        .get("/", view(Notes::index))
        .post("/login", view(Notes::log_in))
        .post("/logout", view(Notes::log_out))
        .post("/notes", view(Notes::add))
        .get("/notes/{number}", view(Notes::show))
        .get("/export", view(Notes::export))
        .build()
}

impl Notes {
    /// The page with all notes. It depends on the user, so that no cache keeps it.
    fn index(&self, request: &Request) -> Result<Reply, Failure> {
        let mut body = String::from("<ol>");
        for (number, note) in (1..).zip(self.all().iter()) {
            let (author, text) = (escape(&note.author), escape(&note.text));
            write!(body, "<li><a href=\"/notes/{number}\">{author}</a>: {text}</li>")?;
        }
        body.push_str("</ol>");
        body.push_str(&match self.user(request) {
            Some(user) => format!(
                "<form method=\"post\" action=\"/notes\"><textarea name=\"text\"></textarea>\
                 <button>Add a note as {}</button></form>\
                 <form method=\"post\" action=\"/logout\"><button>Log out</button></form>",
                escape(&user)
            ),
            None => "<form method=\"post\" action=\"/login\">\
                     <input name=\"name\" placeholder=\"your name\"><button>Log in</button></form>"
                .to_owned(),
        });
        Ok(page("Notes", &body).with_field("Cache-Control", "no-store")?.into())
    }

    fn log_in(&self, request: &Request) -> Result<Reply, Failure> {
        let form = request.form()?;
        let is_name = |name: &&str| !name.is_empty() && name.len() <= MOST_NAME;
        let name = form.get("name").map(str::trim).filter(is_name);
        let name = name.ok_or(Reject::with(Status::BAD_REQUEST))?;
        let cookie = self.cookies.set_cookie(SESSION, name, DAY, request);
        Ok(Response::see_other("/")?.with_field("Set-Cookie", cookie)?.into())
    }

    fn log_out(&self, _: &Request) -> Result<Reply, Failure> {
        let cookie = SignedCookies::remove_cookie(SESSION);
        Ok(Response::see_other("/")?.with_field("Set-Cookie", cookie)?.into())
    }

    fn add(&self, request: &Request) -> Result<Reply, Failure> {
        let author = self.user(request).ok_or(Reject::with(Status::FORBIDDEN))?;
        let form = request.form()?;
        let text = form.get("text").map(str::trim).unwrap_or_default().to_owned();
        let mut notes = self.all();
        if text.is_empty() || text.len() > MOST_BYTES || notes.len() == MOST_NOTES {
            return Err(Reject::with(Status::BAD_REQUEST).into());
        }
        notes.push(Note { author, text });
        Ok(Response::see_other("/")?.into())
    }

    /// One note, which never changes: caches may keep it.
    fn show(&self, request: &Request) -> Result<Reply, Failure> {
        let number = request.parameter("number").and_then(|number| number.parse::<usize>().ok());
        let note = number.and_then(|number| self.all().get(number.checked_sub(1)?).cloned());
        let note = note.ok_or(Reject::with(Status::NOT_FOUND))?;
        let body = format!("<p>{}</p><p>{}</p>", escape(&note.text), escape(&note.author));
        Ok(page("A note", &body).with_field("Cache-Control", "max-age=60")?.into())
    }

    /// All notes, one by one: a stream, which needs no memory for the whole.
    fn export(&self, _: &Request) -> Result<Reply, Failure> {
        let notes = self.all().clone();
        let lines = notes.into_iter().map(|note| {
            let (author, text) = (note.author.escape_default(), note.text.escape_default());
            format!("{author}\t{text}\n").into_bytes()
        });
        Ok(Reply::streaming(Response::text("author\ttext\n"), lines))
    }

    /// Returns the name that the session has.
    fn user(&self, request: &Request) -> Option<String> {
        self.cookies.read(SESSION, request)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page(title: &str, body: &str) -> Response {
    Response::html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/static/style.css\"><h1>{title}</h1>{body}</html>\n"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tidegate::app::{Handler, RequestBuilder};

    use super::*;

    /// Returns status, `Location` or `Set-Cookie`, and content of a reply.
    fn ask(router: &Router, request: RequestBuilder) -> (u16, String, String) {
        let reply = router.handle(&request.finish().unwrap()).unwrap();
        let response = reply.response();
        let line = response.field("Set-Cookie").or_else(|| response.field("Location"));
        let content = String::from_utf8_lossy(response.content()).into_owned();
        (response.status().code(), line.unwrap_or_default().into_owned(), content)
    }

    /// Logs in, and returns the cookie of the session.
    fn log_in(router: &Router) -> String {
        let (status, cookie, _) = ask(router, Request::build("POST", "/login").form("name=Ada"));
        assert_eq!(status, 303);
        cookie.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_user_logs_in_and_adds_a_note() {
        let router = router(b"a key of the test").unwrap();
        let add = || Request::build("POST", "/notes").form("text=1+%3C+2");
        assert_eq!(ask(&router, add()).0, 403, "no user has logged in");
        let session = log_in(&router);
        let (status, location, _) = ask(&router, add().field("Cookie", &session));
        assert_eq!((status, location.as_str()), (303, "/"));
        let (_, _, page) = ask(&router, Request::build("GET", "/notes/1"));
        assert!(page.contains("<p>1 &lt; 2</p><p>Ada</p>"), "{page}");
    }

    #[test]
    fn a_session_is_neither_forged_nor_kept_for_ever() {
        let router_of = |key: &[u8]| router(key).unwrap();
        let (router, other) = (router_of(b"a key of the test"), router_of(b"another key"));
        let greets = |session: &str, received| {
            let request = Request::build("GET", "/").field("Cookie", session).received(received);
            ask(&router, request).2.contains("as Ada")
        };
        let session = log_in(&router);
        assert!(greets(&session, UNIX_EPOCH + DAY - Duration::from_secs(1)));
        assert!(!greets(&session, UNIX_EPOCH + DAY));
        assert!(!greets(&log_in(&other), UNIX_EPOCH));
    }
}
