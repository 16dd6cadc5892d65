//! Texts of limits and bans: what is read can be written and read again, and a file of bans is read
//! as a whole or refused.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use tidegate::reactor::{Clock, VirtualClock};
use tidegate::throttle::{BanRule, BandwidthLimit, Bans, RateLimit};

/// Most bans that are kept.
const BOUND: usize = 8;

/// Checks any text as a rule, as a limit and as a file of bans.
pub fn rules(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    for line in text.lines() {
        reads_back::<BanRule>(line);
        reads_back::<RateLimit>(line);
        reads_back::<BandwidthLimit>(line);
    }
    file_of_bans(text);
}

fn reads_back<T>(text: &str)
where
    T: FromStr<Err = String> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse(), Ok(value)),
        Err(why) => assert!(!why.is_empty()),
    }
}

fn file_of_bans(text: &str) {
    let now = VirtualClock::default().now();
    let empty = || {
        let allowed = ["192.0.2.0/24".parse().expect("a range")];
        Bans::new(Vec::new(), allowed.to_vec(), BOUND)
    };
    let mut bans = empty();
    match bans.restore(text, now) {
        Err(why) => {
            assert!(why.starts_with("line ") && !why.contains('\n'), "{why}");
            assert!(bans.is_empty(), "a file that is refused leaves no ban");
        }
        Ok(_) => {
            assert!(bans.len() <= BOUND);
            let (written, mut again) = (bans.to_text(), empty());
            assert_eq!(again.restore(&written, now), Ok(bans.len()), "{written}");
            assert_eq!(again.to_text(), written);
            for ban in bans.list(now) {
                let address = ban.network.first();
                let found = bans.check(address, now.mono);
                let is_exempt =
                    address.is_loopback() || address.to_string().starts_with("192.0.2.");
                assert!(is_exempt || found.is_some_and(|found| found.action >= ban.action));
                assert!(!ban.why.contains(char::is_control));
            }
            bans.lift("0.0.0.0/0".parse().expect("a range"));
            bans.lift("::/0".parse().expect("a range"));
            assert!(bans.is_empty() && bans.next_deadline().is_none());
        }
    }
}
