//! The recipes of README.md, docs/scripting.md and docs/migration.md for scripts and CI: each block is run as a whole, as
//! it stands there, and must succeed.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::support::World;

/// The blocks of a document in one of these languages.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).expect(document);
    let mark = format!("```{language}\n");
    text.split(&mark).skip(1).map(|block| block.split("```").next().expect("a block").to_owned()).collect()
}

/// The command lines of a workflow that are this program's.
fn steps(workflow: &str) -> String {
    let lines = workflow.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    let own: Vec<&str> = lines.filter(|line| line.starts_with("cec ")).collect();
    own.join("\n").replace("${{ github.ref_name }}", "main")
}

/// A machine and a server with what the recipes are about.
fn world() -> World {
    let world = World::new();
    for (path, content) in [
        ("common-files/ready", ""),
        ("common-files/data/one", "1"),
        ("common-files/tmp/old", "old"),
        ("common-files/report.pdf", "report"),
        ("common-files/config.json", "{}"),
        ("common-files/reports/final.pdf", "final"),
        ("common-files/incoming/x", "x"),
    ] {
        world.put(path, content);
    }
    let home = world.home();
    for folder in ["bin", "dist", "srv/data"] {
        fs::create_dir_all(home.join(folder)).expect("a folder");
    }
    symlink(env!("CARGO_BIN_EXE_cec"), home.join("bin/cec")).expect("a link");
    // Not every machine has it; here it only reads.
    fs::write(home.join("bin/jq"), "#!/bin/sh\nexec cat\n").expect("a program");
    fs::set_permissions(home.join("bin/jq"), fs::Permissions::from_mode(0o755)).expect("a mode");
    for file in ["dist/app.js", "srv/data/one", "a.txt"] {
        fs::write(home.join(file), file).expect("a file");
    }
    world.write_secret(".cells-token", &world.sandbox.token("admin"));
    world
}

/// Runs a block on a machine of its own, twice: what can be run every night can be run again.
#[track_caller]
fn succeeds(document: &str, block: &str, runs: usize) {
    let world = world();
    let home = world.home().display().to_string();
    let script =
        block.replace("https://files.example.com", world.url()).replace("/srv/data", &format!("{home}/srv/data"));
    let script = script.replace("CEC_TOKEN=…", "CEC_TOKEN=$TOKEN");
    for round in 0..runs {
        let run = world.cec(["-e", "-c", script.as_str()]).program(Path::new("/bin/sh"));
        let run = run.env("PATH", &format!("{home}/bin:/usr/bin:/bin")).env("TOKEN", &world.sandbox.token("admin"));
        let run = run.env("GITHUB_STEP_SUMMARY", "summary").env("CI_COMMIT_REF_SLUG", "main").env("BUILD", "17").run();
        assert_eq!(run.code, 0, "{document}, round {round}:\n{block}\n{run:?}");
    }
}

#[test]
fn workflows_do_what_they_say() {
    let workflows: Vec<String> = blocks("docs/scripting.md", "yaml").iter().map(|block| steps(block)).collect();
    assert_eq!(workflows.len(), 2, "{workflows:?}");
    for workflow in &workflows {
        assert!(workflow.lines().count() >= 2, "{workflow}");
        succeeds("docs/scripting.md", workflow, 2);
    }
}

#[test]
fn scripts_do_what_they_say() {
    let mut count = 0;
    for document in ["README.md", "docs/scripting.md", "docs/migration.md"] {
        for block in blocks(document, "sh") {
            // What installs, builds or asks a person is no recipe for scripts.
            let is_recipe = block.lines().any(|line| line.trim_start().starts_with("cec "));
            if !is_recipe || ["cargo ", ".bashrc", "cec configure https"].iter().any(|word| block.contains(word)) {
                continue;
            }
            succeeds(document, &block, 2);
            count += 1;
        }
    }
    assert!(count >= 5, "{count} blocks");
}
