//! Public links as operands: `https://HOST/public/HASH[/path]` means a path, and replaces the account.

use super::nodes;
use crate::commands::verb::RemotePaths;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::settings::parse_link;
use cells_client::account::LinkUrl;

/// Opens the public link that a command uses, from a path, an option or the environment. Does nothing for commands
/// without remote paths. A command can use only one link.
///
/// # Errors
/// [`Kind::Usage`] if the paths are in different places, or empty; the reason if the link admits nobody.
pub async fn open(ctx: &Ctx, remote: &RemotePaths<'_>) -> Result<(), CliError> {
    let operands = match remote {
        RemotePaths::None | RemotePaths::OfAccount => return Ok(()),
        RemotePaths::Each(paths) | RemotePaths::Between(paths) => paths,
    };
    // Reported before the other operands are handled.
    if operands.iter().any(|operand| operand.is_empty()) {
        return Err(CliError::empty_path());
    }
    let (urls, paths): (Vec<&str>, Vec<&str>) = operands.iter().partition(|operand| LinkUrl::is_meant(operand));
    let mut named: Option<LinkUrl> = None;
    for url in urls {
        let (link, _) = parse_link(url).map_err(|error| CliError::from(error).about(url))?;
        match &named {
            Some(other) if *other != link => return Err(mixed(remote, &link, &other.to_string())),
            _ => named = Some(link),
        }
    }
    if let Some(link) = named {
        match ctx.link()? {
            Some(own) if *own == link => {}
            Some(own) if ctx.settings.account.link.as_ref().is_some_and(|given| given.by_flag) => {
                return Err(mixed(remote, &link, &own.to_string()));
            }
            _ if !paths.is_empty() => return Err(mixed(remote, &link, paths[0])),
            _ => ctx.name_link(link),
        }
    }
    if let Some(link) = ctx.link()? {
        ctx.ui.keep_link(link.hash(), link.to_string());
        // An invalid path is reported before a password is requested.
        operands.iter().try_for_each(|operand| nodes::parse(ctx, operand).map(|_| ()))?;
        // A link that admits nobody affects all operands, so it is reported once, before anything is done.
        ctx.api().await?;
    }
    Ok(())
}

/// Adds to a missing permission who can grant it.
pub fn explain(ctx: &Ctx, error: CliError) -> CliError {
    match ctx.link() {
        Ok(Some(_)) if error.kind == Kind::Permission && error.hints.is_empty() => {
            error.hint("a public link permits only what its creator allowed; see 'cec info --link URL'")
        }
        _ => error,
    }
}

fn mixed(remote: &RemotePaths<'_>, link: &LinkUrl, other: &str) -> CliError {
    let hint = match remote {
        RemotePaths::Between(_) => "copy to this machine first, then from here with a second command",
        _ => "run the command once for each",
    };
    CliError::new(Kind::Usage, format!("one command cannot use both {link} and {other}")).hint(hint)
}
