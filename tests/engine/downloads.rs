//! Bad days of downloads: answers that are wrong, cut short or late, names that cannot be here, and local places that
//! change meanwhile.

use std::fmt::Display;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::transfer::error::Reach;
use cells_client::transfer::event::{ItemNumber, Notice};
use cells_client::transfer::{IfExists, Observer, Options, Summary, TransferError};
use cells_sandbox::Fault;

use crate::support::{House, assert_whole, options, remote};
use crate::trees::{content, tree};

/// Does something once, at a moment of a run, and keeps what the engine says.
#[derive(Default)]
pub(crate) struct Bystander {
    at_first_bytes: Mutex<Option<Action>>,
    at_first_retry: Mutex<Option<Action>>,
    notices: Mutex<Vec<String>>,
}

type Action = Box<dyn FnOnce() + Send>;

impl Bystander {
    pub(crate) fn at_first_bytes(action: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { at_first_bytes: Mutex::new(Some(Box::new(action))), ..Self::default() })
    }

    fn at_first_retry(action: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { at_first_retry: Mutex::new(Some(Box::new(action))), ..Self::default() })
    }

    fn notices(&self) -> Vec<String> {
        self.notices.lock().expect("a lock").clone()
    }
}

impl Observer for Bystander {
    fn bytes(&self, _item: ItemNumber, _count: u64) {
        if let Some(action) = self.at_first_bytes.lock().expect("a lock").take() {
            action();
        }
    }

    fn item_retried(&self, _item: ItemNumber, _name: &str, _attempt: u32, _error: &dyn Display, _pause: Duration) {
        if let Some(action) = self.at_first_retry.lock().expect("a lock").take() {
            action();
        }
    }

    fn notice(&self, _path: &str, notice: Notice) {
        self.notices.lock().expect("a lock").push(notice.to_string());
    }
}

/// The Range of each GET of a file, in order.
fn ranges(house: &House, path: &str) -> Vec<String> {
    let gets = house
        .sandbox
        .requests()
        .into_iter()
        .filter(|request| request.method == "GET" && request.path == format!("/io/{path}"));
    gets.map(|request| request.header("range").to_owned()).collect()
}

fn failures(summary: &Summary) -> Vec<String> {
    summary.failures.iter().map(|failure| failure.error.to_string()).collect()
}

/// A house with one file of that size on the server.
fn house_with(policy: IfExists, size: u64) -> House {
    let house = House::with(Options { if_exists: policy, ..options() });
    house.sandbox.tree().put("common-files/file", content(size)).expect("a file");
    house
}

#[tokio::test]
async fn every_odd_name_comes_down_under_its_own_name() {
    let house = House::new();
    let odd = " +#%?*'\"|<>:;&=[]{}~,$@!^`";
    let mut names: Vec<String> = odd.chars().map(|character| format!("a{character}b")).collect();
    names.extend(odd.trim().chars().map(|character| character.to_string()));
    let whole = [
        " leading",
        "trailing ",
        "tab\there",
        "new\nline",
        "\u{1}",
        "dot.",
        "...",
        "..x",
        ".hidden",
        "\u{1f600}",
        "\u{6f22}\u{5b57}",
        "\u{627}\u{644}",
        "CON",
        "caf\u{e9}",
        "%2F",
        "%41",
        "100%",
        "a+b c%20d",
        "cells:",
        "-f",
        "~",
    ];
    names.extend(whole.map(str::to_owned));
    names.push("n".repeat(255));
    names.sort();
    names.dedup();
    for name in &names {
        house.sandbox.tree().put(&format!("common-files/odd/{name}"), name).expect("a file");
        house.sandbox.tree().put(&format!("common-files/odd folders/{name}/inside"), name).expect("a file");
    }
    for folder in ["odd", "odd folders"] {
        assert_whole(&house.down(&[&format!("common-files/{folder}")], folder).await.expect("a download"));
    }
    let wanted = names.iter().map(|name| (name.clone(), name.clone().into_bytes())).collect();
    assert_eq!(tree(&house.local("odd")), wanted);
    for name in &names {
        let inside = fs::read(house.local("odd folders").join(name).join("inside")).expect(name);
        assert_eq!(inside, name.as_bytes());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_cannot_be_here_are_failed_items_and_the_rest_goes() {
    let house = House::new();
    // 255 characters for the server, 510 bytes here.
    let long = "\u{e9}".repeat(255);
    for name in [long.as_str(), "back\\slash", "fine"] {
        house.sandbox.tree().put(&format!("common-files/tree/{name}"), "x").expect("a file");
    }
    house.sandbox.tree().put(&format!("common-files/tree/{long}folder/x"), "x").expect_err("256 characters and more");
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (1, 2), "{summary:#?}");
    assert!(failures(&summary).iter().any(|error| error.contains("name too long")), "{summary:#?}");
    assert_eq!(tree(&house.local("tree")).keys().collect::<Vec<_>>(), ["fine"]);
}

#[tokio::test]
async fn nothing_that_a_server_says_leads_out_of_the_target_folder() {
    let house = House::new();
    house.sandbox.tree().put("common-files/tree/fine", "x").expect("a file");
    let node = |path: &str, kind: &str, number: u32| {
        format!("{{\"Uuid\":\"u{number}\",\"Path\":\"{path}\",\"Type\":\"{kind}\",\"Size\":\"1\",\"Etag\":\"e\"}}")
    };
    let bad = ["common-files/tree/.", "common-files/tree/a\\u0000b"];
    let mut nodes: Vec<String> = (1_u32..).zip(bad).map(|(number, path)| node(path, "LEAF", number)).collect();
    nodes.push(node("common-files/tree/..", "COLLECTION", 90));
    nodes.push(
        node("common-files/tree/fine", "LEAF", 91)
            .replace("\"Etag\":\"e\"", "\"Etag\":\"9dd4e461268c8034f5c8564e155c67a6\""),
    );
    let listing = format!("{{\"Nodes\":[{}]}}", nodes.join(","));
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk/get").body("application/json", &listing));
    let summary = house.down(&["common-files/tree"], "deep/down").await;
    assert!(matches!(summary, Err(TransferError::NoFolder { .. })), "the folder above is not made up");
    fs::create_dir_all(house.local("deep")).expect("a folder");
    let summary = house.down(&["common-files/tree"], "deep/down").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (1, 3), "{summary:#?}");
    assert!(
        summary.failures.iter().all(|failure| {
            let mut error = &failure.error;
            while let TransferError::Folder { source, .. } = error {
                error = source;
            }
            matches!(error, TransferError::LocalName { .. })
        }),
        "{summary:#?}"
    );
    // A listing that holds anything from elsewhere is none of this folder.
    for outside in [
        "common-files/tree/../../outside",
        "common-files/other",
        "personal-files/elsewhere",
        "../above",
        "common-files",
    ] {
        let listing = format!("{{\"Nodes\":[{},{}]}}", nodes[3], node(outside, "LEAF", 92));
        let fault = Fault::on("POST", "/a/meta/bulk/get").body("application/json", &listing);
        house.sandbox.faults().add(fault.always());
        let summary = house.down(&["common-files/tree"], "deep/again").await.expect("a run");
        assert_eq!((summary.transferred, summary.failed), (0, 1), "{outside}: {summary:#?}");
        let error = summary.failures[0].error.to_string();
        assert!(error.contains("the server answered about '"), "{error}");
        house.sandbox.faults().clear();
    }
    let made = tree(&house.local("deep/again"));
    assert!(made.keys().all(|path| path.ends_with('/')), "no file came: {made:?}");
    fs::remove_dir_all(house.local("deep/again")).expect("folders");
    assert_eq!(tree(house.folder.path()).keys().collect::<Vec<_>>(), ["deep/", "deep/down/", "deep/down/fine"]);
}

#[tokio::test]
async fn a_body_cut_short_goes_on_from_there() {
    let house = house_with(IfExists::Fail, 900_000);
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").cut_response_at(100_000).times(2));
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    assert!(fs::read(house.local("file")).expect("a file") == content(900_000));
    assert_eq!(ranges(&house, "common-files/file"), ["", "bytes=100000-899999", "bytes=200000-899999"]);
}

#[tokio::test]
async fn what_has_arrived_outlasts_a_refused_range() {
    for status in [429, 500, 502, 503, 504] {
        let house = house_with(IfExists::Fail, 900_000);
        let file = || Fault::on("GET", "/io/common-files/file");
        house.sandbox.faults().add(file().cut_response_at(100_000));
        house.sandbox.faults().add(file().status(status).header("Retry-After", "0").times(2));
        assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
        assert!(fs::read(house.local("file")).expect("a file") == content(900_000));
        let rest = "bytes=100000-899999";
        assert_eq!(ranges(&house, "common-files/file"), ["", rest, rest, rest], "{status}");
    }
}

#[tokio::test]
async fn an_answer_with_another_range_than_asked_for_is_not_taken() {
    for (range, third) in [
        ("bytes 7-799999/900000", ""),
        // That of another file: what has arrived is still good.
        ("bytes 100000-899999/900001", "bytes=100000-899999"),
        ("rubbish", ""),
    ] {
        let house = house_with(IfExists::Fail, 900_000);
        let file = || Fault::on("GET", "/io/common-files/file");
        house.sandbox.faults().add(file().cut_response_at(100_000));
        house.sandbox.faults().add(file().set_header("Content-Range", range));
        assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
        assert!(fs::read(house.local("file")).expect("a file") == content(900_000));
        assert_eq!(ranges(&house, "common-files/file"), ["", "bytes=100000-899999", third], "{range}");
    }
}

#[tokio::test]
async fn a_content_that_changes_between_two_ranges_is_never_mixed() {
    for new_size in [900_000, 50_000, 1_200_000] {
        let mut house = house_with(IfExists::Fail, 900_000);
        let new: Vec<u8> = content(new_size).iter().map(|byte| byte.wrapping_add(1)).collect();
        let (server, put) = (house.sandbox.tree(), new.clone());
        house.engine.observer =
            Bystander::at_first_retry(move || server.put("common-files/file", put).expect("a file"));
        house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").cut_response_at(100_000));
        assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
        assert!(fs::read(house.local("file")).expect("a file") == new, "{new_size}");
        assert_eq!(ranges(&house, "common-files/file"), ["", "bytes=100000-899999", ""], "{new_size}");
    }
}

#[tokio::test]
async fn a_length_that_is_too_small_is_noticed_by_the_sum() {
    let house = house_with(IfExists::Fail, 300_000);
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").set_header("Content-Length", "299999"));
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    assert!(fs::read(house.local("file")).expect("a file") == content(300_000));
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up_and_gone_on_with() {
    let house = House::impatient(options(), Duration::from_millis(400));
    house.sandbox.tree().put("common-files/file", content(900_000)).expect("a file");
    let stall = Fault::on("GET", "/io/common-files/file").stall_response_at(100_000, Duration::from_secs(60));
    house.sandbox.faults().add(stall);
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    assert!(fs::read(house.local("file")).expect("a file") == content(900_000));
    assert_eq!(ranges(&house, "common-files/file")[1], "bytes=100000-899999");
}

#[tokio::test]
async fn passing_answers_are_waited_out_and_lasting_ones_told() {
    let locked = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>cause({\"Id\":\"parent.locked\",\
                  \"Code\":423,\"Detail\":\"Node is currently locked\"})</Message></Error>";
    type Trouble = fn(Fault) -> Fault;
    let passing: [(&str, Trouble); 6] = [
        ("429", |fault| fault.status(429).header("Retry-After", "0")),
        ("500", |fault| fault.status(500)),
        ("502", |fault| fault.status(502)),
        ("503", |fault| fault.status(503)),
        ("504", |fault| fault.status(504)),
        ("closed", Fault::close_before),
    ];
    for (name, fault) in passing {
        let house = house_with(IfExists::Fail, 5000);
        house.sandbox.faults().add(fault(Fault::on("GET", "/io/common-files/file")).times(2));
        assert_whole(&house.down(&["common-files/file"], "file").await.expect(name));
    }
    let elsewhere = "http://127.0.0.1:9/sign-in";
    let lasting: [(&str, Fault, Reach); 6] = [
        ("403", Fault::on("GET", "/io/").status(403), Reach::Item),
        ("404", Fault::on("GET", "/io/").status(404), Reach::Item),
        ("locked", Fault::on("GET", "/io/").status(500).body("application/xml", locked), Reach::Item),
        ("a page", Fault::on("GET", "/io/").html(), Reach::Server),
        ("an empty 200", Fault::on("GET", "/io/").empty_ok(), Reach::Server),
        ("a redirect to another host", Fault::on("GET", "/io/").redirect(elsewhere), Reach::Server),
    ];
    for (name, fault, reach) in lasting {
        let one_try = cells_client::http::retry::RetryPolicy::never();
        let house = House::with(Options { retry: one_try, ..options() });
        house.sandbox.tree().put("common-files/file", "content").expect("a file");
        house.sandbox.faults().add(fault.always());
        let summary = house.down(&["common-files/file"], "file").await.expect(name);
        assert_eq!(summary.failed, 1, "{name}: {summary:#?}");
        assert_eq!(summary.failures[0].error.reach(), reach, "{name}: {summary:#?}");
        assert!(tree(house.folder.path()).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_token_that_dies_in_the_middle_ends_the_run_at_once() {
    let house = House::new();
    house.sandbox.tree().generate("common-files/many", 200, 100).expect("files");
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/many/").skip(20).expire_token());
    let summary = house.down(&["common-files/many"], "many").await.expect("a run");
    let stopped = summary.stopped.expect("stopped");
    assert_eq!(stopped.reach(), Reach::Everything, "{stopped}");
    assert!(house.sandbox.requests().len() < 80, "no request is wasted on the rest");
    let arrived = tree(&house.local("many"));
    assert_eq!(arrived.len() as u64, summary.transferred);
    assert!(arrived.values().all(|content| content.len() == 100));
}

#[tokio::test]
async fn a_server_that_has_gone_in_the_middle_ends_the_run_soon() {
    let house = House::new();
    house.sandbox.tree().generate("common-files/many", 200, 100).expect("files");
    house.sandbox.faults().add(Fault::on("*", "/").skip(30).close_before().always());
    let run = tokio::time::timeout(Duration::from_secs(60), house.down(&["common-files/many"], "many"));
    let summary = run.await.expect("in time").expect("a run");
    assert!(matches!(summary.stopped, Some(TransferError::GaveUp { reach: Reach::Server, .. })), "{summary:#?}");
    assert!(tree(&house.local("many")).values().all(|content| content.len() == 100));
}

#[tokio::test]
async fn a_listing_that_fails_is_a_failed_item_of_its_own() {
    let house = House::new();
    for folder in ["a", "b", "c"] {
        house.sandbox.tree().put(&format!("common-files/tree/{folder}/file"), folder).expect("a file");
    }
    // The root, then its folders: the third listing is that of one of them.
    let forbidden = "{\"Title\":\"this is not allowed\",\"Detail\":\"Forbidden: this is not allowed\"}";
    let fault = Fault::on("POST", "/a/meta/bulk").skip(2).status(404).body("application/json", forbidden);
    house.sandbox.faults().add(fault);
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a run");
    assert_eq!((summary.transferred, summary.failed), (2, 1), "{summary:#?}");
    assert!(summary.failures[0].source.starts_with("cells://common-files/tree/"), "{summary:#?}");
}

/// A size of parts that nobody can guess, so that the ETag tells nothing.
const ODD: u64 = 7 * MEBIBYTE + 1;

/// A file of two parts, the first one of that size.
async fn in_parts(house: &House, first: u64) -> Vec<u8> {
    let key = remote("common-files/odd-parts");
    let whole = content(13 * MEBIBYTE);
    let upload = house.engine.s3.create_multipart(&key, None).await.expect("an upload");
    let mut parts = Vec::new();
    let cut = usize::try_from(first).expect("small");
    for (number, part) in (1..).zip([&whole[..cut], &whole[cut..]]) {
        let bytes = bytes::Bytes::copy_from_slice(part);
        let body = || reqwest::Body::from(bytes.clone());
        let etag = house.engine.s3.put_part(&key, &upload, number, part.len() as u64, &body).await.expect("a part");
        parts.push((number, etag));
    }
    house.engine.s3.complete_multipart(&key, &upload, &parts).await.expect("the end");
    whole
}

fn cells_hash(content: &[u8]) -> String {
    let mut hasher =
        cells_client::hash::Hasher::new(cells_client::hash::Scheme::Parts(cells_client::hash::CELLS_BLOCK));
    hasher.update(content);
    hasher.cells_hash().expect("a hash")
}

#[tokio::test]
async fn where_the_etag_tells_nothing_the_servers_hash_decides() {
    let right = "right";
    let stale = "0123456789abcdef0123456789abcdef";
    for (first, hash, gets, notice) in [
        (ODD, Some(right), 1, None),
        (ODD, None, 1, Some("could not be verified")),
        // Parts of 7 MiB are no client's habit, but can be guessed.
        (7 * MEBIBYTE, Some(right), 1, None),
        (7 * MEBIBYTE, Some(stale), 1, Some("verified by its ETag")),
        (7 * MEBIBYTE, None, 1, None),
        (8 * MEBIBYTE, Some(stale), 1, None),
    ] {
        let mut house = House::new();
        let whole = in_parts(&house, first).await;
        let own = cells_hash(&whole);
        let shown = hash.map(|hash| if hash == right { own.as_str() } else { hash });
        assert!(house.sandbox.tree().set_hash("common-files/odd-parts", shown));
        let bystander = Arc::new(Bystander::default());
        house.engine.observer = bystander.clone();
        assert_whole(&house.down(&["common-files/odd-parts"], "file").await.expect("a run"));
        assert!(fs::read(house.local("file")).expect("a file") == whole, "{first} {hash:?}");
        assert_eq!(ranges(&house, "common-files/odd-parts").len(), gets, "{first} {hash:?}");
        let notices = bystander.notices();
        assert_eq!(notices.len(), usize::from(notice.is_some()), "{first} {hash:?}: {notices:?}");
        assert!(notice.is_none_or(|text| notices[0].contains(text)), "{notices:?}");
    }
}

#[tokio::test]
async fn a_content_that_no_sum_agrees_with_is_damaged_however_often_it_comes() {
    for (first, hash) in [(8 * MEBIBYTE, None), (ODD, Some("0123456789abcdef0123456789abcdef"))] {
        let house = House::new();
        let whole = in_parts(&house, first).await;
        let own = cells_hash(&whole);
        assert!(house.sandbox.tree().set_hash("common-files/odd-parts", Some(hash.unwrap_or(&own))));
        let flipped = Fault::on("GET", "/io/common-files/odd-parts").corrupt_response_at(9).always();
        house.sandbox.faults().add(flipped);
        let summary = house.down(&["common-files/odd-parts"], "file").await.expect("a run");
        assert_eq!(summary.failed, 1, "{summary:#?}");
        assert!(matches!(summary.failures[0].error, TransferError::Damaged { .. }), "{summary:#?}");
        assert!(tree(house.folder.path()).is_empty());
        assert_eq!(ranges(&house, "common-files/odd-parts").len(), 2, "twice the same is enough");
    }
}

#[tokio::test]
async fn a_hash_that_cannot_be_asked_for_costs_no_second_download() {
    let house = House::new();
    let whole = in_parts(&house, ODD).await;
    // When the file is listed its hash is not known yet, so it is asked for after the download.
    assert!(house.sandbox.tree().set_hash("common-files/odd-parts", None));
    let node = house.engine.api.find(&remote("common-files/odd-parts")).await.expect("asked").expect("a node");
    assert!(house.sandbox.tree().set_hash("common-files/odd-parts", cells_hash(&whole).as_str()));
    house.sandbox.faults().add(Fault::on("POST", "/a/meta/bulk").status(503).times(5));
    let jobs = house.engine.download_jobs(vec![node], &house.local("file")).await.expect("jobs");
    assert_whole(&house.engine.clone().execute(jobs).await);
    assert!(fs::read(house.local("file")).expect("a file") == whole);
    assert_eq!(ranges(&house, "common-files/odd-parts"), [""]);
}

#[tokio::test]
async fn a_damaged_copy_on_the_server_is_told_as_such_and_takes_nobodys_place() {
    // What the index says, and what the storage has: shorter or longer, small enough to be refused at once or not.
    for (said, has) in [(5000_u64, 100_u64), (900_000, 300_000), (5000, 9000)] {
        let house = house_with(IfExists::Overwrite, said);
        let new: Vec<u8> = content(has).iter().map(|byte| byte.wrapping_add(1)).collect();
        house.sandbox.s3().damage_next_overwrite("common-files/file");
        let bytes = bytes::Bytes::from(new);
        let body = || reqwest::Body::from(bytes.clone());
        house.engine.s3.put(&remote("common-files/file"), has, &body).await.expect_err("no answer");
        house.write("file", "what was here before");
        let summary = house.down(&["common-files/file"], "file").await.expect("a run");
        assert_eq!(summary.failed, 1, "{said} {has}: {summary:#?}");
        assert!(matches!(summary.failures[0].error, TransferError::Damaged { .. }), "{said} {has}: {summary:#?}");
        assert_eq!(fs::read(house.local("file")).expect("a file"), b"what was here before");
        assert_eq!(tree(house.folder.path()).len(), 1, "no temporary file is left");
        assert!(ranges(&house, "common-files/file").len() < 8, "it is not tried for ever");
    }
}

#[tokio::test]
async fn a_bad_connection_is_not_taken_for_a_damaged_copy() {
    let house = house_with(IfExists::Fail, 5000);
    house.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").close_before().times(3));
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    // Nor is a gateway that is away, whether or not it still describes what it has.
    for method in ["*", "GET"] {
        let house = house_with(IfExists::Fail, 5000);
        house.sandbox.faults().add(Fault::on(method, "/io/common-files/file").close_before().always());
        let summary = house.down(&["common-files/file"], "file").await.expect("a run");
        assert!(matches!(summary.failures[0].error, TransferError::Server(_)), "{summary:#?}");
    }
}

#[tokio::test]
async fn a_file_that_appears_meanwhile_is_decided_on_anew() {
    for (policy, appears, kept, beside, result) in [
        (IfExists::Fail, "other", "other", None, (0, 0, 0, 1)),
        (IfExists::Fail, "same", "same", None, (0, 1, 0, 0)),
        (IfExists::Skip, "other", "other", None, (0, 0, 1, 0)),
        (IfExists::Overwrite, "other", "same", None, (1, 0, 0, 0)),
        (IfExists::Rename, "other", "other", Some("same"), (1, 0, 0, 0)),
    ] {
        let mut house = House::with(Options { if_exists: policy, ..options() });
        house.sandbox.tree().put("common-files/file", "same").expect("a file");
        let local = house.local("file");
        house.engine.observer = Bystander::at_first_bytes(move || fs::write(local, appears).expect("a file"));
        let summary = house.down(&["common-files/file"], "file").await.expect("a run");
        let counts = (summary.transferred, summary.unchanged, summary.skipped, summary.failed);
        assert_eq!(counts, result, "{policy:?}: {summary:#?}");
        assert_eq!(fs::read_to_string(house.local("file")).expect("a file"), kept, "{policy:?}");
        assert_eq!(fs::read_to_string(house.local("file-1")).ok().as_deref(), beside, "{policy:?}");
        assert_eq!(ranges(&house, "common-files/file").len(), 1, "{policy:?}: it is fetched once");
        assert_eq!(tree(house.folder.path()).len(), 1 + usize::from(beside.is_some()), "{policy:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_removed_meanwhile_costs_its_files_alone() {
    let mut house = House::with(Options { transfers: Limiter::exactly(1), ..options() });
    house.sandbox.tree().put("common-files/tree/a/file", content(300_000)).expect("a file");
    house.sandbox.tree().put("common-files/tree/b/file", "x").expect("a file");
    let folder = house.local("tree/a");
    house.engine.observer = Bystander::at_first_bytes(move || fs::remove_dir_all(folder).expect("a folder"));
    let summary = house.down(&["common-files/tree"], "tree").await.expect("a run");
    assert_eq!(summary.transferred + summary.failed, 2, "{summary:#?}");
    assert_eq!(summary.failed, 1, "{summary:#?}");
    assert!(failures(&summary)[0].contains("No such file or directory"), "{summary:#?}");
    assert!(!failures(&summary)[0].contains(".part"), "the temporary file tells the user nothing: {summary:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_at_the_target_are_written_through_as_with_cp_but_never_to_nowhere() {
    use std::os::unix::fs::symlink;
    let house = house_with(IfExists::Overwrite, 5000);
    house.write("elsewhere/real", "old");
    symlink("elsewhere/real", house.local("link")).expect("a link");
    assert_whole(&house.down(&["common-files/file"], "link").await.expect("a run"));
    assert!(fs::symlink_metadata(house.local("link")).expect("a link").is_symlink());
    assert!(fs::read(house.local("elsewhere/real")).expect("a file") == content(5000));
    assert_eq!(tree(&house.local("elsewhere")).len(), 1);
    symlink("nowhere/at all", house.local("dangling")).expect("a link");
    assert_whole(&house.down(&["common-files/file"], "dangling").await.expect("a run"));
    assert!(fs::symlink_metadata(house.local("dangling")).expect("a file").is_file());
    let house = house_with(IfExists::Fail, 5000);
    symlink("nowhere", house.local("dangling")).expect("a link");
    let summary = house.down(&["common-files/file"], "dangling").await.expect("a run");
    assert!(matches!(summary.failures[0].error, TransferError::Exists(_)), "{summary:#?}");
    assert!(ranges(&house, "common-files/file").is_empty(), "nothing is fetched in vain");
    assert!(!house.local("nowhere").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_never_replaced_by_one() {
    let house = house_with(IfExists::Overwrite, 5000);
    let _socket = std::os::unix::net::UnixListener::bind(house.local("socket")).expect("a socket");
    let refused = house.down(&["common-files/file"], "socket").await.map(|_| ());
    assert!(matches!(refused, Err(TransferError::Clash { .. })), "{refused:?}");
    fs::create_dir_all(house.local("into/file")).expect("a folder");
    let refused = house.down(&["common-files/file"], "into").await.map(|_| ());
    assert!(matches!(refused, Err(TransferError::Clash { .. })), "{refused:?}");
    house.sandbox.tree().put("common-files/tree/sub/x", "x").expect("a file");
    house.write("tree/sub", "a file");
    let summary = house.down(&["common-files/tree"], ".").await.expect("a run");
    assert_eq!(fs::read(house.local("tree/sub")).expect("a file"), b"a file");
    assert!(summary.failed >= 1 && summary.transferred == 0, "{summary:#?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_mode_and_a_new_one_has_the_usual() {
    use std::os::unix::fs::PermissionsExt;
    let house = house_with(IfExists::Overwrite, 5000);
    let file = house.write("file", "old");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
    assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
    assert_whole(&house.down(&["common-files/file"], "new").await.expect("a run"));
    let usual = fs::metadata(house.write("usual", "x")).expect("a file").permissions().mode();
    assert_eq!(fs::metadata(house.local("new")).expect("a file").permissions().mode(), usual);
}

#[tokio::test]
async fn times_are_kept_for_what_is_unchanged_as_well() {
    let house = House::with(Options { preserve: true, ..options() });
    house.sandbox.tree().put("common-files/file", "content").expect("a file");
    house.sandbox.tree().set_mtime("common-files/file", 1_500_000_000);
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    for _ in 0..2 {
        let local = house.local("tree/file");
        house.write("tree/file", "content");
        let summary = house.down(&["common-files/file"], "tree/file").await;
        assert!(matches!(summary, Err(TransferError::Exists(_))), "named targets are refused before anything");
        let summary = house.down(&["common-files"], "tree").await.expect("a run");
        assert_whole(&summary);
        assert!(house.local("tree/common-files/file").exists());
        assert_ne!(fs::metadata(&local).and_then(|metadata| metadata.modified()).expect("a time"), then);
        let place = house.local("tree/common-files/file");
        assert_eq!(fs::metadata(&place).and_then(|metadata| metadata.modified()).expect("a time"), then);
        fs::File::open(&place).and_then(|file| file.set_modified(std::time::SystemTime::now())).expect("a time");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_changes_nothing() {
    for offset in [3600, -3600] {
        let house = house_with(IfExists::Fail, 5000);
        house.sandbox.set_clock_offset(offset);
        assert_whole(&house.down(&["common-files/file"], "file").await.expect("a run"));
        assert!(fs::read(house.local("file")).expect("a file") == content(5000));
    }
}

#[tokio::test]
async fn two_runs_at_once_on_the_same_target_both_end_well() {
    let house = House::with(Options { transfers: Limiter::exactly(8), ..options() });
    for number in 0..60_u64 {
        let path = format!("common-files/tree/{}/file-{number}", number % 5);
        house.sandbox.tree().put(&path, content(1000 + number)).expect("a file");
    }
    fs::create_dir(house.local("back")).expect("a folder");
    let (one, other) =
        tokio::join!(house.down(&["common-files/tree"], "back"), house.down(&["common-files/tree"], "back"));
    let (one, other) = (one.expect("a run"), other.expect("a run"));
    assert_whole(&one);
    assert_whole(&other);
    assert_eq!(one.transferred + one.unchanged + other.transferred + other.unchanged, 120);
    let files = tree(&house.local("back/tree"));
    assert_eq!(files.len(), 65, "no temporary file is left");
    for number in 0..60_u64 {
        assert!(files[&format!("{}/file-{number}", number % 5)] == content(1000 + number));
    }
}

#[tokio::test]
async fn a_file_never_becomes_the_local_folder_that_was_meant() {
    let house = house_with(IfExists::Fail, 10);
    let node = house.engine.api.find(&remote("common-files/file")).await.expect("asked").expect("a node");
    let jobs = house.engine.download_jobs(vec![node], &house.local("new/")).await.expect("jobs");
    assert!(!house.local("new").exists(), "nothing is made before all is checked");
    let summary = house.engine.clone().execute(jobs).await;
    assert_eq!(summary.transferred, 1, "{summary:#?}");
    assert!(house.local("new/file").is_file());
}
