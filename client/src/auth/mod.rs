//! Tokens, and the authenticated sender that the REST and the S3 client share.

mod clock;
mod error;
mod flight;
pub mod oauth;
mod probe;
pub mod public_link;
#[cfg(test)]
pub(crate) mod recording;
mod renewal;
mod sender;
mod session;
mod source;
mod token;

pub use clock::Clock;
pub use error::{AuthError, LinkRefusal};
pub use probe::{ANY_WORKSPACE, is_dead_token_answer};
pub use sender::{Answer, Sender};
pub use source::TokenSource;
pub use token::Token;
