//! Tables in docs/ are printed from the code, so that they stay true. `TIDEGATE_BLESS=1` writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod spellings;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::{Display, Write};
use std::fs;
use std::path::{Path, PathBuf};

use spellings::{FORBIDDEN, PASSED_ON};
use tidegate::access::{AddressClass, DestinationPolicy, Host, REGISTRY_DATE, SPECIAL_BLOCKS};
use tidegate::config::{Key, LISTENER, OPTIONS, ORIGIN, ROUTE, SITE, takes_restart};
use tidegate::doctor::Word;
use tidegate::http::{Authority, ParseError};
use tidegate::proxy::{Limits, LogField};

/// Compares the part of a file between `<!-- name -->` and `<!-- /name -->` with what it must be.
fn check(file: &str, name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = text.find(&begin).expect("the part is marked") + begin.len();
    let to = from + text[from..].find(&end).expect("the part has an end");
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        let new = [&text[..from], expected, &text[to..]].concat();
        fs::write(&path, new).unwrap();
        return;
    }
    assert_eq!(&text[from..to], expected, "{file}: run again with TIDEGATE_BLESS=1");
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_options_are_those_of_the_command() {
    let mut table = "| option, key | value | |\n|---|---|---|\n".to_owned();
    for option in OPTIONS {
        let short = option.short.map_or(String::new(), |letter| format!("`-{letter}`, "));
        let (value, help) = (cell(option.value), cell(option.help));
        writeln!(table, "| {short}`--{}` | `{value}` | {help} |", option.name).unwrap();
    }
    check("configuration.md", "options", &table);
}

#[test]
fn the_keys_of_sections_are_those_of_the_file() {
    check("reverse.md", "listener", &keys(LISTENER));
    check("reverse.md", "origin", &keys(ORIGIN));
    check("reverse.md", "site", &keys(SITE));
    check("reverse.md", "route", &keys(ROUTE));
}

/// The table of the keys of a section.
fn keys<T>(keys: &[Key<T>]) -> String {
    let mut table = "| key | value | |\n|---|---|---|\n".to_owned();
    for key in keys {
        let (value, help) = (cell(key.value), cell(key.help));
        let several = if key.many { ", …" } else { "" };
        writeln!(table, "| `{}` | `{value}`{several} | {help} |", key.name).unwrap();
    }
    table
}

#[test]
fn the_fields_of_the_log_are_those_of_its_formats() {
    let mut table = "| field | |\n|---|---|\n".to_owned();
    for (_, name, meaning) in LogField::ALL {
        writeln!(table, "| `{name}` | {} |", cell(meaning)).unwrap();
    }
    check("operating.md", "fields", &table);
}

#[test]
fn the_limits_are_those_of_the_proxy() {
    let mut table = "| limit | default | meaning |\n|---|---|---|\n".to_owned();
    for (name, value, reason) in Limits::default().table() {
        writeln!(table, "| `{name}` | `{value}` | {} |", cell(reason)).unwrap();
    }
    check("configuration.md", "limits", &table);
}

#[test]
fn what_takes_a_restart_is_what_the_operator_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md");
    let text = fs::read_to_string(path).unwrap();
    let mut points = text.split("\n* ");
    let point = points.find(|point| point.contains("take a restart")).unwrap();
    let listed: BTreeSet<&str> = point.split('`').skip(1).step_by(2).collect();
    let limits = Limits::default().table();
    let names = OPTIONS.iter().map(|option| option.name);
    let names = names.chain(limits.iter().map(|(name, ..)| *name));
    assert_eq!(listed, names.filter(|name| takes_restart(name)).collect());
}

#[test]
fn problems_of_tls_are_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/tls.md")).unwrap();
    let sources = ["src/tls/problem.rs", "src/tls/chain_problem.rs"];
    let code: String = sources.map(|path| fs::read_to_string(root.join(path)).unwrap()).concat();
    let is_word = |word: &&str| {
        word.starts_with("certificate-") || word.starts_with("tls-") || *word == "not-tls"
    };
    let words: BTreeSet<&str> = code.split('"').filter(is_word).collect();
    assert!(words.len() > 10);
    for word in words {
        assert!(text.contains(&format!("`{word}`")), "docs/tls.md does not explain {word}");
    }
}

#[test]
fn the_findings_are_those_of_the_doctor() {
    let mut table = "| finding | | what is wrong | why it harms | usual fix |\n".to_owned();
    table += "|---|---|---|---|---|\n";
    for word in Word::ALL {
        let (name, severity) = (word.name(), word.severity().name());
        let [meaning, harm, fix] = [word.meaning(), word.harm(), word.usual_fix()].map(cell);
        writeln!(table, "| `{name}` | {severity} | {meaning} | {harm} | {fix} |").unwrap();
    }
    check("doctor.md", "findings", &table);
}

#[test]
fn the_refusals_are_those_of_the_parser() {
    let mut table = "| name | status | what is wrong |\n|---|---|---|\n".to_owned();
    for refusal in ParseError::ALL {
        let text = cell(refusal.text());
        writeln!(table, "| `{}` | {} | {text} |", refusal.name(), refusal.status()).unwrap();
    }
    check("refusals.md", "refusals", &table);
}

#[test]
fn what_the_documents_refer_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for file in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/operating.md",
        "docs/authentication.md",
        "docs/caching.md",
        "docs/compression.md",
        "docs/configuration.md",
        "docs/forwarding.md",
        "docs/reverse.md",
        "docs/geoip.md",
        "docs/rules.md",
        "docs/explain.md",
        "docs/doctor.md",
    ] {
        let path = root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined = text.lines().filter(|line| line.starts_with('['));
        let defined = defined.filter_map(|line| Some(line.split_once("]: ")?.1));
        for link in inline.chain(defined) {
            let local = !link.starts_with("http") && !link.starts_with('#');
            let target = link.split('#').next().unwrap();
            if local && !path.parent().unwrap().join(target).exists() {
                missing.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// All files below a folder of the package, with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if endings.contains(&ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The names of all tests, and of all scenarios.
fn tests_and_scenarios() -> BTreeSet<String> {
    let sources = ["src", "tests"].into_iter().flat_map(|folder| files(folder, &["rs", "py"]));
    let texts: Vec<String> = sources.map(|path| fs::read_to_string(path).unwrap()).collect();
    let words = texts.iter().flat_map(|text| {
        let functions = text.split("#[test]").skip(1).filter_map(|rest| rest.split("fn ").nth(1));
        functions.chain(text.split("def ").skip(1).filter(|rest| rest.starts_with("test_")))
    });
    let tests = words.filter_map(|rest| Some(rest.split('(').next()?.to_owned()));
    let scenarios = files("tests/scenarios", &["txt"]);
    let scenarios =
        scenarios.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    tests.chain(scenarios).collect()
}

#[test]
fn tests_that_the_threat_model_names_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SECURITY.md");
    let text = fs::read_to_string(path).unwrap();
    let known = tests_and_scenarios();
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.contains("| shown by |"))
    {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test shows: {row}");
        let missing: Vec<_> = names.iter().filter(|name| !known.contains(**name)).collect();
        assert!(
            missing.is_empty(),
            "SECURITY.md names {missing:?}, which is neither test nor scenario"
        );
        rows += 1;
    }
    assert!(rows > 20, "the tables are read: {rows} rows");
    assert!(known.contains("basic_on_a_reachable_listener_causes_a_warning"));
}

#[test]
fn spellings_are_judged_as_the_table_says() {
    let mut table = "| written | read as | class | by default |\n|---|---|---|---|\n".to_owned();
    let forbidden = FORBIDDEN.iter().map(|text| (text, true));
    for (text, forbidden) in PASSED_ON.iter().map(|text| (text, false)).chain(forbidden) {
        let (read, class, verdict) = judge(text);
        let refused = verdict.starts_with("400") || verdict.starts_with("destination-");
        assert_eq!(refused, forbidden, "{text}: {verdict}");
        let shown = if text.is_empty() { "(nothing)".into() } else { format!("`{}`", show(text)) };
        writeln!(table, "| {shown} | {read} | {class} | {verdict} |").unwrap();
    }
    check("destinations.md", "spellings", &table);
}

/// What is read, what that is for, and what comes of it.
fn judge(text: &str) -> (String, String, String) {
    let refused = |why: &dyn Display| ("–".into(), "–".into(), format!("400: {why}"));
    let host = match Authority::parse(text.as_bytes()) {
        Ok(authority) => authority.host,
        Err(refusal) => return refused(&refusal.text()),
    };
    match Host::parse(host) {
        Err(error) => refused(&error),
        Ok(Host::Name(name)) => (name, "a name".into(), "each of its addresses is judged".into()),
        Ok(host @ Host::Address(address)) => {
            let judged = DestinationPolicy::default().check_special_address(&host, address);
            let verdict = judged.map_or_else(|denial| denial.rule(), |()| "allowed".into());
            (address.to_string(), AddressClass::of(address).to_string(), verdict)
        }
    }
}

/// Text as a reader can see it.
fn show(text: &str) -> String {
    let seen = |c: char| if c.is_ascii_graphic() { c.to_string() } else { unseen(c) };
    text.chars().map(seen).collect()
}

fn unseen(c: char) -> String {
    if c.is_ascii() { c.escape_default().to_string() } else { format!("<U+{:04X}>", c as u32) }
}

#[test]
fn the_special_blocks_are_those_of_the_code() {
    let mut table = "| block | counts as | |\n|---|---|---|\n".to_owned();
    for block in SPECIAL_BLOCKS {
        writeln!(table, "| {block} | {} | {} |", block.class, block.purpose).unwrap();
    }
    writeln!(table, "\nThe registries as of {REGISTRY_DATE}.").unwrap();
    check("destinations.md", "special", &table);
}
