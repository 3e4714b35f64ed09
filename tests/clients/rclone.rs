//! rclone, with the configuration of the page.

use super::support::{FOLDER, Place, Run, content, place};

fn configured() -> Option<Place> {
    let place = place("rclone", "apt-get install rclone")?;
    place.write("rclone.conf", place.configuration("rclone"));
    Some(place)
}

fn rclone(place: &Place, arguments: &[&str]) -> Run {
    let common = ["--config", "rclone.conf", "--retries", "1", "--low-level-retries", "1"];
    place.run(common.into_iter().chain(arguments.iter().copied()))
}

fn at(name: &str) -> String {
    format!("cells:io/{FOLDER}/{name}")
}

#[test]
fn rclone_sends_and_fetches_files_and_trees() {
    let Some(place) = configured() else { return };
    let workspaces = rclone(&place, &["lsf", "cells:io"]).well().stdout;
    assert_eq!(workspaces.lines().collect::<Vec<_>>(), ["a1-priv/", "a1-ro/", "common-files/", "personal-files/"]);
    for (name, size) in [("empty", 0), ("large", 12_000_000)] {
        place.write(name, content(size));
        rclone(&place, &["copyto", name, &at(name)]).well();
        assert_eq!(place.remote(name), content(size), "{name}");
        rclone(&place, &["copyto", &at(name), "back"]).well();
        assert_eq!(place.read("back"), content(size), "{name}");
    }
    place.write_tree();
    rclone(&place, &["sync", "--checksum", "tree", &at("tree")]).well();
    place.assert_tree_at("tree");
    let again = rclone(&place, &["sync", "-v", "--checksum", "tree", &at("tree")]).well().stderr;
    assert!(again.contains("There was nothing to transfer"), "{again}");
    rclone(&place, &["check", "tree", &at("tree")]).well();
    rclone(&place, &["sync", &at("tree"), "back-tree"]).well();
    place.assert_tree_in("back-tree");
    rclone(&place, &["deletefile", &at("tree/1.txt")]).well();
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/tree/1.txt")));
}

#[test]
fn rclone_loses_entries_unless_it_asks_for_all() {
    let Some(place) = configured() else { return };
    place.sandbox.tree().generate(&format!("{FOLDER}/many"), 1100, 1).expect("files");
    let count = |arguments: &[&str]| rclone(&place, arguments).well().stdout.lines().count();
    assert_eq!(count(&["lsf", "--s3-list-chunk", "1000", &at("many")]), 1000);
    assert_eq!(count(&["lsf", &at("many")]), 1100);
}

#[test]
fn rclone_sends_nothing_in_parts() {
    let Some(place) = configured() else { return };
    place.write("file", content(11 << 20));
    rclone(&place, &["copyto", "--s3-upload-cutoff", "5M", "file", &at("file")]).fails_with("InvalidDigest");
}

#[test]
fn rclone_cannot_set_times_nor_move_and_the_files_stay_as_they_are() {
    let Some(place) = configured() else { return };
    place.write_tree();
    rclone(&place, &["sync", "tree", &at("tree")]).well();
    rclone(&place, &["sync", "tree", &at("tree")]).fails_with("Failed to set modification time: InternalError");
    rclone(&place, &["moveto", &at("tree/1.txt"), &at("moved")]).fails_with("cause(Object name cannot be empty)");
    place.assert_tree_at("tree");
}
