#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;
const CAPACITY: u64 = 100 * GIB;
const HOUR: u64 = 60 * 60;

/// Forecast after a sample in each minute of so many hours, and the last use.
fn after(hours: u64, used: impl Fn(u64) -> u64) -> (Forecast, u64) {
    let mut forecast = Forecast::default();
    let last = hours * 60;
    for minute in 0..=last {
        let level = Level { used: used(minute), capacity: CAPACITY };
        forecast.add(Duration::from_secs(minute * 60), level);
    }
    (forecast, used(last))
}

/// Seconds until a disk is full to which each minute adds so much.
fn seconds(used: u64, each_minute: u64) -> u64 {
    (CAPACITY - used) / each_minute * 60
}

/// True if the numbers differ by a share of so many percent at most.
fn is_close(found: u64, expected: u64, percent: u64) -> bool {
    found.abs_diff(expected) <= expected * percent / 100 + 60
}

/// A number that looks random, but is the same in each run.
fn scatter(seed: u64, at: u64, below: u64) -> u64 {
    let mixed = (seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 31) % below
}

proptest! {
    #[test]
    fn linear_growth_is_foreseen(rate in 400_000_u64..20_000_000, hours in 1_u64..40) {
        let (forecast, used) = after(hours, |minute| GIB + rate * minute);
        let expected = seconds(used, rate);
        let Outlook::Fills { soonest, likely, latest } = forecast.outlook() else {
            panic!("{:?}", forecast.outlook());
        };
        prop_assert!(is_close(likely.as_secs(), expected, 1), "{likely:?} {expected}");
        prop_assert!(soonest <= likely && likely <= latest);
        prop_assert!(is_close(latest.as_secs(), soonest.as_secs(), 1));
    }

    /// Noise whose amplitude is a twentieth of the growth.
    #[test]
    fn noisy_growth_is_foreseen(rate in 400_000_u64..10_000_000, seed in any::<u64>(), hours in 1_u64..30) {
        let noise = rate * hours.min(4) * 60 / 20;
        let (forecast, used) =
            after(hours, |minute| GIB + rate * minute + scatter(seed, minute, noise));
        let found = forecast.outlook().full_in().unwrap().as_secs();
        let expected = seconds(used, rate);
        prop_assert!(is_close(found, expected, 40), "{found} {expected}");
    }

    #[test]
    fn constant_and_shrinking_use_is_steady(
        used in 30 * GIB..CAPACITY, rate in 0_u64..10_000_000, hours in 1_u64..30,
    ) {
        let (forecast, _) = after(hours, |minute| used - rate * minute);
        prop_assert_eq!(forecast.outlook(), Outlook::Steady);
    }

    #[test]
    fn noise_alone_is_steady_after_a_day(seed in any::<u64>(), noise in 1_u64..GIB) {
        // A range of nine in ten leaves one in twenty that seems to rise; the rise of the highest
        // use excludes most of those, and what is left is far away.
        let (forecast, _) = after(24, |minute| 10 * GIB + scatter(seed, minute, noise));
        let soon = forecast.outlook().full_in().is_some_and(|time| time.as_secs() < 5 * 24 * HOUR);
        prop_assert!(!soon, "{:?}", forecast.outlook());
    }

    /// A log that is rotated, the old file being deleted.
    #[test]
    fn rotation_that_deletes_is_steady(
        rate in 1_000_000_u64..20_000_000, period in 30_u64..360, ends_at in 0_u64..360,
    ) {
        let mut forecast = Forecast::default();
        for minute in 0..=24 * 60 + ends_at {
            let level = Level { used: GIB + rate * (minute % period), capacity: CAPACITY };
            forecast.add(Duration::from_secs(minute * 60), level);
        }
        // The teeth stay far below the capacity: no alarm.
        let soon = forecast.outlook().full_in().is_some_and(|time| time.as_secs() < 24 * HOUR);
        prop_assert!(!soon, "{:?}", forecast.outlook());
    }

    /// A file in steps, as a program writes that flushes seldom.
    #[test]
    fn steps_are_foreseen_like_their_mean(rate in 1_000_000_u64..5_000_000, step in 2_u64..10) {
        let (forecast, used) = after(24, |minute| GIB + rate * (minute / step * step));
        let found = forecast.outlook().full_in().unwrap().as_secs();
        prop_assert!(is_close(found, seconds(used, rate), 10), "{found}");
    }

    #[test]
    fn any_samples_are_taken_in_bounded_memory(
        samples in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..400),
    ) {
        let mut forecast = DiskForecast::default();
        let mut alarm = Alarm::new(Duration::from_secs(24 * HOUR));
        for (at, used, capacity) in samples {
            let bytes = Level { used, capacity };
            let inodes = Some(Level { used: capacity, capacity: used });
            forecast.add(Duration::from_secs(at), DiskUse { bytes, inodes });
            let (_, outlook) = forecast.outlook();
            alarm.is_due(outlook);
            prop_assert!(!outlook.to_string().is_empty());
        }
    }
}

#[test]
fn series_are_bounded() {
    let (forecast, _) = after(100, |minute| minute);
    assert_eq!(forecast.hour.points().len(), series::MOST as usize);
    assert_eq!(forecast.day.points().len(), series::MOST as usize);
}

#[test]
fn sudden_growth_is_foreseen_by_the_last_hour() {
    let rate = 500 << 20;
    let sudden = |minute: u64| GIB + rate * minute.saturating_sub(23 * 60);
    let (forecast, used) = after(24, sudden);
    let found = forecast.outlook().full_in().unwrap().as_secs();
    assert!(is_close(found, seconds(used, rate), 5), "{found}");
}

#[test]
fn quiet_hour_does_not_hide_the_growth_of_the_day() {
    let (forecast, _) = after(24, |minute| GIB + 20_000_000 * minute.min(23 * 60));
    assert!(forecast.outlook().full_in().is_some());
}

#[test]
fn full_disk_is_full_at_once_and_few_samples_say_nothing() {
    let mut forecast = Forecast::default();
    assert_eq!(forecast.outlook(), Outlook::Unknown);
    forecast.add(Duration::ZERO, Level { used: 5, capacity: 10 });
    assert_eq!(forecast.outlook(), Outlook::Unknown);
    forecast.add(Duration::from_secs(2), Level { used: 10, capacity: 10 });
    assert_eq!(forecast.outlook(), Outlook::Full);
}

#[test]
fn inodes_that_are_used_up_first_are_named() {
    let mut forecast = DiskForecast::default();
    for minute in 0..60 {
        let bytes = Level { used: GIB, capacity: CAPACITY };
        let inodes = Some(Level { used: 1000 * minute, capacity: 120_000 });
        forecast.add(Duration::from_secs(60 * minute), DiskUse { bytes, inodes });
    }
    let (resource, outlook) = forecast.outlook();
    assert_eq!(resource, Resource::Inodes);
    assert_eq!(outlook.to_string(), "is full in 1h 1m (61m to 61m)");
}

#[test]
fn outlooks_are_written_in_large_units() {
    let hours = |hours| Duration::from_secs(hours * HOUR);
    let fills =
        Outlook::Fills { soonest: hours(5 * 24), likely: hours(148), latest: hours(8 * 24 + 1) };
    assert_eq!(fills.to_string(), "is full in 6d 4h (5d to 8d)");
}

#[test]
fn alarm_is_raised_once_for_each_crossing() {
    let mut alarm = Alarm::new(Duration::from_secs(24 * HOUR));
    let fills = |hours| {
        let time = Duration::from_secs(hours * HOUR);
        Outlook::Fills { soonest: time, likely: time, latest: time }
    };
    let outlooks =
        [fills(25), fills(23), fills(30), fills(22), Outlook::Full, fills(40), fills(20)];
    let due: Vec<bool> = outlooks.into_iter().map(|outlook| alarm.is_due(outlook)).collect();
    assert_eq!(due, [false, true, false, false, false, false, true]);
}
