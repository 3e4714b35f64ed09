//! Public links as operands: `https://HOST/public/HASH[/path]` stands for a path, and takes the place of the account.

use super::nodes;
use crate::account::LinkUrl;
use crate::cli::Command;
use crate::commands::{meta, scp};
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::path::RemotePath;
use crate::settings::parse_link;

/// Opens the public link that a command is about, by an operand, a flag or the environment; for other commands nothing
/// is done. One link is all that a command can be about.
///
/// # Errors
/// [`Kind::Usage`] for operands that are in different places, or empty; why the link lets nobody in.
pub async fn settle(ctx: &Ctx, command: &Command) -> Result<(), CliError> {
    let Some(operands) = operands(command) else { return Ok(()) };
    // Told before anything is done with the others.
    if operands.iter().any(|operand| operand.is_empty()) {
        return Err(CliError::empty_path());
    }
    let (urls, paths): (Vec<&str>, Vec<&str>) = operands.iter().partition(|operand| LinkUrl::is_meant(operand));
    let mut named: Option<LinkUrl> = None;
    for url in urls {
        let (link, _) = parse_link(url).map_err(|error| CliError::from(error).about(url))?;
        match &named {
            Some(other) if *other != link => return Err(mixed(command, &link, &other.to_string())),
            _ => named = Some(link),
        }
    }
    if let Some(link) = named {
        match ctx.link()? {
            Some(own) if *own == link => {}
            Some(own) if ctx.settings.account.link.as_ref().is_some_and(|given| given.by_flag) => {
                return Err(mixed(command, &link, &own.to_string()));
            }
            _ if !paths.is_empty() => return Err(mixed(command, &link, paths[0])),
            _ => ctx.name_link(link),
        }
    }
    if let Some(link) = ctx.link()? {
        ctx.ui.keep_link(link.hash(), link.to_string());
        // What is no path is told before anybody is asked for a password.
        operands.iter().try_for_each(|operand| nodes::parse(ctx, operand).map(|_| ()))?;
        // What the link is worth concerns all operands: it is told once, and before anything is done.
        ctx.api().await?;
    }
    Ok(())
}

/// Says of a missing right whose it is to give.
pub fn explain(ctx: &Ctx, error: CliError) -> CliError {
    match ctx.link() {
        Ok(Some(_)) if error.kind == Kind::Permission && error.hints.is_empty() => {
            error.hint("a public link allows what whoever made it has set; 'cec info --link URL' tells")
        }
        _ => error,
    }
}

fn mixed(command: &Command, link: &LinkUrl, other: &str) -> CliError {
    let hint = match command {
        Command::Scp(_) | Command::Cp(_) | Command::Mv(_) => {
            "copy to this machine first, and from here with a second command"
        }
        _ => "run it once for each",
    };
    CliError::new(Kind::Usage, format!("one command cannot be about both {link} and {other}")).hint(hint)
}

/// What a command calls paths on the server; `None` where it has nothing to do with them.
fn operands(command: &Command) -> Option<Vec<&str>> {
    Some(match command {
        Command::Ls(arguments) => both(&arguments.paths, &[]),
        Command::Stat(arguments) => both(&arguments.paths, &[]),
        Command::Find(arguments) => both(&arguments.paths, &[]),
        Command::Du(arguments) => both(&arguments.paths, &[]),
        Command::Tree(arguments) => both(&arguments.paths, &[]),
        Command::Mkdir(arguments) => both(&arguments.paths, &[]),
        Command::Cp(arguments) => both(&arguments.common.paths, &[]),
        Command::Mv(arguments) => both(&arguments.common.paths, &[]),
        Command::Rm(arguments) => both(&arguments.paths, &[]),
        Command::About(arguments) => both(&arguments.workspaces, &[]),
        Command::Search(arguments) => arguments.below.iter().map(String::as_str).collect(),
        Command::Cat(arguments) => both(&arguments.paths, &[]),
        Command::Compress(arguments) => both(&arguments.paths, &[]),
        Command::Extract(arguments) => {
            arguments.target.iter().chain([&arguments.archive]).map(String::as_str).collect()
        }
        Command::Scp(arguments) => {
            let texts = arguments.paths.iter().filter_map(|path| path.to_str());
            let remote = texts.filter(|text| LinkUrl::is_meant(text) || RemotePath::is_marked(text));
            remote.map(|text| scp::without_dot(text).0).collect()
        }
        Command::Meta(verb) => match &**verb {
            meta::Verb::Get(arguments) => both(&arguments.path, &arguments.paths),
            meta::Verb::Set(arguments) => both(&arguments.path, &arguments.paths),
            meta::Verb::Tag(meta::tag::Verb::Add(arguments) | meta::tag::Verb::Rm(arguments)) => vec![&arguments.path],
            meta::Verb::Ls(_) => return None,
        },
        _ => return None,
    })
}

fn both<'a>(one: &'a [String], other: &'a [String]) -> Vec<&'a str> {
    one.iter().chain(other).map(String::as_str).collect()
}
