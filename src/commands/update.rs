//! `cec update`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use semver::Version;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::version::platform;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::{Ctx, Destination};
use crate::env;
use crate::error::{CliError, Kind, Outcome};
use crate::shell::command_line;
use crate::ui::table::{Column, Table};
use cells_client::account::ServerUrl;
use cells_client::api::update::{Offer, PublicKey, UpdateServer};

/// How long the new program may take to print its version.
const TRIAL: Duration = Duration::from_secs(20);

/// The start of the name of an incomplete program.
const TEMPORARY: &str = ".cec-update-";

/// The age from which an incomplete program belongs to no running update.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

const EXAMPLES: &str = "\
Examples:
  cec update
  cec update --version latest
  cec update --version 5.1.0 --dry-run";

const NOTES: &str = "\
Without --version, lists the newer versions and changes nothing.\n\n\
The new program comes from the update server that was set at build time or in CEC_UPDATE_URL. It must have the right \
checksum, be signed with the key that was set at build time or in CEC_UPDATE_KEY (a PEM file), and start; only then \
does it replace this program. The old program is kept beside config.json as cec-VERSION. \
A program built without a server and a key changes nothing.";

/// Arguments of `cec update`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NOTES}"))]
pub struct Args {
    /// Install this version, even if it is older; latest is the newest one
    #[arg(short, long, value_name = "VERSION")]
    version: Option<WantedVersion>,

    /// Print what would be done, and do nothing
    #[arg(short, long, alias = "dry_run")]
    dry_run: bool,

    /// Include versions that are not released yet
    #[arg(long)]
    dev: bool,
}

/// The version to install.
#[derive(Debug, Clone)]
enum WantedVersion {
    Latest,
    This(Version),
}

impl FromStr for WantedVersion {
    type Err = semver::Error;

    fn from_str(text: &str) -> Result<Self, semver::Error> {
        if text == "latest" { Ok(Self::Latest) } else { Version::parse(text.trim_start_matches('v')).map(Self::This) }
    }
}

const COLUMNS: [Column; 3] = [Column::text("VERSION"), Column::text("PACKAGE"), Column::text("DESCRIPTION")];

/// The result of `update`.
#[derive(Debug, Serialize)]
struct Record {
    current: &'static str,
    available: Option<String>,
    updated: bool,
    kept: Option<String>,
    dry_run: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "looking for a newer version";

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Finds a newer program and replaces this one with it.
    ///
    /// # Errors
    /// [`Kind::Failure`] if no update server is configured; [`Kind::NotFound`] if the requested version is not offered;
    /// [`Kind::Permission`] if the program's folder is not writable; [`Kind::Integrity`] if the new program does not
    /// match its offer.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let (url, key) = channel(ctx)?;
        let server = UpdateServer::new(ctx.http(Destination::Elsewhere, false, &[])?, &url)?;
        if let Ok(url) = ServerUrl::parse(server.origin().as_str())
            && !url.is_https()
            && !url.is_loopback()
        {
            ctx.ui.warn(&format!("{url} is not encrypted: others can see, block and change what it offers"));
        }
        let (os, arch) = platform();
        let current = env!("CARGO_PKG_VERSION");
        let channel = if self.dev { "dev" } else { "stable" };
        ctx.ui.status(&format!("asking {url} for updates"));
        let offers = server.offers(channel, current, os, arch).await?;
        let mut record = Record { current, available: None, updated: false, kept: None, dry_run: self.dry_run };
        let mut offers = sorted(offers);
        let Some(wanted) = &self.version else {
            let offers = newer(offers)?;
            record.available = offers.last().map(|(version, _)| version.to_string());
            return list(ctx, &offers, &record);
        };
        let chosen = match wanted {
            WantedVersion::Latest => newer(offers)?.pop(),
            WantedVersion::This(wanted) => {
                let position = offers.iter().position(|(version, _)| version == wanted);
                let missing =
                    || CliError::new(Kind::NotFound, format!("version {wanted} is not offered for this system"));
                Some(offers.swap_remove(position.ok_or_else(missing)?))
            }
        };
        let Some((version, offer)) = chosen else {
            ctx.ui.status(&format!("cec {current} is the newest version"));
            return finish(ctx, &record);
        };
        record.available = Some(version.to_string());
        if self.dry_run {
            ctx.ui.status(&format!("cec {version} would replace {current}{}", described(&offer)));
            return finish(ctx, &record);
        }
        let program = std::env::current_exe().and_then(fs::canonicalize)?;
        let fresh = beside(&program)?;
        ctx.ui.status(&format!("downloading cec {version}{}", described(&offer)));
        let content = server.fetch(&offer, &key).await?;
        let fresh = fill(fresh, &content)?;
        try_out(&fresh, &version).await?;
        record.kept = Some(keep(ctx, &program, current)?.display().to_string());
        self_replace::self_replace(&fresh)
            .map_err(|error| CliError::new(Kind::Failure, format!("cannot replace {}: {error}", program.display())))?;
        record.updated = true;
        ctx.ui.status(&format!(
            "cec {current} is now cec {version}; the old one is kept as {}",
            record.kept.as_deref().unwrap_or_default()
        ));
        finish(ctx, &record)
    }
}

fn finish(ctx: &Ctx, record: &Record) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        ctx.ui.json_document(record)?;
    }
    Ok(Outcome::Done)
}

/// Lists the newer versions.
fn list(ctx: &Ctx, offers: &[(Version, Offer)], record: &Record) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        return finish(ctx, record);
    }
    let mut table = Table::new(&ctx.ui, &COLUMNS);
    let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    for (version, offer) in offers {
        table.row(vec![version.to_string(), cell(&offer.label), cell(&offer.description)])?;
    }
    table.finish()?;
    match &record.available {
        Some(version) => {
            let line = command_line("cec update --version", &[version]);
            ctx.ui.status(&format!("install one with: {line}"));
        }
        None => ctx.ui.status(&format!("cec {} is the newest version", record.current)),
    }
    Ok(Outcome::Done)
}

/// Returns the URL of the update server, and the key for its signatures.
fn channel(ctx: &Ctx) -> Result<(String, PublicKey), CliError> {
    let environment = &ctx.settings.environment;
    let url = environment.text(env::UPDATE_URL)?.or(option_env!("CEC_UPDATE_URL"));
    let key = match environment.path(env::UPDATE_KEY) {
        Some(path) => Some(fs::read_to_string(&path).map_err(|error| {
            CliError::new(Kind::NotFound, format!("cannot read the public key {}: {error}", path.display()))
        })?),
        None => option_env!("CEC_UPDATE_KEY").map(str::to_owned),
    };
    match (url, key) {
        (Some(url), Some(key)) => Ok((url.to_owned(), PublicKey::from_pem(&key)?)),
        (url, _) => {
            let missing = if url.is_none() { "update server" } else { "public key for updates" };
            Err(CliError::new(Kind::Failure, format!("this program has no {missing}; nothing was changed"))
                .hint("update it the way it was installed: by its package, or from its source with 'cargo install'")
                .hint("or set a server and a key that you trust: CEC_UPDATE_URL and CEC_UPDATE_KEY"))
        }
    }
}

/// Returns the offers, newest last.
fn sorted(offers: Vec<Offer>) -> Vec<(Version, Offer)> {
    let read = |offer: Offer| Some((Version::parse(offer.version.trim_start_matches('v')).ok()?, offer));
    let mut offers: Vec<(Version, Offer)> = offers.into_iter().filter_map(read).collect();
    offers.sort_by(|one, other| one.0.cmp(&other.0));
    offers
}

/// Returns the offers that are newer than this program.
fn newer(mut offers: Vec<(Version, Offer)>) -> Result<Vec<(Version, Offer)>, CliError> {
    let current = Version::parse(env!("CARGO_PKG_VERSION"))
        .map_err(|error| CliError::new(Kind::Failure, format!("this program's own version cannot be read: {error}")))?;
    offers.retain(|(version, _)| *version > current);
    Ok(offers)
}

fn described(offer: &Offer) -> String {
    let text = if offer.label.is_empty() { &offer.description } else { &offer.label };
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

/// Creates an empty file beside the program, to find out whether it can be replaced before anything is downloaded.
fn beside(program: &Path) -> Result<NamedTempFile, CliError> {
    let folder = program.parent().unwrap_or(Path::new("."));
    remove_leftovers(folder);
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder).map_err(|error| {
        // The original error names a file that no longer exists.
        let error = std::io::Error::from(error.kind());
        CliError::new(Kind::Permission, format!("cannot write to {}: {error}", folder.display()))
            .hint("run the update as a user with write access, or reinstall the program the way it was installed")
    })
}

/// Removes the files of killed updates, if they are old enough not to belong to a running one.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) && age.is_some_and(|age| age > LEFT_BEHIND) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes the program to the disk and closes it, so that it can be started.
fn fill(mut file: NamedTempFile, content: &[u8]) -> Result<tempfile::TempPath, CliError> {
    file.write_all(content)?;
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Starts the new program once. It must print the expected version.
async fn try_out(program: &Path, version: &Version) -> Result<(), CliError> {
    let refused = |why: String| {
        CliError::new(Kind::Integrity, format!("the new program is refused: {why}")).hint("nothing was changed")
    };
    let mut command = tokio::process::Command::new(program);
    command.args(["version", "--json"]).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    for name in env::SECRETS {
        command.env_remove(name);
    }
    let output = match tokio::time::timeout(TRIAL, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(refused(format!("it does not start: {error}"))),
        Err(_) => return Err(refused("it does not exit".to_owned())),
    };
    let answer: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    match answer.as_ref().and_then(|answer| answer["version"].as_str()) {
        _ if !output.status.success() => Err(refused(format!("it exits with {}", output.status))),
        Some(answer) if answer.trim_start_matches('v') == version.to_string() => Ok(()),
        Some(answer) => Err(refused(format!("it reports version {answer}, not {version}"))),
        None => Err(refused("it does not report its version".to_owned())),
    }
}

/// Copies the present program to the folder for old ones.
fn keep(ctx: &Ctx, program: &Path, version: &str) -> Result<PathBuf, CliError> {
    let folder = ctx.settings.config_folder.clone().ok_or(cells_client::store::StoreError::NoFolder)?;
    cells_client::sys::atomic_file::create_private_folder(&folder)?;
    let kept = folder.join(format!("cec-{version}{}", std::env::consts::EXE_SUFFIX));
    copy(program, &kept)
        .map_err(|error| CliError::new(Kind::Failure, format!("cannot keep the old program: {error}")))?;
    Ok(kept)
}

/// Copies a program to a name that others may know. An existing file is replaced and never written to.
fn copy(program: &Path, to: &Path) -> std::io::Result<()> {
    let mut copy = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(to.parent().unwrap_or(Path::new(".")))?;
    std::io::copy(&mut fs::File::open(program)?, copy.as_file_mut())?;
    copy.as_file().set_permissions(fs::metadata(program)?.permissions())?;
    copy.as_file().sync_all()?;
    copy.persist(to)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(versions: &[&str]) -> Vec<Offer> {
        let offer =
            |version: &&str| serde_json::from_value(serde_json::json!({ "Version": version })).expect("an offer");
        versions.iter().map(offer).collect()
    }

    #[cfg(unix)]
    #[test]
    fn the_old_program_is_not_written_through_a_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("cec"), "program").expect("a file");
        fs::set_permissions(path("cec"), fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::write(path("victim"), "mine").expect("a file");
        std::os::unix::fs::symlink("victim", path("cec-5.0.0")).expect("a link");
        for _ in 0..2 {
            copy(&path("cec"), &path("cec-5.0.0")).expect("copied");
        }
        let about = fs::symlink_metadata(path("cec-5.0.0")).expect("a file");
        assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o755);
        let read = |name: &str| fs::read_to_string(path(name)).expect("a file");
        assert_eq!((read("cec-5.0.0").as_str(), read("victim").as_str()), ("program", "mine"));
    }

    #[test]
    fn offers_are_sorted_and_older_ones_are_not_newer() {
        let versions = |offers: Vec<(Version, Offer)>| -> Vec<String> {
            offers.into_iter().map(|(version, _)| version.to_string()).collect()
        };
        let list = ["99.0.0", "v100.2.0", "100.10.0", "nonsense", "0.0.1"];
        assert_eq!(versions(sorted(offers(&list))), ["0.0.1", "99.0.0", "100.2.0", "100.10.0"]);
        assert_eq!(versions(newer(sorted(offers(&list))).expect("versions")), ["99.0.0", "100.2.0", "100.10.0"]);
        assert!(newer(sorted(offers(&["0.0.1"]))).expect("versions").is_empty());
    }

    #[test]
    fn the_older_clients_releases_are_older() {
        let older = offers(&["4.4.0-alpha3", "4.4.0", "4.9.9"]);
        assert!(newer(sorted(older)).expect("versions").is_empty(), "or an update would go back to it");
    }
}
