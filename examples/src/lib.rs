//! What the example servers share: flags, the page, and an orderly end.

mod flags;
mod page;
mod run;

pub use flags::Flags;
pub use page::page;
pub use run::run;
