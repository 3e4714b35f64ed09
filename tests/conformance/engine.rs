//! The transfer engine: trees both ways.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::http::retry::RetryPolicy;
use cells_client::transfer::{Engine, IfExists, Options, Summary, TransferError};

use crate::scenarios;
use crate::server::Server;
use crate::trees::{content, tree};

scenarios! {
    a_tree_goes_up_and_comes_back_the_same,
    a_second_run_sends_only_what_is_missing,
    a_large_file_goes_in_parts_and_comes_in_ranges,
    each_policy_does_what_it_says,
    a_file_in_the_way_of_a_folder_is_put_aside_under_force,
    targets_follow_cp,
    names_of_the_other_form_meet_the_same_node,
    folders_with_hidden_names_come_whole,
}

struct Desk<'a> {
    server: &'a Server,
    folder: tempfile::TempDir,
    engine: Engine,
}

fn options(if_exists: IfExists) -> Options {
    Options {
        if_exists,
        transfers: Limiter::exactly(4),
        part_size: 10 * MEBIBYTE,
        stream_part_size: 10 * MEBIBYTE,
        multipart_threshold: 20 * MEBIBYTE,
        retry: RetryPolicy {
            max_attempts: 4,
            max_backoff: Duration::from_millis(500),
            max_elapsed: Duration::from_secs(60),
        },
        ..Options::default()
    }
}

impl<'a> Desk<'a> {
    fn new(server: &'a Server, if_exists: IfExists) -> Self {
        let engine = Engine { options: Arc::new(options(if_exists)), ..Engine::new(server.api(), server.gateway()) };
        Self { server, folder: tempfile::tempdir().expect("a folder"), engine }
    }

    fn local(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.local(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file");
    }

    async fn up(&self, sources: &[&str], target: &str) -> Result<Summary, TransferError> {
        let sources: Vec<PathBuf> = sources.iter().map(|source| self.local(source)).collect();
        let target = if target.is_empty() {
            cells_client::path::RemotePath::parse(&self.server.folder).expect("a path")
        } else {
            self.server.remote(target)
        };
        let jobs = self.engine.upload_jobs(&sources, &target, false).await?;
        Ok(self.engine.clone().execute(jobs).await)
    }

    async fn down(&self, source: &str, target: &str) -> Result<Summary, TransferError> {
        let node = self.engine.api.find(&self.server.remote(source)).await?.expect("a node");
        let jobs = self.engine.download_jobs(vec![node], &self.local(target)).await?;
        Ok(self.engine.clone().execute(jobs).await)
    }
}

#[track_caller]
fn whole(summary: Result<Summary, TransferError>) -> Summary {
    let summary = summary.expect("a run");
    assert!(summary.failed == 0 && summary.stopped.is_none(), "{summary:#?}");
    summary
}

async fn a_tree_goes_up_and_comes_back_the_same(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    desk.write("tree/a.txt", "one");
    desk.write("tree/.hidden", "two");
    desk.write("tree/empty", "");
    desk.write("tree/sub/deeper/big", content(3 * MEBIBYTE + 17));
    desk.write("tree/sub/.dots/.x", "three");
    desk.write("tree/odd/sp ace+%?#&é;='\"<>|*.txt", "four");
    fs::create_dir_all(desk.local("tree/no files/at all")).expect("folders");
    assert_eq!(whole(desk.up(&["tree"], "").await).transferred, 6);
    fs::create_dir(desk.local("back")).expect("a folder");
    assert_eq!(whole(desk.down("tree", "back").await).transferred, 6);
    assert_eq!(tree(&desk.local("back/tree")), tree(&desk.local("tree")));
}

async fn a_second_run_sends_only_what_is_missing(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    for number in 0..12 {
        desk.write(&format!("tree/{}/file-{number}", number % 3), format!("content {number}"));
    }
    desk.write("tree/large", content(21 * MEBIBYTE));
    whole(desk.up(&["tree"], "").await);
    desk.write("tree/new/file", "new");
    let again = whole(desk.up(&["tree"], "").await);
    assert_eq!((again.transferred, again.unchanged), (1, 13));
    assert_eq!(whole(desk.down("tree", "back").await).transferred, 14);
    let again = whole(desk.down("tree", ".").await);
    assert_eq!((again.transferred, again.unchanged), (0, 14));
}

async fn a_large_file_goes_in_parts_and_comes_in_ranges(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    desk.write("large", content(45 * MEBIBYTE + 3));
    whole(desk.up(&["large"], "").await);
    let node = server.node(&server.path("large")).await;
    assert!(node["Etag"].as_str().is_some_and(|etag| etag.ends_with("-5")), "{node}");
    whole(desk.down("large", "back").await);
    assert!(fs::read(desk.local("back")).expect("a file") == fs::read(desk.local("large")).expect("a file"));
}

async fn each_policy_does_what_it_says(server: &Server) {
    for (policy, transferred, skipped, failed, kept) in [
        (IfExists::Fail, 1, 0, 1, "old"),
        (IfExists::Skip, 1, 2, 0, "old"),
        (IfExists::Overwrite, 2, 0, 0, "new"),
        (IfExists::Rename, 2, 0, 0, "old"),
    ] {
        let desk = Desk::new(server, policy);
        let name = format!("{policy:?}");
        server.write(&format!("{name}/tree/differs.txt"), "old").await;
        server.write(&format!("{name}/tree/same"), "same").await;
        desk.write("tree/differs.txt", "new");
        desk.write("tree/same", "same");
        desk.write("tree/fresh", "fresh");
        let summary = desk.up(&["tree"], &name).await.expect("a run");
        assert_eq!(
            (summary.transferred, summary.skipped, summary.failed),
            (transferred, skipped, failed),
            "{policy:?}: {summary:#?}"
        );
        assert_eq!(server.read(&format!("{name}/tree/differs.txt")).await, kept, "{policy:?}");
        let renamed = server.exists(&server.path(&format!("{name}/tree/differs-1.txt"))).await;
        assert_eq!(renamed, policy == IfExists::Rename);
    }
}

async fn a_file_in_the_way_of_a_folder_is_put_aside_under_force(server: &Server) {
    let name = format!("sub-{:016x}", rand::random::<u64>());
    server.write(&format!("tree/{name}"), "a file").await;
    let desk = Desk::new(server, IfExists::Overwrite);
    desk.write(&format!("tree/{name}/x"), "1");
    whole(desk.up(&["tree"], "").await);
    assert_eq!(server.read(&format!("tree/{name}/x")).await, "1");
    let aside = format!("{}/recycle_bin/{name}", server.workspace());
    assert!(server.exists(&aside).await);
    server.erase(&aside).await;
}

async fn targets_follow_cp(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    desk.write("a", "1");
    desk.write("b", "2");
    whole(desk.up(&["a"], "renamed").await);
    assert_eq!(server.read("renamed").await, "1");
    server.make(&server.path("into")).await;
    whole(desk.up(&["a", "b"], "into").await);
    assert_eq!(server.names(&server.path("into")).await, ["a", "b"]);
    let refused = |result: Result<Summary, TransferError>| result.map(|_| ()).expect_err("a refusal");
    assert!(matches!(refused(desk.up(&["a", "b"], "none").await), TransferError::NoFolder { .. }));
    assert!(matches!(refused(desk.up(&["a"], "none/x").await), TransferError::NoFolder { .. }));
    assert!(matches!(refused(desk.up(&["a"], "renamed/x").await), TransferError::Clash { .. }));
    assert!(matches!(refused(desk.up(&["a", "b"], "renamed").await), TransferError::NotAFolder(_)));
    assert_eq!(server.names(&server.folder).await, ["into", "renamed"]);
}

async fn names_of_the_other_form_meet_the_same_node(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    desk.write("tree/cafe\u{301}/na\u{ef}ve", "x");
    whole(desk.up(&["tree"], "").await);
    assert_eq!(server.names(&server.path("tree")).await, ["caf\u{e9}"]);
    let again = whole(desk.up(&["tree"], "").await);
    assert_eq!((again.transferred, again.unchanged), (0, 1));
}

async fn folders_with_hidden_names_come_whole(server: &Server) {
    let desk = Desk::new(server, IfExists::Fail);
    for number in 0..25 {
        let dot = if number % 3 == 0 { "." } else { "" };
        desk.write(&format!("many/{dot}file-{number:02}"), format!("{number}"));
    }
    whole(desk.up(&["many"], "").await);
    assert_eq!(whole(desk.down("many", "back").await).transferred, 25);
    assert_eq!(tree(&desk.local("back")), tree(&desk.local("many")));
}
