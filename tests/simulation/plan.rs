//! What the origin answers: decided by the seed and the path, so that client and origin agree.

use tidegate::reactor::sim::Rng;

/// A resource of the simulated origin.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) path: String,
    pub(crate) length: usize,
    pub(crate) framing: Framing,
    pub(crate) caching: Caching,
    /// Whether the content depends on the request's X-Kind.
    pub(crate) varies: bool,
    /// Whether what differs has tags that do.
    tells_apart: bool,
    salt: u64,
    /// By the length of the kind.
    contents: Vec<Vec<u8>>,
}

/// What X-Kind may say.
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
    NoStore,
    Private,
    Silent,
}

impl Plan {
    pub(crate) fn draw(number: usize, rng: &mut Rng) -> Self {
        let lengths = [0, 1, 100, 1024, 5000, 20_000, 70_000, 200_000];
        let cachings = [
            Caching::Fresh,
            Caching::Fresh,
            Caching::Validated,
            Caching::NoStore,
            Caching::Private,
            Caching::Silent,
        ];
        let (length, varies, salt) = (*rng.pick(&lengths), rng.percent(20), rng.next());
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
            varies,
            tells_apart: varies && rng.percent(50),
            salt,
            contents: (0..KINDS.len() as u64)
                .map(|kind| content(length, if varies { salt ^ (kind + 1) } else { salt }))
                .collect(),
        }
    }

    pub(crate) fn content(&self, kind: &str) -> &[u8] {
        &self.contents[kind.len()]
    }

    pub(crate) fn tag(&self, kind: &str) -> String {
        let kind = if self.tells_apart { kind.len() as u64 } else { 0 };
        format!("\"{:x}\"", self.salt ^ kind)
    }

    /// The fields that say how it may be cached.
    pub(crate) fn caching_fields(&self, kind: &str) -> String {
        let control = match self.caching {
            Caching::Fresh => "Cache-Control: max-age=60\r\n",
            Caching::Validated => "Cache-Control: max-age=0\r\n",
            Caching::NoStore => "Cache-Control: no-store\r\n",
            Caching::Private => "Cache-Control: private, max-age=60\r\n",
            Caching::Silent => "",
        };
        let vary = if self.varies { "Vary: X-Kind\r\n" } else { "" };
        format!("{control}{vary}ETag: {}\r\n", self.tag(kind))
    }
}

fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).take(length).collect()
}
