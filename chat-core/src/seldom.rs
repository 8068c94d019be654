//! Parts that most rooms have nothing in, of the rules and of the engine: each takes a pointer until there is something.
//!
//! Never here: what they are parts of. A part is given up with its room, or where what it is a part of begins anew.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A `T` that is read as it stands, and written through [`Seldom::make`], which is where it comes to be, or [`Seldom::if_any`].
#[derive(Clone, Debug)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

/// What may seldom be there.
pub(crate) trait Nothing: PartialEq + Default + 'static {
    /// What is read where there is none: the same as its default.
    const NOTHING: &'static Self;
}

impl<T: Nothing> Seldom<T> {
    /// The part, which is there from now on.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// The part, if it is there.
    pub(crate) fn if_any(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Bytes of the part itself, where it is there; what that holds comes on top.
    pub(crate) fn room(&self) -> usize {
        if self.0.is_some() { size_of::<T>() } else { 0 }
    }
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Nothing> From<T> for Seldom<T> {
    fn from(part: T) -> Self {
        Self((part != *T::NOTHING).then(|| Box::new(part)))
    }
}

impl<T: Nothing> Deref for Seldom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

/// One that is there and has nothing in it is as good as none.
impl<T: Nothing> PartialEq for Seldom<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Nothing + Serialize> Serialize for Seldom<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Nothing + Deserialize<'de>> Deserialize<'de> for Seldom<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Nothing for Vec<u8> {
        const NOTHING: &'static Self = &Self::new();
    }

    #[test]
    fn a_part_comes_to_be_when_it_is_first_written() {
        let mut part: Seldom<Vec<u8>> = Seldom::default();
        assert!(part.is_empty() && part.if_any().is_none() && part.room() == 0);
        part.make().push(7);
        assert_eq!((part.len(), part.if_any().map(|part| part.len())), (1, Some(1)));
        assert_eq!(part.room(), size_of::<Vec<u8>>());
        part.make().clear();
        assert!(part == Seldom::default(), "nothing is nothing, whether or not there is a place for it");
    }

    #[test]
    fn it_is_stored_as_if_it_stood_there_itself() {
        let part = Seldom::from(vec![1_u8, 2]);
        let stored = serde_json::to_string(&part).expect("numbers are written");
        assert_eq!(stored, "[1,2]");
        assert!(serde_json::from_str::<Seldom<Vec<u8>>>(&stored).expect("and read") == part);
        let none: Seldom<Vec<u8>> = serde_json::from_str("[]").expect("nothing is read, too");
        assert_eq!(none.room(), 0);
    }
}
