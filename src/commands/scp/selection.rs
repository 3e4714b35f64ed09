//! The filter of a transfer.

use super::args::Args;
use super::direction::Direction;
use crate::commands::shared::filters::{lines, only_once};
use crate::commands::shared::input;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::walk::filter::{Filter, Names};

/// Returns the filter from the command line.
///
/// # Errors
/// A pattern is not valid; a list cannot be read; the content of a stream would be filtered.
pub(super) async fn filter(ctx: &Ctx, args: &Args, direction: &Direction) -> Result<Filter, CliError> {
    let filter = if args.files_from.is_empty() {
        let mut filter = args.rules.filter(ctx).await?;
        args.measures.limit(&mut filter)?;
        Filter { max_depth: args.max_depth, hidden: !args.no_hidden, ignore_files: !args.no_ignore, ..filter }
    } else {
        Filter { names: Some(names(ctx, args).await?), ..Filter::default() }
    };
    let is_stream = matches!(direction, Direction::PipeUp(..) | Direction::PipeDown(..));
    if is_stream && (filter.selects_files() || filter.max_depth.is_some() || !filter.hidden) {
        let message = "the options that select files have no effect on standard input and output";
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(filter)
}

async fn names(ctx: &Ctx, args: &Args) -> Result<Names, CliError> {
    only_once(args.files_from.iter())?;
    let mut names = Vec::new();
    for file in &args.files_from {
        let text = input::text(ctx, file).await?;
        match args.from0 {
            true => names.extend(text.split('\0').map(str::to_owned)),
            false => names.extend(lines(&text).map(str::to_owned)),
        }
    }
    Ok(Names::new(names.iter().map(String::as_str)))
}
