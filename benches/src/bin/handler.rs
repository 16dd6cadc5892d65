//! A proxy before an application that answers with 1 KiB: `/loop` and `/threads` are called for each
//! request, `/hit` once. The first argument is the address to listen at.

use tidegate::app::{Failure, Reply, Request, Response};
use tidegate::proxy::{
    Application, CacheMode, RouteAction, Server, Service, Settings, SiteRoute, Sites,
};

fn answer(_: &Request) -> Result<Reply, Failure> {
    Ok(Response::text("x".repeat(1024)).with_field("Cache-Control", "max-age=3600")?.into())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: handler ADDRESS")?;
    let route = |path: &str, application: Application, cache: CacheMode| {
        let action = RouteAction::Application(application.into());
        let mut route = SiteRoute::new(path.parse()?, action);
        route.policy.cache.mode = cache;
        Ok::<_, String>(route)
    };
    let mut settings = Settings::forward("bench");
    settings.log = None;
    settings.service = Service::reverse(Sites::of_routes(vec![
        route("/loop", Application::new("loop", answer).on_loop(), CacheMode::Off)?,
        route("/threads", Application::new("threads", answer), CacheMode::Off)?,
        route("/hit", Application::new("hit", answer).on_loop(), CacheMode::On)?,
    ])?);
    let mut server = Server::new(settings)?;
    server.listen(address.parse()?)?;
    server.run()?;
    Ok(())
}
