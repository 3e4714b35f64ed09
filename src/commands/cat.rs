//! `cec cat`.

use std::ops::Range;

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::shared::transfers::{engine, write_content};
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use cells_client::transfer::Options;

/// Arguments of `cec cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec cat cells://common-files/notes.txt\n  \
    cec cat --offset 1000 --count 500 cells://common-files/big.bin | xxd")]
pub struct Args {
    /// Files or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Start after this many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    offset: u64,
    /// Write at most this many bytes of each file
    #[arg(long, value_name = "BYTES")]
    count: Option<u64>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "fetching";
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["head", "tail", "less", "more", "type"], "'cec cat' writes files to standard output")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Prints the content of files, one after the other.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let options = Options { retry: ctx.retry_policy()?, ..Options::default() };
        let engine = engine(ctx, options).await?;
        let mut operands = Operands::new(&ctx.ui);
        for typed in &self.paths {
            let found = match nodes::parse(ctx, typed) {
                Ok(path) => nodes::resolve(ctx, &path, self.no_glob).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => {
                    for node in &found {
                        let range = byte_range(node.size, &self);
                        let result = write_content(ctx, &engine, 0, node, range).await;
                        operands.take(
                            result.map_err(|error| error.during(format!("reading {}", node.path)).about(&node.path)),
                        )?;
                    }
                }
                Err(error) => operands.failed(error)?,
            }
        }
        Ok(operands.outcome())
    }
}

/// Returns the requested range of a file.
fn byte_range(size: u64, arguments: &Args) -> Range<u64> {
    let start = arguments.offset.min(size);
    let end = arguments.count.map_or(size, |count| start.saturating_add(count).min(size));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let arguments = |offset, count| Args { paths: Vec::new(), offset, count, no_glob: false };
        for (offset, count, expected) in [
            (0, None, 0..10),
            (4, None, 4..10),
            (4, Some(3), 4..7),
            (4, Some(99), 4..10),
            (99, Some(1), 10..10),
            (0, Some(0), 0..0),
            (9, Some(u64::MAX), 9..10),
        ] {
            assert_eq!(byte_range(10, &arguments(offset, count)), expected);
        }
    }
}
