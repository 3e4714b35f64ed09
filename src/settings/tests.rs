use clap::Parser;
use secrecy::ExposeSecret;

use super::*;

#[derive(Parser)]
struct Harness {
    #[command(flatten)]
    globals: GlobalArgs,
}

fn settings(flags: &[&str], variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let harness = Harness::try_parse_from([&["cec"], flags].concat()).expect("flags");
    Settings::resolve(&harness.globals, &variables.iter().copied().collect())
}

/// Returns the selection as one line.
fn selected(flags: &[&str], variables: &[(&str, &str)]) -> String {
    let selection = match settings(flags, variables).and_then(|settings| settings.selection()) {
        Ok(selection) => selection,
        Err(error) => return format!("error: {error}"),
    };
    match selection {
        Selection::Link { link, password } => {
            format!("link {link} {}", if password.is_some() { "with" } else { "without" })
        }
        Selection::Unstored { url, login, secret, .. } => {
            let secret = match secret {
                UnstoredSecret::Token(TokenOrigin::Inline(token)) => format!("token {}", token.expose_secret()),
                UnstoredSecret::Token(TokenOrigin::StandardInput) => "token from input".to_owned(),
                UnstoredSecret::Token(TokenOrigin::File(file)) => format!("token in {}", file.display()),
                UnstoredSecret::Token(TokenOrigin::Command(command)) => format!("token by {command}"),
                UnstoredSecret::Password(password) => format!("password {}", password.expose_secret()),
            };
            format!("{url} {} {secret}", login.as_deref().unwrap_or("?"))
        }
        Selection::Stored { profile, claim } => {
            let url = claim.url.map(|url| format!(" at {}", url.value)).unwrap_or_default();
            let login = claim.login.map(|login| format!(" as {}", login.value)).unwrap_or_default();
            format!("stored {}{url}{login}", profile.as_deref().unwrap_or("active"))
        }
    }
}

#[test]
fn a_link_takes_the_place_of_an_account() {
    const LINK: &str = "https://h/public/1f0c6a3b9d20";
    const OTHER: &str = "https://h/public/000000000000";
    let account = [("CEC_URL", "https://e"), ("CEC_TOKEN", "ET"), ("CEC_PROFILE", "ep")];
    let with_link: Vec<_> = [&account[..], &[("CEC_LINK", LINK), ("CEC_LINK_PASSWORD", "lp")]].concat();
    for (flags, variables, expected) in [
        (&["--link", LINK][..], &account[..], "link https://h/public/1f0c6a3b9d20 without".to_owned()),
        (&[], &with_link, format!("link {LINK} with")),
        (&["--link", LINK], &with_link, format!("link {LINK} with")),
        // The link password in the environment belongs to the environment's link.
        (&["--link", OTHER], &with_link, format!("link {OTHER} without")),
        (&["--link", OTHER], &[("CEC_LINK_PASSWORD", "lp")], format!("link {OTHER} with")),
        // An option that names an account has priority over the environment's link.
        (&["--profile", "fp"], &with_link, "stored fp".to_owned()),
        (&["--url", "https://f", "--token", "FT"], &with_link, "https://f ? token FT".to_owned()),
        (&["--link", LINK, "--token", "FT"], &[], "error: --token and --link cannot be used together".to_owned()),
        (&["--link", LINK, "--profile", "fp"], &[], "error: --profile and --link cannot be used together".to_owned()),
        (&["--link", "https://h"], &[], "error: 'https://h' is not the URL of a public link".to_owned()),
        (
            &["--link", "https://h/public/x/a"],
            &[],
            "error: --link is https://h/public/x with a path below it".to_owned(),
        ),
    ] {
        assert_eq!(selected(flags, variables), expected, "{flags:?}");
    }
    let error = settings(&["--link", "https://u:secret@h/public/x"], &[]).expect_err("credentials").to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn the_first_that_applies_is_used() {
    const ENV: &[(&str, &str)] = &[("CEC_URL", "https://e"), ("CEC_TOKEN", "ET")];
    let with_profile: Vec<_> = [ENV, &[("CEC_PROFILE", "ep")]].concat();
    for (flags, variables, expected) in [
        (&[][..], &[][..], "stored active"),
        (&[], &[("CEC_PROFILE", "ep")], "stored ep"),
        (&[], ENV, "https://e ? token ET"),
        (&[], &with_profile, "https://e ? token ET"),
        (&["--profile", "fp"], &with_profile, "stored fp"),
        (&["--url", "https://f", "--token", "FT"], &with_profile, "https://f ? token FT"),
        (&["--url", "https://f", "--token", "FT", "--profile", "fp"], &[], "https://f ? token FT"),
        (&["--url", "https://f", "--login", "l", "--password", "p"], ENV, "https://f l password p"),
        (&["--url", "https://f", "--login", "l", "--password", "p", "-t", "T"], ENV, "https://f l token T"),
        (&["-u", "https://f", "-t", "-"], &[], "https://f ? token from input"),
        // One in 64 tokens starts with a dash.
        (&["-u", "https://f", "-t", "-Yx_"], &[], "https://f ? token -Yx_"),
        (&["-u", "https://f", "--login", "l", "--password", "--p"], &[], "https://f l password --p"),
        (&["-u", "https://f", "--token-file", "/t"], &[("CEC_TOKEN", "x")], "https://f ? token in /t"),
        (&[], &[("CEC_URL", "https://e"), ("CEC_TOKEN_FILE", "/t")], "https://e ? token in /t"),
        (&[], &[("CEC_URL", "https://e"), ("CEC_TOKEN_COMMAND", "pass x")], "https://e ? token by pass x"),
        // Each value is resolved by itself: an option has priority over its variable.
        (&["--token", "FT"], ENV, "https://e ? token FT"),
        (&["--url", "https://f"], &[("CEC_TOKEN", "ET")], "https://f ? token ET"),
        (&["--login", "l", "--password", "p"], ENV, "https://e l password p"),
        (&["--password", "p"], &[("CEC_URL", "https://e"), ("CEC_LOGIN", "l")], "https://e l password p"),
        (&["--url", "https://e"], ENV, "https://e ? token ET"),
    ] {
        assert_eq!(selected(flags, variables), expected, "{flags:?} {variables:?}");
    }
}

#[test]
fn legacy_variables_fill_in_and_values_may_hold_equals_signs() {
    const LEGACY: &[(&str, &str)] = &[
        ("CELLS_CLIENT_TARGET_URL", "http://old:8080"),
        ("CELLS_CLIENT_TARGET_USER_LOGIN", "bob"),
        ("CELLS_CLIENT_TARGET_USER_PWD", "p=a=s"),
        ("CELLS_CLIENT_TARGET_SKIP_VERIFY", "true"),
    ];
    assert_eq!(selected(&[], LEGACY), "http://old:8080 bob password p=a=s");
    let resolved = settings(&[], LEGACY).expect("settings");
    assert_eq!(resolved.connection.skip_verify, Some(true));
    let newer: Vec<_> = [LEGACY, &[("CEC_URL", "https://new"), ("CEC_SKIP_VERIFY", "no")]].concat();
    assert_eq!(selected(&[], &newer), "https://new bob password p=a=s");
    assert_eq!(settings(&[], &newer).expect("settings").connection.skip_verify, Some(false));
}

#[test]
fn what_is_not_enough_to_sign_in_is_a_claim_or_an_error() {
    for (flags, variables, expected) in [
        (&["--url", "https://f"][..], &[][..], "stored active at https://f"),
        (&[], &[("CEC_URL", "https://e")], "stored active at https://e"),
        (&["--profile", "p", "--url", "https://f"], &[], "stored p at https://f"),
        (&["--profile", "p"], &[("CEC_URL", "https://e")], "stored p"),
        (&["--profile", "p"], &[("CEC_TOKEN", "x")], "stored p"),
        (&["--login", "l"], &[], "stored active as l"),
        (&[], &[("CEC_LOGIN", "l")], "stored active as l"),
        (&["--profile", "p"], &[("CEC_LOGIN", "l")], "stored p"),
        (&["--token", "x"], &[], "error: --token needs the URL of its server"),
        (&[], &[("CEC_TOKEN", "x")], "error: CEC_TOKEN needs the URL of its server"),
        (&["--profile", "p", "--token", "x"], &[], "error: --token and --profile cannot be used together"),
        (&["--url", "https://f", "--password", "x"], &[], "error: --password needs a login name"),
        (
            &["--url", "https://f"],
            &[("CEC_URL", "https://e"), ("CEC_TOKEN", "x")],
            "error: CEC_TOKEN is set for https://e, but --url names https://f",
        ),
        (
            &[],
            &[("CEC_URL", "ftp://e")],
            "error: CEC_URL: 'ftp://e' has the scheme 'ftp'; only http and https are supported",
        ),
    ] {
        assert_eq!(selected(flags, variables), expected, "{flags:?} {variables:?}");
    }
}

#[test]
fn urls_with_passwords_are_never_repeated() {
    for url in ["https://u:secret@h", "ftp://u:secret@h", "https://u:secret@h/x y"] {
        let error = parse_url(url).expect_err("refused");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn every_global_flag_has_its_variable() {
    let resolved = settings(
        &[],
        &[
            ("CEC_CONFIG", "/c"),
            ("CEC_SKIP_VERIFY", "yes"),
            ("CEC_CA_CERT", "/ca"),
            ("CEC_CLIENT_CERT", "/cert"),
            ("CEC_CLIENT_KEY", "/key"),
            ("CEC_HEADER", "A: 1\nB: x:y\n"),
            ("CEC_PROXY", "http://p"),
            ("CEC_SKIP_KEYRING", "on"),
            ("CEC_LOG", "DEBUG"),
            ("CEC_LOG_FILE", "/log"),
            ("CEC_QUIET", "1"),
            ("CEC_COLOR", "always"),
            ("CEC_NO_INPUT", "1"),
            ("CEC_JSON", "1"),
            ("CEC_TIMEOUT", "2m"),
            ("CEC_CONNECT_TIMEOUT", "500ms"),
        ],
    )
    .expect("settings");
    let (output, connection) = (&resolved.output, &resolved.connection);
    assert_eq!(resolved.config_folder.as_deref(), Some(Path::new("/c")));
    assert!(resolved.skip_keyring && output.quiet && output.no_input && output.json);
    assert_eq!((output.log, output.color), (Some(LogLevel::Debug), ColorChoice::Always));
    assert_eq!(output.log_file.as_deref(), Some(Path::new("/log")));
    assert_eq!(connection.skip_verify, Some(true));
    assert_eq!(connection.ca_cert.as_deref(), Some(Path::new("/ca")));
    assert_eq!(connection.client_identity, Some(("/cert".into(), "/key".into())));
    assert!(connection.headers.is_empty() && connection.identity_variable.is_some());
    let headers: Vec<_> = connection
        .environment_headers
        .iter()
        .map(|(name, value)| format!("{name}={}", value.expose_secret()))
        .collect();
    assert_eq!(headers, ["A=1", "B=x:y"]);
    assert!(connection.proxy.is_some());
    assert_eq!(connection.idle_timeout, Duration::from_secs(120));
    assert_eq!(connection.connect_timeout, Duration::from_millis(500));
}

#[test]
fn a_bad_variable_is_an_error_that_names_it() {
    for (name, value) in [
        ("CEC_SKIP_VERIFY", "maybe"),
        ("CEC_TIMEOUT", "soon"),
        ("CEC_LOG", "loud"),
        ("CEC_COLOR", "red"),
        ("CEC_JSON", "x"),
        ("CELLS_CLIENT_TARGET_SKIP_VERIFY", "perhaps"),
    ] {
        let error = settings(&[], &[(name, value)]).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn flags_win_over_variables_and_old_spellings_parse() {
    let resolved = settings(
        &["--skip_verify=false", "--skip_keyring", "--connect_timeout", "3", "--no_input", "--color", "never"],
        &[("CEC_SKIP_VERIFY", "1"), ("CEC_CONNECT_TIMEOUT", "9s"), ("CEC_COLOR", "always")],
    )
    .expect("settings");
    assert_eq!(resolved.connection.skip_verify, Some(false));
    assert!(resolved.skip_keyring && resolved.output.no_input);
    assert_eq!(resolved.connection.connect_timeout, Duration::from_secs(3));
    assert_eq!(resolved.connection.idle_timeout, Duration::from_secs(90));
    assert_eq!(resolved.output.color, ColorChoice::Never);
}

#[test]
fn colours_follow_the_conventions() {
    for (variables, expected) in [
        (&[][..], ColorChoice::Auto),
        (&[("NO_COLOR", "1")], ColorChoice::Never),
        (&[("NO_COLOR", "")], ColorChoice::Auto),
        (&[("CLICOLOR_FORCE", "1")], ColorChoice::Always),
        (&[("CLICOLOR_FORCE", "0")], ColorChoice::Auto),
        (&[("TERM", "dumb")], ColorChoice::Never),
        (&[("NO_COLOR", "1"), ("CEC_COLOR", "always")], ColorChoice::Always),
    ] {
        assert_eq!(settings(&[], variables).expect("settings").output.color, expected, "{variables:?}");
    }
}

#[test]
fn the_configuration_folder_is_that_of_the_older_client() {
    let environment = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Environment>();
    let home = environment(&[("HOME", "/home/u"), ("APPDATA", "/roaming")]);
    let folder = |environment: &Environment, platform| default_config_folder(environment, platform);
    assert_eq!(folder(&home, Platform::Unix), Some("/home/u/.config/pydio/cells-client".into()));
    assert_eq!(folder(&home, Platform::MacOs), Some("/home/u/Library/Application Support/Pydio/cells-client".into()));
    assert_eq!(folder(&home, Platform::Windows), Some("/roaming/Pydio/cells-client".into()));
    let xdg = environment(&[("HOME", "/home/u"), ("XDG_CONFIG_HOME", "/x")]);
    assert_eq!(folder(&xdg, Platform::Unix), Some("/x/pydio/cells-client".into()));
    let relative = environment(&[("HOME", "/home/u"), ("XDG_CONFIG_HOME", "x")]);
    assert_eq!(folder(&relative, Platform::Unix), Some("/home/u/.config/pydio/cells-client".into()));
    assert_eq!(folder(&environment(&[]), Platform::Unix), None);
}

#[test]
fn durations_need_a_meaning() {
    assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("1.5"), Ok(Duration::from_millis(1500)));
    assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
    for text in ["", "0", "-3", "abc", "-5s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn debug_output_contains_no_secret() {
    let resolved = settings(
        &["--token", "s3cret", "--password", "s3cret", "--header", "X: s3cret", "--proxy", "http://u:s3cret@p"],
        &[("CEC_TOKEN", "s3cret"), ("CELLS_CLIENT_TARGET_USER_PWD", "s3cret")],
    )
    .expect("settings");
    assert!(!format!("{resolved:?}").contains("s3cret"));
}

#[test]
fn ages_and_sizes_are_read_with_their_units() {
    for (text, seconds) in [("90", 90), ("12h", 43_200), ("7d", 604_800), ("1.5d", 129_600), ("2w", 1_209_600)] {
        assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    for (text, bytes) in
        [("0", 0), ("500", 500), ("10k", 10_240), ("1.5M", 1_572_864), ("2GiB", 2 << 30), ("3 kb", 3072)]
    {
        assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
    }
    for text in ["", "d", "-1d", "0d", "soon", "7y"] {
        assert!(parse_age(text).is_err(), "{text}");
    }
    for text in ["", "k", "-1", "1x", "9999999P", "1e99"] {
        assert!(parse_bytes(text).is_err(), "{text}");
    }
}
