//! The sandbox, asked over real connections.

#![allow(clippy::unwrap_used)]

mod rest;
mod s3;

#[path = "../../../tests/support/raw.rs"]
mod raw;
