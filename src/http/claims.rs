//! Fields by which proxies report the client and the original request. Clients can forge them.

use crate::work;

use super::method::Method;

/// Fields that origins, or their libraries, are known to trust for the client's address, the host,
/// the scheme or the target of the request. All names that begin with `X-Forwarded` belong to them,
/// too.
const CLAIMS: &[&[u8]] = &[
    b"ali-cdn-real-ip",
    b"cdn-src-ip",
    b"cf-connecting-ip",
    b"cf-connecting-ipv6",
    b"client-cert",
    b"client-cert-chain",
    b"client-ip",
    b"cluster-client-ip",
    b"do-connecting-ip",
    b"fastly-client-ip",
    b"fly-client-ip",
    b"forwarded",
    b"forwarded-for",
    b"forwarded-for-ip",
    b"front-end-https",
    b"http-client-ip",
    b"proxy-client-ip",
    b"true-client-ip",
    b"ssl-client-cert",
    b"ssl-client-s-dn",
    b"ssl-client-subject-dn",
    b"ssl-client-verify",
    b"wl-proxy-client-cert",
    b"wl-proxy-client-ip",
    b"x-appengine-user-ip",
    b"x-arr-ssl",
    b"x-azure-clientip",
    b"x-client-cert",
    b"x-client-cert-subject",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-envoy-external-address",
    b"x-envoy-original-path",
    b"x-forward-for",
    b"x-host",
    b"x-http-host-override",
    b"x-original-forwarded-for",
    b"x-original-host",
    b"x-original-uri",
    b"x-original-url",
    b"x-originating-ip",
    b"x-override-url",
    b"x-proxyuser-ip",
    b"x-real-ip",
    b"x-remote-addr",
    b"x-remote-ip",
    b"x-rewrite-url",
    b"x-scheme",
    b"x-script-name",
    b"x-ssl-cert",
    b"x-ssl-client-cert",
    b"x-ssl-client-dn",
    b"x-ssl-client-s-dn",
    b"x-ssl-client-subject-dn",
    b"x-ssl-client-verify",
    b"x-url-scheme",
];

/// Fields with the certificate of the client (RFC 9440) or its subject, as this proxy writes them.
const CERTIFICATE: &[&[u8]] = &[b"client-cert", b"client-cert-chain", b"x-client-cert-subject"];

/// Claims that hold a target of the request, or a part of it.
const TARGETS: &[&[u8]] = &[
    b"x-envoy-original-path",
    b"x-original-uri",
    b"x-original-url",
    b"x-override-url",
    b"x-rewrite-url",
    b"x-script-name",
];

/// Fields that override the method of the request.
const METHODS: &[&[u8]] = &[b"x-http-method", b"x-http-method-override", b"x-method-override"];

/// Fields that frame or route a message.
const FRAMING: &[&[u8]] = &[
    b"content-length",
    b"transfer-encoding",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authorization",
];

/// Returns true if a field of this name claims who the client is, or what it requested.
#[must_use]
pub fn is_claim(name: &[u8]) -> bool {
    is_claim_as(name, |a, b| a.eq_ignore_ascii_case(&b))
}

/// Returns true if a field of this name tells the certificate of the client.
#[must_use]
pub fn is_of_certificate(name: &[u8]) -> bool {
    CERTIFICATE.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Returns true if a field of this name makes a claim in a request with `method`: who the client is,
/// what it requested or, where content is retrieved, by which other method.
#[must_use]
pub fn is_request_claim(name: &[u8], method: Method) -> bool {
    let retrieves = matches!(method, Method::Get | Method::Head);
    is_claim(name) || (retrieves && overrides_method(name))
}

/// Returns true if a program behind the origin would mistake a field of this name for another one.
#[must_use]
pub fn is_deceptive(name: &[u8]) -> bool {
    is_httpoxy(name) || is_lookalike(name)
}

/// Returns true if a field of this name overrides the method of the request.
fn overrides_method(name: &[u8]) -> bool {
    is_among(METHODS, name, |a, b| a.eq_ignore_ascii_case(&b))
}

/// Returns true if some origins use a field of this name, in any spelling, as the target of the
/// request or a part of it.
#[must_use]
pub fn is_other_target(name: &[u8]) -> bool {
    is_among(TARGETS, name, looks_alike)
}

/// Returns true if a program behind CGI or WSGI would mistake this name for a field that frames or
/// routes the message, for a claim, or for a method override. Such programs do not distinguish `-`
/// from other punctuation in names.
#[must_use]
pub fn is_lookalike(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    !name.iter().all(plain)
        && (is_among(FRAMING, name, looks_alike)
            || is_among(METHODS, name, looks_alike)
            || is_claim_as(name, looks_alike))
}

/// Returns true if a program behind CGI or WSGI may mistake `name` for `known`.
#[must_use]
pub fn is_mistaken_for(name: &[u8], known: &[u8]) -> bool {
    is(known, name, looks_alike)
}

/// Returns true if a field of this name becomes the CGI variable that libraries use as the
/// operator's proxy (httpoxy).
const fn is_httpoxy(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"proxy")
}

fn is_claim_as(name: &[u8], same: fn(u8, u8) -> bool) -> bool {
    const PREFIX: &[u8] = b"x-forwarded";
    let begins = name.len() >= PREFIX.len() && is(PREFIX, &name[..PREFIX.len()], same);
    let ends = name.get(PREFIX.len()).is_none_or(|&byte| same(byte, b'-'));
    (begins && ends) || is_among(CLAIMS, name, same)
}

fn is_among(names: &[&[u8]], name: &[u8], same: fn(u8, u8) -> bool) -> bool {
    work::count(names.len());
    names.iter().any(|known| is(known, name, same))
}

fn is(known: &[u8], name: &[u8], same: fn(u8, u8) -> bool) -> bool {
    known.len() == name.len() && name.iter().zip(known).all(|(&a, &b)| same(a, b))
}

/// Returns true if `byte` of a name may be mistaken for `known`.
const fn looks_alike(byte: u8, known: u8) -> bool {
    byte.eq_ignore_ascii_case(&known) || (known == b'-' && !byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_about_certificates_are_claims() {
        for name in CERTIFICATE {
            assert!(is_claim(name) && is_of_certificate(&name.to_ascii_uppercase()));
        }
        for name in [&b"client_cert"[..], b"X-SSL.Client-Verify"] {
            assert!(is_lookalike(name), "{name:?}");
        }
        assert!(!is_of_certificate(b"client-ip"));
    }

    #[test]
    fn claims_match_in_any_case() {
        for name in [
            "X-Forwarded-For",
            "x-forwarded-anything",
            "X-FORWARDED",
            "Forwarded",
            "X-Real-IP",
            "True-Client-IP",
            "X-Original-URL",
            "X-Host",
            "Front-End-Https",
            "X-Original-Forwarded-For",
        ] {
            assert!(is_claim(name.as_bytes()) && !is_lookalike(name.as_bytes()), "{name}");
        }
        for name in ["X-Forwardedly", "X-Forward", "Host", "X-Real-IPs", "X_Real_IP", "X-Custom"] {
            assert!(!is_claim(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn lookalikes_replace_a_hyphen() {
        for name in [
            "X_Forwarded_For",
            "X-Forwarded_Port",
            "x.real.ip",
            "Content_Length",
            "X_FORWARDED",
            "Transfer!Encoding",
            "X_HTTP_Method_Override",
        ] {
            assert!(is_lookalike(name.as_bytes()), "{name}");
        }
        for name in ["Content-Length", "X_Custom", "X_Forwardedly", "Forwarded", "Content__Length"]
        {
            assert!(!is_lookalike(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn other_targets_match_in_any_spelling() {
        for name in ["X-Original-URL", "x-rewrite_url", "X_Original_Uri", "X-Script-Name"] {
            assert!(is_other_target(name.as_bytes()), "{name}");
        }
        for name in ["X-Original-Host", "X-Rewrite-URLs"] {
            assert!(!is_other_target(name.as_bytes()), "{name}");
        }
    }
}
