//! The sources against the layers they stand in: which folder may name which, and no circle of files anywhere.
//!
//! Reads `use` lines and paths that begin with `crate` or `super`. What stands behind `#[cfg(test)]` is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the engine, and the one file below them, lowest first: each names only those before it, and itself. What lies beside them
/// is above.
const ENGINE: [&str; 7] = ["parcel", "feed", "session", "rooms", "shared", "work", "client"];
/// The folders of chat-core, lowest first.
const CORE: [&str; 6] = ["types", "domain", "room", "ports", "wire", "engine"];

/// The files of one crate: by module path, what each names.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Every crate of the workspace that has a library, with its files by module path.
fn crates() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut crates = BTreeMap::new();
    let clients = fs::read_dir(root().join("clients")).expect("the clients are readable");
    for entry in fs::read_dir(root()).expect("the workspace is readable").chain(clients).flatten() {
        let src = entry.path().join("src");
        if src.is_dir() {
            let mut files = BTreeMap::new();
            collect(&src, &[], &mut files);
            crates.insert(entry.file_name().to_string_lossy().into_owned(), files);
        }
    }
    crates
}

fn collect(folder: &Path, module: &[String], files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable").flatten() {
        let path = entry.path();
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let mut module = module.to_vec();
        // Programs are crates of their own.
        if path.is_dir() && name != "bin" {
            module.push(name);
            collect(&path, &module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" && name != "main" {
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            let text = fs::read_to_string(&path).expect("a source file is readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            files.insert(module.join("::"), code.join("\n"));
        }
    }
}

/// What each file names of its own crate.
fn graph(files: &BTreeMap<String, String>) -> Graph {
    let edges = |module: &String, code: &String| {
        let named = paths(code).into_iter().filter_map(|path| resolve(&path, module, files));
        named.filter(|other| other != module).collect()
    };
    files.iter().map(|(module, code)| (module.clone(), edges(module, code))).collect()
}

/// Every path of a file that begins with `crate` or `super`, use trees spread out.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_inside = code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
            if !is_inside {
                spread(&code[at..], &mut found);
            }
        }
    }
    found
}

/// Adds the paths of the tree that `text` begins with; gives back where it ends.
fn spread(text: &str, found: &mut Vec<String>) -> usize {
    let is_part = |part: char| part.is_alphanumeric() || part == '_' || part == ':';
    let stem = text.find(|part| !is_part(part)).unwrap_or(text.len());
    if !text[stem..].starts_with('{') || !text[..stem].ends_with("::") {
        found.push(text[..stem].to_owned());
        return stem;
    }
    let mut at = stem + 1;
    while at < text.len() && !text[at..].starts_with('}') {
        let rest = &text[at..];
        if rest.starts_with(is_part) {
            let mut inner = Vec::new();
            at += spread(rest, &mut inner);
            found.extend(inner.into_iter().map(|path| format!("{}{path}", &text[..stem])));
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at + 1
}

/// The file that a path names: the longest beginning of it that is one.
fn resolve(path: &str, module: &str, files: &BTreeMap<String, String>) -> Option<String> {
    let mut at: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut rest = path.split("::").peekable();
    if rest.next_if_eq(&"crate").is_some() {
        at.clear();
    }
    while rest.next_if_eq(&"super").is_some() {
        at.pop();
    }
    at.extend(rest.filter(|part| !part.is_empty()));
    while !at.is_empty() {
        let name = at.join("::");
        if files.contains_key(&name) {
            return Some(name);
        }
        at.pop();
    }
    None
}

/// A way from a file back to itself, if there is one.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(at: &str, graph: &Graph, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|seen| seen == at) {
            return Some(way[start..].to_vec());
        }
        if done.contains(at) {
            return None;
        }
        way.push(at.to_owned());
        let found = graph.get(at).into_iter().flatten().find_map(|next| visit(next, graph, way, done));
        way.pop();
        done.insert(at.to_owned());
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|module| visit(module, graph, &mut Vec::new(), &mut done))
}

/// Which layer a module stands in, where it stands in one.
fn layer(module: &str, inside: &str, layers: &[&str]) -> Option<usize> {
    let folder = module.strip_prefix(inside)?.split("::").next()?;
    layers.iter().position(|layer| *layer == folder)
}

#[test]
fn no_crate_has_a_circle_of_files() {
    let crates = crates();
    assert!(crates.len() > 8, "the workspace has crates");
    for (name, files) in &crates {
        let circle = circle(&graph(files));
        assert_eq!(circle, None, "{name}: each of these files names the next, and the last the first");
    }
}

#[test]
fn a_folder_names_only_those_below_it() {
    let crates = crates();
    let core = graph(&crates["chat-core"]);
    for (inside, layers) in [("", &CORE[..]), ("engine::", &ENGINE[..])] {
        let mut arrows = 0;
        for (module, named) in &core {
            let Some(own) = layer(module, inside, layers) else { continue };
            for other in named {
                let Some(theirs) = layer(other, inside, layers) else {
                    // Beside the folders: above all of them, but for what is not of the engine at all.
                    assert!(
                        !other.starts_with(inside) || inside.is_empty(),
                        "{module} names {other}, which is above it"
                    );
                    continue;
                };
                assert!(theirs <= own, "{module} names {other}, which is above it");
                arrows += usize::from(theirs < own);
            }
        }
        assert!(arrows > 20, "the folders name each other");
    }
}

#[test]
fn a_circle_is_found_through_every_way_of_naming() {
    let files = |codes: &[(&str, &str)]| -> BTreeMap<String, String> {
        codes.iter().map(|(module, code)| ((*module).to_owned(), (*code).to_owned())).collect()
    };
    let straight = [("a", "use crate::b::{C, d::E};"), ("b", "use super::c;"), ("c", "fn f() {}")];
    assert_eq!(circle(&graph(&files(&straight))), None);
    for back in ["use crate::a::A;", "use super::{x, a::{self, B}};", "fn f() { crate::a::g() }"] {
        let round = [straight[0], straight[1], ("c", back)];
        assert_eq!(circle(&graph(&files(&round))).map(|way| way.len()), Some(3), "{back}");
    }
}
