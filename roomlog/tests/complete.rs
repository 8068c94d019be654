//! What the crates behind this one have for others is all to be had here, under one name each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose every public name is here, by the names that are not.
const WHOLE: [(&str, &[&str]); 2] = [("chat_core", &["checks", "fault_injection"]), ("chat_serve", &[])];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// What one `pub use` line of these names: `a::{b, c::d}` names `b` and `d`.
fn used(line: &str) -> Vec<String> {
    let listed = match line.split_once('{') {
        Some((_, listed)) => listed.trim_end_matches(['}', ';']),
        None => line.rsplit("::").next().unwrap_or_default().trim_end_matches(';'),
    };
    let names = listed.split(',').map(|name| name.rsplit("::").next().unwrap_or_default().trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// The `pub use` statements of a source, each on one line.
fn uses(source: &str) -> Vec<String> {
    let statements = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    statements.map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// What the library of a crate has for others.
fn public(name: &str) -> BTreeSet<String> {
    let path = root().join(name.replace('_', "-")).join("src/lib.rs");
    let source = fs::read_to_string(path).expect("a library is readable");
    let items = source.lines().filter_map(|line| {
        let rest = line.strip_prefix("pub ")?;
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        let rest = ["mod ", "struct ", "fn "].iter().find_map(|kind| rest.strip_prefix(kind))?;
        Some(rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
    });
    uses(&source).iter().flat_map(|statement| used(statement)).chain(items).collect()
}

/// Where each name of a crate is to be had here.
fn here(name: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in ["app.rs", "lib.rs", "port.rs", "serve.rs", "transport.rs"] {
        let source = fs::read_to_string(root().join("roomlog/src").join(file)).expect("a source is readable");
        for statement in uses(&source).iter().filter(|statement| statement.starts_with(&format!("{name}::"))) {
            used(statement).into_iter().for_each(|item| found.entry(item).or_default().push(file.to_owned()));
        }
    }
    found
}

#[test]
fn every_public_name_of_the_engine_and_the_loop_is_here_once() {
    for (name, left_out) in WHOLE {
        let (public, here) = (public(name), here(name));
        assert!(public.len() > 20, "{name} has names: {public:?}");
        let missing: Vec<_> =
            public.iter().filter(|item| !here.contains_key(*item) && !left_out.contains(&item.as_str())).collect();
        assert!(
            missing.is_empty(),
            "{missing:?} of {name}: applications need it (src/app.rs, src/serve.rs), or authors of a transport (src/transport.rs) or a port (src/port.rs)"
        );
        let twice: Vec<_> = here.iter().filter(|(_, files)| files.len() > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
