//! What a proxy says of itself when it starts.

use std::net::SocketAddr;

use crate::config::Options;
use crate::proxy::units::Unit;

/// What it is and does, and a first command to try.
pub(super) fn banner(options: &Options, addresses: &[SocketAddr]) -> String {
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
        for rule in &options.destinations.rules {
            lines.push(format!("  allowed  {rule}"));
        }
        lines.push(format!("  try      curl -x http://{first} http://example.com/ -I"));
    } else {
        lines.push(format!("  try      curl http://{first}/ -I"));
    }
    lines.join("\n")
}

/// `256MiB` as `256 MiB`.
fn spaced(size: &str) -> String {
    let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    format!("{} {}", &size[..digits], &size[digits..])
}
