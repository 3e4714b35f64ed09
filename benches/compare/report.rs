//! The tables, in Markdown, as docs/performance.md keeps them.

use std::time::Duration;

use crate::cases::{Case, Row, Table};
use crate::measure::{self, Cost};
use crate::settings::Settings;
use crate::stage::Stage;

/// Prints the programs and the machine of the comparison.
pub(crate) fn head(settings: &Settings, stage: &Stage) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let server = if settings.server.is_some() { stage.url.as_str() } else { "the sandbox, on the same machine" };
    println!(
        "Server: {server}. {cores} cores, {}. Rounds: {}, turn about; medians, and the worst peak.",
        load(),
        settings.rounds
    );
    let mut names = vec![format!("cec {}", env!("CARGO_PKG_VERSION"))];
    names.extend(settings.tools.iter().map(|(tool, path)| format!("{} {}", tool.name(), tool.version(path))));
    println!("Programs: {}.", names.join(", "));
}

/// Prints the load at the end, which shows whether the figures are reliable.
pub(crate) fn foot() {
    println!("\nAt the end: {}.", load());
}

/// Returns the load of the last minute, if the system reports it.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next().unwrap_or("unknown");
    format!("load {first}")
}

/// Prints one case with its targets.
pub(crate) fn table(table: &Table) {
    println!("\n### {}\n", table.title);
    println!("| | wall s | CPU s | peak MiB | wall, cec = 1 | CPU, cec = 1 |");
    println!("|---|---:|---:|---:|---:|---:|");
    let cec = cost(table, "cec");
    for row in &table.rows {
        match measure::median(&row.costs) {
            Some(cost) => println!("{}", line(row.name, cost, cec)),
            None => {
                println!("| {} | {} |||||", row.name, row.failure.as_deref().unwrap_or("no turn").replace('|', "/"));
            }
        }
    }
    if let Some(sum) = table.md5sum {
        println!("{}", line("md5sum of the file", sum, cec));
    }
    let targets = targets(table);
    if !targets.is_empty() {
        println!();
    }
    for target in targets {
        println!("- {target}");
    }
    for Row { name, failure, costs } in &table.rows {
        if let (Some(failure), false) = (failure, costs.is_empty()) {
            println!("- {name} failed after {} turns: {failure}", costs.len());
        }
    }
}

fn line(name: &str, cost: Cost, cec: Option<Cost>) -> String {
    let ratio = |of: fn(&Cost) -> Duration| {
        cec.map_or_else(|| "–".to_owned(), |cec| format!("{:.2}", seconds(of(&cost)) / seconds(of(&cec)).max(0.001)))
    };
    format!(
        "| {name} | {:.2} | {:.2} | {:.0} | {} | {} |",
        seconds(cost.wall),
        seconds(cost.cpu),
        cost.peak as f64 / 1_048_576.0,
        ratio(|cost| cost.wall),
        ratio(|cost| cost.cpu)
    )
}

fn cost(table: &Table, name: &str) -> Option<Cost> {
    table.rows.iter().find(|row| row.name == name).and_then(|row| measure::median(&row.costs))
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Returns each target with its figure and a verdict.
fn targets(table: &Table) -> Vec<String> {
    let Some(cec) = cost(table, "cec") else {
        return vec!["cec failed".to_owned()];
    };
    let mut lines = Vec::new();
    let mut judge = |what: &str, found: f64, limit: f64, most: bool| {
        let (word, reached) = if most { ("at most", found <= limit) } else { ("at least", found >= limit) };
        let verdict = if reached { "reached" } else { "missed" };
        lines.push(format!("{what}: {found:.2}, to be {word} {limit}: {verdict}"));
    };
    if let (Case::Up | Case::Down, Some(curl), Some(sum)) = (table.case, cost(table, "curl"), table.md5sum) {
        let wall = seconds(cec.wall) / (seconds(curl.wall) + seconds(sum.wall));
        judge("wall / (curl + md5sum)", wall, 1.2, true);
        let passes = (seconds(cec.cpu) - seconds(curl.cpu)) / seconds(sum.cpu);
        judge("CPU beyond curl's, in MD5 passes", passes, 1.3, true);
    }
    if let (Case::SmallUp | Case::SmallDown, Some(s5cmd)) = (table.case, cost(table, "s5cmd")) {
        judge("CPU efficiency, s5cmd = 1", seconds(s5cmd.cpu) / seconds(cec.cpu), 3.0, false);
    }
    if let (Case::List, Some(curl)) = (table.case, cost(table, "curl")) {
        judge("wall / the server's own", seconds(cec.wall) / seconds(curl.wall), 1.2, true);
    }
    judge("peak memory in MiB", cec.peak as f64 / 1_048_576.0, 64.0, true);
    lines
}
