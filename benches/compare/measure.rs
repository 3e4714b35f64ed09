//! Runs a program and measures its cost.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wait4::Wait4;

/// The cost of one run, including all child processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// The wall time.
    pub(crate) wall: Duration,
    /// The CPU time in user and kernel mode.
    pub(crate) cpu: Duration,
    /// The largest resident set of any of its processes, in bytes.
    pub(crate) peak: u64,
}

/// Runs a command to its end, and writes its output to `log`.
///
/// # Errors
/// The command cannot be started, or fails; the error contains the end of its output.
pub(crate) fn run(command: &mut Command, log: &Path) -> anyhow::Result<Cost> {
    let output = File::create(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let begun = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let used = child.wait4()?;
    let wall = begun.elapsed();
    if !used.status.success() {
        bail!("{}: {}", used.status, tail(log));
    }
    Ok(Cost { wall, cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss })
}

/// Returns the last meaningful line of an output, shortened.
fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let last = text.split(['\n', '\r']).rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    last.trim().chars().take(160).collect()
}

/// Returns the median of the runs, for each figure separately; for an even number, the larger of the two in the middle.
pub(crate) fn median(costs: &[Cost]) -> Option<Cost> {
    fn middle<T: Ord + Copy>(costs: &[Cost], figure: impl Fn(&Cost) -> T) -> Option<T> {
        let mut figures: Vec<T> = costs.iter().map(figure).collect();
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied()
    }
    Some(Cost {
        wall: middle(costs, |cost| cost.wall)?,
        cpu: middle(costs, |cost| cost.cpu)?,
        // For memory, the worst run counts.
        peak: costs.iter().map(|cost| cost.peak).max()?,
    })
}
