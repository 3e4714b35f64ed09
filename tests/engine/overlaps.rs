//! Uploads of one new name that overlap: whatever the server makes of them, what is told as done is a file of that content.

use std::time::Duration;

use cec::error::Kind;
use cells_client::hash::MEBIBYTE;
use cells_client::transfer::{Engine, IfExists, Options, Summary, TransferError};
use cells_sandbox::{Fault, Gate};
use futures_util::future::LocalBoxFuture;

use crate::support::{House, assert_whole, options, remote};
use crate::trees::content;

const PATH: &str = "common-files/file";

/// A PUT of the path that another client has begun and not ended.
async fn rival(house: &House) -> tokio::task::JoinHandle<()> {
    let s3 = house.engine.s3.clone();
    let task = tokio::spawn(async move {
        let body = || {
            let first = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![0_u8; 50_000])]);
            let never = futures_util::stream::pending();
            reqwest::Body::wrap_stream(futures_util::StreamExt::chain(first, never))
        };
        let _ = s3.put(&remote(PATH), 100_000, &body).await;
    });
    until(|| house.sandbox.tree().exists(PATH)).await;
    task
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("it never came to be");
}

/// How many requests of that method were made to the path.
fn requests(house: &House, method: &str) -> usize {
    house.sandbox.requests().iter().filter(|request| request.method == method && request.path.ends_with(PATH)).count()
}

fn upload(engine: &Engine, source: std::path::PathBuf) -> tokio::task::JoinHandle<Summary> {
    let engine = engine.clone();
    tokio::spawn(async move {
        let jobs = engine.upload_jobs(&[source], &remote("common-files"), false).await.expect("jobs");
        engine.execute(jobs).await
    })
}

fn assert_file(house: &House, size: u64) {
    assert!(house.sandbox.tree().read(PATH) == Some(content(size)), "what is there is no file of that content");
}

#[tokio::test]
async fn a_retry_that_comes_before_the_server_knows_of_the_break_ends_as_a_file() {
    let house = House::new();
    let (source, gate) = (house.write("file", content(3 * MEBIBYTE)), Gate::closed());
    house.sandbox.faults().add(Fault::on("PUT", PATH).cut_request_at(1_000_000).hold_cut(&gate));
    let run = upload(&house.engine, source);
    // The second one has been sent while the first is still known to the server.
    until(|| requests(&house, "PUT") == 2).await;
    gate.open();
    assert_whole(&run.await.expect("a run"));
    assert_file(&house, 3 * MEBIBYTE);
}

#[tokio::test]
async fn a_retry_waits_for_the_server_to_know_of_the_break() {
    let house = House::with(Options {
        retry: cells_client::http::retry::RetryPolicy { max_backoff: Duration::from_secs(20), ..options().retry },
        ..options()
    });
    let (source, gate) = (house.write("file", content(3 * MEBIBYTE)), Gate::closed());
    house.sandbox.faults().add(Fault::on("PUT", PATH).cut_request_at(1_000_000).hold_cut(&gate));
    let run = upload(&house.engine, source);
    let looks = || house.sandbox.requests().iter().filter(|request| request.path.contains("/a/tree/stat/")).count();
    until(|| requests(&house, "PUT") == 1 && house.sandbox.tree().exists(PATH)).await;
    let before = looks();
    until(|| looks() > before + 2).await;
    gate.open();
    assert_whole(&run.await.expect("a run"));
    assert_file(&house, 3 * MEBIBYTE);
    assert_eq!(requests(&house, "PUT"), 2, "nothing is sent in vain");
}

#[tokio::test]
async fn an_upload_behind_another_clients_that_breaks_off_ends_as_a_file() {
    for size in [1000, 25 * MEBIBYTE] {
        for policy in [IfExists::Fail, IfExists::Overwrite, IfExists::Skip] {
            let house = House::with(Options { if_exists: policy, ..options() });
            let source = house.write("file", content(size));
            let other = rival(&house).await;
            let last = if size > 20 * MEBIBYTE { "POST" } else { "PUT" };
            let run = upload(&house.engine, source);
            // The last request waits for the other client's.
            until(|| requests(&house, last) == 2).await;
            other.abort();
            assert_whole(&run.await.expect("a run"));
            assert_file(&house, size);
            assert!(house.sandbox.s3().pending_uploads().is_empty());
        }
    }
}

#[tokio::test]
async fn a_stream_behind_another_clients_upload_that_breaks_off_ends_as_a_file_or_is_told() {
    for (size, last) in [(1000, "PUT"), (25 * MEBIBYTE, "POST")] {
        // The other client must not give up by itself.
        let house = House::impatient(options(), Duration::from_secs(120));
        let other = rival(&house).await;
        let target = house.engine.stream_target(&remote(PATH), false).await.expect("a target");
        let reader = Box::new(std::io::Cursor::new(content(size)));
        let break_off = async {
            until(|| requests(&house, last) == 2).await;
            other.abort();
        };
        let (summary, ()) = tokio::join!(house.engine.clone().upload_stream(reader, target), break_off);
        if last == "PUT" {
            assert_whole(&summary);
            assert_file(&house, size);
        } else {
            // It cannot be read again.
            assert_eq!((summary.transferred, summary.failed), (0, 1), "{summary:#?}");
            assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::Integrity);
            assert!(!house.sandbox.tree().exists(PATH), "what was made of it is out of the way");
        }
    }
}

#[tokio::test]
async fn an_upload_that_another_one_overtook_after_the_look_ends_as_a_file() {
    let house = House::new();
    let (source, gate) = (house.write("tree/file", content(1000)), Gate::closed());
    house.sandbox.tree().mkdir("common-files/tree").expect("a folder");
    // The listing says that nothing is there; then another client begins.
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").skip(1).hold_answer(&gate));
    let engine = house.engine.clone();
    let folder = source.parent().expect("a folder").to_owned();
    let run = tokio::spawn(async move {
        let jobs = engine.upload_jobs(&[folder], &remote("common-files"), false).await.expect("jobs");
        engine.execute(jobs).await
    });
    until(|| house.sandbox.faults().hits() == 1).await;
    let path = "common-files/tree/file";
    let s3 = house.engine.s3.clone();
    let other = tokio::spawn(async move {
        let body = || reqwest::Body::wrap_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let _ = s3.put(&remote(path), 100, &body).await;
    });
    until(|| house.sandbox.tree().exists(path)).await;
    gate.open();
    let puts = || house.sandbox.requests().iter().filter(|request| request.method == "PUT").count();
    until(|| puts() == 2).await;
    other.abort();
    assert_whole(&run.await.expect("a run"));
    assert!(house.sandbox.tree().read(path) == Some(content(1000)));
}

#[tokio::test]
async fn what_a_late_clean_up_takes_away_is_sent_again() {
    let house = House::new();
    let (source, gate) = (house.write("file", content(1000)), Gate::closed());
    let other = rival(&house).await;
    house.sandbox.s3().clean_up_late(PATH, &gate);
    // It is answered, and its proof waits until the other one's node has been removed, and the file with it.
    let answer = Gate::closed();
    house.sandbox.faults().add(Fault::on("PUT", PATH).hold_answer(&answer));
    let run = upload(&house.engine, source);
    until(|| requests(&house, "PUT") == 2).await;
    other.abort();
    until(|| house.sandbox.tree().read(PATH).is_some()).await;
    gate.open();
    until(|| !house.sandbox.tree().exists(PATH)).await;
    answer.open();
    assert_whole(&run.await.expect("a run"));
    assert_file(&house, 1000);
}

#[tokio::test]
async fn what_was_made_a_folder_before_counts_for_nothing() {
    for name in ["file", "tree/file"] {
        let house = House::new();
        let path = format!("common-files/{name}");
        house.write(name, content(1000));
        house.sandbox.tree().misfile(&path, content(500)).expect("a misfiled upload");
        let source = name.split('/').next().expect("a name");
        assert_whole(&house.up(&[source], "common-files").await.expect("a run"));
        assert!(house.sandbox.tree().read(&path) == Some(content(1000)), "{name}");
    }
    let house = House::new();
    house.write("file", content(1000));
    house.sandbox.tree().misfile(PATH, content(500)).expect("a misfiled upload");
    assert_whole(&house.up(&["file"], PATH).await.expect("a run"));
    assert_file(&house, 1000);
}

#[tokio::test]
async fn what_cannot_be_made_a_file_is_told() {
    let house = House::new();
    let source = house.write("file", content(1000));
    let other = rival(&house).await;
    house.sandbox.faults().add(Fault::on("POST", "/a/tree/delete").status(403).always());
    let run = upload(&house.engine, source);
    until(|| requests(&house, "PUT") == 2).await;
    other.abort();
    let summary = run.await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (0, 1), "{summary:#?}");
}

#[tokio::test]
async fn where_the_proof_cannot_be_had_nothing_counts_as_done() {
    let house = House::new();
    house.write("file", content(1000));
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").skip(1).status(503).always());
    let summary = house.up(&["file"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (0, 1), "{summary:#?}");
    let error = &summary.failures[0].error;
    assert!(matches!(error, TransferError::Unproven { .. }), "{error}");
    assert_eq!(Kind::of_transfer(error), Kind::Unreachable);
}

#[tokio::test]
async fn the_proof_of_many_files_costs_few_calls() {
    let house = House::new();
    for number in 0..130 {
        house.write(&format!("tree/{number}"), "x");
    }
    assert_whole(&house.up(&["tree"], "common-files").await.expect("a run"));
    let calls = house.sandbox.requests().iter().filter(|request| request.path == "/a/meta/bulk/get").count();
    assert!((3..=12).contains(&calls), "{calls}");
}

#[tokio::test]
async fn two_uploads_in_parts_of_one_new_name_do_not_both_say_done() {
    let house = House::new();
    let (first, second) =
        (house.write("one/file", content(25 * MEBIBYTE)), house.write("two/file", content(26 * MEBIBYTE)));
    let gate = Gate::closed();
    house.sandbox.faults().add(Fault::on("PUT", PATH).query("partNumber=3").hold_request(&gate));
    let first = upload(&house.engine, first);
    until(|| house.sandbox.requests().iter().any(|request| request.query.contains("partNumber=3"))).await;
    let second = upload(&house.engine, second).await.expect("a run");
    assert_whole(&second);
    gate.open();
    let first = first.await.expect("a run");
    assert_eq!((first.transferred, first.failed), (0, 1), "{first:#?}");
    assert_eq!(Kind::of_transfer(&first.failures[0].error), Kind::Exists);
    assert_file(&house, 26 * MEBIBYTE);
}

#[tokio::test]
async fn an_overwrite_that_another_client_mixed_up_is_sent_again() {
    for policy in [IfExists::Overwrite, IfExists::Update] {
        for through_a_stream in [false, true] {
            let house = House::with(Options { if_exists: policy, ..options() });
            house.sandbox.tree().put(PATH, b"before").expect("a file");
            let tomorrow = std::time::SystemTime::now() + Duration::from_secs(86_400);
            let source = house.write("file", content(3000));
            std::fs::File::options()
                .append(true)
                .open(&source)
                .and_then(|file| file.set_modified(tomorrow))
                .expect("a time");
            let (entry, answer) = (Gate::closed(), Gate::closed());
            house.sandbox.s3().enter_late(PATH, &entry);
            let s3 = house.engine.s3.clone();
            let other = tokio::spawn(async move {
                let body = || reqwest::Body::from(vec![7_u8; 2000]);
                s3.put(&remote(PATH), 2000, &body).await.expect("an overwrite");
            });
            // The object is the other client's, its entry is still the old one.
            until(|| house.sandbox.tree().read(PATH).is_some_and(|content| content == vec![7; 2000])).await;
            house.sandbox.faults().add(Fault::on("PUT", PATH).hold_answer(&answer));
            let run: LocalBoxFuture<Summary> = if through_a_stream {
                let target = house.engine.stream_target(&remote(PATH), false).await.expect("a target");
                Box::pin(house.engine.clone().upload_stream(Box::new(std::io::Cursor::new(content(3000))), target))
            } else {
                let run = upload(&house.engine, source);
                Box::pin(async { run.await.expect("a run") })
            };
            let mix_up = async {
                until(|| house.sandbox.tree().read(PATH) == Some(content(3000))).await;
                // Now the entry is the other client's, and the object is this one's.
                entry.open();
                other.await.expect("the other client");
                answer.open();
            };
            let (summary, ()) = tokio::join!(run, mix_up);
            assert_whole(&summary);
            assert_file(&house, 3000);
            assert_eq!(house.engine.api.stat(&remote(PATH)).await.expect("a node").size, 3000);
        }
    }
}

#[tokio::test]
async fn an_overwrite_that_another_client_replaced_as_a_whole_is_left_alone() {
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put(PATH, b"before").expect("a file");
    let (source, answer) = (house.write("file", content(3000)), Gate::closed());
    house.sandbox.faults().add(Fault::on("PUT", PATH).hold_answer(&answer));
    let run = upload(&house.engine, source);
    until(|| house.sandbox.tree().read(PATH) == Some(content(3000))).await;
    house.sandbox.tree().put(PATH, b"another client's").expect("a file");
    answer.open();
    assert_whole(&run.await.expect("a run"));
    assert_eq!(house.sandbox.tree().read(PATH).as_deref(), Some(&b"another client's"[..]));
    assert_eq!(requests(&house, "PUT"), 1);
}
