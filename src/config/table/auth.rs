//! Options for authentication.

use std::time::Duration;

use crate::config::schemes::Schemes;
use crate::units::Unit;

use super::spec::{OptionSpec, flag, many, one};
use super::value::{on_or_off, push, switch, texts, unit};

pub(super) const AUTH: &[OptionSpec] = &[
    many(one(
        "users",
        "FILE",
        "Serve only the users in this file, made with 'htpasswd' or 'htdigest'; it is read again on \
         reload [default: no authentication]",
        |o, text| push(&mut o.auth.files, text, "a file"),
        |o| texts(&o.auth.files),
    )),
    one(
        "auth",
        "SCHEMES",
        "Authentication schemes to offer: basic, digest or basic,digest [default: those that the \
         user files support]",
        |o, text| text.parse().map(|schemes| o.auth.schemes = Some(schemes)),
        |o| o.auth.schemes.iter().map(Schemes::to_string).collect(),
    ),
    one(
        "realm",
        "TEXT",
        "Realm that browsers show when they ask for the password; 'htdigest' writes it into its \
         lines [default: tidegate]",
        |o, text| text.parse().map(|realm| o.auth.realm = realm),
        |o| vec![o.auth.realm.to_string()],
    ),
    many(one(
        "protect",
        "RULE",
        "Serve a path only to its own users (only with --to): PATH [realm=TEXT] [users=FILE] \
         [auth=SCHEMES]; the longest path that matches applies, and --realm, --users and --auth \
         apply to what the rule leaves out",
        |o, text| text.parse().map(|rule| o.auth.protect.push(rule)),
        |o| texts(&o.auth.protect),
    )),
    flag(
        "userhash",
        "Let Digest clients hash user names (RFC 7616 §3.4.4) [default: off]",
        |o, text| switch(text).map(|on| o.auth.userhash = on),
        |o| on_or_off(o.auth.userhash),
    ),
    one(
        "nonce-lifetime",
        "TIME",
        "Time for which the nonce of a Digest challenge is valid [default: 5m]",
        |o, text| {
            let lifetime: Duration = unit(text)?;
            if lifetime.is_zero() {
                return Err("the nonce would expire at once; give more than 0s".into());
            }
            o.auth.nonce_lifetime = lifetime;
            Ok(())
        },
        |o| vec![o.auth.nonce_lifetime.write()],
    ),
    one(
        "auth-ban",
        "N/TIME|off",
        "Refuse a client for TIME after N failed authentications within TIME [default: 20/1m]",
        |o, text| text.parse().map(|ban| o.auth.ban = ban),
        |o| vec![o.auth.ban.to_string()],
    ),
];
