//! Options for TLS, towards clients and towards origins.

use crate::config::options::Options;
use crate::tls::ClientAuth;

use super::spec::{OptionSpec, flag, many, one};
use super::value::{either, named, on_or_off, one_of, path, paths, push, switch, texts, unit};

fn client_auth(options: &Options) -> bool {
    options.tls.client_auth == ClientAuth::Required
}

pub(super) const TLS: &[OptionSpec] = &[
    many(one(
        "listen-tls",
        "ADDR:PORT",
        "Address to listen on for TLS (https://); needs a certificate [default: none]",
        |o, text| push(&mut o.tls.listen, text, "ADDR:PORT, such as 127.0.0.1:8443 or [::]:443"),
        |o| texts(&o.tls.listen),
    )),
    many(one(
        "http-redirect",
        "ADDR:PORT",
        "Address to listen on for plain requests, which are redirected to https:// [default: none]",
        |o, text| push(&mut o.tls.redirect, text, "ADDR:PORT, such as 127.0.0.1:8080 or [::]:80"),
        |o| texts(&o.tls.redirect),
    )),
    many(one(
        "tls-cert",
        "FILE",
        "Certificate and its chain (PEM) for TLS listeners; clients get the one for the name that \
         they ask for, otherwise the first. Read again when the file changes [default: none]",
        |o, text| path(text).map(|path| o.tls.certificates.push(path)),
        |o| paths(&o.tls.certificates),
    )),
    many(one(
        "tls-key",
        "FILE",
        "Key (PEM) of the certificate at the same place among --tls-cert [default: in the file of the \
         certificate]",
        |o, text| path(text).map(|path| o.tls.keys.push(path)),
        |o| paths(&o.tls.keys),
    )),
    flag(
        "tls-strict-sni",
        "Refuse clients that ask for a name for which there is no certificate, or for none [default: \
         off]",
        |o, text| switch(text).map(|on| o.tls.strict_sni = on),
        |o| on_or_off(o.tls.strict_sni),
    ),
    many(one(
        "client-ca",
        "FILE",
        "Authorities (PEM) that issue certificates of clients; with any, clients of TLS listeners are \
         asked for one [default: none]",
        |o, text| path(text).map(|path| o.tls.client_authorities.push(path)),
        |o| paths(&o.tls.client_authorities),
    )),
    one(
        "client-cert",
        "optional|required",
        "Whether clients of TLS listeners need a certificate (only with --client-ca) [default: \
         required]",
        |o, text| {
            let auth =
                |required| if required { ClientAuth::Required } else { ClientAuth::Optional };
            either(text, ["optional", "required"])
                .map(|required| o.tls.client_auth = auth(required))
        },
        |o| one_of(["optional", "required"], client_auth(o)),
    ),
    one(
        "hsts",
        "TIME",
        "Tell browsers to use https:// alone for this time, by Strict-Transport-Security (with --to, on \
         TLS listeners) [default: no such field]",
        |o, text| unit(text).map(|time| o.tls.hsts = Some(time)),
        |o| o.tls.hsts.iter().map(crate::units::Unit::write).collect(),
    ),
    many(one(
        "origin-ca",
        "FILE",
        "Authorities (PEM) that may issue certificates of origins, besides those of the system \
         [default: none]",
        |o, text| path(text).map(|path| o.tls.origin_authorities.push(path)),
        |o| paths(&o.tls.origin_authorities),
    )),
    one(
        "origin-cert",
        "FILE",
        "Certificate and its chain (PEM) to present to origins that ask for one [default: none]",
        |o, text| path(text).map(|path| o.tls.origin_certificate = Some(path)),
        |o| paths(o.tls.origin_certificate.as_slice()),
    ),
    one(
        "origin-key",
        "FILE",
        "Key (PEM) of --origin-cert [default: in the file of the certificate]",
        |o, text| path(text).map(|path| o.tls.origin_key = Some(path)),
        |o| paths(o.tls.origin_key.as_slice()),
    ),
    many(one(
        "origin-insecure",
        "HOST",
        "Do not verify the certificate of this origin: an attacker on the path can read and change what \
         is exchanged with it [default: none]",
        |o, text| o.tls.exempt(text),
        |o| o.tls.unverified.iter().cloned().collect(),
    )),
    one(
        "origin-sni",
        "NAME",
        "Name to ask origins for and to verify their certificates against, in place of the URL's host \
         [default: the host]",
        |o, text| named(&mut o.tls.origin_name, text, "a host name"),
        |o| o.tls.origin_name.iter().cloned().collect(),
    ),
];
