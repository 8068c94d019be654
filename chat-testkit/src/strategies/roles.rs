//! Steps about roles: who gives which to whom, and a room that is the host's.

use chat_core::room::Input;
use chat_core::{MemberId, Role};
use proptest::prelude::*;
use proptest::sample::select;

use super::cast::member;
use super::steps::{Act, Mod, Target};
use crate::model::Model;

/// Whose role it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// A member.
    Here(Target),
    /// One of those who left and may come back to their place, counted around; where nobody is, that number.
    Away(u32),
}

impl Known {
    /// Their number, in a room that is as `model` says.
    pub(super) fn number(self, model: &Model) -> MemberId {
        match self {
            Self::Here(target) => member(target, model),
            Self::Away(count) => {
                let away = model.former();
                away.get(count as usize % away.len().max(1)).copied().unwrap_or(MemberId(count))
            }
        }
    }
}

/// A role given, by those who may and those who may not; seldom, a room that becomes the host's.
pub(super) fn any_appointment(
    by: impl Strategy<Value = Mod> + Clone,
    whom: impl Strategy<Value = Target> + Clone,
) -> impl Strategy<Value = Act> + Clone {
    let whom = prop_oneof![4 => whom.prop_map(Known::Here), 1 => (0..4_u32).prop_map(Known::Away)];
    let role = select(vec![Role::Moderator, Role::Moderator, Role::Moderator, Role::Owner, Role::Member]);
    prop_oneof![
        16 => (by, whom, role).prop_map(|(by, whom, role)| Act::SetRole { by, whom, role }),
        1 => Just(Act::Protect),
    ]
}

/// The input that an appointment is.
pub(super) fn input(by: chat_core::room::Actor, whom: Known, role: Role, model: &Model) -> Input {
    Input::SetRole { by, member: whom.number(model), role }
}
