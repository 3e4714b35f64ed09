//! What `cec help` says of things that are no command.

/// The topics.
pub(super) const NAMES: &[&str] = &["exit-codes", "environment", "paths"];

/// One more, whose text is that of the first command's help.
pub(super) const OPTIONS: &str = "options";

/// The text of a topic.
pub(super) fn text(topic: &str) -> Option<&'static str> {
    match topic {
        "exit-codes" => Some(EXIT_CODES),
        "environment" => Some(ENVIRONMENT),
        "paths" => Some(PATHS),
        _ => None,
    }
}

const EXIT_CODES: &str = "\
Exit codes

  0    done
  1    failure: local I/O, a question answered No, differences found, a limit reached
  2    usage: an unknown command or flag, a bad value, a confirmation that nobody can give
  3    something does not exist: on the server, or a local file; ls --exists said false
  4    not signed in, or the token or password is refused
  5    permission denied, read-only, quota used up
  6    server unreachable, time-out, TLS refused, not a Cells server; an error of the server (5xx)
       or a lock that outlived all retries
  7    some items failed, others did not
  8    the target exists
  9    integrity: bytes differ from what they should be
  10   a job on the server failed
  129  ended by SIGHUP
  130  ended by SIGINT (Ctrl-C)
  143  ended by SIGTERM

With one operand the code is that operand's. With several it is 7 if any succeeded, else the code
that all failures have in common, else 1.
";

const ENVIRONMENT: &str = "\
Environment variables

A flag wins over its variable; a variable set to nothing counts as not set. Switches take true, t,
1, yes, y, on and their opposites.

Account:
  CEC_URL                  server (--url)
  CEC_TOKEN                personal access token, or - for standard input (--token)
  CEC_TOKEN_FILE           file that holds the token (--token-file)
  CEC_TOKEN_COMMAND        shell command that prints the token within 30 seconds
  CEC_LOGIN                login name (--login)
  CEC_PASSWORD             password, or - for standard input (--password)
  CEC_PROFILE              stored account, by id or label (--profile)
  CEC_LINK                 public link to work in, instead of an account (--link)
  CEC_LINK_PASSWORD        password of the public link, of CEC_LINK where that is set
  CEC_CONFIG               folder of config.json (--config)
  CEC_SKIP_KEYRING         keep secrets in config.json (--skip-keyring)
  CEC_KEYRING              none: as if there were no system keyring; system is the default

Connection:
  CEC_SKIP_VERIFY          accept any TLS certificate (--skip-verify)
  CEC_CA_CERT              PEM file of further certificate authorities (--ca-cert)
  CEC_CLIENT_CERT          PEM file of a client certificate (--client-cert)
  CEC_CLIENT_KEY           PEM file of its key (--client-key)
  CEC_HEADER               further request headers, one a line (--header)
  CEC_PROXY                proxy; else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (--proxy)
  CEC_RETRY_MAX_ATTEMPTS   how often a request is tried in all: 5, of scp 8; 0: any number
  CEC_RETRY_MAX_BACKOFF    longest pause between two attempts: 10s, of scp 30s
  CEC_TIMEOUT              longest silence of a connection, such as 90s (--timeout)
  CEC_CONNECT_TIMEOUT      longest time to make a connection (--connect-timeout)

Output:
  CEC_JSON                 results and errors as JSON (--json)
  CEC_JQ                   jq expression that JSON results go through (--jq)
  CEC_NO_CACHE             keep no listings between completions (--no-cache)
  CEC_QUIET                no status lines (--quiet)
  CEC_COLOR                auto, always or never (--color); NO_COLOR, CLICOLOR_FORCE and
                           TERM=dumb are heeded too
  CEC_WIDE                 all columns of tables, whatever the width of the terminal (--wide)
  CEC_NO_INPUT             never ask (--no-input); CI=true does the same
  CEC_LOG                  error, warn, info, debug or trace (--log)
  CEC_LOG_FILE             file for the log (--log-file)

Transfers (see cec scp --help):
  CEC_PART_SIZE, CEC_TRANSFERS, CEC_PARTS_CONCURRENCY, CEC_MAX_PARTS_NUMBER,
  CEC_MULTIPART_THRESHOLD, CEC_SKIP_MD5, CEC_NO_PROGRESS, CEC_VERBOSE, CEC_VERY_VERBOSE,
  CEC_MULTIPART_DEBUG_FLAGS

Updates (see cec update --help):
  CEC_UPDATE_URL           where to ask
  CEC_UPDATE_KEY           PEM file of the public key that updates must be signed with

The completion script of bash sets CEC_COMPLETE_BREAKS for itself.

The older client's CELLS_CLIENT_TARGET_URL, CELLS_CLIENT_TARGET_USER_LOGIN,
CELLS_CLIENT_TARGET_USER_PWD and CELLS_CLIENT_TARGET_SKIP_VERIFY are read if the CEC_ variable of
the same meaning is not set.
";

const PATHS: &str = "\
Paths

A path on the server is workspace/folder/file. It may be written with the prefix cells:// in every
command, and must be in scp, which tells the two sides apart by it. Without a path, ls lists the
workspaces.

Patterns: * stands for any text within a name, ? for one character, [a-z] for one of several, {a,b}
for either text, and ** for any folders. In rm, % as the last name stands for *. Quote patterns, or
the shell takes them for local ones. Name by name, what exists under the very name that is written
wins over the pattern. A backslash takes the meaning of the character after it away, as in
'common-files/\\[2031\\] album/*'; --no-glob takes it from all, as is right for names from a list.

A public link, https://HOST/public/HASH, stands for what it opens, and its URL with /folder/file at
its end for something in it; no account is needed. One command works in one link. In its results
paths begin with the HASH. With --link URL, or CEC_LINK, paths are in the link however they are
written: folder/file, HASH/folder/file, or / for all of it. The password of a link comes from
CEC_LINK_PASSWORD, or is asked for on a terminal.

Examples:
  cec ls common-files/reports
  cec ls 'common-files/**/*.pdf'
  cec scp 'cells://common-files/reports/*.pdf' .
  cec scp https://files.example.com/public/1f0c6a3b9d20 .
  cec scp photo.jpg https://files.example.com/public/1f0c6a3b9d20/photos/
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_fit_and_name_every_variable() {
        for topic in NAMES {
            assert!(text(topic).expect(topic).lines().all(|line| line.chars().count() <= 100), "{topic}");
        }
        let code = include_str!("../env.rs").split("#[cfg(test)]").next().expect("code");
        let names = code.split('"').filter(|word| word.starts_with("CEC_") || word.starts_with("CELLS_CLIENT_"));
        names.for_each(|name| assert!(ENVIRONMENT.contains(name), "{name}"));
    }
}
