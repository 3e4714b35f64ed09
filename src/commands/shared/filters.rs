//! The options that select files of trees, and the filter that they result in.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::input;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::settings::{parse_age, parse_bytes};
use cells_client::walk::filter::{Filter, Rules, Verdict};

/// The options with patterns, in the order in which their rules apply.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RuleArgs {
    /// Only files that match this pattern: '*.jpg', '/docs/**'; can be repeated ('cec help filters')
    #[arg(long, value_name = "PATTERN", help_heading = "Selection")]
    include: Vec<String>,
    /// File with patterns for --include, one per line; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Selection", hide_short_help = true)]
    include_from: Vec<PathBuf>,
    /// Leave out files that match this pattern; 'DIR/**' is a folder with its content
    #[arg(long, value_name = "PATTERN", help_heading = "Selection")]
    exclude: Vec<String>,
    /// File with patterns for --exclude, one per line; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Selection", hide_short_help = true)]
    exclude_from: Vec<PathBuf>,
    /// A rule: '+ PATTERN' includes, '- PATTERN' leaves out; the first rule that matches decides
    #[arg(long, value_name = "RULE", help_heading = "Selection", allow_hyphen_values = true)]
    filter: Vec<String>,
    /// File with rules for --filter, one per line; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Selection", hide_short_help = true)]
    filter_from: Vec<PathBuf>,
}

/// The names of all options that `--files-from` replaces.
pub const REPLACED_BY_NAMES: [&str; 12] = [
    "include",
    "include_from",
    "exclude",
    "exclude_from",
    "filter",
    "filter_from",
    "min_size",
    "max_size",
    "min_age",
    "max_age",
    "max_depth",
    "no_hidden",
];

/// The options for size and age.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MeasureArgs {
    /// Only files of at least this size: 500, 10k, 1.5M, 2G
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Selection")]
    min_size: Option<u64>,
    /// Only files of at most this size
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Selection")]
    max_size: Option<u64>,
    /// Only files changed at least this long ago: 90s, 12h, 7d, 2w
    #[arg(long, value_name = "AGE", value_parser = parse_age, help_heading = "Selection")]
    min_age: Option<Duration>,
    /// Only files changed at most this long ago
    #[arg(long, value_name = "AGE", value_parser = parse_age, help_heading = "Selection")]
    max_age: Option<Duration>,
}

impl RuleArgs {
    /// Returns the filter of these options.
    ///
    /// # Errors
    /// A pattern is not valid; a file cannot be read; standard input is named twice.
    pub async fn filter(&self, ctx: &Ctx) -> Result<Filter, CliError> {
        only_once(self.files())?;
        let mut rules = Rules::default();
        let including = !self.include.is_empty() || !self.include_from.is_empty();
        let excluding = !self.exclude.is_empty() || !self.exclude_from.is_empty();
        if including && excluding {
            ctx.ui.warn("all --include rules apply before all --exclude rules; --filter keeps the order");
        }
        for (patterns, files, verdict) in [
            (&self.include, &self.include_from, Verdict::Include),
            (&self.exclude, &self.exclude_from, Verdict::Exclude),
        ] {
            for pattern in patterns {
                rules.add(verdict, pattern)?;
            }
            for file in files {
                let text = input::text(ctx, file).await?;
                lines(&text).try_for_each(|line| rules.add(verdict, line)).map_err(|error| in_file(error, file))?;
            }
        }
        for rule in &self.filter {
            rules.add_line(rule)?;
        }
        for file in &self.filter_from {
            let text = input::text(ctx, file).await?;
            lines(&text).try_for_each(|line| rules.add_line(line)).map_err(|error| in_file(error, file))?;
        }
        if including {
            rules.add(Verdict::Exclude, "/**")?;
        }
        Ok(Filter { rules, ..Filter::default() })
    }

    /// Returns the files to read rules from.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.include_from.iter().chain(&self.exclude_from).chain(&self.filter_from)
    }
}

impl MeasureArgs {
    /// Adds the limits of size and age to a filter.
    ///
    /// # Errors
    /// Nothing can match both ages.
    pub fn limit(&self, filter: &mut Filter) -> Result<(), CliError> {
        if let (Some(least), Some(most)) = (self.min_age, self.max_age)
            && least > most
        {
            return Err(CliError::new(Kind::Usage, "--min-age is larger than --max-age, so that no file matches"));
        }
        let now = SystemTime::now();
        let before = |age: Duration| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        filter.min_size = self.min_size;
        filter.max_size = self.max_size;
        filter.modified_to = self.min_age.map(before);
        filter.modified_from = self.max_age.map(before);
        Ok(())
    }
}

/// Returns the lines of a file with patterns, without empty lines and comments.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

/// Refuses to read several lists from standard input.
///
/// # Errors
/// [`Kind::Usage`].
pub fn only_once<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Result<(), CliError> {
    if files.filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(CliError::new(Kind::Usage, "only one list can come from standard input"));
    }
    Ok(())
}

fn in_file(error: impl Into<CliError>, file: &Path) -> CliError {
    error.into().during(format!("reading '{}'", file.display()))
}
