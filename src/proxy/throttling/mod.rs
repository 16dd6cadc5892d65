//! Limits of clients by time, and bans, as they are kept while the proxy runs.

pub(super) mod ban_table;
pub(super) mod client_tables;
pub(super) mod counted;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::throttle::BanAction;

use super::settings::Settings;
use ban_table::BanTable;
use client_tables::ClientTables;

/// Tables of limits and of bans.
#[derive(Debug)]
pub(crate) struct Throttling {
    pub(crate) tables: ClientTables,
    pub(crate) bans: BanTable,
}

impl Throttling {
    /// Creates the tables for the settings.
    pub(super) fn new(settings: &Settings) -> Self {
        Self { tables: ClientTables::new(settings), bans: BanTable::new(settings) }
    }

    /// Applies new settings. Clients keep what they have used of limits that stay; bans stay.
    pub(super) fn configure(&mut self, settings: &Settings) {
        self.tables.configure(settings);
        self.bans.configure(settings);
    }

    /// Returns true if requests have to be judged before they are authenticated.
    pub(super) fn is_active(&self) -> bool {
        self.tables.has_rates() || !self.bans.is_empty()
    }

    /// Returns the ban on an address, with the time that is left of it.
    pub(super) fn ban_of(&self, address: IpAddr, now: Instant) -> Option<(BanAction, Duration)> {
        self.bans.of(address, now)
    }
}
