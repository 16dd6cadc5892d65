//! Finished exchanges as a hook sees them.

use std::time::Duration;

use tidegate::app::Response;
use tidegate::http::Status;
use tidegate::proxy::{Action, Refusal, RequestEdit};

use crate::stage::Stage;

fn decide(request: &mut RequestEdit<'_>) -> Action {
    match request.head().target() {
        "/own" => {
            let response = Response::new(Status::NOT_FOUND).unwrap();
            Action::Respond(response.with_content("own\n").unwrap())
        }
        "/secret" => Action::Refuse(Refusal::new("no.")),
        _ => Action::Continue,
    }
}

#[test]
fn hook_sees_each_outcome_once() {
    let mut stage = Stage::new(decide);
    for (path, finished) in [
        ("/a", "GET http://h.example/a 200 MISS 3 bytes"),
        ("/a", "GET http://h.example/a 200 HIT 3 bytes"),
        ("/own", "GET http://h.example/own 404 OWN 4 bytes"),
        ("/secret", "GET http://h.example/secret 403 DENIED 29 bytes"),
    ] {
        stage.get(path, "");
        assert_eq!(stage.finished(), [format!("{finished} to 198.51.100.1 as - in 0 s")]);
    }
}

#[test]
fn hook_sees_bytes_that_are_no_request() {
    let mut stage = Stage::new(decide);
    let client = stage.connect();
    stage.send(client, "GET / HTTP/1.1\r\nNo colon\r\n\r\n");
    let [finished] = &stage.finished()[..] else { panic!("one exchange has finished") };
    assert!(finished.starts_with("- - 400 ERROR "), "{finished}");
    assert_eq!(stage.asked(), [""; 0]);
}

#[test]
fn duration_is_that_of_the_exchange() {
    let mut stage = Stage::new(decide);
    stage.pause_origin(true);
    assert_eq!(stage.get("/slow", ""), "");
    stage.advance(Duration::from_secs(2));
    assert_eq!(stage.finished(), [""; 0]);
    stage.pause_origin(false);
    let line = "GET http://h.example/slow 200 MISS 3 bytes to 198.51.100.1 as - in 2 s";
    assert_eq!(stage.finished(), [line]);
}
