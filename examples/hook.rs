//! A reverse proxy with a hook on each request: the smallest program that embeds the proxy.
//!
//! `cargo run --example hook -- 127.0.0.1:8080 http://127.0.0.1:8000` listens on the first address and
//! serves the origin behind the URL, such as `cargo run --example origin`. Its hook
//!
//! * gives each request that reaches the origin an `X-Request-Id`;
//! * responds to `/healthz` itself;
//! * refuses `/admin` and all paths below, unless the client is on this machine. A proxy on this machine,
//!   such as a TLS terminator, reports its clients in `X-Forwarded-For`;
//! * counts outcomes, which are printed at the end. SIGINT or SIGTERM drains the proxy; a second signal
//!   stops it.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::app::Response;
use tidegate::auth::{PathMatch, PathPrefix, match_path};
use tidegate::http::Status;
use tidegate::proxy::{
    Action, Finished, Hook, HookError, Outcome, Refusal, RequestEdit, Server, Service, Settings,
    Sites,
};

/// Finished exchanges by outcome, in the order of [`Outcome::ALL`].
type Counts = [Cell<u64>; Outcome::ALL.len()];

/// The hook.
#[derive(Debug)]
struct Gatekeeper {
    /// Process id, the first part of request ids.
    process: u32,
    requests: u64,
    admin: PathPrefix,
    counts: Rc<Counts>,
}

impl Hook for Gatekeeper {
    fn on_request(&mut self, request: &mut RequestEdit<'_>) -> Action {
        // An edit can fail because of the client: if Connection names X-Request-Id, for example.
        self.decide(request).unwrap_or_else(|error| Action::Refuse(Refusal::new(error.to_string())))
    }

    fn on_finish(&mut self, finished: &Finished<'_>) {
        let count = &self.counts[finished.outcome() as usize];
        count.set(count.get() + 1);
    }
}

impl Gatekeeper {
    fn decide(&mut self, request: &mut RequestEdit<'_>) -> Result<Action, HookError> {
        let path = request.head().path_and_query().split('?').next().unwrap_or_default();
        if path == "/healthz" {
            let response = Response::new(Status::OK)?.with_field("Content-Type", "text/plain")?;
            return Ok(Action::Respond(response.with_content("ok\n")?));
        }
        // Origins read paths in different ways: `/%61dmin` may be `/admin`, too.
        let is_admin = match_path(path, std::slice::from_ref(&self.admin)) != PathMatch::Nowhere;
        if is_admin && !request.client().is_loopback() {
            let reason = format!("{} may not use {}.", request.client(), self.admin);
            return Ok(Action::Refuse(Refusal::new(reason)));
        }
        self.requests += 1;
        request.set("X-Request-Id", format!("{}-{}", self.process, self.requests))?;
        Ok(Action::Continue)
    }
}

fn settings(origin: &str) -> Result<Settings, String> {
    let mut settings = Settings::forward("hook-example");
    settings.log = None;
    settings.service = Service::reverse(Sites::of_origin(origin.parse()?));
    settings.trusted_proxies = vec!["127.0.0.0/8".parse()?, "::1/128".parse()?];
    Ok(settings)
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let origin = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8000".into());

    let mut server = Server::new(settings(&origin).map_err(io::Error::other)?)?;
    let counts = Rc::new(Counts::default());
    let hook = Gatekeeper {
        process: std::process::id(),
        requests: 0,
        admin: "/admin/".parse().map_err(io::Error::other)?,
        counts: Rc::clone(&counts),
    };
    server.worker().set_hook(Box::new(hook));
    println!("listening {}", server.listen(address)?);
    server.run()?;
    for (outcome, count) in Outcome::ALL.iter().zip(&*counts) {
        println!("{:11} {}", outcome.name(), count.get());
    }
    Ok(())
}
