//! `cec meta`: every type is checked here, since the server checks none.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::World;

fn world() -> World {
    let world = World::new();
    for path in ["a.txt", "b.txt", "folder/deep/c.txt"] {
        world.put(&format!("common-files/{path}"), "content");
    }
    world
}

fn stored(world: &World, path: &str, namespace: &str) -> serde_json::Value {
    let run = world.cec(["meta", "get", "--json", path]).run();
    run.json()[0]["meta"][namespace].clone()
}

#[test]
fn every_type_is_set_and_read_back() {
    let world = world();
    let path = "common-files/a.txt";
    for (name, flag, value) in [
        ("usermeta-a1-str", "-s=a \"b\"", json!("a \"b\"")),
        ("usermeta-a1-txt", "-s=two\nlines", json!("two\nlines")),
        ("usermeta-a1-int", "-r=-42", json!(-42)),
        ("usermeta-a1-stars", "-r=5", json!(5)),
        ("usermeta-a1-date", "-s=2026-11-23 16:06:40", json!(1_795_450_000)),
        ("usermeta-a1-choice", "-s=b", json!("b")),
        ("usermeta-a1-old", "-s=y", json!("y")),
        ("usermeta-a1-label", "-s=todo", json!("todo")),
        ("usermeta-a1-json", "-j={\"k\":[1,2]}", json!({"k": [1, 2]})),
        ("usermeta-tags", "-s=x, y", json!("x,y")),
    ] {
        let run = world.cec(["meta", "set", "-p", path, "-o", "update", "-n", name, flag]).run();
        run.is(0, "", &format!("common-files/a.txt: {name} is {value}\n"));
        assert_eq!(stored(&world, path, name), value, "{name}");
    }
}

// Row 12 of what the older client gets wrong.
#[test]
fn row_12_booleans_can_be_set() {
    let world = world();
    let set = |flag: &str| {
        let arguments = ["meta", "set", "-p", "common-files/a.txt", "-n", "usermeta-a1-bool"];
        world.cec(arguments.into_iter().chain(flag.split(' '))).run()
    };
    for (flag, value) in [
        ("-b", true),
        ("--boolean-value=false", false),
        ("-b=true", true),
        ("-b true", true),
        ("-b no", false),
        ("-s=no", false),
    ] {
        set(flag).is(0, "", &format!("common-files/a.txt: usermeta-a1-bool is {value}\n"));
        assert_eq!(stored(&world, "common-files/a.txt", "usermeta-a1-bool"), json!(value), "{flag}");
    }
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let world = world();
    world.sandbox.clear_requests();
    let refused = [
        ["usermeta-a1-int", "-s=many"],
        ["usermeta-a1-stars", "-r=6"],
        ["usermeta-a1-choice", "-s=A"],
        ["usermeta-a1-label", "-s=urgent"],
        ["usermeta-a1-bool", "-r=1"],
        ["usermeta-a1-json", "-s={}"],
    ]
    .map(|[name, flag]| ["meta", "set", "-p", "common-files/a.txt", "-n", name, flag]);
    assert_snapshot!(world.transcript(refused), @"
    $ cec meta set -p common-files/a.txt -n usermeta-a1-int -s=many
    [stderr]
    error: the value does not match usermeta-a1-int, which has the type integer: 'many' is not a whole number
    [exit code 2]
    $ cec meta set -p common-files/a.txt -n usermeta-a1-stars -r=6
    [stderr]
    error: the value does not match usermeta-a1-stars, which has the type stars_rate: 6 stars: the range is 0 to 5
    [exit code 2]
    $ cec meta set -p common-files/a.txt -n usermeta-a1-choice -s=A
    [stderr]
    error: the value does not match usermeta-a1-choice, which has the type choice: 'A' is not one of: a, b
    [exit code 2]
    $ cec meta set -p common-files/a.txt -n usermeta-a1-label -s=urgent
    [stderr]
    error: the value does not match usermeta-a1-label, which has the type css_label: 'urgent' is not one of: low, todo, personal, work, important
    [exit code 2]
    $ cec meta set -p common-files/a.txt -n usermeta-a1-bool -r=1
    [stderr]
    error: the value does not match usermeta-a1-bool, which has the type boolean: true or false is required: use --boolean-value
    [exit code 2]
    $ cec meta set -p common-files/a.txt -n usermeta-a1-json -s={}
    [stderr]
    error: the value does not match usermeta-a1-json, which has the type json: JSON is required: use --json-value
    [exit code 2]
    ");
    let run = world.cec(["meta", "set", "-p", "common-files/a.txt", "-n", "usermeta-a1-int"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: no value for usermeta-a1-int, which has the type integer
      hint: set one with --numeric-value, or remove it with --operation delete
    [exit code 2]
    ");
    assert!(!world.sandbox.requests().iter().any(|request| request.method == "PUT"));
}

#[test]
fn unknown_metadata_and_nodes_are_not_found() {
    let world = world();
    let run = world.cec(["meta", "set", "-p", "common-files/a.txt", "-n", "usermeta-nope", "-s", "x"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: there is no metadata 'usermeta-nope' on this server
      hint: use one of: usermeta-a1-bool, usermeta-a1-choice, usermeta-a1-date, usermeta-a1-int, usermeta-a1-json, usermeta-a1-label, usermeta-a1-old, usermeta-a1-stars, usermeta-a1-str, usermeta-a1-txt, usermeta-tags
    [exit code 3]
    ");
    let run = world.cec(["meta", "set", "-p", "common-files/nope", "-n", "usermeta-a1-str", "-s", "x"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 3]
    ");
    assert_snapshot!(world.cec(["meta", "get", "common-files/nope"]).run(), @"
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 3]
    ");
    let run = world.cec(["meta", "get", "-p", "common-files/a.txt", "-n", "usermeta-tags"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/a.txt' has no metadata 'usermeta-tags'
    [exit code 3]
    ");
    let run =
        world.cec(["meta", "set", "-p", "common-files/nope", "common-files/a.txt", "-n", "usermeta-a1-str", "-s", "x"]);
    assert_eq!(run.run().code, 7);
}

#[test]
fn tags_are_added_and_taken_off() {
    let world = world();
    let tag = |verb: &str, tags: &[&str]| {
        world.cec(["meta", "tag", verb, "common-files/a.txt"].iter().chain(tags).copied()).run()
    };
    assert_snapshot!(tag("add", &["one", "two,three"]), @r#"
    [stderr]
    common-files/a.txt: usermeta-tags is "one,two,three"
    [exit code 0]
    "#);
    assert_snapshot!(tag("add", &["two", "four"]), @r#"
    [stderr]
    common-files/a.txt: usermeta-tags is "one,two,three,four"
    [exit code 0]
    "#);
    assert_snapshot!(tag("rm", &["two", "four", "nope"]), @r#"
    [stderr]
    common-files/a.txt: usermeta-tags is "one,three"
    [exit code 0]
    "#);
    assert_snapshot!(tag("rm", &["one", "three"]), @"
    [stderr]
    common-files/a.txt: usermeta-tags was removed
    [exit code 0]
    ");
    assert_eq!(stored(&world, "common-files/a.txt", "usermeta-tags"), json!(null));
    assert_snapshot!(tag("rm", &["one"]), @"
    [stderr]
    common-files/a.txt: there was no 'one'
    [exit code 0]
    ");
    assert_eq!(tag("add", &[" , "]).code, 2);
    let run = world.cec(["meta", "tag", "add", "common-files/a.txt", "x", "-n", "usermeta-a1-int"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: usermeta-a1-int is of the type integer, not tags
    [exit code 2]
    ");
}

#[test]
fn a_value_is_deleted_for_real() {
    let world = world();
    let set = ["meta", "set", "-p", "common-files/a.txt", "-n", "usermeta-a1-str"];
    world.cec(set.into_iter().chain(["-s", "x"])).run();
    let run = world.cec(set.into_iter().chain(["-o", "delete"])).run();
    assert_snapshot!(run, @"
    [stderr]
    common-files/a.txt: usermeta-a1-str was removed
    [exit code 0]
    ");
    assert_eq!(stored(&world, "common-files/a.txt", "usermeta-a1-str"), json!(null));
}

#[test]
fn the_older_clients_json_is_texts_by_name() {
    let world = world();
    world.cec(["meta", "tag", "add", "common-files/a.txt", "x"]).run();
    let run = world.cec(["meta", "get", "-p", "common-files/a.txt", "-f", "json"]).run();
    assert_snapshot!(run, @r#"
    [stdout]
    {
      "hashing_version": "\"v4\"",
      "mime": "\"text/plain; charset=utf-8\"",
      "name": "\"a.txt\"",
      "usermeta-tags": "\"x\"",
      "x-cells-hash": "\"73ad9750e8d5fcf7936433620b4baa21\""
    }
    [exit code 0]
    "#);
    let run = world.cec(["meta", "get", "-p", "common-files/a.txt", "-n", "usermeta-tags", "-f", "table"]).run();
    run.is(0, "usermeta-tags\t\"x\"\n", "");
    let run = world.cec(["meta", "get", "-p", "common-files/a.txt", "-f", "table", "-a"]).run();
    assert_snapshot!(run, @r#"
    [stdout]
    usermeta-a1-bool	B	{"type": "boolean"}
    usermeta-a1-choice	C	{"type": "choice", "data": {"items": [{"key": "a", "value": "A"}, {"key": "b", "value": "B"}]}}
    usermeta-a1-date	D	{"type": "date", "data": {"format": "date"}}
    usermeta-a1-int	I	{"type": "integer"}
    usermeta-a1-json	J	{"type": "json"}
    usermeta-a1-label	L	{"type": "css_label"}
    usermeta-a1-old	O	{"type": "choice", "data": "x|The X,y|The Y"}
    usermeta-a1-stars	R	{"type": "stars_rate"}
    usermeta-a1-str	S	{"type": "string"}
    usermeta-a1-txt	T	{"type": "textarea"}
    usermeta-tags	Tags	{"type":"tags"}
    [exit code 0]
    "#);
}

#[test]
fn whole_trees_show_what_users_have_set() {
    let world = world();
    world.cec(["meta", "tag", "add", "common-files/folder/deep/c.txt", "x"]).run();
    world.cec(["meta", "set", "-p", "common-files/folder", "-n", "usermeta-a1-int", "-r", "7"]).run();
    let run = world.cec(["meta", "get", "-R", "common-files/folder"]).run();
    run.is(0, "common-files/folder\tusermeta-a1-int\t7\ncommon-files/folder/deep/c.txt\tusermeta-tags\t\"x\"\n", "");
    let run = world.cec(["meta", "get", "-R", "common-files/folder", "-n", "usermeta-tags", "--json"]).run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["path"], "common-files/folder/deep/c.txt");
    assert_eq!(lines[0]["meta"], json!({"usermeta-tags": "x"}));
    assert_eq!(lines[1], json!({"type": "summary", "schema": 1, "nodes": 3, "values": 1, "failed": 0}));
}

#[test]
fn what_can_be_set_is_listed() {
    let world = world();
    let run = world.cec(["meta", "ls"]).run();
    assert_snapshot!(run, @"
    [stdout]
    usermeta-a1-bool	B	boolean	-
    usermeta-a1-choice	C	choice	a,b
    usermeta-a1-date	D	date	-
    usermeta-a1-int	I	integer	-
    usermeta-a1-json	J	json	-
    usermeta-a1-label	L	css_label	-
    usermeta-a1-old	O	choice	x,y
    usermeta-a1-stars	R	stars_rate	-
    usermeta-a1-str	S	string	-
    usermeta-a1-txt	T	textarea	-
    usermeta-tags	Tags	tags	-
    [exit code 0]
    ");
    let json = world.cec(["meta", "ls", "--json"]).run().json();
    let tags = json.as_array().expect("a list").iter().find(|one| one["namespace"] == "usermeta-tags");
    let wanted =
        json!({"namespace": "usermeta-tags", "label": "Tags", "type": "tags", "choices": null, "indexed": true});
    assert_eq!(tags, Some(&wanted));
}

#[test]
fn a_stream_ends_with_its_summary_although_all_has_failed() {
    let run = World::new().cec(["meta", "get", "-R", "--json", "-p", "common-files/none"]).run();
    let summary = r#"{"type":"summary","schema":1,"nodes":0,"values":0,"failed":1}"#;
    assert_eq!((run.code, run.stdout.trim_end()), (3, summary), "{}", run.stderr);
}
