//! The secret that session tokens are signed with: made once, kept beside the log, read by nobody else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::ownership;
use crate::store::sync_folder;

/// Its name in the folder of the log.
pub(crate) const NAME: &str = "secret";

/// The secret in `dir/secret`: 32 bytes, drawn from the operating system and written when it is first asked for.
///
/// Tokens signed with it are good after a restart. Anybody who can read it can pass for anybody.
///
/// # Errors
/// When the file has another size, is one byte over and over, or cannot be read or made; on Unix also when it may be read or written by
/// anybody but its owner, when its owner or the folder's is another user, or when others may write to the folder.
pub fn secret(dir: impl AsRef<Path>) -> io::Result<[u8; 32]> {
    let dir = dir.as_ref();
    let path = dir.join(NAME);
    if let Ok(folder) = fs::metadata(dir) {
        ownership::check(&folder, ownership::UNCHANGED_BY_OTHERS)
            .map_err(|what| about(dir, io::ErrorKind::PermissionDenied, &what))?;
    }
    match File::open(&path) {
        Ok(file) => read(&path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(dir, &path)?;
            // Perhaps another process was first: what is there counts.
            read(&path, File::open(&path)?)
        }
        Err(error) => Err(about(&path, error.kind(), &error.to_string())),
    }
}

fn read(path: &Path, mut file: File) -> io::Result<[u8; 32]> {
    ownership::check(&file.metadata()?, ownership::PRIVATE)
        .map_err(|what| about(path, io::ErrorKind::PermissionDenied, &what))?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(33).read_to_end(&mut bytes)?;
    let secret = <[u8; 32]>::try_from(bytes).map_err(|_| {
        let size = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        about(path, io::ErrorKind::InvalidData, &format!("it has {size} bytes, and a secret has 32"))
    })?;
    match secret.iter().all(|byte| *byte == secret[0]) {
        true => Err(about(path, io::ErrorKind::InvalidData, "it is one byte over and over, which anybody could guess")),
        false => Ok(secret),
    }
}

/// Writes it whole under another name, and links it to its own: it is never seen half-written, and the first one stays.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    let mut drawn = [0; 40];
    SysRng.try_fill_bytes(&mut drawn).map_err(io::Error::other)?;
    let (secret, name) = drawn.split_at(32);
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::create_dir_all(dir)?;
    let new = dir.join(format!("{NAME}.{name}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(secret)?;
        file.sync_all()
    });
    let linked = written.and_then(|()| match fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&new);
    linked.and(removed)?;
    sync_folder(dir)
}

fn about(path: &Path, kind: io::ErrorKind, what: &str) -> io::Error {
    io::Error::new(kind, format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_read_ever_after() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = secret(dir.path()).expect("it is made");
        assert_ne!(first, [0; 32]);
        assert_eq!(secret(dir.path()).expect("it is read"), first);
        let names: Vec<_> =
            fs::read_dir(dir.path()).expect("readable").map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME], "nothing else is left behind");
    }

    #[test]
    fn one_of_another_size_is_refused_by_name() {
        for size in [0, 31, 33] {
            let dir = tempfile::tempdir().expect("a folder");
            secret(dir.path()).expect("it is made");
            let file = OpenOptions::new().write(true).open(dir.path().join(NAME)).expect("writable");
            file.set_len(size).expect("it can be cut");
            let error = secret(dir.path()).expect_err("it is no secret");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(&format!("secret: it has {size} bytes")), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn one_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        secret(dir.path()).expect("it is made");
        let path = dir.path().join(NAME);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        let error = secret(dir.path()).expect_err("the group may read it");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("640"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn one_in_a_folder_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        secret(dir.path()).expect("it is made");
        for mode in [0o770, 0o707] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("it is ours");
            let error = secret(dir.path()).expect_err("another one could be put there");
            assert!(error.to_string().contains(&format!("{mode:o}")), "{error}");
        }
    }

    #[test]
    fn one_byte_over_and_over_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        secret(dir.path()).expect("it is made");
        for byte in [0, b'a'] {
            fs::write(dir.path().join(NAME), [byte; 32]).expect("writable");
            let error = secret(dir.path()).expect_err("it is no secret");
            assert!(error.to_string().contains("over and over"), "{error}");
        }
    }

    #[test]
    fn of_many_who_make_it_at_once_all_have_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let made: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| secret(dir.path()).expect("it is made"))).collect();
            makers.into_iter().map(|maker| maker.join().expect("no panic")).collect()
        });
        assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
