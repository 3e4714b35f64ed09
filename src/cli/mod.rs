//! The command line: what can be typed, and what is said about what cannot.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;

use clap::builder::{Resettable, StyledStr};
use clap::{FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::commands::{
    about, api, cat, clear, completion, compress, config, configure, cp, doc, doctor, du, extract, find, idm, info,
    jobs, ls, meta, mkdir, mv, restore, rm, scp, search, share, stat, storage, tools, trash, tree, update, version,
};
use crate::env::Environment;
use crate::error::{CliError, Kind};
use crate::http::redact::Secrets;
use crate::settings::{ColorChoice, GlobalArgs, LogLevel, OutputSettings};

pub mod candidates;
pub mod complete;
mod exposed;
mod misread;
mod older;
mod topics;
mod usage;

pub use usage::report as report_usage;

/// The command-line client of Pydio Cells servers
///
/// A path on the server is workspace/folder/file; it may be written with the prefix cells:// everywhere.
#[derive(Debug, Parser)]
#[command(
    name = "cec",
    bin_name = "cec",
    version,
    disable_help_subcommand = false,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = SHORT_END,
    after_long_help = LONG_END
)]
pub struct Cli {
    /// The flags of every command.
    #[command(flatten)]
    pub globals: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: AnyCommand,
    /// The command's name: `share ls`.
    #[arg(skip)]
    pub name: String,
}

const SHORT_END: &str = "\
Examples:
  cec configure https://files.example.com
  cec ls common-files
  cec scp report.pdf cells://common-files/reports/

More: 'cec help options', 'cec help exit-codes', 'cec help environment', 'cec help paths'.

Start with 'cec configure', or set CEC_URL and CEC_TOKEN.";

const LONG_END: &str = "\
Examples:
  cec configure https://files.example.com
  cec ls common-files
  cec scp report.pdf cells://common-files/reports/

Exit codes:
  0 done, 1 failure, 2 usage, 3 not found, 4 not signed in, 5 permission denied,
  6 server unreachable, 7 some items failed, 8 target exists, 9 integrity,
  10 a server job failed, 130 interrupted, 143 terminated

A token or password on the command line can be seen by other users of this machine; prefer CEC_TOKEN, --token-file, \
CEC_PASSWORD, or - to read standard input.

More: 'cec help options', 'cec help exit-codes', 'cec help environment', 'cec help paths'.

Start with 'cec configure', or set CEC_URL and CEC_TOKEN.";

/// All commands.
#[derive(Debug, Subcommand)]
pub enum AnyCommand {
    /// Those that may talk to a server.
    #[command(flatten)]
    Online(Command),
    /// Those that never do.
    #[command(flatten)]
    Offline(OfflineCommand),
    /// Says what could stand at the cursor of a command line; for the scripts of `cec completion`
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

/// What a shell knows when it asks for candidates.
#[derive(Debug, clap::Args)]
pub struct CompleteArgs {
    /// Which shell asks, and so the form of what it tells: bash, zsh or fish
    pub shell: String,
    /// bash: the line up to the cursor; else the words before the cursor, and the one under it
    #[arg(last = true)]
    pub words: Vec<String>,
}

/// The commands that need nothing but themselves.
#[derive(Debug, Subcommand)]
pub enum OfflineCommand {
    /// Show the version of this program
    Version(version::Args),
    /// Hash local files, compare version numbers
    #[command(subcommand)]
    Tools(tools::Command),
    /// Print the script that makes a shell complete what is typed
    Completion(completion::Args),
    /// Write the help of all commands as documents
    #[command(hide = true)]
    Doc(doc::Args),
}

/// The commands that work on a server, or with stored accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a server and store the account
    Configure(configure::Args),
    /// Manage stored accounts
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show who is signed in where
    Info(info::Args),
    /// Forget all stored accounts
    Clear(clear::Args),
    /// List workspaces, folders and files
    #[command(alias = "list")]
    Ls(ls::Args),
    /// Show all that is known of files and folders
    Stat(stat::Args),
    /// Look for files and folders by name, type, size and age
    Find(find::Args),
    /// Ask the server's index for names and metadata
    Search(search::Args),
    /// Show how much workspaces hold, and may hold
    About(about::Args),
    /// Add up the sizes of files
    Du(du::Args),
    /// Draw folders as a tree
    Tree(tree::Args),
    /// Make folders
    Mkdir(mkdir::Args),
    /// Copy files and folders on the server
    Cp(cp::Args),
    /// Move or rename files and folders on the server
    Mv(mv::Args),
    /// Move files and folders to the recycle bin, or delete them for good
    Rm(rm::Args),
    /// List, restore or delete for good what is in recycle bins
    #[command(
        subcommand,
        after_help = "Examples:\n  cec trash ls\n  cec trash restore common-files/recycle_bin/report.pdf\n  \
        cec trash empty common-files"
    )]
    Trash(trash::Verb),
    /// Put things of a recycle bin back to where they were
    Restore(restore::Args),
    /// Make an archive on the server
    Compress(compress::Args),
    /// Unpack an archive on the server
    Extract(extract::Args),
    /// Write the content of files to standard output
    Cat(cat::Args),
    /// Copy files and folders to the server, or from it
    Scp(scp::Args),
    /// Show and set what users attach to files and folders
    #[command(
        subcommand,
        after_help = "Examples:\n  cec meta ls\n  cec meta get common-files/report.pdf\n  \
        cec meta set -p common-files/report.pdf -n usermeta-status -s final\n  \
        cec meta tag add common-files/report.pdf 2031"
    )]
    Meta(Box<meta::Verb>),
    /// Make public links, list, change and remove them
    Share(Box<share::Args>),
    /// Look after users, groups, roles, workspaces and rights
    #[command(
        subcommand,
        after_help = "Personal access tokens are made on the server itself, not through its network interface:\n  \
        cells admin user token -u LOGIN -e 24h\n\nExamples:\n  cec idm list-users\n  \
        cec idm user create carol --email carol@example.com\n  \
        cec idm list-acls -n 1c989848-5eff-49cf-8727-4db754e02c25"
    )]
    Idm(Box<idm::Verb>),
    /// Look after data sources (for administrators)
    #[command(
        subcommand,
        after_help = "Examples:\n  cec storage list-datasources\n  cec storage resync-ds pydiods1 --wait"
    )]
    Storage(storage::Verb),
    /// Look after what runs on the server
    #[command(
        subcommand,
        after_help = "Examples:\n  cec jobs get\n  cec jobs watch\n  \
        cec jobs cancel copy-move-34454e75-818d-4537-8a77-f955ba6b29b7"
    )]
    Jobs(Box<jobs::Verb>),
    /// Send any REST call and show the answer
    Api(Box<api::Args>),
    /// Find out why something does not work
    Doctor(doctor::Args),
    /// Replace this program by a newer version of itself
    Update(update::Args),
}

/// The commands of `cec config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Sign in to a server and store the account
    Add(configure::Args),
    /// Show who is signed in where
    Status(info::Args),
    /// List the stored accounts
    Ls(config::list::Args),
    /// Make a stored account the active one
    Use(config::select::Args),
    /// Forget a stored account, and end its session on the server
    Rm(config::remove::Args),
    /// Sign in again to a stored account
    Relog(config::relog::Args),
    /// Print a token that is good now, for other programs
    Token(config::token::Args),
    /// Print the account as a configuration of rclone, aws or s5cmd
    Export(config::export::Args),
    /// See whether the system keyring works
    CheckKeyring,
}

/// The long tree, for `--help` and `help`, tells every flag; the short one, for `-h`, the common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HelpSize {
    Short,
    Long,
}

/// What the command line may hold, laid out as `--help` shows it: what a command is for, examples, usage, flags on a
/// line each, notes.
pub fn command() -> clap::Command {
    sized_command(HelpSize::Long)
}

fn sized_command(size: HelpSize) -> clap::Command {
    lay_out(<Cli as clap::CommandFactory>::command(), size).args_override_self(true)
}

/// Reads the command line.
///
/// # Errors
/// What cannot be read, and the wish for help.
pub fn parse(arguments: &[OsString], environment: &Environment) -> Result<Cli, clap::Error> {
    let own = || arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let long = own().any(|argument| argument == "--help" || argument == "help");
    let size = if long { HelpSize::Long } else { HelpSize::Short };
    let color = match wanted_color(arguments, environment) {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    };
    let read = |arguments: &[OsString]| {
        let mut command = sized_command(size).color(color);
        // In help they stand with the first command alone.
        let arguments = misread::headers_first(&without_flags_of_help(arguments));
        if names_command(&command, &arguments) {
            command =
                command.mut_args(|argument| if argument.is_global_set() { argument.hide(true) } else { argument });
        }
        let arguments = older::in_own_form(arguments, &command);
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let mut deepest = &matches;
        while let Some((name, matches)) = deepest.subcommand() {
            cli.name = if cli.name.is_empty() { name.to_owned() } else { format!("{} {name}", cli.name) };
            deepest = matches;
        }
        Ok(cli)
    };
    read(arguments).map_err(|error| {
        // The complaint repeats what was typed: it must not act on the terminal.
        let shown: Vec<OsString> = arguments.iter().map(shown).collect();
        if shown == arguments { error } else { read(&shown).err().unwrap_or(error) }
    })
}

/// Whether the command line has the name of a command in it.
fn names_command(tree: &clap::Command, arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    words.any(|word| tree.find_subcommand(word).is_some())
}

/// `cec help` takes names alone; who adds a flag, such as --json out of habit, wants the help all the same.
fn without_flags_of_help(arguments: &[OsString]) -> Vec<OsString> {
    let is_help = arguments.get(1).is_some_and(|argument| argument == "help");
    let is_flag = |argument: &OsString| argument.to_str().is_some_and(|text| text.starts_with('-'));
    arguments.iter().filter(|argument| !(is_help && is_flag(argument))).cloned().collect()
}

fn shown(argument: &OsString) -> OsString {
    argument.to_str().map_or_else(|| argument.clone(), |text| crate::ui::escape(text).into_owned().into())
}

/// The colours of help and of complaints about the command line, which are due before that could be read.
fn wanted_color(arguments: &[OsString], environment: &Environment) -> ColorChoice {
    let mut texts = arguments.iter().map_while(|argument| Some(argument.to_str().unwrap_or_default()));
    let mut flag = None;
    while let Some(text) = texts.next().filter(|text| *text != "--") {
        let value = if text == "--color" { texts.next() } else { text.strip_prefix("--color=") };
        flag = value.and_then(|value| value.parse().ok()).or(flag);
    }
    let flags = GlobalArgs { color: flag, ..GlobalArgs::default() };
    OutputSettings::resolve(&flags, environment).map(|output| output.color).unwrap_or_default()
}

/// The layout of the first command: what to do next stands at the end.
const ROOT_TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The layout of all others: what there is to know stands before the options.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}{after-help}\n\n{all-args}\n\n\
    Options of every command, such as --json, --profile and -q: cec help options";

/// Lays out the help of a command and of those below it. No text is left that only clap's own long help would show,
/// so that both sizes have their flags on a line each.
fn lay_out(command: clap::Command, size: HelpSize) -> clap::Command {
    let text = |text: Option<&StyledStr>| text.map(ToString::to_string);
    let about = text(command.get_about()).unwrap_or_default();
    let long_about = text(command.get_long_about()).unwrap_or_default();
    let notes = text(command.get_after_help()).unwrap_or_default();
    let long_notes = text(command.get_after_long_help()).unwrap_or_else(|| notes.clone());
    let notes = match size {
        HelpSize::Short => notes,
        HelpSize::Long => format!("{}\n\n{long_notes}", long_about.trim_start_matches(&about)),
    };
    let examples = examples(command.get_name());
    let (examples, notes): (Vec<&str>, Vec<&str>) = examples
        .into_iter()
        .chain(notes.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.trim().is_empty()))
        .partition(|paragraph| paragraph.starts_with("Examples:"));
    let (examples, notes) = (examples.join("\n\n"), notes.into_iter().map(flowing).collect::<Vec<_>>().join("\n\n"));
    let template = if command.get_name() == "cec" { ROOT_TEMPLATE } else { TEMPLATE };
    command
        .help_template(template)
        .long_about(None::<&str>)
        .before_help(filled(examples))
        .after_help(filled(notes))
        .after_long_help(None::<&str>)
        .mut_args(|argument| lay_out_argument(argument, size))
        .mut_subcommands(|command| lay_out(command, size))
}

fn filled(text: String) -> Resettable<StyledStr> {
    if text.is_empty() { Resettable::Reset } else { Resettable::Value(text.into()) }
}

/// Examples of commands that have no more to say.
fn examples(command: &str) -> Option<&'static str> {
    match command {
        "info" => Some("Examples:\n  cec info\n  cec info --json --profile alice@files.example.com"),
        "tools" => Some("Examples:\n  cec tools hash report.pdf\n  cec tools version isgreater 4.4.1 4.4.0"),
        "config" => Some("Examples:\n  cec config add https://files.example.com\n  cec config status"),
        "check-keyring" => Some("Examples:\n  cec config check-keyring\n  cec config check-keyring --json"),
        "status" => Some("Examples:\n  cec config status\n  cec config status --json"),
        _ => None,
    }
}

/// A paragraph whose lines are the terminal's affair; one with indented lines stays as it is.
fn flowing(paragraph: &str) -> String {
    if paragraph.contains("\n ") { paragraph.to_owned() } else { paragraph.replace('\n', " ") }
}

fn lay_out_argument(argument: clap::Arg, size: HelpSize) -> clap::Arg {
    let takes_values = argument.get_action().takes_values();
    let values = if takes_values { argument.get_possible_values() } else { Vec::new() };
    let argument = if values.is_empty() { argument } else { argument.ignore_case(true) };
    let told: Vec<String> =
        values.iter().filter_map(|value| Some(format!("\n- {}: {}", value.get_name(), value.get_help()?))).collect();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let default = if default.is_empty() { String::new() } else { format!(" [default: {}]", default.join(" ")) };
    let tells_values = !told.is_empty() && !argument.is_global_set();
    let argument = if tells_values && size == HelpSize::Long {
        argument.help(help + &default + &told.concat()).hide_possible_values(true).hide_default_value(true)
    } else if told.is_empty() {
        argument
    } else {
        // Without the help of each value, which clap would take for a reason to show its long help.
        let names = values.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>().join(", ");
        argument.help(format!("{help} [possible values: {names}]")).hide_possible_values(true)
    };
    match size {
        HelpSize::Short => argument.long_help(None::<&str>),
        HelpSize::Long => argument.long_help(None::<&str>).hide_short_help(false),
    }
}

/// Starts the log if one is wanted; `secrets` are masked in it. Only this program's own lines are taken: those of
/// libraries could hold headers, and so tokens.
///
/// # Errors
/// A log file that cannot be opened.
pub fn start_log(settings: &OutputSettings, secrets: &Secrets) -> Result<(), CliError> {
    let Some(level) = settings.log else { return Ok(()) };
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    let secrets = secrets.clone();
    let layer = match &settings.log_file {
        None => lines.with_writer(move || LogLine { to: io::stderr(), secrets: secrets.clone() }).boxed(),
        Some(path) if path.as_os_str() == "-" => {
            return Err(CliError::new(Kind::Usage, "--log-file takes a file, not -")
                .hint("without --log-file the log goes to standard error; a file that is called so is ./-"));
        }
        Some(path) => {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(|error| {
                CliError::new(Kind::Failure, format!("cannot open the log file {}: {error}", path.display()))
            })?;
            let file = Arc::new(file);
            lines.with_writer(move || LogLine { to: Arc::clone(&file), secrets: secrets.clone() }).boxed()
        }
    };
    // A second call within one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(own)));
    Ok(())
}

/// Writes a line of the log. Parts of it may come from a server: it stays one line, acts on no terminal, and shows no
/// secret.
struct LogLine<W> {
    to: W,
    secrets: Secrets,
}

impl<W: Write> Write for LogLine<W> {
    /// Takes one whole line, with its end.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let masked = self.secrets.mask(text.strip_suffix('\n').unwrap_or(&text));
        self.to.write_all(format!("{}\n", crate::ui::escape(&masked)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_stays_one_and_shows_no_secret() {
        let secrets = Secrets::default();
        secrets.keep(&"atoken0123456789".into());
        let mut written = Vec::new();
        let mut line = LogLine { to: &mut written, secrets };
        line.write_all(b" WARN no\nFORGED \x1b[31m atoken0123456789\n").expect("a line");
        assert_eq!(String::from_utf8_lossy(&written), " WARN no\\nFORGED \\u{1b}[31m ***\n");
    }

    fn parsed(arguments: &[&str]) -> Result<Cli, clap::Error> {
        let arguments: Vec<OsString> = ["cec"].iter().chain(arguments).map(OsString::from).collect();
        parse(&arguments, &Environment::default())
    }

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
        sized_command(HelpSize::Long).debug_assert();
    }

    #[test]
    fn of_repeated_flags_the_last_counts_and_headers_add_up() {
        let cli =
            parsed(&["--json", "--json", "-u", "A", "ls", "-a", "-a", "-u", "B", "-u", "C", "--json"]).expect("flags");
        assert_eq!((cli.globals.json, cli.globals.url.as_deref()), (Some(true), Some("C")));
        let cli =
            parsed(&["ls", "--sort", "name", "--sort", "SIZE", "--header", "A: 1", "--header", "B: 2"]).expect("flags");
        assert_eq!(cli.globals.header.len(), 2);
        let cli = parsed(&["-q", "ls", "--quiet=false", "--json=no", "-da"]).expect("flags");
        assert_eq!((cli.globals.quiet, cli.globals.json), (Some(false), Some(false)));
        let cli =
            parsed(&["--header", "A: 1", "idm", "--header", "B: 2", "list-users", "--header=C: 3"]).expect("flags");
        assert_eq!(cli.globals.header.len(), 3, "at whatever level they stand");
        assert!(parsed(&["ls", "--token", "x", "--token-file", "y"]).is_err(), "they exclude each other");
    }

    #[test]
    fn help_opens_with_examples_and_fits() {
        fn check(command: &clap::Command, path: &[&str]) {
            for flag in ["-h", "--help"] {
                let help = parsed(&[path, &[flag]].concat()).expect_err("help").to_string();
                let mut lines = help.lines().skip(1);
                assert_eq!((lines.next(), lines.next()), (Some(""), Some("Examples:")), "{path:?}: {help}");
                assert!(help.lines().all(|line| line.chars().count() <= 100), "{path:?}: {help}");
                assert_eq!(help.contains("Global options:\n"), path.is_empty(), "{path:?}: {help}");
                assert_eq!(help.contains("--connect-timeout"), path.is_empty() && flag == "--help", "{help}");
                assert!(help.contains("cec help options"), "{path:?}: {help}");
                if !path.is_empty() {
                    assert!(help.ends_with(": cec help options\n"), "{path:?}: {help}");
                }
            }
            // What only programs call needs no examples.
            for command in command.get_subcommands().filter(|command| !command.get_name().starts_with("__")) {
                check(command, &[path, &[command.get_name()]].concat());
            }
        }
        check(&command(), &[]);
    }
}
