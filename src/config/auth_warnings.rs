//! Warnings about passwords that others can read, and about users who cannot answer the challenges that
//! are offered. The user is not known before a challenge is made, so all clients are offered the same, and
//! the operator has to be told.

use std::net::SocketAddr;

use crate::auth::digest::Algorithm;
use crate::auth::{AuthSettings, Realm};
use crate::proxy::{ProtectionSpace, Service, ServiceId, Settings};

/// Most users named in one line.
const NAMED: usize = 5;

/// Returns warnings for the operator about the users of all listeners and sites, a line each. `in_clear` has
/// the addresses at which requests are served without TLS, and the services there.
#[must_use]
pub fn auth_warnings(settings: &Settings, in_clear: &[(ServiceId, SocketAddr)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, service) in settings.all_services() {
        let addresses = in_clear.iter().filter(|(of, _)| *of == id).map(|(_, address)| address);
        lines.extend(of_basic(service, addresses));
    }
    let services = settings.all_services().map(|(_, service)| service);
    for line in services.flat_map(spaces).flat_map(warnings) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Returns a warning if a service offers Basic at an address that other machines reach: without TLS, every
/// host on the path can read the password.
fn of_basic<'a>(
    service: &Service,
    mut addresses: impl Iterator<Item = &'a SocketAddr>,
) -> Option<String> {
    let offers_basic = spaces(service).any(|space| space.settings.basic);
    let beyond = addresses.find(|address| !address.ip().is_loopback());
    beyond.filter(|_| offers_basic).map(|address| {
        format!(
            "warning: Basic sends passwords unencrypted to {address}, which other machines can reach; \
             --auth digest does not"
        )
    })
}

/// Returns the protection spaces of a service and of its sites.
fn spaces(service: &Service) -> impl Iterator<Item = &ProtectionSpace> {
    service.all_auth().flat_map(|(_, rules)| &rules.spaces)
}

/// Returns warnings that name the users who cannot answer the challenges, and say what to do.
fn warnings(space: &ProtectionSpace) -> Vec<String> {
    let (path, users) = (&space.path, space.accounts.users());
    let AuthSettings { basic, digest, realm, .. } = &space.settings;
    let offers_digest = *digest && !users.algorithms(realm).is_empty();
    let mut lines = Vec::new();
    if let Some(who) = named(users.without_digest(realm)).filter(|_| offers_digest) {
        let add = add_digest(realm);
        lines.push(match basic {
            true => format!(
                "{who} no line for Digest, which clients prefer to Basic; {add} makes one, or set \
                 --auth basic"
            ),
            false => {
                format!("{who} no line for Digest, and nothing else is offered; {add} makes one")
            }
        });
    }
    if let Some(why) = nothing_for_all(space).filter(|_| *digest) {
        lines.push(format!("Digest is not offered: {why}"));
    }
    if let Some(who) = named(users.without_basic(realm)).filter(|_| *basic && !offers_digest) {
        lines.push(format!(
            "{who} no line for Basic in the realm '{realm}'; 'tidegate users add' makes one"
        ));
    }
    let place = if path.is_everything() { String::new() } else { format!("{path}: ") };
    lines.into_iter().map(|line| format!("warning: {place}{line}")).collect()
}

/// Returns the users without an entry for each algorithm, if there are Digest entries but no
/// algorithm for which every Digest user has one.
pub(super) fn nothing_for_all(space: &ProtectionSpace) -> Option<String> {
    let (users, realm) = (space.accounts.users(), &space.settings.realm);
    if users.without_digest(realm).count() == users.len() || !users.algorithms(realm).is_empty() {
        return None;
    }
    let lack = |of: &Algorithm| {
        let who = named(users.without(realm, *of))?;
        Some(format!("{who} no line for {}", of.name()))
    };
    let lacks: Vec<String> = Algorithm::ALL.iter().filter_map(lack).collect();
    Some(format!("{}; {} makes both", lacks.join(", "), add_digest(realm)))
}

fn add_digest(realm: &Realm) -> String {
    match realm.as_str() {
        Realm::DEFAULT => "'tidegate users add --digest'".into(),
        realm => format!("'tidegate users add --digest --realm \"{realm}\"'"),
    }
}

/// Returns the first of `names` and the verb for them; `None` if there are no names.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len() {
        0 => None,
        1 => Some(format!("{shown} has")),
        count if count > NAMED => Some(format!("{shown} and {} more have", count - NAMED)),
        _ => Some(format!("{shown} have")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{PathPrefix, Side, Users};
    use crate::proxy::AuthRules;

    const HASH: &str = "$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.";

    fn warned(lines: &[&str], basic: bool, digest: bool, path: &str) -> Vec<String> {
        let (md5, sha256) = ("0".repeat(32), "0".repeat(64));
        let text = lines.join("\n").replace("HASH", HASH);
        let text = text.replace("MD5", &md5).replace("SHA256", &sha256);
        let mut users = Users::default();
        users.read("users", text.as_bytes()).unwrap();
        let settings = AuthSettings::new(Side::Origin, Realm::default());
        let settings = AuthSettings { basic, digest, ..settings };
        let path = path.parse::<PathPrefix>().unwrap();
        warnings(&ProtectionSpace::new(path, settings, users))
    }

    fn rules(basic: bool) -> AuthRules {
        let mut users = Users::default();
        users.read("users", format!("alice:{HASH}").as_bytes()).unwrap();
        let settings = AuthSettings::new(Side::Origin, Realm::default());
        let settings = AuthSettings { basic, digest: !basic, ..settings };
        let space = ProtectionSpace::new(PathPrefix::everything(), settings, users);
        AuthRules { spaces: vec![space], ban: "20/1m".parse().unwrap() }
    }

    #[test]
    fn basic_on_a_reachable_listener_causes_a_warning() {
        let warns = |settings: &Settings, service, address: &str| {
            let in_clear = [(ServiceId(service), address.parse().unwrap())];
            let lines = auth_warnings(settings, &in_clear);
            lines.iter().any(|line| line.starts_with("warning: Basic"))
        };
        let mut settings = Settings::forward("gate");
        settings.services = vec![Service { auth: Some(rules(true)), ..Service::default() }];
        assert!(warns(&settings, 1, "192.0.2.1:80"));
        assert!(!warns(&settings, 1, "[::1]:80"));
        assert!(!warns(&settings, 0, "192.0.2.1:80"), "other listeners have no users");
        settings.services[0].auth = Some(rules(false));
        assert!(!warns(&settings, 1, "192.0.2.1:80"));
        settings.services[0].site_auth.insert(0, rules(true));
        assert!(warns(&settings, 1, "192.0.2.1:80"), "users of a site");
    }

    #[test]
    fn users_who_cannot_answer_are_named() {
        let all = ["jürgen:HASH", "alice:tidegate:MD5", "alice:tidegate:SHA256"];
        assert_eq!(
            warned(&all, true, true, "/"),
            [
                "warning: jürgen has no line for Digest, which clients prefer to Basic; 'tidegate users \
              add --digest' makes one, or set --auth basic"
            ]
        );
        assert_eq!(
            warned(&all, false, true, "/staff/"),
            [
                "warning: /staff/: jürgen has no line for Digest, and nothing else is offered; 'tidegate \
              users add --digest' makes one"
            ]
        );
        assert!(warned(&all, true, false, "/").is_empty());
        assert!(warned(&all[..1], true, true, "/").is_empty(), "Digest is not offered");
        assert!(warned(&all[1..], true, true, "/").is_empty());
        let elsewhere = warned(&["a:HASH", "b:other:MD5"], true, true, "/");
        assert!(elsewhere[0].contains(": b has no line for Basic in"), "{elsewhere:?}");
    }

    #[test]
    fn only_the_first_of_many_users_are_named() {
        let many: Vec<String> = (0..7).map(|i| format!("u{i}:HASH")).collect();
        let mut lines: Vec<&str> = many.iter().map(String::as_str).collect();
        lines.push("alice:tidegate:MD5");
        let warned = warned(&lines, true, true, "/");
        assert!(warned[0].contains("u0, u1, u2, u3, u4 and 2 more have no line"), "{warned:?}");
    }

    #[test]
    fn missing_common_algorithm_causes_a_warning() {
        let warned = warned(&["a:tidegate:MD5", "b:tidegate:SHA256", "c:HASH"], true, true, "/");
        assert_eq!(
            warned,
            ["warning: Digest is not offered: a has no line for SHA-256, b has no line for MD5; \
              'tidegate users add --digest' makes both"]
        );
    }
}
