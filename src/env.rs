//! The environment variables that cec reads, each as a documented constant, and a copy of the environment for settings
//! and commands. Nothing destructive (`--force`, `--permanently`, `--delete`) has a variable.

#![expect(clippy::disallowed_methods, reason = "the environment is read here")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

/// The folder of config.json (`--config`).
pub const CONFIG: &str = "CEC_CONFIG";
/// The server (`--url`).
pub const URL: &str = "CEC_URL";
/// A personal access token (`--token`).
pub const TOKEN: &str = "CEC_TOKEN";
/// A file that contains the token (`--token-file`).
pub const TOKEN_FILE: &str = "CEC_TOKEN_FILE";
/// A shell command that prints the token.
pub const TOKEN_COMMAND: &str = "CEC_TOKEN_COMMAND";
/// The login name (`--login`).
pub const LOGIN: &str = "CEC_LOGIN";
/// The password (`--password`).
pub const PASSWORD: &str = "CEC_PASSWORD";
/// The id or label of a stored account (`--profile`).
pub const PROFILE: &str = "CEC_PROFILE";
/// The URL of a public link to use instead of the account (`--link`).
pub const LINK: &str = "CEC_LINK";
/// The password of a public link.
pub const LINK_PASSWORD: &str = "CEC_LINK_PASSWORD";
/// Accept any certificate (`--skip-verify`).
pub const SKIP_VERIFY: &str = "CEC_SKIP_VERIFY";
/// A PEM file with additional certificate authorities (`--ca-cert`).
pub const CA_CERT: &str = "CEC_CA_CERT";
/// A PEM file with a client certificate (`--client-cert`).
pub const CLIENT_CERT: &str = "CEC_CLIENT_CERT";
/// A PEM file with the key of the client certificate (`--client-key`).
pub const CLIENT_KEY: &str = "CEC_CLIENT_KEY";
/// Additional request headers, one per line (`--header`).
pub const HEADER: &str = "CEC_HEADER";
/// A proxy for all requests (`--proxy`).
pub const PROXY: &str = "CEC_PROXY";
/// Keep secrets in config.json (`--skip-keyring`).
pub const SKIP_KEYRING: &str = "CEC_SKIP_KEYRING";
/// The keyring: `none` uses no keyring; `system` is the default.
pub const KEYRING: &str = "CEC_KEYRING";
/// The minimum level of log messages (`--log`).
pub const LOG: &str = "CEC_LOG";
/// The log file (`--log-file`).
pub const LOG_FILE: &str = "CEC_LOG_FILE";
/// No status lines (`--quiet`).
pub const QUIET: &str = "CEC_QUIET";
/// The use of colors: auto, always, never (`--color`).
pub const COLOR: &str = "CEC_COLOR";
/// All columns of tables (`--wide`).
pub const WIDE: &str = "CEC_WIDE";
/// Never prompt (`--no-input`).
pub const NO_INPUT: &str = "CEC_NO_INPUT";
/// Results as JSON (`--json`).
pub const JSON: &str = "CEC_JSON";
/// A jq expression for JSON results (`--jq`).
pub const JQ: &str = "CEC_JQ";
/// Do not cache listings for completion (`--no-cache`).
pub const NO_CACHE: &str = "CEC_NO_CACHE";
/// The update server, instead of the one set at build time.
pub const UPDATE_URL: &str = "CEC_UPDATE_URL";
/// A PEM file with the public key for updates, instead of the one set at build time.
pub const UPDATE_KEY: &str = "CEC_UPDATE_KEY";
/// How long a connection may be silent (`--timeout`).
pub const TIMEOUT: &str = "CEC_TIMEOUT";
/// The time limit for opening a connection (`--connect-timeout`).
pub const CONNECT_TIMEOUT: &str = "CEC_CONNECT_TIMEOUT";

/// The number of files to transfer at the same time (`scp --transfers`).
pub const TRANSFERS: &str = "CEC_TRANSFERS";
/// The size of a part in MiB (`scp --part-size`).
pub const PART_SIZE: &str = "CEC_PART_SIZE";
/// The number of parts of one file in flight (`scp --parts-concurrency`).
pub const PARTS_CONCURRENCY: &str = "CEC_PARTS_CONCURRENCY";
/// The size in MiB above which files are sent in parts (`scp --multipart-threshold`).
pub const MULTIPART_THRESHOLD: &str = "CEC_MULTIPART_THRESHOLD";
/// The maximum number of parts of one file (`scp --max-parts-number`).
pub const MAX_PARTS_NUMBER: &str = "CEC_MAX_PARTS_NUMBER";
/// Do not compare hashes (`scp --skip-md5`).
pub const SKIP_MD5: &str = "CEC_SKIP_MD5";
/// The maximum number of attempts per request, for all commands (`scp --retry-max-attempts`).
pub const RETRY_MAX_ATTEMPTS: &str = "CEC_RETRY_MAX_ATTEMPTS";
/// The longest pause between two attempts, for all commands (`scp --retry-max-backoff`).
pub const RETRY_MAX_BACKOFF: &str = "CEC_RETRY_MAX_BACKOFF";
/// The maximum number of bytes a second (`scp --bwlimit`).
pub const BWLIMIT: &str = "CEC_BWLIMIT";
/// The maximum number of requests a second (`scp --tpslimit`).
pub const TPSLIMIT: &str = "CEC_TPSLIMIT";
/// The maximum number of bytes of a run (`scp --max-transfer`).
pub const MAX_TRANSFER: &str = "CEC_MAX_TRANSFER";
/// The maximum duration of a run (`scp --max-duration`).
pub const MAX_DURATION: &str = "CEC_MAX_DURATION";
/// The maximum time for attempts without progress (`scp --retry-max-elapsed`).
pub const RETRY_MAX_ELAPSED: &str = "CEC_RETRY_MAX_ELAPSED";

/// Show no progress (`scp --no-progress`).
pub const NO_PROGRESS: &str = "CEC_NO_PROGRESS";
/// Print every finished file and every retry (`scp --verbose`).
pub const VERBOSE: &str = "CEC_VERBOSE";
/// Log every request as well (`scp --very-verbose`).
pub const VERY_VERBOSE: &str = "CEC_VERY_VERBOSE";
/// The older client's debug options for multipart uploads (`scp --multipart-debug-flags`).
pub const MULTIPART_DEBUG_FLAGS: &str = "CEC_MULTIPART_DEBUG_FLAGS";

/// The older client's name for [`URL`], read if that is not set.
pub const LEGACY_URL: &str = "CELLS_CLIENT_TARGET_URL";
/// The older client's name for [`LOGIN`], read if that is not set.
pub const LEGACY_LOGIN: &str = "CELLS_CLIENT_TARGET_USER_LOGIN";
/// The older client's name for [`PASSWORD`], read if that is not set.
pub const LEGACY_PASSWORD: &str = "CELLS_CLIENT_TARGET_USER_PWD";
/// The older client's name for [`SKIP_VERIFY`], read if that is not set.
pub const LEGACY_SKIP_VERIFY: &str = "CELLS_CLIENT_TARGET_SKIP_VERIFY";

/// A PEM file with the certificate authorities to trust; a convention of OpenSSL.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// If set, disables colors; a convention (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";
/// If set to anything but 0, enables colors even in a pipe; a convention.
pub const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
/// The type of the terminal; `dumb` has no colors.
pub const TERM: &str = "TERM";
/// Set by most CI services, in which nobody can answer a prompt.
pub const CI: &str = "CI";
/// Set in SSH sessions, in which a browser would open on the wrong machine.
pub const SSH_CONNECTION: &str = "SSH_CONNECTION";
/// Set in SSH sessions with a terminal.
pub const SSH_TTY: &str = "SSH_TTY";
/// The X server, required to open a browser on Linux.
pub const DISPLAY: &str = "DISPLAY";
/// The Wayland server, required to open a browser on Linux.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";
/// Set in the Windows Subsystem for Linux, which opens browsers on Windows.
pub const WSL_DISTRO_NAME: &str = "WSL_DISTRO_NAME";
/// The user's browser. If set, a browser is assumed to exist.
pub const BROWSER: &str = "BROWSER";
/// The user's home folder.
pub const HOME: &str = "HOME";
/// The folder for configuration on Linux, by default ~/.config.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The folder for the state of programs on Linux, by default ~/.local/state.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The folder for caches on Linux, by default ~/.cache.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// The folder for caches on Windows.
pub const LOCALAPPDATA: &str = "LOCALAPPDATA";
/// Set by the bash completion script: the characters at which bash begins a new word.
pub const COMPLETE_BREAKS: &str = "CEC_COMPLETE_BREAKS";
/// The folder for configuration on Windows.
pub const APPDATA: &str = "APPDATA";

/// The value of a variable is not valid. The value itself is omitted, because it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {reason}")]
pub struct EnvError {
    /// The name of the variable.
    pub name: String,
    /// What is not valid.
    pub reason: String,
}

/// The proxy for http://, in the two usual spellings.
pub const HTTP_PROXY: [&str; 2] = ["http_proxy", "HTTP_PROXY"];
/// The proxy for https://.
pub const HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// The proxy for both.
pub const ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// Hosts that need no proxy.
pub const EXCEPT_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Set if a web server runs this program (CGI). Then HTTP_PROXY comes from a request header, so it is not trusted.
pub const REQUEST_METHOD: &str = "REQUEST_METHOD";

/// The variables that contain secrets. They are not passed on to other programs.
pub const SECRETS: [&str; 6] = [TOKEN, PASSWORD, LINK_PASSWORD, HEADER, PROXY, LEGACY_PASSWORD];

/// A copy of the environment. Debug output contains only names.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Copies the environment of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }

    /// Returns the value of a variable. An empty value counts as not set.
    ///
    /// # Errors
    /// The value is not valid UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, EnvError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text)),
                None => Err(EnvError { name: name.to_owned(), reason: "is not valid UTF-8".to_owned() }),
            },
        }
    }

    /// Returns the value of a variable, parsed as a `T`.
    ///
    /// # Errors
    /// The value is not a `T`. The error names the variable.
    pub fn value<T>(&self, name: &str) -> Result<Option<T>, EnvError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.read(name, |text| text.parse::<T>().map_err(|error| plain_words(&error.to_string())))
    }

    /// Returns the value of a switch: true, 1, yes, on, or their opposites, in any case.
    ///
    /// # Errors
    /// The value is anything else.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, EnvError> {
        self.read(name, parse_switch)
    }

    /// Returns the value of a variable, parsed with `parse`.
    ///
    /// # Errors
    /// `parse` refuses the value. The error names the variable.
    pub fn read<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, EnvError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match parse(text.trim()) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => Err(EnvError { name: name.to_owned(), reason: format!("has an invalid value: {reason}") }),
        }
    }

    /// Returns the value of a variable that is a path, which need not be UTF-8.
    pub fn path(&self, name: &str) -> Option<std::path::PathBuf> {
        self.0.get(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from)
    }

    /// Whether a variable is set to anything at all, as NO_COLOR and similar ones are interpreted.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Replaces the standard library's messages about numbers by clearer ones.
pub fn plain_words(text: &str) -> String {
    text.replace("invalid digit found in string", "expected a whole number")
        .replace("cannot parse integer from empty string", "expected a whole number")
        .replace("number too large to fit in target type", "the number is too large")
        .replace("number too small to fit in target type", "the number is too small")
}

/// Parses a switch.
///
/// # Errors
/// The text is not one of true, t, 1, yes, y, on, false, f, 0, no, n, off, in any case.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" | "on" => Ok(true),
        "false" | "f" | "0" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected true or false (or 1/0, yes/no, on/off)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_take_what_people_write_and_refuse_nonsense() {
        for (text, expected) in [
            ("true", true),
            ("1", true),
            ("YES", true),
            ("on", true),
            ("T", true),
            ("0", false),
            ("False", false),
            ("f", false),
        ] {
            let environment: Environment = [("X", text)].into_iter().collect();
            assert_eq!(environment.switch("X"), Ok(Some(expected)), "{text}");
        }
        let environment: Environment = [("CEC_SKIP_VERIFY", "maybe")].into_iter().collect();
        let error = environment.switch(SKIP_VERIFY).expect_err("nonsense");
        assert!(error.to_string().contains("CEC_SKIP_VERIFY"), "{error}");
        assert!(!error.to_string().contains("maybe"), "{error}");
    }

    #[test]
    fn values_are_typed_and_empty_ones_are_not_set() {
        let environment: Environment = [("N", "7"), ("E", ""), ("B", "x7"), ("P", "a=b=c")].into_iter().collect();
        assert_eq!(environment.value::<u32>("N"), Ok(Some(7)));
        assert_eq!(environment.value::<u32>("E"), Ok(None));
        assert_eq!(environment.value::<u32>("missing"), Ok(None));
        assert_eq!(environment.text("P"), Ok(Some("a=b=c")));
        let error = environment.value::<u32>("B").expect_err("not a number");
        assert_eq!(error.to_string(), "the environment variable B has an invalid value: expected a whole number");
    }

    #[test]
    fn debug_shows_no_value() {
        let environment: Environment = [("CEC_TOKEN", "secret")].into_iter().collect();
        assert!(!format!("{environment:?}").contains("secret"));
    }
}
