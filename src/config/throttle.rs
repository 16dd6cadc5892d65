//! Options for limits of clients by time, and for bans.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::access::Cidr;
use crate::proxy::{BanSettings, ClientLimits};
use crate::throttle::{BanRule, NftSets};

/// Options for bans.
#[derive(Clone, Debug, Default)]
pub struct BanOptions {
    /// Rules by which bans begin.
    pub rules: Vec<BanRule>,
    /// Clients that are never banned.
    pub allowed: Vec<Cidr>,
    /// File that keeps bans across restarts.
    pub file: Option<PathBuf>,
    /// Sets of nftables.
    pub nft: Option<NftOption>,
    /// File for commands that fill those sets.
    pub nft_file: Option<PathBuf>,
}

/// Sets of nftables: `TABLE SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftOption {
    text: String,
    sets: NftSets,
}

impl FromStr for NftOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [table, set] = words[..] else {
            return Err(format!("'{text}' is not 'TABLE SET', such as 'filter tidegate'"));
        };
        Ok(Self { text: format!("{table} {set}"), sets: NftSets::new(table, set)? })
    }
}

impl fmt::Display for NftOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl BanOptions {
    /// Returns the settings.
    ///
    /// # Errors
    /// A message if one of two options is missing that work together only.
    pub(super) fn settings(&self) -> Result<BanSettings, String> {
        match (&self.nft, &self.nft_file) {
            (Some(_), None) => Err("ban-nft needs ban-nft-file, the file to write".to_owned()),
            (None, Some(_)) => Err("ban-nft-file needs ban-nft, the names of the sets".to_owned()),
            (nft, _) => Ok(BanSettings {
                rules: self.rules.clone(),
                allowed: self.allowed.clone(),
                nft: nft.as_ref().map(|nft| nft.sets.clone()),
            }),
        }
    }
}

/// Adds a limit of requests.
pub(super) fn add_rate(limits: &mut ClientLimits, text: &str) -> Result<(), String> {
    text.parse().map(|limit| limits.rates.push(limit))
}

/// Adds a limit of bytes.
pub(super) fn add_bandwidth(limits: &mut ClientLimits, text: &str) -> Result<(), String> {
    text.parse().map(|limit| limits.bandwidth.push(limit))
}

/// Returns the limits of requests as text.
pub(super) fn rates(limits: &ClientLimits) -> Vec<String> {
    limits.rates.iter().map(ToString::to_string).collect()
}

/// Returns the limits of bytes as text.
pub(super) fn bandwidth(limits: &ClientLimits) -> Vec<String> {
    limits.bandwidth.iter().map(ToString::to_string).collect()
}
