//! The names and values of keyring items on each system. Pure functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// The service of all items.
pub const SERVICE: &str = "com.pydio.cells-client";

/// The separator between the two parts of a secret.
const SEPARATOR: &str = "__//__";

/// The prefix of a Base64 value, on macOS.
const BASE64_PREFIX: &str = "go-keyring-base64:";

/// The prefix of a hexadecimal value, on macOS.
const HEX_PREFIX: &str = "go-keyring-encoded:";

/// Returns the user of an account's item: `<url>::<login>`.
pub fn user(origin: &str, login: &str) -> String {
    format!("{origin}::{login}")
}

/// Returns the users of the items that old versions of the older client wrote for a server.
pub fn legacy_users(origin: &str) -> [String; 2] {
    [format!("{origin}::ClientCredentials"), format!("{origin}::IdToken")]
}

/// Returns the older client's label for an item.
pub fn label(user: &str) -> String {
    format!("Password for '{user}' on '{SERVICE}'")
}

/// Joins two secrets into one value: an access token and a refresh token, which may be empty.
pub fn join(first: &SecretString, second: Option<&SecretString>) -> SecretString {
    let second = second.map(ExposeSecret::expose_secret).unwrap_or_default();
    SecretString::from(format!("{}{SEPARATOR}{second}", first.expose_secret()))
}

/// Splits the value of an item into its two secrets. An empty or missing one is `None`.
pub fn split(value: &SecretString) -> (Option<SecretString>, Option<SecretString>) {
    let part = |text: &str| (!text.is_empty()).then(|| SecretString::from(text));
    match value.expose_secret().split_once(SEPARATOR) {
        Some((first, second)) => (part(first), part(second)),
        None => (part(value.expose_secret()), None),
    }
}

/// Returns the target name of an item in the Windows Credential Manager.
pub fn windows_target(user: &str) -> String {
    format!("{SERVICE}:{user}")
}

/// Decodes a value of the Credential Manager: UTF-8, or UTF-16LE as Windows's own tools write it. Secrets other than
/// passwords are ASCII, so text with two bytes per character is recognized by its zeros.
pub fn windows_value(bytes: &[u8]) -> Option<SecretString> {
    let wide = bytes.len() >= 2 && bytes.len().is_multiple_of(2) && bytes.iter().skip(1).step_by(2).any(|b| *b == 0);
    if wide {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        return String::from_utf16(&units).ok().map(SecretString::from);
    }
    std::str::from_utf8(bytes).ok().map(SecretString::from)
}

/// Encodes a value for the macOS Keychain.
pub fn macos_write(secret: &SecretString) -> SecretString {
    SecretString::from(format!("{BASE64_PREFIX}{}", STANDARD.encode(secret.expose_secret())))
}

/// Decodes a value of the macOS Keychain: Base64, hexadecimal digits, or plain text.
pub fn macos_read(bytes: &[u8]) -> Option<SecretString> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let decoded = if let Some(encoded) = text.strip_prefix(BASE64_PREFIX) {
        STANDARD.decode(encoded).ok()?
    } else if let Some(encoded) = text.strip_prefix(HEX_PREFIX) {
        unhex(encoded)?
    } else {
        text.as_bytes().to_vec()
    };
    String::from_utf8(decoded).ok().map(SecretString::from)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(secret: Option<SecretString>) -> Option<String> {
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn items_are_named_as_the_older_client_names_them() {
        let user = user("http://127.0.0.1:8080", "admin");
        assert_eq!(user, "http://127.0.0.1:8080::admin");
        assert_eq!(label(&user), "Password for 'http://127.0.0.1:8080::admin' on 'com.pydio.cells-client'");
        assert_eq!(windows_target(&user), "com.pydio.cells-client:http://127.0.0.1:8080::admin");
        assert_eq!(legacy_users("https://h"), ["https://h::ClientCredentials", "https://h::IdToken"]);
    }

    #[test]
    fn pairs_are_joined_and_split() {
        let pair = join(&"a.b".into(), Some(&"r.s".into()));
        assert_eq!(pair.expose_secret(), "a.b__//__r.s");
        assert_eq!(join(&"a".into(), None).expose_secret(), "a__//__");
        for (text, first, second) in [
            ("a.b__//__r.s", Some("a.b"), Some("r.s")),
            ("a__//__", Some("a"), None),
            ("__//__p", None, Some("p")),
            ("plain", Some("plain"), None),
            ("", None, None),
        ] {
            let (one, two) = split(&text.into());
            assert_eq!((shown(one).as_deref(), shown(two).as_deref()), (first, second), "{text}");
        }
    }

    #[test]
    fn windows_values_are_utf_8_or_utf_16() {
        assert_eq!(shown(windows_value(b"a__//__r")).as_deref(), Some("a__//__r"));
        assert_eq!(shown(windows_value("p\u{e4}ss".as_bytes())).as_deref(), Some("p\u{e4}ss"));
        let wide: Vec<u8> = "t\u{f6}k\u{20ac}n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(shown(windows_value(&wide)).as_deref(), Some("t\u{f6}k\u{20ac}n"));
        assert_eq!(shown(windows_value(b"ab")).as_deref(), Some("ab"));
        assert_eq!(shown(windows_value(&[0xff, 0xfe, 0x01])), None);
    }

    #[test]
    fn macos_values_are_written_one_way_and_read_in_three() {
        let written = macos_write(&"a__//__r".into());
        assert_eq!(written.expose_secret(), "go-keyring-base64:YV9fLy9fX3I=");
        for text in ["go-keyring-base64:YV9fLy9fX3I=", "go-keyring-encoded:615f5f2f2f5f5f72", " a__//__r\n"] {
            assert_eq!(shown(macos_read(text.as_bytes())).as_deref(), Some("a__//__r"), "{text}");
        }
        for broken in ["go-keyring-base64:!", "go-keyring-encoded:6", "go-keyring-encoded:zz"] {
            assert_eq!(shown(macos_read(broken.as_bytes())), None, "{broken}");
        }
    }
}
