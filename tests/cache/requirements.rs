//! Every requirement has a case of its own, or a scenario.

use std::collections::BTreeSet;
use std::path::Path;

use super::cases::CASES;

/// What is required: the name cases have, and what is asked in our words; behind `->`, scenarios that
/// show it.
const REQUIREMENTS: &str = include_str!("requirements.txt");

#[test]
fn every_requirement_is_shown_and_nothing_else_is() {
    let mut uncovered = Vec::new();
    let mut named = BTreeSet::new();
    for line in REQUIREMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (what, scenarios) = line.split_once(" -> ").unwrap_or((line, ""));
        let (name, _) = what.split_once(": ").unwrap();
        assert!(named.insert(name), "{name} stands there twice");
        for scenario in scenarios.split_whitespace() {
            let path = format!("{}/tests/scenarios/{scenario}.txt", env!("CARGO_MANIFEST_DIR"));
            assert!(Path::new(&path).exists(), "{name}: there is no scenario {scenario}");
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
