//! What a comparison ran on and with: the machine, the compiler, and the versions of what is compared.

use std::fs;
use std::io;
use std::path::Path;
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
    let nginx = first_word_after(Path::new("nginx"), "-v", "nginx/");
    let nginx = nginx.map(|version| format!("nginx {version}"));
    [Some(versions_of(&CRATES)), nginx].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Those of these crates and of the compiler, likewise.
pub fn versions_of(crates: &[&str]) -> String {
    let mut found: Vec<String> =
        crates.iter().filter_map(|name| Some(format!("{name} {}", locked(LOCK, name)?))).collect();
    let rustc = first_word_after(Path::new("rustc"), "--version", "rustc ");
    found.extend(rustc.map(|version| format!("rustc {version} (here)")));
    found.join(", ")
}

/// What kind of file system a folder lies on.
pub fn file_system(folder: &Path) -> io::Result<String> {
    let (folder, mounts) = (folder.canonicalize()?, fs::read_to_string("/proc/self/mounts")?);
    let found = mounted(&mounts, &folder).ok_or_else(|| io::Error::other("the folder lies on no file system"))?;
    Ok(found.to_owned())
}

fn mounted<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    // The innermost that it is in; of several on one place, the last hides the others.
    let around = mounts.filter(|(place, _)| folder.starts_with(place));
    around.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind)
}

/// The version of a crate; of the newest, where there are several.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&head)?;
    rest.split('"').next()
}

/// What a program says of itself behind a mark, up to the next space.
pub fn first_word_after(program: &Path, flag: &str, mark: &str) -> Option<String> {
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

    #[test]
    fn a_folder_lies_where_the_innermost_mount_is() {
        let mounts =
            "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n/dev/c /tmp/x btrfs rw 0 0\n";
        for (folder, kind) in [("/", "ext4"), ("/tmpx", "ext4"), ("/tmp/y", "tmpfs"), ("/tmp/x/y", "btrfs")] {
            assert_eq!(mounted(mounts, Path::new(folder)), Some(kind), "{folder}");
        }
    }
}
