//! What the options and the environment say about a sign-in, and what is missing.

use secrecy::SecretString;

use super::Known;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::settings::{WithOrigin, parse_url};
use crate::ui::prompt::Consent;
use cells_client::account::ServerUrl;

/// The names of the ways to sign in.
const METHODS: [&str; 5] = ["oauth", "browser", "token", "client-auth", "password"];

/// A way to sign in.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// With a browser.
    Browser {
        /// Whether the user opens it, on any machine.
        no_browser: bool,
    },
    /// With an access token of another client.
    AccessToken(SecretString),
    /// With a personal access token.
    Token {
        /// Whether standard input contains it, whatever else is given.
        from_input: bool,
    },
    /// With a login name and a password.
    Password,
}

/// Returns the way to sign in for the credentials in options and environment.
pub(super) fn way(ctx: &Ctx) -> Option<Way> {
    way_where(ctx, |_| true)
}

/// Returns the way to sign in for the credentials that belong to this account. Variables for another server or another
/// user are ignored.
pub(super) fn way_to(ctx: &Ctx, url: &WithOrigin<ServerUrl>, known: &Known) -> Option<Way> {
    let parts = &ctx.settings.account;
    let variable = WithOrigin { value: (), name: "the environment", by_flag: false };
    let other_server = parts.check_destination(&variable, url).is_err();
    let other_user = parts.login.as_ref().is_some_and(|login| !login.by_flag && !known.is_of(&login.value));
    way_where(ctx, |by_flag| by_flag || !(other_server || other_user))
}

/// Returns the way to sign in that a stored account of this type has used.
pub(super) fn way_of(kind: &str, no_browser: bool) -> Option<Way> {
    match kind {
        _ if no_browser => Some(Way::Browser { no_browser }),
        "oauth2" => Some(Way::Browser { no_browser }),
        "pat" => Some(Way::Token { from_input: false }),
        "session" => Some(Way::Password),
        _ => None,
    }
}

/// Refuses an option that names another user than the account's.
pub(super) fn refuse_other_login(ctx: &Ctx, known: &Known) -> Result<(), CliError> {
    match &ctx.settings.account.login {
        Some(login) if login.by_flag && !known.is_of(&login.value) => {
            let message = format!("{} is {}, but the account belongs to {}", login.name, login.value, known.user);
            Err(CliError::new(Kind::Usage, message).hint("run 'cec configure' to store another account"))
        }
        _ => Ok(()),
    }
}

/// Whether the secret of this way comes from the environment.
pub(super) fn is_by_environment(ctx: &Ctx, way: &Way) -> bool {
    let parts = &ctx.settings.account;
    match way {
        Way::Token { from_input: false } => parts.token.as_ref().is_some_and(|token| !token.by_flag),
        Way::Password => parts.password.as_ref().is_some_and(|password| !password.by_flag),
        Way::Token { .. } | Way::AccessToken(_) | Way::Browser { .. } => false,
    }
}

/// Asks whether to store credentials from the environment: whoever has set the variables needs no account, and may have
/// forgotten them.
///
/// # Errors
/// [`Kind::Failure`] if the answer is No.
pub(super) async fn confirm_environment(ctx: &Ctx, way: &Way) -> Result<(), CliError> {
    if !is_by_environment(ctx, way) || !ctx.ui.can_ask() {
        return Ok(());
    }
    let parts = &ctx.settings.account;
    let secret = match way {
        Way::Password => parts.password.as_ref().map(|password| password.name),
        _ => parts.token.as_ref().map(|token| token.name),
    };
    let secret = secret.unwrap_or_default();
    ctx.ui.before_asking(&format!("{secret} is set; every command uses it without a stored account."));
    if ctx.ui.confirm("Store it as an account anyway?", Consent::Yes).await {
        return Ok(());
    }
    Err(CliError::new(Kind::Failure, "nothing was stored").hint(format!("to sign in another way, unset {secret}")))
}

fn way_where(ctx: &Ctx, counts: impl Fn(bool) -> bool) -> Option<Way> {
    let parts = &ctx.settings.account;
    let token = parts.token.as_ref().map(|token| (token.by_flag, Way::Token { from_input: false }));
    let password = parts.password.as_ref().map(|password| (password.by_flag, Way::Password));
    let mut given: Vec<(bool, Way)> =
        [token, password].into_iter().flatten().filter(|(by_flag, _)| counts(*by_flag)).collect();
    // Options have priority over variables, and a token over a password.
    given.sort_by_key(|(by_flag, _)| !by_flag);
    given.into_iter().next().map(|(_, way)| way)
}

/// Refuses a single word as a server: it is a way to sign in, misspelled or from another version.
pub(super) fn refuse_method(text: &str) -> Result<(), CliError> {
    let word = text.trim().to_lowercase();
    if word.contains(['.', ':', '/', '@']) || word == "localhost" {
        return Ok(());
    }
    let close = METHODS.iter().find(|name| strsim::osa_distance(&word, name) <= 2);
    let hint = match close {
        Some(name) => format!("did you mean '{name}'?"),
        None => "use oauth, token or client-auth, or a server URL such as https://files.example.com".to_owned(),
    };
    Err(CliError::new(Kind::Usage, format!("'{text}' is neither a way to sign in nor the URL of a server")).hint(hint))
}

/// Returns the server, from any of the places where it can be given.
pub(super) fn url(ctx: &Ctx, servers: &[&str]) -> Result<Option<WithOrigin<ServerUrl>>, CliError> {
    let flag = ctx.settings.account.url()?;
    let mut given = flag.clone().filter(|flag| flag.by_flag);
    for text in servers {
        let url = WithOrigin::flag(parse_url(text)?, "the URL");
        if let Some(other) = given.as_ref().filter(|other| other.value != url.value) {
            let message = format!("two servers are named: {} and {}", url.value, other.value);
            return Err(CliError::new(Kind::Usage, message));
        }
        given = Some(url);
    }
    Ok(given.or(flag))
}

/// Returns an error that names what is missing, if nobody can be asked for it.
pub(super) fn refuse_to_ask(ctx: &Ctx, has_url: bool, way: Option<&Way>, has_login: bool) -> Result<(), CliError> {
    let parts = &ctx.settings.account;
    let mut missing = Vec::new();
    if !has_url {
        missing.push("--url");
    }
    match way {
        None => missing.push("--token (or --login and --password)"),
        Some(Way::Token { from_input: false }) if parts.token.is_none() => {
            missing.push("--token, --token-file or --with-token");
        }
        Some(Way::Password) => {
            if !has_login {
                missing.push("--login");
            }
            if parts.password.is_none() {
                missing.push("--password");
            }
        }
        Some(Way::Token { .. } | Way::AccessToken(_) | Way::Browser { .. }) => {}
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Kind::Usage, format!("cannot ask here, and this is missing: {}", missing.join(", ")))
        .hint("or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_words_are_not_servers() {
        for (text, hint) in [
            ("tokn", "did you mean 'token'?"),
            ("Tokens", "did you mean 'token'?"),
            ("client-aut", "did you mean 'client-auth'?"),
            ("passwrod", "did you mean 'password'?"),
            ("oauht", "did you mean 'oauth'?"),
            ("brwser", "did you mean 'browser'?"),
        ] {
            let error = refuse_method(text).expect_err(text);
            assert_eq!((error.kind, error.hints), (Kind::Usage, vec![hint.into()]), "{text}");
        }
        assert!(
            refuse_method("files").expect_err("a word").hints[0].to_string().contains("oauth, token or client-auth")
        );
        for text in ["localhost", "files.example.com", "https://files", "files:8080"] {
            assert!(refuse_method(text).is_ok(), "{text}");
        }
    }
}
