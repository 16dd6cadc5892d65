//! Whole streams: the result does not depend on how the bytes are divided.

use tidegate::http::{
    ClientCodec, ClientEvent, Fields, HeadLimits, Method, ParseError, RequestHead, ResponseHead,
    ServerCodec, ServerEvent,
};

use super::heads;

/// Event of a codec, with adjacent content joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Request(Box<RequestHead>),
    Interim(Box<ResponseHead>),
    Response(Box<ResponseHead>),
    Content(Vec<u8>),
    End(Option<Fields>),
}

/// Result of reading a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Refused(ParseError),
    /// The input ended within a message, after so many bytes were used.
    Pending(usize),
    /// The bytes after this position are not HTTP, or belong to no request.
    Left(usize),
    /// The end of the stream is the end of the last message.
    Closed,
}

/// All events of a stream, and its ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub events: Vec<Event>,
    pub ending: Ending,
}

impl Run {
    /// Returns the content of all messages.
    pub fn content(&self) -> Vec<u8> {
        let content = |event: &Event| match event {
            Event::Content(bytes) => bytes.clone(),
            _ => Vec::new(),
        };
        self.events.iter().flat_map(content).collect()
    }

    fn push(&mut self, event: Event) {
        match (self.events.last_mut(), event) {
            (Some(Event::Content(all)), Event::Content(more)) => all.extend(more),
            (_, event) => self.events.push(event),
        }
    }
}

/// Path of content from the input to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All content passes through the codec.
    Decoded,
    /// Content bypasses the codec wherever that is allowed.
    Direct,
}

/// A codec on one side of a connection.
trait Side {
    fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<Event>), ParseError>;
    fn content_left(&self) -> u64;
    fn skip_content(&mut self, n: u64);
    /// Returns true if HTTP follows on `event`.
    fn goes_on(&mut self, event: &Event) -> bool;
    /// Returns the meaning of the end of the stream after `used` bytes.
    fn end(&mut self, used: usize) -> Ending;
}

struct Client(ServerCodec);

impl Side for Client {
    fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<Event>), ParseError> {
        let (used, event) = self.0.decode(input, limits)?;
        let event = event.map(|event| match event {
            ServerEvent::Request(head) => Event::Request(head),
            ServerEvent::Content(range) => Event::Content(input[range].to_vec()),
            ServerEvent::End(trailers) => Event::End(trailers),
        });
        Ok((used, event))
    }

    fn content_left(&self) -> u64 {
        self.0.content_left()
    }

    fn skip_content(&mut self, n: u64) {
        self.0.skip_content(n);
    }

    fn goes_on(&mut self, event: &Event) -> bool {
        !matches!(event, Event::Request(head) if head.method() == Method::Connect)
    }

    fn end(&mut self, used: usize) -> Ending {
        Ending::Pending(used)
    }
}

struct Origin {
    codec: ClientCodec,
    method: Method,
}

impl Side for Origin {
    fn decode(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<(usize, Option<Event>), ParseError> {
        let (used, event) = self.codec.decode(input, limits)?;
        let event = event.map(|event| match event {
            ClientEvent::Interim(head) => Event::Interim(head),
            ClientEvent::Response(head) => Event::Response(head),
            ClientEvent::Content(range) => Event::Content(input[range].to_vec()),
            ClientEvent::End(trailers) => Event::End(trailers),
        });
        Ok((used, event))
    }

    fn content_left(&self) -> u64 {
        self.codec.content_left()
    }

    fn skip_content(&mut self, n: u64) {
        self.codec.skip_content(n);
    }

    /// The same request follows again, if the connection can be reused.
    fn goes_on(&mut self, event: &Event) -> bool {
        if !matches!(event, Event::End(_)) {
            return true;
        }
        let reusable = self.codec.is_reusable();
        self.codec = ClientCodec::new(self.method);
        reusable
    }

    fn end(&mut self, _: usize) -> Ending {
        match self.codec.end_of_stream() {
            Ok(_) => Ending::Closed,
            Err(refusal) => Ending::Refused(refusal),
        }
    }
}

/// Reads a client's stream, divided at the ascending positions `cuts`.
pub fn requests(input: &[u8], cuts: &[usize], limits: &HeadLimits, reading: Reading) -> Run {
    run(&mut Client(ServerCodec::new()), input, cuts, limits, reading)
}

/// Reads an origin's responses to requests with `method`, divided at `cuts`.
pub fn responses(
    method: Method,
    input: &[u8],
    cuts: &[usize],
    limits: &HeadLimits,
    reading: Reading,
) -> Run {
    run(&mut Origin { codec: ClientCodec::new(method), method }, input, cuts, limits, reading)
}

fn run(
    side: &mut impl Side,
    input: &[u8],
    cuts: &[usize],
    limits: &HeadLimits,
    reading: Reading,
) -> Run {
    let mut run = Run { events: Vec::new(), ending: Ending::Closed };
    let (mut used, mut have) = (0, 0);
    for &cut in cuts.iter().chain([&input.len()]) {
        if reading == Reading::Direct && used == have {
            let n = side.content_left().min((cut - have) as u64);
            side.skip_content(n);
            let direct = &input[used..][..usize::try_from(n).expect("at most the input")];
            if !direct.is_empty() {
                run.push(Event::Content(direct.to_vec()));
            }
            used += direct.len();
        }
        have = cut;
        loop {
            match side.decode(&input[used..have], limits) {
                Err(refusal) => return Run { ending: Ending::Refused(refusal), ..run },
                Ok((n, event)) => {
                    assert!(n <= have - used, "at most the input is used");
                    used += n;
                    let Some(event) = event else { break };
                    assert!(n > 0 || matches!(event, Event::End(_)), "each event uses bytes");
                    assert_ne!(event, Event::Content(Vec::new()), "content is never empty");
                    let goes_on = side.goes_on(&event);
                    run.push(event);
                    if !goes_on {
                        return Run { ending: Ending::Left(used), ..run };
                    }
                }
            }
        }
    }
    run.ending = side.end(used);
    run
}

/// Returns the position after every byte.
pub fn everywhere(input: &[u8]) -> Vec<usize> {
    (0..=input.len()).collect()
}

/// Returns scattered positions, the same ones for the same input.
pub fn somewhere(input: &[u8]) -> Vec<usize> {
    let mut seed = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut cuts = Vec::new();
    let mut at = 0;
    loop {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        at += (seed >> 60) as usize;
        if at >= input.len() {
            return cuts;
        }
        cuts.push(at);
    }
}

/// Returns the usual limits, the same with relaxed targets, and limits so tight that short input
/// reaches them.
pub fn limits() -> [HeadLimits; 3] {
    let usual = HeadLimits::default();
    let tight = HeadLimits {
        start_line: 24,
        field: 20,
        fields: 3,
        head: 64,
        chunk_extensions: 6,
        relaxed_target: false,
    };
    [usual, HeadLimits { relaxed_target: true, ..usual }, tight]
}

/// Returns the result of reading the input, and checks that it is the same for all divisions.
fn only_run(input: &[u8], run: impl Fn(&[usize], Reading) -> Run) -> Run {
    let whole = run(&[], Reading::Decoded);
    for cuts in [everywhere(input), somewhere(input)] {
        for reading in [Reading::Decoded, Reading::Direct] {
            assert_eq!(run(&cuts, reading), whole, "{reading:?}, cut at {cuts:?}");
        }
    }
    assert_eq!(run(&[], Reading::Direct), whole);
    whole
}

/// Checks any bytes as a client's stream.
pub fn server_rules(input: &[u8]) {
    for limits in limits() {
        let run = only_run(input, |cuts, reading| requests(input, cuts, &limits, reading));
        check_order(&run);
        for event in &run.events {
            if let Event::Request(head) = event {
                heads::check_request(head, &limits);
            }
        }
    }
}

/// Checks any bytes as an origin's stream, for several methods.
pub fn client_rules(input: &[u8]) {
    for method in [Method::Get, Method::Head, Method::Connect] {
        for limits in limits() {
            let run =
                only_run(input, |cuts, reading| responses(method, input, cuts, &limits, reading));
            check_order(&run);
            for event in &run.events {
                if let Event::Interim(head) | Event::Response(head) = event {
                    heads::check_response(head, method);
                }
            }
        }
    }
}

/// Heads, content and ends are in the order of messages, and content has the announced length.
fn check_order(run: &Run) {
    let mut open: Option<Option<u64>> = None;
    let mut length = 0;
    for event in &run.events {
        match event {
            Event::Request(head) => {
                assert!(open.is_none(), "a message ends before the next begins");
                open = head.body_length().has_content().then_some(head.body_length().known());
                length = 0;
            }
            Event::Response(head) => {
                assert!(open.is_none(), "a message ends before the next begins");
                open = Some(head.body_length().known());
                length = 0;
            }
            Event::Interim(head) => {
                assert!(open.is_none(), "an interim response comes before the final one");
                assert!(head.status().is_interim());
            }
            Event::Content(bytes) => {
                assert!(open.is_some(), "content belongs to a message");
                length += bytes.len() as u64;
            }
            Event::End(trailers) => {
                let announced = open.take().expect("an end has a beginning");
                assert!(announced.is_none_or(|announced| announced == length));
                assert!(announced.is_none() || trailers.is_none(), "trailers come with chunks");
                assert!(trailers.as_ref().is_none_or(|trailers| !trailers.is_empty()));
            }
        }
    }
    if let Some(Some(announced)) = open {
        assert!(length <= announced, "no more content than announced");
    }
}
