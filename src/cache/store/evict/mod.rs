//! Eviction orders. They know entries by the slot that the store gives them.

mod eviction_policy;
mod gdsf;
mod ghosts;
mod lru;
mod lru_bias;
mod orders;
mod queue;
mod shadow_lru;

use std::fmt;
use std::str::FromStr;

use eviction_policy::EvictionPolicy;
use gdsf::Gdsf;
use lru::Lru;

pub(super) use orders::Orders;

/// Order in which entries are evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// By worth: the number of uses in relation to the size, and the time since then.
    #[default]
    Gdsf,
    /// Least recently used first.
    Lru,
}

impl Eviction {
    /// All orders.
    pub const ALL: [Self; 2] = [Self::Gdsf, Self::Lru];

    const fn name(self) -> &'static str {
        match self {
            Self::Gdsf => "gdsf",
            Self::Lru => "lru",
        }
    }

    /// Creates an empty order of this kind.
    fn order(self) -> Box<dyn EvictionPolicy> {
        match self {
            Self::Gdsf => Box::new(Gdsf::default()),
            Self::Lru => Box::new(Lru::default()),
        }
    }
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Eviction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|eviction| eviction.name() == text);
        found.ok_or_else(|| format!("'{text}' is not gdsf or lru"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn orders_match_a_model(
            steps in proptest::collection::vec((0_u8..6, 0_usize..40, 1_usize..100_000), 0..400),
        ) {
            for eviction in Eviction::ALL {
                let mut order = eviction.order();
                let mut model = HashMap::new();
                for &(step, slot, weight) in &steps {
                    let known = model.contains_key(&slot);
                    match step {
                        0 | 1 if known => order.hit(slot, weight),
                        0 | 1 => {
                            order.insert(slot, (slot as u64) << 40 | 1 << 63, weight);
                            model.insert(slot, weight);
                        }
                        5 if known => order.reweigh(slot, weight.min(model[&slot])),
                        2 if known => {
                            order.remove(slot);
                            model.remove(&slot);
                        }
                        3 => {
                            let first = order.first();
                            prop_assert_eq!(first.is_none(), model.is_empty());
                            if let Some(first) = first {
                                prop_assert!(model.remove(&first).is_some());
                                order.evict(first);
                            }
                        }
                        4 => {
                            if let Some(first) = order.first() {
                                prop_assert!(model.contains_key(&first));
                                order.defer(first);
                            }
                        }
                        _ => {}
                    }
                    prop_assert_eq!(order.len(), model.len());
                    prop_assert_eq!(order.has(slot), model.contains_key(&slot));
                }
                while let Some(first) = order.first() {
                    prop_assert!(model.remove(&first).is_some());
                    order.evict(first);
                }
                prop_assert!(model.is_empty());
            }
        }
    }
}
