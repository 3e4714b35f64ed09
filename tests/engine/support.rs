//! An engine on a sandbox of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cells_client::account::ServerUrl;
use cells_client::hash::MEBIBYTE;
use cells_client::http::limiter::Limiter;
use cells_client::http::retry::RetryPolicy;
use cells_client::http::{Http, HttpOptions};
use cells_client::path::RemotePath;
use cells_client::transfer::{Engine, IfExists, Options, Summary, TransferError};
use cells_sandbox::{Config, Sandbox};

use crate::clients::{sender, token};
use crate::trees;

/// A sandbox, a local folder, and an engine between them.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) engine: Engine,
}

/// The options of the tests: quick retries, small parts.
pub(crate) fn options() -> Options {
    Options {
        if_exists: IfExists::Fail,
        transfers: Limiter::exactly(4),
        part_size: 10 * MEBIBYTE,
        stream_part_size: 10 * MEBIBYTE,
        multipart_threshold: 20 * MEBIBYTE,
        retry: RetryPolicy {
            max_attempts: 4,
            max_backoff: Duration::from_millis(20),
            max_elapsed: Duration::from_secs(20),
        },
        ..Options::default()
    }
}

impl House {
    /// With the usual options, for the administrator.
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::of_user("admin", options)
    }

    pub(crate) fn of_user(login: &str, options: Options) -> Self {
        Self::of(Config::default(), login, options)
    }

    /// On a sandbox of that kind.
    pub(crate) fn of(config: Config, login: &str, options: Options) -> Self {
        Self::build(config, login, options, Duration::from_secs(5))
    }

    /// That gives up a connection which has been silent for that long.
    pub(crate) fn impatient(options: Options, idle_timeout: Duration) -> Self {
        Self::build(Config::default(), "admin", options, idle_timeout)
    }

    fn build(config: Config, login: &str, options: Options, idle_timeout: Duration) -> Self {
        let sandbox = Sandbox::start(config).expect("a sandbox");
        let folder = tempfile::tempdir().expect("a folder");
        let http = Http::new(&HttpOptions { idle_timeout, ..HttpOptions::default() }).expect("an HTTP core");
        let url = ServerUrl::parse(sandbox.url()).expect("a URL");
        let sender = sender(http, &url, token(&sandbox.token(login)));
        let api = cells_client::api::Client::new(sender.clone()).with_retry(options.retry.clone());
        let s3 = cells_client::s3::Client::new(sender);
        let engine = Engine { options: Arc::new(options), ..Engine::new(api, s3) };
        Self { sandbox, folder, engine }
    }

    /// A path in the local folder.
    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a local file, folders included.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.local(path);
        trees::write(&path, content);
        path
    }

    /// Uploads as `cec scp` does.
    pub(crate) async fn up(&self, sources: &[&str], target: &str) -> Result<Summary, TransferError> {
        let sources: Vec<PathBuf> = sources.iter().map(|source| self.local(source)).collect();
        let jobs = self.engine.upload_jobs(&sources, &remote(target), target.ends_with('/')).await?;
        Ok(self.engine.clone().execute(jobs).await)
    }

    /// Downloads as `cec scp` does, without globs.
    pub(crate) async fn down(&self, sources: &[&str], target: &str) -> Result<Summary, TransferError> {
        let mut nodes = Vec::new();
        for source in sources {
            nodes.push(self.engine.api.find(&remote(source)).await?.expect("a node"));
        }
        let jobs = self.engine.download_jobs(nodes, &self.local(target)).await?;
        Ok(self.engine.clone().execute(jobs).await)
    }
}

pub(crate) fn remote(path: &str) -> RemotePath {
    RemotePath::parse(path).expect("a path")
}

/// Asserts that nothing failed.
pub(crate) fn assert_whole(summary: &Summary) {
    assert!(summary.failed == 0 && summary.stopped.is_none(), "{summary:#?}");
}
