//! The settings of a scenario's proxy, under the names of options and limits.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate::access::{GivenRule, RuleSource, read_rules};
use tidegate::auth::{self, FailureLimit, PathPrefix, RealmUsers, Side, Users};
use tidegate::config::{Options, read_file};
use tidegate::proxy::{AuthRules, ClientLimits, ProtectionSpace, Settings, Sites};
use tidegate::units::{Bytes, Unit};

use super::{application, geography};

/// The pseudonym in `Via`.
pub(crate) const PSEUDONYM: &str = "gate";

/// Returns the settings of a configuration file, except those for TLS and the log.
///
/// Reading the authorities of the system for each play would take long: files that were read before
/// are remembered.
pub(crate) fn read_config(file: &str) -> Result<Settings, String> {
    static READ: Mutex<BTreeMap<String, Settings>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(settings) = read.get(file) {
        return Ok(settings.clone());
    }
    let mut options = Options::default();
    read_file(&mut options, "config", file).map_err(|wrong| wrong.to_string())?;
    let settings = options.settings(PSEUDONYM)?;
    read.insert(file.to_owned(), settings.clone());
    Ok(settings)
}

/// Changes the setting `name`.
pub(crate) fn set(settings: &mut Settings, name: &str, text: &str) -> Result<(), String> {
    match name {
        "to" => settings.service.sites = Some(Arc::new(Sites::of_origin(text.parse()?))),
        "application" => settings.service.sites = Some(Arc::new(application::site(text)?)),
        "via" => settings.via = text.to_owned(),
        "cache-memory" => settings.cache_memory = size(text)?.map_or(0, |bytes| bytes),
        "cache-object-max" => settings.cache_object_max = size(text)?.map(|bytes| bytes as u64),
        "eviction" => settings.eviction = text.parse()?,
        "allow-destination" => settings.destinations.rules.push(text.parse()?),
        "rule" => {
            let rules = Arc::make_mut(&mut settings.destinations.egress);
            let option = text.replace('_', " ").parse().map_err(|error| format!("{error}"))?;
            let line = u32::try_from(rules.len() + 1).unwrap();
            let rule =
                [GivenRule { option, place: Some((RuleSource::File("rules".into()), line)) }];
            let none = &mut |file: &str| Err(format!("no such file: {file}"));
            read_rules(rules, &rule, none).map_err(|bad| bad.to_string())?;
        }
        "rule-default" => {
            let rules = Arc::make_mut(&mut settings.destinations.egress);
            rules.set_default(text == "deny", rules.reports());
        }
        "rule-report" => {
            let rules = Arc::make_mut(&mut settings.destinations.egress);
            rules.set_default(rules.denies(), text == "on");
        }
        "geoip" => settings.geo = Arc::new(geography::databases(text)?),
        "allow-port" => settings.destinations.ports = text.parse()?,
        "allow-connect-port" => settings.destinations.connect_ports = text.parse()?,
        "allow-client" => settings.service.clients.push(parse(text)?),
        "user" => {
            let space = space(settings);
            let mut users = space.accounts.users().clone();
            users.read("users", text.as_bytes()).map_err(|bad| bad.to_string())?;
            space.accounts = Arc::new(RealmUsers::new(users, &space.settings));
        }
        "no-clients" => settings.service.clients.clear(),
        "no-users" => settings.service.auth = None,
        "protect" => {
            let space = protected(text.parse()?, Side::Origin);
            auth(settings).spaces.push(space);
        }
        "realm" => {
            let space = space(settings);
            space.settings.realm = text.parse()?;
            let users = space.accounts.users().clone();
            space.accounts = Arc::new(RealmUsers::new(users, &space.settings));
        }
        "auth" => {
            let settings = &mut space(settings).settings;
            settings.basic = text.contains("basic");
            settings.digest = text.contains("digest");
        }
        "auth-ban" => auth(settings).ban = text.parse()?,
        "allow-purge" => settings.purgers.push(parse(text)?),
        "allow-upgrade" => settings.upgrades.push(text.parse()?),
        "trusted-proxy" => settings.trusted_proxies.push(parse(text)?),
        "freshness" => settings.freshness_rules.push(text.replace('_', " ").parse()?),
        "key-drop-query" => settings.key_rules.drop = Some(text.parse()?),
        "key-sort-query" => settings.key_rules.sort = text == "on",
        "vary-language" => settings.request_rules.by_language = text == "preferred",
        "vary-encoding" => settings.request_rules.by_coding = text == "folded",
        "compress" => {
            let names = text.split(',');
            settings.compression.codings = Some(names.map(str::parse).collect::<Result<_, _>>()?);
        }
        "cache-set-cookie" => settings.store_cookies = text == "on",
        "ignore-client-no-cache" => settings.request_rules.ignore_no_cache = text == "on",
        "targeted-cache-control" => settings.targeted = text == "on",
        "cache-status-key" => settings.status_key = text == "on",
        "request-rate" => settings.client_limits.rates.push(words(text)?),
        "bandwidth" => settings.client_limits.bandwidth.push(words(text)?),
        "no-limits" => settings.client_limits = ClientLimits::default(),
        "ban" => settings.bans.rules.push(words(text)?),
        "ban-allow" => settings.bans.allowed.push(parse(text)?),
        "log-format" => settings.log = Some(text.parse()?),
        _ => {
            let limit = settings.limits.set(name, text);
            limit.map_err(|expected| match expected {
                Some(expected) => format!("'{text}' is not {expected}"),
                None => format!("no such setting: '{name}'"),
            })?;
        }
    }
    Ok(())
}

/// Returns the authentication rules, and creates them if there are none.
fn auth(settings: &mut Settings) -> &mut AuthRules {
    let off = || AuthRules { spaces: Vec::new(), ban: FailureLimit::Off };
    settings.service.auth.get_or_insert_with(off)
}

/// Returns the protection space added last; without one, adds a space for all paths. Its side is
/// the origin's for a reverse proxy.
fn space(settings: &mut Settings) -> &mut ProtectionSpace {
    let side = if settings.service.is_reverse() { Side::Origin } else { Side::Proxy };
    let spaces = &mut auth(settings).spaces;
    if spaces.is_empty() {
        spaces.push(protected(PathPrefix::everything(), side));
    }
    let last = spaces.len() - 1;
    &mut spaces[last]
}

fn protected(path: PathPrefix, side: Side) -> ProtectionSpace {
    let mut settings = auth::AuthSettings::new(side, "gate".parse().unwrap());
    settings.domain = (!path.is_everything()).then(|| path.to_string()).into_iter().collect();
    ProtectionSpace::new(path, settings, Users::default())
}

/// Parses a size, or `off`.
fn size(text: &str) -> Result<Option<usize>, String> {
    let size = Option::<Bytes>::read(text).ok_or_else(|| format!("'{text}' is not a size"))?;
    Ok(size.map(|bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX)))
}

/// Parses a text whose words are separated by `_`.
fn words<T: FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.replace('_', " ").parse()
}

fn parse<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is not an address or range"))
}
