//! The server and the local data of a comparison.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use cells_sandbox::{Config, Sandbox};
use tempfile::TempDir;

use crate::settings::Settings;

/// Set in the environment of the process that plays the server: one of its own, so that its memory is not taken for
/// that of the programs that are started, and so that it ends with this one.
pub(crate) const SERVER_ROLE: &str = "CEC_BENCH_SERVES";

/// How many files a folder of the tree of small files holds: no multiple of a hundred, which the older client cannot
/// fetch.
pub(crate) const FILES_A_FOLDER: usize = 125;

/// What a folder of that tree is called.
pub(crate) fn folder_name(number: usize) -> String {
    format!("folder-{number:03}")
}

/// The size of a small file in bytes.
const SMALL: usize = 4096;

/// The server and the local data. All of it goes when this is dropped.
pub(crate) struct Stage {
    /// Where the server is.
    pub(crate) url: String,
    /// A token for it.
    pub(crate) token: String,
    /// Whose token it is.
    pub(crate) login: String,
    /// The folder of this run on the server.
    pub(crate) folder: String,
    /// The local folder that everything is in.
    pub(crate) scratch: TempDir,
    /// The folder on the server that is listed, if the sandbox has one ready.
    pub(crate) listed: Option<String>,
    cec: PathBuf,
    server: Option<Child>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Whatever fails here, there is nobody left to tell.
        let _ = self.erase(&self.folder);
        if let Some(server) = &mut self.server {
            drop(server.stdin.take());
            let _ = server.wait();
        }
    }
}

impl Stage {
    /// Starts the server, or takes the one that was named, and makes the local data.
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

    /// Runs cec for what is not measured.
    ///
    /// # Errors
    /// It fails; the error has its words.
    pub(crate) fn cec(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.cec);
        command.args(arguments).env("CEC_URL", &self.url).env("CEC_TOKEN", &self.token).stdin(Stdio::null());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "cec {}: {}", arguments.join(" "), said.trim());
        Ok(())
    }

    /// Removes something on the server for good.
    ///
    /// # Errors
    /// cec says why.
    pub(crate) fn erase(&self, remote: &str) -> anyhow::Result<()> {
        self.cec(&["rm", "-p", "-f", remote])
    }

    /// A path in the local folder.
    pub(crate) fn local(&self, name: &str) -> String {
        self.scratch.path().join(name).to_string_lossy().into_owned()
    }

    /// The large file, made when first asked for, and in the page cache.
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

    /// The tree of small files, made when first asked for.
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

/// The folder of the sandbox that is listed.
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

/// Plays the server until standard input ends.
///
/// # Errors
/// It cannot start.
pub(crate) fn serve() -> anyhow::Result<()> {
    let children = std::env::var(SERVER_ROLE)?.parse()?;
    // As the servers do that the other programs work with: checked in full, their lists of the bucket are refused.
    let sandbox = Sandbox::start(Config { strict_signatures: false, ..Config::default() })?;
    sandbox.tree().generate(LISTED, children, 20)?;
    println!("{}\n{}", sandbox.url(), sandbox.token("admin"));
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Bytes that do not compress: a splitmix generator.
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
