//! A writer of databases for tests, by the specification of the MaxMind DB format 2.0.

use std::fmt::Debug;
use std::net::IpAddr;

/// Value in a record.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(u32),
    Map(Vec<(&'static str, Self)>),
}

/// Where a branch of the search tree leads.
#[derive(Clone, Copy)]
enum Branch {
    Nowhere,
    Node(usize),
    Record(usize),
}

/// Database in the making. IPv4 networks are those below `::/96`, and have the usual aliases.
pub(crate) struct Writer {
    kind: &'static str,
    bits: u16,
    nodes: Vec<[Branch; 2]>,
    records: Vec<Value>,
}

impl Writer {
    /// Begins a database of this type, with 24, 28 or 32 bits for each branch.
    pub(crate) fn new(kind: &'static str, bits: u16) -> Self {
        Self { kind, bits, nodes: vec![[Branch::Nowhere; 2]], records: Vec::new() }
    }

    /// Adds a network, which may not be within one that was added.
    pub(crate) fn add(&mut self, network: &str, record: Value) {
        self.records.push(record);
        self.lead(network, Branch::Record(self.records.len() - 1));
    }

    /// Makes the usual IPv6 networks lead to those of IPv4, if there are any.
    fn add_aliases(&mut self) {
        let mut node = 0;
        for _ in 0..96 {
            let Branch::Node(next) = self.nodes[node][0] else { return };
            node = next;
        }
        for network in ["::ffff:0:0/96", "2001::/32", "2002::/16"] {
            self.lead(network, Branch::Node(node));
        }
    }

    fn lead(&mut self, network: &str, branch: Branch) {
        let (address, prefix) = network.split_once('/').unwrap();
        let (bits, depth) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 96 + prefix.parse::<usize>().unwrap()),
            IpAddr::V6(v6) => (u128::from(v6), prefix.parse().unwrap()),
        };
        let mut node = 0;
        for at in 0..depth {
            let side = usize::from(bits >> (127 - at) & 1 == 1);
            node = match self.nodes[node][side] {
                _ if at + 1 == depth => {
                    self.nodes[node][side] = branch;
                    return;
                }
                Branch::Node(next) => next,
                Branch::Nowhere | Branch::Record(_) => {
                    let next = self.nodes.len();
                    self.nodes.push([self.nodes[node][side]; 2]);
                    self.nodes[node][side] = Branch::Node(next);
                    next
                }
            };
        }
    }

    /// Returns the file.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.add_aliases();
        let (mut data, mut offsets) = (Vec::new(), Vec::new());
        for record in &self.records {
            offsets.push(data.len());
            encode(record, &mut data);
        }
        let mut file = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|branch| match branch {
                Branch::Nowhere => self.nodes.len(),
                Branch::Node(node) => node,
                Branch::Record(record) => self.nodes.len() + 16 + offsets[record],
            });
            push_node(&mut file, fit(left), fit(right), self.bits);
        }
        file.extend([0; 16]);
        file.extend(data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        self.encode_metadata(&mut file);
        file
    }

    fn encode_metadata(&self, out: &mut Vec<u8>) {
        out.push(0xe0 | 9);
        let text = |text: &str| Value::Text(text.to_owned());
        let mut pair = |name: &str, encode_value: &dyn Fn(&mut Vec<u8>)| {
            encode(&text(name), out);
            encode_value(out);
        };
        pair("binary_format_major_version", &|out| encode_short(2, out));
        pair("binary_format_minor_version", &|out| encode_short(0, out));
        pair("build_epoch", &|out| out.extend([0x08, 2, 0x68, 0, 0, 0, 0, 0, 0, 0]));
        pair("database_type", &|out| encode(&text(self.kind), out));
        pair("description", &|out| encode(&Value::Map(vec![("en", text("a test"))]), out));
        pair("ip_version", &|out| encode_short(6, out));
        pair("languages", &|out| out.extend([0, 4]));
        pair("node_count", &|out| encode(&Value::Number(fit(self.nodes.len())), out));
        pair("record_size", &|out| encode_short(self.bits, out));
    }
}

fn fit<N: TryFrom<usize>>(number: usize) -> N
where
    N::Error: Debug,
{
    number.try_into().unwrap()
}

fn push_node(file: &mut Vec<u8>, left: u32, right: u32, bits: u16) {
    let ([l0, l1, l2, l3], [r0, r1, r2, r3]) = (left.to_be_bytes(), right.to_be_bytes());
    match bits {
        24 => file.extend([l1, l2, l3, r1, r2, r3]),
        28 => file.extend([l1, l2, l3, l0 << 4 | r0, r1, r2, r3]),
        _ => file.extend([l0, l1, l2, l3, r0, r1, r2, r3]),
    }
}

fn encode_short(number: u16, out: &mut Vec<u8>) {
    out.push(0xa0 | 2);
    out.extend(number.to_be_bytes());
}

/// Encodes a value; texts have at most 284 bytes.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) if text.len() < 29 => {
            out.push(0x40 | fit::<u8>(text.len()));
            out.extend(text.as_bytes());
        }
        Value::Text(text) => {
            out.extend([0x40 | 29, fit(text.len() - 29)]);
            out.extend(text.as_bytes());
        }
        Value::Number(number) => {
            out.push(0xc0 | 4);
            out.extend(number.to_be_bytes());
        }
        Value::Map(pairs) => {
            out.push(0xe0 | fit::<u8>(pairs.len()));
            for (name, value) in pairs {
                encode(&Value::Text((*name).to_owned()), out);
                encode(value, out);
            }
        }
    }
}

/// Returns a record with a country, as databases of countries have it.
pub(crate) fn country(code: &str) -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Text(code.to_owned()))]))])
}

/// Returns a record with the number of an autonomous system, as databases of those have it.
pub(crate) fn network(number: u32) -> Value {
    Value::Map(vec![("autonomous_system_number", Value::Number(number))])
}

/// Returns a record whose country is of another type than the format of databases of countries says.
pub(crate) fn corrupt_country() -> Value {
    Value::Map(vec![("country", Value::Map(vec![("iso_code", Value::Number(1))]))])
}
