//! Other clients of S3 on the sandbox: what works with them on a real server works here, and what fails there fails here
//! in the same way. docs/other-clients.md says what was tried; its configurations are the ones used here. A client that
//! is not installed is skipped.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]

#[path = "../support/trees.rs"]
mod trees;

mod support;

mod aws;
mod curl;
mod export;
mod rclone;
mod s3cmd;
mod s5cmd;
