//! Starting and stopping a sandbox, and everything a test can ask of it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::content::Store;
use crate::directory::{Acl, Directory, UserRecord};
use crate::faults::Faults;
use crate::hostile::{Hostility, Malice};
use crate::jobs::Jobs;
use crate::links::Links;
use crate::oauth::Authorizations;
use crate::request_log::{RequestLog, RequestRecord};
use crate::sessions::Sessions;
use crate::steps::Steps;
use crate::tokens::{Caller, Scope, TokenKind, Tokens};
use crate::tree::node::NodeId;
use crate::tree::{Access, Nodes, Tree, find};
use crate::updates::{Release, Updates};
use crate::user_meta::Namespaces;
use crate::world::{self, LoginGuard};
use crate::{random, s3, server, tls};

/// How long the tokens of [`Sandbox::token`] live.
const LONG_LIVED: Duration = Duration::from_hours(24 * 365);

/// How long stopping waits for work that is under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a sandbox is like. The default is a faithful one on a free loopback port.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether S3 signatures are checked in full. Newer servers do; the one that was measured
    /// looks at the access key alone. True by default.
    pub strict_signatures: bool,
    /// Whether to serve TLS, with a certificate of a private authority.
    pub tls: bool,
    /// How long after its effect a job is reported as finished. Three seconds by default, as on
    /// the real server.
    pub job_status_delay: Duration,
    /// How long after the answer the effect of a job shows. 200 milliseconds by default.
    pub job_effect_delay: Duration,
    /// How long after a write the content hash and the content type show. 300 milliseconds by
    /// default.
    pub hash_delay: Duration,
    /// How long after a write the search finds the new name. Two seconds by default; the real
    /// server takes two to eight, and longer when it is busy.
    pub index_delay: Duration,
    /// How long an S3 request waits for the readers or the writer of the same file before it is
    /// answered 503. One minute by default, as on the real server.
    pub lock_timeout: Duration,
    /// Where to listen; a free port of 127.0.0.1 by default.
    pub bind: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strict_signatures: true,
            tls: false,
            job_status_delay: Duration::from_secs(3),
            job_effect_delay: Duration::from_millis(200),
            hash_delay: Duration::from_millis(300),
            index_delay: Duration::from_secs(2),
            lock_timeout: Duration::from_mins(1),
            bind: None,
        }
    }
}

/// What all parts of one running server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    /// Scheme, host and port; no slash at the end.
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    pub(crate) logins: LoginGuard,
    pub(crate) sessions: Sessions,
    pub(crate) authorizations: Authorizations,
    pub(crate) nodes: Nodes,
    pub(crate) index_delay: Duration,
    pub(crate) jobs: Jobs,
    pub(crate) links: Arc<Links>,
    pub(crate) directory: Directory,
    pub(crate) namespaces: Namespaces,
    pub(crate) updates: Updates,
    pub(crate) s3: Arc<s3::State>,
    pub(crate) faults: Faults,
    pub(crate) hostility: Hostility,
    pub(crate) steps: Steps,
    pub(crate) requests: RequestLog,
    pub(crate) connections: AtomicUsize,
}

/// A running server. It stops, and its files go, when this is dropped. That panics if no request has met a fault, see
/// [`Fault`](crate::Fault), unless there is a panic already.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    ca_pem: Option<String>,
    long_lived: Mutex<HashMap<String, String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a server on threads of its own. It accepts connections when this returns.
    ///
    /// # Errors
    /// The address is taken, or the temporary folder cannot be made.
    // By value, so that `..Config::default()` reads well at the call.
    #[allow(clippy::needless_pass_by_value)]
    pub fn start(config: Config) -> anyhow::Result<Self> {
        let wanted = config.bind.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = TcpListener::bind(wanted).with_context(|| format!("cannot listen on {wanted}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (scheme, acceptor, ca_pem) = if config.tls {
            let tls = tls::make(address.ip())?;
            ("https", Some(tls.acceptor), Some(tls.ca_pem))
        } else {
            ("http", None, None)
        };
        let clock = Clock::default();
        let store = Store::new().context("cannot make a temporary folder")?;
        let url = format!("{scheme}://{}", reachable(address));
        let links = Arc::<Links>::default();
        let shared = Arc::new(Shared {
            address,
            tokens: Tokens::new(clock.clone()),
            logins: LoginGuard::default(),
            sessions: Sessions::new(clock.clone(), &url),
            authorizations: Authorizations::new(clock.clone(), &url),
            nodes: Nodes::new(clock.clone(), config.hash_delay, store, Arc::clone(&links)),
            index_delay: config.index_delay,
            jobs: Jobs::new(clock.clone(), config.job_effect_delay, config.job_status_delay),
            links,
            directory: Directory::default(),
            namespaces: Namespaces::default(),
            updates: Updates::default(),
            s3: s3::State::new(config.strict_signatures, config.lock_timeout),
            faults: Faults::default(),
            hostility: Hostility::default(),
            steps: Steps::default(),
            requests: RequestLog::default(),
            connections: AtomicUsize::new(0),
            clock,
            url,
        });
        let (stop, thread) = spawn(listener, acceptor, Arc::clone(&shared))?;
        Ok(Self { shared, ca_pem, long_lived: Mutex::default(), stop: Some(stop), thread: Some(thread) })
    }

    /// Where the server is, for example `http://127.0.0.1:41234`; no slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The certificate to trust, in PEM, when the server speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Returns a personal access token of this user, the same one each time, valid for a year.
    pub fn token(&self, login: &str) -> String {
        let issue = || self.issue_token(login, TokenKind::Hard(LONG_LIVED));
        self.long_lived
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(login.to_owned())
            .or_insert_with(issue)
            .clone()
    }

    /// The password of `admin`, `alice` or `bob`; empty for anyone else.
    pub fn password(&self, login: &str) -> &str {
        world::user(login).map_or("", |user| user.password)
    }

    /// A new token of that kind. That of an unknown user is not valid.
    pub fn issue_token(&self, login: &str, kind: TokenKind) -> String {
        if world::user(login).is_none() {
            return random::token();
        }
        let mut caller = Caller::full(login);
        match kind {
            TokenKind::Hard(lifetime) => self.shared.tokens.issue_hard(caller, lifetime),
            TokenKind::Sliding(window) => self.shared.tokens.issue_sliding(caller, window),
            TokenKind::Scoped { path, write } => {
                let id = self.find(&caller, &path);
                let node_uuid = self.shared.nodes.read(|forest| {
                    let node = id.and_then(|id| forest.get(id));
                    node.map_or_else(String::new, |node| node.uuid.to_string())
                });
                caller.scope = Some(Scope { node_uuid, write });
                self.shared.tokens.issue_hard(caller, LONG_LIVED)
            }
        }
    }

    /// Creates a standard user with a role and a permission on the common files. Only lists show the user.
    pub fn add_user(&self, login: &str) {
        let uuid = random::uuid();
        self.shared.directory.with(|state| {
            state.add_user(UserRecord {
                uuid: uuid.clone(),
                login: login.to_owned(),
                group_path: "/".to_owned(),
                attributes: [("profile".to_owned(), "standard".to_owned())].into(),
                ..UserRecord::default()
            });
            state.add_acl(Acl {
                action: "read".to_owned(),
                value: "1".to_owned(),
                role: uuid,
                node: "DATASOURCE:pydiods1".to_owned(),
                ..Acl::default()
            });
        });
    }

    /// Kills a token at once.
    pub fn revoke_token(&self, token: &str) {
        self.shared.tokens.revoke(token);
    }

    /// The nodes, past the protocol.
    pub fn tree(&self) -> Tree {
        Tree::new(self.shared.nodes.clone())
    }

    /// The S3 gateway: its limits, its delays and the damage it does on demand.
    pub fn s3(&self) -> s3::S3 {
        s3::S3::new(Arc::clone(&self.shared.s3))
    }

    /// Locks a path of admin's, and everything below it, as a running job does.
    ///
    /// # Errors
    /// The path is in no workspace.
    pub fn lock(&self, path: &str, duration: Duration) -> anyhow::Result<()> {
        match self.shared.nodes.resolve(&Caller::full("admin"), path) {
            Access::Allowed(place) | Access::ReadOnly(place) => {
                self.shared.nodes.lock(&place, duration);
                Ok(())
            }
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable | Access::UnknownWorkspace(_) => {
                anyhow::bail!("{path} is in no workspace")
            }
        }
    }

    /// Puts a program on offer on the update server.
    pub fn offer(&self, release: Release) {
        self.shared.updates.offer(release);
    }

    /// Stops all jobs whose effect has not come yet, as an administrator may; gives how many.
    pub fn stop_jobs(&self) -> usize {
        let open = self.shared.jobs.open();
        open.iter().for_each(|id| self.shared.jobs.stop(id));
        open.len()
    }

    /// Whether there are jobs whose effect has not come yet.
    pub fn has_open_jobs(&self) -> bool {
        !self.shared.jobs.open().is_empty()
    }

    /// What goes wrong.
    pub fn faults(&self) -> Faults {
        self.shared.faults.clone()
    }

    /// The steps of writes.
    pub fn steps(&self) -> Steps {
        self.shared.steps.clone()
    }

    /// Sets or removes the changes to answers.
    pub fn lie(&self, malice: Option<Malice>) {
        self.shared.hostility.set(malice);
    }

    /// Returns the changed answers so far, with descriptions.
    pub fn lies_told(&self) -> Vec<String> {
        self.shared.hostility.changes()
    }

    /// All requests so far, in the order of arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.requests.snapshot()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.requests.clear();
    }

    /// Shifts the server's clock against real time: the `Date` header, the lives of tokens, the
    /// time window of S3 signatures.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.clock.set_offset(seconds);
    }

    fn find(&self, caller: &Caller, path: &str) -> Option<NodeId> {
        match self.shared.nodes.resolve(caller, path) {
            Access::Allowed(place) | Access::ReadOnly(place) => self.shared.nodes.read(|forest| find(forest, &place)),
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable | Access::UnknownWorkspace(_) => None,
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already, and then the receiver is gone.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if !std::thread::panicking() {
            self.shared.faults.clear();
        }
    }
}

/// Where a client on this machine reaches a server that listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())) } else { address }
}

/// Runs the server on a runtime of its own, away from any runtime of the caller.
fn spawn(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) -> anyhow::Result<(oneshot::Sender<()>, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("cells-sandbox")
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("cells-sandbox".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = server::serve(listener, acceptor, shared) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(PATIENCE);
        })
        .context("cannot start a thread")?;
    Ok((stop, thread))
}
