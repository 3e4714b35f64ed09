//! Days with the same credentials, by a clock that is moved on both sides.

use std::sync::Arc;
use std::time::Duration;

use cells_client::account::{Account, Credentials, ServerUrl};
use cells_client::api;
use cells_client::auth::{Clock, Sender, TokenSource};
use cells_client::failure::ServerErrorKind;
use cells_client::http::Http;
use cells_client::s3;
use cells_client::store::keyring::{Keyring, MemoryKeyring};
use cells_client::store::{ConfigFile, Vault};
use cells_sandbox::Sandbox;

use crate::support::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A server, and a machine whose clock shows the same time.
struct Years {
    sandbox: Sandbox,
    clock: Clock,
    passed: u64,
}

impl Years {
    fn begin() -> Self {
        Self { sandbox: sandbox(), clock: Clock::default(), passed: 0 }
    }

    fn pass(&mut self, seconds: u64) {
        self.passed += seconds;
        self.clock.advance(Duration::from_secs(seconds));
        self.sandbox.set_clock_offset(i64::try_from(self.passed).expect("a time"));
    }

    /// What a process has of an account.
    fn clients(&self, account: &Account, vault: Option<Vault>) -> Clients {
        let http = Http::new(&options()).expect("a client");
        let tokens = TokenSource::by_clock(http.clone(), account, vault, self.clock.clone());
        let sender = Arc::new(Sender::new(http, account.url.clone(), tokens));
        Clients { api: api::Client::new(sender.clone()), s3: s3::Client::new(sender.clone()), sender }
    }

    fn account(&self, login: &str, credentials: Credentials) -> Account {
        let url = ServerUrl::parse(self.sandbox.url()).expect("a URL");
        Account { url, login: Some(login.to_owned()), credentials, stored_id: None }
    }

    fn count(&self, path: &str) -> usize {
        self.sandbox.requests().iter().filter(|request| request.path == path).count()
    }
}

async fn works(clients: &Clients, name: &str) {
    clients.api.workspaces().await.expect("workspaces");
    let target = format!("personal-files/{name}");
    clients.s3.put(&path(&target), 1, &body(b"a")).await.expect("a file");
    assert_eq!(content(clients, &target, None).await.expect("a file"), b"a");
}

/// A process that runs on and others that come and go share the session of a stored account.
#[tokio::test]
async fn a_stored_session_lives_on_for_weeks_with_one_renewal_for_each_token() {
    let folder = tempfile::tempdir().expect("a folder");
    for in_keyring in [false, true] {
        let mut years = Years::begin();
        let keyring: Arc<dyn Keyring> = Arc::new(MemoryKeyring::default());
        let file = ConfigFile::in_folder(folder.path().join(in_keyring.to_string()));
        let vault = Vault::new(file, keyring, !in_keyring);
        let signed_in = years.account("alice", oauth(&years.sandbox.sign_in("alice")));
        let id = vault.save(&signed_in, "alice", false).expect("stored").id;
        let opened = || {
            let accounts = vault.load().expect("a file").accounts;
            vault.find(&accounts, &id).expect("an account").account
        };
        let account = opened();
        let runs_on = years.clients(&account, Some(vault.clone()));
        let mut renewals = 0;
        // Steps shorter than a token's life, about as long, and longer.
        for (round, step) in [3, 9, 10, 30].map(|minutes| minutes * MINUTE).into_iter().cycle().take(120).enumerate() {
            years.pass(step);
            years.sandbox.clear_requests();
            let account = opened();
            let comes_and_goes = years.clients(&account, Some(vault.clone()));
            works(&comes_and_goes, "new").await;
            works(&runs_on, "old").await;
            let renewed = years.count("/oidc/oauth2/token");
            assert!(renewed <= 1, "round {round}: {renewed}");
            renewals += renewed;
        }
        assert!(years.passed > DAY && renewals > 80, "{renewals}");
        // Unused for long, but not for too long.
        years.pass(59 * DAY);
        works(&runs_on, "old").await;
        years.pass(61 * DAY);
        for _ in 0..2 {
            years.sandbox.clear_requests();
            let error = runs_on.api.workspaces().await.expect_err("it is over");
            assert_eq!(error.kind, ServerErrorKind::Unauthenticated, "{error}");
            let account = opened();
            let next = years.clients(&account, Some(vault.clone()));
            assert_eq!(next.api.workspaces().await.expect_err("over").kind, ServerErrorKind::Unauthenticated);
        }
        assert_eq!(years.count("/oidc/oauth2/token"), 0, "a refresh token that was refused is not sent again");
    }
}

#[tokio::test]
async fn a_password_session_renews_itself_for_days_without_another_login() {
    let mut years = Years::begin();
    let password = password("alice", years.sandbox.password("alice"));
    let clients = years.clients(&years.account("alice", password), None);
    works(&clients, "a").await;
    for step in [3, 9, 10, 30].map(|minutes| minutes * MINUTE).into_iter().cycle().take(120) {
        years.pass(step);
        works(&clients, "a").await;
    }
    let sessions = years.sandbox.requests().into_iter().filter(|request| request.path == "/a/frontend/session");
    // A renewal has the cookie of the session, a login has none.
    let logins = sessions.filter(|request| request.header("cookie").is_empty()).count();
    assert!(years.passed > DAY);
    assert_eq!(logins, 1);
}
