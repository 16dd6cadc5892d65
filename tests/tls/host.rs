//! The host of a whole proxy, beside a host of the test.

use std::time::Duration;

use tidegate::auth::VerifyJob;
use tidegate::proxy::{Mail, PasswordVerifier, Worker};
use tidegate::reactor::Reactor;
use tidegate::reactor::sim::{Metered, Network};

use crate::pair::Quiet;

pub(crate) const NOW: Option<Duration> = Some(Duration::ZERO);

#[derive(Debug)]
pub(crate) struct NoPasswords;

impl PasswordVerifier for NoPasswords {
    fn ask(&mut self, _: VerifyJob, _: usize) -> bool {
        false
    }
}

/// Turns both hosts until they are idle and nothing is in flight.
pub(crate) fn settle(
    network: &Network,
    proxy: &mut Reactor<Mail>,
    worker: &mut Worker,
    outside: &mut Reactor<()>,
) {
    for _ in 0..10_000 {
        let mut metered = Metered::new(worker);
        let here = proxy.turn(&mut metered, NOW).unwrap();
        metered.end();
        worker.check();
        if here.is_idle() & outside.turn(&mut Quiet, NOW).unwrap().is_idle() {
            let Some(next) = network.next_arrival() else { return };
            network.clock().advance_to(next);
        }
    }
    panic!("the proxy is never idle");
}
