//! Proptest strategies: values (valid ones and hostile text), commands, and whole runs of a room.
//!
//! Strategies named `any_*` reach everywhere; those named `few_*` draw from a handful, so that things collide.

mod cast;
mod commands;
mod people;
mod runs;
mod settings;
mod steps;
mod types;

pub use cast::{Cast, Play};
pub use commands::any_command;
pub use people::{any_person_data, few_person_data};
pub use runs::{any_run, any_step, small_limits};
pub use steps::{Act, After, Asked, Attempt, Known, Mod, Pass, Side, Spot, Step, Target, Who};
pub use types::{
    any_body, any_data, any_identity, any_key, any_nick, any_position, any_reaction_name, any_room_code,
    any_signal_data, any_signal_name, any_topic, few_data, few_host_names, few_keys, few_nicks, few_reaction_names,
    few_room_codes, few_signal_data, few_signal_names, few_texts, few_topics, host_names, hostile_text,
};

/// How many cases a property is tried with: `PROPTEST_CASES` where it is set, else `default`.
pub fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
