//! Listing a whole tree as it comes.

use super::Lister;
use super::show::Show;
use crate::commands::shared::operands::Operands;
use crate::error::CliError;
use cells_client::path::RemotePath;
use cells_client::walk::ordered::{self, OrderedOptions, Step};

/// Shows everything below `root`; the recycle bin of a workspace is shown but not entered. A folder that cannot be
/// listed is a failure of its own; the rest goes on.
///
/// # Errors
/// `root` cannot be listed, or standard output takes no more.
pub(super) async fn list(
    lister: &Lister,
    root: &RemotePath,
    show: &mut Show<'_>,
    operands: &mut Operands<'_>,
) -> Result<(), CliError> {
    let mut walk = ordered::walk(&lister.api, &lister.s3, root, OrderedOptions::default());
    while let Some(step) = walk.next().await {
        match step {
            Step::Node { node, .. } => show.node(&node)?,
            Step::Left(_) => {}
            Step::Failed { folder, error } => operands.unlisted(root, &folder, error)?,
        }
    }
    Ok(())
}
