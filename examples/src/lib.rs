//! What the example servers share: flags, the page, and an orderly end.

mod data;
mod flags;
mod health;
mod operator;
mod page;
mod run;

pub use data::{DataError, DataFlags, Durability, SECRET_VARIABLE};
pub use flags::Flags;
pub use health::health;
pub use operator::Operator;
pub use page::page;
pub use run::{block_on, run};
