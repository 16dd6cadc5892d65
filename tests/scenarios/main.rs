#![doc = include_str!("README.md")]
#![expect(clippy::unwrap_used, reason = "in a test an error is a failure")]

mod application;
mod decoding;
mod form;
mod geography;
mod incoming;
#[path = "../mmdb/mod.rs"]
mod mmdb;
mod peers;
#[path = "../pki/mod.rs"]
mod pki;
mod play;
mod security;
mod settings;
mod stage;
mod text;

use std::path::{Path, PathBuf};

use form::Scenario;
use play::{Failure, play};
use security::Security;
use stage::Medium;

/// Number of seeds with which each scenario is played over the simulated network.
const SEEDS: u64 = 6;

#[test]
fn scenarios_pass_over_the_simulated_network() {
    simulate(Security::ALL[0]);
}

#[test]
fn scenarios_pass_over_the_simulated_network_with_tls_to_clients() {
    simulate(Security::ALL[1]);
}

#[test]
fn scenarios_pass_over_the_simulated_network_with_tls_to_origins() {
    simulate(Security::ALL[2]);
}

#[test]
fn scenarios_pass_over_the_simulated_network_with_tls_on_both_sides() {
    simulate(Security::ALL[3]);
}

#[test]
fn scenarios_pass_over_loopback() {
    for security in Security::ALL {
        let media = |scenario: &Scenario| match scenario.simulation_only {
            true => vec![],
            false => vec![Medium::Loopback],
        };
        play_all(security, media);
    }
}

fn simulate(security: Security) {
    let only = number("TIDEGATE_SEED");
    let seeds = only.map_or(0..number("TIDEGATE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let media = seeds.map(|seed| Medium::Simulation { seed, faults: seed > 0 });
    let media: Vec<Medium> = media.collect();
    play_all(security, |scenario| match scenario.no_faults {
        true => vec![Medium::Simulation { seed: 0, faults: false }],
        false => media.clone(),
    });
}

/// Plays every scenario over its media, and reports the failures.
fn play_all(security: Security, media: impl Fn(&Scenario) -> Vec<Medium>) {
    let only = std::env::var("TIDEGATE_SCENARIO").ok();
    if number("TIDEGATE_TLS").is_some_and(|only| only != security.number() as u64) {
        return;
    }
    let mut failures = Vec::new();
    for path in files() {
        let scenario = match Scenario::read(&path, security) {
            Ok(scenario) => scenario,
            Err((line, what)) => {
                failures.push(format!("{}:{line}: {what}", path.display()));
                continue;
            }
        };
        let is_played = scenario.security == security;
        if !is_played || only.as_ref().is_some_and(|only| *only != scenario.name) {
            continue;
        }
        let failed = media(&scenario).into_iter().find_map(|medium| {
            play(&scenario, medium).err().map(|failure| report(&path, &scenario, medium, &failure))
        });
        failures.extend(failed);
    }
    assert!(failures.is_empty(), "\n\n{}\n", failures.join("\n\n"));
}

fn files() -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    files
}

fn report(path: &Path, scenario: &Scenario, medium: Medium, failure: &Failure) -> String {
    let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    let name = &scenario.name;
    let tls = scenario.security.number();
    let how = match medium {
        Medium::Loopback => format!("over loopback: TIDEGATE_SCENARIO={name} TIDEGATE_TLS={tls}"),
        Medium::Simulation { seed, .. } => format!(
            "over the simulated network: TIDEGATE_SCENARIO={name} TIDEGATE_TLS={tls} TIDEGATE_SEED={seed}"
        ),
    };
    format!("{path}:{}: {}\n({how})", failure.line, failure.what)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn scenario_files_are_found() {
    assert!(files().len() >= 60);
}
