//! `cec config …`: what is done with stored accounts.

pub mod check;
pub mod export;
pub mod list;
pub mod relog;
pub mod remove;
pub mod select;
pub mod token;

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::store::Accounts;

/// The stored account that is meant: by its id or label; without one the user is asked.
async fn named(ctx: &Ctx, accounts: &Accounts, name: Option<&str>, question: &str) -> Result<String, CliError> {
    let ids: Vec<&str> = accounts.entries.keys().map(String::as_str).collect();
    if ids.is_empty() {
        return Err(CliError::new(Kind::NotFound, "no account is stored").hint("sign in with 'cec configure'"));
    }
    if let Some(name) = name {
        return match accounts.named(name).as_slice() {
            [id] => Ok((*id).to_owned()),
            [] => Err(CliError::new(Kind::NotFound, format!("there is no account '{name}'"))
                .hint(format!("the stored accounts are: {}", ids.join(", ")))),
            several => Err(CliError::new(Kind::Usage, format!("several accounts are called '{name}'"))
                .hint(format!("give the id: {}", several.join(", ")))),
        };
    }
    if !ctx.ui.can_ask() {
        return Err(
            CliError::new(Kind::Usage, "which account is meant?").hint(format!("give one of: {}", ids.join(", ")))
        );
    }
    if let [only] = ids.as_slice() {
        return Ok((*only).to_owned());
    }
    let chosen = ctx.ui.choose(question, &ids).await;
    let id =
        chosen.and_then(|index| ids.get(index)).ok_or_else(|| CliError::new(Kind::Failure, "nothing was changed"))?;
    Ok((*id).to_owned())
}
