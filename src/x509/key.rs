//! Algorithm and size of a subject's key.

use std::fmt;

use x509_cert::SubjectPublicKeyInfo;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier, UintRef};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Algorithm of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with a modulus of this many bits, 0 if the key is malformed.
    Rsa(usize),
    /// ECDSA on the curve P-256.
    EcdsaP256,
    /// ECDSA on the curve P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
    /// Other algorithm, named by its object identifier; that of the curve if there is one.
    Other(String),
}

impl KeyAlgorithm {
    pub(super) fn of(key: &SubjectPublicKeyInfo) -> Self {
        match key.algorithm.oid {
            RSA => Self::Rsa(modulus_bits(key.subject_public_key.raw_bytes()).unwrap_or(0)),
            ED25519 => Self::Ed25519,
            ELLIPTIC_CURVE => {
                let curve = key.algorithm.parameters.as_ref();
                let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
                match curve {
                    Some(P256) => Self::EcdsaP256,
                    Some(P384) => Self::EcdsaP384,
                    other => Self::Other(other.unwrap_or(ELLIPTIC_CURVE).to_string()),
                }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::EcdsaP256 => f.write_str("ECDSA P-256"),
            Self::EcdsaP384 => f.write_str("ECDSA P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(identifier) => f.write_str(identifier),
        }
    }
}

/// Returns the size of the modulus in an RSAPublicKey (RFC 8017 §A.1.1).
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let numbers = Vec::<AnyRef<'_>>::from_der(key).ok()?;
    let modulus = numbers.first()?.decode_as::<UintRef<'_>>().ok()?.as_bytes();
    let unused = modulus.first()?.leading_zeros();
    (8 * modulus.len()).checked_sub(usize::try_from(unused).ok()?)
}
