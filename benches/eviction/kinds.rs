//! Kinds of traces to replay.

/// Parameters from which the requests of a trace are generated.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Name in the table.
    pub name: &'static str,
    /// Exponent of Zipf's law: the skew of popularity.
    pub zipf: f64,
    /// Share of requests for keys that are requested once.
    pub once: f64,
    /// True for scans: now and then, 10,000 requests in a row for keys that are requested once.
    pub scans: bool,
    /// Number of requests after which one in a hundred keys changes its rank in popularity; 0 for
    /// never.
    pub drift: usize,
    /// True for sizes from 200 B to 16 MiB; false for equal sizes.
    pub sized: bool,
    /// Size of the cache, as a share of all keys (of their bytes, if sizes differ).
    pub fits: f64,
}

const fn unit(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { name, zipf, once, scans: false, drift: 0, sized: false, fits }
}

const fn sized(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { sized: true, ..unit(name, zipf, once, fits) }
}

/// All kinds, in the order of the table.
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
