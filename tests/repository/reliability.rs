//! docs/reliability.md against the tests: each row names one, and each that is named exists.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of all tables of the document, as cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The files that may hold the test of that name: `cli::scp::…` is in tests/cli/scp.rs, `lib::cli::tests::…` in
/// src/cli/mod.rs, `client::hash::tests::…` in client/src/hash.rs.
fn places(test: &str) -> Vec<PathBuf> {
    let parts: Vec<&str> = test.split("::").collect();
    let Some((_, [target, modules @ ..])) = parts.split_last() else { return Vec::new() };
    let folder = match *target {
        "lib" => "src".to_owned(),
        "client" => "client/src".to_owned(),
        target => format!("tests/{target}"),
    };
    let modules = modules.join("/");
    let bare = modules.strip_suffix("/tests").unwrap_or(&modules);
    let written = match bare {
        "" => vec![format!("{folder}.rs"), format!("{folder}/main.rs")],
        bare => {
            vec![format!("{folder}/{bare}.rs"), format!("{folder}/{bare}/mod.rs"), format!("{folder}/{modules}.rs")]
        }
    };
    written.into_iter().map(|place| root().join(place)).filter(|place| place.is_file()).collect()
}

/// Whether a source has a test function of that name.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let signature = format!("fn {name}(");
    lines.iter().enumerate().any(|(index, line)| {
        let is_it = line.strip_prefix("async ").unwrap_or(line).starts_with(&signature);
        let attributes = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
        is_it && attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_row_names_tests_and_all_of_them_exist() {
    let text = fs::read_to_string(root().join("docs/reliability.md")).expect("the document");
    let rows = rows(&text);
    assert!(rows.len() > 10, "the tables are not found any more");
    let mut faults = Vec::new();
    for row in rows.iter().filter(|row| row.last() != Some(&"test")) {
        let tests = names(row.last().copied().unwrap_or_default());
        if row.len() != 3 || tests.is_empty() {
            faults.push(format!("a row needs a fault, an outcome and a test: {}", row.join(" | ")));
        }
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or_default();
            let exists = places(test).iter().any(|place| has_test(&fs::read_to_string(place).expect("a file"), name));
            if !exists {
                faults.push(format!("there is no test {test}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_fault_of_the_older_client_has_its_row() {
    let text = fs::read_to_string(root().join("docs/reliability.md")).expect("the document");
    let (_, table) = text.split_once("## What the older client gets wrong\n").expect("its table");
    let numbers: Vec<&str> =
        rows(table).iter().skip(1).filter_map(|row| Some(row.first()?.split_once(':')?.0)).collect();
    let expected: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn the_check_knows_a_test_from_what_is_none() {
    let source = "#[cfg(unix)]\n#[tokio::test]\nasync fn here() {}\n#[test]\nfn also() {}\nfn helper() {}\n";
    assert!(has_test(source, "here") && has_test(source, "also"));
    assert!(!has_test(source, "helper") && !has_test(source, "her") && !has_test(source, "none"));
    assert!(places("cli::nowhere::x").is_empty() && !places("cli::scp::x").is_empty());
    assert!(!places("client::hash::tests::x").is_empty() && !places("lib::commands::rm::tests::x").is_empty());
}
