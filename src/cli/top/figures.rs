//! Numbers, sizes and times as short text.

/// Formats a number of bytes with three digits: `512 B`, `1.50 KiB`, `12.3 GiB`.
pub(super) fn bytes(number: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut number, mut unit) = (number.max(0.0), 0);
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number:.0} B") } else { format!("{} {}", three(number), UNITS[unit]) }
}

/// Formats a number without unit: `7`, `12.3K`, `4.56M`.
pub(super) fn count(number: f64) -> String {
    const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];
    let (mut number, mut unit) = (number.max(0.0), 0);
    while number >= if unit == 0 { 9999.5 } else { 999.5 } && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{number:.0}") } else { format!("{}{}", three(number), UNITS[unit]) }
}

/// Formats a rate per second.
pub(super) fn rate(number: f64) -> String {
    if number < 99.95 { format!("{:.1}", number.max(0.0)) } else { count(number) }
}

/// Formats a number of seconds: `350 us`, `1.20 ms`, `2.50 s`.
pub(super) fn seconds(number: f64) -> String {
    match number {
        _ if number < 0.000_999_5 => format!("{:.0} us", number * 1e6),
        _ if number < 0.999_5 => format!("{} ms", three(number * 1e3)),
        _ => format!("{} s", three(number)),
    }
}

/// Formats a share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// Formats a number of seconds in its two largest units: `3d 4h`, `5h 2m`, `7m 1s`.
pub(super) fn span(number: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s")];
    let number = number.max(0.0);
    let largest = UNITS.iter().position(|(unit, _)| number >= *unit).unwrap_or(UNITS.len() - 1);
    let whole = |unit: f64| (number / unit).floor();
    let (unit, name) = UNITS[largest];
    match UNITS.get(largest + 1) {
        None => format!("{}{name}", whole(unit)),
        Some((smaller, smaller_name)) => {
            let rest = ((number - whole(unit) * unit) / smaller).floor();
            format!("{}{name} {rest}{smaller_name}", whole(unit))
        }
    }
}

/// Formats with three digits.
fn three(number: f64) -> String {
    match number {
        _ if number < 9.995 => format!("{number:.2}"),
        _ if number < 99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
