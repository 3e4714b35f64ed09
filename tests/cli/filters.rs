//! The options that select files: in transfers both ways, and in the commands that list and remove.

use std::fs;

use insta::assert_snapshot;

use crate::support::World;

fn with_site() -> World {
    let world = World::new();
    for (path, size) in [
        ("a.jpg", 3),
        ("b.txt", 20),
        ("docs/c.jpg", 3),
        ("docs/.d", 3),
        ("node_modules/x/e.jpg", 3),
        ("empty/deep/f", 2),
    ] {
        world.put(&format!("common-files/site/{path}"), &"x".repeat(size));
        world.write(&format!("site/{path}"), "x".repeat(size));
    }
    world
}

/// The files below a folder, in order.
fn local(world: &World, folder: &str) -> Vec<String> {
    fn visit(folder: &std::path::Path, root: &std::path::Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.strip_prefix(root).expect("below the root").display().to_string();
            if entry.is_dir() {
                found.push(format!("{name}/"));
                visit(&entry, root, found);
            } else {
                found.push(name);
            }
        }
    }
    let root = world.home().join(folder);
    let mut found = Vec::new();
    visit(&root, &root, &mut found);
    found.sort_unstable();
    found
}

#[test]
fn uploads_take_only_what_the_filter_selects() {
    let world = with_site();
    let run =
        world.cec(["scp", "--include", "*.jpg", "--exclude", "node_modules/", "site", "cells://personal-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: all --include rules apply before all --exclude rules; --filter keeps the order
    done: 3 files (9 B) in DURATION, 4 folders made, 3 excluded
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["find", "personal-files/site"]).run(), @"
    [stdout]
    personal-files/site/
    personal-files/site/a.jpg
    personal-files/site/docs/
    personal-files/site/docs/c.jpg
    personal-files/site/node_modules/
    personal-files/site/node_modules/x/
    personal-files/site/node_modules/x/e.jpg
    [exit code 0]
    ");
    // The order of the rules is that of --filter.
    let rules = ["--filter", "- node_modules/**", "--filter", "+ *.jpg", "--filter", "- *"];
    let arguments = [&["scp"][..], &rules, &["site/.", "cells://personal-files/other"]].concat();
    assert_snapshot!(world.cec(arguments).run(), @"
    [stderr]
    done: 2 files (6 B) in DURATION, 2 folders made, 4 excluded
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["find", "personal-files/other"]).run(), @"
    [stdout]
    personal-files/other/
    personal-files/other/a.jpg
    personal-files/other/docs/
    personal-files/other/docs/c.jpg
    [exit code 0]
    ");
}

#[test]
fn downloads_take_only_what_the_filter_selects_and_list_no_other_folder() {
    let world = with_site();
    let run = world
        .cec([
            "scp",
            "--exclude",
            "node_modules/**",
            "--max-size",
            "10",
            "--no-hidden",
            "cells://common-files/site",
            "back",
        ])
        .run();
    assert_snapshot!(run, @"
    [stderr]
    done: 3 files (8 B) in DURATION, 4 folders made, 3 excluded
    [exit code 0]
    ");
    assert_eq!(local(&world, "back"), ["a.jpg", "docs/", "docs/c.jpg", "empty/", "empty/deep/", "empty/deep/f"]);
    let listings = |arguments: &[&str]| {
        let from = world.sandbox.requests().len();
        assert_eq!(world.cec(arguments.iter().copied()).run().code, 0);
        world.sandbox.requests()[from..].iter().filter(|request| request.path.contains("bulk")).count()
    };
    let all = listings(&["scp", "--dry-run", "cells://common-files/site", "all"]);
    let some = listings(&["scp", "--dry-run", "--exclude", "node_modules/**", "cells://common-files/site", "some"]);
    assert_eq!(all - some, 2, "{all} {some}");
    let run = world.cec(["scp", "--max-depth", "1", "--json", "cells://common-files/site", "flat"]).run();
    assert!(run.stdout.contains("\"excluded\":3"), "{run}");
    assert_eq!(local(&world, "flat"), ["a.jpg", "b.txt"]);
    // A named file counts by its name.
    let named = [
        "scp",
        "-f",
        "--include",
        "*.jpg",
        "cells://common-files/site/a.jpg",
        "cells://common-files/site/b.txt",
        "flat",
    ];
    assert_snapshot!(world.cec(named).run(), @"
    [stderr]
    done: 0 files (0 B) in DURATION, 1 unchanged, 1 excluded
    [exit code 0]
    ");
}

#[test]
fn lists_name_all_files() {
    let world = with_site();
    world.write("list", "# a comment\ndocs/c.jpg\n\n  /b.txt\nmissing\n");
    let run = world.cec(["scp", "--files-from", "list", "cells://common-files/site", "back"]).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: failed: 'missing' is in the list, but is not a file in the source
    done: 2 files (23 B) in DURATION, 2 folders made, 4 excluded, 1 failed
    hint: to continue, with the same options: cec scp cells://common-files/site/. back
    [exit code 7]
    ");
    assert_eq!(local(&world, "back"), ["b.txt", "docs/", "docs/c.jpg"]);
    let run = world
        .cec(["scp", "--files-from", "-", "--from0", "site/.", "cells://personal-files/listed"])
        .input("a.jpg\0empty/deep/f\0")
        .run();
    assert_snapshot!(run, @"
    [stderr]
    done: 2 files (5 B) in DURATION, 3 folders made, 3 excluded
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["find", "personal-files/listed"]).run(), @"
    [stdout]
    personal-files/listed/
    personal-files/listed/a.jpg
    personal-files/listed/empty/
    personal-files/listed/empty/deep/
    personal-files/listed/empty/deep/f
    [exit code 0]
    ");
}

#[test]
fn ignore_files_apply_to_uploads() {
    let world = with_site();
    world.write("site/.cellsignore", "node_modules/\n/*.txt\n");
    world.write("site/docs/.cellsignore", "*\n!.d\n");
    let run = world.cec(["scp", "-v", "site", "cells://personal-files"]).run();
    for path in ["site/b.txt", "site/docs/c.jpg", "site/docs/.cellsignore", "site/node_modules"] {
        assert!(run.stderr.lines().any(|line| line == format!("excluded {path}")), "{path}: {run}");
    }
    assert!(run.stderr.contains("done: 4 files (") && run.stderr.contains("4 excluded"), "{run}");
    let run = world.cec(["scp", "--no-ignore", "-n", "site/.", "cells://personal-files/site"]).run();
    assert_snapshot!(run, @"
    [stderr]
    done: 4 files (32 B) in DURATION, 2 folders made, 4 unchanged
    [exit code 0]
    ");
}

#[test]
fn what_cannot_work_is_refused() {
    let world = with_site();
    assert_snapshot!(world.transcript([
        &["scp", "--include", "[a", "site", "cells://personal-files"][..],
        &["scp", "--filter", "*.jpg", "site", "cells://personal-files"],
        &["scp", "--exclude-from", "nowhere", "site", "cells://personal-files"],
        &["scp", "--files-from", "list", "--include", "x", "site", "cells://personal-files"],
        &["scp", "--exclude-from", "-", "--filter-from", "-", "site", "cells://personal-files"],
        &["scp", "--min-age", "2d", "--max-age", "1d", "site", "cells://personal-files"],
        &["scp", "--include", "x", "-", "cells://personal-files/x"],
        &["scp", "--max-depth", "0", "site", "cells://personal-files"],
    ]), @r#"
    $ cec scp --include [a site cells://personal-files
    [stderr]
    error: the rule '[a' is not valid: a [ without its ]
      hint: 'cec help filters' explains patterns and rules
    [exit code 2]
    $ cec scp --filter "*.jpg" site cells://personal-files
    [stderr]
    error: the rule '*.jpg' is not valid: a rule is '+ PATTERN', '- PATTERN' or '!'
      hint: 'cec help filters' explains patterns and rules
    [exit code 2]
    $ cec scp --exclude-from nowhere site cells://personal-files
    [stderr]
    error: cannot read 'nowhere': No such file or directory
    [exit code 3]
    $ cec scp --files-from list --include x site cells://personal-files
    [stderr]
    error: the argument '--files-from <FILE>' cannot be used with '--include <PATTERN>'
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp --exclude-from - --filter-from - site cells://personal-files
    [stderr]
    error: only one list can come from standard input
    [exit code 2]
    $ cec scp --min-age 2d --max-age 1d site cells://personal-files
    [stderr]
    error: --min-age is larger than --max-age, so that no file matches
    [exit code 2]
    $ cec scp --include x - cells://personal-files/x
    [stderr]
    error: the options that select files have no effect on standard input and output
    [exit code 2]
    $ cec scp --max-depth 0 site cells://personal-files
    [stderr]
    error: invalid value '0' for '--max-depth <N>': expected a number of levels, at least 1
      hint: see 'cec scp --help'
    [exit code 2]
    "#);
    world.write("rules", "# my rules\n- *.bak\n* x\n");
    assert_snapshot!(world.cec(["find", "--filter-from", "rules", "common-files"]).run(), @"
    [stderr]
    error: the rule '* x' is not valid: a rule is '+ PATTERN', '- PATTERN' or '!'
      while: reading 'rules'
      hint: 'cec help filters' explains patterns and rules
    [exit code 2]
    ");
}

#[test]
fn listings_show_only_what_the_filter_selects() {
    let world = with_site();
    let lines: Vec<Vec<&str>> = [
        &["find", "--type", "f", "--filter", "- node_modules/", "--no-hidden", "common-files/site"][..],
        &["ls", "-R", "--include", "*.jpg", "common-files/site"],
        &["ls", "-R", "-a", "--max-size", "3", "--exclude", "node_modules/**", "common-files/site"],
        &["ls", "--min-size", "10", "common-files/site"],
        &["tree", "--exclude", "node_modules/**", "--exclude", "empty/**", "common-files/site"],
        &["du", "--include", "*.jpg", "common-files/site"],
        &["du", "-s", "--no-hidden", "--max-size", "3", "common-files/site"],
        &["du", "-s", "--max-age", "1d", "common-files/site"],
        &["du", "-s", "--min-age", "1d", "common-files/site"],
    ]
    .iter()
    .map(|line| line.to_vec())
    .collect();
    assert_snapshot!(world.transcript(lines), @r#"
    $ cec find --type f --filter "- node_modules/" --no-hidden common-files/site
    [stdout]
    common-files/site/a.jpg
    common-files/site/b.txt
    common-files/site/docs/c.jpg
    common-files/site/empty/deep/f
    [exit code 0]
    $ cec ls -R --include "*.jpg" common-files/site
    [stdout]
    a.jpg
    docs/
    docs/c.jpg
    empty/
    empty/deep/
    node_modules/
    node_modules/x/
    node_modules/x/e.jpg
    [exit code 0]
    $ cec ls -R -a --max-size 3 --exclude "node_modules/**" common-files/site
    [stdout]
    a.jpg
    docs/
    docs/.d
    docs/c.jpg
    empty/
    empty/deep/
    empty/deep/f
    [exit code 0]
    $ cec ls --min-size 10 common-files/site
    [stdout]
    b.txt
    docs/
    empty/
    node_modules/
    [exit code 0]
    $ cec tree --exclude "node_modules/**" --exclude "empty/**" common-files/site
    [stdout]
    common-files/site
    ├── a.jpg
    ├── b.txt
    └── docs/
        └── c.jpg
    [stderr]
    1 folder, 3 files, 26 B
    [exit code 0]
    $ cec du --include "*.jpg" common-files/site
    [stdout]
    3	common-files/site/docs
    0	common-files/site/empty/deep
    0	common-files/site/empty
    3	common-files/site/node_modules/x
    3	common-files/site/node_modules
    9	common-files/site
    [exit code 0]
    $ cec du -s --no-hidden --max-size 3 common-files/site
    [stdout]
    11	common-files/site
    [exit code 0]
    $ cec du -s --max-age 1d common-files/site
    [stdout]
    34	common-files/site
    [exit code 0]
    $ cec du -s --min-age 1d common-files/site
    [stdout]
    0	common-files/site
    [exit code 0]
    "#);
}

#[test]
fn a_removal_takes_the_selected_files_and_leaves_the_folders() {
    let world = with_site();
    assert_snapshot!(world.transcript([
        &["rm", "-R", "--max-age", "30d", "--include", "*.jpg", "--dry-run", "common-files/site"][..],
        &["rm", "--dry-run", "--json", "--min-size", "10", "common-files/site", "common-files/site/b.txt"],
        &["rm", "-p", "--dry-run", "common-files/site/docs"],
        &["rm", "-R", "--include", "*.jpg", "common-files/site"],
        &["rm", "-f", "--min-age", "30d", "common-files/site"],
        &["rm", "-f", "--exclude", "*.jpg", "common-files/site/a.jpg"],
        &["rm", "-f", "--filter", "- node_modules/", "--no-hidden", "common-files/site"],
        &["find", "common-files/site"],
    ]), @r#"
    $ cec rm -R --max-age 30d --include "*.jpg" --dry-run common-files/site
    [stdout]
    common-files/site/a.jpg
    common-files/site/docs/c.jpg
    common-files/site/node_modules/x/e.jpg
    [stderr]
    would move 3 items to the recycle bin (9 B)
    [exit code 0]
    $ cec rm --dry-run --json --min-size 10 common-files/site common-files/site/b.txt
    [stdout]
    [{"path":"common-files/site/b.txt","type":"file","permanently":false}]
    [exit code 0]
    $ cec rm -p --dry-run common-files/site/docs
    [stdout]
    common-files/site/docs/
    [stderr]
    would delete 1 item permanently (6 B)
    [exit code 0]
    $ cec rm -R --include "*.jpg" common-files/site
    [stderr]
    error: cannot ask for confirmation before deleting
      hint: add --force to delete without asking
    [exit code 2]
    $ cec rm -f --min-age 30d common-files/site
    [stderr]
    no file is selected
    [exit code 0]
    $ cec rm -f --exclude "*.jpg" common-files/site/a.jpg
    [stderr]
    no file is selected
    [exit code 0]
    $ cec rm -f --filter "- node_modules/" --no-hidden common-files/site
    [stderr]
    moved to the recycle bin: common-files/site/a.jpg
    moved to the recycle bin: common-files/site/b.txt
    moved to the recycle bin: common-files/site/docs/c.jpg
    moved to the recycle bin: common-files/site/empty/deep/f
    [exit code 0]
    $ cec find common-files/site
    [stdout]
    common-files/site/
    common-files/site/docs/
    common-files/site/docs/.d
    common-files/site/empty/
    common-files/site/empty/deep/
    common-files/site/node_modules/
    common-files/site/node_modules/x/
    common-files/site/node_modules/x/e.jpg
    [exit code 0]
    "#);
}
