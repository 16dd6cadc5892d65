//! Absolute URLs that a response mentions: in fields, and in the links of a page.

use std::net::IpAddr;

use crate::access::AddressClass;
use crate::http::Name;

use super::links::{Link, links};
use super::observations::Exchange;
use super::url::Url;

/// An absolute URL in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    pub(super) url: Url,
    /// The field or link that has the URL.
    pub(super) place: String,
    /// True for `<a href>`, whose URL may be a part of the text.
    pub(super) is_anchor: bool,
}

/// Returns the absolute URLs in the fields and links of a response.
pub(super) fn mentions(exchange: &Exchange) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut add = |reference: &str, place: String, is_anchor| {
        if is_absolute(reference)
            && let Some(url) = exchange.url.join(reference)
        {
            found.push(Mention { url, place, is_anchor });
        }
    };
    for (name, value) in fields(exchange) {
        for reference in references(name, &value) {
            add(reference, format!("{}: {reference}", name.as_str()), false);
        }
    }
    if is_page(exchange) {
        for link in links(&exchange.content) {
            let (element, attribute) = (&link.element, link.attribute);
            let place = format!("<{element} {attribute}=\"{}\">", link.reference);
            add(&link.reference, place, element == "a");
        }
    }
    found
}

/// Returns true if the content of a response is HTML that can be read.
pub(super) fn is_page(exchange: &Exchange) -> bool {
    let is_html = matches!(exchange.media_type().as_str(), "text/html" | "application/xhtml+xml");
    is_html && !exchange.is_coded()
}

/// Returns the lines of the fields that have URLs.
fn fields(exchange: &Exchange) -> Vec<(Name, String)> {
    let names = [Name::Location, Name::ContentLocation, Name::Link, Name::Refresh];
    let lines = names.into_iter().flat_map(|name| {
        exchange
            .fields()
            .all(name)
            .map(move |line| (name, String::from_utf8_lossy(line).into_owned()))
    });
    lines.collect()
}

/// Returns the references in the value of a field.
fn references(name: Name, value: &str) -> Vec<&str> {
    match name {
        // Each target of a list of links stands in angle brackets (RFC 8288 §3).
        Name::Link => {
            let targets = value.split('<').skip(1);
            targets.filter_map(|rest| Some(rest.split_once('>')?.0)).collect()
        }
        Name::Refresh => {
            let at = value.to_ascii_lowercase().find("url=");
            let quotes = [' ', '"', '\''];
            at.map(|at| value[at + 4..].trim_matches(quotes)).into_iter().collect()
        }
        _ => vec![value],
    }
}

fn is_absolute(reference: &str) -> bool {
    let start = reference.get(..8).unwrap_or(reference).to_ascii_lowercase();
    ["http://", "https://", "//"].into_iter().any(|scheme| start.starts_with(scheme))
}

/// Returns true if `url` names a host that clients of the site `public` cannot be expected to reach: the
/// `origin` of the site, or a host of a private network.
#[must_use]
pub fn is_internal(url: &Url, public: &Url, origin: Option<&Url>) -> bool {
    if is_same_server(url, public) {
        return false;
    }
    origin.is_some_and(|origin| is_same_server(url, origin))
        || (!url.has_host_of(public) && !is_private(public) && is_private(url))
}

/// Returns true if the text of a page has a link to another page of the site.
fn leads_on(exchange: &Exchange) -> bool {
    let is_to_site = |link: &Link| {
        let to = exchange.url.join(&link.reference);
        link.element == "a"
            && !link.reference.starts_with('#')
            && to.is_some_and(|to| to.has_host_of(&exchange.url))
    };
    is_page(exchange) && links(&exchange.content).iter().any(is_to_site)
}

fn is_same_server(url: &Url, other: &Url) -> bool {
    (url.host(), url.port()) == (other.host(), other.port())
}

/// Returns the URLs of a response that name internal hosts. In a page whose other links lead to the site, a
/// link of the text to the reader's own machine counts only if that is the origin.
pub(super) fn internal_mentions(exchange: &Exchange, origin: Option<&Url>) -> Vec<Mention> {
    let public = &exchange.url;
    let leads_on = leads_on(exchange);
    let counts = |mention: &Mention| {
        let url = &mention.url;
        let is_of_text = leads_on && mention.is_anchor && url.is_local();
        is_internal(url, public, origin)
            && (!is_of_text || origin.is_some_and(|it| is_same_server(url, it)))
    };
    mentions(exchange).into_iter().filter(counts).collect()
}

/// Domains that no public name server knows (RFC 6761, RFC 6762, RFC 8375), or that private networks use.
const PRIVATE_DOMAINS: &[&str] = &[
    ".localhost",
    ".local",
    ".internal",
    ".home.arpa",
    ".lan",
    ".corp",
    ".intranet",
    ".localdomain",
];

/// Returns true if the host is of a private network.
fn is_private(url: &Url) -> bool {
    let of_class = |address: IpAddr| {
        matches!(
            AddressClass::of(address),
            AddressClass::Loopback
                | AddressClass::Private
                | AddressClass::UniqueLocal
                | AddressClass::LinkLocal
                | AddressClass::Shared
                | AddressClass::Unspecified
        )
    };
    match url.address() {
        Some(address) => of_class(address),
        None => {
            let host = url.host().trim_end_matches('.');
            !host.contains('.') || PRIVATE_DOMAINS.iter().any(|domain| host.ends_with(domain))
        }
    }
}

/// Returns the URLs by which a response that was asked by `https` names its own host by `http`.
pub(super) fn plain_mentions(exchange: &Exchange) -> Vec<Mention> {
    let public = &exchange.url;
    let is_plain = |mention: &Mention| {
        let url = &mention.url;
        public.is_secure()
            && !url.is_secure()
            && url.has_host_of(public)
            && (url.port() == public.port() || url.port() == url.scheme().default_port())
    };
    mentions(exchange).into_iter().filter(is_plain).collect()
}

/// Returns true if a response shows that the origin does not know that clients use TLS, although it was
/// told.
#[must_use]
pub fn ignores_tls(answer: &Exchange) -> bool {
    let url = &answer.url;
    url.is_secure()
        && (answer.redirects_to().as_ref() == Some(url) || !plain_mentions(answer).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::exchange;

    #[test]
    fn urls_of_fields_and_links_are_found() {
        let page = exchange(
            "https://shop.example/a",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nLink: <http://a.example/x>; rel=next, </y>\r\n\
             Refresh: 5; url=http://b.example/\r\nContent-Location: /z\r\n\r\n\
             <a href='//c.example/'>c</a><a href=/d>d</a><form action=http://shop.example/e>",
        );
        let urls: Vec<_> = mentions(&page).iter().map(|it| it.url.to_string()).collect();
        let expected = [
            "http://a.example/x",
            "http://b.example/",
            "https://c.example/",
            "http://shop.example/e",
        ];
        assert_eq!(urls, expected);
        let plain = plain_mentions(&page);
        assert_eq!(plain[0].place, "<form action=\"http://shop.example/e\">");
        assert_eq!(plain.len(), 1);
    }

    #[test]
    fn links_of_the_text_may_name_the_machine_of_the_reader() {
        let hosts = |html: &str, origin: Option<&str>| -> Vec<String> {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
            let page = exchange("https://shop.example/", &[head, html].concat());
            let origin = origin.map(|origin| Url::parse(origin).unwrap());
            let found = internal_mentions(&page, origin.as_ref()).into_iter();
            found.map(|mention| mention.url.host().to_owned()).collect()
        };
        let generated = "<a href=http://localhost:3000/>try</a><a href=http://app.internal/>x</a>";
        let text = format!("<a href=/next>next</a>{generated}");
        let both = ["localhost", "app.internal"];
        assert_eq!(hosts(generated, None), both);
        assert_eq!(hosts(&text, None), ["app.internal"]);
        assert_eq!(hosts(&text, Some("http://localhost:9000/")), ["app.internal"]);
        assert_eq!(hosts(&text, Some("http://localhost:3000/")), both);
    }

    #[test]
    fn internal_hosts_are_those_of_the_origin_and_of_private_networks() {
        let judge = |url: &str, public: &str, origin: Option<&str>| {
            let origin = origin.map(|origin| Url::parse(origin).unwrap());
            is_internal(&Url::parse(url).unwrap(), &Url::parse(public).unwrap(), origin.as_ref())
        };
        let public = "https://shop.example/";
        for (url, expected) in [
            ("http://app:9000/", true),
            ("http://10.0.0.1/", true),
            ("http://app.internal/", true),
            ("http://[fd00::1]/", true),
            ("http://localhost:3000/", true),
            ("https://other.example/", false),
            ("https://shop.example:8443/", false),
            ("http://192.0.2.1/", false),
        ] {
            assert_eq!(judge(url, public, None), expected, "{url}");
        }
        let origin = Some("http://shop.example:9000/");
        assert!(judge("http://shop.example:9000/x", public, origin));
        assert!(!judge("http://app/", "http://localhost/", None));
        assert!(judge("http://127.0.0.1:2/", "http://127.0.0.1:1/", Some("http://127.0.0.1:2/")));
    }
}
