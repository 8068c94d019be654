//! `"LUNCH".parse()`: every text with rules of its own, read as its `parse` reads it.

use std::str::FromStr;

use super::data::Data;
use super::nick::Nick;
#[cfg(any(feature = "wire", test))]
use super::person_data::PersonData;
use super::reaction::ReactionName;
use super::reject::Reject;
use super::secret::RoomSecret;
use super::signal::{SignalData, SignalName};
use super::text::{Body, Key, RoomCode, Topic};

macro_rules! from_str {
    ($($name:ident: $parse:expr, $doc:literal);* $(;)?) => {$(
        #[doc = $doc]
        impl FromStr for $name {
            type Err = Reject;

            fn from_str(text: &str) -> Result<Self, Reject> {
                $parse(text)
            }
        }
    )*};
}

from_str! {
    RoomCode: Self::parse, "As [`RoomCode::parse`].";
    Nick: Self::parse, "As [`Nick::parse`].";
    Topic: Self::parse, "As [`Topic::parse`].";
    Key: Self::parse, "As [`Key::parse`].";
    ReactionName: Self::parse, "As [`ReactionName::parse`].";
    SignalName: Self::parse, "As [`SignalName::parse`].";
    SignalData: Self::parse, "As [`SignalData::parse`].";
    RoomSecret: Self::parse, "As [`RoomSecret::parse`].";
    Body: |text| Self::parse(text, usize::MAX), "As [`Body::parse`], of any length: how long it may be, the room says when it is sent.";
    Data: |json| Self::parse(json, usize::MAX), "As [`Data::parse`], of any length: how long it may be, the room says when it is sent.";
}

// Without the wire format nothing here parses them.
#[cfg(any(feature = "wire", test))]
from_str! {
    PersonData: Self::parse, "As [`PersonData::parse`].";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: FromStr<Err = Reject>>(text: &str) -> Option<&'static str> {
        text.parse::<T>().err().and_then(|reject| reject.field)
    }

    #[test]
    fn a_text_is_read_by_the_rules_of_what_it_is_to_be() -> Result<(), Reject> {
        assert_eq!("lunch".parse::<RoomCode>()?.as_str(), "LUNCH");
        assert_eq!("Ann".parse::<Nick>()?, Nick::parse("Ann")?);
        assert_eq!("Pizza".parse::<Topic>()?, Topic::parse("Pizza")?);
        assert_eq!("k-1".parse::<Key>()?, Key::parse("k-1")?);
        assert_eq!("+1".parse::<ReactionName>()?, ReactionName::parse("+1")?);
        assert_eq!("hand".parse::<SignalName>()?, SignalName::parse("hand")?);
        assert_eq!("[1]".parse::<SignalData>()?, SignalData::parse("[1]")?);
        assert_eq!(r#"{"a":1}"#.parse::<PersonData>()?, PersonData::parse(r#"{"a":1}"#)?);
        assert_eq!(r#"{"a":1}"#.parse::<Data>()?, Data::parse(r#"{"a":1}"#, 7)?);
        assert!("swordfish".parse::<RoomSecret>().is_ok());
        for (field, said) in [
            (refused::<RoomCode>("a b"), "room"),
            (refused::<Nick>(""), "nick"),
            (refused::<Body>("\u{1B}[2J"), "text"),
            (refused::<Data>("[]"), "data"),
        ] {
            assert_eq!(field, Some(said));
        }
        Ok(())
    }

    #[test]
    fn how_long_a_text_may_be_is_the_rooms_affair() -> Result<(), Reject> {
        let long = "x".repeat(100_000);
        assert_eq!(long.parse::<Body>()?.as_str(), long);
        assert!(format!(r#"{{"a":"{long}"}}"#).parse::<Data>().is_ok());
        Ok(())
    }
}
