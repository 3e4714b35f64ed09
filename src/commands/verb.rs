//! What a command says of itself, and how a list of commands becomes a choice of the command line.

use std::future::Future;

use clap::ValueHint;
use clap::builder::{IntoResettable, Resettable};
use clap::error::ErrorKind;

use crate::context::Ctx;
use crate::env::Environment;
use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// A command. It is implemented for the command's arguments: their doc comments are its help, their `after_help` holds
/// its examples, and each argument says what a shell completes it with ([`Completion`]). A secret is an argument of the
/// type `SecretString`.
///
/// What has a default is right for most commands, and does no harm if it is forgotten.
pub trait Verb: clap::Args {
    /// What it does while it shows nothing.
    const ACTIVITY: &'static str = "waiting for the server";

    /// Whether it ends by itself after a signal, because it must wait for the server or say how far it came. All others
    /// are dropped.
    const STOPS_ITSELF: bool = false;

    /// What users of other programs type instead of it or with it.
    const FOREIGN: &'static [Foreign] = &[];

    /// What is wrong with its command line, if the parser's own words mislead.
    const COMPLAINTS: &'static [Complaint] = &[];

    /// The paths on the server that it was given. There is no default: a public link among them would not work.
    fn remote_paths(&self) -> RemotePaths<'_>;

    /// The password that could be meant by `--password` instead of that for signing in.
    fn other_password(&self) -> Option<OtherPassword> {
        None
    }

    /// Whether it logs its requests although no `--log` says so.
    ///
    /// # Errors
    /// A variable with an invalid value.
    fn wants_log(&self, _environment: &Environment) -> Result<bool, CliError> {
        Ok(false)
    }

    /// Does what it is for.
    ///
    /// # Errors
    /// What ends the whole command.
    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Outcome, CliError>>;
}

/// A command that needs neither a server nor an account.
pub trait OfflineVerb {
    /// Does what it is for.
    ///
    /// # Errors
    /// What ends the command.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError>;
}

/// What an offline command works with.
pub struct Offline<'a> {
    /// The screen.
    pub ui: &'a Ui,
    /// Whether -q was typed. CEC_QUIET does not count.
    pub quiet: bool,
    /// Builds the tree of all commands.
    pub tree: fn() -> clap::Command,
}

/// The paths on the server that a command was given, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemotePaths<'a> {
    /// It has nothing to do with paths on the server.
    None,
    /// Its paths are only those of an account: a public link cannot do what it does.
    OfAccount,
    /// Paths that are worked on one by one. Without any, a link can still be named by a flag or the environment.
    Each(Vec<&'a str>),
    /// Paths with content that is copied from one to the other.
    Between(Vec<&'a str>),
}

impl<'a> RemotePaths<'a> {
    /// Paths that are worked on one by one.
    pub fn each(paths: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Each(paths.into_iter().map(String::as_str).collect())
    }

    /// Paths with content that is copied from one to the other.
    pub fn between(paths: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Between(paths.into_iter().map(String::as_str).collect())
    }
}

/// A password that is not the one for signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherPassword {
    /// Whose it is: `the link's`.
    pub owner: &'static str,
    /// How it is given.
    pub hint: &'static str,
}

/// Words of other programs, and what to use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The command that they are typed behind: for the name of a command the one above it.
    pub place: &'static str,
    /// Names of commands, or flags with their dashes. None: any word that no other entry has.
    pub typed: &'static [&'static str],
    /// What to use here.
    pub hint: &'static str,
}

impl Foreign {
    /// What is typed behind the command `place`, and what to use here.
    pub const fn new(place: &'static str, typed: &'static [&'static str], hint: &'static str) -> Self {
        Self { place, typed, hint }
    }
}

/// What is wrong with a command line that the parser refuses.
#[derive(Debug, Clone, Copy)]
pub struct Complaint {
    /// The command, as its usage line begins.
    pub command: &'static str,
    /// The parser's reasons that mean it.
    pub kinds: &'static [ErrorKind],
    /// The message instead of the parser's.
    pub message: &'static str,
}

/// What a shell completes an argument with, as in `#[arg(value_hint = Completion::Remote)]`. An argument without it is
/// completed with its possible values; if it takes a `PathBuf`, with local files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// Paths on the server.
    Remote,
    /// Paths on the server that are marked as such, and local ones.
    RemoteOrLocal,
    /// Local files, and folders on the way to them.
    LocalFile,
    /// Local folders.
    LocalFolder,
}

impl IntoResettable<ValueHint> for Completion {
    fn into_resettable(self) -> Resettable<ValueHint> {
        // The parser has no hint for a server of ours: these two say that no shell can complete it by itself.
        Resettable::Value(match self {
            Self::Remote => ValueHint::Other,
            Self::RemoteOrLocal => ValueHint::Url,
            Self::LocalFile => ValueHint::FilePath,
            Self::LocalFolder => ValueHint::DirPath,
        })
    }
}

impl Completion {
    /// What an argument is completed with, apart from its possible values.
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

/// All that is known of a command line before it runs.
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

/// What the command line must know of commands before it can be read.
#[derive(Debug, Default)]
pub struct Idioms {
    /// As [`Verb::FOREIGN`], of all of them.
    pub foreign: Vec<&'static Foreign>,
    /// As [`Verb::COMPLAINTS`], of all of them.
    pub complaints: Vec<&'static Complaint>,
}

/// A choice of commands, of which one was typed; a single command is a choice of one. Lists of commands get it by
/// `verbs!`.
pub trait Choice {
    /// What the command that was typed says of itself.
    fn about(&self) -> About<'_>;

    /// As [`Verb::wants_log`].
    ///
    /// # Errors
    /// As [`Verb::wants_log`].
    fn wants_log(&self, environment: &Environment) -> Result<bool, CliError>;

    /// Adds what all commands of the choice say before one is typed.
    fn collect_idioms(idioms: &mut Idioms);

    /// Runs the command that was typed.
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

/// Declares an enum of commands, each with its arguments, and makes it a [`Choice`].
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
            // Arguments differ much in size, and one of them is kept once.
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

/// Declares an enum of offline commands, each with its arguments.
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
