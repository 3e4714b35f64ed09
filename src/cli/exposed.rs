//! Secrets that stand on the command line itself, where other users of the machine can see them.

use secrecy::{ExposeSecret as _, SecretString};

use super::{AnyCommand, Cli, Command, ConfigCommand};
use crate::http::redact;
use crate::settings::GlobalArgs;

impl Cli {
    /// The flags whose values are secrets that can be seen by others. `-` stands for standard input and is none.
    pub fn exposed(&self) -> Vec<&'static str> {
        let mut flags = of_globals(&self.globals);
        if let AnyCommand::Online(Command::Configure(arguments) | Command::Config(ConfigCommand::Add(arguments))) =
            &self.command
            && arguments.access_token().is_some_and(is_inline)
        {
            flags.push("--id-token");
        }
        flags
    }
}

fn is_inline(secret: &SecretString) -> bool {
    secret.expose_secret() != "-"
}

fn of_globals(globals: &GlobalArgs) -> Vec<&'static str> {
    let header = |header: &SecretString| {
        let name = header.expose_secret().split(':').next().unwrap_or_default().trim();
        name.parse().is_ok_and(|name| redact::is_secret(&name))
    };
    // user:password@ stands before the host.
    let proxy = |proxy: &SecretString| {
        let text = proxy.expose_secret();
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
        let user = authority.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
        user.is_some_and(|(user, _)| user.contains(':'))
    };
    [
        ("--token", globals.token.as_ref().is_some_and(is_inline)),
        ("--password", globals.password.as_ref().is_some_and(is_inline)),
        ("--header", globals.header.iter().any(header)),
        ("--proxy", globals.proxy.as_ref().is_some_and(proxy)),
    ]
    .into_iter()
    .filter_map(|(name, exposed)| exposed.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::cli::parse;
    use crate::env::Environment;

    #[test]
    fn every_flag_that_takes_a_secret_is_known() {
        for (arguments, flags) in [
            (&["ls"][..], &[][..]),
            (&["ls", "-t", "abc"], &["--token"]),
            (&["ls", "-t", "-"], &[]),
            (&["ls", "--password", "abc", "--token=def"], &["--token", "--password"]),
            (&["ls", "--password", "-"], &[]),
            (&["ls", "--header", "Authorization: Basic abc"], &["--header"]),
            (&["ls", "--header", "X-Trace: 1", "--header", "CF-Access-Client-Secret: abc"], &["--header"]),
            (&["ls", "--header", "X-Trace: 1"], &[]),
            (&["ls", "--proxy", "http://user:pw@proxy:3128"], &["--proxy"]),
            (&["ls", "--proxy", "user:pw@proxy"], &["--proxy"]),
            (&["ls", "--proxy", "http://proxy:3128/@:"], &[]),
            (&["configure", "oauth", "--id-token", "abc"], &["--id-token"]),
            (&["config", "add", "oauth", "--id-token", "abc"], &["--id-token"]),
            (&["config", "add", "oauth", "--id-token", "-"], &[]),
            (&["configure", "token", "-t", "abc"], &["--token"]),
            (&["configure", "client-auth", "--password", "abc"], &["--password"]),
        ] {
            let line: Vec<_> = std::iter::once("cec").chain(arguments.iter().copied()).map(Into::into).collect();
            let cli = parse(&line, &Environment::default()).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
            assert_eq!(cli.exposed(), flags, "{arguments:?}");
        }
    }
}
