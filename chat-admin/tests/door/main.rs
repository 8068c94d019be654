//! The operator's door as whoever operates a server finds it: what is shown, what is done, what is refused, and what the audit says.

mod acts;
mod audit;
mod described;
mod kept;
mod looks;
mod refused;
mod support;
