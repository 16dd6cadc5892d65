//! A request head parsed by the strict codec, compared with httparse alone.

use divan::{Bencher, black_box};
use tidegate::http::{HeadLimits, ServerCodec};
use tidegate_benches::{BROWSER, CURL};

fn main() {
    divan::main();
}

const HEADS: &[(&str, &[u8])] = &[("curl", CURL), ("browser", BROWSER)];

#[divan::bench(args = HEADS.iter().map(|head| head.0))]
fn codec(bencher: Bencher<'_, '_>, name: &str) {
    let (head, limits) = (find(name), HeadLimits::default());
    let mut codec = ServerCodec::new();
    bencher.bench_local(|| codec.decode(black_box(head), &limits).expect("well-formed"));
}

#[divan::bench(args = HEADS.iter().map(|head| head.0))]
fn httparse_alone(bencher: Bencher<'_, '_>, name: &str) {
    let head = find(name);
    bencher.bench_local(|| {
        let mut headers = [const { std::mem::MaybeUninit::uninit() }; 64];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(black_box(head), &mut headers);
        assert!(parsed.expect("well-formed").is_complete());
    });
}

fn find(name: &str) -> &'static [u8] {
    HEADS.iter().find(|head| head.0 == name).expect("a head of the list").1
}
