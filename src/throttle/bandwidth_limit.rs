//! Limit of bytes by time, as text.

use std::fmt;
use std::str::FromStr;

use crate::units::{Bytes, Unit};

use super::client::ClientUnit;
use super::limit_text::{self, LimitText};

/// Bytes of one client by time: `1MiB/s`, `64KiB/s burst=4MiB by=network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandwidthLimit {
    /// Bytes allowed in a second, at least 1.
    pub bytes: u64,
    /// Bytes allowed at once, at least 1. The default is `bytes`.
    pub burst: u64,
    /// Clients that are counted.
    pub by: ClientUnit,
}

impl FromStr for BandwidthLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = LimitText::read(text, "SIZE/s, such as 1MiB/s")?;
        let bytes = parts.rate.strip_suffix("/s").and_then(size).ok_or_else(|| {
            format!("'{}' is not a rate of bytes; write SIZE/s, such as 1MiB/s", parts.rate)
        })?;
        let burst = match parts.burst {
            None => bytes,
            Some(text) => {
                size(text).ok_or_else(|| format!("burst: '{text}' is not {}", Bytes::EXPECTED))?
            }
        };
        Ok(Self { bytes, burst, by: parts.by })
    }
}

/// Parses a size that is not zero.
fn size(text: &str) -> Option<u64> {
    Bytes::read(text).map(|bytes| bytes.0).filter(|&bytes| bytes > 0)
}

impl fmt::Display for BandwidthLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let burst = (self.burst != self.bytes).then(|| Bytes(self.burst).write());
        let rest = limit_text::write(burst, self.by);
        write!(f, "{}/s{rest}", Bytes(self.bytes).write())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_round_trip() {
        for text in ["1MiB/s", "1MiB/s burst=4MiB by=user", "1500B/s", "1KiB/s by=network"] {
            assert_eq!(text.parse::<BandwidthLimit>().unwrap().to_string(), text);
        }
        let read: BandwidthLimit = " 1024K/s by=address\tburst=1M".parse().unwrap();
        assert_eq!(read.to_string(), "1MiB/s");
        let by = ClientUnit::Address;
        assert_eq!(read, BandwidthLimit { bytes: 1 << 20, burst: 1 << 20, by });
    }

    #[test]
    fn invalid_text_is_rejected_with_the_reason() {
        let error = |text: &str| text.parse::<BandwidthLimit>().unwrap_err();
        assert_eq!(error(""), "the rate is missing; write SIZE/s, such as 1MiB/s");
        for text in ["1MiB", "0/s", "/s", "1MiB/m", "-1/s", "1MiB/s/s"] {
            let message = "is not a rate of bytes; write SIZE/s, such as 1MiB/s";
            assert_eq!(error(text), format!("'{text}' {message}"));
        }
        for (text, message) in [
            ("1/s burst=0", "burst: '0' is not a size such as 64KiB, 256MiB or 1GiB"),
            ("1/s burst=x", "burst: 'x' is not a size such as 64KiB, 256MiB or 1GiB"),
            ("1/s by=x", "by: 'x' is none of address, network, user"),
            ("1/s x", "'x' after the rate is neither burst=NUMBER nor by=CLIENT"),
            ("1/s burst=1 burst=1", "'burst=1' is given twice"),
        ] {
            assert_eq!(error(text), message);
        }
    }

    proptest! {
        #[test]
        fn any_limit_round_trips(bytes in 1u64.., burst in 1u64..) {
            let limit = BandwidthLimit { bytes, burst, by: ClientUnit::User };
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }
    }
}
