//! Byte ranges: selected parts were requested, lie within the content, and do not overlap.

use tidegate::http::cond::Validators;
use tidegate::http::range::{self, Part, Selected};
use tidegate::http::{Fields, Multipart};

/// Checks any bytes as `Range` and as `Content-Range`.
pub fn rules(value: &[u8]) {
    check_part(value);
    let request = fields(b"Range", value);
    let ranges = range::parse(&request);
    assert!(ranges.as_ref().is_none_or(|ranges| (1..=range::MAX_RANGES).contains(&ranges.len())));
    for length in [0, 1, 10, 1000, 1 << 40, u64::MAX] {
        let selected = range::select(&request, &Validators::default(), length);
        let Some(ranges) = &ranges else {
            assert_eq!(selected, Selected::Whole);
            continue;
        };
        let within: Vec<(u64, u64)> =
            ranges.iter().filter_map(|range| range.within(length)).collect();
        match selected {
            Selected::Whole => panic!("a valid range selects parts"),
            Selected::Nothing => assert!(within.is_empty()),
            Selected::Parts(parts) => {
                check_selected(&parts, &within, length);
                check_multipart(parts, length);
            }
        }
    }
}

fn fields(name: &[u8], value: &[u8]) -> Fields {
    let mut fields = Fields::default();
    fields.push(name, value);
    fields
}

fn check_selected(parts: &[(u64, u64)], asked: &[(u64, u64)], length: u64) {
    assert!(parts.iter().all(|&(first, end)| first < end && end <= length));
    let inside = |&(first, end): &(u64, u64)| {
        parts.iter().filter(|part| part.0 <= first && end <= part.1).count() == 1
    };
    assert!(asked.iter().all(inside), "each requested range lies in one part");
    for &(first, end) in parts {
        assert!(asked.iter().any(|range| range.0 == first), "a part begins where a range does");
        assert!(asked.iter().any(|range| range.1 == end), "a part ends where a range does");
    }
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|two| two[0].1 < two[1].0), "no two parts touch");
}

fn check_multipart(parts: Vec<(u64, u64)>, length: u64) {
    let content: u64 = parts.iter().map(|(first, end)| end - first).sum();
    let multipart = Multipart::new(parts.clone(), length, Some(b"text/plain"), [1, 2]);
    let pieces: Vec<_> = multipart.clone().collect();
    let leads: u64 = pieces.iter().map(|piece| piece.lead.len() as u64).sum();
    if content < u64::MAX / 2 {
        assert_eq!(multipart.content_length(), content + leads);
    }
    let written = pieces.iter().map(|piece| (piece.first, piece.end));
    assert!(written.eq(parts.into_iter().chain([(0, 0)])));
}

/// A `Content-Range` that was parsed can be written, and parses to the same part again.
fn check_part(value: &[u8]) {
    let Some(part) = Part::of(&fields(b"Content-Range", value)) else { return };
    assert!(part.first < part.end && part.end <= part.length);
    let written = range::content_range(part.first, part.end, part.length);
    assert_eq!(Part::of(&fields(b"Content-Range", written.as_bytes())), Some(part));
}
