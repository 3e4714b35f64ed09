use std::time::Duration;

use cells_sandbox::Config;
use insta::assert_snapshot;

use crate::support::{World, fields};

fn world() -> World {
    let world = World::new();
    for path in ["common-files/Report 2031.pdf", "common-files/docs/report.txt", "personal-files/old-REPORT.pdf"] {
        world.put(path, "12");
    }
    world.mkdir("common-files/reports");
    world
}

#[test]
fn names_are_found_wherever_they_are() {
    let world = world();
    let run = world.cec(["search", "report"]).run();
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    let expected = [
        "common-files/Report 2031.pdf",
        "common-files/docs/report.txt",
        "common-files/reports/",
        "personal-files/old-REPORT.pdf",
    ];
    assert_eq!((run.code, lines, run.stderr.as_str()), (0, expected.to_vec(), ""));
    world.cec(["search", "rep*2031"]).run().is(0, "common-files/Report 2031.pdf\n", "");
    world.cec(["search", "--ext", ".pdf", "--in", "common-files"]).run().is(0, "common-files/Report 2031.pdf\n", "");
    world.cec(["search", "report", "--in", "common-files/docs"]).run().is(0, "common-files/docs/report.txt\n", "");
    world.cec(["search", "old-rep*.PDF"]).run().is(0, "personal-files/old-REPORT.pdf\n", "");
    for name in ["common-files/\u{6771}\u{4eac}.tar.gz", "common-files/a-&b.gz", "common-files/.dotted"] {
        world.put(name, "12");
    }
    for (arguments, found) in [
        (&["search", "\u{6771}\u{4eac}"][..], "common-files/\u{6771}\u{4eac}.tar.gz\n"),
        (&["search", "--ext", "tar.gz"], "common-files/\u{6771}\u{4eac}.tar.gz\n"),
        (&["search", "DOTTED"], "common-files/.dotted\n"),
    ] {
        world.cec(arguments.iter().copied()).run().is(0, found, "");
    }
    world.put("common-files/before-after.jpg", "12");
    for (text, found) in [("-&", "common-files/a-&b.gz\n"), ("before-after", "common-files/before-after.jpg\n")] {
        let told = "the index does not contain such common words: comparing all names, which takes longer\n";
        world.cec(["search", "--", text]).run().is(0, found, told);
    }
    assert_snapshot!(world.cec(["search", "docs", "--in", "common-files/docs"]).run(), @"
    [stderr]
    nothing was found
    [exit code 0]
    ");
    let nul = world.cec(["search", "-0", "2031"]).run();
    assert_eq!(nul.bytes, b"common-files/Report 2031.pdf\0");
    assert_snapshot!(world.cec(["search", "none-such"]).run(), @"
    [stderr]
    nothing was found
    [exit code 0]
    ");
}

#[test]
fn all_pages_are_read_also_those_on_which_nothing_may_be_seen() {
    let world = World::new();
    world.tree().generate("personal-files/hits", 250, 1).expect("files");
    world.tree().generate("common-files/hits", 230, 1).expect("files");
    let lines = |run: crate::support::Run| (run.code, run.stdout.lines().count());
    assert_eq!(lines(world.cec(["search", "file-00"]).run()), (0, 480));
    // Those in admin's personal workspace are hits of alice's search, but not hers to see.
    assert_eq!(lines(world.cec(["search", "file-00"]).user("alice").run()), (0, 230));
}

#[test]
fn what_was_just_written_is_not_in_the_index_yet() {
    let world = World::with(Config { index_delay: Duration::from_hours(1), ..Config::default() });
    world.put("common-files/new", "1");
    assert_snapshot!(world.cec(["search", "new"]).run(), @"
    [stderr]
    nothing was found
    [exit code 0]
    ");
    world.cec(["find", "common-files", "--name", "new"]).run().is(0, "common-files/new\n", "");
}

#[test]
fn metadata_is_searched_too() {
    let world = world();
    let run = world.cec(["meta", "tag", "add", "common-files/docs/report.txt", "urgent"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let run = world.cec(["search", "--meta", "usermeta-tags=urgent"]).run();
    run.is(0, "common-files/docs/report.txt\n", "");
    assert_snapshot!(world.cec(["search", "2031", "--meta", "usermeta-tags=urgent"]).run(), @"
    [stderr]
    nothing was found
    [exit code 0]
    ");
}

#[test]
fn json_has_a_node_a_line_and_a_summary() {
    let world = world();
    let run = world.cec(["search", "--json", "docs"]).run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(fields(&lines[0])[..3], ["path", "name", "type"]);
    let summary =
        serde_json::json!({"type": "summary", "schema": 1, "files": 0, "folders": 1, "bytes": 0, "failed": 0});
    assert_eq!(lines[1], summary);
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_is_missing_not_found() {
    let world = world();
    for arguments in [&["search"][..], &["search", "--meta", "tags"], &["search", "--meta", "a b=c"]] {
        assert_eq!(world.cec(arguments.iter().copied()).run().code, 2, "{arguments:?}");
    }
    let run = world.cec(["search", "x", "--in", "common-files/none"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/none' does not exist
    [exit code 3]
    ");
    assert_eq!(world.cec(["search", "x"]).env("CEC_TOKEN", "none").run().code, 4);
}
