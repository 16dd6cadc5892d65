//! Replay of requests through the cache alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tidegate::cache::{
    Cache, CacheLimits, Content, Eviction, Extents, KeyBuilder, Object, Presented, Response,
    storable,
};
use tidegate::http::{
    ClientCodec, ClientEvent, HeadLimits, ResponseHead, ServerCodec, ServerEvent,
};
use tidegate::reactor::{Clock, VirtualClock};
use tidegate::time::Now;

use crate::Missed;
use crate::trace::{self, Request};

/// Replays requests through a cache. Objects larger than an eighth of the cache are not stored.
pub fn replay(
    requests: &[Request],
    memory: usize,
    eviction: Eviction,
    samples: &Samples,
) -> Missed {
    let mut cache = cache(memory, eviction);
    let (mut missed, mut request) = (Missed::default(), samples.request.clone());
    for &(key, class) in requests {
        let uri: Arc<str> = format!("http://origin.test/{key}").into();
        let key = cache.keys().key(&uri);
        let hit = cache.stored_for(&key, &mut request).is_some();
        missed.count(hit, class);
        if !hit && samples.weights[class] <= memory / 8 {
            cache.update(&key, &Arc::new(samples.object(class)));
            while cache.has_work() {
                cache.run_deferred(); // as a proxy does between its turns
            }
        }
    }
    cache.check();
    assert!(cache.stats().bytes <= memory, "the cache stays within its memory");
    missed
}

fn cache(memory: usize, eviction: Eviction) -> Cache<()> {
    let hit_for_miss = Duration::from_secs(1);
    let limits = CacheLimits { memory, object: u64::MAX, hit_for_miss, eviction, variants: 1 };
    Cache::new(limits, KeyBuilder::new([1, 2]))
}

/// Parts from which requests and objects are made.
#[derive(Debug)]
pub struct Samples {
    request: Presented,
    response: ResponseHead,
    now: Now,
    /// Content of each class, shared by its objects.
    contents: Vec<Content>,
    /// Bytes that an entry of each class takes, including its share of the tables.
    pub weights: Vec<usize>,
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
            store_cookies: false,
            forced: None,
            drops_cookies: false,
            sent: self.now.mono,
            now: self.now,
        };
        let storable = storable(&mut self.request.clone(), &response).expect("a storable response");
        let content = Extents::of(self.contents[class].clone(), self.contents[class].end());
        let (status, head) = (self.response.status(), self.response.fields().clone());
        Object::new(status, head, content, storable)
    }

    /// Returns the average bytes of an entry beyond its object.
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

/// Creates the parts that all replays share.
pub fn samples() -> Samples {
    let limits = HeadLimits::default();
    let get = b"GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n";
    let Ok((_, Some(ServerEvent::Request(request)))) = ServerCodec::new().decode(get, &limits)
    else {
        panic!("a request")
    };
    let ok = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/plain\r\n\r\n";
    let decoded = ClientCodec::new(request.method()).decode(ok, &limits);
    let Ok((_, Some(ClientEvent::Response(response)))) = decoded else { panic!("a response") };
    let content = |class| {
        let mut content = Content::default();
        content.push(vec![0; trace::size(class)]);
        content
    };
    let contents = (0..trace::CLASSES).map(content).collect();
    let now = VirtualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)).now();
    let weights = Vec::new();
    let request = KeyBuilder::new([1, 2]).present(&Arc::new(*request));
    let mut samples = Samples { request, response: *response, now, contents, weights };
    let overhead = samples.overhead();
    samples.weights = (0..trace::CLASSES).map(|c| samples.object(c).weight() + overhead).collect();
    samples
}
