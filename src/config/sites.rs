//! Checks of sites and groups of origins in a file, each with the place of what is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::Options;
use super::reverse::route::is_url;
use super::values::{Wrong, scalar, suggestion, tables};

/// Checks that routes name groups that exist, that groups and sites are valid, and that no two sites
/// have a host in common.
pub(super) fn check(options: &Options, file: &DeTable<'_>) -> Result<(), Wrong> {
    let reverse = &options.reverse;
    let names = reverse.names();
    let origins = places(file, "origin")?;
    for (section, place) in reverse.origins.iter().zip(&origins) {
        section.settings().map_err(|message| (place.clone(), message, None))?;
    }
    let mut sites = Vec::new();
    if let Some(value) = value_of(file, "site") {
        for (table, place) in tables("site", value)? {
            check_target(table, &names)?;
            if let Some(routes) = value_of(table, "route") {
                for (route, _) in tables("site.route", routes)? {
                    check_target(route, &names)?;
                }
            }
            sites.push(place);
        }
    }
    reverse.check_sites().map_err(|(at, message)| {
        let place = at.and_then(|at| sites.get(at).cloned()).unwrap_or(0..1);
        (place, message, None)
    })
}

/// Returns the places of the tables `[[name]]`.
fn places(file: &DeTable<'_>, name: &str) -> Result<Vec<Range<usize>>, Wrong> {
    let Some(value) = value_of(file, name) else { return Ok(Vec::new()) };
    Ok(tables(name, value)?.into_iter().map(|(_, place)| place).collect())
}

fn value_of<'a, 'b>(table: &'a DeTable<'b>, name: &str) -> Option<&'a Spanned<DeValue<'b>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// Checks that `to` of a site or route names a group that exists.
fn check_target(table: &DeTable<'_>, names: &[&str]) -> Result<(), Wrong> {
    let Some(value) = value_of(table, "to") else { return Ok(()) };
    let to = scalar(value.get_ref()).unwrap_or_default();
    if is_url(&to) || names.contains(&&*to) {
        return Ok(());
    }
    let help = suggestion(&to, names);
    let help = help.or_else(|| Some(format!("add [[origin]] with name = '{to}'")));
    Err((value.span(), format!("there is no origin '{to}'"), help))
}
