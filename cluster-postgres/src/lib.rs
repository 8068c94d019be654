//! Servers of one chat service that share a PostgreSQL database: who owns what, and the links between them.
//!
//! The database decides and keeps; the links carry, and nothing that one of them loses is the truth of anything.

pub mod links;
