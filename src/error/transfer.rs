//! Converts transfer errors into those of commands.

use std::io;

use super::advice::{self, of_server};
use super::{CliError, Kind, causes};
use cells_client::transfer::TransferError;
use cells_client::transfer::error::{HIDDEN_BY_LINK, NO_FILE, Reach};
use cells_client::walk::WalkError;
use cells_client::walk::local::LocalError;

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        let (kind, hint) = (Kind::of_transfer(&error), hint(&error));
        let (message, causes) = (message(&error), causes(&error));
        let converted = match error {
            TransferError::Server(error) => return error.into(),
            TransferError::Walk(error) => return error.into(),
            TransferError::NoFolder { folder, .. } => {
                return Self::new(kind, message).hint(advice::creation(&folder));
            }
            TransferError::Local { path, .. }
            | TransferError::LocalEntry { path, .. }
            | TransferError::Changed(path)
            | TransferError::KeepsChanging(path) => Self::new(kind, message).about(path.display()),
            TransferError::LocalName { path, .. }
            | TransferError::Clash { path, .. }
            | TransferError::Integrity { path, .. }
            | TransferError::Damaged { path, .. }
            | TransferError::OtherContent { path, .. }
            | TransferError::NotAsListed(path)
            | TransferError::ChangedOnServer(path)
            | TransferError::InDoubt { path, .. }
            | TransferError::Unproven { path, .. }
            | TransferError::NotAssembled { path, .. }
            | TransferError::LockedBy { path, .. }
            | TransferError::SameTarget { target: path, .. }
            | TransferError::TargetTaken { source_path: path, .. }
            | TransferError::Folder { folder: path, .. }
            | TransferError::Exists(path)
            | TransferError::NotAFolder(path)
            | TransferError::IsAFile(path)
            | TransferError::ReadOnly(path)
            | TransferError::ReadOnlyTop(path)
            | TransferError::Unfinished(path)
            | TransferError::InProgress(path)
            | TransferError::StreamLost(path)
            | TransferError::UploadLost(path) => Self::new(kind, message).about(path),
            TransferError::Name(_)
            | TransferError::NotFound(_)
            | TransferError::Usage(_)
            | TransferError::TooManyParts(_)
            | TransferError::GaveUp { .. }
            | TransferError::LimitReached(_)
            | TransferError::Cancelled => Self::new(kind, message),
        };
        let converted = converted.caused_by(causes);
        match hint {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

/// Returns the message, with the names that the command line uses.
fn message(error: &TransferError) -> String {
    match error {
        TransferError::LocalEntry { path, source: LocalError::Link } => {
            format!("{}: a symbolic link, and --links is 'error'", path.display())
        }
        error => error.to_string(),
    }
}

impl Kind {
    /// Returns the kind of a failed transfer.
    pub fn of_transfer(error: &TransferError) -> Self {
        match error {
            TransferError::Server(error) | TransferError::Walk(WalkError::Server(error)) => {
                of_server(error.kind, error.reason).0
            }
            TransferError::Local { source, .. } if source.kind() == io::ErrorKind::NotFound => Self::NotFound,
            TransferError::Walk(WalkError::ArchiveFolder(_))
            | TransferError::Local { .. }
            | TransferError::LocalEntry { .. }
            | TransferError::LocalName { .. }
            | TransferError::Name(_)
            | TransferError::Changed(_)
            | TransferError::InProgress(_)
            | TransferError::TooManyParts(_)
            | TransferError::KeepsChanging(_) => Self::Failure,
            TransferError::Exists(_)
            | TransferError::Clash { .. }
            | TransferError::NotAFolder(_)
            | TransferError::IsAFile(_) => Self::Exists,
            TransferError::Walk(WalkError::Pattern { .. } | WalkError::Rule { .. })
            | TransferError::SameTarget { .. }
            | TransferError::TargetTaken { .. }
            | TransferError::Usage(_) => Self::Usage,
            TransferError::NotFound(_) | TransferError::NoFolder { .. } | TransferError::Unfinished(_) => {
                Self::NotFound
            }
            TransferError::ReadOnly(_) | TransferError::ReadOnlyTop(_) | TransferError::LockedBy { .. } => {
                Self::Permission
            }
            TransferError::Unproven { source: Some(source), .. } => Self::of_transfer(source),
            TransferError::NotAssembled { source, .. } => Self::of_transfer(source),
            TransferError::Unproven { source: None, .. }
            | TransferError::Integrity { .. }
            | TransferError::Damaged { .. }
            | TransferError::NotAsListed(_)
            | TransferError::ChangedOnServer(_)
            | TransferError::OtherContent { .. } => Self::Integrity,
            TransferError::GaveUp { reach: Reach::Disk, .. } | TransferError::LimitReached(_) => Self::Failure,
            TransferError::UploadLost(_)
            | TransferError::StreamLost(_)
            | TransferError::InDoubt { .. }
            | TransferError::GaveUp { .. } => Self::Unreachable,
            TransferError::Folder { source, .. } => Self::of_transfer(source),
            TransferError::Cancelled => Self::Interrupted,
        }
    }
}

/// Returns a hint.
fn hint(error: &TransferError) -> Option<&'static str> {
    Some(match error {
        TransferError::Local { .. } if error.reach() == Reach::Disk => "free some disk space and run the command again",
        TransferError::LocalEntry { source: LocalError::NotUnicode, .. } => {
            "rename it: the server keeps only Unicode names"
        }
        TransferError::LocalEntry { source: LocalError::Special, .. } => {
            "to upload piped data, use: cec scp - <TARGET>"
        }
        TransferError::LocalEntry { source: LocalError::Temporary, .. } => "delete it, or rename it to upload it",
        TransferError::LocalName { reason: HIDDEN_BY_LINK, .. } => {
            "to download it, give the target a name: cec scp <URL> ./<NAME>"
        }
        TransferError::Name(_) => "rename it, or omit it",
        TransferError::Exists(_) => {
            "replace it with --force, or choose another policy: --if-exists skip|overwrite|update|rename"
        }
        TransferError::Clash { kind: NO_FILE, .. } => "to write to standard output, use - as the target",
        TransferError::Clash { replaceable: true, .. } => {
            "choose another target, or use --force to move the existing one to the recycle bin"
        }
        TransferError::Clash { .. } => "choose another target, or move the existing one away",
        TransferError::Unfinished(_) => "upload it again, or delete it",
        TransferError::InProgress(_) => "wait until it ends; 'cec transfers ls' shows it",
        TransferError::Changed(_) | TransferError::KeepsChanging(_) => {
            "run the command again when the file no longer changes"
        }
        TransferError::Integrity { .. } => {
            "run the command again; if that does not help, the copy on the server is damaged"
        }
        TransferError::NotAsListed(_) => "read it again; if that does not help, the copy on the server is damaged",
        TransferError::ChangedOnServer(_) => "read it again",
        TransferError::TooManyParts(_) => "use a larger --part-size, or allow more parts with --max-parts-number",
        TransferError::StreamLost(_) => "run the complete pipeline again",
        TransferError::OtherContent { .. } => "check or bypass the cache or proxy that answers in place of the server",
        TransferError::Damaged { .. } => {
            "delete it with 'cec rm' first, then upload it again or have it restored from a backup: while it exists, \
             the same content counts as unchanged"
        }
        TransferError::Unproven { .. } => {
            "run the command again; if that does not help, remove the target with 'cec rm'"
        }
        TransferError::NotAssembled { .. } => {
            "raise the proxy's timeout (nginx: proxy_read_timeout), or send the file in one piece with a larger \
             --multipart-threshold"
        }
        TransferError::ReadOnlyTop(_) => "list its folders with 'cec ls' and use one as the target",
        TransferError::LockedBy { .. } => "ask them to unlock it",
        TransferError::InDoubt { .. } => "run the same command with --force until it succeeds",
        TransferError::GaveUp { reach: Reach::Disk, .. } => "free some disk space",
        _ => return None,
    })
}
