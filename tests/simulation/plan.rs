//! The origin's responses: they follow from seed and path, so that client and origin agree.

use std::collections::BTreeSet;

use tidegate::http::RequestHead;
use tidegate::reactor::sim::Rng;

/// The resources of the origin, and the contents that it has ended itself.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    pub(crate) plans: Vec<Plan>,
    /// Paths with the lengths at which a `close_notify` has ended a response without a length.
    declared: BTreeSet<(String, usize)>,
    /// Identifiers of the requests with POST that have arrived.
    posted: BTreeSet<Vec<u8>>,
    /// The proxy is a reverse proxy.
    pub(crate) are_of_site: bool,
    /// An application answers for them.
    pub(crate) are_of_application: bool,
}

impl Resources {
    /// Draws resources, of which `secure` percent are fetched over TLS.
    pub(crate) fn draw(secure: u32, are_of_site: bool, rng: &mut Rng) -> Self {
        let plans = (0..6).map(|number| Plan::draw(number, secure, rng)).collect();
        Self { plans, are_of_site, ..Self::default() }
    }

    /// Asserts that a request with POST arrives at the origins for the first time.
    pub(crate) fn note_post(&mut self, request: &RequestHead) {
        let id = request.fields().all_named(b"X-Id").next().expect("a POST without X-Id");
        assert!(self.posted.insert(id.to_vec()), "a POST has arrived twice");
    }

    /// Records that `close_notify` ends a response of `plan` after this much content.
    pub(crate) fn declare(&mut self, path: &str, length: usize) {
        self.declared.insert((path.to_owned(), length));
    }

    /// Returns the lengths of whole contents of `plan`.
    pub(crate) fn lengths(&self, plan: &Plan) -> Vec<usize> {
        if !plan.ends_by_alert() {
            return vec![plan.length];
        }
        let declared = self.declared.iter().filter(|(path, _)| *path == plan.path);
        declared.map(|&(_, length)| length).collect()
    }
}

/// A resource of the simulated origin.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) path: String,
    pub(crate) length: usize,
    pub(crate) framing: Framing,
    pub(crate) caching: Caching,
    /// The resource is fetched over TLS.
    pub(crate) is_secure: bool,
    /// All contents without a length end without `close_notify`, which makes them truncated.
    pub(crate) is_truncated: bool,
    /// The content depends on the request's X-Kind.
    pub(crate) varies: bool,
    /// The entity tags differ by kind. An origin whose tags differ by coding but not by kind
    /// violates RFC 9110 §8.8.1 in a way that no cache can notice.
    tells_apart: bool,
    salt: u64,
    /// Content codings available beside identity, the preferred first.
    codings: &'static [&'static str],
    /// Contents by the length of the kind, and by coding.
    contents: Vec<[Vec<u8>; CODINGS.len()]>,
}

/// Content codings. The content differs in each, though none is really encoded.
pub(crate) const CODINGS: [&str; 3] = ["identity", "gzip", "br"];

/// Values of Accept-Encoding; the empty one stands for no field.
pub(crate) const ACCEPTS: [&str; 6] =
    ["", "gzip", "gzip, br", "br;q=0.5,GZIP", "br, gzip;q=0.2", "gzip, *;q=0.1"];

/// Returns the weight of a coding in hundredths; identity has the least by default.
pub(crate) fn weight(accept: &str, coding: &str) -> u32 {
    let weighed = accept.split(',').map(|element| {
        let (name, weight) = element.trim().split_once(";q=").unwrap_or((element.trim(), "1"));
        let tenths = if weight == "1" { 10 } else { weight[2..].parse().unwrap() };
        (name.to_ascii_lowercase(), tenths)
    });
    let of = |wanted: &str| weighed.clone().find(|(name, _)| name == wanted).map(|(_, w)| w * 10);
    of(coding).or(of("*")).unwrap_or(u32::from(coding == "identity"))
}

/// Returns the scheme and the authority of the origin, with or without TLS.
pub(crate) const fn authority(is_secure: bool) -> (&'static str, &'static str) {
    if is_secure { ("https", "o.test:8443") } else { ("http", "o.test") }
}

/// Values of X-Kind.
pub(crate) const KINDS: [&str; 3] = ["", "b", "cc"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caching {
    Fresh,
    /// Stale at once, with an entity tag.
    Validated,
    /// Must be validated for each request (no-cache).
    Each,
    NoStore,
    Private,
    Silent,
}

impl Plan {
    fn draw(number: usize, secure: u32, rng: &mut Rng) -> Self {
        let lengths = [0, 1, 100, 1024, 5000, 20_000, 70_000, 200_000];
        let cachings = [
            Caching::Fresh,
            Caching::Fresh,
            Caching::Validated,
            Caching::Each,
            Caching::NoStore,
            Caching::Private,
            Caching::Silent,
        ];
        let (length, varies, salt) = (*rng.pick(&lengths), rng.percent(20), rng.next());
        let codings: [&[&str]; 4] = [&[], &[], &["gzip"], &["br", "gzip"]];
        let codings = codings[rng.below(codings.len())];
        let coded = |salt: u64| [0, 100, 200].map(|coding| content(length, salt ^ coding));
        Self {
            path: format!("/p{number}"),
            length,
            framing: *rng.pick(&[
                Framing::Length,
                Framing::Length,
                Framing::Chunked,
                Framing::Close,
            ]),
            caching: *rng.pick(&cachings),
            is_secure: rng.percent(secure),
            is_truncated: rng.percent(25),
            varies,
            tells_apart: varies && (rng.percent(50) || !codings.is_empty()),
            salt,
            codings,
            contents: (0..KINDS.len() as u64)
                .map(|kind| coded(if varies { salt ^ (kind + 1) } else { salt }))
                .collect(),
        }
    }

    /// Returns true if the content is whole only once its end is declared by `close_notify`.
    pub(crate) fn ends_by_alert(&self) -> bool {
        self.is_secure && self.framing == Framing::Close
    }

    /// Returns the URI, and the value of Host.
    pub(crate) fn uri(&self) -> (String, &'static str) {
        let (scheme, authority) = authority(self.is_secure);
        (format!("{scheme}://{authority}{}", self.path), authority)
    }

    /// Returns the coding of the response to a request with `accept`: among its favourites, the
    /// origin's preferred one.
    pub(crate) fn coding(&self, accept: &str) -> &'static str {
        let all = self.codings.iter().copied().chain(["identity"]);
        let best = all.clone().map(|coding| weight(accept, coding)).max();
        all.into_iter().find(|coding| Some(weight(accept, coding)) == best).unwrap()
    }

    pub(crate) fn content(&self, kind: &str, coding: &str) -> &[u8] {
        let coding = CODINGS.iter().position(|other| *other == coding).unwrap();
        &self.contents[kind.len()][coding]
    }

    pub(crate) fn tag(&self, kind: &str, coding: &str) -> String {
        let kind = if self.tells_apart { kind.len() as u64 } else { 0 };
        format!("\"{:x}{coding}\"", self.salt ^ kind)
    }

    /// Returns the fields that describe caching and representation.
    pub(crate) fn caching_fields(&self, kind: &str, coding: &str) -> String {
        let control = match self.caching {
            Caching::Fresh => "Cache-Control: max-age=60\r\n",
            Caching::Validated => "Cache-Control: max-age=0\r\n",
            Caching::Each => "Cache-Control: no-cache\r\n",
            Caching::NoStore => "Cache-Control: no-store\r\n",
            Caching::Private => "Cache-Control: private, max-age=60\r\n",
            Caching::Silent => "",
        };
        let vary = if self.varies { "Vary: X-Kind\r\n" } else { "" };
        let negotiated = if self.codings.is_empty() { "" } else { "Vary: Accept-Encoding\r\n" };
        let coded = match coding {
            "identity" => String::new(),
            _ => format!("Content-Encoding: {coding}\r\n"),
        };
        let tag = self.tag(kind, coding);
        format!("{control}{vary}{negotiated}{coded}Content-Type: text/plain\r\nETag: {tag}\r\n")
    }
}

fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).take(length).collect()
}
