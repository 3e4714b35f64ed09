//! `cec meta tag`.

use super::change::{Change, apply};
use super::value;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb, verbs};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::meta::{MetaKind, Namespace};

verbs! {
    /// The commands of `cec meta tag`.
    #[command(
        after_help = "Examples:\n  cec meta tag add common-files/report.pdf final 2031\n  \
        cec meta tag rm common-files/report.pdf draft"
    )]
    pub enum Verbs {
        /// Add tags to a file or folder
        Add(AddArgs),
        /// Remove tags from a file or folder
        Rm(RmArgs),
    }
}

/// Arguments of `cec meta tag add`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec meta tag add common-files/report.pdf final 2031\n  \
    cec meta tag add 'common-files/*.pdf' final")]
pub struct AddArgs {
    #[command(flatten)]
    tagging: Tagging,
}

/// Arguments of `cec meta tag rm`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec meta tag rm common-files/report.pdf draft")]
pub struct RmArgs {
    #[command(flatten)]
    tagging: Tagging,
}

impl Verb for AddArgs {
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["tag", "tags"], "'cec meta tag' adds and removes tags")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each([&self.tagging.path])
    }

    /// Adds tags.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        self.tagging.apply(ctx, Change::AddTags).await
    }
}

impl Verb for RmArgs {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each([&self.tagging.path])
    }

    /// Removes tags.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        self.tagging.apply(ctx, Change::RemoveTags).await
    }
}

/// The arguments of both commands.
#[derive(Debug, clap::Args)]
struct Tagging {
    /// File, folder or pattern on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote)]
    path: String,
    /// Tags, separated by spaces or commas
    #[arg(value_name = "TAG", required = true)]
    tags: Vec<String>,
    /// Name of the metadata, if several have the type tags
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

/// The namespace for tags that every server has.
const USUAL: &str = "usermeta-tags";

impl Tagging {
    /// Changes the tags.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single nodes are reported and counted.
    async fn apply(&self, ctx: &Ctx, change: impl FnOnce(Vec<String>) -> Change) -> Result<Outcome, CliError> {
        let tags = value::tags(&self.tags.join(",")).map_err(|why| CliError::new(Kind::Usage, why))?;
        let namespace = namespace(&super::namespaces(ctx).await?, self.namespace.as_deref())?;
        apply(ctx, std::slice::from_ref(&self.path), self.no_glob, &namespace, &change(tags)).await
    }
}

/// Returns the requested namespace, the usual one, or the only one with the type tags.
fn namespace(all: &[Namespace], wanted: Option<&str>) -> Result<Namespace, CliError> {
    if let Some(name) = wanted {
        let found = super::find_namespace(all, name)?;
        return match &found.kind {
            MetaKind::Tags => Ok(found),
            kind => Err(CliError::new(Kind::Usage, format!("{name} is of the type {}, not tags", kind.name()))),
        };
    }
    let tags: Vec<&Namespace> = all.iter().filter(|namespace| namespace.kind == MetaKind::Tags).collect();
    let usual = tags.iter().find(|namespace| namespace.name == USUAL);
    match (usual, tags.as_slice()) {
        (Some(usual), _) => Ok((*usual).clone()),
        (None, [only]) => Ok((*only).clone()),
        (None, []) => Err(CliError::new(Kind::NotFound, "this server has no metadata of the type tags")
            .hint("'cec meta ls' lists the available metadata")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|namespace| namespace.name.as_str()).collect();
            Err(CliError::new(Kind::Usage, "several metadata have the type tags")
                .hint(format!("choose one with --namespace: {}", names.join(", "))))
        }
    }
}
