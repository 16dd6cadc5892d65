//! Orders of the operator for a member.

use std::fmt;

/// Order of the operator for a member. It holds until the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Use the member again; ends [`Drain`](Self::Drain) and [`Disable`](Self::Disable).
    Ready,
    /// Send only requests that are sticky to the endpoints of the member.
    Drain,
    /// Send no request and no probe.
    Disable,
    /// Use this weight, 1 to [`MOST_WEIGHT`](super::MOST_WEIGHT), instead of that in the settings.
    /// Larger values count as the largest; 0 ends the order.
    Weight(u32),
}

/// Writes what a member is by the order.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("made ready"),
            Self::Drain => f.write_str("drained"),
            Self::Disable => f.write_str("disabled"),
            Self::Weight(0) => f.write_str("given its configured weight"),
            Self::Weight(weight) => write!(f, "given the weight {weight}"),
        }
    }
}

/// Use of a member that the operator has ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Use {
    #[default]
    Ready,
    Drain,
    Disable,
}

/// Orders in force for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Orders {
    pub(super) used: Use,
    pub(super) weight: Option<u32>,
}

impl Orders {
    pub(super) fn take(&mut self, order: Order) {
        match order {
            Order::Ready => self.used = Use::Ready,
            Order::Drain => self.used = Use::Drain,
            Order::Disable => self.used = Use::Disable,
            Order::Weight(weight) => self.weight = (weight > 0).then_some(weight),
        }
    }

    /// Returns the orders that lead here.
    pub(super) fn list(self) -> impl Iterator<Item = Order> {
        let used = match self.used {
            Use::Ready => None,
            Use::Drain => Some(Order::Drain),
            Use::Disable => Some(Order::Disable),
        };
        used.into_iter().chain(self.weight.map(Order::Weight))
    }
}
