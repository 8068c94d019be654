//! The files of `fuzz/corpus`: seeds, and what once broke a promise. Replayed by `cargo test`, and written by it when asked.

use std::fs;
use std::path::{Path, PathBuf};

/// Runs a check over every file of its target's corpus.
///
/// # Panics
/// When the check does, after the file's name was printed; and for a target without a corpus.
pub fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has a corpus");
    for file in files {
        // Seen only when the test fails: the last line names the file that broke it.
        println!("{}", file.display());
        check(&fs::read(&file).expect("a corpus file is readable"));
    }
}

/// The seeds of a target as they should be: where `CORPUS_WRITE` is set they are written, otherwise compared.
///
/// # Panics
/// When a seed in the corpus is another one, or missing.
pub fn sow<'a>(target: &str, seeds: impl IntoIterator<Item = (&'a str, Vec<u8>)>) {
    let folder = folder(target);
    let writes = std::env::var_os("CORPUS_WRITE").is_some();
    for (name, bytes) in seeds {
        let file = folder.join(name);
        if writes {
            fs::create_dir_all(&folder).expect("the corpus is writable");
            fs::write(&file, &bytes).expect("the corpus is writable");
        }
        let found = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(found == bytes, "{} is out of date: write it with CORPUS_WRITE=1", file.display());
    }
}

fn folder(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    root.join("fuzz/corpus").join(target)
}
