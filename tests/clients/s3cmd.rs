//! s3cmd, with the configuration of the page.

use super::support::{FOLDER, Place, Run, content, place};

fn configured() -> Option<Place> {
    let place = place("s3cmd", "apt-get install s3cmd")?;
    place.write(".s3cfg", place.configuration("s3cmd").replace("use_https = True", "use_https = False"));
    Some(place)
}

fn s3cmd(place: &Place, arguments: &[&str]) -> Run {
    place.run(["--no-progress"].into_iter().chain(arguments.iter().copied()))
}

fn at(name: &str) -> String {
    format!("s3://io/{FOLDER}/{name}")
}

#[test]
fn s3cmd_sends_and_fetches_files_and_trees() {
    let Some(place) = configured() else { return };
    for (name, size) in [("empty", 0), ("parts", 16_000_000)] {
        place.write(name, content(size));
        s3cmd(&place, &["put", name, &at(name)]).well();
        assert_eq!(place.remote(name), content(size), "{name}");
        s3cmd(&place, &["get", "--force", &at(name), "back"]).well();
        assert_eq!(place.read("back"), content(size), "{name}");
    }
    place.write_tree();
    s3cmd(&place, &["sync", "tree/", &at("tree/")]).well();
    place.assert_tree_at("tree");
    s3cmd(&place, &["sync", &at("tree/"), "back-tree/"]).well();
    place.assert_tree_in("back-tree");
    let listed = s3cmd(&place, &["ls", &at("tree/")]).well().stdout;
    assert!(listed.contains(&at("tree/1.txt")) && listed.contains(&at("tree/sub/")), "{listed}");
}

#[test]
fn s3cmd_is_told_what_it_asks_about_the_bucket() {
    let Some(place) = configured() else { return };
    place.put("file", "x");
    let told = s3cmd(&place, &["info", &at("file")]).well().stdout;
    for part in ["File size: 1", "\"s3:GetObject\"", "CORS:      none", "CanonicalUser: FULL_CONTROL"] {
        assert!(told.contains(part), "{told}");
    }
    s3cmd(&place, &["del", &at("file")]).well();
    assert!(!place.sandbox.tree().exists(&format!("{FOLDER}/file")));
}
