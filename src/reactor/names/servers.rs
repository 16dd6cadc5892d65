//! In which order servers are asked: those that were silent lately go last.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// For how long a server that was silent goes last.
const PENANCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Who was silent, and until when that counts.
    silent: Vec<(SocketAddr, Instant)>,
    /// How many look-ups there were, where they take turns.
    turns: usize,
}

impl Servers {
    pub(super) fn order(
        &mut self,
        servers: &[SocketAddr],
        rotate: bool,
        now: Instant,
    ) -> Vec<SocketAddr> {
        let mut order = servers.to_vec();
        if rotate && !order.is_empty() {
            self.turns = self.turns.wrapping_add(1);
            let first = self.turns % order.len();
            order.rotate_left(first);
        }
        self.silent.retain(|&(_, until)| now < until);
        order.sort_by_key(|server| self.silent.iter().any(|(silent, _)| silent == server));
        order
    }

    pub(super) fn notice(&mut self, server: SocketAddr, answered: bool, now: Instant) {
        self.silent.retain(|&(silent, _)| silent != server);
        if !answered {
            self.silent.push((server, now + PENANCE));
        }
    }

    pub(super) fn forget(&mut self) {
        self.silent.clear();
    }
}

#[cfg(test)]
mod tests {
    use crate::reactor::{Clock, VirtualClock};

    use super::*;

    #[test]
    fn who_was_silent_goes_last_for_a_while() {
        let [a, b, c] = [1, 2, 3].map(|last| SocketAddr::from(([192, 0, 2, last], 53)));
        let (mut servers, now) = (Servers::default(), VirtualClock::default().now().mono);
        servers.notice(a, false, now);
        assert_eq!(servers.order(&[a, b, c], false, now), [b, c, a]);
        servers.notice(b, false, now + PENANCE / 2);
        assert_eq!(servers.order(&[a, b, c], false, now + PENANCE / 2), [c, a, b]);
        assert_eq!(servers.order(&[a, b, c], false, now + PENANCE), [a, c, b]);
        servers.notice(b, true, now + PENANCE);
        assert_eq!(servers.order(&[a, b, c], false, now + PENANCE), [a, b, c]);
        assert_eq!(servers.order(&[a, b, c], true, now), [b, c, a]);
        assert_eq!(servers.order(&[a, b, c], true, now), [c, a, b]);
        assert_eq!(servers.order(&[], true, now), []);
    }
}
