//! What nobody expects: a server that lies in every answer, lines that break when they like, orders that nobody
//! planned. Everything is drawn from seeds; what a run has found can be had again by its seed. A small fixed set runs
//! each time, a large one with `just chaos`.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]
// Peaks of memory and terminals are had here from Linux.
#![cfg(target_os = "linux")]
// What a long run does is said where --nocapture lets it be seen.
#![allow(clippy::print_stdout)]

mod chance;
mod hostile;
mod lines;
mod machine;
mod orders;
mod programs;
mod relay;
