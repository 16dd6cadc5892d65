//! Turns of weighted round robin, as virtual deadlines.
//!
//! A tier has a virtual clock. An endpoint of weight w has a turn w times in each period of the
//! clock, in the middles of w equal parts of the period; so shares are exact, and turns of one
//! endpoint are spread evenly. The endpoint with the earliest turn is selected next.

/// Units of the virtual clock in a period.
const PERIOD: u64 = 1 << 48;

/// Next turn of an endpoint. The weight is not zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    at: u128,
    /// Fraction of a unit by which the turn is later, in units / (2 × weight).
    rest: u64,
    weight: u64,
}

impl Turn {
    /// Returns the virtual time of the turn.
    pub(super) const fn at(&self) -> u128 {
        self.at
    }

    /// Moves to the turn after this.
    pub(super) fn advance(&mut self) {
        self.at += u128::from(PERIOD / self.weight);
        self.rest += 2 * (PERIOD % self.weight);
        if self.rest >= 2 * self.weight {
            self.rest -= 2 * self.weight;
            self.at += 1;
        }
    }

    /// Sets the turn to the present `clock` if it is past, and scales the time until the turn to a
    /// new weight. A first turn is half an interval away.
    pub(super) fn enter(&mut self, clock: u128, weight: u64) {
        if self.weight == 0 {
            self.at = clock + u128::from(PERIOD / (2 * weight));
            self.rest = PERIOD % (2 * weight);
        } else if self.at < clock {
            self.at = clock;
            self.rest = 0;
        } else if self.weight != weight {
            self.at = clock + (self.at - clock) * u128::from(self.weight) / u128::from(weight);
            self.rest = 0;
        }
        self.weight = weight;
        self.rest = self.rest.min(2 * weight - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_period_has_as_many_turns_as_the_weight() {
        for weight in [1, 3, 7, 100, 999_999, 1_000_000] {
            let mut turn = Turn::default();
            turn.enter(0, weight);
            for period in 0..5 {
                let end = u128::from(PERIOD) * (period + 1);
                for _ in 0..weight {
                    assert!(turn.at() < end && turn.at() >= end - u128::from(PERIOD));
                    turn.advance();
                }
            }
        }
    }

    #[test]
    fn change_of_weight_scales_the_time_that_is_left() {
        let mut turn = Turn::default();
        turn.enter(0, 1);
        turn.enter(0, 2);
        assert_eq!(turn.at(), u128::from(PERIOD / 4));
        turn.enter(u128::from(PERIOD), 2);
        assert_eq!(turn.at(), u128::from(PERIOD), "missed turns are not made up for");
    }
}
