//! Removes secrets from URLs, headers and texts.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// The replacement for a secret.
pub const HIDDEN: &str = "<redacted>";

/// The minimum length of secrets that are replaced in messages. Shorter ones would match parts of ordinary words.
const SHORTEST_MASKED: usize = 8;

/// All secrets that this process knows. Neither a message nor the log shows them, whatever a server sends. Cheap to
/// clone; all clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<Vec<SecretString>>>);

impl Secrets {
    /// Registers a secret: a password, a token, the value of a header. One of fewer than 8 characters is ignored.
    pub fn keep(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() < SHORTEST_MASKED || known.iter().any(|one| one.expose_secret() == text) {
            return;
        }
        known.push(secret.clone());
        let quoted = serde_json::Value::from(text).to_string();
        if quoted.len() > text.len() + 2 {
            known.push(SecretString::from(&quoted[1..quoted.len() - 1]));
        }
    }

    /// Returns a text with all registered secrets replaced, also in their JSON form.
    pub fn mask<'a>(&self, shown: &'a str) -> Cow<'a, str> {
        let mut shown = Cow::Borrowed(shown);
        for secret in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if shown.contains(secret.expose_secret()) {
                shown = Cow::Owned(shown.replace(secret.expose_secret(), "***"));
            }
        }
        shown
    }
}

/// Returns scheme, host and port of a URL.
pub fn origin(url: &Url) -> String {
    let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        text.push_str(&format!(":{port}"));
    }
    text
}

/// Returns a URL without user, password, query and fragment, any of which may contain a secret.
pub fn url(url: &Url) -> String {
    format!("{}{}", origin(url), url.path())
}

/// Returns the parts of a query that distinguish requests and are never secret; `None` if there are none.
pub fn query(url: &Url) -> Option<String> {
    const TOLD: [&str; 6] = ["partNumber", "uploadId", "uploads", "list-type", "prefix", "delimiter"];
    let parameters: Vec<&str> =
        url.query()?.split('&').filter(|pair| TOLD.contains(&pair.split('=').next().unwrap_or_default())).collect();
    (!parameters.is_empty()).then(|| parameters.join("&"))
}

/// Whether the value of a header is a secret.
pub fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || ["token", "secret", "password", "bearer", "api-key", "apikey"].iter().any(|part| name.contains(part))
}

/// Returns a text with everything replaced that looks like a token: the text after `Bearer ` and `Credential=`, the
/// server's opaque tokens (two halves of 43 characters with a dot between) and JSON web tokens.
pub fn text(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut from = 0;
    let mut search = 0;
    while let Some((start, end)) = next_word(text, search) {
        let word = &text[start..end];
        let named = text[..start].ends_with("Bearer ") || text[..start].ends_with("Credential=");
        if named || looks_like_token(word) {
            clean.push_str(&text[from..start]);
            clean.push_str(HIDDEN);
            from = end;
        }
        search = end;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[from..]);
    Cow::Owned(clean)
}

/// Returns the next run of characters that tokens consist of, at or after `from`.
fn next_word(text: &str, from: usize) -> Option<(usize, usize)> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    let start = from + bytes.get(from..)?.iter().position(|byte| is_part(*byte))?;
    let length = bytes[start..].iter().position(|byte| !is_part(*byte)).unwrap_or(bytes.len() - start);
    Some((start, start + length))
}

fn looks_like_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    match parts.as_slice() {
        [first, second] => first.len() >= 40 && second.len() >= 40,
        [first, second, _] => first.starts_with("eyJ") && second.starts_with("eyJ"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_whatever_may_be_secret() {
        let full = Url::parse("https://user:pw@files.example.com:8443/a/tree?code=secret#x").expect("a URL");
        assert_eq!(url(&full), "https://files.example.com:8443/a/tree");
        assert_eq!(origin(&full), "https://files.example.com:8443");
    }

    #[test]
    fn tokens_are_replaced_in_texts() {
        let opaque = format!("{}.{}", "a".repeat(43), "B".repeat(43));
        assert_eq!(text(&format!("token {opaque} refused")), "token <redacted> refused");
        assert_eq!(text("Authorization: Bearer abc, more"), "Authorization: Bearer <redacted>, more");
        assert_eq!(text("Credential=abc/20261123/us-east-1"), "Credential=<redacted>/20261123/us-east-1");
        assert_eq!(text("eyJhbGciOi.eyJzdWIi.c2ln at the end"), "<redacted> at the end");
        assert!(matches!(text("a plain file.name.txt é"), Cow::Borrowed(_)));
    }

    #[test]
    fn known_secrets_are_replaced_wherever_they_stand() {
        let secrets = Secrets::default();
        for secret in ["pass word", "short", "pass word", "with \"quotes\""] {
            secrets.clone().keep(&SecretString::from(secret));
        }
        assert_eq!(secrets.mask("a pass word, short"), "a ***, short");
        assert_eq!(secrets.mask("{\"x\":\"with \\\"quotes\\\"\"}"), "{\"x\":\"***\"}");
        assert!(matches!(secrets.mask("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn secret_headers_are_known() {
        for (name, secret) in
            [("authorization", true), ("x-auth-token", true), ("cookie", true), ("content-type", false)]
        {
            assert_eq!(is_secret(&HeaderName::from_static(name)), secret, "{name}");
        }
    }
}
