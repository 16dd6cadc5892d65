//! Banner that a proxy prints when it starts.

use crate::config::{Options, ReverseOptions, RuleOptions};
use crate::proxy::{AuthRules, ProtectionSpace};
use crate::tls::ServerTls;
use crate::units::Unit;

use super::listening::Listening;

/// Returns the lines that describe the proxy: its kind, listeners, clients and rules, and a first
/// command to try. `explain` is the command for explanations by this proxy, if it accepts any.
pub(super) fn banner(
    options: &Options,
    auth: Option<&AuthRules>,
    tls: Option<&ServerTls>,
    listening: &[Listening],
    explain: Option<&str>,
) -> String {
    let kind = match (options.is_reverse(), options.forwards()) {
        (true, true) => "reverse and forward",
        (true, false) => "reverse",
        (false, _) => "forward",
    };
    let first = listening.first().map(Listening::to_string).unwrap_or_default();
    let mut lines =
        vec![format!("tidegate {}  {kind} proxy on {first}", env!("CARGO_PKG_VERSION"))];
    lines.extend(listening.iter().skip(1).map(|listening| format!("  and on   {listening}")));
    lines.extend(origins(&options.reverse));
    let certificates = tls.into_iter().flat_map(|tls| tls.certificates().list());
    lines.extend(certificates.map(|certificate| format!("  tls      {certificate}")));
    lines.push(match options.cache_memory {
        Some(size) => format!("  cache    memory {}", spaced(&size.write())),
        None => "  cache    off".into(),
    });
    lines.extend(auth.iter().flat_map(|rules| &rules.spaces).map(users));
    if options.forwards() || !options.clients.is_empty() {
        let others: Vec<String> =
            options.clients.iter().map(|range| format!(", {range}")).collect();
        let only = if others.is_empty() { " only" } else { "" };
        lines.push(format!("  clients  this machine{only}{}", others.concat()));
    }
    if options.forwards() {
        lines.push(
            "  denied   loopback, private, link-local and other special destinations \
             (allow with --allow-destination)"
                .into(),
        );
        lines.extend(rules(&options.rules));
        for rule in &options.destinations.rules {
            lines.push(format!("  allowed  {rule}"));
        }
    }
    let everything = auth.iter().flat_map(|rules| &rules.spaces).find(|s| s.path.is_everything());
    let schemes = everything.map(ProtectionSpace::schemes);
    let nearby = |first: &Listening| Some(format!("{}://{}", first.scheme(), first.nearby()?));
    let nearby = listening.iter().find_map(nearby);
    // No client of a forward proxy is known that connects to a socket in the file system.
    let local = listening.first().filter(|_| options.is_reverse()).and_then(Listening::of_socket);
    if let Some(nearby) = nearby.or(local) {
        lines.push(first_command(options, schemes.as_deref(), &nearby, explain));
    }
    lines.join("\n")
}

/// Returns the line with a first command: a request to the URL `nearby`, by a user who
/// authenticates with one of `schemes`. If the rules deny by default, it is the command that
/// explains what they allow.
fn first_command(
    options: &Options,
    schemes: Option<&[&str]>,
    nearby: &str,
    explain: Option<&str>,
) -> String {
    if options.rules.denies && !options.rules.reports {
        return match explain {
            Some(command) => format!("  why      {command} URL"),
            None => "  why      tidegate explain URL, with the same options".into(),
        };
    }
    let user = |basic, digest| match schemes {
        None => "",
        Some(schemes) if schemes.contains(&"Basic") => basic,
        Some(_) => digest,
    };
    if options.is_reverse() {
        let user = user(" -u NAME", " --digest -u NAME");
        return format!("  try      curl{user} {nearby}/ -I");
    }
    let user = user(" -U NAME", " --proxy-digest -U NAME");
    format!("  try      curl -x {nearby}{user} http://example.com/ -I")
}

/// Returns the lines about the origins and sites of a reverse proxy.
fn origins(options: &ReverseOptions) -> Vec<String> {
    let to = options.to.iter().map(|member| format!("  origin   {member}"));
    let routes = options.routes.iter().map(|route| format!("  route    {route}"));
    let mut lines: Vec<String> = to.chain(routes).collect();
    match options.sites.as_slice() {
        [] => {}
        [only] => lines.push(format!("  site     {only}")),
        [first, rest @ ..] => lines.push(format!("  sites    {first} and {} more", rest.len())),
    }
    lines
}

/// Returns the line that summarizes the rules, if there are any.
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

/// Returns the line with the number of users of a path, and the schemes by which they authenticate.
fn users(space: &ProtectionSpace) -> String {
    let count = match space.accounts.users().len() {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    };
    let schemes = space.schemes().join(" or ");
    let place = if space.path.is_everything() { "all" } else { space.path.as_str() };
    format!("  users    {place}: {count} in the realm '{}', by {schemes}", space.settings.realm)
}

/// Separates number and unit: `256MiB` becomes `256 MiB`.
fn spaced(size: &str) -> String {
    let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    format!("{} {}", &size[..digits], &size[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OptionSpec;

    fn begun(given: &[(&str, &str)], schemes: Option<&[&str]>, explain: Option<&str>) -> String {
        let mut options = Options::default();
        for (name, text) in given {
            (OptionSpec::find(name).unwrap().set)(&mut options, text).unwrap();
        }
        let command = first_command(&options, schemes, "http://127.0.0.1:3128", explain);
        command.trim_start().to_owned()
    }

    #[test]
    fn first_command_suits_proxy_kind_and_schemes() {
        let (basic, digest) = (Some(["Digest", "Basic"].as_slice()), Some(["Digest"].as_slice()));
        let reverse = [("to", "http://h.test")];
        for (given, schemes, command) in [
            (&[][..], None, "curl -x http://127.0.0.1:3128 http://example.com/ -I"),
            (&[], basic, "curl -x http://127.0.0.1:3128 -U NAME http://example.com/ -I"),
            (
                &[],
                digest,
                "curl -x http://127.0.0.1:3128 --proxy-digest -U NAME http://example.com/ -I",
            ),
            (&reverse, None, "curl http://127.0.0.1:3128/ -I"),
            (&reverse, basic, "curl -u NAME http://127.0.0.1:3128/ -I"),
            (&reverse, digest, "curl --digest -u NAME http://127.0.0.1:3128/ -I"),
        ] {
            assert_eq!(begun(given, schemes, None), format!("try      {command}"));
        }
    }

    #[test]
    fn first_command_explains_where_rules_deny_by_default() {
        let deny = ("rule-default", "deny");
        let command = Some("tidegate explain --live --port 8000");
        assert_eq!(
            begun(&[deny], None, command),
            "why      tidegate explain --live --port 8000 URL"
        );
        let off = begun(&[deny], None, None);
        assert!(off.starts_with("why      tidegate explain URL, with"), "{off}");
        assert!(begun(&[deny, ("rule-report", "on")], None, command).starts_with("try "));
    }
}
