//! Failures of requests to an endpoint, and its ejections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::instant::after;
use super::settings::PassiveSettings;

/// End and reason of an ejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ejection {
    pub(super) until: Instant,
    pub(super) why: Arc<str>,
}

/// Outcomes of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Passive {
    /// Failures since the last success or ejection.
    failures: u32,
    ejection: Option<Ejection>,
    /// Number of times that the next ejection is doubled, before it decays.
    level: u32,
    /// End of the last ejection.
    returned: Option<Instant>,
}

impl Passive {
    pub(super) const fn ejection(&self) -> Option<&Ejection> {
        self.ejection.as_ref()
    }

    /// Counts a success.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure. Returns true if the endpoint is to be ejected now, if it may be.
    pub(super) const fn failed(&mut self, settings: &PassiveSettings) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.ejection.is_none() && settings.failures > 0 && self.failures >= settings.failures
    }

    /// Ejects the endpoint and returns the time for which it is.
    pub(super) fn eject(
        &mut self,
        why: Arc<str>,
        settings: &PassiveSettings,
        now: Instant,
    ) -> Duration {
        self.decay(settings, now);
        let doubled = settings.eject.saturating_mul(1 << self.level.min(31));
        let time = doubled.min(settings.eject_max);
        if doubled < settings.eject_max {
            self.level += 1;
        }
        self.failures = 0;
        self.ejection = Some(Ejection { until: after(now, time), why });
        time
    }

    /// Ends the ejection.
    pub(super) fn end(&mut self, now: Instant) {
        self.failures = 0;
        self.ejection = None;
        self.returned = Some(now);
    }

    /// Ends the ejection `until` at the latest.
    pub(super) fn shorten(&mut self, until: Instant) {
        if let Some(ejection) = &mut self.ejection {
            ejection.until = ejection.until.min(until);
        }
    }

    /// Lowers the level once for each `eject_max` since the last ejection.
    fn decay(&mut self, settings: &PassiveSettings, now: Instant) {
        let Some(returned) = self.returned else { return };
        let good = now.saturating_duration_since(returned).as_nanos();
        let times = good / settings.eject_max.as_nanos().max(1);
        self.level = self.level.saturating_sub(u32::try_from(times).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, VirtualClock};

    const SETTINGS: PassiveSettings = PassiveSettings {
        failures: 2,
        eject: Duration::from_secs(10),
        eject_max: Duration::from_secs(60),
    };

    #[test]
    fn failures_in_a_row_eject() {
        let mut passive = Passive::default();
        assert!(!passive.failed(&SETTINGS));
        passive.succeeded();
        assert!(!passive.failed(&SETTINGS));
        assert!(passive.failed(&SETTINGS));
        let off = PassiveSettings { failures: 0, ..SETTINGS };
        assert!(!passive.failed(&off));
    }

    #[test]
    fn ejections_double_and_decay() {
        let (mut passive, mut now) = (Passive::default(), VirtualClock::default().now().mono);
        let mut eject = |pause: u64| {
            now += Duration::from_secs(pause);
            let time = passive.eject("".into(), &SETTINGS, now);
            now += time;
            passive.end(now);
            time.as_secs()
        };
        let times = [0, 0, 59, 0, 0, 60, 0, 119, 0, 120, 600].map(&mut eject);
        assert_eq!(times, [10, 20, 40, 60, 60, 40, 60, 40, 60, 20, 10]);
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let (mut passive, now) = (Passive::default(), VirtualClock::default().now().mono);
        for eject in [Duration::MAX, Duration::ZERO] {
            for eject_max in [Duration::MAX, Duration::ZERO] {
                let settings = PassiveSettings { failures: 1, eject, eject_max };
                for _ in 0..100 {
                    assert_eq!(passive.eject("".into(), &settings, now), eject.min(eject_max));
                    passive.end(now);
                }
            }
        }
    }
}
