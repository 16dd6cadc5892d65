//! Parsing of responses: well-formed ones, and all kinds of malformed ones.

use tidegate::dns::{Data, Kind, Malformed, Name, Response, is_bare_format_error, query};
use tidegate::reactor::sim::Rng;

use crate::write::{A, CNAME, OPT, Written, ladder, pointer_to, record};

fn read(written: &Written) -> Result<Response, Malformed> {
    Response::read(&written.bytes())
}

#[test]
fn query_has_the_specified_wire_format() {
    let name = Name::parse("a.test").unwrap();
    let plain = query(0x1234, &name, Kind::Aaaa, false);
    assert_eq!(plain, b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x1c\0\x01");
    let edns = query(0x1234, &name, Kind::A, true);
    assert_eq!(edns[10..12], [0, 1]);
    assert_eq!(edns[24..], *b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
}

#[test]
fn records_are_read_with_their_ttls() {
    let written = Written::about("a.test", A)
        .answers(&["a.test 60 CNAME b.test", "b.test 4294967295 A 192.0.2.1", "x.test 1 TXT hello"])
        .authority(&["test 9 SOA 5"]);
    let response = read(&written).unwrap();
    assert!(response.is_about(&Name::parse("A.TEST").unwrap(), Kind::A));
    assert!(!response.is_about(&Name::parse("a.test").unwrap(), Kind::Aaaa));
    let said: Vec<_> = response.answers.iter().map(|r| (r.ttl, r.data.clone())).collect();
    let b = Name::parse("b.test").unwrap();
    let address = Data::Address([192, 0, 2, 1].into());
    assert_eq!(
        said,
        [(60, Data::Cname(b)), (0, address)],
        "a TTL with the highest bit set counts as 0"
    );
    assert_eq!(response.authority[0].data, Data::Soa(5));
}

#[test]
fn compression_pointers_must_point_backwards() {
    let mut written = Written::about("www.test", A);
    let pointer = |to: u8| [0xc0, to, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1].to_vec();
    written.sections[0].push(pointer(12));
    written.sections[0].push([b"\x01a".as_slice(), &pointer(16)].concat());
    written.sections[0].push(pointer(21));
    let response = read(&written).unwrap();
    assert_eq!(response.answers[0].owner.to_string(), "www.test");
    assert_eq!(response.answers[1].owner.to_string(), "a.test");
    assert_eq!(response.answers[2].owner.to_string(), ".", "the root has no label");
    // The question takes 14 octets from offset 12 on, so the record begins at 26.
    for (what, target) in [("itself", 26), ("what follows", 30), ("beyond the end", 200)] {
        let mut written = Written::about("www.test", A);
        written.sections[0].push(pointer(target));
        assert_eq!(read(&written), Err(Malformed::Name), "{what}");
    }
    let mut written = Written::about("www.test", A);
    written.sections[0].push(pointer(12));
    let mut second = pointer(0);
    second[1] = 42; // points to the pointer that is this name
    written.sections[0].push(second);
    assert_eq!(read(&written), Err(Malformed::Name));
}

#[test]
fn pointer_chain_cannot_exceed_the_name_limit() {
    let mut written = Written::about("a.test", A);
    let label = [&[63][..], &[b'x'; 63]].concat();
    let long = [label.repeat(3), vec![0]].concat(); // 193 octets
    let mut data = record("a.test", CNAME, 9, &[]);
    let at = data.len() - 2;
    data[at..].copy_from_slice(&u16::try_from(long.len()).unwrap().to_be_bytes());
    let start = 12 + written.question.len() + data.len();
    data.extend(&long);
    written.sections[0].push(data);
    let pointer = (0xc000 | u16::try_from(start).unwrap()).to_be_bytes();
    let tail = |labels: usize| {
        let mut owner = label.repeat(labels);
        owner.extend(pointer);
        owner.extend([0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
        owner
    };
    let mut good = written.clone();
    good.sections[0].push(tail(0));
    assert!(read(&good).is_ok());
    written.sections[0].push(tail(1)); // 257 octets
    assert_eq!(read(&written), Err(Malformed::Name));
}

#[test]
fn longest_name_may_use_a_pointer_for_each_label() {
    let about = Written::about("a.test", A);
    let start = about.bytes().len() + record("a.test", 16, 9, b"").len();
    let names = ladder(127, start);
    let last = pointer_to(start + names.len() - 4);
    let owner_at = |owner: [u8; 2]| {
        let mut written = about.clone();
        written.sections[0].push(record("a.test", 16, 9, &[&names[..], &last].concat()));
        let address = b"\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x01";
        written.sections[0].push([&owner[..], address].concat());
        read(&written).map(|response| response.answers[0].owner.to_string())
    };
    assert_eq!(owner_at(last), Ok(["a"; 127].join(".")), "255 octets and 127 pointers");
    let again = pointer_to(start + names.len());
    assert_eq!(owner_at(again), Err(Malformed::Name), "one superfluous pointer more");
}

#[test]
fn message_with_wrong_lengths_is_rejected() {
    let good = Written::about("a.test", A).answers(&["a.test 60 A 192.0.2.1"]);
    let bytes = good.bytes();
    assert!(Response::read(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(Response::read(&bytes[..end]).is_err(), "{end} octets");
    }
    let mut shorter = bytes.clone();
    shorter[bytes.len() - 5] = 3;
    assert_eq!(Response::read(&shorter), Err(Malformed::Length));
    let mut longer = [bytes.as_slice(), &[0; 10]].concat();
    assert!(Response::read(&longer).is_ok(), "octets after the message are ignored");
    longer[bytes.len() - 5] = 5;
    assert_eq!(Response::read(&longer), Err(Malformed::Length));
    let mut more = bytes;
    more[7] = 200;
    assert_eq!(Response::read(&more), Err(Malformed::Length));
    let mut alias = Written::about("a.test", A);
    alias.sections[0].push(record("a.test", CNAME, 1, b"\x01b\0\0"));
    assert_eq!(read(&alias), Err(Malformed::Length));
}

#[test]
fn message_other_than_a_response_to_one_question_is_rejected() {
    let good = Written::about("a.test", A).bytes();
    for (what, at, byte) in [("a query", 2, 0x01), ("an update", 2, 0xa8), ("two questions", 5, 2)]
    {
        let mut bad = good.clone();
        bad[at] = byte;
        assert_eq!(Response::read(&bad), Err(Malformed::NotAnAnswer), "{what}");
    }
}

#[test]
fn truncated_response_is_flagged_and_its_records_are_not_read() {
    let mut cut = Written::about("a.test", A).answers(&["a.test 60 A 192.0.2.1"]);
    cut.flags |= 0x0200;
    let bytes = cut.bytes();
    let response = Response::read(&bytes[..bytes.len() - 7]).unwrap();
    assert!(response.truncated && response.answers.is_empty());
}

#[test]
fn opt_record_extends_the_response_code() {
    let mut written = Written::about("a.test", A);
    written.sections[2]
        .push([b"\0".as_slice(), &OPT.to_be_bytes(), b"\x04\xd0\x01\0\0\0\0\0"].concat());
    assert_eq!(read(&written).unwrap().code, 16);
    assert!(is_bare_format_error(b"\0\x07\x81\x01\0\0\0\0\0\0\0\0", 7));
    for other in
        [&b"\0\x08\x81\x01\0\0"[..], b"\0\x07\x01\x01\0\0", b"\0\x07\x81\x02\0\0", b"\0\x07"]
    {
        assert!(!is_bare_format_error(other, 7));
    }
}

#[test]
fn damaged_messages_do_not_panic_the_parser() {
    let mut rng = Rng::new(3);
    let good = Written::about("www.test", A)
        .answers(&["www.test 60 CNAME b.test", "b.test 60 A 192.0.2.1"])
        .authority(&["test 9 SOA 5"])
        .bytes();
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len());
            bytes[at] = rng.next().to_le_bytes()[0];
        }
        bytes.truncate(rng.below(bytes.len() + 1));
        let _ = Response::read(&bytes);
    }
}
