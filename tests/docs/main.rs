//! Tables in docs/ are printed from the code, so that they stay true. `TIDEGATE_BLESS=1` writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use tidegate::access::{AddressClass, DestinationPolicy, Host};
use tidegate::config::OPTIONS;
use tidegate::http::Refusal;
use tidegate::proxy::Limits;

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
fn the_limits_are_those_of_the_proxy() {
    let mut table = "| limit | default | why |\n|---|---|---|\n".to_owned();
    for (name, value, reason) in Limits::default().table() {
        writeln!(table, "| `{name}` | `{value}` | {} |", cell(reason)).unwrap();
    }
    check("configuration.md", "limits", &table);
}

#[test]
fn the_refusals_are_those_of_the_parser() {
    let mut table = "| name | status | what is wrong |\n|---|---|---|\n".to_owned();
    for refusal in Refusal::ALL {
        let text = cell(refusal.text());
        writeln!(table, "| `{}` | {} | {text} |", refusal.name(), refusal.status()).unwrap();
    }
    check("refusals.md", "refusals", &table);
}

#[test]
fn what_the_documents_refer_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/caching.md"] {
        let path = root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined = text.lines().filter(|line| line.starts_with('['));
        let defined = defined.filter_map(|line| Some(line.split_once("]: ")?.1));
        for link in inline.chain(defined) {
            let local = !link.starts_with("http") && !link.starts_with('#');
            if local && !path.parent().unwrap().join(link).exists() {
                missing.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn spellings_are_judged_as_the_table_says() {
    let mut table = "| host | read as | class | by default |\n|---|---|---|---|\n".to_owned();
    for text in SPELLINGS {
        let (read, class, verdict) = match Host::parse(text) {
            Err(error) => ("–".into(), "–".into(), format!("400: {error}")),
            Ok(Host::Name(name)) => {
                (name, "a name".into(), "each of its addresses is judged".into())
            }
            Ok(host @ Host::Address(address)) => {
                let judged = DestinationPolicy::default().judge_address(&host, address);
                let verdict = judged.map_or_else(|denial| denial.rule(), |()| "allowed".into());
                (address.to_string(), AddressClass::of(address).to_string(), verdict)
            }
        };
        writeln!(table, "| `{text}` | {read} | {class} | {verdict} |").unwrap();
    }
    check("destinations.md", "spellings", &table);
}

const SPELLINGS: &[&str] = &[
    "example.com",
    "EXAMPLE.com.",
    "localhost",
    "93.184.216.34",
    "1572395042",
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "012.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "256.0.0.1",
    "1.2.3.4.5",
    "example.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::1]",
    "[fd00::1]",
    "[fe80::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[2606:4700::6810:84e5]",
    "[fe80::1%25eth0]",
    "[v1.x]",
];
