//! Metrics of the process, its disks, the access log and the event loop.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::proxy::observe::metric::{
    Metric, Value, counter, gauge, gauges_of, histogram, info, longest, seconds,
};
use crate::proxy::observe::process_figures::ProcessFigures;
use crate::reactor::LoopStats;
use crate::time::Now;

use super::gauges::Gauges;

/// Returns the metrics of the process, under the names that client libraries of Prometheus give them.
pub(super) fn process(figures: Option<ProcessFigures>, now: Now) -> Vec<Metric> {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let build = info("build_info", "Version of this program; the value is 1.", version);
    let Some(figures) = figures else { return vec![build] };
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let uptime = now.wall.duration_since(figures.started).unwrap_or_default();
    vec![
        build,
        gauge(
            "uptime_seconds",
            "Time since the start of the process, in seconds.",
            Value::Real(uptime.as_secs_f64()),
        ),
        seconds(
            "process_cpu_seconds_total",
            "Time of processors used, in seconds.",
            figures.cpu.as_secs_f64(),
        ),
        gauge("process_open_fds", "Open descriptors.", Value::Whole(figures.descriptors)),
        gauge(
            "process_max_fds",
            "Most descriptors that may be open.",
            Value::Whole(figures.most_descriptors),
        ),
        gauge(
            "process_resident_memory_bytes",
            "Memory that is present, in bytes.",
            Value::Whole(figures.resident),
        ),
        gauge(
            "process_virtual_memory_bytes",
            "Address space, in bytes.",
            Value::Whole(figures.virtual_memory),
        ),
        gauge(
            "process_start_time_seconds",
            "Time of the start of the process, in seconds since 1970.",
            Value::Real(since(figures.started).as_secs_f64()),
        ),
    ]
}

/// Returns the metrics of the disks that the process writes to.
pub(super) fn disks(gauges: &Gauges) -> Vec<Metric> {
    vec![
        gauges_of(
            "disk_free_bytes",
            "Bytes that may still be written to a disk, by its purpose.",
            "disk",
            gauges.of_disks(|disk| Some(disk.free_bytes)),
        ),
        gauges_of(
            "disk_free_inodes",
            "Files that may still be created on a disk, by its purpose.",
            "disk",
            gauges.of_disks(|disk| disk.free_inodes),
        ),
        gauges_of(
            "disk_full_seconds",
            "Likely time until a disk that is filling is full, in seconds, by its purpose.",
            "disk",
            gauges.of_disks(|disk| disk.full_in.map(|time| time.as_secs())),
        ),
    ]
}

/// Returns the metrics of the access log and the event loop.
pub(super) fn internals(gauges: &Gauges, load: &LoopStats) -> Vec<Metric> {
    vec![
        counter(
            "log_dropped_total",
            "Access log lines lost before they were written.",
            gauges.lost_log_lines,
        ),
        histogram("turn_seconds", "Duration of turns of the event loop, in seconds.", &load.turns),
        gauge(
            "turn_longest_seconds",
            "Longest turn of the event loop since the start, in seconds.",
            longest(&load.turns),
        ),
        histogram(
            "lag_seconds",
            "Delay from a deadline until the event loop handles it, in seconds.",
            &load.lag,
        ),
        gauge(
            "lag_longest_seconds",
            "Longest delay of a deadline since the start, in seconds.",
            longest(&load.lag),
        ),
    ]
}
