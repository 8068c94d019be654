//! A refusal on its way between servers, of which one may know codes and fields that the other does not.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reject, RejectCode, Wall};

/// Every field that a refusal of a room or an engine names; those of frames that cannot be read are nothing that travels.
const FIELDS: [&str; 22] = [
    "after", "around", "data", "frame", "history", "id", "key", "member", "name", "network", "nick", "params",
    "reply_to", "resume", "role", "room", "secret", "slow_ms", "text", "token", "topic", "type",
];

/// What is not known here is passed over but for the code: another server's newest reason must not cost what comes beside it.
#[derive(Serialize, Deserialize)]
struct Carried<'a> {
    code: Cow<'a, str>,
    message: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Wall>,
}

impl Serialize for Reject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, message, field, limit, retry_after, until } = self;
        let carried = Carried {
            code: code.as_str().into(),
            message: Cow::Borrowed(message),
            field: field.map(Cow::Borrowed),
            limit: *limit,
            retry_after: *retry_after,
            until: *until,
        };
        carried.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reject {
    /// A code that is not known here is `unavailable`: whether it was done is not known either.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Carried { code, message, field, limit, retry_after, until } = Carried::deserialize(deserializer)?;
        let code = RejectCode::ALL.iter().copied().find(|known| known.as_str() == code);
        let field = field.and_then(|field| FIELDS.into_iter().find(|known| *known == field));
        let message = Cow::Owned(message.into_owned());
        Ok(Self { code: code.unwrap_or(RejectCode::Unavailable), message, field, limit, retry_after, until })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn read(json: &str) -> Reject {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn a_refusal_of_every_code_arrives_as_it_was() {
        for &code in RejectCode::ALL {
            let reject = Reject::new(code, "no \"\n").retry_after(Duration::new(3, 999_999_999)).limit(u64::MAX);
            for reject in [Reject { field: Some("text"), until: Some(Wall(7)), ..reject }, Reject::new(code, "")] {
                let json = serde_json::to_string(&reject).expect("it can be written");
                assert_eq!(read(&json), reject, "{json}");
            }
        }
    }

    #[test]
    fn what_a_later_program_says_is_read_as_far_as_it_is_known() {
        let later = r#"{"code":"too_loud","message":"m","field":"volume","limit":9,"unit":"decibels"}"#;
        assert_eq!(read(later), Reject::new(RejectCode::Unavailable, "m").limit(9));
        for wrong in
            ["{}", r#"{"code":"busy"}"#, r#"{"code":1,"message":"m"}"#, r#"{"code":"busy","message":"m","limit":-1}"#]
        {
            assert!(serde_json::from_str::<Reject>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_field_that_a_refusal_names_is_known() {
        fn collect(folder: &Path, named: &mut Vec<String>) {
            for entry in fs::read_dir(folder).expect("the sources are there").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    collect(&path, named);
                    continue;
                }
                let text = fs::read_to_string(&path).expect("a source file is readable");
                for maker in ["bad_field(\"", "too_long(\"", "field: Some(\""] {
                    let fields = text.split(maker).skip(1).filter_map(|rest| rest.split_once('"'));
                    named.extend(fields.map(|(field, _)| field.to_owned()));
                }
            }
        }
        let mut named = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
        named.retain(|field| field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        assert!(named.len() > 40, "{named:?}");
        for field in named {
            assert!(FIELDS.contains(&field.as_str()), "{field}");
        }
    }
}
