//! Coverage of the requirements: each one has a case or a scenario.

use std::collections::BTreeSet;
use std::path::Path;

use super::cases::CASES;

/// A requirement a line: its name as in `CASES`, its text in our words, and after `->` the
/// scenarios that show it.
const REQUIREMENTS: &str = include_str!("requirements.txt");

#[test]
fn every_requirement_has_a_case_or_scenario() {
    let mut uncovered = Vec::new();
    let mut named = BTreeSet::new();
    for line in REQUIREMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (what, scenarios) = line.split_once(" -> ").unwrap_or((line, ""));
        let (name, _) = what.split_once(": ").unwrap();
        assert!(named.insert(name), "{name} is listed twice");
        for scenario in scenarios.split_whitespace() {
            let path = format!("{}/tests/scenarios/{scenario}.txt", env!("CARGO_MANIFEST_DIR"));
            assert!(Path::new(&path).exists(), "{name}: no scenario {scenario}");
        }
        if scenarios.is_empty() && !CASES.iter().any(|case| case.0 == name) {
            uncovered.push(what);
        }
    }
    assert!(uncovered.is_empty(), "without a case:\n{}", uncovered.join("\n"));
    let unknown: Vec<_> =
        CASES.iter().map(|case| case.0).filter(|of| !named.contains(of)).collect();
    assert!(unknown.is_empty(), "cases of no requirement: {unknown:?}");
}
