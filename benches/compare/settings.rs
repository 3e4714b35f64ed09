//! What is compared, and how often: all from the environment.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};

use crate::cases::Case;
use crate::tools::Tool;

/// A server other than the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct RealServer {
    /// Scheme, host and port.
    pub(crate) url: String,
    /// A personal access token.
    pub(crate) token: String,
    /// Whose it is; the older client wants to know.
    pub(crate) login: String,
}

/// What is compared, and how often.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The server; the sandbox where there is none.
    pub(crate) server: Option<RealServer>,
    /// The folder on the server in which a folder is made for this run.
    pub(crate) folder: String,
    /// Where the local data goes: it needs room for some GiB.
    pub(crate) scratch: PathBuf,
    /// How often each tool has its turn.
    pub(crate) rounds: usize,
    /// What is compared, in this order.
    pub(crate) cases: Vec<Case>,
    /// The tools beside cec, with where they are.
    pub(crate) tools: Vec<(Tool, PathBuf)>,
    /// cec itself.
    pub(crate) cec: PathBuf,
    /// The size of the large file in bytes.
    pub(crate) large: u64,
    /// How many small files there are.
    pub(crate) files: usize,
    /// How many children the folder that is listed has.
    pub(crate) children: usize,
    /// Further options for every `cec scp`.
    pub(crate) scp_options: Vec<String>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable that cannot be understood.
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

/// A variable that is set and not empty.
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
