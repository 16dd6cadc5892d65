//! Quantiles of what a histogram has counted between two readings.

use super::metrics::Metrics;

/// Quantiles in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
}

impl Quantiles {
    /// Returns the quantiles of the histogram `name`, of all its labels together; `None` if nothing was
    /// counted. A quantile is interpolated within its bucket; beyond the last bound, it is that bound.
    pub(super) fn between(earlier: &Metrics, later: &Metrics, name: &str) -> Option<Self> {
        let (before, after) = (buckets(earlier, name), buckets(later, name));
        let count_before = |bound: f64| {
            let same = before.iter().find(|(other, _)| other.total_cmp(&bound).is_eq());
            same.map_or(0.0, |(_, count)| *count)
        };
        let grown: Vec<(f64, f64)> = after
            .into_iter()
            .map(|(bound, count)| (bound, (count - count_before(bound)).max(0.0)))
            .collect();
        let total = grown.last().map(|(_, count)| *count).filter(|total| *total > 0.0)?;
        let quantile = |share: f64| quantile(&grown, total * share);
        Some(Self { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) })
    }
}

/// Returns the bounds and cumulative counts, summed over labels, lowest bound first.
fn buckets(metrics: &Metrics, name: &str) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    for (label, count) in metrics.labels(name) {
        let bound = label.rsplit(' ').next().and_then(|bound| bound.parse::<f64>().ok());
        let Some(bound) = bound.filter(|bound| !bound.is_nan()) else { continue };
        match found.iter_mut().find(|(other, _)| other.total_cmp(&bound).is_eq()) {
            Some((_, sum)) => *sum += count,
            None => found.push((bound, count)),
        }
    }
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    found
}

/// Returns the value below which `wanted` of the counted ones lie.
fn quantile(buckets: &[(f64, f64)], wanted: f64) -> f64 {
    let (mut from, mut below) = (0.0, 0.0);
    for &(bound, count) in buckets {
        if count >= wanted {
            if bound.is_infinite() {
                return from;
            }
            let share = if count > below { (wanted - below) / (count - below) } else { 1.0 };
            return from + (bound - from) * share;
        }
        (from, below) = (bound, count);
    }
    from
}
