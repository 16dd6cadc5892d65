//! What each order of eviction misses: generated requests, replayed through the cache alone. Panics
//! if the default misses more than plain LRU by over 1 %. With `TIDEGATE_BLESS=1` it writes the table
//! and the drawing of docs/eviction.md.

mod figure;
mod offline;
mod trace;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate::cache::{
    Cache, CacheLimits, Content, Eviction, Extents, KeyMaker, Object, Response, storable,
};
use tidegate::http::{
    ClientCodec, FromClient, FromOrigin, HeadLimits, RequestHead, ResponseHead, ServerCodec,
};
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::time::Now;

use trace::{Kind, Request};

/// What was not in the cache.
#[derive(Clone, Copy, Debug, Default)]
pub struct Missed {
    requests: u64,
    missed: u64,
    bytes: u64,
    bytes_missed: u64,
}

impl Missed {
    /// Counts a request for something of this class.
    pub fn count(&mut self, hit: bool, class: usize) {
        let size = trace::size(class) as u64;
        self.requests += 1;
        self.bytes += size;
        if !hit {
            self.missed += 1;
            self.bytes_missed += size;
        }
    }

    /// The share of requests.
    pub fn objects(&self) -> f64 {
        self.missed as f64 / self.requests as f64
    }

    /// The share of bytes.
    pub fn bytes(&self) -> f64 {
        self.bytes_missed as f64 / self.bytes as f64
    }
}

/// What came out for one trace.
#[derive(Debug)]
pub struct Row {
    kind: Kind,
    lru: Missed,
    gdsf: Missed,
    offline: Missed,
}

fn main() {
    let samples = samples();
    let rows: Vec<Row> = KINDS.iter().map(|kind| row(*kind, &samples)).collect();
    print!("{}", figure::table(&rows));
    for row in &rows {
        let [objects, bytes] =
            [row.gdsf.objects() / row.lru.objects(), row.gdsf.bytes() / row.lru.bytes()];
        println!("{:40} objects {objects:.3} bytes {bytes:.3} of lru", row.kind.name);
    }
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        write(&rows);
    }
    for row in &rows {
        assert!(row.gdsf.objects() <= 1.01 * row.lru.objects(), "{}: objects", row.kind.name);
        assert!(row.gdsf.bytes() <= 1.01 * row.lru.bytes(), "{}: bytes", row.kind.name);
    }
    let marked = &rows[0];
    assert!(marked.gdsf.objects() <= 0.9 * marked.lru.objects(), "{}", marked.kind.name);
}

const fn unit(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { name, zipf, once, scans: false, drift: 0, sized: false, fits }
}

const fn sized(name: &'static str, zipf: f64, once: f64, fits: f64) -> Kind {
    Kind { sized: true, ..unit(name, zipf, once, fits) }
}

const KINDS: &[Kind] = &[
    unit("zipf 0.9, 40 % once; 1 %", 0.9, 0.4, 0.01),
    unit("zipf 0.7; 1 %", 0.7, 0.0, 0.01),
    unit("zipf 1.1; 1 %", 1.1, 0.0, 0.01),
    unit("zipf 0.9, 60 % once; 10 %", 0.9, 0.6, 0.1),
    Kind { scans: true, ..unit("zipf 0.9, scans; 10 %", 0.9, 0.0, 0.1) },
    Kind { drift: 2_000, ..unit("zipf 0.9, drift; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 200, ..unit("zipf 0.9, fast drift; 10 %", 0.9, 0.0, 0.1) },
    sized("sizes, zipf 0.7; 10 %", 0.7, 0.0, 0.1),
    sized("sizes, zipf 0.9, 20 % once; 1 %", 0.9, 0.2, 0.01),
    sized("sizes, zipf 0.9, 40 % once; 10 %", 0.9, 0.4, 0.1),
    sized("sizes, zipf 1.1; 1 %", 1.1, 0.0, 0.01),
    Kind { scans: true, ..sized("sizes, zipf 0.9, scans; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 2_000, ..sized("sizes, zipf 0.9, drift; 1 %", 0.9, 0.0, 0.01) },
    Kind { drift: 200, ..sized("sizes, zipf 0.9, fast drift; 10 %", 0.9, 0.0, 0.1) },
    Kind {
        drift: 500,
        scans: true,
        ..sized("sizes, zipf 1.0, 10 % once, scans, drift; 1 %", 1.0, 0.1, 0.01)
    },
];

fn row(kind: Kind, samples: &Samples) -> Row {
    let requests = trace::requests(&kind);
    let weight = |key| samples.weights[trace::class(&kind, key)];
    let all: usize = (0..trace::KEYS).map(weight).sum();
    let memory = (all as f64 * kind.fits) as usize;
    Row {
        kind,
        lru: replay(&requests, memory, Eviction::Lru, samples),
        gdsf: replay(&requests, memory, Eviction::Gdsf, samples),
        offline: offline::replay(&requests, memory, &samples.weights),
    }
}

/// Replays requests through a cache; what is larger than an eighth of it is not stored.
fn replay(requests: &[Request], memory: usize, eviction: Eviction, samples: &Samples) -> Missed {
    let mut cache = cache(memory, eviction);
    let mut missed = Missed::default();
    for &(key, class) in requests {
        let uri: Arc<str> = format!("http://origin.test/{key}").into();
        let key = cache.keys().key(&uri);
        let hit = cache.stored_for(&key, &samples.request).is_some();
        missed.count(hit, class);
        if !hit && samples.weights[class] <= memory / 8 {
            cache.update(&key, &Arc::new(samples.object(class)));
        }
    }
    cache.check();
    assert!(cache.stats().bytes <= memory, "within its bytes");
    missed
}

fn cache(memory: usize, eviction: Eviction) -> Cache<()> {
    let hit_for_miss = Duration::from_secs(1);
    let limits = CacheLimits { memory, object: u64::MAX, hit_for_miss, eviction };
    Cache::new(limits, KeyMaker::new([trace::SEED, 0]))
}

/// What requests and objects are made from.
struct Samples {
    request: RequestHead,
    response: ResponseHead,
    now: Now,
    /// Content of each class, which its objects share.
    contents: Vec<Content>,
    /// Bytes that an entry of each class takes, with its part of the tables.
    weights: Vec<usize>,
}

impl Samples {
    fn object(&self, class: usize) -> Object {
        let response = Response {
            uri: "http://origin.test/",
            status: self.response.status(),
            fields: self.response.fields(),
            is_coded: false,
            targets: &[],
            rules: &[],
            sent: self.now.mono,
            now: self.now,
        };
        let storable = storable(&self.request, &response).expect("it may be stored");
        let content = Extents::of(self.contents[class].clone(), self.contents[class].end());
        let (status, head) = (self.response.status(), self.response.fields().clone());
        Object::new(status, head, content, storable)
    }

    /// What an entry takes beside its object, on the average of some.
    fn overhead(&self) -> usize {
        const SOME: usize = 3_000;
        let mut cache = cache(usize::MAX, Eviction::Lru);
        for key in 0..SOME {
            let key = cache.keys().key(&format!("http://origin.test/{key}").into());
            cache.update(&key, &Arc::new(self.object(0)));
        }
        cache.stats().bytes / SOME - self.object(0).weight()
    }
}

fn samples() -> Samples {
    let limits = HeadLimits::default();
    let get = b"GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n";
    let Ok((_, Some(FromClient::Request(request)))) = ServerCodec::new().decode(get, &limits)
    else {
        panic!("a request")
    };
    let ok = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/plain\r\n\r\n";
    let decoded = ClientCodec::new(request.method()).decode(ok, &limits);
    let Ok((_, Some(FromOrigin::Response(response)))) = decoded else { panic!("a response") };
    let content = |class| {
        let mut content = Content::default();
        content.push(vec![0; trace::size(class)]);
        content
    };
    let contents = (0..trace::CLASSES).map(content).collect();
    let now = VirtualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)).now();
    let weights = Vec::new();
    let mut samples = Samples { request: *request, response: *response, now, contents, weights };
    let overhead = samples.overhead();
    samples.weights = (0..trace::CLASSES).map(|c| samples.object(c).weight() + overhead).collect();
    samples
}

/// Writes what stands in docs/.
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
