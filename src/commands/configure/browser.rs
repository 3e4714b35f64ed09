//! Sign-in with a browser: on this machine with a redirect, or on any machine with a code to paste.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::{ATTEMPTS, Obtained, no_answer};
use super::sign_in::SignedIn;
use crate::context::Ctx;
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::sys;
use cells_client::account::ServerUrl;
use cells_client::auth::oauth::loopback::{Listener, Page};
use cells_client::auth::oauth::{Attempt, CALLBACK_PORT, Code, OAuth, OAuthError, Redirect};
use cells_client::http::Http;

/// How long to wait for the browser.
const PATIENCE: Duration = Duration::from_secs(300);

/// Signs in with a browser.
///
/// # Errors
/// [`Kind::Usage`] if a code must be pasted but nobody can; [`Kind::Auth`] if the sign-in was refused, declined or too
/// late; any answer of the server.
pub(super) async fn sign_in(ctx: &Ctx, http: &Http, url: &ServerUrl, no_browser: bool) -> Result<Obtained, CliError> {
    let oauth = OAuth::new(http.clone(), url.clone());
    let during = |error: CliError| error.during(format!("signing in to {url}"));
    let reason = if no_browser { None } else { obstacle(&ctx.settings.environment) };
    if no_browser || reason.is_some() {
        if !ctx.ui.can_ask() {
            return Err(cannot_paste(reason.unwrap_or("--no-browser is set")));
        }
        if let Some(reason) = reason {
            ctx.ui.status(&format!("{reason}, so no browser was opened"));
        }
        return by_hand(ctx, &oauth, url).await.map_err(during);
    }
    match Listener::bind(CALLBACK_PORT).await {
        Ok(listener) => by_listener(ctx, &oauth, &listener).await.map_err(during),
        Err(error) => {
            let taken = format!("port {CALLBACK_PORT} of this machine, which the browser must return to, is in use");
            tracing::debug!(%error, "no listener");
            if !ctx.ui.can_ask() {
                return Err(cannot_paste(&taken));
            }
            ctx.ui.warn(&format!("{taken}: paste the code instead"));
            by_hand(ctx, &oauth, url).await.map_err(during)
        }
    }
}

/// Returns why no browser can be opened here, if so.
fn obstacle(environment: &Environment) -> Option<&'static str> {
    // Whoever sets this variable has a browser: editors that work over SSH open it on the user's own machine.
    if environment.is_set(env::BROWSER) {
        return None;
    }
    if environment.is_set(env::SSH_CONNECTION) || environment.is_set(env::SSH_TTY) {
        return Some("this is an SSH session");
    }
    let needs_display = cfg!(unix) && !cfg!(target_os = "macos");
    let displays = [env::DISPLAY, env::WAYLAND_DISPLAY, env::WSL_DISTRO_NAME];
    if needs_display && !displays.iter().any(|name| environment.is_set(name)) {
        return Some("there is no display");
    }
    None
}

fn cannot_paste(reason: &str) -> CliError {
    CliError::new(Kind::Usage, format!("{reason}, and there is no terminal to paste a code into"))
        .hint("run it on a terminal, or sign in with a token: cec configure token --with-token")
}

/// Opens a browser and waits for its redirect. A code can be pasted in the meantime.
async fn by_listener(ctx: &Ctx, oauth: &OAuth, listener: &Listener) -> Result<Obtained, CliError> {
    let attempt = oauth.begin(Redirect::Loopback(listener.port()))?;
    oauth.challenge(&attempt).await?;
    show_address(ctx, &attempt, "Sign in with the browser. If no browser opens, open this page yourself:");
    let address = attempt.url().to_string();
    let commands = ctx.settings.environment.text(env::BROWSER).ok().flatten().map(str::to_owned);
    let open = move || sys::browser::open(&address, commands.as_deref(), &env::SECRETS);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(open).await {
        tracing::debug!(%error, "no browser");
        ctx.ui.warn("no browser could be started: open the page yourself");
    }
    let attempt = Arc::new(attempt);
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let (code, farewell) = tokio::select! {
            returned = listener.wait(&attempt) => {
                let (code, farewell) = returned.into_parts();
                (code, Some(farewell))
            }
            code = paste_meanwhile(ctx, &attempt) => (code, None),
            () = tokio::time::sleep(PATIENCE) => return Err(too_late()),
        };
        let result = match code {
            Ok(code) => oauth.exchange(&attempt, code).await,
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(tokens) => return Ok(Obtained { credentials: tokens.into(), farewell }),
            Err(error) => error,
        };
        let another = left > 0 && is_wrong_code(&error);
        let error = CliError::from(error);
        match farewell {
            Some(farewell) => farewell.show(failure_page(&error)).await,
            None if another => {
                say_unusable(ctx, &error);
                continue;
            }
            None => {}
        }
        return Err(error);
    }
}

fn say_unusable(ctx: &Ctx, error: &CliError) {
    ctx.ui.before_asking(&format!("Not usable: {}.", error.message));
}

/// Lets the user open the page anywhere, and asks for the code that it shows.
async fn by_hand(ctx: &Ctx, oauth: &OAuth, url: &ServerUrl) -> Result<Obtained, CliError> {
    let site = oauth.site().await.unwrap_or_else(|| url.clone());
    let attempt = oauth.begin(Redirect::OutOfBand(site))?;
    oauth.challenge(&attempt).await?;
    show_address(ctx, &attempt, "Open this page in a browser, on any machine, and sign in there:");
    let mut left = ATTEMPTS;
    loop {
        let text = ctx.ui.ask("Then paste the code shown there").await.ok_or_else(no_answer)?;
        let error = match attempt.read_pasted(&text) {
            Ok(code) => {
                left -= 1;
                match oauth.exchange(&attempt, code).await {
                    Ok(tokens) => return Ok(Obtained { credentials: tokens.into(), farewell: None }),
                    Err(error) if left > 0 && is_wrong_code(&error) => error,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error @ OAuthError::Refused { .. }) => return Err(error.into()),
            Err(error) => error,
        };
        say_unusable(ctx, &error.into());
    }
}

/// Whether another code may succeed.
fn is_wrong_code(error: &OAuthError) -> bool {
    matches!(error, OAuthError::Refused { code, .. } if code == "invalid_grant")
}

/// Always printed, because the user cannot continue without it.
fn show_address(ctx: &Ctx, attempt: &Attempt, words: &str) {
    if ctx.ui.is_json() {
        ctx.ui.json_status(&serde_json::json!({"type": "sign_in", "url": attempt.url().as_str()}));
    } else {
        ctx.ui.before_asking(words);
        ctx.ui.before_asking(&format!("  {}", attempt.url()));
    }
}

/// Waits for a code that is pasted while the browser is open. Never ends if nobody can paste.
async fn paste_meanwhile(ctx: &Ctx, attempt: &Attempt) -> Result<Code, OAuthError> {
    while ctx.ui.can_ask() {
        let question = "Waiting for the browser (or paste the last address that it shows)";
        let Some(text) = ctx.ui.ask(question).await else { break };
        match attempt.read_pasted(&text) {
            Ok(code) => return Ok(code),
            Err(error @ OAuthError::Refused { .. }) => return Err(error),
            Err(error) => say_unusable(ctx, &error.into()),
        }
    }
    std::future::pending().await
}

fn too_late() -> CliError {
    let minutes = PATIENCE.as_secs() / 60;
    CliError::new(Kind::Auth, format!("nobody signed in with the browser within {minutes} minutes"))
        .hint("run the command again; if the page reported failed authentication, add --no-browser")
}

/// Returns the page that the browser shows at the end.
pub(super) fn last_page(signed_in: &Result<SignedIn, CliError>) -> Page {
    match signed_in {
        Ok(signed_in) => Page {
            success: true,
            title: format!("Signed in as {}", signed_in.login),
            text: format!("cec can use {} now. You can close this tab.", signed_in.url),
        },
        Err(error) => failure_page(error),
    }
}

fn failure_page(error: &CliError) -> Page {
    Page {
        success: false,
        title: "cec is not signed in".to_owned(),
        text: format!("{}. See the terminal for details. You can close this tab.", error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn a_browser_needs_a_display_and_no_ssh() {
        let said = |pairs: &[(&str, &str)]| obstacle(&pairs.iter().copied().collect());
        assert_eq!(said(&[]), Some("there is no display"));
        for display in ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"] {
            assert_eq!(said(&[(display, "x")]), None, "{display}");
            assert_eq!(said(&[(display, "")]), Some("there is no display"), "{display}");
        }
        for ssh in ["SSH_CONNECTION", "SSH_TTY"] {
            assert_eq!(said(&[("DISPLAY", ":0"), (ssh, "x")]), Some("this is an SSH session"), "{ssh}");
            assert_eq!(said(&[(ssh, "x"), ("BROWSER", "helper.sh")]), None, "{ssh}");
        }
    }
}
