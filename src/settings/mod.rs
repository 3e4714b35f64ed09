//! Resolves global options and environment variables to settings. Priorities are defined only here. Nothing here reads
//! files, the process environment or the terminal.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::env::{self, EnvError, Environment};
use crate::shell::command_line;
use cells_client::account::{LinkUrl, LinkUrlError, ServerUrl, UrlError};

mod choose;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
mod proxies;
mod values;

pub use choose::{Claim, Selection, TokenOrigin, UnstoredSecret};
pub use proxies::ProxyTexts;
pub use values::{parse_age, parse_bytes, parse_duration, parse_pause};

/// The heading of global options in help.
const HEADING: &str = "Global options";

/// The options of every command, before or after its name.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = HEADING)]
pub struct GlobalArgs {
    /// Folder of config.json [env: CEC_CONFIG]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath, hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// URL of the server [env: CEC_URL]
    #[arg(short, long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Personal access token, or - to read it from standard input [env: CEC_TOKEN]
    ///
    /// A token on the command line can be seen by other users of this machine; prefer CEC_TOKEN, --token-file or -.
    #[arg(short, long, global = true, value_name = "TOKEN", conflicts_with = "token_file", allow_hyphen_values = true)]
    pub token: Option<SecretString>,
    /// File that contains the token [env: CEC_TOKEN_FILE]
    #[arg(long, alias = "token_file", global = true, value_name = "FILE", hide_short_help = true)]
    pub token_file: Option<PathBuf>,
    /// Login name, used together with a password [env: CEC_LOGIN]
    #[arg(long, global = true, value_name = "NAME")]
    pub login: Option<String>,
    /// Password, or - to read it from standard input [env: CEC_PASSWORD]
    ///
    /// A password on the command line can be seen by other users of this machine; prefer CEC_PASSWORD or -.
    #[arg(long, global = true, value_name = "PASSWORD", allow_hyphen_values = true)]
    pub password: Option<SecretString>,
    /// Stored account to use: its id or label [env: CEC_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// URL of a public link to use instead of an account [env: CEC_LINK, CEC_LINK_PASSWORD]
    #[arg(long = "link", global = true, value_name = "URL", hide_short_help = true)]
    pub public_link: Option<String>,
    /// Accept any TLS certificate (dangerous) [env: CEC_SKIP_VERIFY]
    #[arg(
        long, alias = "skip_verify", global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true
    )]
    pub skip_verify: Option<bool>,
    /// PEM file with additional certificate authorities to trust [env: CEC_CA_CERT]
    #[arg(long, alias = "ca_cert", global = true, value_name = "FILE", hide_short_help = true)]
    pub ca_cert: Option<PathBuf>,
    /// PEM file with a client certificate; requires --client-key [env: CEC_CLIENT_CERT]
    #[arg(long, alias = "client_cert", global = true, value_name = "FILE", hide_short_help = true)]
    pub client_cert: Option<PathBuf>,
    /// PEM file with the key of the client certificate [env: CEC_CLIENT_KEY]
    #[arg(long, alias = "client_key", global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<PathBuf>,
    /// Extra request header; can be repeated [env: CEC_HEADER, one per line]
    #[arg(long, global = true, value_name = "NAME: VALUE", hide_short_help = true)]
    pub header: Vec<SecretString>,
    /// Proxy for all requests; '' for none [env: CEC_PROXY, else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub proxy: Option<SecretString>,
    /// Keep secrets in config.json instead of the system keyring [env: CEC_SKIP_KEYRING]
    #[arg(
        long, alias = "skip_keyring", global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true
    )]
    pub skip_keyring: Option<bool>,
    /// Write log messages of this level or higher to standard error [env: CEC_LOG]
    #[arg(long, global = true, value_name = "LEVEL", value_enum, hide_short_help = true)]
    pub log: Option<LogLevel>,
    /// Write the log to a file instead of standard error [env: CEC_LOG_FILE]
    #[arg(long, alias = "log_file", global = true, value_name = "FILE", hide_short_help = true)]
    pub log_file: Option<PathBuf>,
    /// Print only results, warnings and errors, no status lines [env: CEC_QUIET]
    #[arg(
        short, long, global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub quiet: Option<bool>,
    /// When to use colors [env: CEC_COLOR, NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub color: Option<ColorChoice>,
    /// Show all columns of tables, regardless of the terminal width [env: CEC_WIDE]
    #[arg(
        long, global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true
    )]
    pub wide: Option<bool>,
    /// Never prompt; fail if input is needed [env: CEC_NO_INPUT, CI]
    #[arg(
        long, alias = "no_input", global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true
    )]
    pub no_input: Option<bool>,
    /// Print results as JSON on standard output, and errors as JSON on standard error [env: CEC_JSON]
    #[arg(
        long, global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub json: Option<bool>,
    /// Do not cache listings for the completion of paths [env: CEC_NO_CACHE]
    #[arg(
        long, alias = "no_cache", global = true, value_name = "BOOL", value_parser = env::parse_switch,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true
    )]
    pub no_cache: Option<bool>,
    /// Filter the JSON results with a jq expression; prints strings raw (implies --json) [env: CEC_JQ]
    #[arg(long, global = true, value_name = "EXPRESSION", hide_short_help = true)]
    pub jq: Option<String>,
    /// Longest silence on a connection, such as 90s or 2m [env: CEC_TIMEOUT; default 90s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration, hide_short_help = true)]
    pub timeout: Option<Duration>,
    /// Time limit for opening a connection [env: CEC_CONNECT_TIMEOUT; default 10s]
    #[arg(
        long, alias = "connect_timeout", global = true, value_name = "DURATION", value_parser = parse_duration,
        hide_short_help = true
    )]
    pub connect_timeout: Option<Duration>,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// If the output is a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as clap::ValueEnum>::from_str(text, true).map_err(|_| "expected auto, always or never".to_owned())
    }
}

/// The minimum level of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Failures.
    #[value(alias = "err", alias = "fatal", alias = "panic", alias = "dpanic")]
    Error,
    /// Unusual events.
    #[value(alias = "warning")]
    Warn,
    /// What the program is doing.
    #[value(alias = "information", alias = "production")]
    Info,
    /// Details.
    #[value(alias = "development")]
    Debug,
    /// Everything.
    Trace,
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as clap::ValueEnum>::from_str(text, true)
            .map_err(|_| "expected error, warn, info, debug or trace".to_owned())
    }
}

/// Settings contradict each other or are not valid. Always a usage error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// What is not valid, without secrets.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl SettingsError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

impl From<EnvError> for SettingsError {
    fn from(error: EnvError) -> Self {
        Self::new(error.to_string())
    }
}

/// The output settings.
#[derive(Debug, Clone, Default)]
pub struct OutputSettings {
    /// Print results as JSON.
    pub json: bool,
    /// A jq expression for JSON results; implies `json`.
    pub jq: Option<String>,
    /// Print no status lines.
    pub quiet: bool,
    /// When to use colors, with the conventions of the environment applied.
    pub color: ColorChoice,
    /// Print all columns of tables, whatever the terminal's width.
    pub wide: bool,
    /// Draw nothing that moves: the terminal is recorded, or cannot move the cursor.
    pub still: bool,
    /// Never prompt.
    pub no_input: bool,
    /// The minimum level of log messages; `None` for no log.
    pub log: Option<LogLevel>,
    /// The log file; `None` for standard error.
    pub log_file: Option<PathBuf>,
}

impl OutputSettings {
    /// Resolves options, with the environment as the fallback.
    ///
    /// # Errors
    /// The value of an environment variable is not valid.
    pub fn resolve(flags: &GlobalArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let log_file = flags.log_file.clone().or_else(|| environment.path(env::LOG_FILE));
        let log = match flags.log {
            Some(level) => Some(level),
            None => environment.value(env::LOG)?.or_else(|| log_file.as_ref().map(|_| LogLevel::Info)),
        };
        let switch = |flag: Option<bool>, name, default| match flag {
            Some(flag) => Ok(flag),
            None => environment.switch(name).map(|variable| variable.unwrap_or(default)),
        };
        let ci = matches!(environment.switch(env::CI), Ok(Some(true)));
        let jq = match &flags.jq {
            Some(expression) => Some(expression.clone()),
            // An expression in the environment must not override `--json=false`.
            None => environment.text(env::JQ)?.filter(|_| flags.json != Some(false)).map(str::to_owned),
        };
        Ok(Self {
            json: jq.is_some() || switch(flags.json, env::JSON, false)?,
            jq,
            quiet: switch(flags.quiet, env::QUIET, false)?,
            color: match flags.color {
                Some(choice) => choice,
                None => environment.value(env::COLOR)?.unwrap_or_else(|| conventional_color(environment)),
            },
            wide: switch(flags.wide, env::WIDE, false)?,
            still: ci || is_dumb(environment),
            no_input: switch(flags.no_input, env::NO_INPUT, ci)?,
            log,
            log_file,
        })
    }
}

/// Returns the color choice from NO_COLOR, CLICOLOR_FORCE and TERM.
fn conventional_color(environment: &Environment) -> ColorChoice {
    if environment.is_set(env::NO_COLOR) {
        return ColorChoice::Never;
    }
    if matches!(environment.text(env::CLICOLOR_FORCE), Ok(Some(value)) if value != "0") {
        return ColorChoice::Always;
    }
    if is_dumb(environment) {
        return ColorChoice::Never;
    }
    ColorChoice::Auto
}

/// Whether the terminal does not support escape sequences.
fn is_dumb(environment: &Environment) -> bool {
    matches!(environment.text(env::TERM), Ok(Some("dumb")))
}

/// The connection settings.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// Accept any certificate; `None` if only the stored account can decide.
    pub skip_verify: Option<bool>,
    /// A PEM file with additional certificate authorities.
    pub ca_cert: Option<PathBuf>,
    /// PEM files with a client certificate and its key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// The variable that names the client certificate, if any.
    pub identity_variable: Option<&'static str>,
    /// Additional request headers from options. Their values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Request headers from the environment, which belong to the environment's server: see
    /// [`AccountParts::is_of_environment`].
    pub environment_headers: Vec<(String, SecretString)>,
    /// A proxy for all requests. Its URL may contain a password. An empty one means no proxy.
    pub proxy: Option<SecretString>,
    /// The proxies of the environment, with the names of their variables.
    pub proxy_variables: ProxyTexts,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// Time limit for opening a connection.
    pub connect_timeout: Duration,
}

impl ConnectionSettings {
    fn resolve(flags: &GlobalArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let certificate = flags.client_cert.clone().or_else(|| environment.path(env::CLIENT_CERT));
        let key = flags.client_key.clone().or_else(|| environment.path(env::CLIENT_KEY));
        let client_identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(SettingsError::new("--client-cert and --client-key must be used together")),
        };
        let skip_verify = match (flags.skip_verify, environment.switch(env::SKIP_VERIFY)?) {
            (None, None) => environment.switch(env::LEGACY_SKIP_VERIFY)?,
            (flag, variable) => flag.or(variable),
        };
        let proxy = match &flags.proxy {
            Some(proxy) => Some(proxy.clone()),
            None => environment.text(env::PROXY)?.map(SecretString::from),
        };
        let idle = match flags.timeout {
            Some(duration) => Some(duration),
            None => environment.read(env::TIMEOUT, parse_duration)?,
        };
        let connect = match flags.connect_timeout {
            Some(duration) => Some(duration),
            None => environment.read(env::CONNECT_TIMEOUT, parse_duration)?,
        };
        Ok(Self {
            skip_verify,
            ca_cert: flags.ca_cert.clone().or_else(|| environment.path(env::CA_CERT)),
            identity_variable: (client_identity.is_some() && flags.client_cert.is_none()).then_some(env::CLIENT_CERT),
            client_identity,
            headers: headers("--header", flags.header.iter().map(ExposeSecret::expose_secret))?,
            environment_headers: headers(env::HEADER, environment.text(env::HEADER)?.unwrap_or_default().lines())?,
            proxy,
            proxy_variables: ProxyTexts::resolve(environment)?,
            idle_timeout: idle.unwrap_or(Duration::from_secs(90)),
            connect_timeout: connect.unwrap_or(Duration::from_secs(10)),
        })
    }
}

fn headers<'a>(name: &str, lines: impl Iterator<Item = &'a str>) -> Result<Vec<(String, SecretString)>, SettingsError> {
    lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| match line.split_once(':') {
            Some((header, value)) if !header.trim().is_empty() => {
                Ok((header.trim().to_owned(), SecretString::from(value.trim())))
            }
            _ => Err(SettingsError::new(format!("a header in {name} does not have the form 'Name: value'"))),
        })
        .collect()
}

/// A value with its origin.
#[derive(Debug, Clone)]
pub struct WithOrigin<T> {
    /// The value.
    pub value: T,
    /// The option or variable that it comes from, for messages.
    pub name: &'static str,
    /// Whether it comes from an option.
    pub by_flag: bool,
}

impl<T> WithOrigin<T> {
    /// Creates a value from an option or another argument.
    pub fn flag(value: T, name: &'static str) -> Self {
        Self { value, name, by_flag: true }
    }

    fn variable(value: T, name: &'static str) -> Self {
        Self { value, name, by_flag: false }
    }
}

/// The parts of an account in options and environment.
#[derive(Debug, Clone, Default)]
pub struct AccountParts {
    /// The server from an option, as typed.
    url_flag: Option<WithOrigin<String>>,
    /// The server from the environment, as set.
    url_variable: Option<WithOrigin<String>>,
    /// The origin of the token.
    pub token: Option<WithOrigin<TokenOrigin>>,
    /// The login name.
    pub login: Option<WithOrigin<String>>,
    /// The password.
    pub password: Option<WithOrigin<SecretString>>,
    /// The stored account to use.
    pub profile: Option<WithOrigin<String>>,
    /// The public link to use instead of an account.
    pub link: Option<WithOrigin<LinkUrl>>,
    /// The public link in the environment, which the link password in the environment belongs to.
    link_variable: Option<LinkUrl>,
    /// The password of a public link.
    pub link_password: Option<SecretString>,
}

impl AccountParts {
    fn resolve(flags: &GlobalArgs, environment: &Environment) -> Result<Self, SettingsError> {
        // Returns the first of these variables that is set.
        let text = |names: &[&'static str]| -> Result<_, EnvError> {
            for &name in names {
                if let Some(value) = environment.text(name)? {
                    return Ok(Some(WithOrigin::variable(value.to_owned(), name)));
                }
            }
            Ok(None)
        };
        let flag = |value: &Option<String>, name| value.clone().map(|value| WithOrigin::flag(value, name));
        let link_variable = text(&[env::LINK])?.as_ref().map(parse_given_link).transpose()?;
        Ok(Self {
            link_variable: link_variable.as_ref().map(|given| given.value.clone()),
            url_flag: flag(&flags.url, "--url"),
            url_variable: text(&[env::URL, env::LEGACY_URL])?,
            token: token(flags, environment)?,
            login: match flag(&flags.login, "--login") {
                Some(login) => Some(login),
                None => text(&[env::LOGIN, env::LEGACY_LOGIN])?,
            },
            password: match &flags.password {
                Some(password) => Some(WithOrigin::flag(password.clone(), "--password")),
                None => text(&[env::PASSWORD, env::LEGACY_PASSWORD])?
                    .map(|given| WithOrigin::variable(SecretString::from(given.value), given.name)),
            },
            profile: match flag(&flags.profile, "--profile") {
                Some(profile) => Some(profile),
                None => text(&[env::PROFILE])?,
            },
            link: match flag(&flags.public_link, "--link") {
                Some(link) => Some(parse_given_link(&link)?),
                None => link_variable,
            },
            link_password: text(&[env::LINK_PASSWORD])?.map(|given| SecretString::from(given.value)),
        })
    }

    /// Returns the server from an option or the environment.
    ///
    /// # Errors
    /// The text is not the URL of a server.
    pub fn url(&self) -> Result<Option<WithOrigin<ServerUrl>>, SettingsError> {
        self.url_flag.as_ref().or(self.url_variable.as_ref()).map(parse_given_url).transpose()
    }

    /// Whether the environment names this server, by its URL or by a public link; `None` if it names no server.
    ///
    /// # Errors
    /// The text is not the URL of a server.
    pub fn is_of_environment(&self, server: &ServerUrl) -> Result<Option<bool>, SettingsError> {
        let own = self.url_variable.as_ref().map(parse_given_url).transpose()?.map(|url| url.value);
        let of_link = self.link_variable.as_ref().map(|link| link.server().clone());
        let named: Vec<ServerUrl> = own.into_iter().chain(of_link).collect();
        Ok((!named.is_empty()).then(|| named.contains(server)))
    }

    /// Checks that a secret may be sent to a server. If the environment names a server, its secrets belong to that
    /// server.
    ///
    /// # Errors
    /// The environment names another server.
    pub fn check_destination<T>(
        &self,
        secret: &WithOrigin<T>,
        url: &WithOrigin<ServerUrl>,
    ) -> Result<(), SettingsError> {
        let (false, true, Some(variable)) = (secret.by_flag, url.by_flag, &self.url_variable) else { return Ok(()) };
        let own = parse_given_url(variable)?;
        if own.value == url.value {
            return Ok(());
        }
        Err(SettingsError::with_hint(
            format!("{} is set for {}, but {} names {}", secret.name, own.value, url.name, url.value),
            "give the credentials for that server as options, or unset the variables",
        ))
    }
}

/// Returns the token from an option or the environment: the token itself, a file, or a command.
fn token(flags: &GlobalArgs, environment: &Environment) -> Result<Option<WithOrigin<TokenOrigin>>, SettingsError> {
    let inline = |text: &str| match text {
        "-" => TokenOrigin::StandardInput,
        text => TokenOrigin::Inline(SecretString::from(text)),
    };
    if flags.token.is_some() && flags.token_file.is_some() {
        return Err(SettingsError::new("--token and --token-file cannot be used together"));
    }
    if let Some(token) = &flags.token {
        return Ok(Some(WithOrigin::flag(inline(token.expose_secret()), "--token")));
    }
    if let Some(file) = &flags.token_file {
        return Ok(Some(WithOrigin::flag(TokenOrigin::File(file.clone()), "--token-file")));
    }
    if let Some(token) = environment.text(env::TOKEN)? {
        return Ok(Some(WithOrigin::variable(inline(token), env::TOKEN)));
    }
    if let Some(file) = environment.path(env::TOKEN_FILE) {
        return Ok(Some(WithOrigin::variable(TokenOrigin::File(file), env::TOKEN_FILE)));
    }
    let command = environment.text(env::TOKEN_COMMAND)?;
    Ok(command.map(|command| WithOrigin::variable(TokenOrigin::Command(command.to_owned()), env::TOKEN_COMMAND)))
}

fn parse_given_url(given: &WithOrigin<String>) -> Result<WithOrigin<ServerUrl>, SettingsError> {
    match parse_url(&given.value) {
        Ok(value) => Ok(WithOrigin { value, name: given.name, by_flag: given.by_flag }),
        Err(error) => Err(SettingsError { message: format!("{}: {}", given.name, error.message), ..error }),
    }
}

fn parse_given_link(given: &WithOrigin<String>) -> Result<WithOrigin<LinkUrl>, SettingsError> {
    let (value, below) = parse_link(&given.value)?;
    if !below.is_empty() {
        return Err(SettingsError::with_hint(
            format!("{} is {value} with a path below it", given.name),
            "give only the link here, and the path as an argument of the command",
        ));
    }
    Ok(WithOrigin { value, name: given.name, by_flag: given.by_flag })
}

/// Parses the URL of a public link. Returns it with the path below it.
///
/// # Errors
/// The text is not such a URL. If it may contain a password, the error does not repeat it.
pub fn parse_link(text: &str) -> Result<(LinkUrl, String), SettingsError> {
    LinkUrl::parse(text).map_err(|error| match error {
        LinkUrlError::Server(error) => refused_url(text, error),
        error if text.contains('@') && !matches!(error, LinkUrlError::Name(_)) => {
            SettingsError::new("this is not the URL of a public link")
        }
        LinkUrlError::NoLink(_) => SettingsError::with_hint(
            error.to_string(),
            "use a URL such as https://files.example.com/public/1f0c6a3b9d20",
        ),
        error => SettingsError::new(error.to_string()),
    })
}

/// Parses the URL of a server. If the text may contain a password, the error does not repeat it.
///
/// # Errors
/// The text is not the URL of a server.
pub fn parse_url(text: &str) -> Result<ServerUrl, SettingsError> {
    ServerUrl::parse(text).map_err(|error| refused_url(text, error))
}

fn refused_url(text: &str, error: UrlError) -> SettingsError {
    match error {
        UrlError::Credentials => {
            SettingsError::with_hint(UrlError::Credentials.to_string(), "use --login and --password")
        }
        _ if text.contains('@') => SettingsError::new("this is not the URL of a server"),
        UrlError::Path(_, path) if path.starts_with("/public/") => SettingsError::with_hint(
            format!("'{}' is a public link, not a server", text.trim()),
            format!("use it without an account: {}", command_line("cec ls", &[text.trim()])),
        ),
        error => SettingsError::with_hint(error.to_string(), "use a URL such as https://files.example.com"),
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The output settings.
    pub output: OutputSettings,
    /// The connection settings.
    pub connection: ConnectionSettings,
    /// The parts of the account; [`Settings::selection`] selects the account from them.
    pub account: AccountParts,
    /// The folder of config.json; `None` if neither given nor defined by the environment.
    pub config_folder: Option<PathBuf>,
    /// The folder of what is unfinished; `None` as for `config_folder`.
    pub state_folder: Option<PathBuf>,
    /// Whether to store secrets in config.json instead of the system keyring.
    pub skip_keyring: bool,
    /// Whether to behave as if there were no system keyring.
    pub no_keyring: bool,
    /// Whether to request listings again for each completion.
    pub no_cache: bool,
    /// The environment, for the variables of single commands.
    pub environment: Environment,
}

impl Settings {
    /// Resolves options, with the environment and then defaults as the fallback.
    ///
    /// # Errors
    /// The value of an environment variable is not valid, or options contradict each other.
    pub fn resolve(flags: &GlobalArgs, environment: &Environment) -> Result<Self, SettingsError> {
        let chosen_folder = flags.config.clone().or_else(|| environment.path(env::CONFIG));
        Ok(Self {
            output: OutputSettings::resolve(flags, environment)?,
            connection: ConnectionSettings::resolve(flags, environment)?,
            account: AccountParts::resolve(flags, environment)?,
            config_folder: chosen_folder.clone().or_else(|| default_config_folder(environment, Platform::current())),
            state_folder: chosen_folder.or_else(|| default_state_folder(environment, Platform::current())),
            skip_keyring: match flags.skip_keyring {
                Some(flag) => flag,
                None => environment.switch(env::SKIP_KEYRING)?.unwrap_or(false),
            },
            no_keyring: environment.read(env::KEYRING, parse_keyring)?.unwrap_or(false),
            no_cache: match flags.no_cache {
                Some(flag) => flag,
                None => environment.switch(env::NO_CACHE)?.unwrap_or(false),
            },
            environment: environment.clone(),
        })
    }
}

/// Parses the choice of a keyring. Returns true for none.
fn parse_keyring(text: &str) -> Result<bool, String> {
    match text {
        "none" => Ok(true),
        "system" => Ok(false),
        _ => Err("expected system or none".to_owned()),
    }
}

/// The platform whose conventions determine the configuration folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Platform {
    Unix,
    MacOs,
    Windows,
}

impl Platform {
    fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Unix
        }
    }
}

/// Returns the default folder of config.json, which is that of the older client.
fn default_config_folder(environment: &Environment, platform: Platform) -> Option<PathBuf> {
    let home = || environment.path(env::HOME);
    let (base, vendor) = match platform {
        Platform::Unix => {
            let set = environment.path(env::XDG_CONFIG_HOME).filter(|path| path.is_absolute());
            (set.or_else(|| home().map(|home| home.join(".config")))?, "pydio")
        }
        Platform::MacOs => (home()?.join("Library").join("Application Support"), "Pydio"),
        Platform::Windows => (environment.path(env::APPDATA)?, "Pydio"),
    };
    Some(Path::new(&base).join(vendor).join("cells-client"))
}

/// Returns the default folder of what is unfinished.
fn default_state_folder(environment: &Environment, platform: Platform) -> Option<PathBuf> {
    let base = match platform {
        Platform::Unix => {
            let set = environment.path(env::XDG_STATE_HOME).filter(|path| path.is_absolute());
            let home = || environment.path(env::HOME).map(|home| home.join(".local").join("state"));
            set.or_else(home)?.join("pydio").join("cells-client")
        }
        Platform::MacOs => default_config_folder(environment, platform)?,
        Platform::Windows => environment.path(env::LOCALAPPDATA)?.join("Pydio").join("cells-client"),
    };
    Some(base)
}

#[cfg(test)]
mod tests;
