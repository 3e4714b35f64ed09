//! The REST and S3 clients on the wire: a sandbox server, proxies and other listeners, with things going wrong.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]

#[path = "../support/clients.rs"]
mod clients;

mod days;
mod http;
mod identity;
mod listing;
mod logs;
mod oauth;
mod rest;
mod s3;
mod support;
mod tokens;
