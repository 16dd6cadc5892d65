//! Metrics of a running proxy: their values at one moment.

mod clients;
mod exchanges;
pub(crate) mod formats;
pub(crate) mod gauges;
mod internals;
mod origins;

use crate::reactor::LoopStats;

use super::counters::Counters;
use super::metric::Metric;
use super::process_figures::ProcessFigures;
use crate::time::Now;
use gauges::Gauges;

/// The metrics at one moment.
#[derive(Clone, Debug)]
pub struct Stats(Vec<Metric>);

impl Stats {
    /// Returns the metrics of the proxy; those of the process are left out if they are unknown.
    pub(crate) fn of(
        counters: &Counters,
        gauges: &Gauges,
        load: &LoopStats,
        figures: Option<ProcessFigures>,
        now: Now,
    ) -> Self {
        let groups = [
            exchanges::requests(counters),
            exchanges::cache(counters, gauges),
            exchanges::compression(counters),
            origins::origins(counters, gauges),
            clients::clients(counters, gauges),
            clients::tls(counters, gauges),
            clients::authentication(counters, gauges),
            clients::bans(counters, gauges),
            clients::failures(counters),
            internals::internals(gauges, load),
            internals::disks(gauges),
            internals::process(figures, now),
        ];
        Self(groups.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::gauges::{GaugeLimits, OriginGauge};
    use super::*;
    use crate::cache::CacheStats;
    use crate::proxy::observe::disk_figures::DiskFigures;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn all_forms_show_the_same_values() {
        let mut counters = Counters::default();
        (counters.fetches, counters.dialled, counters.reused) = (3, 2, 1);
        counters.denials.insert("client".into(), 2);
        let gauges = Gauges {
            cache: CacheStats { entries: 5, bytes: 1000, slack: 0, evicted: 7 },
            clients: 1,
            tunnels: 0,
            fetching: 0,
            pooled: 2,
            passwords: 3,
            lost_log_lines: 0,
            strays: 0,
            refused: 0,
            memory: 0,
            certificates: vec![("h.test".into(), 41)],
            origins: vec![OriginGauge {
                name: "app http://h.test:80".into(),
                is_up: true,
                in_flight: 1,
                requests: 2,
                failures: 3,
            }],
            bans: 0,
            filled: 0,
            disks: vec![DiskFigures {
                name: "log",
                free_bytes: 4096,
                free_inodes: None,
                full_in: Some(Duration::from_millis(90_500)),
            }],
            limits: GaugeLimits::default(),
        };
        let now = SystemClock.now();
        let stats = Stats::of(&counters, &gauges, &LoopStats::default(), None, now);
        let (people, json, prometheus) = (stats.to_string(), stats.json(), stats.prometheus());
        assert!(people.contains("\ncache_objects                    5\n"), "{people}");
        assert!(people.contains("\nconnections_total reused         1\n"), "{people}");
        assert!(json.contains("\"cache_objects\":5,"), "{json}");
        assert!(json.contains("\"connections_total\":{\"new\":2,\"reused\":1},"), "{json}");
        assert!(json.starts_with("{\"requests_total\":{\"hit\":0,") && json.ends_with("}\n"));
        for line in [
            "# TYPE tidegate_cache_objects gauge\ntidegate_cache_objects 5\n",
            "\ntidegate_connections_total{kind=\"reused\"} 1\n",
            "\ntidegate_denials_total{rule=\"client\"} 2\n",
            "\ntidegate_hit_ratio 0.000000\n",
            "\ntidegate_passwords 3\n",
            "\ntidegate_disk_free_bytes{disk=\"log\"} 4096\n",
            "\ntidegate_disk_full_seconds{disk=\"log\"} 90\n",
            "\ntidegate_certificate_days_left{name=\"h.test\"} 41\n",
            "\ntidegate_turn_seconds_bucket{le=\"0.0001\"} 0\n",
            "\ntidegate_turn_seconds_bucket{le=\"+Inf\"} 0\ntidegate_turn_seconds_sum 0.000000\n",
        ] {
            assert!(prometheus.contains(line), "{line}{prometheus}");
        }
    }
}
