//! The names that the host speaks under: nobody in a room takes one, or one like it.

use std::sync::Arc;

use crate::types::{Nick, NickKey, Reject};

/// The names of the host, the same in all rooms. Cheap to clone.
///
/// ```
/// use chat_core::room::HostNames;
///
/// let names = HostNames::parse(["Support", "Bot"])?;
/// assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["Support", "Bot"]);
/// # Ok::<(), chat_core::Reject>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNames(Option<Arc<[(Nick, NickKey)]>>);

impl HostNames {
    /// These names, as nicks are read.
    ///
    /// # Errors
    /// That of the first one that can be nobody's: `too_long` or `bad_field`.
    pub fn parse<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, Reject> {
        let nicks = names.into_iter().map(|name| Nick::parse(name.as_ref()));
        Ok(nicks.collect::<Result<Vec<_>, _>>()?.into_iter().collect())
    }

    /// All of them, as they are shown.
    pub fn iter(&self) -> impl Iterator<Item = &Nick> {
        self.0.iter().flat_map(|names| names.iter().map(|(name, _)| name))
    }

    /// The name of the host that looks like this, if one does.
    pub fn like(&self, key: &NickKey) -> Option<&Nick> {
        self.0.iter().flat_map(|names| names.iter()).find(|(_, own)| own.looks_like(key)).map(|(name, _)| name)
    }
}

impl FromIterator<Nick> for HostNames {
    fn from_iter<I: IntoIterator<Item = Nick>>(names: I) -> Self {
        let names: Vec<_> = names.into_iter().map(|name| (name.clone(), name.key())).collect();
        Self((!names.is_empty()).then(|| names.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_what_it_looks_like_and_told_as_it_is_listed() {
        let names = HostNames::parse(["Bot", " Support  desk "]).expect("valid names");
        let like = |name: &str| names.like(&Nick::parse(name).expect("a valid nick").key()).map(Nick::as_str);
        assert_eq!(like("bot"), Some("Bot"));
        assert_eq!(like("B\u{43E}t"), Some("Bot"), "with a Cyrillic letter");
        assert_eq!((like("support desk"), like("Bots")), (Some("Support desk"), None));
        assert_eq!(HostNames::default().like(&Nick::parse("Bot").expect("a valid nick").key()), None);
        assert!(HostNames::parse(["Bot", ""]).is_err());
        assert_eq!(HostNames::parse([""; 0]), Ok(HostNames::default()));
    }
}
