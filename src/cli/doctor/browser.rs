//! Request fields of a browser.

use crate::doctor::{Jar, Url};

/// A field line.
pub(super) type Line = (&'static str, String);

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const OTHER_AGENT: &str = "Mozilla/5.0 (Linux; Android 14; Mobile) AppleWebKit/537.36 (KHTML, like Gecko) \
                           Chrome/140.0.0.0 Mobile Safari/537.36";
const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Returns the fields of a request for a page, with the cookies that a browser has for it.
pub(super) fn fields(url: &Url, jar: &Jar) -> Vec<Line> {
    let mut fields = vec![
        ("Host", url.authority()),
        ("User-Agent", AGENT.to_owned()),
        ("Accept", PAGE.to_owned()),
        ("Accept-Language", "en-US,en;q=0.5".to_owned()),
        ("Accept-Encoding", "gzip, br, zstd".to_owned()),
    ];
    fields.extend(jar.header(url).map(|cookies| ("Cookie", cookies)));
    fields
}

/// Returns the fields with another value of one of them.
pub(super) fn with(
    mut fields: Vec<Line>,
    name: &'static str,
    value: impl Into<String>,
) -> Vec<Line> {
    fields.retain(|(other, _)| *other != name);
    fields.push((name, value.into()));
    fields
}

/// Returns the fields of another browser.
pub(super) fn of_other_agent(fields: Vec<Line>) -> Vec<Line> {
    with(fields, "User-Agent", OTHER_AGENT)
}

/// Returns the fields by which a proxy reports a client of `public`.
pub(super) fn report(public: &Url) -> Vec<Line> {
    let (scheme, authority) = (public.scheme(), public.authority());
    vec![
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
        ("X-Forwarded-Proto", scheme.to_string()),
        ("X-Forwarded-Host", authority.clone()),
        ("X-Forwarded-Port", public.port().to_string()),
        ("Forwarded", format!("for=127.0.0.1;host=\"{authority}\";proto={scheme}")),
    ]
}
