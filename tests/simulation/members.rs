//! Members of the group that the proxy serves if it is a reverse proxy: they die and come back.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tidegate::balance::{HealthSettings, Policy, RetryBudget};
use tidegate::http::Status;
use tidegate::proxy::{
    Check, HashSource, HttpCheck, OriginGroup, PathPattern, Service, Site, SiteRoute, Sites,
};
use tidegate::reactor::sim::{Fate, Network, Rng};

/// Names of the members, and their addresses.
pub(crate) const ALL: [(&str, [u8; 4]); 4] = [
    ("o.test", [198, 51, 100, 1]),
    ("p.test", [198, 51, 100, 2]),
    ("a.test", [198, 51, 100, 3]),
    ("b.test", [198, 51, 100, 4]),
];
/// The path of health checks.
pub(crate) const HEALTH: &str = "/health";
/// The host that clients of a reverse proxy ask for.
pub(crate) const SITE: &str = "www.example";

/// Returns the ports at which members serve resources, without and with TLS.
pub(crate) const fn port(is_secure: bool) -> u16 {
    if is_secure { 8443 } else { 80 }
}

/// Draws the service of a reverse proxy for a group of some of the members.
pub(crate) fn draw(is_secure: bool, rng: &mut Rng) -> Service {
    let scheme = if is_secure { "https" } else { "http" };
    let urls = ALL[..1 + rng.below(ALL.len())].iter().map(|(name, address)| {
        let host = match is_secure || rng.percent(50) {
            true => (*name).to_owned(),
            false => IpAddr::from(*address).to_string(),
        };
        format!("{scheme}://{host}:{}", port(is_secure)).parse().unwrap()
    });
    let mut group = OriginGroup::of(urls.collect());
    let balance = &mut group.balance;
    for member in &mut balance.members {
        member.weight = *rng.pick(&[1, 1, 2, 10]);
        member.backup = rng.percent(15);
        member.max_requests = *rng.pick(&[None, None, Some(1), Some(3)]);
    }
    balance.policy =
        *rng.pick(&[Policy::RoundRobin, Policy::LeastRequests, Policy::TwoChoices, Policy::Hash]);
    balance.queue = *rng.pick(&[0, 1, 3, 128]);
    balance.queue_timeout = Duration::from_millis(*rng.pick(&[10, 1000, 10_000]));
    balance.slow_start = Duration::from_secs(*rng.pick(&[0, 0, 5]));
    balance.passive.failures = *rng.pick(&[0, 1, 3]);
    balance.passive.eject = Duration::from_millis(*rng.pick(&[100, 10_000]));
    balance.retry_budget =
        *rng.pick(&[RetryBudget::default(), RetryBudget { percent: 0, least_per_second: 0 }]);
    balance.health = rng.percent(50).then(|| HealthSettings {
        interval: Duration::from_millis(*rng.pick(&[300, 5000])),
        timeout: Duration::from_millis(*rng.pick(&[100, 2000])),
        rise: *rng.pick(&[1, 2]),
        fall: *rng.pick(&[1, 3]),
        jitter: *rng.pick(&[0, 10]),
    });
    if balance.health.is_some() && rng.percent(70) {
        group.check = Check::Http(HttpCheck::of(HEALTH));
    }
    group.hash = rng.pick(&[HashSource::Url, HashSource::Client]).clone();
    group.sticky = rng.percent(30).then(|| "member".into());
    group.attempts = *rng.pick(&[1, 2, 3]);
    if rng.percent(50) {
        group.retry_statuses = vec![Status::SERVICE_UNAVAILABLE];
    }
    let route = SiteRoute::to(PathPattern::everything(), Arc::new(group));
    let site = Site::new(Vec::new(), vec![route]).unwrap();
    Service::reverse(Sites::new(vec![site]).unwrap())
}

/// Draws the outcome of connections to one of the members from now on.
pub(crate) fn turn(network: &Network, is_secure: bool, rng: &mut Rng) {
    let address = IpAddr::from(rng.pick(&ALL).1);
    let up = Fate::default();
    let fate = *rng.pick(&[up, up, up, up, Fate::Refuse, Fate::Silence]);
    network.set_fate(SocketAddr::new(address, port(is_secure)), fate);
}
