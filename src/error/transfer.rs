//! What a failed transfer means for a command.

use super::convert::{of_api, of_s3};
use super::{CliError, Kind};
use crate::transfer::TransferError;
use crate::walk::local::LocalError;

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        let message = error.to_string();
        match error {
            TransferError::Api(error) => error.into(),
            TransferError::S3(error) => error.into(),
            TransferError::Walk(error) => error.into(),
            TransferError::Local { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::new(Kind::NotFound, message).about(path.display())
            }
            TransferError::Local { path, source } => {
                let converted = Self::new(Kind::Failure, message).about(path.display());
                match source.kind() {
                    std::io::ErrorKind::StorageFull => {
                        converted.hint("make room on the disk and run the command again")
                    }
                    _ => converted,
                }
            }
            TransferError::LocalEntry { path, source } => {
                let converted = Self::new(Kind::Failure, message).about(path.display());
                match source {
                    LocalError::NotUnicode => converted.hint("rename it: the server keeps only Unicode names"),
                    LocalError::Io(_) | LocalError::Link => converted,
                }
            }
            TransferError::Name(_) => Self::new(Kind::Failure, message).hint("rename it, or leave it out"),
            TransferError::LocalName { path, .. } => Self::new(Kind::Failure, message).about(path),
            TransferError::Exists(path) => Self::new(Kind::Exists, message)
                .about(path)
                .hint("replace it with --force, or choose another policy: --if-exists skip|overwrite|update|rename"),
            TransferError::Clash { path, .. } => {
                Self::new(Kind::Exists, message).about(path).hint("choose another target, or move what is there away")
            }
            TransferError::NotAFolder(path) => Self::new(Kind::Exists, message).about(path),
            TransferError::SameTarget { target, .. } => Self::new(Kind::Usage, message).about(target),
            TransferError::NotFound(_) => Self::new(Kind::NotFound, message),
            TransferError::ReadOnly(path) => Self::new(Kind::Permission, message).about(path),
            TransferError::Usage(_) => Self::new(Kind::Usage, message),
            TransferError::Changed(path) => {
                Self::new(Kind::Failure, message).about(path.display()).hint("run the command again once it is at rest")
            }
            TransferError::Integrity { path, .. } => Self::new(Kind::Integrity, message)
                .about(path)
                .hint("run the command again; if it stays so, the copy on the server is damaged"),
            TransferError::UploadLost(path) => Self::new(Kind::Unreachable, message).about(path),
            TransferError::InDoubt { path, .. } => Self::new(Kind::Unreachable, message)
                .about(path)
                .hint("send it again until it succeeds: the same command with --force"),
            TransferError::Folder { source, .. } => {
                let kind = kind_of(&source);
                Self::new(kind, message)
            }
            TransferError::ServerAway { .. } => Self::new(Kind::Unreachable, message)
                .hint("run the same command again: what is there already is not transferred twice"),
            TransferError::Cancelled => Self::new(Kind::Interrupted, message),
        }
    }
}

/// The kind of a failure that several items share, and that therefore cannot be taken apart.
fn kind_of(error: &TransferError) -> Kind {
    match error {
        TransferError::Api(error) => of_api(error.kind).0,
        TransferError::S3(error) => of_s3(error.kind).0,
        TransferError::Exists(_) | TransferError::Clash { .. } => Kind::Exists,
        TransferError::ReadOnly(_) => Kind::Permission,
        TransferError::NotFound(_) => Kind::NotFound,
        TransferError::Folder { source, .. } => kind_of(source),
        _ => Kind::Failure,
    }
}
