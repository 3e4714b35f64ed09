//! `cec idm user get`.

use super::super::list::user_record;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table;
use cells_client::api::idm::UserEntry;

/// Arguments of `cec idm user get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec idm user get alice\n  cec idm user get alice bob --json")]
pub struct Args {
    /// Login names
    #[arg(value_name = "LOGIN", required = true)]
    logins: Vec<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = crate::commands::idm::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Shows users.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut records = Vec::new();
        for (index, login) in self.logins.iter().enumerate() {
            match super::find_user(ctx, login).await {
                Err(error) => operands.failed(error)?,
                Ok(user) => {
                    if ctx.ui.is_json() {
                        records.push(user_record(&user));
                    } else {
                        if index > 0 {
                            ctx.ui.line("")?;
                        }
                        show(ctx, &user)?;
                    }
                    operands.succeeded();
                }
            }
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

fn show(ctx: &Ctx, user: &UserEntry) -> Result<(), CliError> {
    let roles: Vec<&str> = user.roles.iter().map(|role| role.label.as_str()).collect();
    let mut fields = vec![("Login", user.login.clone())];
    let mut add =
        |name, value: String| fields.extend(Some(value).filter(|text| !text.is_empty()).map(|text| (name, text)));
    add("Name", user.display_name.clone());
    add("E-mail", user.email.clone());
    add("Profile", user.profile.clone());
    add("Group", user.group.clone());
    add("Roles", roles.join(", "));
    add("UUID", user.uuid.clone());
    add("Locked", if user.locked { "yes" } else { "" }.to_owned());
    add("Last seen", user.last_connected.map_or_else(|| "never".to_owned(), |time| ctx.ui.time(time)));
    let usual = ["profile", "displayName", "email"];
    for (name, value) in user.attributes.iter().filter(|(name, _)| !usual.contains(&name.as_str())) {
        fields.push((name, value.clone()));
    }
    Ok(table::fields(&ctx.ui, &fields)?)
}
