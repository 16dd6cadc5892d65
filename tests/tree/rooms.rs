//! Rules of imports: no circle of files, and the floors of the rooms within `proxy`.

use crate::imports::{Module, circles, imports};

/// The rooms of `proxy`, lowest first. A room imports only from rooms before it.
const ROOMS: &[&str] = &[
    "address_text",
    "remembered",
    "timers",
    "error",
    "observe",
    "hook",
    "geography",
    "jobs",
    "settings",
    "files",
    "mail",
    "environment",
    "auth",
    "routing",
    "admission",
    "origin",
    "transfer",
    "identity",
    "throttling",
    "shared",
    "tunnel",
    "upkeep",
    "fetch",
    "certify",
    "explain",
    "compress",
    "client",
    "admin",
    "worker",
    "server",
];

#[test]
fn files_import_each_other_in_no_circle() {
    let circles: Vec<String> = circles(&imports())
        .into_iter()
        .map(|circle| circle.iter().map(|module| module.join("/")).collect::<Vec<_>>().join(" "))
        .collect();
    assert!(
        circles.is_empty(),
        "these files import each other; move what both need into a file below both:\n{}",
        circles.join("\n")
    );
}

#[test]
fn rooms_of_the_proxy_import_only_rooms_below_them() {
    let floor = |module: &Module| {
        let room = module.get(1)?;
        let floor = ROOMS.iter().position(|known| known == room);
        Some(floor.unwrap_or_else(|| panic!("the room proxy/{room} has no place in ROOMS")))
    };
    let in_proxy = |module: &&Module| module.first().is_some_and(|first| first == "proxy");
    let mut upward = Vec::new();
    for (module, targets) in imports().iter().filter(|(module, _)| in_proxy(module)) {
        for target in targets.iter().filter(in_proxy) {
            if let (Some(from), Some(to)) = (floor(module), floor(target))
                && to > from
            {
                upward.push(format!("{} imports from {}", module.join("/"), target.join("/")));
            }
        }
    }
    assert!(upward.is_empty(), "imports of a room above:\n{}", upward.join("\n"));
}

/// The graph is not empty, and knows an import through a re-export.
#[test]
fn imports_are_found_through_facades() {
    let graph = imports();
    let path = |text: &str| text.split('/').map(str::to_owned).collect::<Module>();
    let has = |from: &str, to: &str| graph[&path(from)].contains(&path(to));
    assert!(graph.len() > 250 && graph.values().map(|targets| targets.len()).sum::<usize>() > 1000);
    assert!(has("proxy/client/transmit", "proxy/transfer/send_buffer"), "a plain import");
    assert!(has("proxy/client/connection", "http/h1/server"), "ServerCodec through crate::http");
    assert!(has("proxy/client/drive", "proxy/client"), "Client of the folder's own file");
}
