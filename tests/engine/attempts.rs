//! What an upload tries again, how often, and what it costs.

use std::time::Duration;

use cec::error::Kind;
use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::http::retry::RetryPolicy;
use cells_client::transfer::{Options, TransferError};
use cells_sandbox::{Config, Fault};

use crate::support::{House, assert_whole, options};
use crate::trees::content;

const LARGE: u64 = 25 * MEBIBYTE;
const PATH: &str = "common-files/large";

fn sent(house: &House, method: &str, query: &str) -> usize {
    let requests = house.sandbox.requests();
    requests.iter().filter(|request| request.method == method && request.query.contains(query)).count()
}

#[tokio::test]
async fn a_failed_end_of_an_upload_in_parts_is_asked_for_again_and_nothing_is_sent_twice() {
    for trouble in [
        |fault: Fault| fault.status(503),
        |fault: Fault| fault.status(502),
        |fault: Fault| fault.status(499),
        |fault: Fault| fault.close_before(),
        |fault: Fault| fault.close_after(),
        |fault: Fault| fault.status(429),
    ] {
        let house = House::new();
        house.write("large", content(LARGE));
        house.sandbox.faults().add(trouble(Fault::on("POST", PATH).query("uploadId").times(2)));
        assert_whole(&house.up(&["large"], "common-files").await.expect("a run"));
        assert!(house.sandbox.tree().read(PATH) == Some(content(LARGE)));
        assert_eq!(sent(&house, "PUT", "partNumber"), 3, "each part once");
        assert!(house.sandbox.s3().pending_uploads().is_empty());
    }
}

#[tokio::test]
async fn the_end_of_an_upload_that_a_proxy_does_not_wait_for_is_told_and_nothing_is_sent_twice() {
    let house = House::new();
    house.write("large", content(LARGE));
    house.sandbox.faults().add(Fault::on("POST", PATH).query("uploadId").status(504).always());
    let summary = house.up(&["large"], "common-files").await.expect("a run");
    let error = &summary.failures[0].error;
    assert!(matches!(error, TransferError::NotAssembled { .. }), "{error}");
    assert_eq!(Kind::of_transfer(error), Kind::Unreachable);
    assert_eq!(sent(&house, "PUT", "partNumber"), 3, "each part once");
    assert_eq!(sent(&house, "POST", "uploadId"), 4, "as often as a request is tried");
    assert!(house.sandbox.s3().pending_uploads().is_empty());
}

#[tokio::test]
async fn the_attempts_at_a_part_are_not_multiplied() {
    let house = House::with(Options { retry: RetryPolicy { max_attempts: 2, ..options().retry }, ..options() });
    house.write("large", content(LARGE));
    house.sandbox.faults().add(Fault::on("PUT", PATH).query("partNumber=1").status(503).always());
    let summary = house.up(&["large"], "common-files").await.expect("a run");
    assert_eq!(summary.failed, 1, "{summary:#?}");
    assert_eq!(sent(&house, "PUT", "partNumber=1"), 2);
    assert_eq!(sent(&house, "POST", "uploads"), 1);
}

#[tokio::test]
async fn the_begin_of_an_upload_in_parts_is_tried_again() {
    for trouble in
        [|fault: Fault| fault.status(503), |fault: Fault| fault.close_after(), |fault: Fault| fault.close_before()]
    {
        let house = House::new();
        house.write("large", content(LARGE));
        house.sandbox.faults().add(trouble(Fault::on("POST", PATH).query("uploads").times(2)));
        assert_whole(&house.up(&["large"], "common-files").await.expect("a run"));
        assert!(house.sandbox.tree().read(PATH) == Some(content(LARGE)));
        assert_eq!(sent(&house, "POST", "uploads"), 3);
    }
}

#[tokio::test]
async fn an_upload_that_takes_longer_than_the_time_for_retries_is_tried_again_all_the_same() {
    for (size, cut) in [(20 * MEBIBYTE, 18_000_000), (LARGE, 10_000_000)] {
        let retry = RetryPolicy { max_elapsed: Duration::from_secs(2), ..options().retry };
        let house = House::with(Options { retry, ..options() });
        house.write("large", content(size));
        // The first attempt moves for longer than that, and then breaks off.
        house.sandbox.faults().add(Fault::on("PUT", PATH).slow_request(5_000_000).cut_request_at(cut));
        assert_whole(&house.up(&["large"], "common-files").await.expect("a run"));
        assert!(house.sandbox.tree().read(PATH) == Some(content(size)));
    }
}

#[tokio::test]
async fn cancelling_while_an_upload_in_parts_is_being_begun_leaves_nothing() {
    let house = House::new();
    let (source, gate) = (house.write("large", content(LARGE)), cells_sandbox::Gate::closed());
    house.sandbox.faults().add(Fault::on("POST", PATH).query("uploads").hold_answer(&gate));
    let engine = house.engine.clone();
    let run = tokio::spawn(async move {
        let target = crate::support::remote("common-files");
        let jobs = engine.upload_jobs(&[source], &target, false).await.expect("jobs");
        engine.execute(jobs).await
    });
    while house.sandbox.s3().pending_uploads().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    house.engine.cancel.cancel();
    gate.open();
    let summary = run.await.expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::Cancelled)), "{summary:#?}");
    assert!(house.sandbox.s3().pending_uploads().is_empty());
    assert!(!house.sandbox.tree().exists(PATH));
}

#[tokio::test]
async fn a_refusal_of_a_moment_is_waited_out() {
    let not_readable = "{\"Title\":\"path is not readable\",\"Detail\":\"Forbidden: path is not readable\"}";
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
    let house = House::new();
    house.write("file", content(1000));
    let moment = Fault::on("GET", "/a/tree/stat/common-files").status(403).times(2);
    house.sandbox.faults().add(moment.body("application/json", not_readable));
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/file").cut_request_at(100));
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/file").status(403).body("application/xml", denied));
    assert_whole(&house.up(&["file"], "common-files").await.expect("a run"));
    assert!(house.sandbox.tree().read("common-files/file") == Some(content(1000)));
}

#[tokio::test]
async fn a_refusal_of_a_server_that_fails_is_not_taken_for_a_missing_permission() {
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
    let house = House::new();
    house.write("file", content(1000));
    let refused = || Fault::on("PUT", "/io/common-files/file").status(403).body("application/xml", denied);
    let fails = || Fault::on("GET", "/a/tree/stat/common-files").skip(1).status(503);
    house.sandbox.faults().add(refused().times(3));
    house.sandbox.faults().add(fails().times(3));
    assert_whole(&house.up(&["file"], "common-files").await.expect("a run"));
    assert!(house.sandbox.tree().read("common-files/file") == Some(content(1000)));
    // If it stays so, the server is at fault.
    house.write("other", content(1000));
    let refused = Fault::on("PUT", "/io/common-files/other").status(403).body("application/xml", denied);
    house.sandbox.faults().add(refused.always());
    house.sandbox.faults().add(fails().always());
    let summary = house.up(&["other"], "common-files").await.expect("a run");
    assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::Unreachable);
}

#[tokio::test]
async fn who_has_locked_a_file_is_told() {
    let house = House::of(
        Config::default(),
        "alice",
        Options { if_exists: cells_client::transfer::IfExists::Overwrite, ..options() },
    );
    house.sandbox.tree().put("common-files/file", "old").expect("a file");
    house.sandbox.s3().lock_content("common-files/file", "admin");
    assert!(house.sandbox.tree().set_meta("common-files/file", "content_lock", "admin"));
    house.write("file", content(1000));
    let summary = house.up(&["file"], "common-files").await.expect("a run");
    let error = &summary.failures[0].error;
    assert_eq!(Kind::of_transfer(error), Kind::Permission);
    assert!(error.to_string().contains("is locked by admin"), "{error}");
}

#[tokio::test]
async fn the_top_of_a_workspace_of_several_folders_takes_nothing() {
    let house = House::new();
    assert!(house.sandbox.tree().set_meta("common-files", "level_readonly", "true"));
    house.write("file", content(1000));
    for target in ["common-files", "common-files/", "common-files/new"] {
        let refused = house.up(&["file"], target).await.expect_err("a refusal");
        assert!(matches!(refused, TransferError::ReadOnlyTop(_)), "{target}: {refused}");
        assert_eq!(Kind::of_transfer(&refused), Kind::Permission);
    }
    house.sandbox.tree().mkdir("common-files/one").expect("a folder");
    assert_whole(&house.up(&["file"], "common-files/one").await.expect("a run"));
}

/// Keeps the notices of a run.
#[derive(Default)]
struct Notices(std::sync::Mutex<Vec<String>>);

impl cells_client::transfer::Observer for Notices {
    fn notice(&self, _path: &str, notice: cells_client::transfer::event::Notice) {
        self.0.lock().expect("a lock").push(notice.to_string());
    }
}

#[tokio::test]
async fn a_folder_that_is_moved_away_during_the_upload_is_told() {
    let mut house = House::with(Options { transfers: Limiter::exactly(1), ..options() });
    for number in 0..9 {
        house.write(&format!("tree/{number}"), content(1000));
    }
    let (notices, gate) = (std::sync::Arc::new(Notices::default()), cells_sandbox::Gate::closed());
    house.engine.observer = notices.clone();
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").skip(3).hold_request(&gate));
    let (engine, source) = (house.engine.clone(), house.local("tree"));
    let run = tokio::spawn(async move {
        let target = crate::support::remote("common-files");
        let jobs = engine.upload_jobs(&[source], &target, false).await.expect("jobs");
        engine.execute(jobs).await
    });
    while house.sandbox.faults().hits() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(house.sandbox.tree().remove("common-files/tree"));
    gate.open();
    assert_whole(&run.await.expect("a run"));
    assert_eq!(notices.0.lock().expect("a lock").len(), 1, "told once");
    assert_eq!(house.sandbox.tree().list("common-files/tree").len(), 9, "what went with it is sent again");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_no_mixture() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cells_client::transfer::event::{ItemNumber, Observer};

    /// Puts another file of the same size and time in its place, once.
    struct Swap(std::path::PathBuf, std::path::PathBuf, AtomicBool);

    impl Observer for Swap {
        fn bytes(&self, _item: ItemNumber, _count: u64) {
            if !self.2.swap(true, Ordering::SeqCst) {
                std::fs::rename(&self.1, &self.0).expect("a file");
            }
        }
    }

    let mut house = House::with(Options { parts_in_flight: 1, ..options() });
    let (first, second) = (house.write("large", content(LARGE)), house.write("other", vec![7_u8; LARGE as usize]));
    let time = std::fs::metadata(&first).expect("a file").modified().expect("a time");
    std::fs::File::options().write(true).open(&second).expect("a file").set_modified(time).expect("a time");
    house.engine.observer = Arc::new(Swap(first, second, AtomicBool::new(false)));
    assert_whole(&house.up(&["large"], "common-files").await.expect("a run"));
    assert!(house.sandbox.tree().read(PATH) == Some(vec![7_u8; LARGE as usize]), "one of the two, whole");
}
