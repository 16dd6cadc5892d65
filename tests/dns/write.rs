//! Writers of responses, both correct and malformed.

use std::net::IpAddr;

use tidegate::dns::Name;

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const AAAA: u16 = 28;
pub(crate) const OPT: u16 = 41;

pub(crate) const FORMERR: u16 = 1;
pub(crate) const SERVFAIL: u16 = 2;
pub(crate) const NXDOMAIN: u16 = 3;
pub(crate) const NOTIMP: u16 = 4;
pub(crate) const REFUSED: u16 = 5;

/// A response under construction, with arbitrary content.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) question: Vec<u8>,
    pub(crate) sections: [Vec<Vec<u8>>; 3],
}

/// Returns a record with this owner, type, TTL in seconds, and data.
pub(crate) fn record(owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let owner = Name::parse(owner).unwrap();
    let length = u16::try_from(data.len()).unwrap();
    let mut out = owner.wire().to_vec();
    out.extend(kind.to_be_bytes());
    out.extend(1_u16.to_be_bytes());
    out.extend(ttl.to_be_bytes());
    out.extend(length.to_be_bytes());
    out.extend(data);
    out
}

/// Parses a record: `NAME TTL KIND VALUE`, such as `a.test 60 A 192.0.2.1`. The value of an SOA is
/// its minimum.
pub(crate) fn line(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split(' ').collect();
    let [owner, ttl, kind, value] = words[..] else { panic!("{text}") };
    let (kind, data) = match kind {
        "CNAME" => (CNAME, Name::parse(value).unwrap().wire().to_vec()),
        "SOA" => {
            let mut data = vec![0; 2 + 16]; // both names are the root, followed by four numbers
            data.extend(value.parse::<u32>().unwrap().to_be_bytes());
            (SOA, data)
        }
        "TXT" => (16, [&[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()),
        _ => match value.parse::<IpAddr>().unwrap() {
            IpAddr::V4(v4) => (A, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AAAA, v6.octets().to_vec()),
        },
    };
    record(owner, kind, ttl.parse().unwrap(), &data)
}

impl Written {
    /// Creates the response of a recursive server to a query.
    pub(crate) fn to(query: &[u8]) -> Self {
        let id = u16::from_be_bytes([query[0], query[1]]);
        let end = query[12..].iter().position(|&b| b == 0).unwrap() + 12 + 5;
        let question = query[12..end].to_vec();
        Self { id, flags: 0x8180, question, sections: [const { Vec::new() }; 3] }
    }

    /// Creates the response to a question for `name`.
    pub(crate) fn about(name: &str, kind: u16) -> Self {
        let name = Name::parse(name).unwrap();
        let mut question = name.wire().to_vec();
        question.extend(kind.to_be_bytes());
        question.extend([0, 1]);
        Self { id: 7, flags: 0x8180, question, sections: [const { Vec::new() }; 3] }
    }

    pub(crate) fn code(mut self, code: u16) -> Self {
        self.flags |= code;
        self
    }

    pub(crate) fn answers(mut self, lines: &[&str]) -> Self {
        self.sections[0].extend(lines.iter().map(|text| line(text)));
        self
    }

    pub(crate) fn authority(mut self, lines: &[&str]) -> Self {
        self.sections[1].extend(lines.iter().map(|text| line(text)));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count = |section: usize| u16::try_from(self.sections[section].len()).unwrap();
        let mut out = Vec::new();
        for word in [self.id, self.flags, 1, count(0), count(1), count(2)] {
            out.extend(word.to_be_bytes());
        }
        out.extend(&self.question);
        self.sections.iter().flatten().for_each(|record| out.extend(record));
        out
    }
}

/// Returns the question of a query: the name in lower case, and the type.
pub(crate) fn question_of(query: &[u8]) -> (String, u16) {
    let response = tidegate::dns::Response::read(&[&query[..2], &[0x80], &query[3..]].concat());
    let response = response.unwrap();
    (response.name.to_string().to_ascii_lowercase(), response.question.0)
}

/// Returns a compression pointer.
pub(crate) fn pointer_to(at: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(at).unwrap()).to_be_bytes()
}

/// Returns names for offset `start`: each is the label `a` and a pointer to the name before, so
/// that the last one has as many labels as there are names.
pub(crate) fn ladder(labels: usize, start: usize) -> Vec<u8> {
    let mut out = b"\x01a\0".to_vec();
    for n in 1..labels {
        out.extend(b"\x01a");
        out.extend(pointer_to(if n == 1 { start } else { start + 3 + 4 * (n - 2) }));
    }
    out
}
