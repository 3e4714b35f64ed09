//! The transfer engine against the sandbox: trees both ways, verification, and bad days.

mod support;
mod transfer;
