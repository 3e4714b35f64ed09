//! The REST side of the sandbox, asked over real connections.

mod faults;
mod jobs;
mod oauth;
mod oauth_recordings;
mod paging;
mod recordings;
mod sessions;
mod shape;
mod support;
mod tokens;
mod transport;
mod trash;
mod tree;
