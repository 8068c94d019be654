//! The tree against its own rules: captions, the code map, words that a pure room does not know.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Every Rust source file below a `src` folder of the workspace's crates, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let clients = fs::read_dir(root().join("clients")).expect("the clients are readable");
    for entry in fs::read_dir(root()).expect("the workspace is readable").chain(clients).flatten() {
        let src = entry.path().join("src");
        if src.is_dir() {
            collect(&src, &mut found);
        }
    }
    assert!(found.len() > 50, "the workspace has sources");
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).expect("it lies below the root").to_string_lossy().into_owned();
            found.insert(name, fs::read_to_string(&path).expect("a source file is readable"));
        }
    }
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn caption(text: &str) -> Option<&str> {
    text.lines().next()?.strip_prefix("//! ")
}

#[test]
fn every_file_begins_with_its_caption() {
    for (name, text) in sources().into_iter().chain(scripts()) {
        let caption = caption(&text).unwrap_or_else(|| panic!("{name} has no caption"));
        assert!(!caption.starts_with("This module") && !caption.starts_with("This file"), "{name}: {caption}");
        assert!(caption.ends_with(['.', ':', '`']), "{name}: a caption is a sentence: {caption}");
    }
}

/// The scripts of the page, with their captions written as those of Rust.
fn scripts() -> BTreeMap<String, String> {
    let folder = root().join("examples/page/js");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the scripts are readable").flatten() {
        let name = entry.path().strip_prefix(root()).expect("it lies below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).expect("a script is readable");
        found.insert(name, text.replacen("// ", "//! ", 1));
    }
    assert!(found.len() > 10, "the page has scripts");
    found
}

/// The code map as it should be; `TIDY_WRITE=1 cargo test -p chat-testkit --test tidy` writes it.
#[test]
fn the_code_map_has_every_file_with_its_caption() {
    let page = root().join("docs/code-map.md");
    let text = fs::read_to_string(&page).expect("the page is there");
    let head = "its first line.\n\n";
    let start = text.find("# Code map").and_then(|at| text[at..].find(head).map(|more| at + more + head.len()));
    let start = start.expect("the page has a code map");
    let mut map = String::new();
    let mut folder = String::new();
    // By folder, so that each has one heading: a path sorts the files of a folder around those of its folders.
    let files: BTreeMap<(String, String), String> = sources()
        .into_iter()
        .filter(|(name, _)| !is_test(name))
        .chain(scripts())
        .map(|(name, source)| {
            let (dir, file) = name.rsplit_once('/').expect("a source file lies in a folder");
            ((dir.to_owned(), file.to_owned()), source)
        })
        .collect();
    for ((dir, file), source) in files {
        if dir != folder {
            let gap = if folder.is_empty() { "" } else { "\n" };
            map.push_str(&format!("{gap}### {dir}\n\n| file | what |\n|---|---|\n"));
            folder = dir;
        }
        map.push_str(&format!("| `{file}` | {} |\n", caption(&source).unwrap_or_default().replace('|', "\\|")));
    }
    if std::env::var_os("TIDY_WRITE").is_some() {
        fs::write(&page, format!("{}{map}", &text[..start])).expect("the page can be written");
    } else {
        assert!(text[start..] == map, "the code map is out of date: write it with TIDY_WRITE=1");
    }
}

#[test]
fn the_glossary_names_what_the_code_defines() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let (_, glossary) = page.split_once("## Glossary").expect("the page has a glossary");
    let rows: Vec<&str> = glossary.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 25, "{} terms", rows.len());
    let sources = sources();
    let defines = |name: &str| {
        let kinds = ["struct", "enum", "trait", "fn", "mod", "type"];
        let is_name = |rest: &str| {
            rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let variant = format!("    {name} {{");
        sources.values().any(|text| {
            text.lines().any(|line| line == variant)
                || kinds.iter().any(|kind| text.split(&format!("{kind} ")).skip(1).any(is_name))
        })
    };
    for row in rows {
        let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        names.iter().for_each(|name| assert!(defines(name), "nothing is called {name}: {row}"));
    }
}

#[test]
fn the_pure_room_knows_no_runtime_clock_lock_or_chance() {
    let forbidden =
        ["tokio", "std::time::Instant", "SystemTime", "rand::", "async ", ".await", "Mutex", "RwLock", "println!"];
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("chat-core/src/room/")) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for word in forbidden {
                assert!(!line.contains(word), "{name}: {line}");
            }
        }
    }
}

#[test]
fn no_transport_knows_another() {
    let transports = ["transport_ws", "transport_sse", "transport_socketio"];
    for (name, text) in sources().into_iter().filter(|(name, _)| name.starts_with("transport-")) {
        let own = name.split('/').next().expect("a path has a first part").replace('-', "_");
        for other in transports.iter().filter(|other| **other != own) {
            assert!(!text.contains(other), "{name} names {other}");
        }
    }
}
