//! Storages that are not as the usual one: what is stored is encrypted, or folders hold a file of the server's own.

use cells_client::hash::MEBIBYTE;
use cells_client::transfer::{IfExists, Options, TransferError};

use crate::support::{House, assert_whole, options, remote};
use crate::trees::content;

const SECRET: &str = "common-files/secret";

async fn house(options: Options) -> House {
    let house = House::with(options);
    assert!(house.sandbox.tree().encrypt("common-files"));
    house.sandbox.tree().mkdir(SECRET).expect("a folder");
    house
}

fn small_parts() -> Options {
    Options { multipart_threshold: 12 * MEBIBYTE, ..options() }
}

#[tokio::test]
async fn what_is_encrypted_goes_up_and_comes_back() {
    let house = house(small_parts()).await;
    for (name, size) in [("empty", 0), ("small", 1000), ("block", 11 << 20), ("parts", 25 << 20)] {
        house.write(&format!("up/{name}"), content(size));
    }
    let sent = house.up(&["up"], &format!("{SECRET}/")).await.expect("a run");
    assert_whole(&sent);
    let stored = house.sandbox.tree().etag(&format!("{SECRET}/up/small"));
    assert_ne!(stored, Some(cells_client::hash::hex(&cells_client::hash::md5(&content(1000)))), "it is not encrypted");
    let fetched = house.down(&[&format!("{SECRET}/up")], "down").await.expect("a run");
    assert_whole(&fetched);
    for name in ["empty", "small", "block", "parts"] {
        let read = |side: &str| std::fs::read(house.local(&format!("{side}/{name}"))).expect("a file");
        assert!(read("down") == read("up"), "{name}");
    }
}

#[tokio::test]
async fn what_is_the_same_is_not_sent_again() {
    let house = house(Options { if_exists: IfExists::Overwrite, ..options() }).await;
    house.write("up/file", "one");
    assert_whole(&house.up(&["up"], &format!("{SECRET}/")).await.expect("a run"));
    let again = house.up(&["up"], &format!("{SECRET}/")).await.expect("a run");
    assert_eq!((again.transferred, again.unchanged), (0, 1), "{again:#?}");
    house.write("up/file", "two");
    let changed = house.up(&["up"], &format!("{SECRET}/")).await.expect("a run");
    assert_eq!((changed.transferred, changed.failed), (1, 0), "{changed:#?}");
    let back = house.down(&[&format!("{SECRET}/up/file")], "file").await.expect("a run");
    assert_whole(&back);
    assert_eq!(std::fs::read(house.local("file")).expect("a file"), b"two");
}

#[tokio::test]
async fn a_content_that_differs_from_its_hash_is_found_out() {
    let house = house(options()).await;
    house.sandbox.tree().put(&format!("{SECRET}/file"), b"what was sent").expect("a file");
    house.sandbox.tree().set_hash(&format!("{SECRET}/file"), "00000000000000000000000000000000");
    let node = house.engine.api.find(&remote(&format!("{SECRET}/file"))).await.expect("an answer").expect("a node");
    assert!(node.is_encrypted());
    let policy = cells_client::http::retry::RetryPolicy { max_attempts: 1, ..house.engine.options.retry.clone() };
    let engine = cells_client::transfer::Engine {
        options: std::sync::Arc::new(Options { retry: policy, ..options() }),
        ..house.engine.clone()
    };
    let jobs = engine.download_jobs(vec![node], &house.local("file")).await.expect("a plan");
    let summary = engine.execute(jobs).await;
    let [failure] = summary.failures.as_slice() else { panic!("{summary:#?}") };
    assert!(matches!(failure.error, TransferError::Integrity { what: "x-cells-hash", .. }), "{failure:?}");
}

#[tokio::test]
async fn the_servers_own_file_in_a_folder_stays_there() {
    let house = House::new();
    for path in ["common-files/d/.pydio", "common-files/d/.hidden", "common-files/d/file"] {
        house.sandbox.tree().put(path, b"x").expect("a file");
    }
    assert_whole(&house.down(&["common-files/d"], "down").await.expect("a run"));
    let mut names: Vec<_> =
        std::fs::read_dir(house.local("down")).expect("a folder").map(|it| it.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, [".hidden", "file"]);
}
