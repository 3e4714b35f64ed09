//! Structured storage, whose index learns of a change some time after it was made.

use std::time::Duration;

use cells_client::hash::MEBIBYTE;
use cells_client::http::retry::RetryPolicy;
use cells_client::transfer::{IfExists, Options, Summary};
use cells_sandbox::Fault;

use crate::support::{House, assert_whole, options};
use crate::trees::content;

/// With as much patience as the program has.
fn patient() -> Options {
    let retry = RetryPolicy { max_backoff: Duration::from_secs(10), ..options().retry };
    Options { retry, multipart_threshold: 12 * MEBIBYTE, ..options() }
}

fn structured(options: Options) -> House {
    let house = House::with(options);
    assert!(house.sandbox.tree().structure("common-files"));
    house
}

/// How many requests there were.
fn count(house: &House, method: &str, path: &str) -> usize {
    let requests = house.sandbox.requests();
    requests.iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
}

async fn until(happened: impl Fn() -> bool) {
    let came = async {
        while !happened() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), came).await.expect("it never came");
}

#[tokio::test]
async fn nothing_is_sent_to_a_folder_before_the_index_knows_it() {
    let house = structured(patient());
    house.write("tree/folder/file", "one");
    house.sandbox.tree().hold_index(true);
    let looks = async {
        until(|| count(&house, "POST", "/a/tree/create") > 0).await;
        let before = count(&house, "POST", "/a/meta/bulk/get");
        until(|| count(&house, "POST", "/a/meta/bulk/get") >= before + 2).await;
        assert_eq!(count(&house, "PUT", "/io/"), 0);
        house.sandbox.tree().hold_index(false);
    };
    let (sent, ()) = tokio::join!(house.up(&["tree"], "common-files/"), looks);
    let sent = sent.expect("a run");
    assert_whole(&sent);
    assert_eq!(house.sandbox.tree().read("common-files/tree/folder/file"), Some(b"one".to_vec()));
}

#[tokio::test]
async fn a_file_is_proven_once_the_index_knows_it_and_sent_once() {
    let house = structured(patient());
    for number in 0..10 {
        house.write(&format!("up/{number}"), "content");
    }
    house.sandbox.tree().mkdir("common-files/up").expect("a folder");
    house.sandbox.tree().hold_index(true);
    let looks = async {
        until(|| count(&house, "PUT", "/io/") >= 10).await;
        let before = count(&house, "POST", "/a/meta/bulk/get");
        until(|| count(&house, "POST", "/a/meta/bulk/get") >= before + 3).await;
        house.sandbox.tree().hold_index(false);
    };
    let (sent, ()) = tokio::join!(house.up(&["up"], "common-files/"), looks);
    assert_whole(&sent.expect("a run"));
    assert_eq!(count(&house, "PUT", "/io/"), 10);
}

#[tokio::test]
async fn an_overwrite_that_the_index_does_not_know_yet_is_done_and_known_by_the_next_run() {
    let house = structured(Options { if_exists: IfExists::Overwrite, ..patient() });
    house.sandbox.tree().put("common-files/file", "the one before").expect("a file");
    house.write("file", "new");
    house.sandbox.tree().hold_index(true);
    let sent = house.up(&["file"], "common-files/").await.expect("a run");
    assert_eq!((sent.transferred, sent.failed), (1, 0), "{sent:#?}");
    house.sandbox.tree().hold_index(false);
    let again = house.up(&["file"], "common-files/").await.expect("a run");
    assert_eq!((again.transferred, again.unchanged), (0, 1), "{again:#?}");
}

async fn lost(house: &House, size: u64, fault: Fault) -> Summary {
    house.write("file", content(size));
    house.sandbox.faults().add(fault);
    let sent = house.up(&["file"], "common-files/").await.expect("a run");
    assert!(house.sandbox.tree().read("common-files/file") == Some(content(size)));
    sent
}

#[tokio::test]
async fn a_lost_answer_to_the_end_of_an_upload_in_parts_is_cleared_up_though_the_etag_is_another() {
    let house = structured(patient());
    let fault = Fault::on("POST", "/io/common-files/file").query("uploadId").close_after();
    assert_whole(&lost(&house, 25 << 20, fault).await);
    assert_eq!(count(&house, "PUT", "/io/"), 3, "a part was sent twice");
}

#[tokio::test]
async fn a_lost_answer_is_cleared_up_where_storage_is_encrypted() {
    let house = House::with(patient());
    assert!(house.sandbox.tree().encrypt("common-files"));
    assert_whole(&lost(&house, 1000, Fault::on("PUT", "/io/common-files/file").close_after()).await);
    assert_eq!(count(&house, "PUT", "/io/"), 1, "it was sent twice");
}
