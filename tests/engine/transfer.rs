//! What scp promises, seen at the engine.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::transfer::{IfExists, Options, TransferError};
use cells_sandbox::Fault;

use crate::support::{House, assert_whole, options};
use crate::trees::{content, tree};

#[tokio::test]
async fn a_tree_goes_up_and_comes_back_the_same() {
    let house = House::new();
    house.write("tree/a.txt", "one");
    house.write("tree/.hidden", "two");
    house.write("tree/empty", "");
    house.write("tree/sub/deeper/big", content(3 * MEBIBYTE + 17));
    house.write("tree/sub/.dots/.x", "three");
    house.write("tree/odd/sp ace+%?#&é\u{301}.txt", "four");
    fs::create_dir_all(house.local("tree/no files/at all")).expect("folders");
    let summary = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    assert_eq!(summary.transferred, 6);
    fs::create_dir(house.local("back")).expect("a folder");
    let summary = house.down(&["common-files/tree"], "back").await.expect("a download");
    assert_whole(&summary);
    let mut sent = tree(&house.local("tree"));
    // The server keeps names composed.
    let odd = sent.remove("odd/sp ace+%?#&é\u{301}.txt").expect("the odd name");
    sent.insert("odd/sp ace+%?#&\u{e9}\u{301}.txt".to_owned(), odd);
    assert_eq!(tree(&house.local("back/tree")).keys().collect::<Vec<_>>(), sent.keys().collect::<Vec<_>>());
    assert_eq!(tree(&house.local("back/tree")), sent);
}

#[tokio::test]
async fn a_second_run_sends_only_what_is_missing() {
    let house = House::new();
    for number in 0..30 {
        house.write(&format!("tree/{}/file-{number}", number % 3), format!("content {number}"));
    }
    house.write("tree/large", content(25 * MEBIBYTE));
    assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
    house.write("tree/new/file", "new");
    let summary = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    assert_eq!((summary.transferred, summary.unchanged), (1, 31));
    let summary = house.down(&["common-files/tree"], "back").await.expect("a download");
    assert_whole(&summary);
    fs::remove_file(house.local("back/1/file-1")).expect("a file");
    let summary = house.down(&["common-files/tree"], ".").await.expect("a download");
    assert_eq!((summary.transferred, summary.unchanged), (0, 32), "into the tree that was sent");
}

#[tokio::test]
async fn folders_of_awkward_sizes_lose_and_double_nothing() {
    for (count, hidden) in [(99, 0), (100, 0), (101, 3), (200, 0), (500, 1), (501, 0), (1500, 40)] {
        let house = House::new();
        house.sandbox.tree().generate("common-files/many", count, 3).expect("files");
        for number in 0..hidden {
            house.sandbox.tree().put(&format!("common-files/many/.h{number}"), "x").expect("a file");
        }
        let summary = house.down(&["common-files/many"], "many").await.expect("a download");
        assert_whole(&summary);
        assert_eq!(summary.transferred, (count + hidden) as u64, "{count} and {hidden} hidden");
        assert_eq!(tree(&house.local("many")).len(), count + hidden);
    }
}

#[tokio::test]
async fn large_files_go_in_parts_and_are_verified() {
    let house = House::new();
    house.write("large", content(45 * MEBIBYTE + 3));
    assert_whole(&house.up(&["large"], "common-files").await.expect("an upload"));
    assert!(house.sandbox.tree().etag("common-files/large").expect("an ETag").ends_with("-5"));
    assert_whole(&house.down(&["common-files/large"], "back").await.expect("a download"));
    assert!(fs::read(house.local("back")).expect("a file") == fs::read(house.local("large")).expect("a file"));
}

#[tokio::test]
async fn targets_follow_cp() {
    let house = House::new();
    house.write("a", "1");
    house.write("b", "2");
    assert_whole(&house.up(&["a"], "common-files/renamed").await.expect("an upload"));
    assert_eq!(house.sandbox.tree().read("common-files/renamed").as_deref(), Some(b"1".as_slice()));
    house.sandbox.tree().mkdir("common-files/into").expect("a folder");
    assert_whole(&house.up(&["a", "b"], "common-files/into").await.expect("an upload"));
    assert_eq!(house.sandbox.tree().list("common-files/into"), ["a", "b"]);
    let refused =
        |result: Result<_, TransferError>| result.map(|_: cells_client::transfer::Summary| ()).expect_err("a refusal");
    assert!(matches!(refused(house.up(&["a", "b"], "common-files/none").await), TransferError::NoFolder { .. }));
    assert!(matches!(refused(house.up(&["a"], "common-files/none/x").await), TransferError::NoFolder { .. }));
    assert!(matches!(refused(house.up(&["a"], "common-files/renamed/x").await), TransferError::Clash { .. }));
    assert!(matches!(refused(house.up(&["a"], "no-such-workspace/x").await), TransferError::NotFound(_)));
    assert!(matches!(refused(house.up(&["none"], "common-files").await), TransferError::NotFound(_)));
    assert!(matches!(refused(house.up(&["a"], "common-files/into").await), TransferError::Exists(_)));
    assert!(matches!(refused(house.up(&["a", "b"], "common-files/renamed").await), TransferError::NotAFolder(_)));
    // Nothing of the refused ones has moved.
    assert_eq!(house.sandbox.tree().list("common-files"), ["into", "renamed"]);
}

#[tokio::test]
async fn each_policy_does_what_it_says() {
    for (policy, transferred, skipped, failed, kept) in [
        (IfExists::Fail, 1, 0, 1, "old"),
        (IfExists::Skip, 1, 1, 0, "old"),
        (IfExists::Overwrite, 2, 0, 0, "new"),
        (IfExists::Update, 2, 0, 0, "new"),
        (IfExists::Rename, 2, 0, 0, "old"),
    ] {
        let house = House::with(Options { if_exists: policy, ..options() });
        house.sandbox.tree().put("common-files/tree/differs.txt", "old").expect("a file");
        house.sandbox.tree().set_mtime("common-files/tree/differs.txt", 1_000_000);
        house.sandbox.tree().put("common-files/tree/same", "same").expect("a file");
        house.write("tree/differs.txt", "new");
        house.write("tree/same", "same");
        house.write("tree/fresh", "fresh");
        let summary = house.up(&["tree"], "common-files").await.expect("an upload");
        let unchanged = if policy == IfExists::Skip { 0 } else { 1 };
        let skipped = skipped + 1 - unchanged;
        assert_eq!(
            (summary.transferred, summary.unchanged, summary.skipped, summary.failed),
            (transferred, unchanged, skipped, failed),
            "{policy:?}"
        );
        let there = house.sandbox.tree().read("common-files/tree/differs.txt").expect("a file");
        assert_eq!(String::from_utf8_lossy(&there), kept, "{policy:?}");
        let renamed = house.sandbox.tree().read("common-files/tree/differs-1.txt");
        assert_eq!(renamed.is_some(), policy == IfExists::Rename);
    }
}

#[tokio::test]
async fn a_file_in_the_way_of_a_folder_goes_to_the_recycle_bin_only_under_force() {
    let house = House::new();
    house.sandbox.tree().put("common-files/tree/sub", "a file").expect("a file");
    house.write("tree/sub/x", "1");
    house.write("tree/y", "2");
    let summary = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_eq!((summary.transferred, summary.failed), (1, 1));
    let mut house = house;
    house.engine.options = Arc::new(Options { if_exists: IfExists::Overwrite, ..options() });
    let summary = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    assert_eq!(house.sandbox.tree().read("common-files/tree/sub/x").as_deref(), Some(b"1".as_slice()));
    assert!(house.sandbox.tree().exists("common-files/recycle_bin/sub"));
}

/// What a fault does.
type Trouble = fn(Fault) -> Fault;

#[tokio::test]
async fn passing_failures_of_uploads_are_mended() {
    let cases: [(&str, Trouble); 6] = [
        ("503", |fault| fault.status(503)),
        ("500", |fault| fault.status(500)),
        ("429", |fault| fault.status(429).header("Retry-After", "0")),
        ("closed before", Fault::close_before),
        ("closed after", Fault::close_after),
        ("cut", |fault| fault.cut_request_at(1000)),
    ];
    for (name, fault) in cases {
        let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
        house.sandbox.tree().put("common-files/there", content(5000)).expect("a file");
        house.write("there", content(400_000));
        house.write("fresh", content(300_000));
        house.write("large", content(31 * MEBIBYTE));
        house.sandbox.faults().add(fault(Fault::on("PUT", "/io/common-files/there")).times(2));
        house.sandbox.faults().add(fault(Fault::on("PUT", "/io/common-files/fresh")).times(2));
        house.sandbox.faults().add(fault(Fault::on("PUT", "/io/common-files/large").query("partNumber=2")).times(2));
        let summary = house.up(&["there", "fresh", "large"], "common-files").await.expect("an upload");
        assert!(summary.failed == 0, "{name}: {summary:#?}");
        for file in ["there", "fresh", "large"] {
            let sent = fs::read(house.local(file)).expect("a file");
            assert!(house.sandbox.tree().read(&format!("common-files/{file}")) == Some(sent), "{name}: {file}");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_complete_is_cleared_up() {
    let house = House::new();
    house.write("large", content(31 * MEBIBYTE));
    house.sandbox.faults().add(Fault::on("POST", "/io/common-files/large").query("uploadId").close_after());
    let summary = house.up(&["large"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    assert!(house.sandbox.tree().read("common-files/large") == Some(fs::read(house.local("large")).expect("a file")));
}

#[tokio::test]
async fn passing_failures_of_downloads_are_mended() {
    let cases: [(&str, Trouble); 5] = [
        ("503", |fault| fault.status(503)),
        ("closed", Fault::close_before),
        ("cut", |fault| fault.cut_response_at(100_000)),
        ("corrupt", |fault| fault.corrupt_response_at(77)),
        ("html", Fault::html),
    ];
    for (name, fault) in cases {
        let house = House::new();
        house.sandbox.tree().put("common-files/tree/file", content(900_000)).expect("a file");
        house.sandbox.faults().add(fault(Fault::on("GET", "/io/common-files/tree/file")).times(1));
        let summary = house.down(&["common-files/tree"], "tree").await.expect("a download");
        assert!(summary.failed == 0, "{name}: {summary:#?}");
        assert!(fs::read(house.local("tree/file")).expect("a file") == content(900_000), "{name}");
        assert_eq!(tree(&house.local("tree")).len(), 1, "{name}: nothing else is left");
    }
}

#[tokio::test]
async fn a_copy_that_stays_wrong_never_gets_its_name() {
    let house = House::new();
    house.sandbox.tree().put("common-files/file", content(500_000)).expect("a file");
    house.write("file", "what was here before");
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").corrupt_response_at(9).always());
    let mut house = house;
    house.engine.options = Arc::new(Options { if_exists: IfExists::Overwrite, ..options() });
    let summary = house.down(&["common-files/file"], "file").await.expect("a run");
    assert_eq!(summary.failed, 1);
    // The same wrong bytes twice: it is no accident on the way.
    assert!(matches!(summary.failures[0].error, TransferError::Damaged { .. }), "{summary:#?}");
    assert_eq!(fs::read(house.local("file")).expect("a file"), b"what was here before");
    assert_eq!(tree(house.folder.path()).len(), 1, "no temporary file is left");
}

#[tokio::test]
async fn a_shorter_download_leaves_no_old_tail() {
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put("common-files/file", "short").expect("a file");
    house.write("file", content(10_000));
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a download"));
    assert_eq!(fs::read(house.local("file")).expect("a file"), b"short");
}

#[tokio::test]
async fn one_unreadable_folder_does_not_stop_the_rest() {
    let house = House::new();
    for folder in ["a", "b", "c"] {
        house.sandbox.tree().put(&format!("common-files/tree/{folder}/file"), folder).expect("a file");
    }
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/tree/b/file").status(403).always());
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a download");
    assert_eq!((summary.transferred, summary.failed), (2, 1), "{summary:#?}");
}

#[tokio::test]
async fn a_dead_token_ends_the_run_at_once() {
    let house = House::new();
    for number in 0..200 {
        house.write(&format!("tree/{number}"), "x");
    }
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").skip(20).expire_token());
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    let stopped = summary.stopped.expect("stopped");
    assert_eq!(stopped.reach(), cells_client::transfer::error::Reach::Everything, "{stopped}");
    assert!(house.sandbox.requests().len() < 120, "no request is wasted on the rest");
}

#[tokio::test]
async fn fail_fast_stops_at_the_first_failure_and_says_so() {
    let house = House::with(Options { fail_fast: true, transfers: Limiter::exactly(1), ..options() });
    for number in 0..50 {
        house.write(&format!("tree/{number}"), "x");
    }
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").skip(3).status(403).always());
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (3, 1), "{summary:#?}");
    assert!(summary.stopped.is_none(), "nobody interrupted it");
}

#[tokio::test]
async fn an_interrupt_does_not_wait_for_the_next_attempt() {
    let retry = cells_client::http::retry::RetryPolicy {
        max_attempts: 9,
        max_backoff: Duration::from_secs(60),
        max_elapsed: Duration::from_secs(600),
    };
    let house = House::with(Options { retry, ..options() });
    house.write("file", "x");
    let busy = Fault::on("PUT", "/io/common-files/file").status(429).header("Retry-After", "50").always();
    house.sandbox.faults().add(busy);
    let cancel = house.engine.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cancel.cancel();
    });
    let run = tokio::time::timeout(Duration::from_secs(5), house.up(&["file"], "common-files"));
    let summary = run.await.expect("in time").expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::Cancelled)), "{summary:#?}");
}

#[tokio::test]
async fn a_server_that_has_gone_ends_the_run_soon() {
    let house = House::new();
    for number in 0..200 {
        house.write(&format!("tree/{number}"), "x");
    }
    house.sandbox.faults().add(Fault::on("*", "/").skip(30).close_before().always());
    let summary = tokio::time::timeout(Duration::from_secs(30), house.up(&["tree"], "common-files")).await;
    let summary = summary.expect("in time").expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::GaveUp { .. })), "{summary:#?}");
}

#[tokio::test]
async fn cancelling_leaves_no_half_file_and_no_pending_upload() {
    let house = House::new();
    house.write("large", content(64 * MEBIBYTE));
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/large").query("partNumber=3").hang().always());
    let (cancel, faults) = (house.engine.cancel.clone(), house.sandbox.faults());
    let watch = tokio::spawn(async move {
        while faults.hits() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
    });
    let summary = house.up(&["large"], "common-files").await.expect("a run");
    watch.await.expect("a watch");
    assert!(matches!(summary.stopped, Some(TransferError::Cancelled)), "{summary:#?}");
    assert!(house.sandbox.s3().pending_uploads().is_empty());
    assert!(!house.sandbox.tree().exists("common-files/large"));
}

#[tokio::test]
async fn a_dry_run_moves_nothing() {
    let house = House::with(Options { dry_run: true, ..options() });
    house.write("tree/sub/file", "1");
    house.sandbox.tree().put("common-files/there/x", "2").expect("a file");
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!(summary.transferred, 1);
    let summary = house.down(&["common-files/there"], "there").await.expect("a run");
    assert_eq!(summary.transferred, 1);
    assert_eq!(house.sandbox.tree().list("common-files"), ["there"]);
    assert_eq!(tree(house.folder.path()).len(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_meet_on_the_server_and_names_that_cannot_be_there_are_refused_and_the_rest_goes() {
    let house = House::new();
    house.write("tree/\u{e9}", "composed");
    house.write("tree/e\u{301}", "decomposed");
    house.write("tree/back\\slash", "x");
    house.write("tree/back\\folder/inside", "x");
    house.write("tree/fine", "x");
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (2, 3), "{summary:#?}");
}

#[tokio::test]
async fn what_a_broken_upload_left_behind_counts_for_nothing() {
    for policy in [IfExists::Fail, IfExists::Skip, IfExists::Update, IfExists::Overwrite] {
        let house = House::with(Options { if_exists: policy, ..options() });
        house.write("tree/large", content(31 * MEBIBYTE));
        let left = crate::support::remote("common-files/tree/large");
        house.engine.s3.create_multipart(&left, Some(31 * MEBIBYTE)).await.expect("an upload");
        let failed = house.down(&["common-files/tree"], "early").await.expect("a run");
        assert!(matches!(failed.failures[0].error, TransferError::Unfinished(_)), "{failed:#?}");
        let summary = house.up(&["tree"], "common-files").await.expect("an upload");
        assert_eq!((summary.transferred, summary.failed), (1, 0), "{policy:?}: {summary:#?}");
        assert!(house.sandbox.tree().read("common-files/tree/large") == Some(content(31 * MEBIBYTE)), "{policy:?}");
    }
}
