//! Whether a file or folder is this user's, and nobody else's.

use std::fs::Metadata;

/// Others may neither read nor write it.
pub(crate) const PRIVATE: u32 = 0o077;
/// Others may not write it.
pub(crate) const UNCHANGED_BY_OTHERS: u32 = 0o022;

/// Refuses what belongs to another user, or gives the group or others one of the rights in `refused`.
///
/// # Errors
/// What is wrong, and what to do about it, in words.
#[cfg(unix)]
pub(crate) fn check(metadata: &Metadata, refused: u32) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    judge(metadata.uid(), rustix::process::geteuid().as_raw(), metadata.mode() & 0o777, refused)
}

#[cfg(not(unix))]
pub(crate) fn check(_: &Metadata, _: u32) -> Result<(), String> {
    Ok(())
}

#[cfg(unix)]
fn judge(owner: u32, user: u32, mode: u32, refused: u32) -> Result<(), String> {
    if owner != user {
        return Err(format!("it belongs to user {owner}, and this is user {user} (chown, or another user, helps)"));
    }
    if mode & refused == 0 {
        return Ok(());
    }
    Err(match refused {
        PRIVATE => format!("its mode is {mode:o}; others must have no access to it (chmod go-rwx)"),
        _ => format!("its mode is {mode:o}; others must not be able to write to it (chmod go-w)"),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_users_is_refused_whatever_its_mode() {
        for refused in [PRIVATE, UNCHANGED_BY_OTHERS] {
            assert_eq!(judge(1000, 1000, 0o700, refused), Ok(()));
            for (owner, user) in [(1000, 0), (0, 1000), (1001, 1000)] {
                let words = judge(owner, user, 0o600, refused).expect_err("it is another's");
                assert!(words.contains(&format!("user {owner}, and this is user {user}")), "{words}");
            }
        }
    }

    #[test]
    fn what_others_may_do_is_refused_with_its_mode() {
        for (mode, as_private, as_unchanged) in [(0o755, false, true), (0o640, false, true), (0o770, false, false)] {
            assert_eq!(judge(1, 1, mode, PRIVATE).is_ok(), as_private, "{mode:o}");
            assert_eq!(judge(1, 1, mode, UNCHANGED_BY_OTHERS).is_ok(), as_unchanged, "{mode:o}");
        }
        assert!(judge(1, 1, 0o702, UNCHANGED_BY_OTHERS).expect_err("others may write").contains("702"));
    }
}
