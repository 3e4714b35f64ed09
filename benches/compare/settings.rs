//! The settings of the comparison, from the environment.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::cases::Case;
use crate::tools::Tool;

/// A server to use instead of the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct RealServer {
    /// Scheme, host and port.
    pub(crate) url: String,
    /// A personal access token.
    pub(crate) token: String,
    /// The login of its user, which the older client requires.
    pub(crate) login: String,
}

/// The settings of the comparison.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The server; `None` for the sandbox.
    pub(crate) server: Option<RealServer>,
    /// The remote folder in which a folder is created for this run.
    pub(crate) folder: String,
    /// The folder for local data, which requires some GiB.
    pub(crate) scratch: PathBuf,
    /// The number of runs of each tool.
    pub(crate) rounds: usize,
    /// The cases, in order.
    pub(crate) cases: Vec<Case>,
    /// The tools other than cec, with their paths.
    pub(crate) tools: Vec<(Tool, PathBuf)>,
    /// The path of cec.
    pub(crate) cec: PathBuf,
    /// The size of the large file in bytes.
    pub(crate) large: u64,
    /// The number of small files.
    pub(crate) files: usize,
    /// The number of children in the listed folder.
    pub(crate) children: usize,
    /// Additional options for every `cec scp`.
    pub(crate) scp_options: Vec<String>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is not valid.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let server = match (text("CEC_BENCH_URL"), text("CEC_BENCH_TOKEN")) {
            (Some(url), Some(token)) => {
                let login = text("CEC_BENCH_LOGIN").unwrap_or_else(|| "admin".to_owned());
                Some(RealServer { url: url.trim_end_matches('/').to_owned(), token, login })
            }
            (None, None) => None,
            _ => bail!("CEC_BENCH_URL and CEC_BENCH_TOKEN go together"),
        };
        let (files, children) = if server.is_some() { (1_000, 2_000) } else { (10_000, 50_000) };
        let wanted: Vec<Tool> = list("CEC_BENCH_TOOLS")?.unwrap_or_else(|| Tool::OTHERS.to_vec());
        Ok(Self {
            server,
            folder: text("CEC_BENCH_FOLDER").unwrap_or_else(|| "personal-files".to_owned()),
            scratch: text("CEC_BENCH_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from),
            rounds: number("CEC_BENCH_ROUNDS")?.unwrap_or(3).max(1),
            cases: list("CEC_BENCH_CASES")?.unwrap_or_else(|| Case::ALL.to_vec()),
            tools: wanted.into_iter().filter_map(|tool| Some((tool, tool.find()?))).collect(),
            cec: text("CEC_BENCH_CEC").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_cec")), PathBuf::from),
            large: number::<u64>("CEC_BENCH_MIB")?.unwrap_or(1024).max(1) << 20,
            files: number("CEC_BENCH_FILES")?.unwrap_or(files),
            children: number("CEC_BENCH_CHILDREN")?.unwrap_or(children),
            scp_options: text("CEC_BENCH_SCP")
                .map(|options| options.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }
}

/// Returns a variable that is set and not empty.
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: FromStr>(name: &str) -> anyhow::Result<Option<T>> {
    let parse = |value: String| value.parse().ok().with_context(|| format!("{name} is '{value}', not a number"));
    text(name).map(parse).transpose()
}

fn list<T: FromStr<Err = anyhow::Error>>(name: &str) -> anyhow::Result<Option<Vec<T>>> {
    let parse = |value: String| value.split(',').map(|one| one.trim().parse()).collect();
    text(name).map(parse).transpose()
}
