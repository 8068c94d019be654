//! Servers on loopback, linked.
