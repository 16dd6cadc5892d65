//! Time for the validity of certificates and sessions.

use std::fmt;
use std::time::UNIX_EPOCH;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::reactor::Clock;

/// The wall time of a reactor's clock.
#[derive(Clone)]
pub struct WallTime<C>(pub C);

impl<C> fmt::Debug for WallTime<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallTime")
    }
}

impl<C: Clock + Send + Sync> TimeProvider for WallTime<C> {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now().wall.duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
