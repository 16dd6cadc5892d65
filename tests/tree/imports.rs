//! The graph of imports between the files of `src`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{code, sources};

/// Path of a module below the crate: `["proxy", "client"]`.
pub(crate) type Module = Vec<String>;

/// Modules of the library with the modules that each imports from. A name that a module only
/// re-exports counts for the module that defines it. Tests do not count.
pub(crate) fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let texts: BTreeMap<Module, String> = sources("src")
        .into_iter()
        .filter_map(|(path, text)| Some((module_of(&path)?, code(&text))))
        .collect();
    let modules = texts.keys().cloned().collect();
    let found: BTreeMap<_, _> = texts
        .iter()
        .map(|(module, text)| (module.clone(), Found::of(module, text, &modules)))
        .collect();
    let exports = exports(&found, &modules);
    let imported = |module: &Module, found: &Found| {
        let paths = found.imports.iter().chain(&found.paths);
        let targets = paths.map(|path| definer(path, &modules, &exports));
        targets.filter(|target| !target.is_empty() && target != module).collect()
    };
    found.iter().map(|(module, found)| (module.clone(), imported(module, found))).collect()
}

/// Groups of modules that import each other, directly or through others.
pub(crate) fn circles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reach: BTreeMap<_, _> = graph.keys().map(|from| (from, reachable(from, graph))).collect();
    let mut circles: BTreeSet<Vec<Module>> = BTreeSet::new();
    for (from, reached) in &reach {
        let back = |other: &&Module| reach.get(other).is_some_and(|other| other.contains(*from));
        if reached.contains(*from) {
            circles.insert(reached.iter().filter(back).cloned().collect());
        }
    }
    circles.into_iter().collect()
}

fn reachable(from: &Module, graph: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

/// Paths in one file, from the crate's root.
#[derive(Default)]
struct Found {
    /// Names that `use` brings in, each with its path.
    uses: BTreeMap<String, Module>,
    /// Paths of `use` that the file itself needs, and not only passes on.
    imports: Vec<Module>,
    /// Paths within the code.
    paths: Vec<Module>,
}

impl Found {
    fn of(module: &Module, text: &str, modules: &BTreeSet<Module>) -> Self {
        let mut found = Self::default();
        let mut rest = String::new();
        let mut pieces = text.split_inclusive(';');
        for piece in &mut pieces {
            match use_statement(piece) {
                None => rest.push_str(piece),
                Some((before, public, tree)) => {
                    rest.push_str(before);
                    for (path, name) in leaves(tree) {
                        let Some(path) = absolute(&path, module, modules) else { continue };
                        if !public {
                            found.imports.push(path.clone());
                        }
                        found.uses.insert(name, path);
                    }
                }
            }
        }
        let paths = inline_paths(&rest);
        found.paths = paths.iter().filter_map(|path| absolute(path, module, modules)).collect();
        found
    }
}

/// The text before a `use` statement, whether the statement is a re-export, and its tree.
fn use_statement(piece: &str) -> Option<(&str, bool, &str)> {
    let at = piece.rfind("use ")?;
    let (before, tree) = (&piece[..at], piece[at + 4..].trim_end_matches(';'));
    let line = before.rsplit('\n').next()?.trim();
    let public = line.starts_with("pub");
    let plain = line.is_empty() || (public && !line.contains(' '));
    plain.then_some((&before[..before.len() - line.len()], public, tree))
}

/// The paths of a `use` tree with the names that they bring in.
fn leaves(tree: &str) -> Vec<(Module, String)> {
    let tree = tree.trim();
    if let Some((prefix, group)) = tree.split_once('{') {
        let prefix: Module = segments(prefix);
        let group = group.trim_end().strip_suffix('}').unwrap_or(group);
        let inner = top_level(group).into_iter().flat_map(leaves);
        return inner
            .map(|(path, name)| match path[..] {
                [ref only] if only == "self" => (prefix.clone(), last(&prefix)),
                _ => ([prefix.clone(), path].concat(), name),
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path = segments(path);
    let name = if alias.is_empty() { last(&path) } else { alias.trim().to_owned() };
    if path.is_empty() { Vec::new() } else { vec![(path, name)] }
}

/// The parts of a group, cut at the commas that stand in no inner group.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[from..]);
    parts
}

/// Paths in code that begin with `crate`, `super` or `self`.
fn inline_paths(code: &str) -> Vec<Module> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_path(c));
    let begins = ["crate::", "super::", "self::"];
    words.filter(|word| begins.iter().any(|start| word.starts_with(start))).map(segments).collect()
}

fn segments(path: &str) -> Module {
    let names = path.split("::").map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn last(path: &Module) -> String {
    path.last().cloned().unwrap_or_default()
}

/// The path from the crate's root, if it is one of this crate.
fn absolute(path: &Module, module: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module.clone(), path[1..].to_vec()].concat()),
        "super" => {
            let base = module.len().checked_sub(supers)?;
            Some([module[..base].to_vec(), path[supers..].to_vec()].concat())
        }
        first => {
            let child = [module.clone(), vec![first.to_owned()]].concat();
            modules.contains(&child).then(|| [module.clone(), path.clone()].concat())
        }
    }
}

/// The path of each name that a module brings in, by module and name.
fn exports(
    found: &BTreeMap<Module, Found>,
    modules: &BTreeSet<Module>,
) -> BTreeMap<(Module, String), Module> {
    let uses = found.iter().flat_map(|(module, found)| {
        found.uses.iter().map(|(name, path)| ((module.clone(), name.clone()), path.clone()))
    });
    uses.filter(|((module, _), path)| split(path, modules).0 != *module).collect()
}

/// The module that defines what a path names, through all re-exports.
fn definer(
    path: &Module,
    modules: &BTreeSet<Module>,
    exports: &BTreeMap<(Module, String), Module>,
) -> Module {
    let (mut module, mut name) = split(path, modules);
    let mut seen = BTreeSet::new();
    while let Some(next) = name.clone().and_then(|name| exports.get(&(module.clone(), name)))
        && seen.insert(module.clone())
    {
        (module, name) = split(next, modules);
    }
    module
}

/// The longest part of a path that is a module, and the name behind it.
fn split(path: &Module, modules: &BTreeSet<Module>) -> (Module, Option<String>) {
    let mut lengths = (0..=path.len()).rev();
    let length = lengths.find(|&n| modules.contains(&path[..n])).unwrap_or(0);
    (path[..length].to_vec(), path.get(length).cloned())
}

/// The module of a source file; none for the binary and for files of tests.
fn module_of(path: &Path) -> Option<Module> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let mut module: Module = inside
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    match last(&module).as_str() {
        "main" | "tests" => return None,
        "mod" | "lib" => _ = module.pop(),
        _ => {}
    }
    Some(module)
}
