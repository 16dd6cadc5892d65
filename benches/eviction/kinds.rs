//! The kinds of traces that are replayed.

/// How the requests of a trace are made.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in the table.
    pub name: &'static str,
    /// How unequal popularity is: the exponent of Zipf's law.
    pub zipf: f64,
    /// The share of requests for what is asked for once.
    pub once: f64,
    /// Now and then, 10,000 requests in a row for what is asked for once.
    pub scans: bool,
    /// After so many requests, another one in a hundred of the keys changes its place in popularity.
    pub drift: usize,
    /// Sizes from 200 B to 16 MiB; otherwise all are the same.
    pub sized: bool,
    /// Of the keys (of their bytes, if they differ), how much fits the cache.
    pub fits: f64,
}

const fn unit(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { name, zipf, once, scans: false, drift: 0, sized: false, fits }
}

const fn sized(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { sized: true, ..unit(name, zipf, once, fits) }
}

/// All of them, as in the table.
pub const KINDS: &[Kind] = &[
    unit("zipf 0.9, 40 % once; 1 %", 0.9, 0.4, 0.01),
    unit("zipf 0.7; 1 %", 0.7, 0.0, 0.01),
    unit("zipf 1.1; 1 %", 1.1, 0.0, 0.01),
    unit("zipf 0.9, 60 % once; 10 %", 0.9, 0.6, 0.1),
    Kind { scans: true, ..unit("zipf 0.9, scans; 10 %", 0.9, 0.0, 0.1) },
    Kind { drift: 2_000, ..unit("zipf 0.9, slow drift; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 200, ..unit("zipf 0.9, fast drift; 10 %", 0.9, 0.0, 0.1) },
    Kind { drift: 200, scans: true, ..unit("zipf 1.1, scans, fast drift; 3 %", 1.1, 0.0, 0.03) },
    sized("sizes, zipf 0.7; 10 %", 0.7, 0.0, 0.1),
    sized("sizes, zipf 0.9, 20 % once; 1 %", 0.9, 0.2, 0.01),
    sized("sizes, zipf 0.9, 40 % once; 10 %", 0.9, 0.4, 0.1),
    sized("sizes, zipf 1.1; 1 %", 1.1, 0.0, 0.01),
    Kind { scans: true, ..sized("sizes, zipf 0.9, scans; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 2_000, ..sized("sizes, zipf 0.9, slow drift; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 200, ..sized("sizes, zipf 0.9, fast drift; 10 %", 0.9, 0.0, 0.1) },
    Kind {
        drift: 500,
        scans: true,
        ..sized("sizes, zipf 1.0, 10 % once, scans, drift; 1 %", 1.0, 0.1, 0.01)
    },
    Kind { drift: 500, ..sized("sizes, zipf 1.1, drift; 10 %", 1.1, 0.0, 0.1) },
];
