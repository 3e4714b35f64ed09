//! The texts of `cec help` for topics that are not commands.

/// The topics.
pub(super) const NAMES: &[&str] = &["exit-codes", "environment", "filters", "paths"];

/// Another topic; its text comes from the help of the root command.
pub(super) const OPTIONS: &str = "options";

/// Returns the text of a topic.
pub(super) fn text(topic: &str) -> Option<&'static str> {
    match topic {
        "exit-codes" => Some(EXIT_CODES),
        "environment" => Some(ENVIRONMENT),
        "filters" => Some(FILTERS),
        "paths" => Some(PATHS),
        _ => None,
    }
}

const EXIT_CODES: &str = "\
Exit codes

  0    done
  1    failure: local I/O, a question answered No, differences found, a limit reached
  2    usage: an unknown command or option, an invalid value, a confirmation that cec cannot ask for
  3    not found, on the server or locally; ls --exists printed false
  4    not signed in, or the server refuses the token or password
  5    permission denied, read-only, quota exceeded
  6    server unreachable, timeout, TLS refused, not a Cells server; a server error (5xx) or a lock
       that remains after all retries
  7    some items failed, others did not
  8    the target exists
  9    integrity: the content is not what it should be
  10   a job on the server failed
  129  terminated by SIGHUP
  130  interrupted by SIGINT (Ctrl-C)
  143  terminated by SIGTERM

With one operand, the code is that of the operand. With several, it is 7 if any succeeded, otherwise
the code that all failures share, or 1 if they differ.
";

const ENVIRONMENT: &str = "\
Environment variables

An option overrides its variable; an empty variable counts as not set. Switches accept true, t, 1,
yes, y, on and their opposites.

Account:
  CEC_URL                  server (--url)
  CEC_TOKEN                personal access token, or - for standard input (--token)
  CEC_TOKEN_FILE           file that contains the token (--token-file)
  CEC_TOKEN_COMMAND        shell command that prints the token within 30 seconds
  CEC_LOGIN                login name (--login)
  CEC_PASSWORD             password, or - for standard input (--password)
  CEC_PROFILE              stored account, by id or label (--profile)
  CEC_LINK                 public link to work in, instead of an account (--link)
  CEC_LINK_PASSWORD        password of the public link (of CEC_LINK if it is set)
  CEC_CONFIG               folder of config.json (--config)
  CEC_SKIP_KEYRING         keep secrets in config.json (--skip-keyring)
  CEC_KEYRING              none: use no system keyring; default: system

Connection:
  CEC_SKIP_VERIFY          accept any TLS certificate (--skip-verify)
  CEC_CA_CERT              PEM file of additional certificate authorities (--ca-cert)
  CEC_CLIENT_CERT          PEM file of a client certificate (--client-cert)
  CEC_CLIENT_KEY           PEM file of its key (--client-key)
  CEC_HEADER               additional request headers, one per line (--header)
  CEC_PROXY                proxy; else HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (--proxy)
  CEC_RETRY_MAX_ATTEMPTS   attempts per request: 5, in scp 8; 0: no limit
  CEC_RETRY_MAX_BACKOFF    longest pause between two attempts: 10s, in scp 30s
  CEC_TIMEOUT              longest time without data, such as 90s (--timeout)
  CEC_CONNECT_TIMEOUT      longest time to connect (--connect-timeout)

Output:
  CEC_JSON                 results and errors as JSON (--json)
  CEC_JQ                   jq expression that filters JSON results (--jq)
  CEC_NO_CACHE             keep no listings for completion (--no-cache)
  CEC_QUIET                no status lines (--quiet)
  CEC_COLOR                auto, always or never (--color); NO_COLOR, CLICOLOR_FORCE and
                           TERM=dumb also apply
  CEC_WIDE                 all columns of tables, regardless of the terminal's width (--wide)
  CEC_NO_INPUT             never ask (--no-input); CI=true does the same
  CEC_LOG                  error, warn, info, debug or trace (--log)
  CEC_LOG_FILE             file for the log (--log-file)

Transfers (see cec scp --help):
  CEC_PART_SIZE, CEC_TRANSFERS, CEC_PARTS_CONCURRENCY, CEC_MAX_PARTS_NUMBER,
  CEC_MULTIPART_THRESHOLD, CEC_BWLIMIT, CEC_TPSLIMIT, CEC_MAX_TRANSFER, CEC_MAX_DURATION,
  CEC_RETRY_MAX_ELAPSED, CEC_SKIP_MD5, CEC_NO_PROGRESS, CEC_VERBOSE, CEC_VERY_VERBOSE,
  CEC_MULTIPART_DEBUG_FLAGS

Updates (see cec update --help):
  CEC_UPDATE_URL           URL of the update server
  CEC_UPDATE_KEY           PEM file of the public key that updates must be signed with

The bash completion script sets CEC_COMPLETE_BREAKS itself.

The older client's CELLS_CLIENT_TARGET_URL, CELLS_CLIENT_TARGET_USER_LOGIN,
CELLS_CLIENT_TARGET_USER_PWD and CELLS_CLIENT_TARGET_SKIP_VERIFY are read if the CEC_ variable of
the same meaning is not set.
";

const FILTERS: &str = "\
Filters

scp, find, ls, tree, du and rm select the files of a folder by patterns, in rclone's grammar:

  *          any text without a /
  **         any text
  ?          one character except /
  [a-z]      one of these characters; [!a-z] and [^a-z]: another one; \\d, \\s, \\w: a class
  {a,b}      either pattern
  {{a|b+}}   a regular expression
  \\*         the character * itself

A pattern is compared with the path below the folder that the command names. If it starts with /, it
matches from there: /docs/*.pdf. Otherwise it matches from any /: *.pdf, docs/*.pdf. Patterns are
about files. DIR/** matches all files in a folder, and so the folder is not even read; DIR/ means
the same in an exclusion. A letter with an accent matches in both of its Unicode forms.

The first rule that matches a file decides; without one, the file is selected. First come all rules
of --include and --include-from, then those of --exclude and --exclude-from, then those of --filter
and --filter-from. --include and --include-from add a rule at the end that leaves out all other
files. --filter takes the rules in your order: '+ PATTERN' includes, '- PATTERN' leaves out, '!'
removes the rules before it. In a file, lines that start with # or ; are comments.

--min-size, --max-size, --min-age and --max-age apply in addition. --files-from FILE names all files
instead; a listed file that is missing counts as failed.

In an upload, a .cellsignore file leaves out files and folders of its folder and all below, in the
grammar of .gitignore; --no-ignore reads none. It is uploaded like any other file.

Examples:
  cec scp --include '*.{jpg,png}' photos cells://personal-files
  cec scp --exclude 'node_modules/**' --exclude '*.log' site/. cells://common-files/www
  cec scp --filter '- draft*' --filter '+ *.pdf' --filter '- *' cells://common-files/reports .
  cec find common-files --type f --include '/2031/**' --min-age 30d
";

const PATHS: &str = "\
Paths

A path on the server is workspace/folder/file. The prefix cells:// is optional, except in scp, where
it marks the remote side. Without a path, ls lists the workspaces.

Patterns: * matches any text within a name, ? one character, [a-z] one of several characters,
{a,b} either text, and ** any folders. In rm, % as the last name means *. Quote patterns so that the
shell does not expand them. If something has exactly the name that you write, it takes precedence
over the pattern. A backslash removes the meaning of the character after it, as in
'common-files/\\[2031\\] album/*'; --no-glob does so for all characters: use it for names from a
list.

A public link, https://HOST/public/HASH, is the path of what it opens; add /folder/file to its URL
for an item in it. You need no account. One command works in one link. In its results, paths start
with the HASH. With --link URL or CEC_LINK, paths are in the link in any form: folder/file,
HASH/folder/file, or / for all of it. The password of a link comes from CEC_LINK_PASSWORD, or cec
asks for it on a terminal.

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
