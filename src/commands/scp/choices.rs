//! What the flags of `cec scp` that choose can be set to.

use crate::transfer::IfExists;
use crate::walk::local::LinkPolicy;

/// What the older client could be told to log of an upload in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum DebugEvent {
    /// Signatures.
    Signing,
    /// Attempts.
    Retry,
    /// Requests.
    Request,
    /// Requests with their bodies.
    RequestWithBody,
    /// Answers.
    Response,
    /// Answers with their bodies.
    ResponseWithBody,
    /// What is out of date.
    DeprecatedUsage,
    /// Events of requests.
    RequestEventMessage,
    /// Events of answers.
    ResponseEventMessage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum IfExistsArg {
    /// Fail
    Fail,
    /// Leave it alone
    Skip,
    /// Replace it
    Overwrite,
    /// Replace it where the source is newer
    Update,
    /// Put the source beside it, under a free name
    Rename,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LinksArg {
    /// Take what they point at
    Follow,
    /// Leave them out
    Skip,
    /// Count each as a failure
    Error,
}

impl From<IfExistsArg> for IfExists {
    fn from(argument: IfExistsArg) -> Self {
        match argument {
            IfExistsArg::Fail => Self::Fail,
            IfExistsArg::Skip => Self::Skip,
            IfExistsArg::Overwrite => Self::Overwrite,
            IfExistsArg::Update => Self::Update,
            IfExistsArg::Rename => Self::Rename,
        }
    }
}

impl From<LinksArg> for LinkPolicy {
    fn from(argument: LinksArg) -> Self {
        match argument {
            LinksArg::Follow => Self::Follow,
            LinksArg::Skip => Self::Skip,
            LinksArg::Error => Self::Error,
        }
    }
}
