//! docs/scripting.md against the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::World;

fn scripting() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripting.md")).expect("the document")
}

fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let ours = words.filter(|word| word.starts_with("CEC_") || word.starts_with("CELLS_CLIENT_"));
    ours.filter(|word| !word.ends_with('_')).map(str::to_owned).collect()
}

#[test]
fn every_variable_of_the_program_is_documented() {
    let code = include_str!("../../src/env.rs").split("#[cfg(test)]").next().expect("code");
    let documented = variables(&scripting());
    let missing: Vec<String> = variables(code).difference(&documented).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_global_flag_of_the_table_exists() {
    let world = World::new();
    let help = world.signed_out(["ls", "--help"]).run().stdout;
    let text = scripting();
    let rows = text.lines().filter(|line| line.starts_with("| `CEC_"));
    let flags: Vec<&str> =
        rows.filter_map(|row| row.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`')).collect();
    assert!(flags.len() > 20, "{flags:?}");
    for flag in flags {
        assert!(help.contains(flag), "{flag}");
    }
}
