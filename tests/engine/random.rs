//! Random trees, up and down again; random faults in both directions.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::transfer::{IfExists, Options};
use cells_sandbox::Fault;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use unicode_normalization::UnicodeNormalization;

use super::support::{House, assert_whole, options, remote};
use super::trees::{content, tree};

/// Where everything goes on the server: a workspace, and the folder in it that has the name of the local one.
const WORKSPACE: &str = "personal-files";
const TARGET: &str = "personal-files/target";
const LOCAL: &str = "target";

/// Sizes at which something changes: nothing, one byte, and the edges of parts.
const EDGES: [u64; 8] = [
    5 * MEBIBYTE - 1,
    5 * MEBIBYTE,
    5 * MEBIBYTE + 1,
    10 * MEBIBYTE - 1,
    10 * MEBIBYTE,
    10 * MEBIBYTE + 1,
    20 * MEBIBYTE,
    20 * MEBIBYTE + 1,
];

/// A tree by relative path: files with their content, folders with a slash at the end.
type Tree = BTreeMap<String, Vec<u8>>;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() }
}

/// Names in composed form, in which the server keeps them.
fn name() -> impl Strategy<Value = String> {
    let odd = [
        "con",
        "a+b %2F#?&;",
        "e\u{301}",
        "日本",
        "😀",
        " lead",
        "trail ",
        "tab\tx",
        "new\nline",
        "..x",
        "...",
        "%",
        "*[a]{b,c}",
        "'\"<>|:",
        "~",
        "-n",
        "\u{202e}rtl",
    ];
    let name = prop_oneof![
        4 => "[a-z]{1,6}",
        1 => r"\.[a-z]{1,4}",
        1 => r"[ -.0-\[\]-~]{1,12}",
        1 => r"\PC{1,20}",
        2 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ];
    name.prop_map(|name| name.nfc().filter(|character| !"/\\\0".contains(*character)).collect::<String>())
        .prop_filter("the names of no file", |name| !matches!(name.as_str(), "" | "." | ".."))
        // The server makes archives of folders up under such names.
        .prop_filter("an archive", |name| ![".zip", ".tar", ".gz"].iter().any(|end| name.ends_with(end)))
}

/// The size of a file, `None` for a folder.
fn size() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        1 => (0_u64..2).prop_map(Some),
        6 => (0_u64..5000).prop_map(Some),
    ]
}

/// A tree of a few dozen entries at most; where names collide, the first one stays.
fn small_tree() -> impl Strategy<Value = Tree> {
    let folders = vec(name(), 3);
    let entries = vec((vec(0_usize..3, 0..4), name(), size()), 0..20);
    (folders, entries).prop_map(|(folders, entries)| {
        let mut tree = Tree::new();
        for (seed, (above, name, size)) in (1_u64..).zip(entries) {
            let above: String = above.iter().map(|index| format!("{}/", folders[*index])).collect();
            add(&mut tree, &above, &name, size, seed);
        }
        tree
    })
}

/// Adds a file or folder and the folders above it, unless something else is in the way.
fn add(tree: &mut Tree, above: &str, name: &str, size: Option<u64>, seed: u64) {
    let folders = above.char_indices().filter(|(_, character)| *character == '/').map(|(end, _)| &above[..end]);
    let path = format!("{above}{name}");
    if folders.clone().any(|folder| tree.contains_key(folder)) || tree.contains_key(&format!("{path}/")) {
        return;
    }
    for folder in folders {
        tree.insert(format!("{folder}/"), Vec::new());
    }
    match size {
        Some(size) => tree.entry(path).or_insert_with(|| bytes(size, seed)),
        None if tree.contains_key(&path) => return,
        None => tree.entry(format!("{path}/")).or_default(),
    };
}

/// Bytes that differ from file to file.
fn bytes(size: u64, seed: u64) -> Vec<u8> {
    let mut bytes = content(size);
    for (byte, mark) in bytes.iter_mut().zip(seed.to_be_bytes()) {
        *byte ^= mark;
    }
    bytes
}

/// A small tree with a few files of the sizes at which something changes.
fn tree_with_edges() -> impl Strategy<Value = Tree> {
    (small_tree(), vec(prop::sample::select(EDGES.to_vec()), 0..3)).prop_map(|(mut tree, sizes)| {
        for (seed, size) in (1000..).zip(sizes) {
            add(&mut tree, "", &format!("large {seed}"), Some(size), seed);
        }
        tree
    })
}

/// Options in which everything is sent in parts, or only what is large, one file at a time or several.
fn some_options() -> impl Strategy<Value = Options> {
    (1_usize..5, 1_usize..4, prop::sample::select(vec![0, 10 * MEBIBYTE, 20 * MEBIBYTE])).prop_map(
        |(transfers, parts_in_flight, multipart_threshold)| Options {
            transfers: Limiter::exactly(transfers),
            parts_in_flight,
            multipart_threshold,
            ..options()
        },
    )
}

fn write(house: &House, tree: &Tree) {
    fs::create_dir_all(house.local(LOCAL)).expect("a folder");
    for (path, content) in tree {
        match path.strip_suffix('/') {
            Some(path) => fs::create_dir_all(house.local(LOCAL).join(path)).expect("a folder"),
            None => drop(house.write(&format!("{LOCAL}/{path}"), content)),
        }
    }
}

/// What is on the server below the target, what is still being sent left out.
fn on_server(house: &House) -> Tree {
    let nodes = house.sandbox.tree();
    let mut found = Tree::new();
    let mut waiting = vec![String::new()];
    while let Some(above) = waiting.pop() {
        for name in nodes.list(&format!("{TARGET}/{above}")) {
            let name = name.trim_end_matches('/');
            let path = format!("{TARGET}/{above}{name}");
            if nodes.is_folder(&path) {
                found.insert(format!("{above}{name}/"), Vec::new());
                waiting.push(format!("{above}{name}/"));
            } else if let Some(content) =
                nodes.read(&path).filter(|_| nodes.etag(&path).as_deref() != Some("temporary"))
            {
                found.insert(format!("{above}{name}"), content);
            }
        }
    }
    found
}

/// What goes wrong.
fn fault() -> impl Strategy<Value = Fault> {
    let request = (
        prop::sample::select(vec!["*", "*", "PUT", "POST", "GET"]),
        // What the bytes of files come by, and anything.
        prop::sample::select(vec!["/io/personal-files/target/", "/"]),
        0_usize..8,
        1_usize..6,
    );
    let status = prop::sample::select(vec![200, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504]);
    let knob = prop_oneof![
        2 => status.prop_map(Knob::Status),
        1 => Just(Knob::Html),
        1 => Just(Knob::EmptyOk),
        1 => Just(Knob::CloseBefore),
        2 => Just(Knob::CloseAfter),
        2 => (0_u64..6000).prop_map(Knob::CutRequest),
        2 => (0_u64..6000).prop_map(Knob::CutResponse),
        2 => (0_u64..3000).prop_map(Knob::Corrupt),
        1 => (0_u64..3000).prop_map(Knob::Stall),
        1 => Just(Knob::NoEtag),
        1 => Just(Knob::OtherEtag),
        1 => Just(Knob::ExpireToken),
    ];
    (request, knob).prop_map(|((method, path, skip, times), knob)| {
        // Nothing proves the bytes of listings, so these stay as they are.
        let (method, path) = match knob {
            Knob::Corrupt(_) => ("GET", "/io/personal-files/target/"),
            _ => (method, path),
        };
        knob.turn(Fault::on(method, path).skip(skip).times(times))
    })
}

#[derive(Debug, Clone)]
enum Knob {
    Status(u16),
    Html,
    EmptyOk,
    CloseBefore,
    CloseAfter,
    CutRequest(u64),
    CutResponse(u64),
    Corrupt(u64),
    Stall(u64),
    NoEtag,
    OtherEtag,
    ExpireToken,
}

impl Knob {
    fn turn(&self, fault: Fault) -> Fault {
        match self {
            Self::Status(code) => fault.status(*code),
            Self::Html => fault.html(),
            Self::EmptyOk => fault.empty_ok(),
            Self::CloseBefore => fault.close_before(),
            Self::CloseAfter => fault.close_after(),
            Self::CutRequest(bytes) => fault.cut_request_at(*bytes),
            Self::CutResponse(bytes) => fault.cut_response_at(*bytes),
            Self::Corrupt(index) => fault.corrupt_response_at(*index),
            Self::Stall(bytes) => fault.stall_response_at(*bytes, Duration::from_millis(30)),
            Self::NoEtag => fault.drop_header("etag"),
            Self::OtherEtag => fault.set_header("etag", "\"0123456789abcdef0123456789abcdef\""),
            Self::ExpireToken => fault.expire_token(),
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future)
}

/// Uploads under faults; says whether the run claims that all is well.
async fn up(house: &House, faults: &[Fault]) -> bool {
    for fault in faults {
        house.sandbox.faults().add(fault.clone().may_stay_unmet("a small tree makes few requests"));
    }
    let result = house.up(&[LOCAL], WORKSPACE).await;
    house.sandbox.faults().clear();
    result.is_ok_and(|summary| summary.failed == 0 && summary.stopped.is_none())
}

/// Downloads under faults; says whether the run claims that all is well.
async fn down(house: &House, faults: &[Fault]) -> bool {
    let node = house.engine.api.find(&remote(TARGET)).await.expect("an answer").expect("a node");
    for fault in faults {
        house.sandbox.faults().add(fault.clone().may_stay_unmet("a small tree makes few requests"));
    }
    let Ok(jobs) = house.engine.download_jobs(vec![node], &house.local("back")).await else { return false };
    let summary = house.engine.clone().execute(jobs).await;
    house.sandbox.faults().clear();
    summary.failed == 0 && summary.stopped.is_none()
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn random_trees_come_back_as_they_went(source in tree_with_edges(), options in some_options()) {
        let house = House::with(options);
        write(&house, &source);
        block_on(async {
            assert_whole(&house.up(&[LOCAL], WORKSPACE).await.expect("an upload"));
            assert!(on_server(&house) == source, "sent {:?}, there is {:?}", source.keys(), on_server(&house).keys());
            assert_whole(&house.down(&[TARGET], "back").await.expect("a download"));
        });
        let back = tree(&house.local("back"));
        assert!(back == source, "sent {:?}, came back {:?}", source.keys(), back.keys());
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn random_faults_never_change_an_upload_unnoticed(
        source in small_tree(),
        faults in vec(fault(), 1..4),
        options in some_options(),
        overwrite in any::<bool>(),
    ) {
        let policy = if overwrite { IfExists::Overwrite } else { IfExists::Fail };
        let house = House::with(Options { if_exists: policy, ..options });
        write(&house, &source);
        let old = b"what was there before";
        let first = source.iter().find(|(path, content)| !path.contains('/') && content.len() > 1);
        if let Some((path, _)) = first.filter(|_| overwrite) {
            house.sandbox.tree().put(&format!("{TARGET}/{path}"), old).expect("an older file");
        }
        let well = block_on(up(&house, &faults));
        let there = on_server(&house);
        if well {
            assert!(there == source, "sent {:?}, there is {:?}", source.keys(), there.keys());
        }
        for (path, content) in &there {
            let overwritten = overwrite && first.is_some_and(|(first, _)| first == path);
            // A failed overwrite may leave the older file, or a damaged one, of which the run has told.
            assert!(source.get(path) == Some(content) || (overwritten && !well), "{path:?} is not whole");
        }
    }

    #[test]
    fn random_faults_never_change_a_download_unnoticed(
        source in small_tree(),
        faults in vec(fault(), 1..4),
        options in some_options(),
    ) {
        let house = House::with(options);
        let nodes = house.sandbox.tree();
        nodes.mkdir(TARGET).expect("a folder");
        for (path, content) in &source {
            match path.strip_suffix('/') {
                Some(path) => nodes.mkdir(&format!("{TARGET}/{path}")).expect("a folder"),
                None => nodes.put(&format!("{TARGET}/{path}"), content).expect("a file"),
            }
        }
        let well = block_on(down(&house, &faults));
        let back = if house.local("back").exists() { tree(&house.local("back")) } else { Tree::new() };
        if well {
            assert!(back == source, "there is {:?}, came {:?}", source.keys(), back.keys());
        }
        for (path, content) in &back {
            assert!(source.get(path) == Some(content), "{path:?} is not whole");
        }
    }
}
