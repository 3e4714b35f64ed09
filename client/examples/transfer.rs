//! Uploads a folder, lists it on the server, and downloads it again, every file verified.
//!
//! `cargo run -p cells-client --example transfer` does so on an embedded server. With a URL and a personal access token
//! as arguments, it uses that server and its workspace `common-files`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example")]

use std::fmt::Display;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use cells_client::Connection;
use cells_client::account::{Account, Credentials, ServerUrl};
use cells_client::http::HttpOptions;
use cells_client::path::RemotePath;
use cells_client::transfer::event::{ItemNumber, Record};
use cells_client::transfer::{Engine, IfExists, Observer, Options};
use cells_sandbox::{Config, Sandbox};
use futures_util::TryStreamExt as _;

/// Prints each file that is done. The other events of a run are ignored here.
struct Reporter;

impl Observer for Reporter {
    fn item_done(&self, _item: ItemNumber, record: &Record) {
        println!("{} -> {}: {:?}", record.source, record.target, record.outcome);
    }

    fn item_retried(&self, _item: ItemNumber, name: &str, attempt: u32, error: &dyn Display, pause: Duration) {
        println!("{name}: attempt {attempt} failed ({error}); trying again in {pause:?}");
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(url), Some(token)) => transfer(&url, &token).await,
        _ => on_the_sandbox().await,
    }
}

async fn on_the_sandbox() -> anyhow::Result<()> {
    let sandbox = Sandbox::start(Config::default())?;
    transfer(sandbox.url(), &sandbox.token("admin")).await
}

async fn transfer(url: &str, token: &str) -> anyhow::Result<()> {
    let account = Account {
        url: ServerUrl::parse(url)?,
        login: None,
        credentials: Credentials::Token(token.into()),
        stored_id: None,
    };
    let connection = Connection::open(&account, &HttpOptions::default())?;

    let local = tempfile::tempdir()?;
    let (source, copy) = (local.path().join("reports"), local.path().join("copy"));
    fs::create_dir(&source)?;
    fs::write(source.join("January.txt"), "up by 3 %")?;
    fs::write(source.join("February.txt"), "up by 4 %")?;

    let engine = Engine {
        options: Arc::new(Options { if_exists: IfExists::Overwrite, ..Options::default() }),
        observer: Arc::new(Reporter),
        ..Engine::new(connection.api.clone(), connection.s3.clone())
    };

    // The rules are those of cp(1): the folder arrives as common-files/reports.
    let jobs = engine.upload_jobs(&[source], &RemotePath::parse("common-files")?, false).await?;
    let summary = engine.clone().execute(jobs).await;
    ensure!(summary.failed == 0, "{} files failed", summary.failed);

    let folder = RemotePath::parse("common-files/reports")?;
    let nodes: Vec<_> = connection.api.children(&folder).try_collect().await?;
    for node in &nodes {
        println!("{} {} bytes", node.path, node.size);
    }

    let jobs = engine.download_jobs(vec![connection.api.stat(&folder).await?], &copy).await?;
    let summary = engine.execute(jobs).await;
    ensure!(summary.failed == 0, "{} files failed", summary.failed);
    ensure!(fs::read_to_string(copy.join("January.txt"))? == "up by 3 %", "another content came back");
    Ok(())
}

#[tokio::test]
async fn runs() {
    on_the_sandbox().await.expect("a round trip");
}
