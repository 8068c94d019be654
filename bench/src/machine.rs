//! What a comparison ran on and with: the machine, the compiler, and the versions of what is compared.

use std::fs;
use std::process::Command;

const LOCK: &str = include_str!("../../Cargo.lock");
/// What decides how fast the servers are, besides this project.
const CRATES: [&str; 5] = ["axum", "hyper", "socketioxide", "tokio", "tokio-tungstenite"];

/// The processor, its cores, and the kernel.
pub fn hardware() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": an unknown CPU");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split(['-', '\n']).next().unwrap_or_default();
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {cores} cores, Linux {kernel}", model.trim_start_matches([' ', '\t', ':']))
}

/// Versions, as far as they can be found.
pub fn versions() -> String {
    let mut found: Vec<String> =
        CRATES.iter().filter_map(|name| Some(format!("{name} {}", locked(LOCK, name)?))).collect();
    found.extend(first_word_after("rustc", "--version", "rustc ").map(|version| format!("rustc {version} (here)")));
    found.extend(first_word_after("nginx", "-v", "nginx/").map(|version| format!("nginx {version}")));
    found.join(", ")
}

/// The version of a crate; of the newest, where there are several.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&head)?;
    rest.split('"').next()
}

fn first_word_after(program: &str, flag: &str, mark: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    // nginx says its version where others say their errors.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some(said.split_once(mark)?.1.split_whitespace().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_what_is_compared_are_known() {
        assert!(CRATES.iter().all(|name| locked(LOCK, name).is_some()));
        let lock = "name = \"a\"\nversion = \"1.0.0\"\n\nname = \"a\"\nversion = \"2.0.0\"\nsource";
        assert_eq!(locked(lock, "a"), Some("2.0.0"));
        assert_eq!(locked(lock, "b"), None);
    }
}
