//! Banner that a proxy prints when it starts.

use crate::config::{Options, ReverseOptions, RuleOptions};
use crate::geo::GeoDatabase;
use crate::http::date;
use crate::proxy::{ListenerKind, ProtectionSpace, Service, Settings};
use crate::units::Unit;

use super::listening::Listening;

/// Returns the lines that describe the proxy: its kind, listeners, clients and rules, and a first
/// command to try. `explain` is the command for explanations by this proxy, if it accepts any.
pub(super) fn banner(
    options: &Options,
    settings: &Settings,
    listening: &[Listening],
    explain: Option<&str>,
) -> String {
    let kind = match (options.is_reverse(), options.forwards()) {
        (true, true) => "reverse and forward",
        (true, false) => "reverse",
        (false, _) => "forward",
    };
    let mut lines = vec![format!("tidegate {}  {kind} proxy", env!("CARGO_PKG_VERSION"))];
    let is_alike = options.listeners.is_empty();
    if is_alike {
        let first = listening.first().map(Listening::to_string).unwrap_or_default();
        lines[0].push_str(&format!(" on {first}"));
        lines.extend(listening.iter().skip(1).map(|listening| format!("  and on   {listening}")));
    } else {
        lines.extend(listening.iter().map(|listening| listener(listening, settings)));
    }
    lines.extend(origins(&options.reverse));
    lines.extend(settings.folders().map(|path| format!("  folder   {}", path.display())));
    let tls = settings.server_tls.iter();
    let certificates = tls.flat_map(|tls| tls.certificates().list());
    lines.extend(certificates.map(|certificate| format!("  tls      {certificate}")));
    lines.push(match options.cache_memory {
        Some(size) => format!("  cache    memory {}", spaced(&size.write())),
        None => "  cache    off".into(),
    });
    lines.extend(users(settings, is_alike));
    if is_alike && (options.forwards() || !options.clients.is_empty()) {
        lines.push(format!("  clients  {}", clients(&settings.service)));
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
    lines.extend(settings.geo.list().iter().map(|database| places(database)));
    let service_of = |listening: &Listening| settings.service(listening.settings.service);
    let nearby = |first: &Listening| {
        Some((service_of(first), format!("{}://{}", first.scheme(), first.nearby()?)))
    };
    let nearby = listening.iter().find_map(nearby);
    // No client of a forward proxy is known that connects to a socket in the file system.
    let local = listening.first().filter(|first| service_of(first).is_reverse());
    let local = local.and_then(|first| Some((service_of(first), first.of_socket()?)));
    if let Some((service, nearby)) = nearby.or(local) {
        let schemes = all_paths(service).map(ProtectionSpace::schemes);
        let first = (service.is_reverse(), schemes.as_deref());
        lines.push(first_command(options, first, &nearby, explain));
    }
    lines.join("\n")
}

/// Returns the line about a listener that has a service of its own, or beside which others have.
fn listener(listening: &Listening, settings: &Settings) -> String {
    let service = settings.service(listening.settings.service);
    let mode = if service.is_reverse() { "reverse" } else { "forward" };
    let tls = if listening.settings.kind == ListenerKind::Tls { ", TLS" } else { "" };
    let headers = if listening.settings.proxy_protocol { ", PROXY headers" } else { "" };
    let users = all_paths(service).map_or("none".to_owned(), accounts);
    let clients = clients(service);
    format!("  listener {listening}: {mode}{tls}{headers}; clients: {clients}; users: {users}")
}

/// Returns the protection space of all paths of a service, if it has users for all.
fn all_paths(service: &Service) -> Option<&ProtectionSpace> {
    let spaces = service.auth.iter().flat_map(|rules| &rules.spaces);
    spaces.into_iter().find(|space| space.path.is_everything())
}

/// Returns the clients of a service in words.
fn clients(service: &Service) -> String {
    match service.clients.as_slice() {
        [] if service.is_reverse() => "all".to_owned(),
        [] => "this machine only".to_owned(),
        ranges => {
            let others: Vec<String> = ranges.iter().map(|range| format!(", {range}")).collect();
            format!("this machine{}", others.concat())
        }
    }
}

/// Returns the line with a first command: a request to the URL `nearby` of a `reverse` proxy or of a
/// forward proxy, by a user who authenticates with one of `schemes`. If the rules deny by default, it is
/// the command that explains what they allow.
fn first_command(
    options: &Options,
    (reverse, schemes): (bool, Option<&[&str]>),
    nearby: &str,
    explain: Option<&str>,
) -> String {
    if !reverse && options.rules.denies && !options.rules.reports {
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
    if reverse {
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

/// Returns the line about a database of places.
fn places(database: &GeoDatabase) -> String {
    let built = date::format(database.built());
    format!("  geoip    {}: {}, built {built}", database.name(), database.kinds())
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

/// Returns the lines about the users of paths and of sites, each once. Users of all paths are shown only if
/// the listeners are `alike`: otherwise the line of each listener has them.
fn users(settings: &Settings, alike: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (_, service) in settings.all_services() {
        let common = service.auth.iter().flat_map(|rules| &rules.spaces);
        let shown = common.clone().filter(|space| alike || !space.path.is_everything());
        let mut found: Vec<String> = shown.map(|space| of_users(space, "")).collect();
        for (site, rules) in &service.site_auth {
            let sites = service.sites.iter().flat_map(|sites| sites.list());
            let hosts = sites.skip(*site).take(1).map(|site| format!(" of {site}"));
            let hosts = hosts.collect::<String>();
            let inherited: Vec<String> = common.clone().map(|space| of_users(space, "")).collect();
            let own = rules.spaces.iter();
            let own = own.filter(|space| !inherited.contains(&of_users(space, "")));
            found.extend(own.map(|space| of_users(space, &hosts)));
        }
        lines.extend(found.into_iter().filter(|line| !lines.contains(line)).collect::<Vec<_>>());
    }
    lines
}

/// Returns the line about the users of a path, of sites with these `hosts`.
fn of_users(space: &ProtectionSpace, hosts: &str) -> String {
    let path = if space.path.is_everything() { "all" } else { space.path.as_str() };
    format!("  users    {path}{hosts}: {}", accounts(space))
}

/// Returns the number of users of a space, and the schemes by which they authenticate.
fn accounts(space: &ProtectionSpace) -> String {
    let count = match space.accounts.users().len() {
        1 => "1 user".to_owned(),
        count => format!("{count} users"),
    };
    let schemes = space.schemes().join(" or ");
    format!("{count} in the realm '{}', by {schemes}", space.settings.realm)
}

/// Separates number and unit: `256MiB` becomes `256 MiB`.
fn spaced(size: &str) -> String {
    let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
    format!("{} {}", &size[..digits], &size[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AuthSettings, PathPrefix, Realm, Side, Users};
    use crate::config::OptionSpec;
    use crate::proxy::{AuthRules, ListenerSettings, ServiceId, Sites};
    use crate::reactor::Endpoint;

    fn rules(paths: &[&str]) -> AuthRules {
        let space = |path: &&str| {
            let mut users = Users::default();
            users.read("users", b"alice:$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.").unwrap();
            let settings = AuthSettings::new(Side::Origin, Realm::default());
            ProtectionSpace::new(path.parse::<PathPrefix>().unwrap(), settings, users)
        };
        AuthRules { spaces: paths.iter().map(space).collect(), ban: "20/1m".parse().unwrap() }
    }

    #[test]
    fn listeners_have_lines_of_their_own() {
        let mut settings = Settings::forward("gate");
        let sites = Sites::of_origin("http://h.test".parse().unwrap());
        let mut reverse = Service::reverse(sites);
        reverse.auth = Some(rules(&["/", "/a"]));
        reverse.site_auth.insert(0, rules(&["/", "/a", "/b"]));
        settings.services = vec![reverse];
        settings.service.clients = vec!["10.0.0.0/8".parse().unwrap()];
        let line = |kind, service, proxy_protocol| {
            let address = "127.0.0.1:80".parse().unwrap();
            let of = ListenerSettings { kind, service: ServiceId(service), proxy_protocol };
            listener(&Listening::at(Endpoint::Address(address), address, of), &settings)
        };
        assert_eq!(
            line(ListenerKind::Plain, 0, false),
            "  listener http://127.0.0.1:80: forward; clients: this machine, 10.0.0.0/8; users: none"
        );
        assert_eq!(
            line(ListenerKind::Tls, 1, true),
            "  listener https://127.0.0.1:80: reverse, TLS, PROXY headers; clients: all; users: 1 user \
             in the realm 'tidegate', by Basic"
        );
        let by = "1 user in the realm 'tidegate', by Basic";
        let paths = [format!("  users    /a: {by}"), format!("  users    /b of all others: {by}")];
        assert_eq!(users(&settings, false), paths);
        assert_eq!(users(&settings, true)[0], format!("  users    all: {by}"));
    }

    fn begun(given: &[(&str, &str)], schemes: Option<&[&str]>, explain: Option<&str>) -> String {
        let mut options = Options::default();
        for (name, text) in given {
            (OptionSpec::find(name).unwrap().set)(&mut options, text).unwrap();
        }
        let command = first_command(
            &options,
            (options.is_reverse(), schemes),
            "http://127.0.0.1:3128",
            explain,
        );
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
