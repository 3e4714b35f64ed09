//! `cec meta tag`.

use clap::Subcommand;

use super::change::{Change, apply};
use super::value;
use crate::api::meta::{MetaKind, Namespace};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};

/// The commands of `cec meta tag`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Put tags on a file or folder
    #[command(after_help = "Examples:\n  cec meta tag add common-files/report.pdf final 2031\n  \
        cec meta tag add 'common-files/*.pdf' final")]
    Add(Args),
    /// Take tags off a file or folder
    #[command(after_help = "Examples:\n  cec meta tag rm common-files/report.pdf draft")]
    Rm(Args),
}

/// Arguments of `cec meta tag add` and `rm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file, a folder or a pattern on the server
    #[arg(value_name = "PATH")]
    pub(in crate::commands) path: String,
    /// The tags; a comma stands between two of them as well
    #[arg(value_name = "TAG", required = true)]
    tags: Vec<String>,
    /// The name of the metadata, where several are of the type tags
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Take the name as it is, without patterns
    #[arg(long)]
    no_glob: bool,
}

/// The tags of every server.
const USUAL: &str = "usermeta-tags";

/// Puts tags on, or takes them off.
///
/// # Errors
/// What ends the whole command; failures of single nodes are told and counted.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    let (Verb::Add(arguments) | Verb::Rm(arguments)) = &verb;
    let tags = value::tags(&arguments.tags.join(",")).map_err(|why| CliError::new(Kind::Usage, why))?;
    let namespace = namespace(&super::namespaces(ctx).await?, arguments.namespace.as_deref())?;
    let change = match &verb {
        Verb::Add(_) => Change::AddTags(tags),
        Verb::Rm(_) => Change::RemoveTags(tags),
    };
    apply(ctx, std::slice::from_ref(&arguments.path), arguments.no_glob, &namespace, &change).await
}

/// The namespace that is named, the usual one, or the only one of the type tags.
fn namespace(all: &[Namespace], wanted: Option<&str>) -> Result<Namespace, CliError> {
    if let Some(name) = wanted {
        let found = super::named(all, name)?;
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
            .hint("'cec meta ls' shows what there is")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|namespace| namespace.name.as_str()).collect();
            Err(CliError::new(Kind::Usage, "several metadata are of the type tags")
                .hint(format!("choose one with --namespace: {}", names.join(", "))))
        }
    }
}
