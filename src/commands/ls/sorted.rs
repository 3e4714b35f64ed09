//! Lists a complete tree in sorted order, for which each folder must be in memory: each folder before its content,
//! while the next folders are requested.

use futures_util::TryStreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::show::Show;
use super::{Args, Lister, order};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::error::{CliError, Kind};
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::walk::WalkError;
use cells_client::walk::remote::{LISTINGS_IN_FLIGHT, is_recycle_bin};

type Listing = AbortOnDropHandle<Result<Vec<Node>, WalkError>>;

/// A node to be printed; for a folder, its listing, once it was started.
struct Waiting {
    node: Node,
    listing: Option<Listing>,
}

/// Lists everything below `root`. The recycle bin of a workspace is printed but not entered. A folder that cannot be
/// listed is a failure of its own, and the rest continues.
///
/// # Errors
/// `root` cannot be listed, or standard output cannot be written.
pub(super) async fn list(
    lister: &Lister,
    arguments: &Args,
    root: &RemotePath,
    show: &mut Show<'_>,
    operands: &mut Operands<'_>,
) -> Result<(), CliError> {
    let mut waiting = Vec::new();
    let children = received(start(lister, root, root), root).await?;
    push(&mut waiting, children, arguments);
    loop {
        fetch_ahead(lister, root, &mut waiting);
        let Some(Waiting { node, listing }) = waiting.pop() else { return Ok(()) };
        show.node(&node)?;
        let Some(listing) = listing else { continue };
        match received(listing, &node.path).await {
            Ok(children) => push(&mut waiting, children, arguments),
            Err(error) => operands.failed(error)?,
        }
    }
}

/// Starts the listings of the folders that are printed next.
fn fetch_ahead(lister: &Lister, root: &RemotePath, waiting: &mut [Waiting]) {
    let is_entered = |node: &Node| node.is_folder() && !is_recycle_bin(&node.path);
    let folders = waiting.iter_mut().rev().filter(|waiting| is_entered(&waiting.node));
    for waiting in folders.take(LISTINGS_IN_FLIGHT) {
        if waiting.listing.is_none() {
            waiting.listing = Some(start(lister, root, &waiting.node.path));
        }
    }
}

fn start(lister: &Lister, root: &RemotePath, folder: &RemotePath) -> Listing {
    AbortOnDropHandle::new(tokio::spawn(lister.children(root, folder).try_collect()))
}

async fn received(listing: Listing, folder: &RemotePath) -> Result<Vec<Node>, CliError> {
    let error = match listing.await {
        Ok(Ok(nodes)) => return Ok(nodes),
        Ok(Err(error)) => CliError::from(error),
        Err(_) => CliError::new(Kind::Failure, "the listing was lost"),
    };
    Err(nodes::listing_failed(error, folder))
}

/// Pushes the children of a folder on the stack, with the first on top.
fn push(waiting: &mut Vec<Waiting>, mut children: Vec<Node>, arguments: &Args) {
    order(&mut children, arguments);
    waiting.extend(children.into_iter().rev().map(|node| Waiting { node, listing: None }));
}
