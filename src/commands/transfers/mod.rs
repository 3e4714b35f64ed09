//! `cec transfers`: transfers that were interrupted.

pub mod abort;
pub mod ls;
pub mod resume;

use crate::commands::shared::transfers::journals;
use crate::commands::verb::verbs;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::ui::human;
use cells_client::transfer::journal::{Journals, Unfinished};

verbs! {
    /// The commands of `cec transfers`.
    #[command(
        after_help = "An interrupted upload in parts can be resumed for a day, because the server keeps its parts for so \
        long; an interrupted download for a week. 'cec scp' resumes them too: run the same command again.\n\nExamples:\n  \
        cec transfers ls\n  cec transfers resume --all\n  cec transfers abort 3f2a9c41d07b"
    )]
    pub enum Verbs {
        /// List unfinished transfers
        #[command(alias = "list")]
        Ls(ls::Args),
        /// Resume unfinished transfers
        #[command(alias = "continue")]
        Resume(resume::Args),
        /// Give up unfinished transfers, and remove what they left on the server and on this machine
        #[command(alias = "rm")]
        Abort(abort::Args),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "looking for unfinished transfers";

/// The transfers to act on.
#[derive(Debug, clap::Args)]
pub struct Selected {
    /// Ids of transfers, as 'cec transfers ls' shows them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,

    /// All unfinished transfers of the account
    #[arg(long)]
    all: bool,
}

impl Selected {
    /// Returns the journals, and the selected transfers or why one is not there.
    async fn find(&self, ctx: &Ctx) -> Result<(Journals, Vec<Result<Unfinished, CliError>>), CliError> {
        let journals = journals(ctx).await?;
        let account = Owner::in_use(ctx).await?;
        let listed = journals.list();
        if self.all {
            let owned: Vec<_> = listed.into_iter().filter(|found| account.owns(found)).map(Ok).collect();
            if owned.is_empty() {
                ctx.ui.status("no transfer of this account is unfinished");
            }
            return Ok((journals, owned));
        }
        let find = |id: &String| {
            let found = listed.iter().find(|found| found.id == *id).ok_or_else(|| {
                CliError::new(Kind::NotFound, format!("there is no unfinished transfer '{id}'"))
                    .hint("'cec transfers ls' lists them")
                    .about(id)
            })?;
            if account.owns(found) {
                return Ok(found.clone());
            }
            let (user, server) = (&found.header.user, &found.header.server);
            let message = format!("the transfer '{id}' is that of {user} on {server}");
            Err(CliError::new(Kind::Failure, message).hint("choose that account with --profile").about(id))
        };
        Ok((journals, self.ids.iter().map(find).collect()))
    }
}

/// The account in use, known without a request if possible.
struct Owner {
    server: String,
    login: Option<String>,
}

impl Owner {
    async fn in_use(ctx: &Ctx) -> Result<Self, CliError> {
        let account = ctx.account().await?;
        let login = match &account.login {
            Some(login) => Some(login.clone()),
            None => ctx.api().await?.user().await?.map(|user| user.login),
        };
        Ok(Self { server: account.url.origin().to_owned(), login })
    }

    fn owns(&self, found: &Unfinished) -> bool {
        found.header.server == self.server && Some(&found.header.user) == self.login.as_ref()
    }
}

/// Returns how much of a transfer is there, for messages.
fn progress(found: &Unfinished) -> String {
    format!("{} of {}", human::bytes(found.bytes), human::bytes(found.header.size))
}
