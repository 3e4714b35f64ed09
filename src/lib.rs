//! The command-line client of Pydio Cells servers. A library for its own binary, tests and examples only.

pub mod account;
pub mod api;
pub mod auth;
pub mod env;
pub mod error;
pub mod hash;
pub mod http;
pub mod path;
pub mod s3;
pub mod settings;
pub mod store;
pub mod sys;
pub mod transfer;
pub mod ui;
pub mod walk;
