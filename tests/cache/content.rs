//! Content in pieces: its weight, and when two contents are equal.

use std::sync::Arc;

use tidegate::cache::{Content, Extents, SharedContent};

/// Adjacent pieces up to this total length are merged when content is appended.
const SMALL: usize = 4096;
/// Content longer than this is not compared byte by byte.
const COMPARED: usize = 64 << 10;

fn pieces(start: u64, lengths: &[usize]) -> Content {
    let mut content = Content::default();
    content.restart(start);
    lengths.iter().for_each(|&length| content.push(vec![7; length]));
    content
}

#[test]
fn released_pieces_weigh_nothing() {
    let mut content = pieces(0, &[1000, 3000, 500]);
    content.release(1000);
    assert_eq!(content.weight(), pieces(1000, &[3000, 500]).weight());
    content.release(4000);
    assert_eq!((content.start(), content.end()), (4000, 4500));
    assert_eq!(content.weight(), pieces(4000, &[500]).weight());
}

#[test]
fn adjacent_small_pieces_are_merged() {
    for (first, second) in [(100, 100), (SMALL - 1, 1), (1, SMALL - 1)] {
        let mut content = pieces(0, &[first]);
        content.append(pieces(first as u64, &[second]));
        assert_eq!(content, pieces(0, &[first + second]), "bytes and pieces");
        assert_eq!(content.weight(), pieces(0, &[first + second]).weight());
    }
    let mut content = pieces(0, &[SMALL]);
    content.append(pieces(SMALL as u64, &[1, 9]));
    assert_eq!(content, pieces(0, &[SMALL, 1, 9]), "the total exceeds the merge limit");
    let mut content = pieces(0, &[5000, 10]);
    content.append(pieces(5010, &[20, 30]));
    assert_eq!(content, pieces(0, &[5000, 30, 30]), "only the adjacent two are merged");
    assert_eq!(content.weight(), pieces(0, &[5000, 30, 30]).weight());
}

#[test]
fn long_content_is_equal_only_if_shared() {
    let length = COMPARED + 2;
    let content = pieces(0, &[COMPARED, 2]);
    let of = |content: &Content| Extents::of(content.clone(), length as u64);
    assert!(of(&content).is_surely(&of(&content)), "every piece is shared");
    let mut shared = of(&content);
    shared.add(&Arc::clone(&shared.parts()[0]));
    assert!(shared.is_surely(&shared.clone()));
    assert!(!of(&content).is_surely(&of(&pieces(0, &[COMPARED, 2]))), "copies are not compared");
    let whole = content.part(0, length as u64);
    assert!(of(&content).is_surely(&of(&whole)));
    let begins_so = content.part(0, COMPARED as u64);
    assert!(!of(&content).is_surely(&of(&begins_so)), "a prefix is not the whole");
    assert!(!of(&begins_so).is_surely(&of(&content)));
}

#[test]
fn short_content_is_equal_if_its_bytes_are() {
    let of = |length| Extents::of(pieces(0, &[length]), length as u64);
    assert!(of(COMPARED).is_surely(&of(COMPARED)));
    assert!(!of(COMPARED + 1).is_surely(&of(COMPARED + 1)));
    let other = Extents::of(pieces(0, &[3, 4]), 8);
    assert!(!other.is_surely(&Extents::of(pieces(0, &[7]), 9)));
}

#[test]
fn list_of_parts_counts_as_weight() {
    let mut extents = Extents::default();
    let length = 1000;
    for first in (0..length).step_by(20) {
        let mut one = Extents::of(Content::default(), length);
        one.add(&Arc::new(SharedContent::of(pieces(first, &[10]))));
        if first == 0 {
            extents = one;
        } else {
            one.parts().iter().for_each(|part| extents.add(part));
        }
    }
    let parts = extents.parts();
    assert_eq!(parts.len(), 50);
    let list = extents.weight() - parts.iter().map(|part| part.weight()).sum::<usize>();
    assert!(list >= 50 * size_of::<Arc<SharedContent>>(), "{list}");
}
