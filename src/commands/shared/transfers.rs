//! What commands use of the transfer engine besides `scp` itself.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::Node;
use cells_client::transfer::event::ItemNumber;
use cells_client::transfer::{Engine, Options};

/// An engine that nobody hears of yet.
///
/// # Errors
/// No account, or none that can be used.
pub async fn engine(ctx: &Ctx, options: Options) -> Result<Engine, CliError> {
    let api = ctx.api().await?.clone().with_retry(options.retry.clone());
    Ok(Engine {
        options: Arc::new(options),
        // A plan that nobody reads is stopped by itself.
        cancel: ctx.cancel.child_token(),
        ..Engine::new(api, ctx.s3().await?.clone())
    })
}

/// Writes a file, or a range of it, to standard output; all of a file is verified.
///
/// # Errors
/// A folder; a content that cannot be read, or differs from what the server lists; a reader that has gone.
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

/// The failure of what is not a file.
pub fn no_content(folder: &Node) -> CliError {
    CliError::new(Kind::Failure, format!("'{}' is a folder", folder.path)).about(&folder.path)
}
