//! Answers of the proxy to one poll.

use std::time::Duration;

use super::clean::clean;
use super::metrics::Metrics;
use super::tops::Tops;

/// State of the proxy at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Time of the poll, since any fixed moment.
    pub(super) at: Duration,
    pub(super) metrics: Metrics,
    /// `None` if the proxy keeps no lists.
    pub(super) tops: Option<Tops>,
    /// Lines about groups of origins and their members.
    pub(super) origins: Vec<String>,
}

impl Reading {
    /// Parses the text of the answers to `stats json`, `tops json` and `origin list`. An error about one of the
    /// last two counts as an empty answer: proxies of other versions may not know them.
    ///
    /// # Errors
    /// A message if the metrics are missing or unreadable.
    pub(super) fn parse(
        at: Duration,
        stats: &str,
        tops: Option<&str>,
        origins: Option<&str>,
    ) -> Result<Self, String> {
        Ok(Self {
            at,
            metrics: Metrics::parse(stats)?,
            tops: tops.and_then(Tops::parse),
            origins: origins.unwrap_or_default().lines().map(clean).collect(),
        })
    }

    /// Returns true if the process that gave `earlier` has given this reading, too.
    pub(super) fn continues(&self, earlier: &Self) -> bool {
        let started = |reading: &Self| reading.metrics.value("process_start_time_seconds");
        let uptime = |reading: &Self| reading.metrics.value("uptime_seconds");
        (started(self) - started(earlier)).abs() < 0.5 && uptime(self) >= uptime(earlier)
    }
}
