//! Hashes that identify an endpoint by the name of its member and its address.

use siphasher::sip::SipHasher13;

use super::address::OriginAddress;

/// Returns a keyed hash that is the same for the same name and address, in every process.
pub(super) fn hash(key: &[u8; 16], name: &str, address: &OriginAddress) -> u64 {
    let text = format!("{name}\0{address}");
    SipHasher13::new_with_key(key).hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_key_name_and_address() {
        let address = |port| OriginAddress::Tcp(([127, 0, 0, 1], port).into());
        let of = |key, name, port| hash(&[key; 16], name, &address(port));
        let all = [of(0, "a", 1), of(1, "a", 1), of(0, "b", 1), of(0, "a", 2)];
        assert!((1..4).all(|at| !all[..at].contains(&all[at])), "{all:x?}");
        assert_eq!(of(0, "a", 1), 7_307_913_607_497_662_054, "clients keep it across versions");
    }
}
