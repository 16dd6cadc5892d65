//! The source tree keeps its own rules: which module may know which, and what stands nowhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod imports;
mod rooms;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that any other may use.
const BELOW_ALL: &[&str] = &["alloc_size", "html", "shares", "suggestion", "time", "units", "work"];

/// Which modules each module may use, beside itself and those.
const ALLOWED: &[(&str, &[&str])] = &[
    ("alloc_size", &[]),
    ("html", &[]),
    ("shares", &[]),
    ("suggestion", &[]),
    ("time", &[]),
    ("units", &[]),
    ("work", &[]),
    ("shipping", &["http"]),
    ("supervise", &[]),
    ("x509", &[]),
    ("geo", &[]),
    ("forecast", &[]),
    ("dns", &[]),
    ("balance", &[]),
    ("proxy_protocol", &[]),
    ("acme", &["x509"]),
    ("http", &[]),
    ("reactor", &["dns"]),
    ("cache", &["http"]),
    ("coding", &["http"]),
    ("files", &["http"]),
    ("doctor", &["access", "cache", "coding", "http", "x509"]),
    ("auth", &["http"]),
    ("app", &["http"]),
    ("access", &["geo", "http"]),
    ("throttle", &["access"]),
    ("tls", &["http", "reactor", "x509"]),
    (
        "proxy",
        &[
            "access",
            "acme",
            "app",
            "auth",
            "balance",
            "cache",
            "coding",
            "dns",
            "files",
            "geo",
            "http",
            "proxy_protocol",
            "reactor",
            "shipping",
            "throttle",
            "tls",
            "x509",
        ],
    ),
    (
        "config",
        &[
            "access",
            "acme",
            "app",
            "auth",
            "balance",
            "cache",
            "coding",
            "dns",
            "files",
            "geo",
            "http",
            "proxy",
            "proxy_protocol",
            "reactor",
            "shipping",
            "throttle",
            "tls",
            "x509",
        ],
    ),
    (
        "cli",
        &[
            "acme",
            "auth",
            "balance",
            "config",
            "doctor",
            "forecast",
            "geo",
            "http",
            "proxy",
            "reactor",
            "shipping",
            "supervise",
            "tls",
            "x509",
        ],
    ),
];

/// Modules that see no socket, clock, thread or file.
const SANS_IO: &[&str] = &[
    "http",
    "cache",
    "access",
    "auth",
    "balance",
    "throttle",
    "dns",
    "coding",
    "files",
    "forecast",
    "geo",
    "doctor",
    "shares",
    "suggestion",
    "x509",
    "acme",
    "app",
    "proxy_protocol",
    "shipping",
    "supervise",
];

/// All Rust files below `folder`, with their text.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The module of `src` that a file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = Path::new(inside.components().next().unwrap().as_os_str());
    let module = first.file_stem().unwrap().to_str().unwrap();
    (!matches!(module, "lib" | "main")).then(|| module.to_owned())
}

/// The code of a file, without its tests and without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_use_only_what_is_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("src").into_iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        let Some(module) = module_of(&path) else { continue };
        let below = allowed.get(module.as_str()).expect("every module has its row");
        for used in code(&text).split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let used = used.as_str();
            if used != module && !BELOW_ALL.contains(&used) && !below.contains(&used) {
                wrong.push(format!("{} uses crate::{used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_sans_io_knows_no_io() {
    let forbidden = [
        "std::net::Tcp",
        "std::net::Udp",
        "std::fs",
        "std::io::Read",
        "std::thread",
        "mio::",
        "socket2::",
        "libc::",
        "Instant::now",
        "SystemTime::now",
        "RandomState",
    ];
    for (path, text) in sources("src") {
        if module_of(&path).is_some_and(|module| SANS_IO.contains(&module.as_str())) {
            let code = code(&text);
            let found = forbidden.iter().find(|word| code.contains(**word));
            assert_eq!(found, None, "{}", path.display());
        }
    }
}

/// Words of code that may wait for a disk, a reader, another thread or a lock of the kernel.
const WAITS: &[&str] = &[
    "fs::",
    "File::",
    "OpenOptions",
    "stdin()",
    "stdout()",
    "stderr()",
    "print!",
    "println!",
    ".recv()",
    "recv_timeout(",
    ".join()",
    ".wait(",
    ".wait_timeout",
    ".wait_while(",
    "process::",
    "getifaddrs(",
    "interface_addresses(",
    "to_socket_addrs(",
    "mallctl",
    "epoch::advance",
    "UnixStream::",
    "thread::spawn(",
    ".spawn(",
    "terminal::",
];

/// Modules whose code runs while the proxy does.
const RUNNING: &[&str] = &[
    "app",
    "dns",
    "coding",
    "files",
    "forecast",
    "geo",
    "http",
    "cache",
    "access",
    "auth",
    "balance",
    "throttle",
    "proxy_protocol",
    "reactor",
    "shipping",
    "proxy",
    "cli",
];

/// Commands that ask for one thing and end; the supervisor, which serves no client; the simulation; tests.
const NOT_RUNNING: &[&str] = &[
    "cli/doctor/",
    "cli/explain.rs",
    "cli/mod.rs",
    "cli/control_client.rs",
    "cli/password.rs",
    "cli/supervise/",
    "cli/terminal.rs",
    "cli/top/",
    "cli/users.rs",
    "reactor/sim/",
    "/tests.rs",
];

#[test]
fn code_that_may_wait_stands_in_the_files_that_the_architecture_lists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("What may wait")).unwrap();
    let files = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let files = files.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let listed: BTreeSet<String> = files.map(str::to_owned).collect();
    let runs = |path: &Path| {
        let module = module_of(path).is_some_and(|module| RUNNING.contains(&module.as_str()));
        module && !NOT_RUNNING.iter().any(|other| path.to_str().unwrap().contains(other))
    };
    let waits = |text: &str| WAITS.iter().any(|word| code(text).contains(word));
    let found = sources("src").into_iter().filter(|(path, text)| runs(path) && waits(text));
    let found: BTreeSet<String> = found
        .map(|(path, _)| path.strip_prefix(root.join("src")).unwrap().display().to_string())
        .collect();
    assert_eq!(found, listed, "'What may wait' of ARCHITECTURE.md lists the files that may");
}

#[test]
fn unsafe_code_stands_in_one_file() {
    for (path, text) in sources("src") {
        let lifts_the_ban = text.contains("allow(unsafe_code)");
        assert_eq!(lifts_the_ban, path.ends_with("reactor/os.rs"), "{}", path.display());
    }
}

#[test]
fn nothing_is_shared_behind_the_compilers_back() {
    let forbidden = ["Rc<RefCell", "thread_local!", "static mut", "todo!(", "unimplemented!("];
    for (path, text) in sources("src") {
        // The meter of counted work exists in tests only, where threads are told apart.
        let allowed = if path.ends_with("src/work.rs") { "thread_local!" } else { "" };
        let found = forbidden.iter().find(|word| **word != allowed && text.contains(**word));
        assert_eq!(found, None, "{}", path.display());
    }
}

#[test]
fn no_test_is_switched_off_and_none_sleeps() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if path.ends_with("tree/main.rs") {
            continue;
        }
        assert!(!text.contains("#[ignore"), "{}", path.display());
        assert!(!text.contains("thread::sleep"), "{}", path.display());
    }
}
