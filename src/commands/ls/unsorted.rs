//! Lists a complete tree as it arrives.

use super::Lister;
use super::show::Show;
use crate::commands::shared::operands::Operands;
use crate::error::CliError;
use cells_client::path::RemotePath;
use cells_client::walk::ordered::{self, OrderedOptions, Step};

/// Lists everything below `root`. The recycle bin of a workspace is printed but not entered. A folder that cannot be
/// listed is a failure of its own, and the rest continues.
///
/// # Errors
/// `root` cannot be listed, or standard output cannot be written.
pub(super) async fn list(
    lister: &Lister,
    root: &RemotePath,
    show: &mut Show<'_>,
    operands: &mut Operands<'_>,
) -> Result<(), CliError> {
    let options = OrderedOptions { filter: lister.filter.clone(), ..OrderedOptions::default() };
    let mut walk = ordered::walk(&lister.api, &lister.s3, root, options);
    while let Some(step) = walk.next().await {
        match step {
            Step::Node { node, .. } => show.node(&node)?,
            Step::Left(_) => {}
            Step::Failed { folder, error } => operands.unlisted(root, &folder, error)?,
        }
    }
    Ok(())
}
