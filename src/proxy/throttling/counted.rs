//! Clients as limits count them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::settings::Settings;
use crate::throttle::{ClientKey, ClientUnit};

/// Client that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    /// Address behind trusted proxies.
    pub(super) address: IpAddr,
    /// User, once the client is authenticated.
    pub(super) user: Option<&'a Arc<str>>,
    /// True if the address stands for many users, and is not counted.
    pub(super) brings_many: bool,
}

impl<'a> Counted<'a> {
    /// Returns the client of an exchange.
    pub(crate) fn of(record: &'a ExchangeRecord, settings: &Settings) -> Self {
        let address = record.behind;
        let brings_many = settings.brings_many(address);
        Self { address, user: record.user.as_ref(), brings_many }
    }

    /// Returns the key of the client in a table; `None` if the client is not limited.
    pub(super) fn key(&self, by: ClientUnit) -> Option<ClientKey> {
        let is_user = by == ClientUnit::User && self.user.is_some();
        (is_user || !self.brings_many).then(|| ClientKey::of(by, self.address, self.user))
    }
}
