use insta::assert_snapshot;

use crate::support::{World, fields};

#[test]
fn all_that_is_known_is_shown() {
    let world = World::new();
    world.put("common-files/doc/a.txt", "1234");
    world.tree().set_mtime("common-files/doc/a.txt", 1_795_457_505);
    let uuid = world.tree().uuid("common-files/doc/a.txt").expect("a uuid");
    let run = world.cec(["stat", "common-files/doc/a.txt"]).run();
    let (etag, hash) =
        ("81dc9bdb52d04dc20036dbd8313ed055", world.tree().hash("common-files/doc/a.txt").expect("a hash"));
    run.is(
        0,
        &format!(
            "Path\tcommon-files/doc/a.txt\nType\tfile\nSize\t4\nModified\t2026-11-23T18:11:45Z\nUUID\t{uuid}\n\
             ETag\t{etag}\nHash\t{hash}\nMIME type\ttext/plain; charset=utf-8\n"
        ),
        "",
    );
    let folder = world.cec(["stat", "common-files/doc"]).run();
    assert!(folder.stdout.contains("Type\tfolder\n") && folder.stdout.contains("Children\t1\n"), "{folder:?}");
}

#[test]
fn records_have_pinned_fields_and_metadata() {
    let world = World::new();
    world.put("common-files/doc/a.txt", "1234");
    let json = world.cec(["stat", "--json", "common-files/doc/a.txt", "common-files"]).run().json();
    let nodes = json.as_array().expect("an array");
    let common = ["path", "name", "type", "size", "mtime", "uuid", "hash", "etag", "mime", "read_only", "hidden"];
    assert_eq!(fields(&nodes[0]), [&common[..], &["meta"]].concat());
    let of_workspace = ["label", "description", "permissions", "meta"];
    assert_eq!(fields(&nodes[1]), [&common[..], &of_workspace].concat());
    assert!(nodes.iter().all(|node| node["meta"].is_object() && node["size"].is_u64()));
    assert_eq!((&nodes[0]["etag"], &nodes[0]["hidden"]), (&"81dc9bdb52d04dc20036dbd8313ed055".into(), &false.into()));
    assert_eq!(nodes[1]["type"], "workspace");
    assert_eq!(nodes[1]["uuid"], "eb94815d-6bb6-41df-8224-7f151480ef2b");
    assert_eq!((&nodes[1]["label"], &nodes[1]["permissions"]), (&"Common Files".into(), &"read,write".into()));
    let shown = world.cec(["stat", "common-files"]).run().stdout;
    assert!(shown.contains("UUID\teb94815d-6bb6-41df-8224-7f151480ef2b\nLabel\tCommon Files\n"), "{shown}");
}

#[test]
fn what_does_not_exist_or_is_no_node_is_told() {
    let world = World::new();
    world.put("common-files/a", "");
    assert_snapshot!(world.cec(["stat", "common-files/b"]).run(), @"
    [stderr]
    error: 'common-files/b' does not exist
    [exit code 3]
    ");
    let root = world.cec(["stat", "/"]).run();
    assert_eq!((root.code, root.stdout.as_str()), (2, ""));
    let partly = world.cec(["stat", "common-files/b", "common-files/a"]).run();
    assert_snapshot!(partly, @"
    [stdout]
    Path	common-files/a
    Type	file
    Size	0
    Modified	TIME
    UUID	UUID
    ETag	59adb24ef3cdbe0297f05b395827453f-1
    Hash	59adb24ef3cdbe0297f05b395827453f
    MIME type	text/plain; charset=utf-8
    [stderr]
    error: 'common-files/b' does not exist
    [exit code 7]
    ");
    let dots = world.cec(["stat", "common-files/../x"]).run();
    assert_eq!(dots.code, 2);
}

#[test]
fn hidden_names_are_found_by_name() {
    let world = World::new();
    world.put("common-files/.secret", "x");
    let json = world.cec(["stat", "--json", "common-files/.secret"]).run().json();
    assert_eq!(json[0]["hidden"], true);
}
