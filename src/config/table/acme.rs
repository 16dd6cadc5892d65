//! Options for certificates that the proxy obtains itself.

use crate::acme::{ChallengeKind, Identifier, MOST_IDENTIFIERS};
use crate::proxy::AcmeSettings;

use super::spec::{OptionSpec, many, one};
use super::value::named;

pub(super) const ACME: &[OptionSpec] = &[
    many(one(
        "acme",
        "HOST[,HOST…]",
        "Obtain one certificate for these names and addresses from a CA, renew it and serve it on the \
         TLS listeners; agrees to the CA's terms of service [default: none]",
        |o, text| {
            let hosts: Result<Vec<_>, _> = text.split(',').map(Identifier::parse).collect();
            let hosts = hosts.map_err(|error| error.to_string())?;
            if hosts.len() > MOST_IDENTIFIERS {
                return Err(format!("a certificate has at most {MOST_IDENTIFIERS} names"));
            }
            o.acme.certificates.push(hosts);
            Ok(())
        },
        |o| {
            let joined = |hosts: &Vec<Identifier>| {
                hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            o.acme.certificates.iter().map(joined).collect()
        },
    )),
    many(one(
        "acme-directory",
        "URL",
        "Directory of the CA (RFC 8555); later ones are asked when those before have failed twice \
         [default: none]",
        |o, text| {
            AcmeSettings::check_directory(text).map(|()| o.acme.directories.push(text.to_owned()))
        },
        |o| o.acme.directories.clone(),
    )),
    one(
        "acme-staging",
        "URL",
        "Directory at which a first certificate is tried out before the CA is asked [default: none]",
        |o, text| {
            AcmeSettings::check_directory(text).map(|()| o.acme.staging = Some(text.to_owned()))
        },
        |o| o.acme.staging.iter().cloned().collect(),
    ),
    many(one(
        "acme-email",
        "ADDRESS",
        "Address at which the CA may reach the operator [default: none]",
        |o, text| {
            named(&mut None, text, "an address").map(|()| o.acme.emails.push(text.to_owned()))
        },
        |o| o.acme.emails.clone(),
    )),
    one(
        "acme-dir",
        "PATH",
        "Folder for accounts, keys and certificates; for one process at a time [default: none]",
        |o, text| match text {
            "" => Err("expected a folder".to_owned()),
            path => {
                o.acme.folder = Some(path.into());
                Ok(())
            }
        },
        |o| o.acme.folder.iter().map(|path| path.display().to_string()).collect(),
    ),
    one(
        "acme-challenge",
        "KIND",
        "Challenge to prefer: http-01, which the CA asks at port 80, or tls-alpn-01, at port 443 \
         [default: http-01 if there is a listener for plain HTTP]",
        |o, text| match ChallengeKind::parse(text) {
            Some(kind) => {
                o.acme.challenge = Some(kind);
                Ok(())
            }
            None => Err(format!("'{text}' is neither http-01 nor tls-alpn-01")),
        },
        |o| o.acme.challenge.iter().map(ToString::to_string).collect(),
    ),
    one(
        "acme-profile",
        "NAME",
        "Profile of the certificates at the CA [default: the CA's own]",
        |o, text| named(&mut o.acme.profile, text, "a name"),
        |o| o.acme.profile.iter().cloned().collect(),
    ),
    one(
        "acme-eab",
        "FILE",
        "File with the key identifier and the key (base64url), in one line, of the account that the \
         operator has at the CA (external account binding) [default: none]",
        |o, text| match text {
            "" => Err("expected a file".to_owned()),
            path => {
                o.acme.external = Some(path.into());
                Ok(())
            }
        },
        |o| o.acme.external.iter().map(|path| path.display().to_string()).collect(),
    ),
];
