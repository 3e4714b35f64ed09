//! What a Cells server does, as scenarios: always on the sandbox, and on a real server where `CEC_TEST_URL` and
//! `CEC_TEST_TOKEN` name one (docs/conformance.md). The same assertions hold on both.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]
// What is left out is said where --nocapture lets it be seen.
#![allow(clippy::print_stdout)]

#[path = "../support/clients.rs"]
mod clients;
#[path = "../support/trees.rs"]
mod trees;

mod administration;
mod answers;
mod archives;
mod create;
mod discovery;
mod engine;
mod errors;
mod faces;
mod jobs;
mod links;
mod listing;
mod multipart;
mod names;
mod objects;
mod recycle;
mod s3_access;
mod s3_list;
mod server;
mod sessions;
mod tokens;
mod tree;

/// Makes two tests of each scenario: `<scenario>::sandbox` and `<scenario>::real`.
macro_rules! scenarios {
    ($($name:ident,)*) => {
        $(mod $name {
            #[tokio::test]
            async fn sandbox() {
                crate::server::on_sandbox(super::$name).await;
            }

            #[tokio::test]
            async fn real() {
                crate::server::on_real(module_path!(), super::$name).await;
            }
        })*
    };
}
pub(crate) use scenarios;
