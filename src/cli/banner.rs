//! What a proxy says of itself when it starts.

use std::net::SocketAddr;

use crate::config::{Options, RuleOptions};
use crate::proxy::units::Unit;
use crate::proxy::{AuthRules, ProtectionSpace};

/// What it is and does, for whom, and a first command to try.
pub(super) fn banner(
    options: &Options,
    auth: Option<&AuthRules>,
    addresses: &[SocketAddr],
) -> String {
    let kind = if options.to.is_some() { "reverse" } else { "forward" };
    let first = addresses.first().map(SocketAddr::to_string).unwrap_or_default();
    let mut lines =
        vec![format!("tidegate {}  {kind} proxy on http://{first}", env!("CARGO_PKG_VERSION"))];
    if let Some((url, _)) = &options.to {
        lines.push(format!("  origin   {url}"));
    }
    lines.push(match options.cache_memory {
        Some(size) => format!("  cache    memory {}", spaced(&size.write())),
        None => "  cache    off".into(),
    });
    lines.extend(auth.iter().flat_map(|rules| &rules.spaces).map(users));
    if options.to.is_none() {
        let others: Vec<String> =
            options.clients.iter().map(|range| format!(", {range}")).collect();
        let only = if others.is_empty() { " only" } else { "" };
        lines.push(format!("  clients  this machine{only}{}", others.concat()));
        lines.push(
            "  denied   loopback, private, link-local and other special destinations \
             (allow with --allow-destination)"
                .into(),
        );
        lines.extend(rules(&options.rules));
        for rule in &options.destinations.rules {
            lines.push(format!("  allowed  {rule}"));
        }
        lines.push(format!("  try      curl -x http://{first} http://example.com/ -I"));
    } else {
        lines.push(format!("  try      curl http://{first}/ -I"));
    }
    lines.join("\n")
}

/// What rules there are, if there are some.
fn rules(rules: &RuleOptions) -> Option<String> {
    if rules.given.is_empty() && !rules.denies {
        return None;
    }
    let given: Vec<String> = rules.given.iter().map(|given| given.option.to_string()).collect();
    let shown = match given.as_slice() {
        [] => String::new(),
        rules if rules.len() <= 3 => format!("{}, then ", rules.join(", ")),
        rules => format!("{} and {} more, then ", rules[0], rules.len() - 1),
    };
    let default = if rules.denies { "deny" } else { "allow" };
    let reports = if rules.reports { " (only reported in the log)" } else { "" };
    Some(format!("  rules    {shown}{default} by default{reports}"))
}

/// How many users there are for something, and how they say who they are.
fn users(space: &ProtectionSpace) -> String {
    let count = match space.users.len() {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    };
    let schemes = space.schemes().join(" or ");
    let place = if space.path.is_everything() { "all" } else { space.path.as_str() };
    format!("  users    {place}: {count} in the realm '{}', by {schemes}", space.settings.realm)
}

/// `256MiB` as `256 MiB`.
fn spaced(size: &str) -> String {
    let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    format!("{} {}", &size[..digits], &size[digits..])
}
