//! Other clients of S3 on the sandbox: what works with them on a real server works here, and what fails there fails here
//! in the same way. docs/other-clients.md says what was tried; its configurations are the ones used here. A client that
//! is not installed is skipped.

mod support;

mod aws;
mod curl;
mod export;
mod rclone;
mod s3cmd;
mod s5cmd;
