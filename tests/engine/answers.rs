//! Answers that are not about what was asked for: those of other requests, older versions, changed headers. None is taken
//! for the file, and no name of the server's choice comes of it.

use std::fs;
#[cfg(unix)]
use std::sync::Arc;

use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::transfer::{IfExists, Options, TransferError};
use cells_client::walk::remote::{self, RemoteItem, RemoteOptions};
use cells_sandbox::{Fault, Kept};
use tokio::sync::mpsc;

use crate::support::{House, assert_whole, options, remote as path};
use crate::trees::{content, tree};

fn other(size: u64) -> Vec<u8> {
    content(size).iter().map(|byte| byte.wrapping_add(1)).collect()
}

/// How many requests of that method there were for a path.
fn asked(house: &House, method: &str, path: &str) -> usize {
    house.sandbox.requests().iter().filter(|request| request.method == method && request.path == path).count()
}

/// A house with two files, and the answer to a GET of the second one.
async fn house_of_two(sizes: (u64, u64)) -> (House, Kept) {
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put("common-files/wanted", content(sizes.0)).expect("a file");
    house.sandbox.tree().put("common-files/other", other(sizes.1)).expect("a file");
    let kept = Kept::default();
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/other").keep(&kept));
    assert_whole(&house.down(&["common-files/other"], "other").await.expect("a run"));
    (house, kept)
}

#[tokio::test]
async fn the_content_of_another_file_is_never_taken() {
    for sizes in [(5000, 5000), (5000, 7000), (700_000, 700_000), (700_000, 400_000)] {
        let (house, kept) = house_of_two(sizes).await;
        house.sandbox.faults().add(Fault::on("GET", "/io/common-files/wanted").replay(&kept));
        let summary = house.down(&["common-files/wanted"], "wanted").await.expect("a run");
        assert_whole(&summary);
        assert_eq!(summary.bytes, sizes.0);
        assert!(fs::read(house.local("wanted")).expect("a file") == content(sizes.0), "{sizes:?}");
        assert_eq!(asked(&house, "GET", "/io/common-files/wanted"), 2, "{sizes:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stays_another_one_is_no_file() {
    for sizes in [(5000, 5000), (5000, 7000), (700_000, 400_000)] {
        let (house, kept) = house_of_two(sizes).await;
        house.write("wanted", "what was here before");
        house.sandbox.faults().add(Fault::on("GET", "/io/common-files/wanted").replay(&kept).always());
        let summary = house.down(&["common-files/wanted"], "wanted").await.expect("a run");
        assert_eq!((summary.transferred, summary.failed), (0, 1), "{sizes:?}: {summary:#?}");
        let error = &summary.failures[0].error;
        // How often it is asked depends on the policy; the last failure is final or not accordingly.
        let is_other = match error {
            TransferError::OtherContent { why, .. } => why.contains("in the answer is"),
            TransferError::Integrity { what, .. } => what.ends_with("in the answer"),
            _ => false,
        };
        assert!(is_other, "{sizes:?}: {error:?}");
        assert_eq!(fs::read(house.local("wanted")).expect("a file"), b"what was here before");
        assert_eq!(tree(house.folder.path()).len(), 2, "no temporary file is left");
        assert!(asked(&house, "GET", "/io/common-files/wanted") < 8, "it is not asked for ever");
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_since_it_was_listed_is_taken_as_it_is_now() {
    let house = House::new();
    house.sandbox.tree().put("common-files/file", content(900_000)).expect("a file");
    let node = house.engine.api.find(&path("common-files/file")).await.expect("asked").expect("a node");
    house.sandbox.tree().put("common-files/file", other(400_000)).expect("another");
    let jobs = house.engine.download_jobs(vec![node], &house.local("file")).await.expect("jobs");
    let summary = house.engine.clone().execute(jobs).await;
    assert_whole(&summary);
    assert_eq!(summary.bytes, 400_000, "what came counts, not what was listed");
    assert!(fs::read(house.local("file")).expect("a file") == other(400_000));
    assert_eq!(asked(&house, "GET", "/io/common-files/file"), 1);
}

#[tokio::test]
async fn a_proxy_that_changes_entity_tags_does_no_harm() {
    for times in [2, 100] {
        for size in [5000, 700_000] {
            let house = House::new();
            house.sandbox.tree().put("common-files/file", content(size)).expect("a file");
            let changed =
                Fault::on("GET", "/io/common-files/file").set_header("Etag", "\"0123456789abcdef0123456789abcdef\"");
            house.sandbox.faults().add(changed.times(times));
            assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
            assert!(fs::read(house.local("file")).expect("a file") == content(size));
        }
    }
}

#[tokio::test]
async fn a_rest_that_belongs_to_another_file_costs_nothing_of_what_has_arrived() {
    let (house, kept) = house_of_two((900_000, 900_000)).await;
    let file = || Fault::on("GET", "/io/common-files/wanted");
    house.sandbox.faults().add(file().cut_response_at(300_000));
    house.sandbox.faults().add(file().replay(&kept));
    assert_whole(&house.down(&["common-files/wanted"], "wanted").await.expect("a run"));
    assert!(fs::read(house.local("wanted")).expect("a file") == content(900_000));
}

#[tokio::test]
async fn the_listing_of_another_folder_is_asked_for_again() {
    for other in ["full", "empty"] {
        let house = House::new();
        for name in ["a", "b", ".hidden"] {
            house.sandbox.tree().put(&format!("common-files/wanted/{name}"), name).expect("a file");
            house.sandbox.tree().put(&format!("common-files/full/x{name}"), name).expect("a file");
        }
        house.sandbox.tree().mkdir("common-files/empty").expect("a folder");
        let kept = Kept::default();
        house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").keep(&kept));
        assert_whole(&house.down(&[&format!("common-files/{other}")], other).await.expect("a run"));
        house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").replay(&kept));
        assert_whole(&house.down(&["common-files/wanted"], "wanted").await.expect("a run"));
        assert_eq!(tree(&house.local("wanted")).keys().collect::<Vec<_>>(), [".hidden", "a", "b"], "{other}");
    }
}

#[tokio::test]
async fn what_stat_says_of_another_file_is_no_answer() {
    let house = House::new();
    house.sandbox.tree().put("common-files/report.pdf", "the report").expect("a file");
    house.sandbox.tree().put("common-files/.bashrc", "a trap").expect("a file");
    let kept = Kept::default();
    house.sandbox.faults().add(Fault::on("GET", "/a/tree/stat/common-files/.bashrc").keep(&kept));
    house.engine.api.find(&path("common-files/.bashrc")).await.expect("asked").expect("a node");
    let swapped = || Fault::on("GET", "/a/tree/stat/common-files/report.pdf").replay(&kept);
    house.sandbox.faults().add(swapped());
    assert_whole(&house.down(&["common-files/report.pdf"], ".").await.expect("a run"));
    house.sandbox.faults().add(swapped().always());
    let refused = house.down(&["common-files/report.pdf"], ".").await.expect_err("nothing that was asked for");
    assert!(refused.to_string().contains("the server answered about 'common-files/.bashrc'"), "{refused}");
    assert_eq!(tree(house.folder.path()).keys().collect::<Vec<_>>(), ["report.pdf"]);
    let many = house.engine.api.stat_many(&[path("common-files/.bashrc")]).await.expect("nodes");
    assert_eq!(many.len(), 1);
    house.sandbox.faults().clear();
    let described = house.sandbox.requests().len();
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").keep(&kept));
    house.engine.api.stat_many(&[path("common-files/.bashrc")]).await.expect("nodes");
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").replay(&kept).always());
    house.engine.api.stat_many(&[path("common-files/report.pdf")]).await.expect_err("another file");
    assert!(house.sandbox.requests().len() > described + 2, "it is asked again before that is final");
}

#[tokio::test]
async fn after_one_wrong_answer_each_request_has_a_connection_of_its_own() {
    let (house, kept) = house_of_two((5000, 5000)).await;
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/wanted").replay(&kept));
    assert_whole(&house.down(&["common-files/wanted"], "wanted").await.expect("a run"));
    house.sandbox.clear_requests();
    let before = house.sandbox.connections();
    for _ in 0..3 {
        house.engine.api.stat(&path("common-files/wanted")).await.expect("a node");
    }
    assert_eq!(house.sandbox.connections(), before + 3);
}

/// The names of all files of a walk, and of the folders that failed.
async fn walked(mut walk: mpsc::Receiver<RemoteItem>) -> (Vec<String>, Vec<String>) {
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    while let Some(item) = walk.recv().await {
        match item {
            RemoteItem::File(node) => files.push(node.path.to_string()),
            RemoteItem::Failed { folder, .. } => failed.push(folder.to_string()),
            RemoteItem::Folder(_) | RemoteItem::RecycleBin(_) | RemoteItem::Excluded(_) => {}
        }
    }
    files.sort();
    (files, failed)
}

#[tokio::test]
async fn a_listing_that_fails_for_a_moment_costs_no_file() {
    // Once, more often than it is tried in a row, and for good.
    for (times, whole) in [(1, true), (5, true), (1000, false)] {
        let house = House::new();
        for name in ["a/.hidden", "a/plain", "b/.hidden", "c"] {
            house.sandbox.tree().put(&format!("common-files/tree/{name}"), name).expect("a file");
        }
        house.sandbox.faults().add(Fault::on("GET", "/io/").query("list-type").status(503).times(times));
        let root = path("common-files/tree");
        let (files, failed) =
            walked(remote::walk(&house.engine.api, &house.engine.s3, &root, RemoteOptions::default())).await;
        let names: Vec<&str> = files.iter().filter_map(|file| file.strip_prefix("common-files/tree/")).collect();
        if whole {
            assert_eq!((names, failed.len()), (vec!["a/.hidden", "a/plain", "b/.hidden", "c"], 0), "{times}");
        } else {
            assert_eq!((names, failed.len()), (vec!["a/plain", "c"], 2), "{times}: each node once");
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_called_like_an_archive_is_told_at_once() {
    let house = House::new();
    house.sandbox.tree().put("common-files/tree/data.zip/inside", "x").expect("a file");
    house.sandbox.tree().put("common-files/tree/plain", "x").expect("a file");
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (1, 1), "{summary:#?}");
    let listings = asked(&house, "POST", "/a/meta/bulk/get");
    assert!(listings <= 2, "one for each folder, none again: {listings}");
}

#[tokio::test]
async fn what_a_proxy_leaves_out_of_an_answer_is_known_from_the_listing() {
    let chunked = |fault: Fault| fault.drop_header("Content-Length").set_header("Transfer-Encoding", "chunked");
    type Change = Box<dyn Fn(Fault) -> Fault>;
    let changes: [(&str, Change); 3] = [
        ("no ETag", Box::new(|fault| fault.drop_header("Etag"))),
        ("no length", Box::new(chunked)),
        ("neither", Box::new(move |fault| chunked(fault).drop_header("Etag"))),
    ];
    for (name, change) in changes {
        for size in [0, 5000, 700_000] {
            let house = House::new();
            house.sandbox.tree().put("common-files/file", content(size)).expect("a file");
            house.sandbox.faults().add(change(Fault::on("GET", "/io/common-files/file")).always());
            assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
            assert!(fs::read(house.local("file")).expect("a file") == content(size), "{name} {size}");
            assert_eq!(asked(&house, "GET", "/io/common-files/file"), 1, "{name} {size}");
        }
    }
    // Without a look at the content it proves nothing.
    let unverified = Options { verify: false, retry: cells_client::http::retry::RetryPolicy::never(), ..options() };
    let house = House::with(unverified);
    house.sandbox.tree().put("common-files/file", content(5000)).expect("a file");
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").drop_header("Etag").always());
    let summary = house.down(&["common-files/file"], "file").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (0, 1), "{summary:#?}");
}

#[tokio::test]
async fn a_download_that_moves_is_not_given_up() {
    // Ten attempts, of which four are allowed in a row.
    let house = House::new();
    house.sandbox.tree().put("common-files/file", content(19 * MEBIBYTE)).expect("a file");
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").cut_response_at(2 * MEBIBYTE).always());
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    assert!(fs::read(house.local("file")).expect("a file") == content(19 * MEBIBYTE));
    assert_eq!(asked(&house, "GET", "/io/common-files/file"), 10);
}

#[tokio::test]
async fn bodies_that_always_break_off_end_the_run_although_small_files_pass() {
    let house = House::with(Options { transfers: Limiter::exactly(2), ..options() });
    for number in 0..200_u64 {
        let size = if number % 3 == 0 { 5000 } else { 50 };
        house.sandbox.tree().put(&format!("common-files/tree/{number:03}"), content(size)).expect("a file");
    }
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/tree/").cut_response_at(99).always());
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::GaveUp { .. })), "{:?}", summary.stopped);
    assert!(summary.transferred < 133, "it ends before all was tried: {}", summary.transferred);
    assert!(tree(&house.local("tree")).values().all(|bytes| bytes.len() == 50), "nothing half");
}

#[tokio::test]
async fn names_like_those_of_temporary_files_are_names_as_any_other() {
    let house = House::new();
    let names = [".cec-21c83db663c0a3fa.part", ".cec-0123456789abcdef0123456789abcdef.part", "big.bin"];
    for (number, name) in (1..).zip(names) {
        house.sandbox.tree().put(&format!("common-files/tree/{name}"), content(number * 300_000)).expect("a file");
    }
    assert_whole(&house.down(&["common-files/tree"], "tree").await.expect("a run"));
    let files = tree(&house.local("tree"));
    assert_eq!(files.len(), 3, "{:?}", files.keys());
    for (number, name) in (1..).zip(names) {
        assert!(files[name] == content(number * 300_000), "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_leads_a_tree_out_of_its_target() {
    use std::os::unix::fs::symlink;
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put("common-files/tree/d/inside", "x").expect("a file");
    house.sandbox.tree().put("common-files/tree/beside", "x").expect("a file");
    for folder in ["target/tree", "elsewhere", "real"] {
        fs::create_dir_all(house.local(folder)).expect("a folder");
    }
    symlink("../../elsewhere", house.local("target/tree/d")).expect("a link");
    let summary = house.down(&["common-files/tree"], "target").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (1, 2), "{summary:#?}");
    assert!(tree(&house.local("elsewhere")).is_empty());
    // A link in the place of the tree itself was not named either; one that was named is followed.
    symlink("../elsewhere", house.local("real/tree")).expect("a link");
    let refused = house.down(&["common-files/tree"], "real").await.map(|_| ());
    assert!(matches!(refused, Err(TransferError::Clash { kind: "link", .. })), "{refused:?}");
    symlink("elsewhere", house.local("named")).expect("a link");
    assert_whole(&house.down(&["common-files/tree"], "named").await.expect("a run"));
    assert_eq!(tree(&house.local("elsewhere")).len(), 4);
}

#[cfg(unix)]
#[tokio::test]
async fn a_private_file_stays_private_while_its_next_content_comes() {
    use std::os::unix::fs::PermissionsExt;
    let mut house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put("common-files/key", content(900_000)).expect("a file");
    let key = house.write("key", "old");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o6700)).expect("a mode");
    let folder = house.folder.path().to_owned();
    let modes = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = modes.clone();
    house.engine.observer = crate::downloads::Bystander::at_first_bytes(move || {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.file_name().to_string_lossy().ends_with(".part") {
                seen.lock().expect("a lock").push(entry.metadata().expect("a file").permissions().mode() & 0o7777);
            }
        }
    });
    assert_whole(&house.down(&["common-files/key"], "key").await.expect("a run"));
    assert_eq!(*modes.lock().expect("a lock"), [0o600]);
    assert_eq!(
        fs::metadata(&key).expect("a file").permissions().mode() & 0o7777,
        0o700,
        "setuid was the old content's"
    );
}
