//! Which limits all servers of one service are to have alike: those that change what a room decides, wherever it is decided.

use std::collections::BTreeMap;

use super::Limits;

/// The named fields of a part of the limits, each with its path and its value in words.
macro_rules! named {
    ($limits:expr, $part:ident: $($field:ident)+) => {
        [$((concat!(stringify!($part), ".", stringify!($field)), format!("{:?}", $limits.$part.$field))),+]
    };
}

impl Limits {
    /// What all servers of one service are to have alike: with another value a room would decide otherwise once another server has it. Each
    /// limit by its path, such as `room.members_max`, with its value in words. What each server bounds for itself (memory, rates, addresses, how
    /// often something is told) is not among them.
    pub fn agreed(&self) -> BTreeMap<&'static str, String> {
        let room = named!(self, room:
            members_max attachments_max message_chars_max data_bytes_max params_bytes_max edit_window edits_max history_default history_max
            newcomers_see members_page_max notices_members_max notices_resume_percent grace owner_seat_held moderators_max empty_linger
            lost_linger typing_ttl typing_members_max live_max live_bytes_max live_ttl signals_per_member_max signals_bytes_max signal_ttl
            keys_per_scope_max keys_max host_keys_max marks_max former_max former_networks_max bans_max bans_page_max invites_max invite_time owed_max owed_bytes_max
            changes_max reactable_max reactions_max reactions_per_person_max reaction_names_max reads_max unread_max slow_max slowed_max
            member_change_interval member_changes_max);
        let session = named!(self, session: token_expiry retention);
        room.into_iter().chain(session).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Limits of a room that each server has for itself: how much it keeps for readers and for what waits, how often something is told, and when
    /// it believes its clock.
    const OWN: [&str; 14] = [
        "backlog_bytes_max",
        "backlog_events_max",
        "batch_inputs_max",
        "clock_doubt",
        "clock_step_max",
        "fed_bytes_max",
        "gap_view_interval",
        "inbox_max",
        "live_interval",
        "parked_bytes_max",
        "parked_max",
        "presence_interval",
        "reads_interval",
        "signals_interval",
    ];

    #[test]
    fn every_limit_of_a_room_is_agreed_on_or_each_servers_own() {
        let limits = Limits::default();
        let shown = format!("{:#?}", limits.room);
        let names = shown
            .lines()
            .filter_map(|line| line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}', ')'])));
        let names: Vec<String> = names.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
        let agreed = limits.agreed();
        let is_agreed = |name: &str| agreed.contains_key(format!("room.{name}").as_str());
        let unknown: Vec<&String> =
            names.iter().filter(|name| is_agreed(name) == OWN.contains(&name.as_str())).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "say in `agreed` or here which it is");
        assert!(names.len() > 50, "{names:?}");
    }

    #[test]
    fn another_value_is_another() {
        let mut other = Limits::default();
        other.room.grace *= 2;
        let (ours, theirs) = (Limits::default().agreed(), other.agreed());
        let apart: Vec<_> = ours.iter().filter(|(name, value)| theirs[*name] != **value).collect();
        assert_eq!(apart, [(&"room.grace", &"30s".to_owned())]);
    }
}
