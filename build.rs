//! Tells the program what it is built from: `CEC_BUILD_RUST` always, `CEC_BUILD_COMMIT` and `CEC_BUILD_COMMIT_TIME` in
//! release builds out of this repository. Packagers who build from an archive may set the latter two themselves.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]

use std::path::Path;
use std::process::Command;

fn main() {
    for name in ["CEC_BUILD_COMMIT", "CEC_BUILD_COMMIT_TIME"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Some(version) = said(&compiler, &["--version"]).as_deref().and_then(|text| text.split(' ').nth(1)) {
        println!("cargo::rustc-env=CEC_BUILD_RUST={version}");
    }
    // A development build changes all day and is no commit's; besides, each commit would compile it anew.
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release && std::env::var_os("CEC_BUILD_COMMIT").is_none() && is_own_repository() {
        tell_commit();
    }
}

/// Whether git knows this folder as the top of a repository: an unpacked archive may lie within somebody else's.
fn is_own_repository() -> bool {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let top = said("git", &["rev-parse", "--show-toplevel"]).unwrap_or_default();
    !top.is_empty() && Path::new(&top).canonicalize().ok() == Path::new(&here).canonicalize().ok()
}

fn tell_commit() {
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = said("git", &["rev-parse", "--git-path", file]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    for source in ["src", "client/src", "client/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let Some(commit) = said("git", &["rev-parse", "HEAD"]) else { return };
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|list| !list.is_empty());
    println!("cargo::rustc-env=CEC_BUILD_COMMIT={commit}{}", if changed { "-modified" } else { "" });
    let format = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
    if let Some(time) = said("git", &["show", "--no-patch", "--format=%cd", format, "HEAD"]) {
        println!("cargo::rustc-env=CEC_BUILD_COMMIT_TIME={time}");
    }
}

/// What a program prints; `None` where it cannot be run or fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env("TZ", "UTC").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
