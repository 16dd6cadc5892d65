//! Active checks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Group, MOST_PROBES};
use crate::balance::change::ChangeKind;
use crate::balance::endpoint::{EndpointId, Probe};
use crate::balance::instant::after;
use crate::balance::order::Use;
use crate::balance::settings::HealthSettings;

/// Shortest time between two probes of an endpoint.
const SHORTEST: Duration = Duration::from_millis(1);
/// Longest interval that is used.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl<W: Copy + Ord> Group<W> {
    /// Carries out what is due, and returns the endpoints to probe now. Each is under way until
    /// [`probe_done`](Self::probe_done); at most [`MOST_PROBES`] are at once.
    pub fn probes_due(&mut self, now: Instant) -> Vec<EndpointId> {
        self.advance(now);
        let mut due = Vec::new();
        while self.probing < MOST_PROBES
            && let Some(&(at, index)) = self.probes.first()
            && at <= now
        {
            self.set_probe(index, Probe::UnderWay);
            due.push(self.id(index));
        }
        due
    }

    /// Takes the result of a probe: nothing, or the reason of its failure. It is ignored if no
    /// probe of the endpoint is under way any more.
    pub fn probe_done(&mut self, id: EndpointId, result: Result<(), Arc<str>>, now: Instant) {
        self.advance(now);
        let Some(index) = self.index(id) else { return };
        let Some(health) = self.settings.health else { return };
        if self.endpoints[index].probe != Probe::UnderWay {
            return;
        }
        let next = after(now, self.time_to_probe(&health));
        self.set_probe(index, Probe::At(next));
        if self.endpoints[index].health.probed(result, &health, now) {
            self.turned(index, now);
        }
        self.settle(now);
    }

    /// Schedules the first probe of an endpoint, if its state and the settings want any, and ends
    /// probes otherwise.
    pub(super) fn schedule_probe(&mut self, index: usize, now: Instant) {
        let endpoint = &self.endpoints[index];
        let is_disabled = self.members[endpoint.member].orders.used == Use::Disable;
        let latest = self.settings.health.filter(|_| !is_disabled).map(|health| {
            let (interval, jitter) = interval_and_jitter(&health);
            after(now, interval + jitter)
        });
        let probe = match (endpoint.probe, latest) {
            (_, None) => Probe::Off,
            (Probe::Off, Some(_)) => Probe::At(now),
            (Probe::At(at), Some(latest)) => Probe::At(at.min(latest)),
            (Probe::UnderWay, Some(_)) => Probe::UnderWay,
        };
        self.set_probe(index, probe);
    }

    /// Sets the state of the probes of an endpoint, and counts it.
    pub(super) fn set_probe(&mut self, index: usize, probe: Probe) {
        match std::mem::replace(&mut self.endpoints[index].probe, probe) {
            Probe::Off => {}
            Probe::At(at) => _ = self.probes.remove(&(at, index)),
            Probe::UnderWay => self.probing -= 1,
        }
        match probe {
            Probe::Off => {}
            Probe::At(at) => _ = self.probes.insert((at, index)),
            Probe::UnderWay => self.probing += 1,
        }
    }

    /// Moves an endpoint that went down or came up to its place.
    fn turned(&mut self, index: usize, now: Instant) {
        let endpoint = &self.endpoints[index];
        let kind = match endpoint.health.down() {
            Some(down) => ChangeKind::Down(Arc::clone(&down.why)),
            None => ChangeKind::Up,
        };
        let member = endpoint.member;
        if kind == ChangeKind::Up {
            self.warm_up(index, now);
        } else {
            self.set_slow_start(index, None);
        }
        self.place(index);
        self.note(member, Some(index), kind);
    }

    /// Returns the time until the next probe.
    fn time_to_probe(&mut self, health: &HealthSettings) -> Duration {
        let (interval, jitter) = interval_and_jitter(health);
        let width = u64::try_from(2 * jitter.as_nanos()).unwrap_or(u64::MAX);
        let offset = Duration::from_nanos(self.random.below(width.saturating_add(1)));
        (interval - jitter + offset).max(SHORTEST)
    }
}

/// Returns the interval, and the time by which it may be longer or shorter.
fn interval_and_jitter(health: &HealthSettings) -> (Duration, Duration) {
    let interval = health.interval.clamp(SHORTEST, LONGEST);
    (interval, interval * health.jitter.min(100) / 100)
}
