//! What clients speak: every frame, every code, and how each transport carries them.
#![doc = include_str!("protocol.md")]
