//! rclone, with the configuration of the page.

use cells_client::walk::filter::{Filter, Names, Rules, Verdict};

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

/// The files of the tree on which filters are compared. The size of each is the length of its path.
const FILES: &[&str] = &[
    "a",
    "x.jpg",
    "a.b",
    "*",
    "d/a",
    "d/x.jpg",
    "d/b/a",
    "d/b/x.jpg",
    "d/b/c/x",
    "b/a",
    "b/b/b",
    "b/d/x.jpg",
    "b/d/a.b",
    "c/d/a/x",
];

/// Returns what the filter selects of the tree, as rclone lists it.
fn selected(filter: &Filter) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    for file in FILES {
        let mut folders = file.match_indices('/').map(|(slash, _)| &file[..slash]);
        let is_entered = folders.all(|folder| {
            let is_selected = filter.folder(folder);
            if is_selected {
                found.insert(format!("{folder}/"));
            }
            is_selected
        });
        if is_entered && filter.file(file, file.len() as u64, None) {
            found.insert((*file).to_owned());
        }
    }
    found.into_iter().collect()
}

/// Returns the rules of these flags in their order; `None` if a pattern is not valid.
fn rules(flags: &[String]) -> Option<Rules> {
    let mut rules = Rules::default();
    let patterns = |name: &'static str| flags.iter().filter_map(move |flag| flag.strip_prefix(name));
    patterns("--include=").try_for_each(|pattern| rules.add(Verdict::Include, pattern)).ok()?;
    patterns("--exclude=").try_for_each(|pattern| rules.add(Verdict::Exclude, pattern)).ok()?;
    patterns("--filter=").try_for_each(|rule| rules.add_line(rule)).ok()?;
    if patterns("--include=").next().is_some() {
        rules.add(Verdict::Exclude, "/**").ok()?;
    }
    Some(rules)
}

/// Returns what rclone lists with these flags; `None` if it refuses them.
fn listed(place: &Place, flags: &[String]) -> Option<Vec<String>> {
    let run = rclone(
        place,
        &[&["lsf", "-R", "tree"], flags.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat(),
    );
    let mut lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    (run.code == 0).then_some(lines)
}

/// Random flags of parts that have a meaning, or together none.
fn random_flags(state: &mut u64) -> Vec<String> {
    const PARTS: &[&str] = &[
        "a", "b", "d", "x", ".jpg", "*", "*", "**", "?", "/", "/", "/", "[ab]", "[^a]", "{a,b}", "{a/b,x*}", "{d,b}",
        "{{a|b}}", "\\*", "\\w",
    ];
    let mut next = |below: usize| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % below as u64) as usize
    };
    (0..=next(3))
        .map(|_| {
            let pattern: String = (0..=next(4)).map(|_| PARTS[next(PARTS.len())]).collect();
            format!("{}{pattern}", ["--include=", "--exclude=", "--filter=+ ", "--filter=- "][next(4)])
        })
        .collect()
}

#[test]
fn filters_select_what_rclone_selects() {
    let Some(place) = configured() else { return };
    for file in FILES {
        place.write(&format!("tree/{file}"), "x".repeat(file.len()));
    }
    let table: &[&[&str]] = &[
        &["--include=*.jpg"],
        &["--include=/*.jpg"],
        &["--include=/d/b/**"],
        &["--include=d/"],
        &["--include={d,b}/*"],
        &["--include={d/b/**,x*}"],
        &["--exclude=d/**"],
        &["--exclude=d/"],
        &["--exclude=/d/b/"],
        &["--exclude=d"],
        &["--exclude=*"],
        &["--exclude=\\*"],
        &["--exclude={{.*a.*}}"],
        &["--filter=- d/", "--filter=+ *.jpg", "--filter=- *"],
        &["--filter=- *.jpg", "--filter=!", "--filter=- a"],
        &["--filter=+ /d/**", "--filter=- *"],
        &["--include=*.jpg", "--exclude=/d/**"],
        &["--filter=* a"],
        &["--include=]"],
        &["--include={a"],
        &["--include=[]"],
        &["--include=\\q"],
        &["--include=***"],
    ];
    let mut state = 0x2545_f491_4f6c_dd1d;
    let fixed = table.iter().map(|flags| flags.iter().map(|flag| (*flag).to_owned()).collect());
    for flags in fixed.chain((0..50).map(|_| random_flags(&mut state))) {
        let ours = rules(&flags).map(|rules| selected(&Filter { rules, ..Filter::default() }));
        assert_eq!(ours, listed(&place, &flags), "{flags:?}");
    }
}

#[test]
fn sizes_and_lists_select_what_rclone_selects() {
    let Some(place) = configured() else { return };
    for file in FILES {
        place.write(&format!("tree/{file}"), "x".repeat(file.len()));
    }
    place.write("list", "# a comment\n/d/a\n\n  b/d/x.jpg \nmissing\n*\n");
    let files =
        |filter: Filter| -> Vec<String> { selected(&filter).into_iter().filter(|path| !path.ends_with('/')).collect() };
    let flags = |flags: &[&str]| -> Vec<String> { flags.iter().map(|flag| (*flag).to_owned()).collect() };
    let sized = Filter { min_size: Some(3), max_size: Some(7), ..Filter::default() };
    assert_eq!(Some(files(sized)), listed(&place, &flags(&["--files-only", "--min-size=3b", "--max-size=7b"])));
    let shallow = Filter { max_depth: Some(2), ..Filter::default() };
    assert_eq!(Some(files(shallow)), listed(&place, &flags(&["--files-only", "--max-depth=2"])));
    let names = Filter { names: Some(Names::new(["/d/a", "b/d/x.jpg", "missing", "*"])), ..Filter::default() };
    assert_eq!(Some(files(names)), listed(&place, &flags(&["--files-only", "--files-from=list"])));
}
