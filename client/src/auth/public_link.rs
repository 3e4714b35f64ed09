//! Public links: reading their pages, and the sign-in as the hidden user of a link.

use http::header::{ACCEPT, ACCEPT_LANGUAGE};
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;

use super::error::{AuthError, LinkRefusal};
use crate::account::LinkUrl;
use crate::http::{Http, HttpError, retry};

/// The header that permits the sign-in of a link's hidden user. Its value is the last part of the link's URL.
pub(super) const HEADER: &str = "x-pydio-minisite";

/// If a link has no password, this suffix after its user's login is the password.
const PASSWORD_SUFFIX: &str = "#$!Az1";

/// The longest page that is read, in bytes. It contains all texts of the web interface, about 185 kB.
const PAGE_LIMIT: usize = 2 * 1024 * 1024;

/// The data in the page of a link.
#[derive(Debug, Clone)]
pub struct LinkPage {
    /// The login of the hidden user for visitors.
    pub login: String,
    /// Whether visitors need a password.
    pub wants_password: bool,
    /// The UUID of the link and of its workspace.
    pub uuid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct Parameters {
    prelog_user: String,
    preset_login: String,
    start_repository: String,
}

impl LinkPage {
    /// Reads the page of a link, with retries.
    ///
    /// # Errors
    /// [`AuthError::Link`] if the link does not exist or has ended; [`AuthError::NotCells`] for any other page.
    pub async fn fetch(http: &Http, link: &LinkUrl) -> Result<Self, AuthError> {
        let attempt = |_| async {
            let request = http
                .server_request(Method::GET, link.server(), &link.page())?
                .header(ACCEPT, "text/html")
                .header(ACCEPT_LANGUAGE, "en");
            let response = http.send(request).await?;
            let status = response.status();
            Ok((status, http.read(response, PAGE_LIMIT).await?))
        };
        let policy = retry::RetryPolicy::default();
        let (status, body) = retry::run(&policy, attempt, |_, _: &HttpError, _| {}).await.map_err(AuthError::Http)?;
        read(status, &String::from_utf8_lossy(&body))
    }

    /// Returns the password for the sign-in: that of the link if it has one, otherwise the one that follows from the
    /// login.
    ///
    /// # Errors
    /// [`LinkRefusal::PasswordNeeded`] if the link has a password and `given` is `None`.
    pub fn password(&self, given: Option<SecretString>) -> Result<SecretString, AuthError> {
        match given {
            Some(password) if self.wants_password => Ok(password),
            None if self.wants_password => Err(LinkRefusal::PasswordNeeded.into()),
            _ => Ok(SecretString::from(format!("{}{PASSWORD_SUFFIX}", self.login))),
        }
    }
}

/// Reads a page. Error pages are recognized by their English words, which the server never translates.
fn read(status: StatusCode, page: &str) -> Result<LinkPage, AuthError> {
    if let Some(found) = parameters(page) {
        let wants_password = found.prelog_user.is_empty();
        let login = if wants_password { found.preset_login } else { found.prelog_user };
        return Ok(LinkPage { login, wants_password, uuid: found.start_repository });
    }
    if status == StatusCode::NOT_FOUND {
        let known = [
            ("maximum downloads", LinkRefusal::Used),
            ("link has expired", LinkRefusal::Expired),
            ("find this link", LinkRefusal::Unknown),
        ];
        if let Some((_, refusal)) = known.into_iter().find(|(words, _)| page.contains(words)) {
            return Err(refusal.into());
        }
    }
    if status.is_server_error() {
        return Err(AuthError::Server { status: status.as_u16(), message: "the server cannot show the link".into() });
    }
    Err(AuthError::NotCells(match page.is_empty() {
        true => "the page of the link is empty: this host name is not configured on the Cells server".to_owned(),
        false => {
            format!("the page is not that of a public link (HTTP {}): not a Cells server", status.as_u16())
        }
    }))
}

/// Returns the start parameters of the web interface in the page.
fn parameters(page: &str) -> Option<Parameters> {
    page.split("startParameters").skip(1).find_map(|after| {
        let text = after.trim_start().strip_prefix('=')?;
        let found = serde_json::Deserializer::from_slice(text.as_bytes()).into_iter::<Parameters>().next()?.ok()?;
        (!found.prelog_user.is_empty() || !found.preset_login.is_empty()).then_some(found)
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const OPEN: &str = r#"<script> var pydio, startParameters = {}, MessageHash={};
        startParameters = {"BOOTER_URL":"/frontend/bootconf","MINISITE":"ee4080f5d280","PRELOADED_BOOT_CONF":{"i18nMessages":{"1":"a }; b"}},"PRELOG_USER":"7020e952cd664cf9","START_REPOSITORY":"2580f955-0278-446b-b1a0-028d987e2a6c"};
        window.pydioBootstrap = new PydioBootstrap(startParameters);</script>"#;
    const CLOSED: &str = r#"startParameters = {"MINISITE":"c404fe95d1fa","PASSWORD_AUTH_ONLY":true,"PRESET_LOGIN":"81fc4b1b693f482f","START_REPOSITORY":"118534a3-1af2-4bc0-9d49-dbdefdd5a03c"};"#;

    #[test]
    fn pages_tell_the_login_and_whether_a_password_is_wanted() {
        let open = read(StatusCode::OK, OPEN).expect("a link");
        assert_eq!((open.login.as_str(), open.wants_password), ("7020e952cd664cf9", false));
        assert_eq!(open.uuid, "2580f955-0278-446b-b1a0-028d987e2a6c");
        let made_up = open.password(Some("other".into())).expect("a password");
        assert_eq!(made_up.expose_secret(), "7020e952cd664cf9#$!Az1");
        let closed = read(StatusCode::OK, CLOSED).expect("a link");
        assert_eq!((closed.login.as_str(), closed.wants_password), ("81fc4b1b693f482f", true));
        assert_eq!(closed.password(Some("pw".into())).expect("a password").expose_secret(), "pw");
        assert!(matches!(closed.password(None), Err(AuthError::Link(LinkRefusal::PasswordNeeded))));
    }

    #[test]
    fn refusals_have_different_reasons() {
        let refusal = |text: &str| match read(StatusCode::NOT_FOUND, text) {
            Err(AuthError::Link(refusal)) => Some(refusal),
            Err(AuthError::NotCells(_)) => None,
            other => panic!("{other:?}"),
        };
        for (text, expected) in [
            (
                "<div>Cannot find this link! Please contact the person who sent it to you.</div>",
                Some(LinkRefusal::Unknown),
            ),
            (
                "<div>This link has expired. Please contact the person who sent it to you.</div>",
                Some(LinkRefusal::Expired),
            ),
            (
                "<div>This link has expired (number of maximum downloads has been reached).</div>",
                Some(LinkRefusal::Used),
            ),
            ("<h1>404 Not Found</h1><hr>nginx", None),
        ] {
            assert_eq!(refusal(text), expected, "{text}");
        }
        for (status, text) in
            [(StatusCode::OK, ""), (StatusCode::OK, "startParameters = {}"), (StatusCode::OK, "<html>")]
        {
            assert!(matches!(read(status, text), Err(AuthError::NotCells(_))), "{text}");
        }
        assert!(matches!(read(StatusCode::BAD_GATEWAY, "x"), Err(AuthError::Server { status: 502, .. })));
    }
}
