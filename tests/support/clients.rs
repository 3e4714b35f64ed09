//! The clients of somebody whose account is not stored.

use std::sync::Arc;

use cells_client::account::{Account, Credentials, ServerUrl};
use cells_client::auth::{Sender, TokenSource};
use cells_client::http::Http;

/// What the clients of a server share.
pub(crate) fn sender(http: Http, url: &ServerUrl, credentials: Credentials) -> Arc<Sender> {
    let account = Account { url: url.clone(), login: None, credentials, stored_id: None };
    let tokens = TokenSource::new(http.clone(), &account);
    Arc::new(Sender::new(http, account.url, tokens))
}

/// A token as credentials.
pub(crate) fn token(text: &str) -> Credentials {
    Credentials::Token(text.to_owned().into())
}
