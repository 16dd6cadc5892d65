//! Findings as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::doctor::{Finding, Fix, Observations};

/// Returns findings as text, one part of a finding on each line.
pub(super) fn text(seen: &Observations, requests: usize, findings: &[Finding]) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| _ = writeln!(out, "{label:<10} {text}");
    for exchange in &seen.visit.exchanges {
        line("asked", &format!("{}: {}", exchange.url, exchange.status().code()));
    }
    for finding in findings {
        let word = finding.word;
        line(word.severity().name(), &format!("{}: {}", word.name(), word.meaning()));
        finding.seen.iter().for_each(|seen| line("  seen", seen));
        line("  harm", word.harm());
        finding.fixes.iter().for_each(|fix| line("  fix", &fix_text(fix)));
    }
    let verdict = match findings.len() {
        0 => "nothing found".to_owned(),
        count => counted(count, "finding"),
    };
    line("verdict", &format!("{verdict} in {}", counted(requests, "request")));
    out
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn fix_text(fix: &Fix) -> String {
    let note = if fix.note.is_empty() { String::new() } else { format!("   # {}", fix.note) };
    format!("{}: {}{note}", fix.at.name(), fix.text)
}

/// Returns findings as a JSON object in one line.
pub(super) fn object(seen: &Observations, requests: usize, findings: &[Finding]) -> String {
    let fix = |fix: &Fix| json!({ "at": fix.at.name(), "type": fix.text, "note": fix.note });
    let finding = |finding: &Finding| {
        json!({
            "finding": finding.word.name(),
            "severity": finding.word.severity().name(),
            "meaning": finding.word.meaning(),
            "seen": finding.seen,
            "harm": finding.word.harm(),
            "fixes": finding.fixes.iter().map(fix).collect::<Vec<Value>>(),
        })
    };
    let asked = seen.visit.exchanges.iter().map(
        |exchange| json!({ "url": exchange.url.to_string(), "status": exchange.status().code() }),
    );
    let object = json!({
        "asked": asked.collect::<Vec<Value>>(),
        "requests": requests,
        "findings": findings.iter().map(finding).collect::<Vec<Value>>(),
    });
    format!("{object}\n")
}
