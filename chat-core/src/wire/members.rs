//! Members on the wire: as a client reads one, and lists of them that are encoded as they grow.

use std::iter;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::json::{push, push_field, push_json, push_list};
use super::person_data;
use crate::domain::Role;
use crate::types::{Color, MemberId, PersonData};

/// A member as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct MemberEntry {
    pub member: MemberId,
    pub nick: String,
    pub color: Color,
    #[serde(deserialize_with = "role")]
    pub role: Role,
    pub online: bool,
    /// What they show beside their name.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "person_data::shown")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub data: Option<PersonData>,
}

impl MemberEntry {
    /// A member who has just come in.
    pub fn new(member: MemberId, nick: String, color: Color, role: Role, data: Option<PersonData>) -> Self {
        Self { member, nick, color, role, online: true, data }
    }
}

/// A role that this program does not know is read as that of a member, who may do least.
pub(super) fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(Role::deserialize(Value::String(name)).unwrap_or(Role::Member))
}

/// Members, encoded while their list grows.
#[derive(Default)]
pub(crate) struct MemberList {
    json: Vec<u8>,
    /// Where the first one ends.
    first: usize,
}

/// A member as others see them.
pub(crate) struct MemberLine<'a> {
    pub(crate) member: MemberId,
    pub(crate) nick: &'a str,
    pub(crate) color: Color,
    pub(crate) role: Role,
    pub(crate) online: bool,
    pub(crate) data: Option<&'a PersonData>,
}

impl MemberList {
    /// Bytes of one member, about.
    const LINE_BYTES: usize = 96;

    /// As many of these as have no more than `bytes_max` together, or the first; `members` of them are expected.
    pub(crate) fn of<'a>(
        lines: impl Iterator<Item = MemberLine<'a>>,
        members: usize,
        bytes_max: usize,
    ) -> (Self, Option<MemberId>) {
        let json = Vec::with_capacity((members * Self::LINE_BYTES).min(bytes_max));
        let (mut list, mut last) = (Self { json, first: 0 }, None);
        for line in lines {
            let before = list.json.len();
            list.push(&line);
            if before > 0 && list.json.len() > bytes_max {
                list.json.truncate(before);
                break;
            }
            last = Some(line.member);
        }
        if list.json.capacity() > bytes_max {
            // It may wait for long, and counts with its length.
            list.json.shrink_to_fit();
        }
        (list, last)
    }

    fn push(&mut self, line: &MemberLine<'_>) {
        let out = &mut self.json;
        if !out.is_empty() {
            out.push(b',');
        }
        // As a `MemberEntry`, field by field: a join to a big room shows hundreds.
        out.extend_from_slice(b"{\"member\":");
        push(out, &line.member);
        push_field(out, "nick", line.nick);
        push_field(out, "color", &line.color);
        push_field(out, "role", &line.role);
        push_field(out, "online", &line.online);
        if let Some(data) = line.data {
            push_json(out, "data", data.as_str().as_bytes());
        }
        out.push(b'}');
        if self.first == 0 {
            self.first = self.json.len();
        }
    }

    /// The one that was put in first.
    pub(super) fn first(&self) -> &[u8] {
        &self.json[..self.first]
    }

    /// How many bytes they have together.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    /// Writes them into a frame, and how many members there are in all.
    pub(super) fn write_into(&self, out: &mut Vec<u8>, members_total: usize) {
        push_list(out, "members", iter::once(&*self.json));
        push_field(out, "members_total", &members_total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_a_later_version_knows_is_read_as_that_of_a_member() {
        let member = r#"{"member":1,"nick":"Ann","color":0,"role":"founder","online":true,"data":{}}"#;
        assert_eq!(serde_json::from_str::<MemberEntry>(member).expect("a member").role, Role::Member);
    }
}
