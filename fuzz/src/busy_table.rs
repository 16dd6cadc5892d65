//! Fetches in flight and stored responses of one key, compared with a naive cache that searches
//! everything.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tidegate::cache::{
    self, Cache, CacheKey, CacheLimits, Content, Eviction, Extents, KeyBuilder, Lookup, Object,
    Presented, RequestRules, Response, Ticket,
};
use tidegate::http::{Fields, HeadLimits, ServerCodec, ServerEvent, Status};
use tidegate::time::Now;

/// Parts of a request that influence the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ask {
    accept: u8,
    language: u8,
    /// First and last byte; `None` for the whole representation.
    range: Option<(u8, u8)>,
    no_cache: bool,
}

impl Ask {
    fn of(byte: u8, range: u8) -> Self {
        let first = range >> 5;
        let range = (range % 4 == 3).then(|| (first, first + (range >> 2) % 8));
        Self { accept: byte % 3, language: byte / 3 % 3, range, no_cache: byte >= 220 }
    }

    fn present(self, keys: &KeyBuilder) -> Presented {
        let mut lines =
            format!("Accept: {}\r\nAccept-Language: l{}\r\n", self.accept, self.language);
        if let Some((first, last)) = self.range {
            lines += &format!("Range: bytes={first}-{last}\r\n");
        }
        if self.no_cache {
            lines += "Cache-Control: no-cache\r\n";
        }
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        match ServerCodec::new().decode(head.as_bytes(), &HeadLimits::default()) {
            Ok((_, Some(ServerEvent::Request(head)))) => keys.present(&Arc::new(*head)),
            other => panic!("{other:?}"),
        }
    }

    /// Returns true if two requests agree in the fields named by `vary`, one bit for each.
    fn agrees(self, other: Self, vary: u8) -> bool {
        (vary & 1 == 0 || self.accept == other.accept)
            && (vary & 2 == 0 || self.language == other.language)
    }
}

/// A fetch in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    ticket: Ticket,
    fetch: u8,
    ask: Ask,
    /// Fields that select its response, as far as they are known.
    vary: u8,
    sent: bool,
    /// True if requests may join it.
    shared: bool,
    /// True if it is offered to requests: no other fetch serves all requests that could join it.
    offered: bool,
    outdated: bool,
}

impl Flight {
    /// Returns true if `ask` may join it.
    fn is_for(&self, ask: Ask, only_unsent: bool) -> bool {
        let brings = match (self.ask.range, ask.range) {
            (None, _) => true,
            (Some((from, to)), Some((first, last))) => from <= first && last <= to,
            (Some(_), None) => false,
        };
        let stage = match ask.no_cache {
            true => !self.sent && self.ask.no_cache,
            false => !(only_unsent && self.sent),
        };
        self.offered && !self.outdated && brings && stage && self.ask.agrees(ask, self.vary)
    }
}

/// A stored response.
#[derive(Clone, Copy, Debug)]
struct Known {
    ask: Ask,
    vary: u8,
    never_fresh: bool,
}

struct Pair {
    cache: Cache<u8>,
    key: CacheKey,
    flights: Vec<Flight>,
    /// Stored responses, the newest last.
    stored: Vec<Known>,
    /// Fields named by the latest response head while fetches were in flight.
    latest: u8,
    next: u8,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let mut keys = KeyBuilder::new([1, 2]);
        keys.set_request_rules(RequestRules { by_coding: false, ..RequestRules::default() });
        let limits = CacheLimits {
            memory: 1 << 30,
            object: 1 << 20,
            hit_for_miss: Duration::ZERO,
            eviction: Eviction::default(),
            variants: 1000,
        };
        let key = keys.key(&"http://h/".into());
        let (flights, stored) = (Vec::new(), Vec::new());
        let cache = Cache::new(limits, keys);
        Self { cache, key, flights, stored, latest: 0, next: 0, now: origin_of_time() }
    }

    fn look_up(&mut self, ask: Ask) {
        let mut request = ask.present(self.cache.keys());
        let found = self.cache.look_up(&self.key, &mut request, self.now);
        let selected = self.stored.iter().rev().find(|known| known.ask.agrees(ask, known.vary));
        let fresh = selected.is_some_and(|known| !known.never_fresh) && !ask.no_cache;
        let never_fresh = selected.is_some_and(|known| known.never_fresh);
        let mut joinable = self.flights.iter().filter(|flight| flight.is_for(ask, never_fresh));
        match found {
            Lookup::Hit(..) => assert!(fresh),
            Lookup::InFlight { fetch, unsent } => {
                let joined = joinable.find(|flight| flight.fetch == fetch);
                let joined = joined.expect("a fetch that serves the request");
                assert!(!fresh && joined.sent != unsent);
            }
            Lookup::Stale(..) => assert!(selected.is_some() && !fresh && joinable.next().is_none()),
            Lookup::Miss(_) => assert!(selected.is_none() && joinable.next().is_none()),
            Lookup::Partial(..) => panic!("nothing partial is stored"),
        }
    }

    fn begin(&mut self, ask: Ask) {
        let mut request = ask.present(self.cache.keys());
        let vary = match self.stored.last() {
            Some(known) => known.vary,
            None if self.flights.iter().all(|flight| flight.outdated) => 0,
            None => self.latest,
        };
        let ticket = self.cache.begin(&self.key, &mut request, self.next, self.now);
        let mut flight = Flight {
            ticket,
            fetch: self.next,
            ask,
            vary,
            sent: false,
            shared: true,
            offered: true,
            outdated: false,
        };
        self.next = self.next.wrapping_add(1);
        self.offer(&mut flight);
        self.flights.push(flight);
    }

    /// Offers a range fetch as the table does: no offered range lies within another offered one.
    fn offer(&mut self, new: &mut Flight) {
        new.offered = true;
        let Some((first, last)) = new.ask.range else { return };
        let added = *new;
        let alike = |flight: &Flight| {
            let stage = |flight: &Flight| (flight.sent, !flight.sent && flight.ask.no_cache);
            flight.offered
                && !flight.outdated
                && flight.ask.range.is_some()
                && flight.ticket != added.ticket
                && flight.vary == added.vary
                && stage(flight) == stage(&added)
                && flight.ask.agrees(added.ask, added.vary)
        };
        let holds = |(from, to): (u8, u8)| from <= first && last <= to;
        new.offered = !self.flights.iter().any(|f| alike(f) && f.ask.range.is_some_and(holds));
        if new.offered {
            for flight in self.flights.iter_mut().filter(|flight| alike(flight)) {
                let lies_in = |(from, to): (u8, u8)| first <= from && to <= last;
                flight.offered &= !flight.ask.range.is_some_and(lies_in);
            }
        }
    }

    /// Changes a fetch, and offers it again if requests may join it.
    fn change(&mut self, at: usize, change: impl FnOnce(&mut Flight)) {
        let mut flight = self.flights[at];
        change(&mut flight);
        if flight.shared && !flight.outdated {
            self.flights[at].offered = false;
            self.offer(&mut flight);
        }
        self.flights[at] = flight;
    }

    fn sent(&mut self, at: usize) {
        self.cache.sent(self.flights[at].ticket);
        self.change(at, |flight| flight.sent = true);
    }

    /// Handles a response head that varies by the given fields.
    fn selected(&mut self, at: usize, vary: u8) {
        let flight = self.flights[at];
        let mut request = flight.ask.present(self.cache.keys());
        let object = object(&mut request, vary, false, self.now);
        self.cache.selected(flight.ticket, &object.selection);
        if !flight.outdated {
            self.latest = vary;
        }
        self.change(at, |flight| flight.vary = vary);
    }

    fn complete(&mut self, at: usize, vary: u8, never_fresh: bool) {
        let Flight { ticket, ask, outdated, .. } = self.flights.remove(at);
        let mut request = ask.present(self.cache.keys());
        let object = object(&mut request, vary, never_fresh, self.now);
        self.cache.complete(ticket, Arc::new(object));
        if !outdated {
            self.stored.retain(|known| known.vary != vary || !known.ask.agrees(ask, vary));
            self.stored.push(Known { ask, vary, never_fresh });
        }
    }

    fn invalidate(&mut self, by: Option<usize>) {
        let ticket = match by {
            Some(at) => self.flights[at].ticket,
            None => {
                let mut request = Ask::of(0, 0).present(self.cache.keys());
                let ticket = self.cache.begin(&self.key, &mut request, 0, self.now);
                self.cache.invalidate(&self.key, ticket);
                self.cache.abandon(ticket);
                ticket
            }
        };
        self.cache.invalidate(&self.key, ticket);
        for (at, flight) in self.flights.iter_mut().enumerate() {
            (flight.shared, flight.offered) = (false, false);
            flight.outdated |= by != Some(at);
        }
        self.stored.clear();
        self.latest = 0;
    }
}

/// Creates a response that varies by the given fields.
fn object(request: &mut Presented, vary: u8, never_fresh: bool, now: Instant) -> Object {
    let mut fields = Fields::default();
    fields.push(b"Cache-Control", if never_fresh { b"no-cache" } else { b"max-age=60" });
    fields.push(b"ETag", b"\"a\"");
    let names: [&[u8]; 4] = [b"", b"Accept", b"Accept-Language", b"accept-language, Accept"];
    fields.push(b"Vary", names[usize::from(vary % 4)]);
    let response = Response {
        uri: "http://h/",
        status: Status::OK,
        fields: &fields,
        is_coded: false,
        targets: &[],
        rules: &[],
        store_cookies: false,
        forced: None,
        drops_cookies: false,
        sent: now,
        now: Now { mono: now, wall: UNIX_EPOCH },
    };
    let storable = cache::storable(request, &response).expect("a storable response");
    Object::new(Status::OK, fields, Extents::of(Content::default(), 0), storable)
}

/// Checks any bytes as steps of requests and fetches.
pub fn rules(data: &[u8]) {
    let mut pair = Pair::new();
    for step in data.chunks_exact(4).take(100) {
        let ask = Ask::of(step[1], step[2]);
        let count = pair.flights.len();
        let at = usize::from(step[1]) % count.max(1);
        match step[0] % 8 {
            0 | 1 => pair.begin(ask),
            2 if count > 0 => pair.sent(at),
            3 if count > 0 => pair.selected(at, step[2] % 4),
            4 if count > 0 => pair.complete(at, step[2] % 4, step[3] % 4 == 0),
            5 if count > 0 => {
                let flight = pair.flights.remove(at);
                pair.cache.abandon(flight.ticket);
            }
            6 if step[3] < 60 => pair.invalidate((count > 0 && step[2] % 2 == 0).then_some(at)),
            _ => pair.look_up(ask),
        }
        if pair.flights.iter().all(|flight| flight.outdated) {
            pair.latest = 0;
        }
        pair.cache.check();
        assert_eq!(pair.cache.busy(), pair.flights.len());
    }
}

/// Returns the same instant in every call.
fn origin_of_time() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "no time passes in these rules")]
    *ORIGIN.get_or_init(Instant::now)
}
