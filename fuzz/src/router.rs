//! Routers: the view of any path, beside a model that tries the patterns one by one.

use tidegate::app::{Failure, Handler, Reply, Request, Response, Router};
use tidegate::http::Status;

/// Patterns, the more literal ones first.
const PATTERNS: [&str; 8] = [
    "/",
    "/notes",
    "/notes/new",
    "/notes/{id}",
    "/notes/{id}/edit",
    "/notes/{id}/{part}",
    "/files/{*path}",
    "/über",
];

/// View that answers with its pattern and the values of its parameters, each on a line.
struct Echo(&'static str);

impl Handler for Echo {
    fn handle(&self, request: &Request) -> Result<Reply, Failure> {
        let names = ["id", "part", "path"];
        let values = names.into_iter().filter_map(|name| request.parameter(name));
        let lines: Vec<&str> = [self.0].into_iter().chain(values).collect();
        Ok(Response::text(lines.join("\n")).into())
    }
}

/// Any bytes as the target of a request.
pub fn rules(data: &[u8]) {
    let Ok(target) = std::str::from_utf8(data) else { return };
    let Ok(request) = Request::build("GET", target).finish() else { return };
    let mut router = Router::builder();
    for pattern in PATTERNS {
        router = router.get(pattern, Echo(pattern));
    }
    let answer = router.build().expect("no two patterns are alike").handle(&request);
    let (response, _) = answer.expect("no view fails").into_parts();
    match expected(request.path()) {
        Some(lines) => assert_eq!(String::from_utf8_lossy(response.content()), lines.join("\n")),
        None => assert!(
            [Status::NOT_FOUND, Status::BAD_REQUEST].contains(&response.status()),
            "{}",
            response.status()
        ),
    }
}

/// Returns the pattern of a path, and the values of its parameters.
fn expected(path: &str) -> Option<Vec<String>> {
    PATTERNS.into_iter().find_map(|pattern| {
        let values = values(pattern.strip_prefix('/')?, path.strip_prefix('/')?)?;
        Some([vec![pattern.to_owned()], values].concat())
    })
}

/// Returns the values of the parameters if the path has the pattern.
fn values(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut names, mut segments) = (pattern.split('/'), path.split('/'));
    let mut values = Vec::new();
    loop {
        match (names.next(), segments.next()) {
            (None, None) => return Some(values),
            (Some(name), Some(first)) if name.starts_with("{*") => {
                let rest: Vec<&str> = [first].into_iter().chain(segments).collect();
                let rest = rest.join("/");
                return if rest.is_empty() {
                    None
                } else {
                    Some([values, vec![decoded(&rest)?]].concat())
                };
            }
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {
                values.push(decoded(segment)?);
            }
            (Some(name), Some(segment)) if decoded(segment)? == name => {}
            _ => return None,
        }
    }
}

/// Returns text without percent-encoding; `None` unless it is UTF-8.
fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Into::into)
}
