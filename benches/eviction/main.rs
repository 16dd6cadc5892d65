//! Misses of each eviction policy: generated requests, replayed through the cache alone. Panics if
//! the default policy misses over 1 % more than plain LRU with any seed. With `TIDEGATE_BLESS=1`,
//! writes the table and the drawing of docs/eviction.md.

mod figure;
mod kinds;
mod offline;
mod replay;
mod trace;

use std::fs;
use std::path::Path;

use tidegate::cache::Eviction;

use kinds::{KINDS, Kind};
use replay::{Samples, replay, samples};
use trace::SEEDS;

/// Requests and bytes, and how many of them missed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Missed {
    requests: u64,
    missed: u64,
    bytes: u64,
    bytes_missed: u64,
}

impl Missed {
    /// Counts a request for an object of size class `class`.
    pub fn count(&mut self, hit: bool, class: usize) {
        let size = trace::size(class) as u64;
        self.requests += 1;
        self.bytes += size;
        if !hit {
            self.missed += 1;
            self.bytes_missed += size;
        }
    }

    /// Returns the share of requests that missed.
    pub fn objects(&self) -> f64 {
        self.missed as f64 / self.requests as f64
    }

    /// Returns the share of bytes that missed.
    pub fn bytes(&self) -> f64 {
        self.bytes_missed as f64 / self.bytes as f64
    }
}

/// Results of one trace.
#[derive(Debug)]
pub struct Row {
    kind: Kind,
    lru: Missed,
    gdsf: Missed,
    offline: Missed,
}

impl Row {
    /// Returns the misses with gdsf relative to those with LRU: requests and bytes.
    pub fn shares(&self) -> [f64; 2] {
        [self.gdsf.objects() / self.lru.objects(), self.gdsf.bytes() / self.lru.bytes()]
    }
}

fn main() {
    let samples = samples();
    let rows = |seed: &u64| KINDS.iter().map(|kind| row(*kind, *seed, &samples)).collect();
    let seeds: Vec<Vec<Row>> = SEEDS.iter().map(rows).collect();
    print!("{}", figure::table(&seeds[0]));
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        write(&seeds[0]);
    }
    let worst = |at: usize| {
        let shares = seeds.iter().map(|rows| rows[at].shares());
        shares.fold([0.0; 2], |[a, b], [objects, bytes]| [objects.max(a), bytes.max(b)])
    };
    let worst: Vec<[f64; 2]> = (0..KINDS.len()).map(worst).collect();
    for (kind, [objects, bytes]) in KINDS.iter().zip(&worst) {
        println!("{:46} at worst: objects {objects:.3} bytes {bytes:.3} of lru", kind.name);
    }
    for (kind, shares) in KINDS.iter().zip(&worst) {
        assert!(shares.iter().all(|share| *share <= 1.01), "{}: {shares:?}", kind.name);
    }
    assert!(worst[0][0] <= 0.9, "{}", KINDS[0].name);
}

fn row(kind: Kind, seed: u64, samples: &Samples) -> Row {
    let requests = trace::requests(&kind, seed);
    let weight = |key| samples.weights[trace::class(&kind, key, seed)];
    let all: usize = (0..trace::KEYS).map(weight).sum();
    let memory = (all as f64 * kind.fits) as usize;
    Row {
        kind,
        lru: replay(&requests, memory, Eviction::Lru, samples),
        gdsf: replay(&requests, memory, Eviction::Gdsf, samples),
        offline: offline::replay(&requests, memory, &samples.weights),
    }
}

/// Writes the table and the drawing into docs/.
fn write(rows: &[Row]) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::write(docs.join("eviction.svg"), figure::drawing(rows)).expect("docs/ can be written");
    let path = docs.join("eviction.md");
    let text = fs::read_to_string(&path).expect("docs/eviction.md");
    let (begin, end) = ("<!-- misses -->\n", "<!-- /misses -->");
    let from = text.find(begin).expect("the part is marked") + begin.len();
    let to = text.find(end).expect("the part has an end");
    let new = [&text[..from], &figure::table(rows), &text[to..]].concat();
    fs::write(path, new).expect("docs/ can be written");
}
