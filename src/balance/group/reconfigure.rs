//! New settings for a group that serves requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Group, Member};
use crate::balance::change::ChangeKind;
use crate::balance::instant::after;
use crate::balance::settings::GroupSettings;
use crate::balance::tier::Tier;
use crate::balance::turn::Turn;

impl<W: Copy + Ord> Group<W> {
    /// Replaces the settings. Members with the same name keep their endpoints with ids, health,
    /// ejections and counts, and the operator's orders. Endpoints of other members are removed.
    /// Waiters keep their places in the queue, even if it is shorter now.
    pub fn reconfigure(&mut self, settings: GroupSettings, now: Instant) {
        self.advance(now);
        let indexes: Vec<usize> = self.endpoints.iter().map(|(index, _)| index).collect();
        indexes.into_iter().for_each(|index| self.displace(index));
        self.replace_members(&settings);
        self.settings = settings;
        self.tiers = <[Tier; 2]>::default();
        let indexes: Vec<usize> = self.endpoints.iter().map(|(index, _)| index).collect();
        for index in indexes {
            self.endpoints[index].turn = Turn::default();
            self.apply_health(index, now);
            self.apply_passive(index, now);
            let slow_start = self.endpoints[index].slow_start;
            let time = self.settings.slow_start;
            self.set_slow_start(index, slow_start.and_then(|slow| slow.advance(time, now)));
            self.place(index);
        }
        self.settle(now);
    }

    /// Moves the states of members with the same name to their new indexes, and removes the
    /// endpoints of others. No endpoint is in a tier.
    fn replace_members(&mut self, settings: &GroupSettings) {
        let names = self.settings.members.iter().map(|member| Arc::clone(&member.name));
        let mut before: BTreeMap<Arc<str>, usize> = names.zip(0..).collect();
        let kept = settings.members.iter().map(|member| before.remove(&member.name));
        let kept: Vec<Option<usize>> = kept.collect();
        let removed = (0..self.members.len()).filter(|member| !kept.contains(&Some(*member)));
        for member in removed.collect::<Vec<_>>() {
            let endpoints: Vec<usize> = self.members[member].endpoints.iter().copied().collect();
            endpoints.into_iter().for_each(|index| self.remove_endpoint(index));
        }
        let mut take = |old: usize| std::mem::take(&mut self.members[old]);
        let members: Vec<Member> =
            kept.into_iter().map(|old| old.map(&mut take).unwrap_or_default()).collect();
        self.members = members;
        for (member, state) in self.members.iter().enumerate() {
            for &index in &state.endpoints {
                self.endpoints[index].member = member;
            }
        }
    }

    fn apply_health(&mut self, index: usize, now: Instant) {
        self.schedule_probe(index, now);
        if self.settings.health.is_none() && self.endpoints[index].health.forget() {
            self.note(self.endpoints[index].member, Some(index), ChangeKind::Up);
        }
    }

    fn apply_passive(&mut self, index: usize, now: Instant) {
        let Some(ejection) = self.endpoints[index].passive.ejection() else { return };
        let until = ejection.until.min(after(now, self.settings.passive.eject_max));
        if self.settings.passive.failures == 0 || until <= now {
            self.end_ejection(index, now);
        } else {
            self.ejected.remove(&(ejection.until, index));
            self.ejected.insert((until, index));
            self.endpoints[index].passive.shorten(until);
        }
    }
}
