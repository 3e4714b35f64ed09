//! The programs to compare.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::bail;

use crate::settings::text;
use crate::stage::{Stage, folder_name};

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// cec itself.
    Cec,
    /// curl, the simplest transfer.
    Curl,
    /// rclone.
    Rclone,
    /// s5cmd.
    S5cmd,
    /// The AWS command line.
    Aws,
    /// The older client with the same name, if `CEC_BENCH_OLDER` contains its path.
    Older,
}

impl Tool {
    /// All programs except cec.
    pub(crate) const OTHERS: [Self; 5] = [Self::Curl, Self::Rclone, Self::S5cmd, Self::Aws, Self::Older];

    /// Returns the name in tables and in `CEC_BENCH_TOOLS`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cec => "cec",
            Self::Curl => "curl",
            Self::Rclone => "rclone",
            Self::S5cmd => "s5cmd",
            Self::Aws => "aws",
            Self::Older => "older",
        }
    }

    /// Returns the path, from its variable or the PATH.
    pub(crate) fn find(self) -> Option<PathBuf> {
        if let Some(path) = text(&format!("CEC_BENCH_{}", self.name().to_uppercase())) {
            return Some(PathBuf::from(path));
        }
        // The older client is also called cec, so the one on the PATH may be either.
        let name = (self != Self::Older).then(|| self.name())?;
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
    }

    /// Returns the version that the program prints.
    pub(crate) fn version(self, program: &Path) -> String {
        let word = if matches!(self, Self::Curl | Self::Aws) { "--version" } else { "version" };
        let said = Command::new(program).arg(word).output().map(|output| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_version = |word: &&str| word.contains('.') && word.contains(|letter: char| letter.is_ascii_digit());
        said.split_whitespace().find(is_version).unwrap_or("of unknown version").to_owned()
    }
}

impl FromStr for Tool {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::OTHERS.into_iter().find(|tool| tool.name() == text) {
            Some(tool) => Ok(tool),
            None => bail!("'{text}' in CEC_BENCH_TOOLS is none of curl, rclone, s5cmd, aws, older"),
        }
    }
}

/// A program on a stage: creates its command lines.
pub(crate) struct ToolRunner<'a> {
    pub(crate) tool: Tool,
    pub(crate) program: &'a Path,
    pub(crate) stage: &'a Stage,
    pub(crate) scp_options: &'a [String],
}

impl ToolRunner<'_> {
    /// Returns a shell that receives the program as `$1`, followed by the arguments. A run is ended after ten minutes.
    fn shell(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "600", "sh", "-c", script, "sh"]).arg(self.program).args(arguments);
        self.sealed(&mut command);
        command
    }

    /// Sets the server and the credentials in the form that the tool requires, without any of the user's own settings.
    fn sealed(&self, command: &mut Command) {
        let (stage, home) = (self.stage, self.stage.scratch.path().join("home"));
        for (name, _) in std::env::vars().filter(|(name, _)| {
            ["CEC_", "AWS_", "RCLONE_", "CELLS_CLIENT_", "XDG_"].iter().any(|prefix| name.starts_with(prefix))
                || name.to_lowercase().ends_with("_proxy")
        }) {
            command.env_remove(name);
        }
        command.env("HOME", home).env("LC_ALL", "C.UTF-8");
        let (url, token, secret) = (&stage.url, &stage.token, "gatewaysecret");
        match self.tool {
            Tool::Cec => command.env("CEC_URL", url).env("CEC_TOKEN", token),
            Tool::Older => command
                .envs([("CEC_URL", url), ("CEC_TOKEN", token), ("CEC_LOGIN", &stage.login)])
                .env("CEC_SKIP_KEYRING", "true"),
            Tool::S5cmd | Tool::Aws => command
                .envs([("AWS_ACCESS_KEY_ID", token.as_str()), ("AWS_SECRET_ACCESS_KEY", secret)])
                .envs([("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")])
                // The newest defaults send trailers, which this gateway refuses.
                .envs([("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")])
                .envs([("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")]),
            Tool::Rclone => command
                .envs([("RCLONE_CONFIG_CELLS_TYPE", "s3"), ("RCLONE_CONFIG_CELLS_PROVIDER", "Other")])
                .envs([("RCLONE_CONFIG_CELLS_ACCESS_KEY_ID", token), ("RCLONE_CONFIG_CELLS_ENDPOINT", url)])
                .envs([("RCLONE_CONFIG_CELLS_SECRET_ACCESS_KEY", secret), ("RCLONE_CONFIG_CELLS_REGION", "us-east-1")])
                .envs([("RCLONE_S3_NO_CHECK_BUCKET", "true"), ("RCLONE_S3_LIST_CHUNK", "1000000")])
                .envs([("RCLONE_S3_LIST_URL_ENCODE", "true"), ("RCLONE_S3_UPLOAD_CUTOFF", "5G")]),
            Tool::Curl => command.env("CURL_HOME", "/nonexistent"),
        };
    }

    fn scp(&self) -> String {
        let words: Vec<&str> = self.scp_options.iter().map(String::as_str).collect();
        format!("\"$1\" scp --no-progress {} -f", words.join(" "))
    }

    /// Returns curl's options for a signed request. The URL and the rest follow.
    fn curl_words(&self) -> String {
        format!(
            "\"$1\" -sS -f --aws-sigv4 aws:amz:us-east-1:s3 --user '{}:gatewaysecret' \
             -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'",
            self.stage.token
        )
    }

    /// Uploads one file to a path that does not exist.
    pub(crate) fn put(&self, file: &str, remote: &str) -> Command {
        let key = &format!("s3://io/{remote}");
        match self.tool {
            Tool::Cec => self.shell(&format!("{} \"$2\" \"$3\"", self.scp()), &[file, &format!("cells://{remote}")]),
            Tool::Older => {
                // The tool cannot choose a target name: the file keeps its own in the folder.
                let folder = remote.rsplit_once('/').map_or(remote, |(folder, _)| folder);
                self.shell("\"$1\" scp -n -q -f \"$2\" \"$3\"", &[file, &format!("cells://{folder}/")])
            }
            Tool::Curl => {
                let script = format!("{} -o /dev/null -T \"$2\" \"$3\"", self.curl_words());
                self.shell(&script, &[file, &format!("{}/io/{remote}", self.stage.url)])
            }
            Tool::Rclone => self.shell("\"$1\" copyto \"$2\" \"$3\"", &[file, &format!("cells:io/{remote}")]),
            Tool::S5cmd => {
                let script = "\"$1\" --log error --endpoint-url \"$4\" cp --part-size 5000 \"$2\" \"$3\"";
                self.shell(script, &[file, key, &self.stage.url])
            }
            Tool::Aws => {
                let script = "\"$1\" --endpoint-url \"$4\" s3 cp --only-show-errors \"$2\" \"$3\"";
                self.shell(script, &[file, key, &self.stage.url])
            }
        }
    }

    /// Downloads one file to a path that does not exist. curl's file is flushed to the disk like cec's.
    pub(crate) fn get(&self, remote: &str, file: &str) -> Command {
        let key = &format!("s3://io/{remote}");
        match self.tool {
            Tool::Cec => self.shell(&format!("{} \"$2\" \"$3\"", self.scp()), &[&format!("cells://{remote}"), file]),
            Tool::Older => {
                let folder = file.rsplit_once('/').map_or(file, |(folder, _)| folder);
                self.shell("\"$1\" scp -n -q -f \"$2\" \"$3\"", &[&format!("cells://{remote}"), folder])
            }
            Tool::Curl => {
                let script = format!("{} -o \"$3\" \"$2\" && sync \"$3\"", self.curl_words());
                self.shell(&script, &[&format!("{}/io/{remote}", self.stage.url), file])
            }
            Tool::Rclone => self.shell("\"$1\" copyto \"$2\" \"$3\"", &[&format!("cells:io/{remote}"), file]),
            Tool::S5cmd => {
                let script = "\"$1\" --log error --endpoint-url \"$4\" cp \"$2\" \"$3\"";
                self.shell(script, &[key, file, &self.stage.url])
            }
            Tool::Aws => {
                let script = "\"$1\" --endpoint-url \"$4\" s3 cp --only-show-errors \"$2\" \"$3\"";
                self.shell(script, &[key, file, &self.stage.url])
            }
        }
    }

    /// Uploads a tree into an existing folder that does not contain it. `None` if the tool cannot.
    pub(crate) fn put_tree(&self, tree: &str, remote: &str) -> Option<Command> {
        let name = tree.rsplit_once('/').map_or(tree, |(_, name)| name);
        Some(match self.tool {
            Tool::Curl => return None,
            Tool::Cec => {
                let script = format!("{} \"$2\" \"$3\"", self.scp());
                self.shell(&script, &[tree, &format!("cells://{remote}/")])
            }
            Tool::Older => self.shell("\"$1\" scp -n -q -f \"$2\" \"$3\"", &[tree, &format!("cells://{remote}/")]),
            Tool::Rclone => {
                let script = "\"$1\" copy --transfers 8 \"$2\" \"$3\"";
                self.shell(script, &[tree, &format!("cells:io/{remote}/{name}")])
            }
            Tool::S5cmd => {
                let script = "\"$1\" --log error --numworkers 8 --endpoint-url \"$4\" cp \"$2/\" \"$3/\"";
                self.shell(script, &[tree, &format!("s3://io/{remote}/{name}"), &self.stage.url])
            }
            Tool::Aws => {
                let script = "\"$1\" --endpoint-url \"$4\" s3 cp --recursive --only-show-errors \"$2\" \"$3\"";
                self.shell(script, &[tree, &format!("s3://io/{remote}/{name}"), &self.stage.url])
            }
        })
    }

    /// Downloads a tree with this number of folders into an empty local folder. `None` if the tool cannot.
    pub(crate) fn get_tree(&self, remote: &str, folder: &str, folders: usize) -> Option<Command> {
        Some(match self.tool {
            Tool::Curl => return None,
            Tool::Cec => {
                let script = format!("{} \"$2\" \"$3\"", self.scp());
                self.shell(&script, &[&format!("cells://{remote}"), folder])
            }
            Tool::Older => self.shell("\"$1\" scp -n -q -f \"$2\" \"$3\"", &[&format!("cells://{remote}"), folder]),
            Tool::Rclone => {
                let script = "\"$1\" copy --transfers 8 \"$2\" \"$3\"";
                self.shell(script, &[&format!("cells:io/{remote}"), folder])
            }
            Tool::S5cmd => {
                // Folder by folder, because a listing is silently cut after 4,500 entries.
                let copy = |number| {
                    let name = folder_name(number);
                    format!("cp \"s3://io/{remote}/{name}/*\" \"{folder}/{name}/\"\n")
                };
                let file = self.stage.scratch.path().join("commands.s5cmd");
                std::fs::write(&file, (0..folders).map(copy).collect::<String>()).ok()?;
                let script = "\"$1\" --log error --numworkers 8 --endpoint-url \"$3\" run \"$2\"";
                self.shell(script, &[&file.to_string_lossy(), &self.stage.url])
            }
            Tool::Aws => {
                let script = "\"$1\" --endpoint-url \"$4\" s3 cp --recursive --only-show-errors \"$2\" \"$3\"";
                self.shell(script, &[&format!("s3://io/{remote}"), folder, &self.stage.url])
            }
        })
    }

    /// Uploads a file through a pipe. `None` if the tool reads no standard input.
    pub(crate) fn put_stream(&self, file: &str, remote: &str) -> Option<Command> {
        let key = &format!("s3://io/{remote}");
        Some(match self.tool {
            Tool::Curl | Tool::Older => return None,
            Tool::Cec => {
                let script = format!("cat \"$2\" | {} - \"$3\"", self.scp());
                self.shell(&script, &[file, &format!("cells://{remote}")])
            }
            Tool::Rclone => self.shell("cat \"$2\" | \"$1\" rcat \"$3\"", &[file, &format!("cells:io/{remote}")]),
            Tool::S5cmd => {
                let script = "cat \"$2\" | \"$1\" --log error --endpoint-url \"$4\" pipe \"$3\"";
                self.shell(script, &[file, key, &self.stage.url])
            }
            Tool::Aws => {
                let script = "cat \"$2\" | \"$1\" --endpoint-url \"$4\" s3 cp --only-show-errors - \"$3\"";
                self.shell(script, &[file, key, &self.stage.url])
            }
        })
    }

    /// Lists a folder with this number of children. curl requests the same pages as cec, as many at a time, so its time
    /// is the server's own.
    pub(crate) fn list(&self, remote: &str, children: usize) -> Option<Command> {
        Some(match self.tool {
            Tool::Cec | Tool::Older => self.shell("\"$1\" ls \"$2\"", &[remote]),
            Tool::Curl => {
                let file = self.stage.scratch.path().join("pages.curl");
                std::fs::write(&file, self.pages(remote, children)).ok()?;
                let script = "\"$1\" -sS -f --parallel --parallel-immediate --parallel-max 4 -K \"$2\"";
                self.shell(script, &[&file.to_string_lossy()])
            }
            Tool::Rclone => self.shell("\"$1\" lsf \"$2\"", &[&format!("cells:io/{remote}")]),
            Tool::S5cmd => {
                let script = "\"$1\" --endpoint-url \"$3\" ls \"$2\"";
                self.shell(script, &[&format!("s3://io/{remote}/"), &self.stage.url])
            }
            Tool::Aws => {
                let script = "\"$1\" --endpoint-url \"$3\" s3 ls \"$2\"";
                self.shell(script, &[&format!("s3://io/{remote}/"), &self.stage.url])
            }
        })
    }

    fn pages(&self, remote: &str, children: usize) -> String {
        let page = |offset: usize| {
            format!(
                "url = \"{}/a/meta/bulk/get\"\noutput = /dev/null\nheader = \"Authorization: Bearer {}\"\n\
                 header = \"Content-Type: application/json\"\n\
                 data = \"{{\\\"NodePaths\\\":[\\\"{remote}/*\\\"],\\\"Limit\\\":500,\\\"Offset\\\":{offset}}}\"\n",
                self.stage.url, self.stage.token
            )
        };
        let pages: Vec<String> = (0..children.max(1)).step_by(500).map(page).collect();
        pages.join("next\n")
    }
}
