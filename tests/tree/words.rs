//! Plain technical English in comments and documents, as far as a test can tell ("Words" in
//! CONTRIBUTING.md).

use std::fs;
use std::path::{Path, PathBuf};

use super::sources;

/// Words that are no subject, with which a doc comment does not open.
const OPENERS: &[&str] = &[
    "How", "It", "Nobody", "Of", "One", "Somebody", "There", "Those", "What", "When", "Where",
    "Whether", "Which", "Who", "Whoever", "Whom", "Whose", "Why",
];
/// Largest percentage of doc comments that open with such a word.
const MAX_PERCENT: usize = 3;

/// Phrases that hide an actor or a standard term, each list with its remedy.
const PHRASES: &[(&str, &[&str])] = &[
    (
        "name the actor: client, user, operator, origin, peer, fetch, reader, writer",
        &[
            "anybody",
            "everybody",
            "nobody",
            "somebody",
            "whoever",
            "the one who",
            "who is there",
            "who is not there",
        ],
    ),
    ("write 'in flight'", &["on its way", "on their way"]),
    (
        "write 'received', 'arrived' or 'stored'",
        &["has brought", "has come", "have come", "what came", "what comes", "what is here"],
    ),
    ("write 'continues', or name the next step", &["go on with", "goes on", "gone on"]),
    ("name the result", &["came of", "come of", "comes of", "turns out"]),
    ("name the failure", &["in vain"]),
    ("write 'releases' or 'drops'", &["let go of", "lets go of"]),
    ("write 'aborts' or 'drops'", &["gives up"]),
    ("write 'records'", &["takes note"]),
    ("write 'is idle', or 'sends no request'", &["asks for nothing"]),
    ("write 'does not answer', or name the condition", &["is no answer"]),
    ("name the property", &["by which it is known", "is meant", "the like"]),
];

/// Folders of the root, and of `src`, with which the path of a file or folder begins.
const FOLDERS: &[&str] = &[
    ".ci",
    "benches",
    "docs",
    "examples",
    "fuzz",
    "src",
    "tests", // of the root
    "access",
    "acme",
    "app",
    "auth",
    "balance",
    "cache",
    "cli",
    "coding",
    "config",
    "dns",
    "doctor",
    "files",
    "forecast",
    "geo",
    "http",
    "proxy",
    "reactor",
    "shipping",
    "supervise",
    "throttle",
    "x509",
];

/// A paragraph of a document, or a comment of a source.
struct Passage {
    line: usize,
    text: String,
}

/// A part of a passage: code between backticks, or prose.
struct Piece<'a> {
    line: usize,
    is_code: bool,
    text: &'a str,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "tests/scenarios"].map(|folder| root().join(folder));
    let entries = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let documents =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Joins each run of lines to a passage; `None` ends a run.
fn passages<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<Passage> {
    let mut found: Vec<Passage> = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(lines) {
        match (line, found.last_mut().filter(|_| is_open)) {
            (Some(line), Some(passage)) => passage.text.extend(["\n", line]),
            (Some(line), None) => found.push(Passage { line: number, text: line.to_owned() }),
            (None, _) => {}
        }
        is_open = line.is_some();
    }
    found
}

/// The paragraphs of a document, without fenced blocks.
fn paragraphs(document: &str) -> Vec<Passage> {
    let mut is_fenced = false;
    passages(document.lines().map(|line| {
        let is_fence = line.starts_with("```");
        is_fenced ^= is_fence;
        (!is_fence && !is_fenced && !line.trim().is_empty()).then_some(line)
    }))
}

/// Splits a passage at its runs of backticks; a run closes at the next one of the same length.
fn pieces(passage: &Passage) -> Vec<Piece<'_>> {
    let (mut line, mut rest) = (passage.line, passage.text.as_str());
    let mut found = Vec::new();
    while !rest.is_empty() {
        let run = rest.len() - rest.trim_start_matches('`').len();
        let ticks = &rest[..run];
        let code = rest[run..].find(ticks).filter(|_| run > 0);
        let (is_code, length) = match code {
            Some(length) => (true, length),
            None => (false, rest[run..].find('`').unwrap_or(rest.len() - run)),
        };
        let text = &rest[run..run + length];
        found.push(Piece { line, is_code, text });
        line += text.matches('\n').count();
        rest = &rest[run + length..];
        rest = if is_code { &rest[run..] } else { rest };
    }
    found
}

/// The words of the prose in a passage, in lower case and without punctuation, each with its line.
/// Code is an empty word, so that no phrase spans it.
fn words(passage: &Passage) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for Piece { line, is_code, text } in pieces(passage) {
        if is_code {
            found.push((line, String::new()));
            continue;
        }
        for (number, text) in (line..).zip(text.split('\n')) {
            let words = text.split_whitespace().map(|word| {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric());
                (number, word.trim_end_matches("'s").to_lowercase())
            });
            found.extend(words);
        }
    }
    found
}

/// The phrases to avoid in a passage, each with its line and its remedy.
fn found_phrases(passage: &Passage) -> Vec<(usize, &'static str, &'static str)> {
    let words = words(passage);
    let mut found = Vec::new();
    for &(remedy, phrases) in PHRASES {
        for &phrase in phrases {
            let parts: Vec<&str> = phrase.split(' ').collect();
            let is_it =
                |window: &&[(usize, String)]| window.iter().map(|(_, word)| word).eq(&parts);
            let windows = words.windows(parts.len()).filter(is_it);
            found.extend(windows.map(|window| (window[0].0, phrase, remedy)));
        }
    }
    found.sort_unstable();
    found
}

/// Asserts that the passages of these files contain no phrase to avoid.
fn check_phrases(files: impl Iterator<Item = (PathBuf, Vec<Passage>)>) {
    let mut wrong = Vec::new();
    for (path, passages) in files {
        let path = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, phrase, remedy) in passages.iter().flat_map(found_phrases) {
            wrong.push(format!("{path}:{line}: '{phrase}': {remedy}"));
        }
    }
    let count = wrong.len();
    assert!(
        wrong.is_empty(),
        "{count} phrases hide an actor or a standard term (\"Words\" in CONTRIBUTING.md):\n{}",
        wrong.join("\n")
    );
}

/// Returns true if a code span of a document is the path of a file or folder of this tree.
fn is_path(code: &str) -> bool {
    let is_literal = code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:".contains(c));
    let folder = code.split_once('/').map(|(folder, _)| folder);
    is_literal && (code.ends_with(".rs") || folder.is_some_and(|f| FOLDERS.contains(&f)))
}

/// The text of the comment in a line of code, without its slashes.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("//").or_else(|| Some(line.split_once(" // ")?.1))?;
    Some(text.trim_start_matches(['/', '!']))
}

/// The first lines of the doc comments in a source, each with its line number.
fn doc_openings(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = None;
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim_start();
        let kind = ["///", "//!"].into_iter().find(|kind| line.starts_with(kind));
        if kind.is_some() && kind != before {
            found.push((number, line[3..].trim_start()));
        }
        before = kind;
    }
    found
}

/// Returns true if the first word of a doc comment is no subject.
fn lacks_subject(text: &str) -> bool {
    let text = text.trim_start_matches(['`', '*', '[']);
    let word = text.split(|c: char| !c.is_alphanumeric()).next();
    word.is_some_and(|word| OPENERS.contains(&word))
}

#[test]
fn doc_comments_open_with_their_subject() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (path, text) in sources("src") {
        let path = path.strip_prefix(root()).unwrap().display();
        let openings = doc_openings(&text);
        count += openings.len();
        let openings = openings.into_iter().filter(|(_, text)| lacks_subject(text));
        wrong.extend(openings.map(|(line, text)| format!("{path}:{line}: {text}")));
    }
    let (tenths, wrong_count) = (wrong.len() * 1000 / count, wrong.len());
    assert!(
        100 * wrong_count <= MAX_PERCENT * count,
        "{wrong_count} of {count} doc comments ({}.{} %) do not open with their subject; {MAX_PERCENT} % may. \
         Begin a type or field with a noun phrase, a function with 'Returns' or another verb, a \
         bool with 'True if' or 'Returns true if' (\"Words\" in CONTRIBUTING.md):\n{}",
        tenths / 10,
        tenths % 10,
        wrong.join("\n")
    );
}

#[test]
fn comments_use_actors_and_standard_terms() {
    let comments = |text: String| passages(text.lines().map(comment));
    check_phrases(sources("src").into_iter().map(|(path, text)| (path, comments(text))));
}

#[test]
fn documents_use_actors_and_standard_terms() {
    check_phrases(documents().into_iter().map(|(path, text)| (path, paragraphs(&text))));
}

#[test]
fn paths_in_documents_exist() {
    let (mut paths, mut missing) = (0, Vec::new());
    for (document, text) in documents() {
        let document = document.strip_prefix(root()).unwrap().display();
        for passage in paragraphs(&text) {
            let codes = pieces(&passage).into_iter().filter(|piece| piece.is_code);
            for Piece { line, text: path, .. } in codes.filter(|piece| is_path(piece.text)) {
                paths += 1;
                if !root().join(path).exists() && !root().join("src").join(path).exists() {
                    missing.push(format!("{document}:{line}: `{path}`"));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no such files; write each path as it is below the root or below src/:\n{}",
        missing.join("\n")
    );
    assert!(paths > 50, "only {paths} paths were found");
}
