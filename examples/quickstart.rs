//! The main job on the embedded sandbox, step by step: creates an account, uploads and downloads a real tree of
//! thousands of files and one file of 1 GiB, and compares every byte.
//!
//! `cargo run --release --example quickstart`. The example runs itself again as `cec`, through the library's entry
//! point, so that it shows what a user types and sees. It leaves nothing behind.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]
#![allow(clippy::print_stdout, clippy::exit, reason = "it narrates")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use cells_sandbox::{Config, Sandbox};

/// Set in the environment of the process that runs as `cec`.
const ROLE: &str = "CEC_QUICKSTART_PLAYS_CEC";
/// The size of the large file, in bytes.
const LARGE: u64 = 1 << 30;
/// The maximum number of files in the tree of real sources, approximately.
const FILES: usize = 6_000;
/// The minimum number; missing files are generated.
const LEAST_FILES: usize = 2_000;

fn main() -> ExitCode {
    if std::env::var_os(ROLE).is_some() {
        return cec::run(std::env::args_os());
    }
    match narrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nquickstart failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The temporary folder of the example.
struct Stage {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
    peak_kib: u64,
}

fn narrate() -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut stage = Stage {
        folder: tempfile::Builder::new().prefix("cec-quickstart-").tempdir()?,
        sandbox: Sandbox::start(Config::default())?,
        peak_kib: 0,
    };
    println!("A Cells server, embedded, answers at {}.\n", stage.sandbox.url());
    let sources = stage.folder.path().join("sources");
    let (files, bytes) = gather_tree(&sources)?;
    make_large(&stage.folder.path().join("large.bin"))?;
    println!(
        "A tree of {files} files ({} MiB) and a file of 1 GiB are ready in {:.1} s.\n",
        bytes >> 20,
        begun.elapsed().as_secs_f64()
    );

    let (url, token) = (stage.sandbox.url().to_owned(), stage.sandbox.token("admin"));
    stage.cec(&["configure", "token", "--skip-keyring", "--url", &url, "--login", "admin", "--token", &token])?;
    stage.cec(&["info"])?;
    stage.cec(&["ls"])?;
    stage.cec(&["mkdir", "personal-files/quickstart"])?;
    stage.cec(&["scp", "sources", "cells://personal-files/quickstart"])?;
    stage.cec(&["scp", "large.bin", "cells://personal-files/quickstart"])?;
    stage.cec(&["ls", "-d", "personal-files/quickstart"])?;
    stage.cec(&["scp", "cells://personal-files/quickstart", "back"])?;

    let compared = Instant::now();
    let same = compare(&stage.folder.path().join("sources"), &stage.folder.path().join("back/sources"))?
        + compare_files(&stage.folder.path().join("large.bin"), &stage.folder.path().join("back/large.bin"))?;
    println!("Compared {same} files byte for byte in {:.1} s: all the same.", compared.elapsed().as_secs_f64());
    stage.cec(&["rm", "--force", "--permanently", "personal-files/quickstart"])?;
    let peak = stage.peak_kib;
    drop(stage);
    println!(
        "All of it took {:.1} s; cec's peak memory was {:.1} MiB.",
        begun.elapsed().as_secs_f64(),
        peak as f64 / 1024.0
    );
    Ok(())
}

impl Stage {
    /// Runs one command as a user would, in the temporary folder, and prints it with its output.
    fn cec(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        let secret = self.sandbox.token("admin");
        let shown: Vec<&str> = arguments.iter().map(|text| if **text == *secret { "$TOKEN" } else { text }).collect();
        println!("$ cec {}", shown.join(" "));
        io::stdout().flush()?;
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env(ROLE, "1")
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(std::env::var_os("SYSTEMROOT").map(|root| ("SYSTEMROOT", root)))
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run this example again as cec")?;
        let status = loop {
            if let Some(peak) = peak_memory(child.id()) {
                self.peak_kib = self.peak_kib.max(peak);
            }
            match child.try_wait()? {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        println!("  [{:.2} s]\n", begun.elapsed().as_secs_f64());
        ensure!(status.success(), "cec {} ended with {status}", shown.join(" "));
        Ok(())
    }
}

/// Returns the peak memory of a process in KiB, if the system reports it (Linux).
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Copies the sources of this project's dependencies from cargo's registry. Returns the number of files and bytes.
fn gather_tree(target: &Path) -> anyhow::Result<(usize, u64)> {
    fs::create_dir(target)?;
    let (mut files, mut bytes) = (0, 0);
    for package in dependency_folders() {
        if files >= FILES {
            break;
        }
        copy_tree(&package, &target.join(package.file_name().unwrap_or_default()), &mut files, &mut bytes)?;
    }
    let real = files;
    for number in real..LEAST_FILES {
        let folder = target.join(format!("made-up/{}", number % 50));
        fs::create_dir_all(&folder)?;
        let content = format!("file number {number}\n").repeat(1 + number % 400);
        fs::write(folder.join(format!("{number}.txt")), &content)?;
        (files, bytes) = (files + 1, bytes + content.len() as u64);
    }
    Ok((files, bytes))
}

fn dependency_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let Some(registries) = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok()) else {
        return Vec::new();
    };
    let mut packages: Vec<PathBuf> = registries
        .flatten()
        .filter_map(|registry| fs::read_dir(registry.path()).ok())
        .flat_map(|packages| packages.flatten().map(|package| package.path()))
        .filter(|path| path.is_dir())
        .collect();
    packages.sort();
    packages
}

fn copy_tree(source: &Path, target: &Path, files: &mut usize, bytes: &mut u64) -> anyhow::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&from, &to, files, bytes)?;
        } else if entry.file_type()?.is_file() {
            *bytes += fs::copy(&from, &to)?;
            *files += 1;
        }
    }
    Ok(())
}

/// Creates an incompressible file without repetitions.
fn make_large(path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..LARGE / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// Compares two trees. Returns the number of files in them.
fn compare(left: &Path, right: &Path) -> anyhow::Result<usize> {
    let names = |folder: &Path| -> anyhow::Result<Vec<_>> {
        let mut names: Vec<_> =
            fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        names.sort();
        Ok(names)
    };
    let here = names(left)?;
    ensure!(here == names(right)?, "{} and {} hold different names", left.display(), right.display());
    let mut files = 0;
    for name in here {
        let (one, other) = (left.join(&name), right.join(&name));
        files += if one.is_dir() { compare(&one, &other)? } else { compare_files(&one, &other)? };
    }
    Ok(files)
}

fn compare_files(left: &Path, right: &Path) -> anyhow::Result<usize> {
    let (mut one, mut other) = (File::open(left)?, File::open(right)?);
    let (mut first, mut second) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let got = one.read(&mut first)?;
        if got == 0 {
            ensure!(other.read(&mut second)? == 0, "{} is longer than {}", right.display(), left.display());
            return Ok(1);
        }
        if other.read_exact(&mut second[..got]).is_err() || first[..got] != second[..got] {
            bail!("{} and {} differ", left.display(), right.display());
        }
    }
}
