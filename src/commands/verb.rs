//! The descriptions that commands give of themselves, and lists of commands as subcommands.

use std::future::Future;

use clap::ValueHint;
use clap::builder::{IntoResettable, Resettable};
use clap::error::ErrorKind;

use crate::context::Ctx;
use crate::env::Environment;
use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// A command. The trait is implemented for its arguments: their doc comments are the help, `after_help` contains the
/// examples, and each argument states how a shell completes it ([`Completion`]). A secret is an argument of the type
/// `SecretString`.
///
/// The defaults are right for most commands, and harmless if an implementation is forgotten.
pub trait Verb: clap::Args {
    /// What the command does until it prints something.
    const ACTIVITY: &'static str = "waiting for the server";

    /// Whether the command ends by itself after a signal, because it must wait for the server or report its progress.
    /// All others are dropped.
    const STOPS_ITSELF: bool = false;

    /// Words that users of other programs type instead of this command or with it.
    const FOREIGN: &'static [Foreign] = &[];

    /// Clearer messages for invalid command lines, if the parser's own are misleading.
    const COMPLAINTS: &'static [Complaint] = &[];

    /// Returns the paths on the server in the arguments. There is no default, because public links among them would not
    /// work.
    fn remote_paths(&self) -> RemotePaths<'_>;

    /// Returns the password that could be meant by `--password`, apart from that for signing in.
    fn other_password(&self) -> Option<OtherPassword> {
        None
    }

    /// Whether to log requests although `--log` is not given.
    ///
    /// # Errors
    /// The value of a variable is not valid.
    fn wants_log(&self, _environment: &Environment) -> Result<bool, CliError> {
        Ok(false)
    }

    /// Runs the command.
    ///
    /// # Errors
    /// The command cannot continue.
    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Outcome, CliError>>;
}

/// A command that requires neither a server nor an account.
pub trait OfflineVerb {
    /// Runs the command.
    ///
    /// # Errors
    /// The command cannot continue.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError>;
}

/// The context of an offline command.
pub struct Offline<'a> {
    /// The screen.
    pub ui: &'a Ui,
    /// Whether -q was given. CEC_QUIET does not count.
    pub quiet: bool,
    /// Builds the tree of all commands.
    pub tree: fn() -> clap::Command,
}

/// The paths on the server in a command's arguments, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemotePaths<'a> {
    /// The command has no paths on the server.
    None,
    /// The paths require an account: the command is not possible with a public link.
    OfAccount,
    /// Independent paths. If there are none, an option or the environment may still name a link.
    Each(Vec<&'a str>),
    /// Paths between which content is copied.
    Between(Vec<&'a str>),
}

impl<'a> RemotePaths<'a> {
    /// Creates independent paths.
    pub fn each(paths: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Each(paths.into_iter().map(String::as_str).collect())
    }

    /// Creates paths between which content is copied.
    pub fn between(paths: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Between(paths.into_iter().map(String::as_str).collect())
    }
}

/// A password other than that for signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherPassword {
    /// The owner, such as `the link's`.
    pub owner: &'static str,
    /// How to pass the password.
    pub hint: &'static str,
}

/// Words of other programs, and what to use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The command after which they are typed; for the name of a command, its parent.
    pub place: &'static str,
    /// Names of commands, or flags with their dashes. If empty, all words without another entry.
    pub typed: &'static [&'static str],
    /// What to use here.
    pub hint: &'static str,
}

impl Foreign {
    /// Creates an entry.
    pub const fn new(place: &'static str, typed: &'static [&'static str], hint: &'static str) -> Self {
        Self { place, typed, hint }
    }
}

/// A clearer message for a command line that the parser refuses.
#[derive(Debug, Clone, Copy)]
pub struct Complaint {
    /// The command, as at the start of its usage line.
    pub command: &'static str,
    /// The parser's errors that this message replaces.
    pub kinds: &'static [ErrorKind],
    /// The message.
    pub message: &'static str,
}

/// How a shell completes an argument, as in `#[arg(value_hint = Completion::Remote)]`. An argument without it is
/// completed with its possible values, or with local files if it is a `PathBuf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Paths on the server.
    Remote,
    /// Marked paths on the server, and local ones.
    RemoteOrLocal,
    /// Local files, and the folders that lead to them.
    LocalFile,
    /// Local folders.
    LocalFolder,
}

impl IntoResettable<ValueHint> for Completion {
    fn into_resettable(self) -> Resettable<ValueHint> {
        // The parser has no hint for remote paths. These two mean that no shell can complete the argument by itself.
        Resettable::Value(match self {
            Self::Remote => ValueHint::Other,
            Self::RemoteOrLocal => ValueHint::Url,
            Self::LocalFile => ValueHint::FilePath,
            Self::LocalFolder => ValueHint::DirPath,
        })
    }
}

impl Completion {
    /// Returns how an argument is completed, apart from its possible values.
    pub fn of(argument: &clap::Arg) -> Option<Self> {
        match argument.get_value_hint() {
            ValueHint::Other => Some(Self::Remote),
            ValueHint::Url => Some(Self::RemoteOrLocal),
            ValueHint::FilePath | ValueHint::AnyPath => Some(Self::LocalFile),
            ValueHint::DirPath => Some(Self::LocalFolder),
            _ => None,
        }
    }
}

/// The description of a command line before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About<'a> {
    /// As [`Verb::ACTIVITY`].
    pub activity: &'static str,
    /// As [`Verb::STOPS_ITSELF`].
    pub stops_itself: bool,
    /// As [`Verb::remote_paths`].
    pub remote_paths: RemotePaths<'a>,
    /// As [`Verb::other_password`].
    pub other_password: Option<OtherPassword>,
}

/// What the parser must know about commands.
#[derive(Debug, Default)]
pub struct Idioms {
    /// See [`Verb::FOREIGN`], for all commands.
    pub foreign: Vec<&'static Foreign>,
    /// See [`Verb::COMPLAINTS`], for all commands.
    pub complaints: Vec<&'static Complaint>,
}

/// A list of commands, of which one was typed; a single command is a list of one. `verbs!` implements it.
pub trait Choice {
    /// Returns the description of the typed command.
    fn about(&self) -> About<'_>;

    /// See [`Verb::wants_log`].
    ///
    /// # Errors
    /// As [`Verb::wants_log`].
    fn wants_log(&self, environment: &Environment) -> Result<bool, CliError>;

    /// Adds the idioms of all commands in the list.
    fn collect_idioms(idioms: &mut Idioms);

    /// Runs the typed command.
    ///
    /// # Errors
    /// As [`Verb::run`].
    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Outcome, CliError>>;
}

impl<V: Verb> Choice for V {
    fn about(&self) -> About<'_> {
        About {
            activity: V::ACTIVITY,
            stops_itself: V::STOPS_ITSELF,
            remote_paths: self.remote_paths(),
            other_password: self.other_password(),
        }
    }

    fn wants_log(&self, environment: &Environment) -> Result<bool, CliError> {
        Verb::wants_log(self, environment)
    }

    fn collect_idioms(idioms: &mut Idioms) {
        idioms.foreign.extend(V::FOREIGN);
        idioms.complaints.extend(V::COMPLAINTS);
    }

    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Outcome, CliError>> {
        Verb::run(self, ctx)
    }
}

/// Declares an enum of commands with their arguments, and implements [`Choice`] for it.
macro_rules! verbs {
    (
        $(#[$list:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$help:meta])* $verb:ident($arguments:ty),)+
        }
    ) => {
        #[derive(Debug, clap::Subcommand)]
        $(#[$list])*
        $visibility enum $name {
            // Arguments differ greatly in size, and only one of them is ever stored.
            $($(#[$help])* $verb(Box<$arguments>),)+
        }

        impl $crate::commands::verb::Choice for $name {
            fn about(&self) -> $crate::commands::verb::About<'_> {
                match self {
                    $(Self::$verb(arguments) => $crate::commands::verb::Choice::about(&**arguments),)+
                }
            }

            fn wants_log(&self, environment: &$crate::env::Environment) -> Result<bool, $crate::error::CliError> {
                match self {
                    $(Self::$verb(arguments) => {
                        $crate::commands::verb::Choice::wants_log(&**arguments, environment)
                    })+
                }
            }

            fn collect_idioms(idioms: &mut $crate::commands::verb::Idioms) {
                $(<$arguments as $crate::commands::verb::Choice>::collect_idioms(idioms);)+
            }

            async fn run(
                self,
                ctx: &$crate::context::Ctx,
            ) -> Result<$crate::error::Outcome, $crate::error::CliError> {
                match self {
                    $(Self::$verb(arguments) => $crate::commands::verb::Choice::run(*arguments, ctx).await,)+
                }
            }
        }
    };
}

/// Declares an enum of offline commands with their arguments.
macro_rules! offline_verbs {
    (
        $(#[$list:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$help:meta])* $verb:ident($arguments:ty),)+
        }
    ) => {
        #[derive(Debug, clap::Subcommand)]
        $(#[$list])*
        $visibility enum $name {
            $($(#[$help])* $verb($arguments),)+
        }

        impl $crate::commands::verb::OfflineVerb for $name {
            fn run(
                self,
                stage: &$crate::commands::verb::Offline<'_>,
            ) -> Result<$crate::error::Outcome, $crate::error::CliError> {
                match self {
                    $(Self::$verb(arguments) => $crate::commands::verb::OfflineVerb::run(arguments, stage),)+
                }
            }
        }
    };
}

pub(crate) use {offline_verbs, verbs};
