//! The transfer engine against the sandbox: trees both ways, verification, and bad days.

#[path = "../support/clients.rs"]
mod clients;
#[path = "../support/trees.rs"]
mod trees;

mod answers;
mod attempts;
mod downloads;
mod encrypted;
mod late_index;
mod overlaps;
mod random;
mod support;
mod transfer;
mod uploads;
