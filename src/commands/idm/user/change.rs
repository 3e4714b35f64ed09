//! `cec idm user create` and `cec idm user update`.

use std::collections::BTreeMap;

use super::super::list::user_record;
use super::passwd;
use crate::commands::shared::edits;
use crate::commands::verb::{OtherPassword, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::idm::{RoleKind, UserChange, UserEntry, is_login};

/// The properties of users, for their creation and for changes.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Name that other people see
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Email address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// What the user may do: admin, standard, or shared for external users
    #[arg(long, value_name = "PROFILE", value_parser = ["admin", "standard", "shared", "anon"])]
    user_profile: Option<String>,
    /// Group, such as /staff/paris; / for none
    #[arg(long, value_name = "PATH")]
    group: Option<String>,
    /// Role by its UUID or label, replacing those assigned before; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Additional attribute; an empty value removes it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_attribute)]
    attribute: Vec<(String, String)>,
}

/// Arguments of `cec idm user create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Asks for the password, or reads it from standard input with --password-stdin. Administrators may \
    create any user, others only users with the profile shared.\n\nExamples:\n  \
    cec idm user create carol --email carol@example.com --display-name 'Carol C.'\n  \
    cec idm user create ci-bot --group /bots --password-stdin < password.txt"
)]
pub struct CreateArgs {
    /// Login name
    #[arg(value_name = "LOGIN")]
    name: String,
    #[command(flatten)]
    common: Common,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Arguments of `cec idm user update`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Settings without an option stay unchanged.\n\nExamples:\n  \
    cec idm user update carol --email carol@example.org\n  cec idm user update carol --group /staff --role Editors")]
pub struct UpdateArgs {
    /// Login name
    #[arg(value_name = "LOGIN")]
    name: String,
    #[command(flatten)]
    common: Common,
    /// Remove the assigned roles
    #[arg(long, conflicts_with = "role")]
    no_roles: bool,
}

fn parse_attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

impl Verb for CreateArgs {
    const ACTIVITY: &'static str = crate::commands::idm::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    fn other_password(&self) -> Option<OtherPassword> {
        Some(passwd::OTHER)
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`Kind::Exists`] if the login is in use; [`Kind::Usage`] if the options are not valid; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let login = self.name;
        check_login(&login)?;
        let api = ctx.api().await?;
        let during = |error: CliError| error.during(format!("creating the user {login}")).about(&login);
        if api.user_entry(&login).await.map_err(|error| during(error.into()))?.is_some() {
            return Err(CliError::new(Kind::Exists, format!("the user '{login}' already exists")).about(&login));
        }
        let mut change = self.common.change(ctx).await?;
        // Without a profile, the server creates a user without any permissions.
        change.attributes.entry("profile".to_owned()).or_insert_with(|| "standard".to_owned());
        change.password = Some(passwd::new(ctx, &login, self.password_stdin).await?);
        let user = api.create_user(&login, &change).await.map_err(|error| during(error.into()))?;
        report(ctx, &user, "created")
    }
}

impl Verb for UpdateArgs {
    const ACTIVITY: &'static str = crate::commands::idm::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    fn other_password(&self) -> Option<OtherPassword> {
        Some(OtherPassword { owner: "the user's", hint: "'cec idm user passwd' sets a new password" })
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the user does not exist; [`Kind::Usage`] if nothing would change; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        if self.common.is_empty() && !self.no_roles {
            return Err(CliError::new(Kind::Usage, "nothing to change").hint("see 'cec idm user update --help'"));
        }
        super::find_user(ctx, &self.name).await?;
        let mut change = self.common.change(ctx).await?;
        if self.no_roles {
            change.roles = Some(Vec::new());
        }
        let api = ctx.api().await?;
        let mut written: Option<UserEntry> = None;
        let user = edits::keep(async || {
            let user = super::find_user(ctx, &self.name).await?;
            if written.as_ref().is_some_and(|written| change.is_kept(written, &user)) {
                return Ok(Some(user));
            }
            let updated = api.update_user(&user, &change).await;
            let during =
                |error| CliError::from(error).during(format!("changing the user {}", user.login)).about(&user.login);
            written = Some(updated.map_err(during)?);
            Ok(None)
        });
        report(ctx, &user.await?, "changed")
    }
}

fn report(ctx: &Ctx, user: &UserEntry, what: &str) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        ctx.ui.json_document(&user_record(user))?;
    } else {
        ctx.ui.status(&format!("{what} the user {}", user.login));
    }
    Ok(Outcome::Done)
}

fn check_login(login: &str) -> Result<(), CliError> {
    if !is_login(login) || login.contains(['\\', '|', ' ']) {
        return Err(CliError::new(Kind::Usage, format!("'{login}' is not a login name")));
    }
    Ok(())
}

impl Common {
    fn is_empty(&self) -> bool {
        let texts = [&self.display_name, &self.email, &self.user_profile, &self.group];
        texts.iter().all(|text| text.is_none()) && self.role.is_empty() && self.attribute.is_empty()
    }

    /// Returns the changes that these options request, with groups and roles resolved.
    async fn change(&self, ctx: &Ctx) -> Result<UserChange, CliError> {
        let mut attributes: BTreeMap<String, String> = self.attribute.iter().cloned().collect();
        let named = [("displayName", &self.display_name), ("email", &self.email), ("profile", &self.user_profile)];
        attributes.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        let group = match &self.group {
            Some(path) => Some(group(ctx, path).await?),
            None => None,
        };
        let roles = if self.role.is_empty() { None } else { Some(roles(ctx, &self.role).await?) };
        Ok(UserChange { group, attributes, roles, ..UserChange::default() })
    }
}

/// Returns the path of an existing group in the server's form. A user in a group that does not exist would be lost.
async fn group(ctx: &Ctx, typed: &str) -> Result<String, CliError> {
    if typed.trim().is_empty() {
        return Err(CliError::new(Kind::Usage, "the group is empty").hint("for no group, write /"));
    }
    let path = format!("/{}", typed.trim_matches('/'));
    if path == "/" {
        return Ok(path);
    }
    let found = ctx.api().await?.groups().await;
    let groups = found.map_err(|error| CliError::from(error).during("looking for the group"))?;
    if groups.iter().any(|group| group.path == path) {
        return Ok(format!("{path}/"));
    }
    Err(CliError::new(Kind::NotFound, format!("there is no group '{path}'")).hint("'cec idm list-groups' lists them"))
}

/// Returns the UUIDs of roles, which are given by UUID or label.
async fn roles(ctx: &Ctx, wanted: &[String]) -> Result<Vec<String>, CliError> {
    let found = ctx.api().await?.roles().await;
    let mut all = found.map_err(|error| CliError::from(error).during("looking for the roles"))?;
    all.retain(|role| role.kind == RoleKind::Role);
    let mut uuids = Vec::new();
    for name in wanted {
        let found: Vec<&str> = all
            .iter()
            .filter(|role| role.uuid == *name || role.label == *name)
            .map(|role| role.uuid.as_str())
            .collect();
        match found.as_slice() {
            [uuid] => uuids.push((*uuid).to_owned()),
            [] => {
                return Err(CliError::new(Kind::NotFound, format!("there is no role '{name}' that can be assigned"))
                    .hint("'cec idm list-roles' lists them"));
            }
            several => {
                return Err(CliError::new(Kind::Usage, format!("several roles are named '{name}'"))
                    .hint(format!("use the UUID: {}", several.join(", "))));
            }
        }
    }
    Ok(uuids)
}
