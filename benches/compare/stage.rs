//! The server and the local data of a comparison.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use cells_sandbox::{Config, Sandbox};
use tempfile::TempDir;

use crate::settings::Settings;

/// Set in the environment of the process that runs the server. It has its own process, so that its memory does not
/// count as that of the measured programs, and so that it ends with this one.
pub(crate) const SERVER_ROLE: &str = "CEC_BENCH_SERVES";

/// The number of files in each folder of the tree of small files. Not a multiple of a hundred, because the older client
/// cannot download such folders.
pub(crate) const FILES_A_FOLDER: usize = 125;

/// Returns the name of a folder in that tree.
pub(crate) fn folder_name(number: usize) -> String {
    format!("folder-{number:03}")
}

/// The size of a small file in bytes.
const SMALL: usize = 4096;

/// The server and the local data. Both are removed when this is dropped.
pub(crate) struct Stage {
    /// The URL of the server.
    pub(crate) url: String,
    /// A token for the server.
    pub(crate) token: String,
    /// The login of the token's user.
    pub(crate) login: String,
    /// The remote folder of this run.
    pub(crate) folder: String,
    /// The local folder for all data.
    pub(crate) scratch: TempDir,
    /// The remote folder to list, if the sandbox has one ready.
    pub(crate) listed: Option<String>,
    cec: PathBuf,
    server: Option<Child>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // If this fails, the error cannot be reported anywhere.
        let _ = self.erase(&self.folder);
        if let Some(server) = &mut self.server {
            drop(server.stdin.take());
            let _ = server.wait();
        }
    }
}

impl Stage {
    /// Starts the server or connects to the given one, and creates the local data.
    ///
    /// # Errors
    /// The server does not answer; the disk is full.
    pub(crate) fn set(settings: &Settings) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("cec-bench-").tempdir_in(&settings.scratch)?;
        fs::create_dir(scratch.path().join("home"))?;
        let folder = format!("{}/bench-{}", settings.folder.trim_matches('/'), std::process::id());
        let (url, token, login, listed, server) = match &settings.server {
            Some(real) => (real.url.clone(), real.token.clone(), real.login.clone(), None, None),
            None => {
                let (child, url, token) = start_sandbox(settings.children)?;
                (url, token, "admin".to_owned(), Some(LISTED.to_owned()), Some(child))
            }
        };
        let stage = Self { url, token, login, folder, scratch, listed, cec: settings.cec.clone(), server };
        stage.cec(&["mkdir", "-p", &stage.folder])?;
        Ok(stage)
    }

    /// Runs cec for steps that are not measured.
    ///
    /// # Errors
    /// cec fails; the error contains its message.
    pub(crate) fn cec(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.cec);
        command.args(arguments).env("CEC_URL", &self.url).env("CEC_TOKEN", &self.token).stdin(Stdio::null());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "cec {}: {}", arguments.join(" "), said.trim());
        Ok(())
    }

    /// Permanently removes something on the server.
    ///
    /// # Errors
    /// cec fails; the error contains its message.
    pub(crate) fn erase(&self, remote: &str) -> anyhow::Result<()> {
        self.cec(&["rm", "-p", "-f", remote])
    }

    /// Returns a path in the local folder.
    pub(crate) fn local(&self, name: &str) -> String {
        self.scratch.path().join(name).to_string_lossy().into_owned()
    }

    /// Returns the large file, which is created on first use and is in the page cache.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn large(&self, size: u64) -> anyhow::Result<String> {
        let path = self.local("large.bin");
        if fs::metadata(&path).is_ok_and(|file| file.len() == size) {
            return Ok(path);
        }
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
        for _ in 0..size / 8 {
            file.write_all(&noise.next().to_le_bytes())?;
        }
        file.into_inner().context("the large file could not be written")?.sync_all()?;
        Ok(path)
    }

    /// Returns the tree of small files, which is created on first use.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn tree(&self, files: usize) -> anyhow::Result<String> {
        let path = self.local("tree");
        let mut noise = Noise(0xD1B5_4A32_D192_ED03);
        for number in 0..files {
            let folder = format!("{path}/{}", folder_name(number / FILES_A_FOLDER));
            if number % FILES_A_FOLDER == 0 {
                fs::create_dir_all(&folder)?;
            }
            let file = format!("{folder}/file-{number:05}.bin");
            if fs::exists(&file)? {
                continue;
            }
            let content: Vec<u8> = (0..SMALL / 8).flat_map(|_| noise.next().to_le_bytes()).collect();
            fs::write(file, content)?;
        }
        Ok(path)
    }
}

/// The folder to list in the sandbox.
const LISTED: &str = "common-files/listed";

fn start_sandbox(children: usize) -> anyhow::Result<(Child, String, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(SERVER_ROLE, children.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no pipe")?).lines();
    let mut line = || -> anyhow::Result<String> { Ok(lines.next().context("the sandbox did not start")??) };
    let (url, token) = (line()?, line()?);
    Ok((child, url, token))
}

/// Runs the server until standard input ends.
///
/// # Errors
/// The server cannot start.
pub(crate) fn serve() -> anyhow::Result<()> {
    let children = std::env::var(SERVER_ROLE)?.parse()?;
    // Like the servers that the other programs support: with complete checks, their listings of the bucket would be
    // refused.
    let sandbox = Sandbox::start(Config { strict_signatures: false, ..Config::default() })?;
    sandbox.tree().generate(LISTED, children, 20)?;
    println!("{}\n{}", sandbox.url(), sandbox.token("admin"));
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Generates incompressible bytes (splitmix).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
