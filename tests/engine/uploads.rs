//! Bad days of uploads: whatever happens, what is on the server is whole, or the failure is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cec::error::Kind;
use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::transfer::event::{ItemNumber, Observer};
use cells_client::transfer::{IfExists, Options, Summary, TransferError};
use cells_sandbox::{Config, Fault};
use unicode_normalization::UnicodeNormalization;

use crate::support::{House, assert_whole, options};
use crate::trees::{content, tree};

/// All names that were tried on a real server and that a Linux folder can hold.
fn odd_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "sp ace",
        " leading",
        "trailing ",
        "+plus",
        "#hash",
        "%percent",
        "%2F",
        "?question",
        "star*",
        "*",
        "'",
        "\"",
        "|",
        "<",
        ">",
        "colon:",
        ";",
        "&amp;",
        "=",
        "[",
        "]",
        "{a,b}",
        "~",
        ",",
        "$",
        "@",
        "!",
        "^",
        "`",
        "tab\there",
        "new\nline",
        "\u{1}control",
        "\u{7f}",
        "dot.",
        "...",
        "..x",
        ".foo",
        ".DS_Store",
        "\u{1f600}",
        "漢字",
        "\u{5d0}\u{5d1}",
        "CON",
        "con",
        "cafe",
        "caf\u{e9}",
        "strasse",
        "stra\u{df}e",
        "pad.txt",
        "pad.txt ",
        "a%20b",
        "-dash",
        "100%",
        "_",
        "x.zip",
        "recycle_bin",
        "temporary",
        "Case",
        "case",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("n".repeat(255));
    names.push("\u{e9}".repeat(127));
    names
}

#[tokio::test]
async fn every_odd_name_goes_up_and_comes_back() {
    let house = House::new();
    for name in odd_names() {
        house.write(&format!("tree/{name}"), format!("content of {name}"));
        if !name.ends_with(".zip") {
            house.write(&format!("tree/folders/{name}/inside"), name);
        }
    }
    let summary = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    for name in odd_names() {
        let expected = format!("content of {name}").into_bytes();
        assert_eq!(house.sandbox.tree().read(&format!("common-files/tree/{name}")), Some(expected), "{name:?}");
    }
    assert_whole(&house.down(&["common-files/tree"], "back").await.expect("a download"));
    assert_eq!(tree(&house.local("back")), tree(&house.local("tree")));
    let again = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_eq!((again.transferred, again.failed), (0, 0), "{again:#?}");
}

#[tokio::test]
async fn names_of_255_characters_are_taken_and_longer_ones_refused() {
    let house = House::new();
    house.write("file", "x");
    let longest = "\u{e9}".repeat(255);
    assert_whole(&house.up(&["file"], &format!("common-files/{longest}")).await.expect("an upload"));
    assert!(house.sandbox.tree().exists(&format!("common-files/{longest}")));
    // Decomposed it has more characters, but what counts is what the server keeps.
    let decomposed: String = longest.nfd().collect();
    let refused = house.up(&["file"], &format!("common-files/{decomposed}")).await.expect_err("it exists");
    assert!(matches!(refused, TransferError::Exists(_)), "{refused}");
    for name in [format!("{longest}x"), "back\\slash".to_owned(), ".pydio".to_owned()] {
        let refused = house.up(&["file"], &format!("common-files/{name}")).await.expect_err("a bad name");
        assert!(matches!(refused, TransferError::Name(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_folder_that_the_server_would_take_for_an_archive_is_refused() {
    let house = House::new();
    for name in ["tree/x.zip/inside", "tree/y.tar.gz/inside", "tree/z.tar/inside", "tree/X.ZIP/inside", "tree/a.zip"] {
        house.write(name, "x");
    }
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (2, 3), "{summary:#?}");
    assert!(summary.failures.iter().all(|failure| failure.error.to_string().contains("like that of an archive")));
    house.sandbox.tree().mkdir("common-files/there.zip").expect("a folder");
    for (source, target) in [
        ("tree/a.zip", "common-files/there.zip"),
        ("tree/a.zip", "common-files/there.zip/name"),
        ("tree/x.zip", "common-files"),
        ("tree/X.ZIP", "common-files/new.tar"),
    ] {
        let refused = house.up(&[source], target).await.expect_err("a refusal");
        assert!(matches!(refused, TransferError::Name(_)), "{target}: {refused}");
    }
}

#[tokio::test]
async fn decomposed_names_are_sent_composed_and_found_again() {
    let house = House::new();
    house.write("tree/e\u{301}te\u{301}/o\u{308}.txt", "x");
    assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
    assert!(house.sandbox.tree().exists("common-files/tree/\u{e9}t\u{e9}/\u{f6}.txt"));
    let again = house.up(&["tree"], "common-files").await.expect("an upload");
    assert_eq!((again.transferred, again.unchanged), (0, 1));
}

/// Does something to a file each time that so many bytes more of it have been read.
struct Meddler {
    seen: AtomicUsize,
    times: usize,
    meddle: Box<dyn Fn(usize) + Send + Sync>,
}

impl Observer for Meddler {
    fn bytes(&self, _item: ItemNumber, _count: u64) {
        let seen = self.seen.fetch_add(1, Ordering::SeqCst);
        if seen < self.times {
            (self.meddle)(seen);
        }
    }
}

async fn meddled(size: u64, times: usize, meddle: impl Fn(PathBuf, usize) + Send + Sync + 'static) -> (House, Summary) {
    let mut house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.write("tree/file", content(size));
    house.write("tree/other", "other");
    house.sandbox.tree().put("common-files/tree/file", "before").expect("a file");
    let path = house.local("tree/file");
    let meddle: Box<dyn Fn(usize) + Send + Sync> = Box::new(move |count| meddle(path.clone(), count));
    house.engine.observer = Arc::new(Meddler { seen: AtomicUsize::new(0), times, meddle });
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!(house.sandbox.tree().read("common-files/tree/other").as_deref(), Some(b"other".as_slice()));
    assert!(house.sandbox.s3().pending_uploads().is_empty());
    (house, summary)
}

/// Adds a byte, or takes half away.
fn change(path: &Path, grow: bool) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
    let length = file.metadata().expect("a length").len();
    file.set_len(if grow { length + 1 } else { length / 2 }).expect("a new length");
}

#[tokio::test]
async fn a_file_that_changes_once_while_it_is_read_arrives_as_it_is_then() {
    for size in [3 * MEBIBYTE, 25 * MEBIBYTE] {
        for grow in [true, false] {
            let (house, summary) = meddled(size, 1, move |path, _| change(&path, grow)).await;
            assert_whole(&summary);
            let now = fs::read(house.local("tree/file")).expect("a file");
            assert!(house.sandbox.tree().read("common-files/tree/file") == Some(now), "{size} {grow}");
        }
    }
}

#[tokio::test]
async fn a_file_that_never_rests_is_a_failed_item_and_what_was_there_stays() {
    for size in [3 * MEBIBYTE, 25 * MEBIBYTE] {
        let (house, summary) = meddled(size, usize::MAX, |path, _| change(&path, true)).await;
        assert_eq!((summary.transferred, summary.failed), (1, 1), "{summary:#?}");
        let error = &summary.failures[0].error;
        assert!(matches!(error, TransferError::KeepsChanging(_)), "{error}");
        assert_eq!(Kind::of_transfer(error), Kind::Failure);
        assert_eq!(house.sandbox.tree().read("common-files/tree/file").as_deref(), Some(b"before".as_slice()));
    }
}

#[tokio::test]
async fn a_file_that_disappears_while_it_is_read_is_a_failed_item() {
    let (house, summary) = meddled(25 * MEBIBYTE, 1, |path, _| fs::remove_file(path).expect("a file")).await;
    assert_eq!((summary.transferred, summary.failed), (1, 1), "{summary:#?}");
    assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::NotFound, "{summary:#?}");
    assert_eq!(house.sandbox.tree().read("common-files/tree/file").as_deref(), Some(b"before".as_slice()));
}

/// The gateway's error document with that cause.
fn caused(id: &str, code: u16, detail: &str) -> String {
    let cause = serde_json::json!({"Id": id, "Code": code, "Detail": detail, "Status": ""});
    format!(
        "<Error><Code>InternalError</Code><Message>We encountered an internal error: cause({cause})</Message></Error>"
    )
}

#[tokio::test]
async fn each_cause_of_a_500_has_its_consequence() {
    let index = "pydio.grpc.data.index.personal";
    for (id, code, detail, kind, attempts) in [
        ("node.type.conflict", 409, "A folder already exists with the same name", Some(Kind::Exists), 1),
        (index, 404, "Could not retrieve node /x", Some(Kind::NotFound), 1),
        (index, 403, "path is not writeable", Some(Kind::Permission), 1),
        (index, 422, "over", Some(Kind::Permission), 1),
        (index, 409, "Node path already in use", None, 3),
        (index, 500, "something broke", None, 3),
    ] {
        let house = House::new();
        house.write("file", "x");
        let fault = Fault::on("PUT", "/io/common-files/file").status(500).times(2);
        house.sandbox.faults().add(fault.body("application/xml", &caused(id, code, detail)));
        let summary = house.up(&["file"], "common-files").await.expect("a run");
        let found = summary.failures.first().map(|failure| Kind::of_transfer(&failure.error));
        assert_eq!(found, kind, "{code} {detail}: {summary:#?}");
        let puts = house.sandbox.requests().iter().filter(|request| request.method == "PUT").count();
        assert_eq!(puts, attempts, "{code} {detail}");
    }
}

#[tokio::test]
async fn a_part_whose_upload_is_gone_begins_a_new_one() {
    let node_gone = caused("x", 404, "Could not retrieve node /x");
    let not_found =
        "<Error><Code>InternalError</Code><Message>cause(cannot find initial multipart node)</Message></Error>";
    let no_upload = "<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>";
    for (status, body) in [(500, node_gone.as_str()), (500, not_found), (404, no_upload)] {
        let house = House::new();
        house.write("large", content(31 * MEBIBYTE));
        let fault = Fault::on("PUT", "/io/common-files/large").query("partNumber=3");
        house.sandbox.faults().add(fault.status(status).body("application/xml", body));
        assert_whole(&house.up(&["large"], "common-files").await.expect("an upload"));
        assert!(house.sandbox.tree().read("common-files/large") == Some(content(31 * MEBIBYTE)), "{body}");
        assert!(house.sandbox.s3().pending_uploads().is_empty());
    }
}

#[tokio::test]
async fn an_overwrite_that_goes_wrong_inside_the_server_is_sent_until_it_is_right() {
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    for (name, size) in [("small", 300_000), ("large", 31 * MEBIBYTE)] {
        let path = format!("common-files/{name}");
        house.sandbox.tree().put(&path, content(50)).expect("a file");
        house.write(name, content(size));
        house.sandbox.s3().damage_next_overwrite(&path);
        assert_whole(&house.up(&[name], "common-files").await.expect("an upload"));
        assert!(house.sandbox.tree().read(&path) == Some(content(size)), "{name}");
        let stat = house.engine.api.stat(&crate::support::remote(&path)).await.expect("a node");
        assert_eq!(stat.size, size, "the index knows the new content");
        assert_whole(&house.down(&[path.as_str()], &format!("back-{name}")).await.expect("a download"));
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_end_of_an_overwrite_in_parts_is_cleared_up() {
    for carried_out in [true, false] {
        let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
        house.sandbox.tree().put("common-files/large", "old").expect("a file");
        house.write("large", content(31 * MEBIBYTE));
        let end = Fault::on("POST", "/io/common-files/large").query("uploadId");
        house.sandbox.faults().add(if carried_out { end.close_after() } else { end.close_before() });
        assert_whole(&house.up(&["large"], "common-files").await.expect("an upload"));
        assert!(house.sandbox.tree().read("common-files/large") == Some(content(31 * MEBIBYTE)));
        assert!(house.sandbox.s3().pending_uploads().is_empty());
    }
}

#[tokio::test]
async fn an_overwrite_that_stays_in_doubt_is_told_as_such() {
    let house = House::with(Options { if_exists: IfExists::Overwrite, ..options() });
    house.write("tree/there", content(1000));
    house.write("tree/fresh", content(1000));
    house.sandbox.tree().put("common-files/tree/there", "old").expect("a file");
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").status(503).always());
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!(summary.failed, 2, "{summary:#?}");
    for failure in &summary.failures {
        let in_doubt = matches!(failure.error, TransferError::InDoubt { .. });
        assert_eq!(in_doubt, failure.source.ends_with("there"), "{failure:#?}");
        assert_eq!(Kind::of_transfer(&failure.error), Kind::Unreachable);
    }
}

#[tokio::test]
async fn an_overwrite_in_doubt_is_told_even_where_the_run_is_stopped() {
    let house = House::with(Options { if_exists: IfExists::Overwrite, transfers: Limiter::exactly(2), ..options() });
    for number in 0..40 {
        house.write(&format!("tree/{number}"), "x");
    }
    house.write("tree/there", content(1000));
    house.sandbox.tree().put("common-files/tree/there", "old").expect("a file");
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/there").status(503).always());
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").close_before().always());
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::GaveUp { .. })), "{summary:#?}");
    let reported = summary.failures.iter().any(|failure| matches!(failure.error, TransferError::InDoubt { .. }));
    let tried = house.sandbox.requests().iter().any(|request| request.path.ends_with("tree/there"));
    assert_eq!(reported, tried, "{summary:#?}");
}

#[tokio::test]
async fn answers_that_are_not_the_gateways_are_never_a_success() {
    type Trouble = fn(Fault, &str) -> Fault;
    let troubles: [(&str, Trouble); 4] = [
        ("a page", |fault, _| fault.html()),
        ("an empty 200", |fault, _| fault.empty_ok()),
        ("no ETag", |fault, _| fault.drop_header("Etag")),
        ("a redirect", |fault, other| fault.redirect(other)),
    ];
    for (name, trouble) in troubles {
        let (house, other) = (House::new(), House::new());
        house.write("file", "x");
        house.write("large", content(25 * MEBIBYTE));
        house.sandbox.faults().add(trouble(Fault::on("PUT", "/io/"), other.sandbox.url()).always());
        let summary = house.up(&["file", "large"], "common-files").await.expect("a run");
        // Without an ETag a PUT is carried out all the same, which a look at the node proves; a part has no node.
        let proven = u64::from(name == "no ETag");
        assert_eq!((summary.transferred, summary.failed), (proven, 2 - proven), "{name}: {summary:#?}");
        for failure in &summary.failures {
            assert_eq!(Kind::of_transfer(&failure.error), Kind::Unreachable, "{name}: {failure:#?}");
        }
        assert!(other.sandbox.requests().is_empty(), "{name}: nothing, and no token, goes elsewhere");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_the_gateways_is_asked_for_again_once_the_server_has_answered() {
    type Request = fn() -> Fault;
    type Trouble = fn(Fault) -> Fault;
    let troubles: [(&str, Trouble); 3] =
        [("a page", Fault::html), ("an empty 200", Fault::empty_ok), ("no ETag", |fault| fault.drop_header("Etag"))];
    let requests: [(&str, Request); 4] = [
        ("PUT", || Fault::on("PUT", "/io/common-files/small")),
        ("begin", || Fault::on("POST", "/io/").query("uploads")),
        ("part", || Fault::on("PUT", "/io/common-files/large").query("partNumber=2")),
        ("end", || Fault::on("POST", "/io/").query("uploadId")),
    ];
    for (name, trouble) in troubles {
        for (request, fault) in &requests {
            let house = House::new();
            house.write("small", "x");
            house.write("large", content(25 * MEBIBYTE));
            house.sandbox.faults().add(trouble(fault()));
            assert_whole(&house.up(&["small", "large"], "common-files").await.expect("a run"));
            assert!(house.sandbox.faults().hits() > 0, "{name}, {request}: nothing went wrong");
            assert_eq!(
                house.sandbox.tree().read("common-files/small").as_deref(),
                Some(&b"x"[..]),
                "{name}, {request}"
            );
            assert!(
                house.sandbox.tree().read("common-files/large") == Some(content(25 * MEBIBYTE)),
                "{name}, {request}"
            );
            assert!(house.sandbox.s3().pending_uploads().is_empty(), "{name}, {request}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_is_no_trouble() {
    for offset in [3600, -3600] {
        let house = House::new();
        house.sandbox.set_clock_offset(offset);
        house.write("tree/small", "x");
        house.write("tree/large", content(25 * MEBIBYTE));
        assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
        assert!(house.sandbox.tree().read("common-files/tree/large") == Some(content(25 * MEBIBYTE)));
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let too_early = "<Error><Code>TokenTimeMismatch</Code><Message>late</Message></Error>";
    let quota = "<Error><Code>QuotaExceeded</Code><Message>over</Message></Error>";
    for (status, body, kind) in [
        (413, "", Kind::Failure),
        (422, quota, Kind::Permission),
        (403, "", Kind::Permission),
        (400, "", Kind::Failure),
        (501, "", Kind::Failure),
        (504, too_early, Kind::Permission),
    ] {
        let house = House::new();
        house.write("tree/file", "x");
        house.write("tree/other", "y");
        let fault = Fault::on("PUT", "/io/common-files/tree/file").status(status).always();
        house.sandbox.faults().add(fault.body("application/xml", body));
        let summary = house.up(&["tree"], "common-files").await.expect("a run");
        assert_eq!((summary.transferred, summary.failed), (1, 1), "{status}: {summary:#?}");
        assert_eq!(Kind::of_transfer(&summary.failures[0].error), kind, "{status}: {summary:#?}");
        let puts = house.sandbox.requests().iter().filter(|request| request.path.ends_with("tree/file")).count();
        assert!(puts <= 2, "{status}: {puts}");
    }
}

#[tokio::test]
async fn a_quota_of_the_server_fails_what_does_not_fit_and_the_rest_goes() {
    let house = House::new();
    house.write("tree/small", "x");
    house.write("tree/large", content(100_000));
    house.sandbox.s3().set_quota("common-files", Some(1000));
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (1, 1), "{summary:#?}");
    assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::Permission);
}

#[tokio::test]
async fn a_lock_that_ends_is_waited_for_and_one_that_stays_is_told() {
    let house = House::new();
    house.write("file", "x");
    house.sandbox.lock("common-files", Duration::from_secs(2)).expect("a lock");
    assert_whole(&house.up(&["file"], "common-files").await.expect("an upload"));
    let house = House::with(Options { retry: cells_client::http::retry::RetryPolicy::never(), ..options() });
    house.write("file", "x");
    house.sandbox.lock("common-files", Duration::from_secs(60)).expect("a lock");
    let summary = house.up(&["file"], "common-files").await.expect("a run");
    assert_eq!(summary.failed, 1);
    assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::Unreachable, "{summary:#?}");
    assert!(summary.failures[0].error.to_string().contains("has locked the folder"), "{summary:#?}");
}

#[tokio::test]
async fn a_reader_that_holds_the_old_content_only_delays_its_replacement() {
    let config = Config { lock_timeout: Duration::from_millis(200), ..Config::default() };
    let house = House::of(config, "admin", Options { if_exists: IfExists::Overwrite, ..options() });
    house.sandbox.tree().put("common-files/file", content(4 * MEBIBYTE)).expect("a file");
    house.write("file", content(200_000));
    // A reader that takes its time: every PUT meanwhile is answered 503, and carried out all the same.
    let slow = Fault::on("GET", "/io/common-files/file").stall_response_at(1_000_000, Duration::from_millis(900));
    house.sandbox.faults().add(slow);
    let path = crate::support::remote("common-files/file");
    let reader = house.engine.s3.clone();
    let reading = tokio::spawn(async move {
        let download = reader.get(&path, None).await.expect("a download");
        futures_util::TryStreamExt::try_fold(download.body, 0, async |sum, chunk| Ok(sum + chunk.len())).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_whole(&house.up(&["file"], "common-files").await.expect("an upload"));
    reading.await.expect("a reader").expect("the old content");
    let sent = fs::read(house.local("file")).expect("a file");
    assert_whole(&house.down(&["common-files/file"], "back").await.expect("a download"));
    assert!(fs::read(house.local("back")).expect("a file") == sent);
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up_and_asked_again() {
    for size in [1000, 25 * MEBIBYTE] {
        let house = House::impatient(options(), Duration::from_millis(400));
        house.write("file", content(size));
        house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/file").hang());
        assert_whole(&house.up(&["file"], "common-files").await.expect("an upload"));
        assert!(house.sandbox.tree().read("common-files/file") == Some(content(size)), "{size}");
    }
}

#[tokio::test]
async fn folders_whose_making_takes_too_long_are_made_in_smaller_calls() {
    let house = House::new();
    for number in 0..120 {
        fs::create_dir_all(house.local(&format!("tree/{number}"))).expect("folders");
    }
    house.write("tree/7/file", "x");
    house.sandbox.faults().add(Fault::on("POST", "/a/tree/create").skip(1).status(504).times(4));
    assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
    assert_eq!(house.sandbox.tree().list("common-files/tree").len(), 120);
    assert!(house.sandbox.tree().exists("common-files/tree/7/file"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_fails_what_it_holds_and_the_rest_goes() {
    let house = House::new();
    house.write("tree/a/x", "1");
    house.write("tree/b/y", "2");
    house.write("tree/z", "3");
    house.sandbox.tree().mkdir("common-files/tree").expect("a folder");
    house.sandbox.tree().put("common-files/tree/b", "in the way").expect("a file");
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (2, 1), "{summary:#?}");
    assert_eq!(Kind::of_transfer(&summary.failures[0].error), Kind::Exists, "{summary:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn an_empty_folder_that_cannot_be_made_is_a_failed_item_too() {
    let house = House::new();
    house.sandbox.tree().put("common-files/tree/clash", "a file").expect("a file");
    for folder in ["tree/clash", "tree/back\\slash", "tree/refused"] {
        fs::create_dir_all(house.local(folder)).expect("a folder");
    }
    let refused = "{\"Title\":\"x\",\"Detail\":\"Forbidden: path is not writeable\"}";
    let fault = Fault::on("POST", "/a/tree/create").status(500).body("application/json", refused);
    house.sandbox.faults().add(fault.always());
    let summary = house.up(&["tree"], "common-files").await.expect("a run");
    let mut kinds: Vec<_> = summary.failures.iter().map(|failure| Kind::of_transfer(&failure.error).code()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [1, 5, 8], "{summary:#?}");
}

#[tokio::test]
async fn a_run_ends_only_when_its_empty_folders_are_made() {
    let house = House::new();
    for number in 0..230 {
        fs::create_dir_all(house.local(&format!("tree/{number}"))).expect("folders");
    }
    let slow = Fault::on("POST", "/a/tree/create").delay(Duration::from_millis(50)).always();
    house.sandbox.faults().add(slow);
    assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
    assert_eq!(house.sandbox.tree().list("common-files/tree").len(), 230);
}

#[tokio::test]
async fn two_runs_at_once_on_one_target_leave_one_whole_content() {
    let (house, other) = (House::new(), tempfile::tempdir().expect("a folder"));
    for number in 0..30 {
        house.write(&format!("tree/{number}"), content(100_000 + number));
        fs::create_dir_all(other.path().join("tree")).expect("a folder");
        fs::write(other.path().join(format!("tree/{number}")), content(200_000 + number)).expect("a file");
    }
    let rival = house.engine.clone();
    let source = other.path().join("tree");
    let second = async {
        let jobs = rival.upload_jobs(&[source], &crate::support::remote("common-files"), false).await.expect("jobs");
        rival.clone().execute(jobs).await
    };
    let (first, second) = tokio::join!(house.up(&["tree"], "common-files"), second);
    let first = first.expect("a run");
    for number in 0..30 {
        let found = house.sandbox.tree().read(&format!("common-files/tree/{number}")).expect("a file");
        assert!(found == content(100_000 + number) || found == content(200_000 + number), "{number} is a mixture");
    }
    for failure in first.failures.iter().chain(&second.failures) {
        assert_eq!(Kind::of_transfer(&failure.error), Kind::Exists, "{failure:#?}");
    }
    assert!(first.transferred + second.transferred >= 30, "{first:#?} {second:#?}");
}

#[tokio::test]
async fn a_file_that_gives_way_takes_no_name_that_another_one_has() {
    let house = House::with(Options { if_exists: IfExists::Rename, ..options() });
    for name in ["a.txt", "tree/b.txt"] {
        house.sandbox.tree().put(&format!("common-files/{name}"), "old").expect("a file");
    }
    for name in ["a.txt", "a-1.txt", "tree/b.txt", "tree/b-1.txt", "tree/b-2.txt"] {
        house.write(name, name);
    }
    let summary = house.up(&["a.txt", "a-1.txt", "tree"], "common-files").await.expect("an upload");
    assert_whole(&summary);
    for (target, content) in [
        ("a.txt", "old"),
        ("a-1.txt", "a-1.txt"),
        ("a-2.txt", "a.txt"),
        ("tree/b.txt", "old"),
        ("tree/b-1.txt", "tree/b-1.txt"),
        ("tree/b-2.txt", "tree/b-2.txt"),
        ("tree/b-3.txt", "tree/b.txt"),
    ] {
        let found = house.sandbox.tree().read(&format!("common-files/{target}"));
        assert_eq!(found.as_deref(), Some(content.as_bytes()), "{target}");
    }
}

#[tokio::test]
async fn two_sources_of_one_name_are_refused_before_anything_moves() {
    let house = House::new();
    for folder in ["one/x", "two/x"] {
        house.write(&format!("{folder}/file"), folder);
    }
    let refused = house.up(&["one/x", "two/x"], "common-files").await.expect_err("a refusal");
    assert!(matches!(refused, TransferError::SameTarget { .. }), "{refused}");
    assert!(house.sandbox.tree().list("common-files").is_empty());
}

#[tokio::test]
async fn a_file_that_fails_for_a_passing_reason_has_another_chance_at_the_end() {
    let house = House::with(Options { transfers: Limiter::exactly(1), ..options() });
    for name in ["a", "b", "c"] {
        house.write(&format!("tree/{name}"), name);
    }
    // More failures than a file has attempts, so that only the last pass can mend it.
    house.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/a").status(503).times(5));
    assert_whole(&house.up(&["tree"], "common-files").await.expect("an upload"));
    assert_eq!(house.sandbox.tree().list("common-files/tree"), ["a", "b", "c"]);
}

#[tokio::test]
async fn large_files_that_take_all_slots_do_not_wait_for_each_other() {
    let house = House::with(Options { transfers: Limiter::adaptive(2), ..options() });
    for name in ["tree/a", "tree/b"] {
        house.write(name, vec![7; 21 * MEBIBYTE as usize]);
    }
    let upload = tokio::time::timeout(Duration::from_secs(60), house.up(&["tree"], "common-files"));
    assert_whole(&upload.await.expect("an end").expect("jobs"));
}
