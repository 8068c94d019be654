//! The pages that a stranger reads, against the tree: links, figures, how to depend on it, and a page for each crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What others may depend on, and CI packs.
const LIBRARIES: [&str; 17] = [
    "chat-admin",
    "chat-client",
    "chat-core",
    "chat-http",
    "chat-metrics",
    "chat-serve",
    "chat-testkit",
    "chat-webhook",
    "cluster-postgres",
    "log-postgres",
    "log-redb",
    "policy-http",
    "policy-jwt",
    "transport-ws",
    "transport-sse",
    "transport-socketio",
    "roomlog",
];

/// The folder of a library: beside the others, but for the client, which stands with those of other languages.
fn folder(library: &str) -> &str {
    if library == "chat-client" { "clients/rust" } else { library }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between the quotes after `key = `, in the first line that begins so.
fn value<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    line.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The members of the workspace.
fn crates() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("a line of members");
    members.trim_end_matches(']').split(", ").map(|name| name.trim_matches('"').to_owned()).collect()
}

/// Every page of the root, of docs, and of a folder directly below the root.
fn pages() -> BTreeMap<String, String> {
    let mut folders = vec![root()];
    let inside = fs::read_dir(root()).expect("the workspace is readable").flatten();
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    folders.extend(
        inside.map(|entry| entry.path()).filter(|path| path.is_dir() && !hidden(path) && !path.ends_with("target")),
    );
    let mut found = BTreeMap::new();
    for folder in folders {
        for path in fs::read_dir(&folder).expect("a folder is readable").flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).expect("it lies below the root").to_string_lossy().into_owned();
                found.insert(name.clone(), read(&name));
            }
        }
    }
    assert!(found.len() > 12, "there are pages: {:?}", found.keys());
    found
}

/// The blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// What a page would call the heading of a section in a link to it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_between_pages_lead_somewhere() {
    for (name, text) in pages() {
        let folder = root().join(&name).parent().expect("a page lies in a folder").to_path_buf();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            // Elsewhere, or a path of Rust in a caption that the code map repeats.
            if target.contains("::") || target.contains("://") {
                continue;
            }
            let (path, section) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(&name) } else { folder.join(path) };
            assert!(file.exists(), "{name}: {target}");
            // A second heading of the same name is linked as `name-1`.
            let section = section.strip_suffix("-1").unwrap_or(section);
            if !section.is_empty() {
                let text = fs::read_to_string(&file).expect("a page is readable");
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line.trim_start_matches('#')) == section),
                    "{name}: {target} has no such heading"
                );
            }
        }
    }
}

/// On the public registry `chat-core` is another project: whoever follows a page must not get that.
#[test]
fn no_page_takes_a_crate_of_this_project_from_a_registry() {
    for (name, text) in pages() {
        for line in text.lines() {
            for library in LIBRARIES {
                assert!(!line.contains(&format!("cargo add {library}")), "{name}: {line}");
                let is_dependency = line.contains(&format!("{library} = "));
                assert!(!is_dependency || line.contains("path = ") || line.contains("git = "), "{name}: {line}");
            }
        }
    }
    assert!(read("README.md").contains("belongs to another project"));
}

#[test]
fn every_crate_says_what_it_is_and_under_which_licence() {
    let workspace = read("Cargo.toml");
    let version = value(&workspace, "version").expect("the workspace has a version");
    for name in crates() {
        let manifest = read(&format!("{name}/Cargo.toml"));
        let description = value(&manifest, "description").unwrap_or_else(|| panic!("{name} has no description"));
        assert!(description.ends_with('.'), "{name}: a description is a sentence: {description}");
        assert_eq!(value(&manifest, "readme"), Some("README.md"), "{name}");
        assert!(read(&format!("{name}/README.md")).starts_with("# "), "{name}");
        for inherited in ["version", "rust-version", "license"] {
            assert!(manifest.contains(&format!("\n{inherited}.workspace = true\n")), "{name}: {inherited}");
        }
    }
    for name in LIBRARIES {
        let folder = folder(name);
        let manifest = read(&format!("{folder}/Cargo.toml"));
        assert!(read(&format!("{folder}/README.md")).starts_with(&format!("# {name}\n")), "{name}");
        assert!(manifest.contains("\nkeywords = [") && manifest.contains("\ncategories = ["), "{name}");
        assert_eq!(read(&format!("{folder}/LICENSE")), read("LICENSE"), "{name}");
        let dependency = format!("\n{name} = {{ path = \"{folder}\", version = \"{version}\"");
        assert!(workspace.contains(&dependency), "{name} is a dependency under the version of the workspace");
    }
    let packed = format!("libraries=({})", LIBRARIES.join(" "));
    assert!(read(".ci/packages").contains(&packed), "CI packs them all");
}

/// Lines as a reader sees them: without what indents them, the marks of a doc comment, and lines that it hides.
fn shown(text: &str) -> String {
    let lines = text.lines().map(str::trim).map(|line| line.strip_prefix("//!").unwrap_or(line).trim());
    lines.filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rust_on_the_page_of_a_crate_is_that_of_an_example() {
    for name in crates() {
        let mut compiled = fs::read_to_string(root().join(&name).join("src/lib.rs")).unwrap_or_default();
        for entry in fs::read_dir(root().join(&name).join("examples")).into_iter().flatten().flatten() {
            compiled.push_str(&fs::read_to_string(entry.path()).expect("an example is readable"));
        }
        let compiled = shown(&compiled);
        let page = read(&format!("{name}/README.md"));
        let rust = blocks(&page, "rust");
        assert!(!rust.is_empty() || LIBRARIES.iter().all(|library| folder(library) != name), "{name} has no example");
        for block in rust {
            assert!(compiled.contains(shown(block).trim()), "{name}: in no example:\n{block}");
        }
    }
}

#[test]
fn the_figures_of_the_front_page_are_those_of_the_last_comparison() {
    let (page, results) = (read("README.md"), read("bench/results/compare.md"));
    let table = page.split("## How fast").nth(1).and_then(|rest| rest.split("## ").next()).expect("a section");
    let cells = table.lines().filter(|line| line.starts_with("| ") && !line.contains("this project"));
    let cells: Vec<_> = cells.flat_map(|line| line.trim_matches('|').split(" | ").skip(1)).collect();
    assert!(cells.len() >= 6, "three rows of two: {cells:?}");
    for cell in cells {
        let figure = cell.trim().trim_matches('*');
        assert!(results.contains(&format!("| {figure} (")) || results.contains(&format!("| {figure} |")), "{figure}");
    }
}

#[test]
fn the_oldest_rust_is_the_same_wherever_it_is_said() {
    let manifest = read("Cargo.toml");
    let declared = value(&manifest, "rust-version").expect("it is declared");
    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        assert!(read(page).contains(&format!("Rust {declared} or newer")), "{page}");
    }
    assert_eq!(value(&read("fuzz/Cargo.toml"), "rust-version"), Some(declared));
}
