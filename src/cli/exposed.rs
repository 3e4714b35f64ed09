//! Finds secrets on the command line, where other users of the machine can see them: the values of all options that
//! take a `SecretString`.

use std::any::TypeId;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use secrecy::{ExposeSecret, SecretString};

use cells_client::http::redact;

/// Returns the options on a command line that contain a secret, global ones first.
pub(super) fn flags(tree: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut flags = Vec::new();
    let mut level = Some((tree, matches));
    while let Some((command, matches)) = level {
        // Global options appear in the matches of each level, so only the root's count.
        let own = command.get_arguments().filter(|argument| std::ptr::eq(command, tree) || !argument.is_global_set());
        let exposed = own.filter(|argument| shows_secret(argument, matches));
        flags.extend(exposed.filter_map(|argument| Some(format!("--{}", argument.get_long()?))));
        level = matches.subcommand().and_then(|(name, below)| Some((command.find_subcommand(name)?, below)));
    }
    flags
}

fn shows_secret(argument: &Arg, matches: &ArgMatches) -> bool {
    let id = argument.get_id().as_str();
    let is_secret = argument.get_value_parser().type_id() == TypeId::of::<SecretString>();
    if !is_secret || matches.value_source(id) != Some(ValueSource::CommandLine) {
        return false;
    }
    let mut values = matches.get_many::<SecretString>(id).into_iter().flatten().map(ExposeSecret::expose_secret);
    match id {
        "header" => values.any(is_secret_header),
        "proxy" => values.any(has_password),
        // A dash means standard input.
        _ => values.any(|value| value != "-"),
    }
}

fn is_secret_header(header: &str) -> bool {
    let name = header.split(':').next().unwrap_or_default().trim();
    name.parse().is_ok_and(|name| redact::is_secret(&name))
}

/// Whether the URL of a proxy contains `user:password@`.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = authority.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
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
            assert_eq!(cli.exposed, flags, "{arguments:?}");
        }
    }
}
