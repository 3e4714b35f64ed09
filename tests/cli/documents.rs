//! The documents against the program.

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
    // Those that are not our own, too.
    let text = scripting();
    let read = code.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1));
    let missing: Vec<&str> = read.filter(|name| !text.contains(&format!("`{name}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_global_flag_of_the_table_exists() {
    let world = World::new();
    let help = world.signed_out(["--help"]).run().stdout;
    let text = scripting();
    let rows = text.lines().filter(|line| line.starts_with("| `CEC_"));
    let flags: Vec<&str> =
        rows.filter_map(|row| row.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`')).collect();
    assert!(flags.len() > 20, "{flags:?}");
    for flag in flags {
        assert!(help.contains(flag), "{flag}");
    }
}

#[test]
fn cli_md_is_what_the_program_says_of_itself() {
    let world = World::new();
    let run = world.signed_out(["doc", "-p", "docs"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let written = fs::read_to_string(world.home().join("docs/cli.md")).expect("what was written");
    let kept = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md")).unwrap_or_default();
    let pairs = written.lines().zip(kept.lines().chain(std::iter::repeat("")));
    let first = pairs.enumerate().find(|(_, (written, kept))| written != kept);
    let renew = "docs/cli.md is not what the program says of itself; renew it: cargo run -- doc -p docs";
    assert_eq!(first, None, "{renew}");
    assert_eq!(written.lines().count(), kept.lines().count(), "{renew}");
}

#[test]
fn each_command_has_a_manual_page_that_man_can_show() {
    let world = World::new();
    let json = world.signed_out(["doc", "--man", "-p", "man", "--json"]).run().json();
    assert_eq!(crate::support::fields(&json[0]), ["path"]);
    assert_eq!(json[0]["path"], "man/cec.1");
    let commands = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md")).expect("the commands");
    let commands: Vec<String> =
        commands.lines().filter_map(|line| Some(line.strip_prefix("## ")?.replace(' ', "-"))).collect();
    assert!(commands.len() > 50, "{commands:?}");
    for command in commands {
        let page = fs::read_to_string(world.home().join(format!("man/{command}.1"))).expect(&command);
        assert!(page.contains(".SH NAME") && page.contains(".SH EXAMPLES"), "{command}: {page}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    let world = World::new();
    fs::write(world.home().join("file"), "").expect("a file");
    for arguments in [&["doc", "-p", "file/docs"][..], &["doc", "--man", "-p", "file"]] {
        let run = world.signed_out(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
        assert!(run.stderr.starts_with("error: cannot write to file"), "{run:?}");
    }
}
