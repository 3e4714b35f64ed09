//! The transfer engine for commands other than `scp`.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::Node;
use cells_client::transfer::event::ItemNumber;
use cells_client::transfer::journal::{Journals, Unfinished};
use cells_client::transfer::{Engine, Options};

/// Creates an engine without an observer.
///
/// # Errors
/// There is no account, or it cannot be used.
pub async fn engine(ctx: &Ctx, options: Options) -> Result<Engine, CliError> {
    let api = ctx.api().await?.clone().with_retry(options.retry.clone());
    Ok(Engine {
        options: Arc::new(options),
        // A child token, because the run also cancels itself if the reader of its plan is gone.
        cancel: ctx.cancel.child_token(),
        ..Engine::new(api, ctx.s3().await?.clone())
    })
}

/// Returns the journals of unfinished transfers of the account in use.
///
/// # Errors
/// There is no account, or it cannot be used.
pub async fn journals(ctx: &Ctx) -> Result<Journals, CliError> {
    let account = ctx.account().await?;
    let (server, user) = (account.url.origin().to_owned(), account.login.clone());
    let folder = ctx.settings.state_folder.as_ref();
    Ok(folder.map_or_else(Journals::default, |folder| Journals::in_folder(folder.join("transfers"), server, user)))
}

/// Returns the unfinished transfers on this machine, of all accounts. It needs no account.
pub fn all_unfinished(ctx: &Ctx) -> Vec<Unfinished> {
    let folder = ctx.settings.state_folder.as_ref();
    let journals = folder.map(|folder| Journals::in_folder(folder.join("transfers"), String::new(), None));
    journals.unwrap_or_default().list()
}

/// Writes a file, or a range of it, to standard output. A complete file is verified.
///
/// # Errors
/// The node is a folder; the content cannot be read, or differs from the listed one; the reader has gone.
pub async fn write_content(
    ctx: &Ctx,
    engine: &Engine,
    item: ItemNumber,
    node: &Node,
    range: Range<u64>,
) -> Result<(), CliError> {
    if node.is_folder() {
        return Err(no_content(node));
    }
    let mut refused = None;
    let mut reader = |chunk: &[u8]| {
        ctx.ui.bytes(chunk).map_err(|error| {
            refused = Some(error);
            io::Error::from(io::ErrorKind::BrokenPipe)
        })
    };
    let read = engine.read(item, node, range, &mut reader).await;
    if let Some(error) = refused {
        return Err(error.into());
    }
    read?;
    Ok(ctx.ui.flush()?)
}

/// Creates the error for a folder in place of a file.
pub fn no_content(folder: &Node) -> CliError {
    CliError::new(Kind::Failure, format!("'{}' is a folder", folder.path)).about(&folder.path)
}
