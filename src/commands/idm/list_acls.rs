//! `cec idm list-acls`.

use serde_json::{Value, json};

use super::list::cell;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use crate::ui::table::{Column, Table};
use cells_client::api::idm::AclEntry;

/// Arguments of `cec idm list-acls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "'cec ls -d' and 'cec stat' show the UUID of a file or folder. Deleting permissions asks for \
        confirmation, unless --force is used.\n\nExamples:\n  \
    cec idm list-acls\n  cec idm list-acls -n 1c989848-5eff-49cf-8727-4db754e02c25\n  \
    cec idm list-acls -n 1c989848-5eff-49cf-8727-4db754e02c25 --delete")]
pub struct Args {
    /// Only the permissions on the file or folder with this UUID; may be repeated
    #[arg(short = 'n', long = "uuid", value_name = "UUID", value_delimiter = ',')]
    nodes: Vec<String>,
    /// Delete the listed permissions
    #[arg(long, requires = "nodes")]
    delete: bool,
    /// Do not ask for confirmation
    #[arg(short, long, requires = "delete")]
    force: bool,
}

const COLUMNS: [Column; 6] = [
    Column::whole("UUID"),
    Column::whole("ROLE ID"),
    Column::fixed("ACTION NAME"),
    Column::fixed("WS ID").rank(2),
    Column::text("VALUE").rank(3),
    Column::fixed("ID").rank(1),
];

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists permissions, and deletes them if requested.
    ///
    /// # Errors
    /// The confirmation cannot be requested, or is answered No; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        if let Some(empty) = self.nodes.iter().find(|uuid| uuid.trim().is_empty()) {
            return Err(CliError::new(Kind::Usage, format!("'{empty}' is not a UUID")));
        }
        let api = ctx.api().await?;
        let acls = api.acls(&self.nodes).await.map_err(|error| CliError::from(error).during("listing permissions"))?;
        if self.delete {
            return delete(ctx, &acls, self.force).await;
        }
        if ctx.ui.is_json() {
            ctx.ui.json_document(&acls.iter().map(record).collect::<Vec<_>>())?;
        } else {
            show(ctx, &acls)?;
        }
        Ok(Outcome::Done)
    }
}

fn record(acl: &AclEntry) -> Value {
    let or_null = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "id": acl.id,
        "node": acl.node,
        "role": or_null(&acl.role),
        "workspace": or_null(&acl.workspace),
        "action": acl.action,
        "value": or_null(&acl.value),
    })
}

fn row(acl: &AclEntry) -> Vec<String> {
    [&acl.node, &acl.role, &acl.action, &acl.workspace, &acl.value, &acl.id].map(|text| cell(text)).to_vec()
}

fn show(ctx: &Ctx, acls: &[AclEntry]) -> Result<(), CliError> {
    let mut table = Table::new(&ctx.ui, &COLUMNS);
    acls.iter().try_for_each(|acl| table.row(row(acl)))?;
    Ok(table.finish()?)
}

async fn delete(ctx: &Ctx, acls: &[AclEntry], force: bool) -> Result<Outcome, CliError> {
    if acls.is_empty() {
        return Err(CliError::new(Kind::NotFound, "there are no permissions on these files or folders"));
    }
    if !force {
        ask(ctx, acls).await?;
    }
    let api = ctx.api().await?;
    let mut operands = Operands::new(&ctx.ui);
    let mut records = Vec::new();
    for acl in acls {
        let what = format!("{} of role {} on {}", acl.action, cell(&acl.role), acl.node);
        let deleted = match api.delete_acl(acl).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CliError::new(Kind::NotFound, format!("the permission {what} was already deleted"))),
            Err(error) => Err(CliError::from(error).during(format!("deleting the permission {what}"))),
        };
        if deleted.is_ok() {
            ctx.ui.status(&format!("deleted {what}"));
            records.push(record(acl));
        }
        operands.take(deleted)?;
    }
    if ctx.ui.is_json() && !operands.all_failed() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

async fn ask(ctx: &Ctx, acls: &[AclEntry]) -> Result<(), CliError> {
    if !ctx.ui.can_ask() {
        let message = "cannot ask for confirmation before deleting permissions";
        return Err(CliError::new(Kind::Usage, message).hint("add --force to delete them without asking"));
    }
    for acl in acls {
        ctx.ui.before_asking(&format!("  {}", row(acl).join("  ")));
    }
    let question = format!("Delete these {} permissions? This cannot be undone.", acls.len());
    if ctx.ui.confirm(&question, Consent::TypedYes).await {
        Ok(())
    } else {
        Err(CliError::new(Kind::Failure, "nothing was deleted"))
    }
}
