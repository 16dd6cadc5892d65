//! Health of an endpoint by active checks.

use std::sync::Arc;
use std::time::Instant;

use super::settings::HealthSettings;

/// Beginning and reason of a failure that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Down {
    pub(super) since: Instant,
    pub(super) why: Arc<str>,
}

/// Results of probes. An endpoint is up at first.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    down: Option<Down>,
    /// Probes in a row whose results contradict the state.
    against: u32,
}

impl Health {
    pub(super) const fn down(&self) -> Option<&Down> {
        self.down.as_ref()
    }

    /// Takes the result of a probe. Returns true if the endpoint went down or came up.
    pub(super) fn probed(
        &mut self,
        result: Result<(), Arc<str>>,
        settings: &HealthSettings,
        now: Instant,
    ) -> bool {
        let needed = match (&mut self.down, &result) {
            (None, Ok(())) => {
                self.against = 0;
                return false;
            }
            (Some(down), Err(why)) => {
                self.against = 0;
                down.why = Arc::clone(why);
                return false;
            }
            (None, Err(_)) => settings.fall,
            (Some(_), Ok(())) => settings.rise,
        };
        self.against = self.against.saturating_add(1);
        let turns = self.against >= needed;
        if turns {
            self.against = 0;
            self.down = result.err().map(|why| Down { since: now, why });
        }
        turns
    }

    /// Forgets all results. Returns true if the endpoint was down.
    pub(super) fn forget(&mut self) -> bool {
        std::mem::take(self).down.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, VirtualClock};

    #[test]
    fn results_in_a_row_turn_the_state() {
        let (now, settings) = (VirtualClock::default().now().mono, HealthSettings::default());
        let mut health = Health::default();
        let mut probe = |succeeds: bool| {
            let result = if succeeds { Ok(()) } else { Err("refused".into()) };
            (health.probed(result, &settings, now), health.down().is_some())
        };
        let results = [
            (false, (false, false)),
            (false, (false, false)),
            (true, (false, false)),
            (false, (false, false)),
            (false, (false, false)),
            (false, (true, true)),
            (true, (false, true)),
            (false, (false, true)),
            (true, (false, true)),
            (true, (true, false)),
        ];
        for (step, (succeeds, expected)) in results.into_iter().enumerate() {
            assert_eq!(probe(succeeds), expected, "step {step}");
        }
    }

    #[test]
    fn reason_is_the_newest_and_time_the_first() {
        let (now, settings) = (VirtualClock::default().now().mono, HealthSettings::default());
        let mut health = Health::default();
        for second in 0..5u64 {
            let at = now + std::time::Duration::from_secs(second);
            health.probed(Err(format!("failure {second}").into()), &settings, at);
        }
        let down = health.down().unwrap();
        assert_eq!((down.since - now).as_secs(), 2);
        assert_eq!(&*down.why, "failure 4");
        assert!(health.forget() && health.down().is_none());
    }
}
