//! The two extensions that are read: subject alternative name and authority key identifier.

use std::net::IpAddr;

use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Tag, TagNumber, Tagged};

use super::{X509Error, host};

const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// Tags of the choices of `GeneralName` that name hosts (RFC 5280 §4.2.1.6), and of the
/// `keyIdentifier` (§4.2.1.1).
const DNS_NAME: TagNumber = TagNumber(2);
const IP_ADDRESS: TagNumber = TagNumber(7);
const KEY_IDENTIFIER: TagNumber = TagNumber(0);

/// Hosts that a subject alternative name lists.
#[derive(Default)]
pub(super) struct AlternativeNames {
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
}

/// Returns the hosts of the subject alternative name. Names of other kinds are skipped.
pub(super) fn alternative_names(of: &TbsCertificate) -> Result<AlternativeNames, X509Error> {
    let mut names = AlternativeNames::default();
    for (number, value) in members(of, SUBJECT_ALTERNATIVE_NAME)? {
        match number {
            DNS_NAME => names.dns.extend(dns_name(value)),
            IP_ADDRESS => names.addresses.extend(ip_address(value)),
            _ => {}
        }
    }
    Ok(names)
}

/// Returns the key identifier of the authority key identifier.
pub(super) fn authority_key_identifier(of: &TbsCertificate) -> Result<Option<Vec<u8>>, X509Error> {
    let members = members(of, AUTHORITY_KEY_IDENTIFIER)?;
    let identifier = members.into_iter().find(|(number, _)| *number == KEY_IDENTIFIER);
    Ok(identifier.map(|(_, value)| value.to_vec()))
}

/// Returns the members of an extension that is a sequence of context-specific values; none if the
/// certificate lacks the extension. An extension that stands twice is an error (RFC 5280 §4.2).
fn members(
    of: &TbsCertificate,
    identifier: ObjectIdentifier,
) -> Result<Vec<(TagNumber, &[u8])>, X509Error> {
    let extensions = of.extensions().map(Vec::as_slice).unwrap_or_default();
    let mut found = extensions.iter().filter(|extension| extension.extn_id == identifier);
    let Some(extension) = found.next() else { return Ok(Vec::new()) };
    if found.next().is_some() {
        return Err(X509Error(format!("the extension {identifier} stands twice")));
    }
    let members = Vec::<AnyRef<'_>>::from_der(extension.extn_value.as_bytes())?;
    let tagged = members.into_iter().filter_map(|member| match member.tag() {
        Tag::ContextSpecific { number, .. } => Some((number, member.value())),
        _ => None,
    });
    Ok(tagged.collect())
}

fn dns_name(value: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(value).ok().filter(|name| host::is_name(name))?;
    Some(name.to_ascii_lowercase())
}

fn ip_address(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}
