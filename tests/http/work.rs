//! Counted work of heads, bodies and trailers: bounded, and linear in their size.

use tidegate::cache;
use tidegate::http::hop::{self, ConnectionOptions};
use tidegate::http::list::Elements;
use tidegate::http::{
    Chunked, ChunkedDecoder, ClientCodec, ClientEvent, Fields, HeadLimits, HeadWriter, Method,
    RequestHead, ResponseHead, ServerCodec, ServerEvent, Version,
};
use tidegate::work;

use super::support::{ok, post};

/// The maximum number of steps for any input within the limits: those of one drive.
const MOST: u64 = 2_000_000;
/// The maximum size of a head in bytes.
const HEAD: usize = 64 * 1024;

/// A name, and a function that makes input of about the given size.
type Hostile<'a> = (&'a str, &'a dyn Fn(usize) -> Vec<u8>);

fn steps(work: impl FnOnce()) -> u64 {
    let before = work::counted();
    work();
    work::counted() - before
}

/// Fails unless the work on input of about `size` bytes, made by `make`, is bounded, almost linear
/// in the size, and counted.
fn check(name: &str, make: impl Fn(usize) -> Vec<u8>, work: impl Fn(&[u8]), size: usize) {
    let [half, whole] = [size / 2, size].map(|size| {
        let input = make(size);
        let steps = steps(|| work(&input));
        assert!(steps <= MOST, "{name}: {steps} steps");
        assert!(steps >= input.len() as u64, "{name}: some bytes are not counted in {steps} steps");
        1000 * steps / input.len() as u64
    });
    assert!(
        4 * whole <= 5 * half,
        "{name}: {whole} steps for 1000 bytes, {half} for an input of half the size"
    );
}

/// Returns field lines of up to 8 KiB with this name and repeated elements, about `size` bytes in
/// all.
fn lists(name: &str, element: &str, size: usize) -> Vec<u8> {
    let line = format!("{name}: {}\r\n", element.repeat(8000 / element.len()));
    let mut lines = line.repeat(size.div_ceil(line.len())).into_bytes();
    lines.truncate(size - size % line.len());
    lines
}

fn head_of_request(bytes: &[u8]) -> Option<Box<RequestHead>> {
    match ServerCodec::new().decode(bytes, &HeadLimits::default()) {
        Ok((_, Some(ServerEvent::Request(head)))) => Some(head),
        _ => None,
    }
}

fn head_of_response(bytes: &[u8]) -> Option<Box<ResponseHead>> {
    match ClientCodec::new(Method::Get).decode(bytes, &HeadLimits::default()) {
        Ok((_, Some(ClientEvent::Response(head)))) => Some(head),
        _ => None,
    }
}

/// Reads the fields of a request in all ways in which this crate does.
fn read_request(head: &RequestHead) {
    let fields = head.fields();
    let hop = ConnectionOptions::of(head.version(), fields);
    let passed = fields.iter().filter(|field| !hop.is_hop_by_hop(field)).count();
    assert!(passed <= fields.len());
    assert!(!hop::is_loop(fields, "gate"));
    let _ = (hop::takes_trailers(head.version(), fields), hop::upgrade(head.version(), fields));
}

/// Returns `Connection` lines that name all fields; the names differ only at their ends.
fn nominating(size: usize) -> Vec<u8> {
    let count = 110 * size / HEAD;
    let stem = "x".repeat(240);
    let names: Vec<String> = (0..count).map(|n| format!("{stem}{n:03}")).collect();
    let connection = names.chunks(30).map(|names| format!("Connection: {}\r\n", names.join(", ")));
    let fields = names.iter().rev().map(|name| format!("{name}: 1\r\n"));
    connection.chain(fields).collect::<String>().into_bytes()
}

#[test]
fn request_head_at_the_limits_costs_linear_work() {
    let requests: [Hostile<'_>; 9] = [
        ("long fields", &|size| lists("A", "bcdefgh ", size)),
        ("options", &nominating),
        ("via", &|size| lists("Via", "1.1 a,", size)),
        ("via words", &|size| lists("Via", "a ", size)),
        ("te", &|size| lists("TE", "a,", size)),
        ("upgrade", &|size| lists("Upgrade", "a,", size)),
        ("expect", &|size| lists("Expect", "100-continue,", size)),
        ("empty elements", &|size| lists("TE", ",", size)),
        ("quoted", &|size| lists("Via", "\"\\\",", size)),
    ];
    for (name, lines) in requests {
        let make = |size: usize| post(&lines(size - 1024));
        check(
            name,
            make,
            |bytes| read_request(&head_of_request(bytes).unwrap_or_else(|| panic!("{name}"))),
            HEAD,
        );
    }
}

#[test]
fn many_fields_cost_linear_work() {
    let make = |count: usize| post("A-1: b\r\n".repeat(count - 1).as_bytes());
    check("fields", make, |bytes| read_request(&head_of_request(bytes).unwrap()), 128);
    let find = |bytes: &[u8]| {
        assert_eq!(head_of_request(bytes).unwrap().fields().all_named(b"B-1").count(), 0);
    };
    check("a name", make, find, 128);
}

#[test]
fn name_is_compared_only_with_names_of_its_length() {
    let mut fields = Fields::default();
    (0..100).for_each(|_| fields.push(&[b'x'; 200], b""));
    let find = |name: &[u8]| steps(|| assert_eq!(fields.all_named(name).count(), 0));
    let [same, longer] = [find(&[b'y'; 200]), find(&[b'y'; 201])];
    assert!((20_000..30_000).contains(&same), "{same} steps for 20,000 bytes");
    assert!((100..1000).contains(&longer), "{longer} steps for 100 names of another length");
}

#[test]
fn every_byte_of_a_list_is_counted() {
    for element in [",", "a,", "\"a,\","] {
        let list = element.repeat(1000);
        let steps = steps(|| assert!(Elements::of(list.as_bytes()).count() <= 1000));
        assert!(steps >= list.len() as u64, "{element}: {steps} steps for {} bytes", list.len());
    }
}

#[test]
fn writing_a_head_costs_linear_work() {
    let make = |size: usize| {
        let (name, value) = ("x".repeat(size / 2 - 50), "y".repeat(size / 2 - 50));
        post(format!("{name}: {value}\r\n").as_bytes())
    };
    let write = |bytes: &[u8]| {
        let (head, mut out) = (head_of_request(bytes).unwrap(), Vec::new());
        HeadWriter::resume(&mut out).copy_if(head.fields(), |_| true).end();
        assert!(bytes.ends_with(&out));
    };
    check("written", make, write, 8000);
}

#[test]
fn refused_head_costs_linear_work() {
    let heads: [Hostile<'_>; 4] = [
        ("codings", &|size| lists("Transfer-Encoding", "gzip,", size)),
        ("short codings", &|size| lists("Transfer-Encoding", "a,", size)),
        ("options", &|size| lists("Connection", "a,", size)),
        ("lengths", &|size| lists("Content-Length", "5,", size)),
    ];
    for (name, lines) in heads {
        check(
            name,
            |size| post(&lines(size - 1024)),
            |bytes| assert!(head_of_request(bytes).is_none(), "{name}"),
            HEAD,
        );
    }
}

#[test]
fn target_and_host_at_the_limits_cost_linear_work() {
    for stem in ["GET http://h/", "GET http://h/?", "GET /", "GET /%"] {
        let make = |size: usize| {
            format!("{stem}{} HTTP/1.1\r\nHost: h\r\n\r\n", "a:".repeat(size / 2 - 20)).into_bytes()
        };
        check(stem, make, |bytes| drop(head_of_request(bytes).unwrap()), 8000);
    }
    for host in ["a.", "@", "[", ":1"] {
        let make = |size: usize| {
            format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.repeat(size / 2 - 20)).into_bytes()
        };
        check(host, make, |bytes| assert!(head_of_request(bytes).is_none()), 8000);
    }
}

#[test]
fn response_head_at_the_limits_costs_linear_work() {
    let responses: [Hostile<'_>; 6] = [
        ("options", &nominating),
        ("via", &|size| lists("Via", "1.1 a,", size)),
        ("codings", &|size| lists("Transfer-Encoding", "gzip,", size)),
        ("lengths", &|size| {
            lists("Content-Length", "5, ", size)[..]
                .strip_suffix(b", \r\n")
                .map_or_else(Vec::new, |cut| [cut, b"\r\n"].concat())
        }),
        ("folds", &|size| {
            let folded = format!(" {}\r\n", "c".repeat(597)).repeat(10);
            format!("A: b\r\n{folded}").repeat(size / 6006).into_bytes()
        }),
        ("spaces", &|size| format!("A{}: b\r\n", " ".repeat(600)).repeat(size / 610).into_bytes()),
    ];
    for (name, lines) in responses {
        check(
            name,
            |size| ok(&lines(size - 1024)),
            |bytes| {
                if let Some(head) = head_of_response(bytes) {
                    let hop = ConnectionOptions::of(Version::Http11, head.fields());
                    let passed = head.fields().iter().filter(|field| !hop.is_hop_by_hop(field));
                    assert!(passed.count() <= head.fields().len());
                }
            },
            HEAD,
        );
    }
}

#[test]
fn head_received_byte_by_byte_costs_linear_work() {
    let make = |size: usize| post(&lists("A", "bcdefgh ", size - 1024));
    let decode = |bytes: &[u8]| {
        let (mut codec, limits) = (ServerCodec::new(), HeadLimits::default());
        let events = (1..=bytes.len()).map(|have| codec.decode(&bytes[..have], &limits).unwrap().1);
        assert_eq!(events.flatten().count(), 1);
    };
    check("bytes", make, decode, HEAD);
}

/// Decodes a body that arrives in pieces of `piece` bytes.
fn decode_chunks(decoder: ChunkedDecoder, body: &[u8], piece: usize) {
    let (mut decoder, limits) = (decoder, HeadLimits::default());
    let (mut used, mut have) = (0, 0);
    loop {
        match decoder.decode(&body[used..have], &limits).unwrap() {
            (n, Chunked::More) => {
                used += n;
                have = body.len().min(have + piece);
            }
            (n, Chunked::Content(_)) => used += n,
            (_, Chunked::End(_)) => return,
        }
    }
}

#[test]
fn small_chunks_with_extensions_cost_linear_work() {
    let make = |size: usize| [&b"1;x\r\na\r\n".repeat(size / 8 - 1)[..], b"0\r\n\r\n"].concat();
    for piece in [1, 5, HEAD] {
        check("chunks", make, |body| decode_chunks(ChunkedDecoder::new(), body, piece), 16 * 1024);
    }
}

#[test]
fn trailers_at_the_limits_cost_linear_work() {
    for piece in [1, HEAD] {
        let make =
            |size: usize| [b"0\r\n", &lists("A", "bcdefgh ", size - 1024)[..], b"\r\n"].concat();
        check(
            "bytes",
            make,
            |body| decode_chunks(ChunkedDecoder::of_response(), body, piece),
            HEAD,
        );
    }
    let make = |size: usize| {
        let names = nominating(size - 1024);
        let names = String::from_utf8(names).unwrap();
        let (connection, fields) = names.split_at(names.rfind("Connection: ").unwrap());
        let (last, fields) = fields.split_once("\r\n").unwrap();
        let head = format!("{connection}{last}\r\nTransfer-Encoding: chunked\r\n");
        [&ok(head.as_bytes())[..], b"0\r\n", fields.as_bytes(), b"\r\n"].concat()
    };
    let decode = |bytes: &[u8]| {
        let (mut codec, limits) = (ClientCodec::new(Method::Get), HeadLimits::default());
        let (used, _) = codec.decode(bytes, &limits).unwrap();
        let (_, end) = codec.decode(&bytes[used..], &limits).unwrap();
        assert_eq!(end, Some(ClientEvent::End(None)), "Connection names all trailers");
    };
    check("named trailers", make, decode, HEAD);
}

#[test]
fn withheld_names_cost_linear_work() {
    let make = |size: usize| ok(&lists("Cache-Control", "private=\"a,b,c\", ", size - 1024));
    let read = |bytes: &[u8]| {
        assert!(cache::withheld(head_of_response(bytes).unwrap().fields()).contains(b"a"));
    };
    check("withheld", make, read, HEAD);
}
