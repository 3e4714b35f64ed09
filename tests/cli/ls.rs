use insta::assert_snapshot;

use crate::support::{World, fields};

fn world() -> World {
    let world = World::new();
    world.put("personal-files/doc/one.txt", "1234");
    world.put("personal-files/doc/tw o.txt", "1234567");
    world.put("personal-files/doc/.hidden", "x");
    world.put("personal-files/doc/sub/deep.txt", "");
    assert!(world.tree().set_mtime("personal-files/doc/one.txt", 1_795_457_505));
    assert!(world.tree().set_mtime("personal-files/doc/tw o.txt", 1_795_457_000));
    world
}

#[test]
fn the_root_lists_workspaces() {
    let world = world();
    assert_snapshot!(world.cec(["ls"]).run(), @"
    [stdout]
    a1-priv/
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["ls"]).user("alice").run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["ls", "cells://"]).user("alice").run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["ls", "-r"]).user("alice").run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    let details = world.cec(["ls", "-d"]).user("alice").run();
    details.is(
        0,
        "Workspace\tc180e285-f7ec-4607-950e-1f7e039a131d\ta1-ro\tA1 ro\t-\tread\n\
         Workspace\teb94815d-6bb6-41df-8224-7f151480ef2b\tcommon-files\tCommon Files\tData shared by all users\tread,write\n\
         Workspace\t32b4233c-5dd8-4615-b1e8-16a7dfd35932\tpersonal-files\tPersonal Files\tUser personal data\tread,write\n",
        "",
    );
}

#[test]
fn a_folder_lists_its_names_one_a_line_without_any_header() {
    let world = world();
    for path in
        ["personal-files/doc", "/personal-files/doc/", "cells://personal-files/doc", "cells//personal-files/doc"]
    {
        world.cec(["ls", path]).run().is(0, "one.txt\nsub/\ntw o.txt\n", "");
    }
    assert_snapshot!(world.cec(["ls", "-a", "personal-files/doc"]).run(), @"
    [stdout]
    .hidden
    one.txt
    sub/
    tw o.txt
    [exit code 0]
    ");
    world.cec(["ls", "personal-files/doc/one.txt"]).run().is(0, "one.txt\n", "");
    world.cec(["ls", "personal-files/doc/.hidden"]).run().is(0, ".hidden\n", "");
    world.mkdir("common-files/empty");
    world.cec(["ls", "common-files/empty"]).run().is(0, "", "");
}

#[test]
fn raw_shows_full_paths_as_the_older_client_does() {
    let world = world();
    assert_snapshot!(world.cec(["ls", "-r", "personal-files/doc"]).run(), @"
    [stdout]
    personal-files/doc/one.txt
    personal-files/doc/sub/
    personal-files/doc/tw o.txt
    [exit code 0]
    ");
    world.cec(["ls", "-r", "personal-files/doc/one.txt"]).run().is(0, "personal-files/doc/one.txt\n", "");
    let nul = world.cec(["ls", "-r0", "personal-files/doc"]).run();
    assert_eq!(nul.bytes, b"personal-files/doc/one.txt\0personal-files/doc/sub/\0personal-files/doc/tw o.txt\0");
}

#[test]
fn details_are_tab_separated_in_a_pipe() {
    let world = world();
    let uuid = |path: &str| world.tree().uuid(path).expect(path);
    let hash = |path: &str| world.tree().hash(path).expect(path);
    let run = world.cec(["ls", "-d", "personal-files/doc"]).run();
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split('\t').collect()).collect();
    let (one, two) = ("personal-files/doc/one.txt", "personal-files/doc/tw o.txt");
    assert_eq!(lines[0], ["File", &uuid(one), "one.txt", "4", "2026-11-23T18:11:45Z", &hash(one)], "{run:?}");
    assert_eq!(lines[1][..4], ["Folder", &uuid("personal-files/doc/sub"), "sub", "-"], "{run:?}");
    assert_eq!(lines[1][5], "-");
    assert_eq!(lines[2], ["File", &uuid(two), "tw o.txt", "7", "2026-11-23T18:03:20Z", &hash(two)], "{run:?}");
    assert_eq!((run.code, lines.len(), run.stderr.as_str()), (0, 3, ""));
}

#[test]
fn listings_are_sorted_and_turned_round() {
    let world = world();
    let list = |flags: &[&str]| world.cec([&["ls", "personal-files/doc"], flags].concat()).run().stdout;
    assert_eq!(list(&["--sort", "size"]), "tw o.txt\none.txt\nsub/\n");
    assert_eq!(list(&["--sort", "name", "--reverse"]), "tw o.txt\nsub/\none.txt\n");
    assert_eq!(list(&["--reverse"]), "tw o.txt\nsub/\none.txt\n");
    let by_time = list(&["--sort", "time"]);
    assert!(by_time.ends_with("one.txt\ntw o.txt\n"), "{by_time}");
}

#[test]
fn whole_trees_are_listed_in_order() {
    let world = world();
    world.put("personal-files/doc/sub/b/c/file", "");
    world.put("personal-files/doc/sub/b/z", "");
    let run = world.cec(["ls", "-R", "personal-files/doc"]).run();
    let short = "one.txt\nsub/\nsub/b/\nsub/b/c/\nsub/b/c/file\nsub/b/z\nsub/deep.txt\ntw o.txt\n";
    assert_snapshot!(run, @"
    [stdout]
    one.txt
    sub/
    sub/b/
    sub/b/c/
    sub/b/c/file
    sub/b/z
    sub/deep.txt
    tw o.txt
    [exit code 0]
    ");
    let full = world.cec(["ls", "-rR", "personal-files/doc"]).run();
    assert!(full.stdout.lines().all(|line| line.starts_with("personal-files/doc/")), "{full:?}");
    let all = world.cec(["ls", "-aR", "personal-files/doc"]).run();
    all.is(0, &format!(".hidden\n{short}"), "");
    let json = world.cec(["ls", "-R", "--json", "personal-files/doc"]).run();
    let records: Vec<serde_json::Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), 9, "{json:?}");
    let summary =
        serde_json::json!({"type": "summary", "schema": 1, "files": 5, "folders": 3, "bytes": 11, "failed": 0});
    assert_eq!(records[8], summary);
}

#[test]
fn several_operands_are_told_apart_by_their_paths() {
    let world = world();
    world.put("common-files/x", "");
    world.cec(["ls", "personal-files/doc/sub", "common-files/x"]).run().is(
        0,
        "personal-files/doc/sub/deep.txt\ncommon-files/x\n",
        "",
    );
}

#[test]
fn missing_paths_have_exit_codes() {
    let world = world();
    assert_snapshot!(world.cec(["ls", "personal-files/nope"]).run(), @"
    [stderr]
    error: 'personal-files/nope' does not exist
    [exit code 3]
    ");
    assert_snapshot!(world.cec(["ls", "nope/x"]).run(), @"
    [stderr]
    error: there is no workspace 'nope', or you have no access to it
      hint: 'cec ls' lists your workspaces
    [exit code 3]
    ");
    let partly = world.cec(["ls", "personal-files/nope", "personal-files/doc/one.txt"]).run();
    assert_snapshot!(partly, @"
    [stdout]
    personal-files/doc/one.txt
    [stderr]
    error: 'personal-files/nope' does not exist
    [exit code 7]
    ");
    let none = world.cec(["ls", "personal-files/a", "personal-files/b"]).run();
    assert_eq!((none.code, none.stdout.as_str()), (3, ""));
    let record = world.cec(["ls", "--json", "personal-files/nope"]).run().json_error(3);
    assert_eq!((&record["code"], &record["kind"]), (&3.into(), &"not_found".into()));
    assert_eq!(record["path"], "personal-files/nope");
}

#[test]
fn existence_is_said_and_has_an_exit_code() {
    let world = world();
    world.cec(["ls", "-f", "personal-files/doc"]).run().is(0, "true\n", "");
    world.cec(["ls", "--exists", "personal-files/nope"]).run().is(3, "false\n", "");
    world.cec(["ls", "-f", "nope/at/all"]).run().is(3, "false\n", "");
    world.cec(["ls", "-f", "personal-files/doc", "personal-files/nope"]).run().is(7, "true\nfalse\n", "");
    world.cec(["ls", "-f", "personal-files/doc/*.txt"]).run().is(0, "true\n", "");
    world.cec(["ls", "-f", "personal-files/doc/*.pdf"]).run().is(3, "false\n", "");
    let json = world.cec(["ls", "-f", "--json", "personal-files/doc"]).run().json();
    assert_eq!(json, serde_json::json!([{"path": "personal-files/doc", "exists": true}]));
    // A token that is refused is never "false".
    let refused = world.cec(["ls", "-f", "personal-files/doc"]).env("CEC_TOKEN", "garbage").run();
    assert_eq!((refused.code, refused.stdout.as_str()), (4, ""));
}

#[test]
fn node_records_have_pinned_fields() {
    let world = world();
    let json = world.cec(["ls", "--json", "personal-files/doc"]).run().json();
    let nodes = json.as_array().expect("an array");
    assert_eq!(nodes.len(), 3);
    let expected = ["path", "name", "type", "size", "mtime", "uuid", "hash", "etag", "mime", "read_only", "hidden"];
    for node in nodes {
        assert_eq!(fields(node), expected);
    }
    assert_eq!(nodes[0]["path"], "personal-files/doc/one.txt");
    assert_eq!(nodes[0]["name"], "one.txt");
    assert_eq!((&nodes[0]["type"], &nodes[1]["type"]), (&"file".into(), &"folder".into()));
    assert_eq!((&nodes[0]["size"], &nodes[0]["mtime"]), (&4.into(), &"2026-11-23T18:11:45Z".into()));
    let root = world.cec(["ls", "--json"]).run().json();
    assert!(root.as_array().expect("an array").iter().all(|node| node["type"] == "workspace"), "{root}");
    let common = serde_json::json!({
        "path": "common-files", "name": "common-files", "type": "workspace", "size": null, "mtime": null,
        "uuid": "eb94815d-6bb6-41df-8224-7f151480ef2b", "hash": null, "etag": null, "mime": null, "read_only": false,
        "hidden": false, "label": "Common Files", "description": "Data shared by all users", "permissions": "read,write",
    });
    assert_eq!(root[2], common);
    assert_eq!(fields(&root[2]), [&expected[..], &["label", "description", "permissions"]].concat());
    assert_eq!(world.cec(["ls", "--json", "common-f*"]).run().json()[0], common);
}

#[test]
fn names_are_found_in_either_unicode_form() {
    let world = World::new();
    world.put("common-files/caf\u{e9}/x", "");
    world.put("common-files/nai\u{308}ve", "");
    for path in ["common-files/cafe\u{301}", "common-files/caf\u{e9}"] {
        world.cec(["ls", path]).run().is(0, "x\n", "");
    }
    world.cec(["ls", "common-files/na\u{ef}ve"]).run().is(0, "nai\u{308}ve\n", "");
}

#[test]
fn control_characters_pass_through_a_pipe_untouched() {
    let world = World::new();
    world.put("common-files/odd/a\u{1b}[31m\tb", "");
    world.cec(["ls", "common-files/odd"]).run().is(0, "a\u{1b}[31m\tb\n", "");
}

#[test]
fn a_tree_of_many_pages_is_complete() {
    let world = World::new();
    world.tree().generate("common-files/many", 1234, 1).expect("files");
    let run = world.cec(["ls", "common-files/many"]).run();
    let names: std::collections::BTreeSet<&str> = run.stdout.lines().collect();
    assert_eq!((run.code, run.stdout.lines().count(), names.len()), (0, 1234, 1234));
    let sorted: Vec<&str> = run.stdout.lines().collect();
    assert!(sorted.is_sorted());
}

#[test]
fn the_recycle_bin_is_entered_only_where_it_is_named() {
    let world = World::new();
    world.put("common-files/recycle_bin/old/a", "");
    world.put("common-files/sub/recycle_bin/b", "");
    assert_snapshot!(world.cec(["ls", "-R", "common-files"]).run(), @"
    [stdout]
    recycle_bin/
    sub/
    sub/recycle_bin/
    sub/recycle_bin/b
    [exit code 0]
    ");
    let root = world.cec(["ls", "-R"]).run();
    assert!(root.stdout.contains("common-files/recycle_bin/\n") && !root.stdout.contains("old"), "{root:?}");
    world.cec(["ls", "-R", "common-files/recycle_bin"]).run().is(0, "old/\nold/a\n", "");
}

#[test]
fn a_go_template_shows_what_the_older_client_shows() {
    let world = world();
    let tree = world.tree();
    let (path, sub) = ("personal-files/doc/one.txt", "personal-files/doc/sub");
    let template = "{{.Type}}|{{.Uuid}}|{{.Hash}}|{{.Name}}|{{.Path}}|{{.HumanSize}}|{{.SizeBytes}}|{{.TimeStamp}}";
    let run = world.cec(["ls", "--format", template, "personal-files/doc"]).run();
    let lines: Vec<&str> = run.stdout.lines().collect();
    let (uuid, hash) = (tree.uuid(path).expect("a UUID"), tree.hash(path).expect("a hash"));
    assert_eq!(lines[0], format!("File|{uuid}|{hash}|one.txt|{path}|4 B|4|1795457505"), "{run:?}");
    let folder = format!("Folder|{}||sub|{sub}|-||", tree.uuid(sub).expect("a UUID"));
    assert!(lines[1].starts_with(&folder), "{run:?}");
    assert_eq!((run.code, lines.len(), run.stderr.as_str()), (0, 3, ""));
    let sizes = world.cec(["ls", "--format", "{{.Name}} {{.SizeBytes}}", "personal-files/doc"]).run();
    assert_snapshot!(sizes, @"
    [stdout]
    one.txt 4
    sub 
    tw o.txt 7
    [exit code 0]
    ");
    let date = world.cec(["ls", "--format", "{{.Date}}", sub]).run();
    assert!(date.code == 0 && (date.stdout == "now\n" || date.stdout.ends_with(" ago\n")), "{date:?}");
    // Of a folder that is not empty, what the server says.
    let run = world.cec(["ls", "--format", "{{.Name}}|{{.SizeBytes}}|{{.HumanSize}}", "personal-files"]).run();
    run.is(0, "doc|12|12 B\n", "");
}

#[test]
fn a_template_that_cannot_be_filled_in_is_refused_before_anything_is_asked() {
    let world = world();
    let known = "Type, Uuid, Hash, Name, Path, HumanSize, SizeBytes, TimeStamp, Date";
    let run = world.cec(["ls", "--format", "{{.Size}}", "personal-files/doc"]).run();
    run.is(2, "", &format!("error: there is no field 'Size'; the fields are {known}\n"));
    assert_eq!(world.cec(["ls", "--format", "{{.Name", "personal-files/doc"]).run().code, 2);
    assert!(world.sandbox.requests().is_empty());
}
