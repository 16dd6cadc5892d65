//! Options for limits of clients by time, and for bans.

use std::path::PathBuf;

use crate::config::throttle::{add_bandwidth, add_rate, bandwidth, rates};

use super::spec::{OptionSpec, many, one};
use super::value::{push_range, texts};

pub(super) const THROTTLE: &[OptionSpec] = &[
    many(one(
        "request-rate",
        "LIMIT",
        "Requests of one client by time: REQUESTS/TIME [burst=N] [by=address|network|user], such as \
         100/s; further ones get 429 [default: none]",
        |o, text| add_rate(&mut o.client_limits, text),
        |o| rates(&o.client_limits),
    )),
    many(one(
        "bandwidth",
        "LIMIT",
        "Content sent to one client by time: SIZE/s [burst=SIZE] [by=address|network|user], such as \
         '1MiB/s burst=4MiB' [default: none]",
        |o, text| add_bandwidth(&mut o.client_limits, text),
        |o| bandwidth(&o.client_limits),
    )),
    many(one(
        "ban",
        "RULE",
        "Ban clients after offences: after N of KINDS within TIME [by address|/PREFIX] -> \
         delay|429|drop for TIME, such as 'after 20 of 401,403 within 1m -> drop for 10m' [default: \
         none]",
        |o, text| text.parse().map(|rule| o.bans.rules.push(rule)),
        |o| texts(&o.bans.rules),
    )),
    many(one(
        "ban-allow",
        "CIDR",
        "Clients that are never banned, besides this machine and trusted proxies [default: none]",
        |o, text| push_range(&mut o.bans.allowed, text),
        |o| texts(&o.bans.allowed),
    )),
    one(
        "ban-file",
        "FILE",
        "File that keeps bans across restarts [default: none]",
        |o, text| path(&mut o.bans.file, text),
        |o| shown(o.bans.file.as_ref()),
    ),
    one(
        "ban-nft",
        "TABLE SET",
        "Sets of nftables, inet TABLE SET4 and SET6, for banned networks with the action drop (only with \
         --ban-nft-file) [default: none]",
        |o, text| text.parse().map(|sets| o.bans.nft = Some(sets)),
        |o| texts(o.bans.nft.as_slice()),
    ),
    one(
        "ban-nft-file",
        "FILE",
        "File for 'nft -f' that fills these sets, replaced whenever bans change (only with --ban-nft) \
         [default: none]",
        |o, text| path(&mut o.bans.nft_file, text),
        |o| shown(o.bans.nft_file.as_ref()),
    ),
];

fn path(place: &mut Option<PathBuf>, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("expected a file".to_owned());
    }
    *place = Some(text.into());
    Ok(())
}

fn shown(path: Option<&PathBuf>) -> Vec<String> {
    path.map(|path| path.display().to_string()).into_iter().collect()
}
